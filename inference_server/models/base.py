"""What an engine is: it encodes a tile once, then answers phrases about it with candidates.

An engine knows category and attribute words; number, order, position and relations between things are
settled after it, geometrically and alike for all engines, in :mod:`inference_server.relations`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from inference_server.expression import Phrase
from inference_server.geometry import HBB, OBB, Mask
from inference_server.raster import RasterTile
from rsground_plugin.protocol import EngineInfo

#: progress(stage, done, total); raises Cancelled when the asker has gone.
Progress = Callable[[str, int, int], None]
#: How many threads an engine's network may use in one process, for worker processes; else one a core.
THREADS_VARIABLE = "RSGROUND_THREADS"


def silent(stage: str, done: int, total: int) -> None:
    """Progress for those who do not look."""


@dataclass(frozen=True)
class Prediction:
    """One thing that an engine takes for what the phrase names, in tile pixels.

    Attributes:
        score: 0 to 1, calibrated as well as the engine can.
        label: what it is taken for.
        mask: its pixels, where the engine gives masks.
        hbb: its box; derived from the mask when None.
        obb: its oriented box; derived from the mask when None.
    """

    score: float
    label: str
    mask: Mask | None = None
    hbb: HBB | None = None
    obb: OBB | None = None


@dataclass(frozen=True, eq=False)
class ExplanationMap:
    """Where an engine looked, so that the user sees why.

    Attributes:
        name: short, such as "A_C"; the same for every phrase.
        values: (row, col) float32 in [0, 1] over the whole tile, on a grid of the engine's choice.
    """

    name: str
    values: NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or not self.values.size:
            raise ValueError(f"ExplanationMap {self.name!r}: expected a (row, col) array, got {self.values.shape}")


@dataclass(frozen=True)
class Predictions:
    """An engine's answer to one phrase.

    Attributes:
        items: best first; empty when nothing fits.
        why_empty: a sentence for the user when items is empty.
        failed_part: "target", "attribute" (the class was found, its colour was not), "engine" (it knows no such
            thing) or "overlooked" (it often misses such things, so that finding none says little).
        notes: sentences the user should see.
        maps: where the engine looked, in the order of its work; shown to those who ask why.
    """

    items: tuple[Prediction, ...] = ()
    why_empty: str = ""
    failed_part: str = "target"
    notes: tuple[str, ...] = ()
    maps: tuple[ExplanationMap, ...] = ()


@dataclass(frozen=True)
class ScenePart:
    """What a tile is a part of, for engines that judge by a whole picture: all its tiles are then judged alike.

    Attributes:
        survey: what the engine's ``survey`` said of the scene; None when the tile is the whole scene.
        col, row: the tile's first pixel in the scene.
        nominal_px: pixels of the picture, where an engine judges by shares of it; alike for all parts.
    """

    survey: Mapping[str, float] | None
    col: int
    row: int
    nominal_px: int

    @staticmethod
    def origin_of(part: ScenePart | None) -> tuple[int, int]:
        """(row, col) of a tile's first pixel in its scene, which a tile that is no part is itself."""
        return (0, 0) if part is None else (part.row, part.col)


class Engine(Protocol):
    """An engine behind the panel. Encodings are opaque to the caller, who caches them by content."""

    info: EngineInfo

    def encode(self, tile: RasterTile, progress: Progress) -> Any:
        """What the engine keeps of a tile: computed once, used by every expression on it."""

    def find(self, encoding: Any, phrase: Phrase, progress: Progress) -> Predictions:
        """Candidates for one noun phrase (category and attributes only)."""

    def unload(self) -> None:
        """Frees the engine's memory; it loads again when asked."""


@runtime_checkable
class SurveyingEngine(Engine, Protocol):
    """An engine that judges by the whole picture's tones, and so must know them when it sees a part."""

    def survey(self, sheet: RasterTile) -> Mapping[str, float]:
        """What :meth:`encode` needs to know of a scene, as JSON can hold it.

        Args:
            sheet: patches from all over the scene side by side, pixels without data between them.
        """

    def encode(self, tile: RasterTile, progress: Progress, part: ScenePart | None = None) -> Any:
        """As :meth:`Engine.encode`, of a part of a scene."""
