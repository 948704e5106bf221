"""What a segmenter is: it takes a tile in once, then turns boxes, clicks and coarse masks on it into masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from inference_server.geometry import HBB
from inference_server.models.base import Progress
from inference_server.raster import RasterTile
from inference_server.segmenter import Segment


@dataclass(frozen=True)
class Everything:
    """How automatic mask generation runs (Kirillov et al. 2023, appendix B; without crops).

    Attributes:
        points_per_side: of the grid of clicks over the tile.
        points_per_batch: clicks decoded at once.
        pred_iou: masks of which the model expects a lower IoU are dropped.
        stability: masks of which the areas at the two offset thresholds have a lower ratio are dropped.
        stability_offset: of the logit.
        nms_iou: of the boxes of two masks, above which the worse one is dropped.
    """

    points_per_side: int = 32
    points_per_batch: int = 64
    pred_iou: float = 0.8
    stability: float = 0.95
    stability_offset: float = 1.0
    nms_iou: float = 0.7

    def __post_init__(self) -> None:
        if self.points_per_side < 1 or self.points_per_batch < 1:
            raise ValueError(f"Everything: expected at least one point a side and a batch, got {self!r}")


class PromptedTile(Protocol):
    """A tile that a segmenter has taken in, and the prompts on it. All coordinates are tile pixels, on pixel edges."""

    def segment_box(self, box: HBB) -> Segment | None:
        """The thing that fills a box; None where there is none."""

    def segment_points(
        self, positive: Sequence[tuple[float, float]], negative: Sequence[tuple[float, float]] = ()
    ) -> Segment | None:
        """The thing under the positive clicks, (x, y), and not under the negative ones; None where there is none."""

    def segment_mask(self, coarse: NDArray[np.bool_]) -> Segment | None:
        """The thing that a coarse mask means, (row, col) bool of the tile's shape; None when it is empty.

        Raises:
            ValueError: when the shape is not the tile's.
        """

    def segment_all(self, settings: Everything = ..., progress: Progress = ...) -> list[Segment]:
        """Everything there is on the tile, best first."""


class Segmenter(Protocol):
    """A model behind prompted tiles.

    Attributes:
        name: for people and provenance.
        revision: of its weights.
    """

    name: str
    revision: str

    def encode(self, tile: RasterTile, progress: Progress = ...) -> PromptedTile:
        """What the segmenter keeps of a tile: computed once, used by every prompt on it.

        Raises:
            EngineUnavailable: packages or weights are missing or damaged.
            OutOfMemory: no device here is large enough.
        """

    def unload(self) -> None:
        """Frees the model; tiles that were taken in still answer, and load it again."""
