"""Masks to polygons on pixel edges and back, in pixel space (x right, y down)."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.features import rasterize
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from inference_server.geometry import BoolMask, FloatArray, Mask, mask_hull

#: What is left of slanted edges once their stairs are gone is smaller than this; corners are larger.
SIMPLIFY_TOLERANCE_PX = 0.5
#: A simplified outline may differ from the pixels by this share of the area.
MAX_AREA_CHANGE = 0.04
#: Masks with more pixels than this are outlined on a coarser grid when only their rough shape matters.
COARSE_PIXELS = 20_000
SMALL_PIXELS = 200
#: A mask that fills this share of its hull is as good as convex.
CONVEX_SHARE = 0.8


def polygon_of_mask(mask: Mask) -> MultiPolygon:
    """The mask's outline on the pixel edges, exact and valid: one polygon per 4-connected part, holes kept.

    Raises:
        ValueError: the mask is empty.
    """
    rings = _rings(mask.pixels)
    if not rings:
        raise ValueError("polygon_of_mask: expected a mask with at least one pixel, got an empty one")
    # Where a ring is uppermost and leftmost there, the pixel below and right is within it: of the mask, or of a hole.
    inner = [min(ring, key=_row_by_row)[::-1] for ring in rings]
    is_shell = [bool(mask.pixels[pixel]) for pixel in inner]
    offset = np.array([mask.col, mask.row])
    closed = [shapely.linearrings(np.array(ring, dtype=np.float64) + offset) for ring in rings]
    shells = [i for i, shell in enumerate(is_shell) if shell]
    holes: dict[int, list[shapely.LinearRing]] = {i: [] for i in shells}
    if len(shells) == 1:
        holes[shells[0]] = [ring for ring, shell in zip(closed, is_shell, strict=True) if not shell]
    elif len(shells) < len(rings):
        # Imported here: scipy takes a quarter of a second, which the server has after its announcement, not before.
        from scipy.ndimage import label

        parts, _ = label(mask.pixels)
        shell_of = {int(parts[inner[i]]): i for i in shells}
        for i, (row, col) in enumerate(inner):
            if not is_shell[i]:
                holes[shell_of[int(parts[row - 1, col])]].append(closed[i])
    return shapely.multipolygons([shapely.polygons(closed[i], holes[i] or None) for i in shells])


_Corner = tuple[int, int]


def _row_by_row(corner: _Corner) -> _Corner:
    return corner[1], corner[0]


def _rings(pixels: BoolMask) -> list[list[_Corner]]:
    """The closed lines between True and False as open rings of corners (x, y), none of which touches itself.

    The corners on one line of the pixel grid, in order, are the ends of its edges two by two, along rows as along
    columns; following edges along rows and columns in turn gives the rings.
    """
    height, width = pixels.shape
    padded = np.zeros((height + 2, width + 2), dtype=np.uint8)
    padded[1:-1, 1:-1] = pixels
    # The four pixels around each corner of the grid as bits: upper left 1, upper right 2, lower left 4, lower right 8.
    around = padded[:-1, :-1] | padded[:-1, 1:] << 1 | padded[1:, :-1] << 2 | padded[1:, 1:] << 3
    y, x = np.nonzero(_IS_CORNER[around])
    kinds = around[y, x]
    # Where two pixels touch with their corners only, there are two turns, one around each.
    twice = np.flatnonzero((kinds == 6) | (kinds == 9))
    x, y = np.append(x, x[twice]), np.append(y, y[twice])
    to_right = np.append(_TO_RIGHT[kinds], 1 - _TO_RIGHT[kinds[twice]])
    to_below = np.append(_TO_BELOW[kinds], 1 - _TO_BELOW[kinds[twice]])
    along_row = _paired(np.lexsort((to_right, x, y)))
    along_col = _paired(np.lexsort((to_below, y, x)))
    corners = list(zip(x.tolist(), y.tolist(), strict=True))
    is_used = [False] * len(corners)
    rings: list[list[_Corner]] = []
    for start in range(len(corners)):
        ring: list[_Corner] = []
        at = start
        while not is_used[at]:
            other = along_row[at]
            is_used[at] = is_used[other] = True
            ring += (corners[at], corners[other])
            at = along_col[other]
        if ring:
            rings += _split(ring) if twice.size else [ring]
    return rings


#: By the bits of the four pixels around: whether it is a corner, and where its edges run to. Of two turns at one
#: corner this is the one that runs to the left: around the upper left pixel (9), or around the lower left one (6).
_KINDS = range(16)
_IS_CORNER = np.array([kind in (1, 2, 4, 8, 7, 11, 13, 14, 6, 9) for kind in _KINDS])
_TO_RIGHT = np.array([int(kind in (2, 8, 7, 13)) for kind in _KINDS])
_TO_BELOW = np.array([int(kind in (4, 8, 7, 11, 6)) for kind in _KINDS])


def _paired(order: NDArray[np.intp]) -> list[int]:
    """For each corner the one at the other end of its edge, when edges are two and two in that order."""
    partner = np.empty_like(order)
    partner[order[0::2]], partner[order[1::2]] = order[1::2], order[0::2]
    ends: list[int] = partner.tolist()
    return ends


def _split(ring: list[_Corner]) -> list[list[_Corner]]:
    """A ring that comes back to a corner as rings that do not."""
    simple: list[list[_Corner]] = []
    path: list[_Corner] = []
    place: dict[_Corner, int] = {}
    for corner in ring:
        if corner in place:
            loop = path[place[corner] :]
            del path[place[corner] + 1 :]
            for left in loop[1:]:
                del place[left]
            simple.append(loop)
        else:
            place[corner] = len(path)
            path.append(corner)
    return [*simple, path]


def simplified(outline: MultiPolygon, tolerance_px: float = SIMPLIFY_TOLERANCE_PX) -> MultiPolygon:
    """The outline of a mask without the stairs of its slanted edges; parts and holes stay.

    Stairs are replaced by the line through the middle of their steps, which keeps the area, then points that
    matter less than the tolerance are left out (Douglas & Peucker, topology preserved). A part for which this
    is not valid, or changes the area by more than 4 %, is simplified less, at the last not at all.

    Args:
        outline: from :func:`polygon_of_mask`.
        tolerance_px: pixels.
    """
    parts = [_simplified_part(part, tolerance_px) for part in shapely.get_parts(outline)]
    together = shapely.multipolygons(parts)
    if len(parts) == 1:
        return together
    # Parts that touch at a corner may cross once simplified: then they stay as they were.
    return together if together.is_valid else outline


def _simplified_part(part: Polygon, tolerance_px: float) -> Polygon:
    shell, *holes = (shapely.linearrings(_without_stairs(ring)) for ring in shapely.get_rings(part))
    smooth = shapely.polygons(shell, holes or None)
    area = part.area
    for base, tolerance in ((smooth, tolerance_px), (smooth, tolerance_px / 3), (part, tolerance_px / 3)):
        if not base.is_valid:
            continue
        simple = base.simplify(tolerance, preserve_topology=True)
        if (
            isinstance(simple, Polygon)
            and simple.is_valid
            and shapely.get_num_interior_rings(simple) == len(holes)
            and abs(simple.area - area) <= MAX_AREA_CHANGE * area
        ):
            return simple
    return part


def _without_stairs(ring: shapely.LinearRing) -> FloatArray:
    """The ring with each step of a stair (a short edge between opposite turns) replaced by its middle."""
    points: FloatArray = shapely.get_coordinates(ring)[:-1]
    if len(points) < 8:  # a rectangle, or an L: no stairs
        return points
    edges = np.roll(points, -1, axis=0) - points
    before = np.roll(edges, 1, axis=0)
    turns = np.sign(before[:, 0] * edges[:, 1] - before[:, 1] * edges[:, 0])
    is_step = (np.abs(edges).sum(axis=1) <= 2.0) & (turns * np.roll(turns, -1) < 0)
    middle = points + edges / 2
    is_kept = ~(is_step | np.roll(is_step, 1))
    both = np.stack([points, middle], axis=1)[np.stack([is_kept, is_step], axis=1)]
    return both if len(both) >= 3 else points


def ring_points(outline: MultiPolygon | Polygon) -> list[list[FloatArray]]:
    """The rings of each part, the outer one first: (n, 2) float64, the last point equal to the first."""
    return [[shapely.get_coordinates(ring) for ring in shapely.get_rings(part)] for part in shapely.get_parts(outline)]


def rough_polygon(mask: Mask) -> Polygon | MultiPolygon:
    """The mask's shape, good to a few percent, quickly: for geometric relations among hundreds of candidates.

    Raises:
        ValueError: the mask is empty.
    """
    hull = Polygon(mask_hull(mask))
    area = mask.area
    if area >= CONVEX_SHARE * hull.area:
        return hull
    factor = int(np.ceil(np.sqrt(area / COARSE_PIXELS)))
    if factor <= 1:
        # Of a small mask no corner can be spared.
        outline = polygon_of_mask(mask)
        return coarsened(outline) if area >= SMALL_PIXELS else outline
    height, width = (-(-n // factor) for n in mask.pixels.shape)
    padded = np.zeros((height * factor, width * factor), dtype=bool)
    padded[: mask.pixels.shape[0], : mask.pixels.shape[1]] = mask.pixels
    # A thin line must not vanish, so a cell counts when a quarter of it is covered.
    share = padded.reshape(height, factor, width, factor).mean(axis=(1, 3))
    coarse = share >= 0.25
    if not coarse.any():
        coarse = share > 0
    outline = coarsened(polygon_of_mask(Mask(coarse, 0, 0)))
    return shapely.transform(outline, lambda xy: xy * factor + np.array([mask.col, mask.row]))


def coarsened(outline: MultiPolygon) -> Polygon | MultiPolygon:
    """The outline without corners that matter less than a pixel: for relations, not to be drawn."""
    # Without regard for topology is faster, and mostly as good.
    quick = outline.simplify(1.0, preserve_topology=False)
    if quick.is_valid and abs(quick.area - outline.area) <= 0.1 * outline.area:
        return quick
    return outline.simplify(1.0, preserve_topology=True)


def mask_of_polygon(polygon: BaseGeometry, shape: tuple[int, int]) -> Mask:
    """The pixels whose centre lies in the polygon, within a tile of ``shape`` (row, col).

    Raises:
        ValueError: no pixel's centre does.
    """
    x_min, y_min, x_max, y_max = polygon.bounds
    col, row = max(int(np.floor(x_min)), 0), max(int(np.floor(y_min)), 0)
    width, height = min(int(np.ceil(x_max)), shape[1]) - col, min(int(np.ceil(y_max)), shape[0]) - row
    pixels = np.zeros((0, 0), dtype=bool)
    if width > 0 and height > 0:
        moved = shapely.transform(polygon, lambda xy: xy - np.array([col, row]))
        pixels = rasterize([moved], out_shape=(height, width), dtype=np.uint8).astype(bool)
    if not pixels.any():
        raise ValueError(f"mask_of_polygon: expected a polygon that covers a pixel of the tile, got {polygon.bounds}")
    rows, cols = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
    window = pixels[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
    return Mask(np.ascontiguousarray(window), row + int(rows[0]), col + int(cols[0]))
