"""Grades of single candidates: position in the image, size among its like, measures, rank in an order."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from inference_server.expression import Attribute, Measure, Order, Position
from inference_server.predicates import compass_direction
from inference_server.relation_terms import Candidate, Frame
from inference_server.shapes import FloatArray, Shapes, fall, rise

_AZIMUTHS = {
    "north": 0, "north-east": 45, "east": 90, "south-east": 135,
    "south": 180, "south-west": 225, "west": 270, "north-west": 315,
}  # fmt: skip
_COLUMNS = {"left": 0, "top": 1, "right": 2, "bottom": 3}
#: So much of the grade is lost from one side of the picture to the other: of two on the left the outer one wins.
OUTER = 0.45
#: So much of the grade for a corner is lost in the quarter of the picture around it.
IN_QUARTER = 0.5
#: Natural logarithm of how much larger than the middling (in area) "large" is, half the time; its spread.
SIZE_SHIFT = {"large": 0.3, "huge": 0.9, "small": -0.3, "tiny": -0.9, "medium": 0.0}
SIZE_SPREAD = 0.45
#: Weight (score over best score) at which a candidate begins to count in an order, and fully counts.
DOUBTED, TRUSTED = 0.5, 0.95


def _normal(deviation: FloatArray) -> FloatArray:
    """The normal distribution's cumulative probability."""
    # Imported here: scipy takes a quarter of a second, which the server has after its announcement, not before.
    from scipy.special import ndtr

    return np.asarray(ndtr(deviation))


def position_grades(shapes: Shapes, position: Position, frame: Frame) -> FloatArray:
    """(n,) how far each candidate is where a position says; smooth, halves meet at 0.5 in the middle.

    "left" is full in the left third and gone two thirds across; "top left" asks both; "center" is full in
    the central third each way; "edge", "left edge" and "top left corner" ask how near the outline is to it.
    """
    if position.relative:
        grades = np.maximum(_position(shapes, position.value, frame), _among(shapes, position.value, frame))
    else:
        grades = _position(shapes, position.value, frame)
    return np.asarray(1.0 - grades if position.negated else grades)


def _position(shapes: Shapes, value: str, frame: Frame) -> FloatArray:
    size = np.array([max(frame.width, 1), max(frame.height, 1)], dtype=float)
    u, v = np.clip(shapes.centers / size, 0.0, 1.0).T
    sides = {"left": u, "right": 1.0 - u, "top": v, "bottom": 1.0 - v}
    gaps = np.clip(
        np.column_stack([shapes.bounds[:, :2] / size, 1.0 - shapes.bounds[:, 2:] / size]), 0.0, 1.0
    )  # left, top, right, bottom
    if value in _AZIMUTHS:
        return _on_map(shapes, _AZIMUTHS[value], frame)
    if value == "edge":
        return fall(gaps.min(axis=1), 0.02, 0.13)
    if value.endswith(" edge"):
        column = _COLUMNS.get(value.removesuffix(" edge"))
        return fall(gaps.min(axis=1) if column is None else gaps[:, column], 0.03, 0.16)
    if value == "corner":
        across = np.minimum(gaps[:, 0], gaps[:, 2])
        return np.asarray(fall(across, 0.12, 0.3) * fall(np.minimum(gaps[:, 1], gaps[:, 3]), 0.12, 0.3))
    if value.endswith(" corner"):
        quarter = value.removesuffix(" corner")
        near = np.prod([fall(gaps[:, _COLUMNS[word]], 0.12, 0.3) for word in quarter.split()], axis=0)
        return np.asarray(_position(shapes, quarter, frame) * (1.0 - IN_QUARTER * (1.0 - near)))
    if value == "center":
        return _inner(np.maximum(np.abs(u - 0.5), np.abs(v - 0.5)))
    grade = np.ones(len(shapes))
    for word in value.split():
        if word == "center":
            across = v if ("left" in value or "right" in value) else u
            grade = grade * _inner(np.abs(across - 0.5))
        elif word in sides:
            grade = grade * _side(sides[word])
    return grade


def _side(share: FloatArray) -> FloatArray:
    """Full in the near third; the slight slope lets the outer of two win."""
    return np.asarray(fall(share, 0.36, 0.64) * (1.0 - OUTER * share))


def _inner(offset: FloatArray) -> FloatArray:
    return np.asarray(fall(offset, 0.17, 0.36) * (1.0 - 0.9 * offset))


def _on_map(shapes: Shapes, azimuth: int, frame: Frame) -> FloatArray:
    if azimuth % 90:
        first, second = {45: (0, 90), 135: (180, 90), 225: (180, 270), 315: (0, 270)}[azimuth]
        return _on_map(shapes, first, frame) * _on_map(shapes, second, frame)
    x, y = compass_direction(frame, azimuth)
    half = (abs(x) * frame.width + abs(y) * frame.height) / 2
    offset = (shapes.centers - np.array([frame.width, frame.height]) / 2) @ np.array([x, y])
    return _side(np.clip(0.5 - offset / max(2 * half, 1e-9), 0.0, 1.0))


def _among(shapes: Shapes, value: str, frame: Frame) -> FloatArray:
    """Position within the spread of the candidates: "the left building" of two on the right."""
    if len(shapes) < 2:
        return np.zeros(len(shapes))
    low, high = shapes.centers.min(axis=0), shapes.centers.max(axis=0)
    span = np.maximum(high - low, 0.05 * np.array([frame.width, frame.height]))
    u, v = ((shapes.centers - (low + high) / 2) / span + 0.5).T
    x, y = (0.0, 0.0)
    if value in _AZIMUTHS:
        x, y = compass_direction(frame, _AZIMUTHS[value])
    words = value.split()
    x += ("right" in words) - ("left" in words)
    y += ("bottom" in words) - ("top" in words)
    if not (x or y):
        return np.asarray(0.9 * fall(np.hypot(u - 0.5, v - 0.5), 0.15, 0.5))
    length = math.hypot(x, y)
    along = ((u - 0.5) * x + (v - 0.5) * y) / length
    return np.asarray(0.95 * rise(along, -0.15 if len(words) == 1 else 0.0, 0.45))


def size_grades(shapes: Shapes, attribute: Attribute, weights: FloatArray) -> FloatArray:
    """(n,) size against the weighted middle of the candidates of the phrase; alone, a candidate is any size."""
    log_areas = np.log(shapes.areas)
    if len(shapes) < 2:
        grades = np.full(len(shapes), 0.8)
    else:
        order = np.argsort(log_areas)
        total = np.cumsum(weights[order])
        middle = float(np.interp(total[-1] / 2, total - weights[order] / 2, log_areas[order]))
        shift = (log_areas - middle - SIZE_SHIFT.get(attribute.value, 0.0)) / SIZE_SPREAD
        if attribute.value in ("small", "tiny"):
            grades = _normal(-shift)
        elif attribute.value == "medium":
            grades = np.exp(-0.5 * shift**2)
        else:
            grades = _normal(shift)
    return np.asarray(1.0 - grades if attribute.negated else grades)


def orientation_grades(shapes: Shapes, attribute: Attribute, frame: Frame) -> FloatArray:
    """(n,) direction of the long side; a thing that is not long has none, so half the truth at most."""
    azimuth = {"north-south": 0, "east-west": 90}.get(attribute.value)
    axes = shapes.axes
    if attribute.value == "diagonal":
        off = np.degrees(np.arctan2(np.abs(axes[:, 1]), np.abs(axes[:, 0])))
        grades = fall(np.abs(off - 45.0), 15.0, 35.0)
    else:
        screen = (0.0, 1.0) if attribute.value == "vertical" else (1.0, 0.0)
        x, y = screen if azimuth is None else compass_direction(frame, azimuth)
        angle = np.degrees(np.arccos(np.clip(np.abs(axes @ np.array([x, y])), 0.0, 1.0)))
        grades = fall(angle, 18.0, 45.0)
    grades = grades * (0.5 + 0.5 * rise(shapes.elongations, 1.1, 1.8))
    return np.asarray(1.0 - grades if attribute.negated else grades)


def measure_grades(shapes: Shapes, measure: Measure, gsd_m: float) -> FloatArray:
    """(n,) an absolute size against its bounds, a tenth off on either side being half the truth."""
    value = {
        "area": shapes.areas * gsd_m**2,
        "length": shapes.lengths * gsd_m,
        "width": shapes.widths * gsd_m,
    }[measure.key]
    grade = np.ones(len(shapes))
    if measure.at_least is not None:
        grade = grade * rise(value, 0.8 * measure.at_least, 1.0 * measure.at_least)
    if measure.at_most is not None:
        grade = grade * fall(value, 1.0 * measure.at_most, 1.2 * measure.at_most)
    return grade


def reality(scores: FloatArray) -> FloatArray:
    """(n,) how surely each candidate is one at all: 0.02 up to DOUBTED of the best score, 0.98 from TRUSTED on."""
    return np.asarray(0.02 + 0.96 * rise(scores / max(float(scores.max(initial=0.0)), 1e-9), DOUBTED, TRUSTED))


def order_values(
    shapes: Shapes, candidates: Sequence[Candidate], order: Order, frame: Frame, scores: FloatArray
) -> tuple[FloatArray, float] | None:
    """(n,) values to rank by, ascending first, and how much of a difference is noise; None when unknown."""
    sign = -1.0 if order.descending else 1.0
    diagonal = math.hypot(frame.width, frame.height)
    if order.key in ("area", "height"):
        return sign * np.log(shapes.areas), 0.06
    if order.key == "length":
        return sign * np.log(shapes.lengths), 0.05
    if order.key == "width":
        return sign * np.log(shapes.widths), 0.05
    if order.key == "elongation":
        return sign * np.log(shapes.elongations), 0.08
    if order.key == "score":
        return sign * scores, 0.02
    if order.key == "brightness":
        known = [c.brightness for c in candidates]
        if any(b is None for b in known):
            return None
        return sign * np.array(known, dtype=float), 0.02
    if order.key == "center":
        offset = shapes.centers - np.array([frame.width, frame.height]) / 2
        return sign * np.hypot(*offset.T), 0.01 * diagonal
    if order.key in ("north", "east"):
        direction = np.array(compass_direction(frame, 0.0 if order.key == "north" else 90.0))
        return sign * (shapes.centers @ direction), 0.005 * diagonal
    column = {"x": 0, "y": 1}.get(order.key)
    return None if column is None else (sign * shapes.centers[:, column], 0.005 * diagonal)


def rank_grades(values: FloatArray, noise: float, scores: FloatArray, rank: int, *, upto: bool = False) -> FloatArray:
    """(n,) probability that each candidate is the rank-th in ascending order, itself being real.

    Engines return doubtful candidates, and one large piece of junk must not be "the largest building".
    So each candidate j is taken to be real with a probability p_j that grows with its score against the
    best (0.02 at DOUBTED, 0.98 at TRUSTED), and to come before candidate i with probability
    Phi((v_i - v_j) / (noise * sqrt 2)). The number of real ones before i is then Poisson-binomial, and the
    grade is P(exactly rank - 1 before i), or P(at most rank - 1 before i) with ``upto``, times p_i.

    Args:
        values: ascending; for a negative rank counted from the end.
        noise: standard deviation of a value.
        scores: of the candidates, relations included.
        rank: from 1, or from -1 backwards.
        upto: all up to the rank: "the two largest".
    """
    n = len(values)
    if rank < 0:
        values, rank = -values, -rank
    real = reality(scores)
    before = _normal((values[:, None] - values[None, :]) / (noise * math.sqrt(2.0))) * real[None, :]
    np.fill_diagonal(before, 0.0)
    counts = np.zeros((n, rank + 1))
    counts[:, 0] = 1.0
    for j in range(n):
        p = before[:, j : j + 1]
        counts[:, 1:rank] = counts[:, 1:rank] * (1.0 - p) + counts[:, : rank - 1] * p
        counts[:, :1] = counts[:, :1] * (1.0 - p)
    grade = counts[:, :rank].sum(axis=1) if upto else counts[:, rank - 1]
    return np.asarray(grade * real)
