"""Graded geometric predicates: how far "left of", "next to", "between" ... hold, from 0 to 1.

Each takes n targets and m anchors as :class:`~inference_server.shapes.Pairs` and gives (n, m) grades.
Distances are measured between the shapes and scaled by ``Pairs.scale``, the geometric mean of the two
thicknesses, written S below. ``docs/expressions.md`` shows the field of truth of each.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import shapely

from inference_server.relation_terms import Frame
from inference_server.shapes import FloatArray, Pairs, Shapes, deviation, fall, rise

Predicate = Callable[[Pairs, Frame], FloatArray]

#: Half-openings of the cones in degrees: full truth, none. Diagonal ones are narrower.
CONE = (30.0, 75.0)
DIAGONAL_CONE = (22.0, 56.0)
#: A direction holds at any distance, but the nearer is meant: the grade sinks to FAR over FAR_SCALES S.
FAR, FAR_SCALES = 0.5, 8.0
#: Rays by which "surrounded by" looks around.
RAYS = 24

_DIAGONAL = math.sqrt(0.5)
_SCREEN = {
    "left_of": (-1.0, 0.0),
    "right_of": (1.0, 0.0),
    "above": (0.0, -1.0),
    "below": (0.0, 1.0),
    "upper_left_of": (-_DIAGONAL, -_DIAGONAL),
    "upper_right_of": (_DIAGONAL, -_DIAGONAL),
    "lower_left_of": (-_DIAGONAL, _DIAGONAL),
    "lower_right_of": (_DIAGONAL, _DIAGONAL),
}
#: degrees clockwise from north
_COMPASS = {
    "north_of": 0,
    "north_east_of": 45,
    "east_of": 90,
    "south_east_of": 135,
    "south_of": 180,
    "south_west_of": 225,
    "west_of": 270,
    "north_west_of": 315,
}


def clear(pairs: Pairs) -> FloatArray:
    """1 for a target clear of the anchor, sinking to 0 as it lies in it."""
    return fall(pairs.covered, 0.1, 0.7)


def compass_direction(frame: Frame, degrees: float) -> tuple[float, float]:
    """The unit vector in pixel space of an azimuth clockwise from grid north."""
    north_x, north_y = frame.north
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    # y points down, so turning clockwise on the screen is the positive turn of the axes
    return north_x * cosine - north_y * sine, north_x * sine + north_y * cosine


def _towards(pairs: Pairs, direction: tuple[float, float], cone: tuple[float, float]) -> FloatArray:
    nearness = FAR + (1.0 - FAR) * np.exp(-pairs.gap / (FAR_SCALES * pairs.scale))
    beside = fall(deviation(pairs.bearing, direction), *cone)
    middle = fall(deviation(pairs.center_bearing, direction), *cone)
    # a car by the lower end of a hall's left wall is left of the hall, and a little below it
    share = pairs.compactness * (0.5 + 0.35 * pairs.likeness)
    return np.asarray(((1.0 - share) * beside + share * middle) * nearness * clear(pairs))


def _screen_predicate(name: str) -> Predicate:
    cone = DIAGONAL_CONE if name.count("_") == 2 else CONE

    def holds(pairs: Pairs, frame: Frame) -> FloatArray:
        return _towards(pairs, _SCREEN[name], cone)

    holds.__doc__ = f"{name} on the screen: within a cone from the anchor's nearest part; the nearer the better."
    return holds


def _compass_predicate(name: str) -> Predicate:
    cone = DIAGONAL_CONE if name.count("_") == 2 else CONE

    def holds(pairs: Pairs, frame: Frame) -> FloatArray:
        return _towards(pairs, compass_direction(frame, _COMPASS[name]), cone)

    holds.__doc__ = f"{name} on the map: within a cone from the anchor's nearest part; the nearer the better."
    return holds


def next_to(pairs: Pairs, frame: Frame) -> FloatArray:
    """Gap up to half an S, gone at 2.5 S; not in it."""
    return np.asarray(fall(pairs.gap / pairs.scale, 0.5, 2.5) * clear(pairs))


def near(pairs: Pairs, frame: Frame) -> FloatArray:
    """Gap up to one S, gone at 7 S; not in it."""
    return np.asarray(fall(pairs.gap / pairs.scale, 1.0, 7.0) * clear(pairs))


def far_from(pairs: Pairs, frame: Frame) -> FloatArray:
    """Gap of 5 S begins to be far, 14 S is; asked of all anchors, not of one."""
    return rise(pairs.gap / pairs.scale, 5.0, 14.0)


def touching(pairs: Pairs, frame: Frame) -> FloatArray:
    """Gap of about a pixel or a twentieth of S, gone at 0.4 S and two pixels."""
    return fall(pairs.gap, 1.0 + 0.05 * pairs.scale, 2.0 + 0.4 * pairs.scale)


def _ring_cover(pairs: Pairs) -> FloatArray:
    """Share of a ring around each target, 0.3 of its thickness wide, that lies in the anchor."""
    targets, anchors = pairs.targets, pairs.anchors
    width = np.maximum(0.3 * targets.thickness, 2.0)
    share = np.zeros(pairs.shape)
    i, j = np.nonzero(pairs.box_gap <= width[:, None])
    if i.size:
        grown = shapely.buffer(targets.geometries, width, quad_segs=2)
        rings = shapely.difference(grown, targets.geometries)
        inside = shapely.area(shapely.intersection(rings[i], anchors.geometries[j]))
        share[i, j] = inside / np.maximum(shapely.area(rings)[i], 1e-9)
    return np.clip(share, 0.0, 1.0)


def on(pairs: Pairs, frame: Frame) -> FloatArray:
    """Covered by it by half or more, its gaps closed; or, as masks of roads leave cars out, ringed by it."""
    ringed = 0.95 * rise(_ring_cover(pairs), 0.35, 0.75)
    closed = Pairs(pairs.targets, Shapes(pairs.anchors.closed))
    return np.asarray(np.maximum(rise(closed.covered, 0.15, 0.6), ringed))


def inside(pairs: Pairs, frame: Frame) -> FloatArray:
    """On it, or in what it encloses (its convex hull): in the harbour, in the yard."""
    hulls = Shapes(shapely.convex_hull(pairs.anchors.geometries))
    enclosed = Pairs(pairs.targets, hulls).covered * (pairs.targets.areas[:, None] < hulls.areas[None, :])
    return np.asarray(np.maximum(on(pairs, frame), 0.85 * rise(enclosed, 0.4, 0.9)))


def containing(pairs: Pairs, frame: Frame) -> FloatArray:
    """The anchor is in the target."""
    return np.asarray(inside(pairs.swapped(), frame).T)


def with_(pairs: Pairs, frame: Frame) -> FloatArray:
    """The anchor is in the target or beside it."""
    return np.asarray(np.maximum(containing(pairs, frame), 0.9 * next_to(pairs, frame)))


def at(pairs: Pairs, frame: Frame) -> FloatArray:
    """On it, in it or next to it."""
    return np.asarray(np.maximum(inside(pairs, frame), next_to(pairs, frame)))


def part_of(pairs: Pairs, frame: Frame) -> FloatArray:
    """Lies in it by half or more, or is attached to it; the whole thing is part of itself."""
    return np.asarray(np.maximum(rise(pairs.covered, 0.2, 0.6), 0.5 * touching(pairs, frame)))


def same_as(pairs: Pairs, frame: Frame) -> FloatArray:
    """Is that thing: the shapes are alike in place."""
    return rise(np.maximum(pairs.iou, 0.8 * pairs.covered), 0.25, 0.6)


def _coverage(pairs: Pairs) -> FloatArray:
    """Share of the rays from the target's centroid that meet the anchor within three thicknesses, or whose
    neighbours do: a gap of one ray between two trees is none."""
    targets = pairs.targets
    reach = targets.diameters / 2 + 3.0 * targets.thickness
    angles = np.linspace(0.0, 2.0 * np.pi, RAYS, endpoint=False)
    ends = targets.centers[:, None, :] + reach[:, None, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    starts = np.broadcast_to(targets.centers[:, None, :], ends.shape)
    rays = shapely.linestrings(np.stack([starts, ends], axis=2))
    share = np.zeros(pairs.shape)
    shapely.prepare(pairs.anchors.geometries)
    close = pairs.box_gap <= (3.0 * targets.thickness)[:, None]
    for j in range(pairs.shape[1]):
        rows = np.nonzero(close[:, j])[0]
        if rows.size:
            hits = shapely.intersects(rays[rows], pairs.anchors.geometries[j])
            hits = hits | np.roll(hits, 1, axis=1) | np.roll(hits, -1, axis=1)
            share[rows, j] = hits.mean(axis=1)
    return share


def surrounded_by(pairs: Pairs, frame: Frame) -> FloatArray:
    """Anchors all around: seen from the target in more than half of all directions, best in nearly all."""
    # the pool in the lawn is surrounded, a thing on top of one tree is not
    in_small = pairs.covered * (pairs.anchors.areas[None, :] < 4.0 * pairs.targets.areas[:, None])
    return np.asarray(rise(_coverage(pairs), 0.5, 0.9) * (1.0 - in_small))


def around(pairs: Pairs, frame: Frame) -> FloatArray:
    """Encloses the anchor; or, one of many around it, lies next to it."""
    small = pairs.targets.areas[:, None] < 2.0 * pairs.anchors.areas[None, :]
    one_of_many = fall(pairs.gap / pairs.scale, 0.8, 4.0) * clear(pairs) * small
    encloses = rise(_coverage(pairs.swapped()).T, 0.5, 0.9) * clear(pairs)
    return np.asarray(np.maximum(encloses, 0.9 * one_of_many))


def along(pairs: Pairs, frame: Frame) -> FloatArray:
    """Beside a long thing, at its edge or on it; a long target runs parallel to it."""
    beside = fall(pairs.gap / pairs.scale, 0.8, 3.5)
    is_long = rise(pairs.targets.elongations, 2.0, 4.0)[:, None]
    parallel = fall(pairs.crossing_angle, 20.0, 55.0)
    longer = rise(pairs.anchors.lengths[None, :] / pairs.targets.lengths[:, None], 0.5, 1.2)
    return np.asarray(beside * (1.0 - is_long * (1.0 - parallel)) * (0.3 + 0.7 * longer))


def parallel_to(pairs: Pairs, frame: Frame) -> FloatArray:
    """Long axes within 10 degrees, gone at 30; near by preference."""
    return np.asarray(fall(pairs.crossing_angle, 10.0, 30.0) * (0.5 + 0.5 * near(pairs, frame)))


def perpendicular_to(pairs: Pairs, frame: Frame) -> FloatArray:
    """Long axes at 80 degrees or more, gone at 60; near by preference."""
    return np.asarray(rise(pairs.crossing_angle, 60.0, 80.0) * (0.5 + 0.5 * near(pairs, frame)))


def _squareness(pairs: Pairs) -> FloatArray:
    """1 when the anchor lies straight off one of the target's sides, 0 when off a corner by 45 degrees."""
    axis = pairs.targets.axes[:, None, :]
    x = np.abs((pairs.bearing * axis).sum(axis=-1))
    y = np.abs(pairs.bearing[..., 0] * axis[..., 1] - pairs.bearing[..., 1] * axis[..., 0])
    return fall(np.degrees(np.arctan2(np.minimum(x, y), np.maximum(x, y))), 12.0, 40.0)


def facing(pairs: Pairs, frame: Frame) -> FloatArray:
    """Near, with one side turned to it. Which side is the front, an image from above does not tell."""
    return np.asarray(near(pairs, frame) * (0.4 + 0.6 * _squareness(pairs)))


def opposite(pairs: Pairs, frame: Frame) -> FloatArray:
    """Straight across from it, with a gap between: from 0.4 S on, gone at 12 S."""
    ratio = pairs.gap / pairs.scale
    return np.asarray(rise(ratio, 0.05, 0.4) * fall(ratio, 4.0, 12.0) * (0.3 + 0.7 * _squareness(pairs)))


def _lengthwise(pairs: Pairs) -> FloatArray:
    """1 when the target lies off an end of a long anchor, as a car before a bus."""
    axis = pairs.anchors.axes[None, :, :]
    along_axis = np.abs((pairs.bearing * axis).sum(axis=-1))
    length = np.hypot(pairs.bearing[..., 0], pairs.bearing[..., 1])
    angle = np.degrees(np.arccos(np.clip(along_axis / np.maximum(length, 1e-9), 0.0, 1.0)))
    is_vehicle_like = rise(pairs.anchors.elongations, 1.4, 2.0) * fall(pairs.anchors.elongations, 5.0, 8.0)
    return np.asarray(fall(angle, 20.0, 50.0) * is_vehicle_like[None, :])


def _before(pairs: Pairs, direction: tuple[float, float]) -> FloatArray:
    beside = fall(pairs.gap / pairs.scale, 1.0, 6.0) * clear(pairs)
    side = fall(deviation(pairs.bearing, direction), 45.0, 90.0)
    return np.asarray(beside * np.maximum(0.35 + 0.65 * side, 0.95 * _lengthwise(pairs)))


def in_front_of(pairs: Pairs, frame: Frame) -> FloatArray:
    """Near, on the lower side of the screen (towards the reader) or off an end of a vehicle."""
    return _before(pairs, (0.0, 1.0))


def behind(pairs: Pairs, frame: Frame) -> FloatArray:
    """Near, on the upper side of the screen or off an end of a vehicle."""
    return _before(pairs, (0.0, -1.0))


def leading_to(pairs: Pairs, frame: Frame) -> FloatArray:
    """One end of the target reaches the anchor."""
    grade = np.zeros(pairs.shape)
    i, j = np.nonzero(pairs.box_gap <= 4.0 * pairs.scale)
    if i.size:
        ends = shapely.points(pairs.targets.ends[i])
        distance = shapely.distance(ends, pairs.anchors.geometries[j][:, None]).min(axis=1)
        grade[i, j] = fall(distance / pairs.scale[i, j], 0.6, 3.0)
    return grade


def at_end_of(pairs: Pairs, frame: Frame) -> FloatArray:
    """At one of the two ends of a long anchor."""
    return np.asarray(leading_to(pairs.swapped(), frame).T)


def at_edge_of(pairs: Pairs, frame: Frame) -> FloatArray:
    """By the outline of the anchor, inside or outside."""
    grade = np.zeros(pairs.shape)
    i, j = np.nonzero(pairs.box_gap <= 4.0 * pairs.scale)
    if i.size:
        outlines = shapely.boundary(pairs.anchors.geometries)
        distance = shapely.distance(pairs.targets.geometries[i], outlines[j])
        inward = 0.12 * np.sqrt(pairs.anchors.areas[j])
        grade[i, j] = fall(distance, 0.4 * pairs.targets.thickness[i], 1.5 * pairs.targets.thickness[i] + inward)
    return grade


def at_center_of(pairs: Pairs, frame: Frame) -> FloatArray:
    """Within a quarter of the anchor's radius from its middle, gone at three quarters."""
    offset = pairs.targets.centers[:, None, :] - pairs.anchors.centers[None, :, :]
    radius = np.sqrt(pairs.anchors.areas / np.pi)[None, :]
    return fall(np.hypot(offset[..., 0], offset[..., 1]) / radius, 0.25, 0.75)


def crossing(pairs: Pairs, frame: Frame) -> FloatArray:
    """Lies over it or reaches it, at an angle."""
    meets = fall(pairs.gap, 1.0 + 0.2 * pairs.scale, 2.0 + 0.8 * pairs.scale)
    elongation = np.minimum(pairs.targets.elongations[:, None], pairs.anchors.elongations[None, :])
    has_axes = rise(elongation, 1.2, 2.0)  # a square runs no way
    return np.asarray(meets * (1.0 - 0.65 * has_axes * (1.0 - rise(pairs.crossing_angle, 15.0, 50.0))))


def _compare(attribute: str, sign: float) -> Predicate:
    def holds(pairs: Pairs, frame: Frame) -> FloatArray:
        target = np.log(getattr(pairs.targets, attribute))[:, None]
        anchor = np.log(getattr(pairs.anchors, attribute))[None, :]
        return rise(sign * (target - anchor), 0.0, 0.25)

    holds.__doc__ = f"{attribute} compared; a quarter more is surely more."
    return holds


def _part_predicate(name: str) -> Predicate:
    """ "left_part_of" and such, of a surface."""
    direction = name.removesuffix("_part_of")
    is_screen = direction in _PARTS
    vector = _SCREEN[_PARTS[direction]] if is_screen else (0.0, 0.0)
    cone = DIAGONAL_CONE if "_" in direction else (45.0, 90.0)

    def holds(pairs: Pairs, frame: Frame) -> FloatArray:
        way = vector if is_screen else compass_direction(frame, _COMPASS[f"{direction}_of"])
        part = inside(pairs, frame) * fall(deviation(pairs.center_bearing, way), *cone)
        return np.asarray(np.maximum(part, 0.7 * _towards(pairs, way, cone)))

    holds.__doc__ = f"{name}: on that side of its middle; beside it on that side will do."
    return holds


_PARTS = {
    "left": "left_of", "right": "right_of", "top": "above", "bottom": "below", "upper_left": "upper_left_of",
    "upper_right": "upper_right_of", "lower_left": "lower_left_of", "lower_right": "lower_right_of",
}  # fmt: skip
PREDICATES: dict[str, Predicate] = {
    **{name: _screen_predicate(name) for name in _SCREEN},
    **{name: _compass_predicate(name) for name in _COMPASS},
    **{f"{part}_part_of": _part_predicate(f"{part}_part_of") for part in _PARTS},
    **{name.replace("_of", "_part_of"): _part_predicate(name.replace("_of", "_part_of")) for name in _COMPASS},
    "next_to": next_to,
    "near": near,
    "far_from": far_from,
    "touching": touching,
    "on": on,
    "in": inside,
    "containing": containing,
    "with": with_,
    "at": at,
    "part_of": part_of,
    "same_as": same_as,
    "around": around,
    "surrounded_by": surrounded_by,
    "along": along,
    "parallel_to": parallel_to,
    "perpendicular_to": perpendicular_to,
    "facing": facing,
    "opposite": opposite,
    "in_front_of": in_front_of,
    "behind": behind,
    "leading_to": leading_to,
    "at_end_of": at_end_of,
    "at_edge_of": at_edge_of,
    "at_center_of": at_center_of,
    "crossing": crossing,
    "larger_than": _compare("areas", 1.0),
    "smaller_than": _compare("areas", -1.0),
    "longer_than": _compare("lengths", 1.0),
    "shorter_than": _compare("lengths", -1.0),
    "wider_than": _compare("widths", 1.0),
    "narrower_than": _compare("widths", -1.0),
}
#: Relations to something that a mask may have broken up: also checked against all its pieces together.
TO_THE_WHOLE = frozenset(
    ("on", "in", "at", "around", "surrounded_by", "along", "crossing", "part_of", "at_edge_of", "at_center_of")
)
#: Of these the negation means "away from": it does not hold for what lies in the anchor either.
CLOSE = frozenset(("near", "next_to", "touching", "along", "facing", "in_front_of", "behind"))
#: A thing may bear these to a shape that covers the same place.
TO_ITSELF = frozenset(("part_of", "same_as"))
#: These ask all anchors, not some.
TO_ALL = frozenset(("far_from",))


def between(targets: Shapes, first: Shapes, second: Shapes | None) -> FloatArray:
    """How far each target lies between a pair of anchors: (n, m, k), or (n, m, m) within one set.

    Seen from the target's centroid, the nearest parts of both anchors lie in opposite directions: 155
    degrees apart or more is surely between, 105 or less is not. Between compact anchors so is the corridor
    from middle to middle, about as wide as they are. A long target also lies between two anchors when the
    shortest line from one to the other crosses it.
    """
    pairs = Pairs(targets, first)
    others = pairs if second is None else Pairs(targets, second)
    a, b = pairs.reach, others.reach
    length_a, length_b = np.hypot(a[..., 0], a[..., 1]), np.hypot(b[..., 0], b[..., 1])
    dot = np.einsum("nmx,nkx->nmk", a, b)
    lengths = length_a[:, :, None] * length_b[:, None, :]
    cosine = np.where(lengths > 1e-9, dot / np.maximum(lengths, 1e-9), 1.0)
    grade = rise(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))), 105.0, 155.0)
    grade = np.maximum(grade, _corridor(targets, first, first if second is None else second))
    grade = grade * clear(pairs)[:, :, None] * clear(others)[:, None, :]
    spread = (length_a[:, :, None] + length_b[:, None, :]) / (targets.diameters[:, None, None] + 1.0)
    grade = grade * (0.6 + 0.4 * np.exp(-spread / 10.0))
    return np.maximum(grade, _crossed(targets, first, first if second is None else second))


def _corridor(targets: Shapes, first: Shapes, second: Shapes) -> FloatArray:
    """(n, m, k) how far each target lies in the corridor between the middles of two compact anchors."""
    span = second.centers[None, :, :] - first.centers[:, None, :]
    length = np.maximum(np.hypot(span[..., 0], span[..., 1]), 1e-6)
    offset = targets.centers[:, None, :] - first.centers[None, :, :]
    along = np.einsum("nmx,mkx->nmk", offset, span) / length**2
    across = offset[:, :, None, 0] * span[None, ..., 1] - offset[:, :, None, 1] * span[None, ..., 0]
    sides = np.sqrt(first.areas)[:, None] + np.sqrt(second.areas)[None, :]
    half_width = np.maximum(0.25 * sides, 0.12 * length)
    compact = [rise(s.thickness / np.maximum(s.diameters, 1e-6), 0.25, 0.4) for s in (first, second)]
    grade = fall(np.abs(along - 0.5), 0.3, 0.5) * fall(np.abs(across) / length / half_width, 0.8, 2.2)
    return np.asarray(grade * compact[0][None, :, None] * compact[1][None, None, :])


def _crossed(targets: Shapes, first: Shapes, second: Shapes) -> FloatArray:
    grade = np.zeros((len(targets), len(first), len(second)))
    long = np.nonzero(targets.elongations > 3.0)[0]
    if not long.size or len(first) * len(second) > 400:
        return grade
    j, k = np.nonzero(np.ones((len(first), len(second)), dtype=bool))
    lines = shapely.shortest_line(first.geometries[j], second.geometries[k])
    for i in long:
        crosses = shapely.intersects(targets.geometries[i], lines) & (shapely.length(lines) > targets.thickness[i] / 4)
        grade[i, j, k] = 0.9 * crosses
    return grade
