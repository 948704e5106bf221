"""A segmenter around a promptable network: SAM and its kin, whichever package runs them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from inference_server.geometry import HBB
from inference_server.models.base import Progress, silent
from inference_server.models.hardware import Hardware
from inference_server.models.memory import Ladder, Rung
from inference_server.models.segmenters.automatic import everything
from inference_server.models.segmenters.base import Everything
from inference_server.models.segmenters.frame import Frame, mask_of
from inference_server.raster import RasterTile
from inference_server.segmenter import Segment

FloatArray = NDArray[np.float32]
#: A coarse mask is refined by feeding the answer's logits back so often (GeoGround's two more passes).
PASSES = 3


class PromptableNetwork(Protocol):
    """What a loaded network does. Coordinates are those of its square; logits are of its low resolution.

    Attributes:
        side: of its input. low_side: of its logits. keeps_ratio: how a tile is fitted into the square.
    """

    side: int
    low_side: int
    keeps_ratio: bool

    def embed(self, pixels: FloatArray) -> Any:
        """What it keeps of an input (3, side, side)."""

    def decode(
        self,
        embedding: Any,
        *,
        points: FloatArray | None = None,
        labels: NDArray[np.int64] | None = None,
        box: FloatArray | None = None,
        logits: FloatArray | None = None,
        multimask: bool = True,
    ) -> tuple[FloatArray, FloatArray]:
        """Logits (n, m, low_side, low_side) and expected IoUs (n, m) for n prompts, m masks each.

        Args:
            embedding: from ``embed``.
            points: (n, k, 2) x, y.
            labels: (n, k), 1 on the thing, 0 beside it.
            box: (4,) x_min, y_min, x_max, y_max; for one prompt.
            logits: (low_side, low_side) of a mask prompt; for one prompt.
            multimask: three masks a prompt, else one.
        """


class NetworkSegmenter:
    """Loads a network when it is first needed, and takes tiles in with it.

    Args:
        load: makes the network for some hardware. Raises EngineUnavailable, OutOfMemory.
        name: for people and provenance.
        revision: of its weights.
        hardware: as asked; where memory runs out, what the ladder comes to.
    """

    def __init__(
        self, load: Callable[[Hardware], PromptableNetwork], *, name: str, revision: str, hardware: Hardware
    ) -> None:
        self.name = name
        self.revision = revision
        self._load = load
        self._ladder = Ladder(hardware, self.unload)
        self._network: PromptableNetwork | None = None
        self._loaded_for: Hardware | None = None

    def encode(self, tile: RasterTile, progress: Progress = silent) -> NetworkTile:
        """Takes a tile in. Raises EngineUnavailable, OutOfMemory."""
        progress("segmenter", 0, 1)
        out = self._ladder.run(lambda rung: self._encoded(tile, rung))
        progress("segmenter", 1, 1)
        return out

    def network(self, hardware: Hardware | None = None) -> PromptableNetwork:
        """The network, loaded when it is not."""
        wanted = self._ladder.rung.hardware if hardware is None else hardware
        if self._network is None or self._loaded_for != wanted:
            self._network = None
            self._network, self._loaded_for = self._load(wanted), wanted
        return self._network

    def unload(self) -> None:
        """Frees the network; it loads again when asked."""
        self._network = None
        release_cuda()

    def _encoded(self, tile: RasterTile, rung: Rung) -> NetworkTile:
        network = self.network(rung.hardware)
        frame = Frame(tile.height, tile.width, network.side, network.keeps_ratio)
        return NetworkTile(self, network.embed(frame.pixels(tile.rgb)), frame, tile.valid)


class NetworkTile:
    """A tile's embedding and the prompts on it; masks hold valid pixels only."""

    def __init__(self, segmenter: NetworkSegmenter, embedding: Any, frame: Frame, valid: NDArray[np.bool_]) -> None:
        self._segmenter, self._embedding, self._frame, self._valid = segmenter, embedding, frame, valid

    def segment_box(self, box: HBB) -> Segment | None:
        """The best of three masks for a box; None where it holds no data."""
        corners = np.array([[box.x_min, box.y_min], [box.x_max, box.y_max]])
        logits, scores = self._decode(box=self._frame.points(corners).reshape(4))
        return self._best(logits, scores)

    def segment_points(
        self, positive: Sequence[tuple[float, float]], negative: Sequence[tuple[float, float]] = ()
    ) -> Segment | None:
        """The mask for clicks: the best of three for a single one, the one mask for several."""
        if not positive:
            return None
        xy = np.array([*positive, *negative], dtype=np.float64)
        labels = np.array([1] * len(positive) + [0] * len(negative))
        logits, scores = self._decode(points=self._frame.points(xy)[None], labels=labels[None], multimask=len(xy) == 1)
        return self._best(logits, scores)

    def segment_mask(self, coarse: NDArray[np.bool_]) -> Segment | None:
        """The mask that a coarse one means: its box and its logits as prompts, then the answer's logits, twice more."""
        shape = (self._frame.height, self._frame.width)
        if coarse.shape != shape:
            raise ValueError(f"coarse mask: expected shape {shape}, got {coarse.shape}")
        if not coarse.any():
            return None
        rows, cols = np.flatnonzero(coarse.any(axis=1)), np.flatnonzero(coarse.any(axis=0))
        corners = np.array([[cols[0], rows[0]], [cols[-1] + 1, rows[-1] + 1]], dtype=np.float64)
        box = self._frame.points(corners).reshape(4)
        prompt = self._frame.low_resolution(coarse, self._segmenter.network().low_side)
        for _ in range(PASSES):
            logits, scores = self._decode(box=box, logits=prompt, multimask=False)
            prompt = logits[0, 0]
        return self._best(logits, scores)

    def segment_all(self, settings: Everything = Everything(), progress: Progress = silent) -> list[Segment]:  # noqa: B008
        """Everything on the tile, best first, from a grid of clicks."""

        def decode(xy: NDArray[np.float64]) -> tuple[FloatArray, FloatArray]:
            points = self._frame.points(xy)[:, None]
            return self._decode(points=points, labels=np.ones(points.shape[:2], np.int64))

        return everything(decode, self._frame, self._valid, settings, progress)

    def _decode(self, **prompts: Any) -> tuple[FloatArray, FloatArray]:
        return self._segmenter.network().decode(self._embedding, **prompts)

    def _best(self, logits: FloatArray, scores: FloatArray) -> Segment | None:
        best = int(np.argmax(scores[0]))
        inside = (self._frame.to_tile(logits[0, best]) > 0) & self._valid
        mask = mask_of(inside)
        return None if mask is None else Segment(mask, float(np.clip(scores[0, best], 0.0, 1.0)))


def release_cuda() -> None:
    """Gives back what torch keeps of a GPU's memory, where torch has been imported."""
    import gc
    import sys

    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
