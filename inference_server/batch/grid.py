"""A raster's tiles: cores that cover it once, windows that overlap by the size of what is looked for."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from shapely import STRtree
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry

from inference_server.expression import Expression, Phrase
from inference_server.models.geobia.vocabulary import SURFACES, meaning

#: Pixels of a core's side, at most.
CORE_PX = 1024
#: Pixels that a window reaches beyond its core, at least and at most.
MARGIN_PX = (48, 256)
#: Cores and margins are multiples of so many pixels (but for the raster's own rims): tiles that overlap see the same
#: pixels when an engine shrinks them by two, four or eight, or looks at every other one.
STEP_PX = 8
#: The coarse pass sees so many pixels of the fine one as one, along each axis.
COARSE_FACTOR = 4
#: How large most things of a class are, in metres: the overlap sees them whole.
TYPICAL_M = {
    "car": 8.0, "vehicle": 20.0, "bus": 20.0, "truck": 25.0, "tree": 20.0, "pool": 30.0, "container": 20.0,
    "solar panel": 30.0, "building": 60.0, "tank": 60.0, "court": 50.0, "ship": 60.0, "airplane": 70.0,
    "roundabout": 70.0, "bridge": 150.0, "pier": 150.0, "soccer field": 150.0, "parking lot": 150.0,
}  # fmt: skip
#: Of all other classes; they are the wide ones, and are joined at the seams.
OTHER_M = 200.0
#: Things of classes of this size may be several times larger: they are looked for in the coarse pass, too.
LARGE_M = 50.0


@dataclass(frozen=True)
class Box:
    """Pixels [col_0, col_1) x [row_0, row_1)."""

    col_0: int
    row_0: int
    col_1: int
    row_1: int

    @property
    def width(self) -> int:
        return self.col_1 - self.col_0

    @property
    def height(self) -> int:
        return self.row_1 - self.row_0

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        return (float(self.col_0), float(self.row_0), float(self.col_1), float(self.row_1))


@dataclass(frozen=True)
class Tile:
    """A core, which no other tile has, and the window around it that is looked at."""

    core: Box
    window: Box


def phrases_of(expression: Expression) -> tuple[Phrase, ...]:
    """Every phrase that the engine will be asked for, as :func:`inference_server.relations.resolve` asks it."""
    found: dict[Phrase, None] = {}

    def visit(phrase: Phrase) -> None:
        found[bare(phrase)] = None
        for relation in phrase.relations:
            for anchor in relation.anchors:
                visit(anchor)
        for order in phrase.orders:
            for anchor in order.anchors:
                visit(anchor)

    for target in expression.targets:
        visit(target)
    return tuple(found)


def bare(phrase: Phrase) -> Phrase:
    """The phrase without what is settled after the engine."""
    return Phrase(phrase.text, phrase.category, phrase.attributes, phrase.number)


def typical_m(phrase: Phrase) -> float:
    """How large the things that a phrase names are, in metres."""
    return TYPICAL_M.get(meaning(phrase.category).name, OTHER_M)


def is_large(phrase: Phrase) -> bool:
    """Whether it names countable things that may be far larger than a tile's overlap; surfaces are joined instead."""
    return meaning(phrase.category).name not in SURFACES and typical_m(phrase) >= LARGE_M


def margin_px(phrases: Iterable[Phrase], gsd_m: float | None) -> int:
    """How far windows reach beyond cores so that what is looked for is seen whole."""
    low, high = MARGIN_PX
    largest_m = max(typical_m(phrase) for phrase in phrases)
    return high if gsd_m is None else min(high, max(low, math.ceil(largest_m / gsd_m / STEP_PX) * STEP_PX))


def tiles_of(
    width: int, height: int, *, margin: int, core_px: int = CORE_PX, area: BaseGeometry | None = None
) -> tuple[Tile, ...]:
    """Tiles row by row over the raster; with an area (pixel space), over what it spans, those whose core meets it.

    What one window can hold is one tile. Cores differ by ``STEP_PX`` at most.
    """
    left, top, right, bottom = (0, 0, width, height) if area is None else _span(area, width, height)
    cols = _edges(left, right, width, margin, core_px)
    rows = _edges(top, bottom, height, margin, core_px)
    tiles = []
    for row_0, row_1 in zip(rows, rows[1:], strict=False):
        for col_0, col_1 in zip(cols, cols[1:], strict=False):
            window = Box(
                max(0, col_0 - margin), max(0, row_0 - margin), min(width, col_1 + margin), min(height, row_1 + margin)
            )
            tiles.append(Tile(Box(col_0, row_0, col_1, row_1), window))
    if area is None:
        return tuple(tiles)
    met = STRtree([box(*tile.core.bounds) for tile in tiles]).query(area, predicate="intersects")
    return tuple(tiles[i] for i in sorted(met.tolist()))


def _span(area: BaseGeometry, width: int, height: int) -> tuple[int, int, int, int]:
    """What of the raster the area spans, (col_0, row_0, col_1, row_1); empty where they do not meet."""
    if area.is_empty:
        return (0, 0, 0, 0)
    x_0, y_0, x_1, y_1 = area.bounds
    col_0, row_0 = (max(0, math.floor(v / STEP_PX) * STEP_PX) for v in (x_0, y_0))
    return (col_0, row_0, min(width, math.ceil(x_1)), min(height, math.ceil(y_1)))


def _edges(start: int, end: int, length: int, margin: int, core_px: int) -> list[int]:
    if end <= start:
        return []
    is_one = min(length, end + margin) - max(0, start - margin) <= core_px + 2 * margin
    count = 1 if is_one else math.ceil((end - start) / core_px)
    return [start, *(start + round(i * (end - start) / count / STEP_PX) * STEP_PX for i in range(1, count)), end]
