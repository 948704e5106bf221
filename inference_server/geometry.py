"""Pure functions on boxes, oriented boxes and masks in pixel space.

Pixel space: x to the right, y down, on pixel edges; (0, 0) is the upper left corner of the upper left
pixel, so the pixel in row r and column c spans [c, c + 1] x [r, r + 1]. Outlines of masks are in
:mod:`inference_server.outlines`, the way from pixels to the map in :mod:`inference_server.placement`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

BoolMask = NDArray[np.bool_]
FloatArray = NDArray[np.float64]

#: ``best_iou_hbb`` compares so many boxes with the others at a time.
BOXES_AT_A_TIME = 256


@dataclass(frozen=True)
class HBB:
    """Horizontal box in pixel space, on pixel edges: x_min <= x_max, y_min <= y_max."""

    x_min: float
    y_min: float
    x_max: float
    y_max: float

    def __post_init__(self) -> None:
        if not (self.x_min <= self.x_max and self.y_min <= self.y_max):
            raise ValueError(f"HBB: expected x_min <= x_max and y_min <= y_max, got {self!r}")


@dataclass(frozen=True)
class OBB:
    """Oriented box in pixel space, le90: width >= height, angle in [-90, 90) degrees.

    The angle is from the x axis to the side of length ``width``, positive clockwise on the screen.
    """

    cx: float
    cy: float
    width: float
    height: float
    angle: float

    def __post_init__(self) -> None:
        if not (self.width >= self.height >= 0 and -90 <= self.angle < 90):
            raise ValueError(f"OBB: expected width >= height >= 0 and angle in [-90, 90), got {self!r}")


@dataclass(frozen=True)
class Mask:
    """A set of pixels: a window of booleans and where it lies in the tile.

    Attributes:
        pixels: (row, col) bool, the smallest window that holds the object.
        row, col: the window's upper left pixel in the tile.
    """

    pixels: BoolMask
    row: int
    col: int

    @property
    def area(self) -> int:
        return int(np.count_nonzero(self.pixels))

    def full(self, shape: tuple[int, int]) -> BoolMask:
        """The mask over the whole tile, (row, col) bool of ``shape``."""
        out = np.zeros(shape, dtype=bool)
        height, width = self.pixels.shape
        out[self.row : self.row + height, self.col : self.col + width] = self.pixels
        return out


# -- boxes ------------------------------------------------------------------------------------------


def hbb_of_mask(mask: Mask) -> HBB:
    """The box on the pixel edges of the mask's pixels. Raises ValueError when the mask is empty."""
    rows = np.flatnonzero(mask.pixels.any(axis=1))
    cols = np.flatnonzero(mask.pixels.any(axis=0))
    if rows.size == 0:
        raise ValueError("hbb_of_mask: expected a mask with at least one pixel, got an empty one")
    return HBB(
        float(mask.col + cols[0]),
        float(mask.row + rows[0]),
        float(mask.col + cols[-1] + 1),
        float(mask.row + rows[-1] + 1),
    )


def hbb_corners(hbb: HBB) -> FloatArray:
    """(4, 2) float64, pixel space: upper left, upper right, lower right, lower left."""
    return np.array([(hbb.x_min, hbb.y_min), (hbb.x_max, hbb.y_min), (hbb.x_max, hbb.y_max), (hbb.x_min, hbb.y_max)])


def obb_corners(obb: OBB) -> FloatArray:
    """(4, 2) float64, pixel space, clockwise on the screen; the first side has length ``width``."""
    angle = np.deg2rad(obb.angle)
    along = np.array([np.cos(angle), np.sin(angle)]) * (obb.width / 2)
    across = np.array([-np.sin(angle), np.cos(angle)]) * (obb.height / 2)
    offsets: FloatArray = np.array([-along - across, along - across, along + across, -along + across])
    corners: FloatArray = offsets + np.array([obb.cx, obb.cy])
    return corners


def le90(cx: float, cy: float, side_a: float, side_b: float, angle: float) -> OBB:
    """The one OBB for a rectangle whose ``side_a`` lies at ``angle`` degrees (any angle, any order of sides).

    A rectangle whose sides differ by less than one part in a million counts as a square, and a square has
    its angle in [-45, 45).
    """
    if side_a < side_b:
        side_a, side_b, angle = side_b, side_a, angle + 90.0
    is_square = side_a - side_b <= 1e-6 * side_a
    half_turn = 45.0 if is_square else 90.0
    angle = (angle + half_turn) % (2 * half_turn) - half_turn
    # Angles a rounding error below the upper end are the lower end; -1e-15 is 0.
    if half_turn - angle < 1e-7:
        angle = -half_turn
    elif abs(angle) < 1e-9:
        angle = 0.0
    return OBB(cx, cy, side_a, side_b, angle)


def obb_of_points(points: FloatArray) -> OBB:
    """The rectangle of smallest area around points, by the edges of their hull (Freeman & Shapira 1975).

    Among rectangles of the same area the one with the smallest angle to the axes is taken, so that a disc or a
    square of pixels has one answer.

    Args:
        points: (n, 2) float64, n >= 1, pixel space.
    """
    hull = convex_hull(points)
    edges = np.roll(hull, -1, axis=0) - hull
    angles = np.arctan2(edges[:, 1], edges[:, 0]) % (np.pi / 2)
    angles = np.unique(np.append(angles, 0.0).round(12)) if len(hull) < 3 else np.unique(angles.round(12))
    cos, sin = np.cos(angles), np.sin(angles)
    u = hull @ np.stack([cos, sin])  # (point, angle): along each direction
    v = hull @ np.stack([-sin, cos])
    sides_u, sides_v = np.ptp(u, axis=0), np.ptp(v, axis=0)
    areas = sides_u * sides_v
    off_axis = np.minimum(angles, np.pi / 2 - angles)
    near_best = areas <= areas.min() * (1 + 1e-9) + 1e-12
    if not areas.min() > 0:  # points on one line: the area is 0 in its direction only
        near_best = np.minimum(sides_u, sides_v) <= np.minimum(sides_u, sides_v).min() + 1e-12
    best = int(np.flatnonzero(near_best)[np.argmin(off_axis[near_best])])
    mid_u = (u[:, best].max() + u[:, best].min()) / 2
    mid_v = (v[:, best].max() + v[:, best].min()) / 2
    return le90(
        float(mid_u * cos[best] - mid_v * sin[best]),
        float(mid_u * sin[best] + mid_v * cos[best]),
        float(sides_u[best]),
        float(sides_v[best]),
        float(np.rad2deg(angles[best])),
    )


def obb_of_mask(mask: Mask) -> OBB:
    """The smallest rectangle around the edges of the mask's pixels. Raises ValueError when the mask is empty."""
    return obb_of_points(mask_hull(mask))


def mask_hull(mask: Mask) -> FloatArray:
    """The convex hull of the mask's pixel edges.

    Returns:
        (n, 2) float64, n >= 4, pixel space, clockwise on the screen.

    Raises:
        ValueError: the mask is empty.
    """
    rows = np.flatnonzero(mask.pixels.any(axis=1))
    if rows.size == 0:
        raise ValueError("mask_hull: expected a mask with at least one pixel, got an empty one")
    # Only the first and last pixel of a row can touch the hull.
    used = mask.pixels[rows]
    first = used.argmax(axis=1)
    last = used.shape[1] - used[:, ::-1].argmax(axis=1)
    x = np.concatenate([first, first, last, last]) + mask.col
    y = np.concatenate([rows, rows + 1, rows, rows + 1]) + mask.row
    return convex_hull(np.stack([x, y], axis=1).astype(np.float64))


def convex_hull(points: FloatArray) -> FloatArray:
    """The corners of the convex hull, clockwise on the screen, without collinear ones.

    Args:
        points: (n, 2) float64, n >= 1.

    Returns:
        (m, 2) float64; m is 1 or 2 when all points coincide or lie on a line.
    """
    hull: FloatArray = shapely.get_coordinates(shapely.convex_hull(shapely.multipoints(points)))
    # A polygon comes closed and, with y up, clockwise.
    return hull[:0:-1] if len(hull) > 3 else hull


# -- overlap ----------------------------------------------------------------------------------------


def iou_hbb(a: FloatArray, b: FloatArray) -> FloatArray:
    """Overlap of every box of ``a`` with every box of ``b``.

    Args:
        a: (n, 4) float64, rows x_min, y_min, x_max, y_max.
        b: (m, 4) float64, the same.

    Returns:
        (n, m) float64 in [0, 1]; 0 where both boxes have no area.
    """
    upper = np.maximum(a[:, None, :2], b[None, :, :2])
    lower = np.minimum(a[:, None, 2:], b[None, :, 2:])
    common = np.clip(lower - upper, 0, None).prod(axis=2)
    area_a = (a[:, 2:] - a[:, :2]).prod(axis=1)
    area_b = (b[:, 2:] - b[:, :2]).prod(axis=1)
    union = area_a[:, None] + area_b[None, :] - common
    ious: FloatArray = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
    return ious


def best_iou_hbb(a: FloatArray, b: FloatArray) -> FloatArray:
    """The best overlap of every box of ``a`` with any box of ``b``: the row maxima of ``iou_hbb``, with less memory.

    Boxes of like size and height in the picture are compared together, with those only that reach into their rows.

    Args:
        a: (n, 4) float64, rows x_min, y_min, x_max, y_max.
        b: (m, 4) float64, the same.

    Returns:
        (n,) float64 in [0, 1]; 0 without any box in ``b``.
    """
    out = np.zeros(len(a))
    if not len(b):
        return out
    height = a[:, 3] - a[:, 1]
    order = np.lexsort((a[:, 1] + a[:, 3], np.log2(np.maximum(height, 1.0)).astype(int)))
    for first in range(0, len(a), BOXES_AT_A_TIME):
        rows = order[first : first + BOXES_AT_A_TIME]
        near = b[(b[:, 1] < a[rows, 3].max()) & (b[:, 3] > a[rows, 1].min())]
        if len(near):
            out[rows] = iou_hbb(a[rows], near).max(axis=1)
    return out


def iou_obb(a: Sequence[OBB], b: Sequence[OBB]) -> FloatArray:
    """Overlap of every oriented box of ``a`` with every one of ``b``: (n, m) float64 in [0, 1]."""
    polygons_a = np.array([shapely.Polygon(obb_corners(box)) for box in a], dtype=object)
    polygons_b = np.array([shapely.Polygon(obb_corners(box)) for box in b], dtype=object)
    common = shapely.area(shapely.intersection(polygons_a[:, None], polygons_b[None, :]))
    union = shapely.area(polygons_a)[:, None] + shapely.area(polygons_b)[None, :] - common
    ious: FloatArray = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
    return ious


def iou_masks(a: Sequence[Mask], b: Sequence[Mask]) -> FloatArray:
    """Overlap of every mask of ``a`` with every one of ``b``: (n, m) float64 in [0, 1]."""
    out = np.zeros((len(a), len(b)))
    for i, first in enumerate(a):
        for j, second in enumerate(b):
            common = _common_pixels(first, second)
            union = first.area + second.area - common
            out[i, j] = common / union if union else 0.0
    return out


def _common_pixels(a: Mask, b: Mask) -> int:
    top, left = max(a.row, b.row), max(a.col, b.col)
    bottom = min(a.row + a.pixels.shape[0], b.row + b.pixels.shape[0])
    right = min(a.col + a.pixels.shape[1], b.col + b.pixels.shape[1])
    if top >= bottom or left >= right:
        return 0
    return int(
        np.count_nonzero(
            a.pixels[top - a.row : bottom - a.row, left - a.col : right - a.col]
            & b.pixels[top - b.row : bottom - b.row, left - b.col : right - b.col]
        )
    )


def nms(scores: FloatArray, ious: FloatArray, threshold: float) -> list[int]:
    """The indices that survive greedy non-maximum suppression, best first.

    Args:
        scores: (n,) float64.
        ious: (n, n) float64, overlap of each with each.
        threshold: an item is dropped when it overlaps a kept one by more.
    """
    kept: list[int] = []
    for i in np.argsort(-scores, kind="stable"):
        if all(ious[i, j] <= threshold for j in kept):
            kept.append(int(i))
    return kept
