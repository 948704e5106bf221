"""What relations are checked on, and what comes of it: candidates, the frame of the tile, the resolution."""

from __future__ import annotations

from dataclasses import dataclass

from rasterio.transform import Affine
from shapely.geometry import MultiPolygon, Polygon

from rsground_plugin.protocol import EmptyReason


@dataclass(frozen=True, slots=True)
class Candidate:
    """One thing an engine found, as relations see it.

    Attributes:
        score: 0 to 1, the engine's.
        polygon: its shape in tile pixels, x to the right, y down.
        label: what it is taken for.
        source: the engine's own object, handed through.
        brightness: mean luminance, 0 to 1; None when unknown.
    """

    score: float
    polygon: Polygon | MultiPolygon
    label: str
    source: object
    brightness: float | None = None

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """x_min, y_min, x_max, y_max of the shape."""
        x_0, y_0, x_1, y_1 = self.polygon.bounds
        return x_0, y_0, x_1, y_1

    @property
    def is_empty(self) -> bool:
        """Whether there is no shape."""
        return bool(self.polygon.is_empty)


@dataclass(frozen=True)
class Found:
    """What an engine found for one phrase; ``why_empty`` and ``failed_part`` speak when it is nothing."""

    candidates: tuple[Candidate, ...]
    why_empty: str = ""
    failed_part: str = "target"
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Frame:
    """The tile's frame of reference.

    Attributes:
        width, height: pixels.
        affine: pixel edges -> map coordinates, None when unknown.
        gsd_m: ground sample distance in metres a pixel, None when unknown.
        north: unit vector to grid north in pixel space (y down); (0, -1) for a north-up tile.
    """

    width: int
    height: int
    affine: Affine | None = None
    gsd_m: float | None = None
    north: tuple[float, float] = (0.0, -1.0)


@dataclass(frozen=True, slots=True)
class Resolved:
    """A candidate that fits the whole phrase, with its final score in [0, 1]."""

    candidate: Candidate
    score: float


@dataclass(frozen=True)
class Resolution:
    """The answer: what fits, best first; the anchors it was checked against; why nothing fits."""

    items: tuple[Resolved, ...]
    anchors: tuple[Candidate, ...]
    failure: EmptyReason | None
    notes: tuple[str, ...] = ()
