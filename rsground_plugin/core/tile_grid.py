"""The tile's sampling grid: where each pixel lies, how fine, and what has to be read of the layer (pure geometry).

Two grids meet here. The *tile grid* runs along the screen: its x axis points to the screen's right and its
y axis to the screen's bottom, whatever that is in the layer's CRS. The *read grid* runs along the layer's own
pixels, so that reading never shifts anything; the tile is then sampled from it in one step.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Iterable, List, Optional, Sequence, Tuple

Point = Tuple[float, float]

#: Two lengths are the same when they differ by less than this part: below it, nothing moves by half a pixel.
SAME = 1e-6
#: A canvas within this part of the native resolution is taken for native: exact pixels are worth more.
NEARLY_NATIVE = 0.01
#: Pixels whose sides differ by less than this part count as square.
SQUARE_ENOUGH = 0.05


@dataclass(frozen=True)
class Affine:
    """Pixel edges (col, row) -> (x, y), in the order of GDAL's geotransform.

    x = c0 + c1 * col + c2 * row and y = c3 + c4 * col + c5 * row; (0, 0) is the upper left corner of the
    upper left pixel.
    """

    c0: float
    c1: float
    c2: float
    c3: float
    c4: float
    c5: float

    @classmethod
    def from_axes(cls, origin: Point, right: Point, down: Point) -> Affine:
        """The affine with this origin whose columns step by ``right`` and rows by ``down``."""
        return cls(origin[0], right[0], down[0], origin[1], right[1], down[1])

    @property
    def right(self) -> Point:
        return (self.c1, self.c4)

    @property
    def down(self) -> Point:
        return (self.c2, self.c5)

    @property
    def determinant(self) -> float:
        return self.c1 * self.c5 - self.c2 * self.c4

    def geotransform(self) -> Tuple[float, float, float, float, float, float]:
        """As GDAL takes it."""
        return (self.c0, self.c1, self.c2, self.c3, self.c4, self.c5)

    def apply(self, col: float, row: float) -> Point:
        """The coordinates of a position on pixel edges."""
        return (self.c0 + self.c1 * col + self.c2 * row, self.c3 + self.c4 * col + self.c5 * row)

    def to_pixel(self, x: float, y: float) -> Point:
        """The (col, row) on pixel edges of coordinates; the inverse of :meth:`apply`."""
        dx, dy, det = x - self.c0, y - self.c3, self.determinant
        return ((self.c5 * dx - self.c2 * dy) / det, (self.c1 * dy - self.c4 * dx) / det)


@dataclass(frozen=True)
class TileGrid:
    """The tile's pixels in the layer's CRS: an affine, and how many columns and rows."""

    affine: Affine
    width: int
    height: int

    def corners(self) -> List[Point]:
        """Closed ring of the tile's outline: upper left, upper right, lower right, lower left, upper left."""
        w, h = self.width, self.height
        return [self.affine.apply(c, r) for c, r in ((0, 0), (w, 0), (w, h), (0, h), (0, 0))]


@dataclass(frozen=True)
class NativeGrid:
    """The layer's own pixels, north-up as QGIS's providers give them.

    Attributes:
        x_min, y_max: the upper left corner.
        dx, dy: pixel size, both positive.
        width, height: pixel counts; 0 when the layer has no end (a web layer).
        levels: decimations (1, 2, 4...) that the source holds as overviews.
    """

    x_min: float
    y_max: float
    dx: float
    dy: float
    width: int = 0
    height: int = 0
    levels: Tuple[int, ...] = (1,)


@dataclass(frozen=True)
class ReadWindow:
    """A window of the layer to read, on its own pixel grid or an integer decimation of it.

    Attributes:
        x_min, y_max: upper left corner.
        dx, dy: size of a pixel as read.
        width, height: pixels as read.
    """

    x_min: float
    y_max: float
    dx: float
    dy: float
    width: int
    height: int

    @property
    def affine(self) -> Affine:
        return Affine(self.x_min, self.dx, 0.0, self.y_max, 0.0, -self.dy)

    def rows(self, first: int, count: int) -> ReadWindow:
        """The window's strip of ``count`` rows from row ``first``."""
        return ReadWindow(self.x_min, self.y_max - first * self.dy, self.dx, self.dy, self.width, count)

    def columns(self, first: int, count: int) -> ReadWindow:
        """The window's strip of ``count`` columns from column ``first``."""
        return ReadWindow(self.x_min + first * self.dx, self.y_max, self.dx, self.dy, count, self.height)


def length(vector: Point) -> float:
    return math.hypot(vector[0], vector[1])


def scaled(vector: Point, factor: float) -> Point:
    return (vector[0] * factor, vector[1] * factor)


def straightened(right: Point, down: Point, *, pixels: float) -> Tuple[Point, Point]:
    """The axes, made exactly parallel to x and y when ``pixels`` steps along them drift less than half a pixel.

    Numerical derivatives never give exact zeros; without this a north-up tile would be resampled for nothing.
    """
    limit = 0.5 / max(pixels, 1.0)
    if abs(right[1]) <= limit * abs(down[1]) and abs(down[0]) <= limit * abs(right[0]):
        return (right[0], 0.0), (0.0, down[1])
    return right, down


def not_finer_than(right: Point, down: Point, native: Optional[NativeGrid]) -> Tuple[Point, Point]:
    """The axes, lengthened by one factor until none of them steps by less than one of the layer's pixels.

    Where ground-square tile pixels meet native pixels that are not (geographic CRS), the axis along which
    the layer is finer keeps its native resolution, so that no detail is lost.
    """
    if native is None:
        return right, down
    steps = max(math.hypot(v[0] / native.dx, v[1] / native.dy) for v in (right, down))
    if steps >= 1.0 + NEARLY_NATIVE:
        return right, down
    right, down = scaled(right, 1.0 / steps), scaled(down, 1.0 / steps)
    is_upright = right[1] == 0.0 and down[0] == 0.0 and right[0] > 0.0 > down[1]
    if is_upright and min(right[0] / native.dx, -down[1] / native.dy) > 1.0 - SQUARE_ENOUGH:
        return (native.dx, 0.0), (0.0, -native.dy)  # the layer's own pixels, untouched
    return right, down


def is_aligned(right: Point, down: Point, native: NativeGrid) -> bool:
    """Whether tile pixels are the layer's own: the same size, upright."""
    return (
        right[1] == 0.0
        and down[0] == 0.0
        and abs(right[0] / native.dx - 1.0) < SAME
        and abs(-down[1] / native.dy - 1.0) < SAME
    )


def grid_over(
    points: Iterable[Point], right: Point, down: Point, *, native: Optional[NativeGrid], max_pixels: int
) -> Tuple[TileGrid, float]:
    """The smallest tile grid along the axes that covers the points, and the factor by which it was coarsened.

    Args:
        points: vertices of the area, in the layer's CRS.
        right, down: the wanted steps of a column and of a row.
        native: the layer's pixels: the tile is put on them when it has their size.
        max_pixels: steps are lengthened until width * height is at most this.

    Raises:
        ValueError: the axes are parallel, or there are no points.
    """
    vertices = list(points)
    if not vertices:
        raise ValueError("a tile grid needs at least one point, got none")
    factor = 1.0
    while True:
        grid = _grid(vertices, scaled(right, factor), scaled(down, factor), native)
        if grid.width * grid.height <= max_pixels:
            return grid, factor
        # A hair more than the root, so that rounding up to whole pixels does not overshoot again.
        factor *= max(math.sqrt(grid.width * grid.height / max_pixels), 1.0 + 1.0 / max(grid.width, grid.height))


def _grid(vertices: Sequence[Point], right: Point, down: Point, native: Optional[NativeGrid]) -> TileGrid:
    origin = vertices[0]
    snap = native is not None and is_aligned(right, down, native)
    if native is not None and snap:
        right, down, origin = (native.dx, 0.0), (0.0, -native.dy), (native.x_min, native.y_max)
    frame = Affine.from_axes(origin, right, down)
    if frame.determinant == 0.0:
        raise ValueError(f"the tile's axes {right} and {down} are parallel")
    pixels = [frame.to_pixel(x, y) for x, y in vertices]
    cols, rows = [p[0] for p in pixels], [p[1] for p in pixels]
    first_col, first_row = min(cols), min(rows)
    if snap:
        first_col, first_row = math.floor(first_col + 1e-4), math.floor(first_row + 1e-4)
    width = max(1, math.ceil(max(cols) - first_col - 1e-4))
    height = max(1, math.ceil(max(rows) - first_row - 1e-4))
    return TileGrid(Affine.from_axes(frame.apply(first_col, first_row), right, down), width, height)


def _decimation(ratio: float, levels: Sequence[int]) -> int:
    """The coarsest exact decimation of the layer's pixels that is not coarser than ``ratio`` pixels.

    Overviews are exact. Between them only odd steps are: the middle pixel of an odd group stands for it
    without a shift, while nearest-neighbour reading of an even group is off by half a native pixel.
    """
    usable = [level for level in levels if level <= ratio * (1 + SAME)]
    level = max(usable) if usable else 1
    odd = max(1, int(ratio * (1 + SAME) / level))
    return level * (odd if odd % 2 else odd - 1)


def read_window(grid: TileGrid, native: NativeGrid, *, margin: int = 2) -> Optional[ReadWindow]:
    """The part of the layer's grid that the tile is sampled from; None when they do not meet.

    Args:
        grid: the tile.
        native: the layer's pixels.
        margin: pixels as read around the tile, for interpolation at its edge.
    """
    a = grid.affine
    kx = _decimation(math.hypot(a.c1, a.c2) / native.dx, native.levels)
    ky = _decimation(math.hypot(a.c4, a.c5) / native.dy, native.levels)
    if kx in native.levels and ky in native.levels:
        kx = ky = min(kx, ky)
    corners = grid.corners()
    dx, dy = native.dx * kx, native.dy * ky
    left = math.floor((min(x for x, _ in corners) - native.x_min) / dx + 1e-4) - margin
    right = math.ceil((max(x for x, _ in corners) - native.x_min) / dx - 1e-4) + margin
    top = math.floor((native.y_max - max(y for _, y in corners)) / dy + 1e-4) - margin
    bottom = math.ceil((native.y_max - min(y for _, y in corners)) / dy - 1e-4) + margin
    if native.width and native.height:
        left, top = max(left, 0), max(top, 0)
        right, bottom = min(right, math.ceil(native.width / kx)), min(bottom, math.ceil(native.height / ky))
    if right <= left or bottom <= top:
        return None
    return ReadWindow(native.x_min + left * dx, native.y_max - top * dy, dx, dy, right - left, bottom - top)
