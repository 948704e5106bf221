"""Shapes of candidates and of pairs of candidates, as arrays: sizes, gaps, overlaps, directions.

Pixel space: x to the right, y down. Everything is computed when first asked for, and once.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
Geometries = NDArray[Any]

#: Simplification, as a share of a shape's thickness: changes no relation, saves most of the time.
SIMPLIFY = 0.04
#: Gaps are exact up to so many times the scale of a pair; beyond, the gap of the boxes will do.
EXACT_GAP_SCALES = 12.0
#: Gaps and holes of up to twice this share of the thickness are closed.
CLOSING = 0.3
#: The scale of a pair is at most so many times the smaller thickness.
MAX_SCALE = 2.0


def fall(value: FloatArray, full: float | FloatArray, zero: float | FloatArray) -> FloatArray:
    """1 up to ``full``, 0 from ``zero`` on, smooth between (the cubic of GLSL's smoothstep)."""
    span = np.maximum(np.asarray(zero, dtype=float) - np.asarray(full, dtype=float), 1e-9)
    t = np.clip((np.asarray(value, dtype=float) - full) / span, 0.0, 1.0)
    return np.asarray(1.0 - t * t * (3.0 - 2.0 * t))


def rise(value: FloatArray, zero: float | FloatArray, full: float | FloatArray) -> FloatArray:
    """0 up to ``zero``, 1 from ``full`` on, smooth between."""
    return np.asarray(1.0 - fall(value, zero, full))


class Shapes:
    """n polygons with what relations ask of them.

    Attributes:
        centers: (n, 2) centroids.
        bounds: (n, 4) x_min, y_min, x_max, y_max.
        areas: (n,) of the polygons as given.
    """

    def __init__(self, polygons: Sequence[Any] | Geometries) -> None:
        given = np.array(list(polygons), dtype=object)
        if given.size == 0:
            given = np.empty(0, dtype=object)
        invalid = ~shapely.is_valid(given)
        if invalid.any():
            given[invalid] = shapely.make_valid(given[invalid])
        self.areas: FloatArray = np.maximum(shapely.area(given), 1e-6)
        centers = shapely.centroid(given)
        self.centers: FloatArray = np.column_stack([shapely.get_x(centers), shapely.get_y(centers)]).reshape(-1, 2)
        self.bounds: FloatArray = shapely.bounds(given).reshape(-1, 4)
        self._given: Geometries = given

    def __len__(self) -> int:
        return len(self._given)

    @cached_property
    def geometries(self) -> Geometries:
        """(n,) the polygons, valid and simplified."""
        rough = 4.0 * self.areas / np.maximum(shapely.length(self._given), 1e-6)
        return np.asarray(shapely.simplify(self._given, np.maximum(SIMPLIFY * rough, 0.3)))

    @cached_property
    def thickness(self) -> FloatArray:
        """(n,) four times area by outline: the side of a square, the diameter of a disc, about twice the
        width of a road however it bends. The size that distances are scaled by."""
        outline = np.maximum(shapely.length(self.geometries), 1e-6)
        return np.asarray(np.maximum(4.0 * self.areas / outline, 1.0))

    @cached_property
    def diameters(self) -> FloatArray:
        """(n,) diagonal of the box."""
        return np.hypot(self.bounds[:, 2] - self.bounds[:, 0], self.bounds[:, 3] - self.bounds[:, 1])

    @cached_property
    def _rectangles(self) -> FloatArray:
        """(n, 4, 2) corners of the minimum rotated rectangle."""
        corners = np.empty((len(self), 4, 2))
        for i, rectangle in enumerate(shapely.oriented_envelope(self.geometries)):
            ring = shapely.get_coordinates(rectangle)
            if len(ring) >= 5:
                corners[i] = ring[:4]
            else:
                x0, y0, x1, y1 = self.bounds[i]
                corners[i] = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
        return corners

    @cached_property
    def _sides(self) -> tuple[FloatArray, FloatArray, BoolArray]:
        first = self._rectangles[:, 1] - self._rectangles[:, 0]
        second = self._rectangles[:, 2] - self._rectangles[:, 1]
        is_first = np.hypot(*first.T) >= np.hypot(*second.T)
        return first, second, is_first

    @cached_property
    def lengths(self) -> FloatArray:
        """(n,) long side of the minimum rotated rectangle."""
        first, second, _ = self._sides
        return np.asarray(np.maximum(np.maximum(np.hypot(*first.T), np.hypot(*second.T)), 1e-6))

    @cached_property
    def widths(self) -> FloatArray:
        """(n,) short side of the minimum rotated rectangle."""
        first, second, _ = self._sides
        return np.asarray(np.maximum(np.minimum(np.hypot(*first.T), np.hypot(*second.T)), 1e-6))

    @cached_property
    def elongations(self) -> FloatArray:
        return np.asarray(self.lengths / self.widths)

    @cached_property
    def axes(self) -> FloatArray:
        """(n, 2) unit vectors along the long side."""
        first, second, is_first = self._sides
        axis = np.where(is_first[:, None], first, second)
        return np.asarray(axis / np.maximum(np.hypot(*axis.T), 1e-9)[:, None])

    @cached_property
    def ends(self) -> FloatArray:
        """(n, 2, 2) the middles of the two short sides."""
        middle = self._rectangles.mean(axis=1)
        half = self.axes * self.lengths[:, None] / 2
        return np.stack([middle - half, middle + half], axis=1)

    @cached_property
    def closed(self) -> Geometries:
        """(n,) the shapes with small holes and gaps closed: masks leave out what stands on a road."""
        out: Geometries = self.geometries.copy()
        parts = shapely.get_num_geometries(out)
        holes = np.array(
            [sum(len(p.interiors) for p in getattr(g, "geoms", [g]) if p.geom_type == "Polygon") for g in out]
        )
        rough = np.nonzero((parts > 1) | (holes > 0))[0]
        if rough.size:
            reach = CLOSING * self.thickness[rough]
            out[rough] = shapely.buffer(shapely.buffer(out[rough], reach, quad_segs=2), -reach, quad_segs=2)
        return out

    def points(self) -> Geometries:
        """(n,) centroids as points."""
        return np.asarray(shapely.points(self.centers))


class Pairs:
    """All pairs of n targets and m anchors; every property is (n, m) unless told."""

    def __init__(self, targets: Shapes, anchors: Shapes) -> None:
        self.targets = targets
        self.anchors = anchors
        self.shape = (len(targets), len(anchors))

    def swapped(self) -> Pairs:
        """The pairs with the roles exchanged; its arrays are (m, n)."""
        return Pairs(self.anchors, self.targets)

    @cached_property
    def scale(self) -> FloatArray:
        """Geometric mean of both thicknesses, at most twice the smaller: near for cars is less than near for
        halls, and a large lake makes no distant car near."""
        a, b = self.targets.thickness[:, None], self.anchors.thickness[None, :]
        return np.asarray(np.minimum(np.sqrt(a * b), MAX_SCALE * np.minimum(a, b)))

    @cached_property
    def box_gap(self) -> FloatArray:
        """Gap between the boxes, a lower bound of the gap."""
        t, a = self.targets.bounds[:, None, :], self.anchors.bounds[None, :, :]
        dx = np.maximum(np.maximum(t[..., 0] - a[..., 2], a[..., 0] - t[..., 2]), 0.0)
        dy = np.maximum(np.maximum(t[..., 1] - a[..., 3], a[..., 1] - t[..., 3]), 0.0)
        return np.asarray(np.hypot(dx, dy))

    @cached_property
    def gap(self) -> FloatArray:
        """Distance between the shapes, 0 when they touch; that of the boxes for pairs far apart."""
        return self.gap_up_to(EXACT_GAP_SCALES * self.scale)

    def gap_up_to(self, limit: float | FloatArray) -> FloatArray:
        """The distance between the shapes where the boxes are nearer than ``limit``, else that of the boxes."""
        gap: FloatArray = self.box_gap.copy()
        i, j = np.nonzero(gap <= limit)
        gap[i, j] = shapely.distance(self.targets.geometries[i], self.anchors.geometries[j])
        return gap

    @cached_property
    def shared(self) -> FloatArray:
        """Area of the intersection."""
        shared = np.zeros(self.shape)
        i, j = np.nonzero(self.box_gap <= 0.0)
        if i.size:
            targets, anchors = self.targets.geometries[i], self.anchors.geometries[j]
            shared[i, j] = shapely.area(shapely.intersection(targets, anchors))
        return shared

    @cached_property
    def covered(self) -> FloatArray:
        """Share of the target that lies in the anchor."""
        return np.asarray(np.clip(self.shared / self.targets.areas[:, None], 0.0, 1.0))

    @cached_property
    def iou(self) -> FloatArray:
        union = self.targets.areas[:, None] + self.anchors.areas[None, :] - self.shared
        return np.asarray(np.clip(self.shared / np.maximum(union, 1e-9), 0.0, 1.0))

    @cached_property
    def reach(self) -> FloatArray:
        """(n, m, 2) from the target's centroid to the nearest point of the anchor; zero when it lies in it."""
        n, m = self.shape
        points = np.repeat(self.targets.points(), m)
        anchors = np.tile(self.anchors.geometries, n)
        return _line_vectors(points, anchors).reshape(n, m, 2)

    @cached_property
    def bearing(self) -> FloatArray:
        """(n, m, 2) from anchor to target, from and to the parts that face each other.

        From the part of the larger of the two that is nearest to the centroid of the smaller: "the house
        left of the road" looks at the road beside the house, not at the middle of the road.
        """
        vectors = -self.reach
        share = self.target_is_larger
        i, j = np.nonzero(share > 0)
        if i.size:
            others = _line_vectors(self.anchors.points()[j], self.targets.geometries[i])
            vectors[i, j] += share[i, j, None] * (others - vectors[i, j])
        return vectors

    @cached_property
    def target_is_larger(self) -> FloatArray:
        """1 when the target is clearly the larger, 0 when it is the smaller, between for two of a size."""
        ratio = self.targets.diameters[:, None] / np.maximum(self.anchors.diameters[None, :], 1e-6)
        return rise(ratio, 0.9, 1.1)

    @cached_property
    def center_bearing(self) -> FloatArray:
        """(n, m, 2) from the anchor's centroid to the target's."""
        return np.asarray(self.targets.centers[:, None, :] - self.anchors.centers[None, :, :])

    @cached_property
    def compactness(self) -> FloatArray:
        """How well the anchor's middle says where it is: 1 for compact and for smaller ones, 0 for a long road."""
        ratio = self.anchors.thickness / np.maximum(self.anchors.diameters, 1e-6)
        compact = rise(ratio, 0.25, 0.4)[None, :]
        return np.asarray(compact + (1.0 - compact) * self.target_is_larger)

    @cached_property
    def likeness(self) -> FloatArray:
        """Smaller over larger diameter, 1 for two of a size."""
        t, a = self.targets.diameters[:, None], self.anchors.diameters[None, :]
        return np.asarray(np.minimum(t, a) / np.maximum(np.maximum(t, a), 1e-6))

    @cached_property
    def crossing_angle(self) -> FloatArray:
        """Degrees between the long axes, 0 to 90."""
        cosine = np.abs(self.targets.axes @ self.anchors.axes.T)
        return np.asarray(np.degrees(np.arccos(np.clip(cosine, 0.0, 1.0))))


def _line_vectors(points: Geometries, geometries: Geometries) -> FloatArray:
    """(k, 2) vectors from each point to the nearest point of its geometry."""
    ends = shapely.get_coordinates(shapely.shortest_line(points, geometries)).reshape(-1, 2, 2)
    return np.asarray(ends[:, 1] - ends[:, 0])


def deviation(vectors: FloatArray, direction: tuple[float, float]) -> FloatArray:
    """Degrees between (..., 2) vectors and a direction; 180 for a zero vector, which points nowhere."""
    length = np.hypot(vectors[..., 0], vectors[..., 1])
    along = vectors[..., 0] * direction[0] + vectors[..., 1] * direction[1]
    cosine = np.where(length > 1e-9, along / np.maximum(length, 1e-9), -1.0)
    return np.asarray(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))
