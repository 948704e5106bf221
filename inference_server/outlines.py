"""Masks to polygons on pixel edges and back, in pixel space (x right, y down)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import shapely
from rasterio.features import rasterize, shapes
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from inference_server.geometry import FloatArray, Mask, mask_hull

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
    """The mask's outline on the pixel edges, exact: one polygon per 4-connected part, holes kept.

    Raises:
        ValueError: the mask is empty.
    """
    parts = [Polygon(g["coordinates"][0], g["coordinates"][1:]) for g, _ in _shapes(mask.pixels)]
    if not parts:
        raise ValueError("polygon_of_mask: expected a mask with at least one pixel, got an empty one")
    outline = _as_valid(MultiPolygon(parts))
    return shapely.transform(outline, lambda xy: xy + np.array([mask.col, mask.row]))


def _shapes(pixels: np.ndarray) -> Iterable[tuple[dict, float]]:  # type: ignore[type-arg]
    values = np.ascontiguousarray(pixels, dtype=np.uint8)
    return shapes(values, mask=np.asarray(pixels, dtype=bool), connectivity=4)  # type: ignore[no-any-return]


def simplified(outline: MultiPolygon, tolerance_px: float = SIMPLIFY_TOLERANCE_PX) -> MultiPolygon:
    """The outline of a mask without the stairs of its slanted edges; parts and holes stay.

    Stairs are replaced by the line through the middle of their steps, which keeps the area, then points that
    matter less than the tolerance are left out (Douglas & Peucker, topology preserved). A part for which this
    is not valid, or changes the area by more than 4 %, is simplified less, at the last not at all.

    Args:
        outline: from :func:`polygon_of_mask`.
        tolerance_px: pixels.
    """
    parts = [_simplified_part(part, tolerance_px) for part in outline.geoms]
    together = MultiPolygon(parts)
    # Parts that touch at a corner may cross once simplified: then they stay as they were.
    return together if together.is_valid else outline


def _simplified_part(part: Polygon, tolerance_px: float) -> Polygon:
    smooth = Polygon(_without_stairs(part.exterior), [_without_stairs(ring) for ring in part.interiors])
    for base, tolerance in ((smooth, tolerance_px), (smooth, tolerance_px / 3), (part, tolerance_px / 3)):
        if not base.is_valid:
            continue
        simple = base.simplify(tolerance, preserve_topology=True)
        if (
            isinstance(simple, Polygon)
            and simple.is_valid
            and len(simple.interiors) == len(part.interiors)
            and abs(simple.area - part.area) <= MAX_AREA_CHANGE * part.area
        ):
            return simple
    return part


def _without_stairs(ring: shapely.LinearRing) -> FloatArray:
    """The ring with each step of a stair (a short edge between opposite turns) replaced by its middle."""
    points = np.asarray(ring.coords)[:-1]
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
        return polygon_of_mask(mask).simplify(1.0 if area >= SMALL_PIXELS else 0.0, preserve_topology=True)
    height, width = (-(-n // factor) for n in mask.pixels.shape)
    padded = np.zeros((height * factor, width * factor), dtype=bool)
    padded[: mask.pixels.shape[0], : mask.pixels.shape[1]] = mask.pixels
    # A thin line must not vanish, so a cell counts when a quarter of it is covered.
    share = padded.reshape(height, factor, width, factor).mean(axis=(1, 3))
    coarse = share >= 0.25
    if not coarse.any():
        coarse = share > 0
    outline = polygon_of_mask(Mask(coarse, 0, 0)).simplify(1.0, preserve_topology=True)
    return shapely.transform(outline, lambda xy: xy * factor + np.array([mask.col, mask.row]))


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


def _as_valid(outline: MultiPolygon) -> MultiPolygon:
    """Rings that touch themselves at a corner are split there; pixels and holes stay."""
    if outline.is_valid:
        return outline
    fixed = shapely.make_valid(outline)
    parts = [g for g in shapely.get_parts(fixed, return_index=False) if isinstance(g, Polygon)]
    return MultiPolygon(parts)
