"""How far candidates bear a relation to the anchors that were found, and which anchors that rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import shapely
from numpy.typing import NDArray

from inference_server.expression import Relation
from inference_server.predicates import CLOSE, PREDICATES, TO_ALL, TO_ITSELF, TO_THE_WHOLE, between
from inference_server.relation_terms import Candidate, Frame
from inference_server.shapes import BoolArray, FloatArray, Pairs, Shapes, fall, rise
from rsground_plugin.protocol import EmptyReason

#: A grade below this says no.
FLOOR = 0.3
#: Anchors looked at for one relation; for "between", whose pairs are many, best first.
MAX_ANCHORS, MAX_BETWEEN = 300, 32
#: Targets looked at together: all pairs with their anchors are in memory. Fewer where each place has its own anchors.
MAX_TARGETS, MAX_NEIGHBOURS = 4096, 256
#: Shapes that overlap by so much are one and the same thing, which is no anchor of itself.
SAME_IOU = 0.5


class Failed(Exception):
    """A part of the phrase left nothing; ``reason`` is for the user."""

    def __init__(self, part: str, phrase: str, message: str) -> None:
        super().__init__(message)
        self.reason = EmptyReason(part, phrase, message)


@dataclass(frozen=True, slots=True)
class Item:
    """A candidate that fits a phrase, its score, and the anchors that the score rests on."""

    candidate: Candidate
    score: float
    witnesses: tuple[Candidate, ...] = ()

    @property
    def chain(self) -> tuple[Candidate, ...]:
        """The candidate with its own anchors behind it."""
        return (self.candidate, *self.witnesses)


@dataclass(frozen=True)
class Anchored:
    """Grades (n,) of n candidates and, for each, the anchors that its grade rests on."""

    grades: FloatArray
    witnesses: list[list[Candidate]]


class Targets:
    """The candidates that relations are asked of, with their category and shapes."""

    def __init__(self, category: str, candidates: Sequence[Candidate]) -> None:
        self.category = category
        self.candidates = list(candidates)

    def __len__(self) -> int:
        return len(self.candidates)

    @cached_property
    def shapes(self) -> Shapes:
        """Their shapes: read when something asks where they lie."""
        return Shapes([c.polygon for c in self.candidates])

    def same(self, pairs: Pairs, anchors: Sequence[Item]) -> BoolArray:
        """(n, m) whether a candidate and an anchor are one and the same thing."""
        sources = [id(c.source) if c.source is not None else id(c) for c in self.candidates]
        others = [id(a.candidate.source) if a.candidate.source is not None else id(a.candidate) for a in anchors]
        identical = np.array(sources)[:, None] == np.array(others)[None, :]
        return np.asarray(identical | (pairs.iou > SAME_IOU))


def grades_to_anchors(targets: Targets, relation: Relation, anchors: Sequence[Item], frame: Frame) -> Anchored:
    """How far each target bears the relation to the best of the anchors, or to so many as the phrase counts.

    An anchor counts by its score against the best one's. A thing is no anchor of itself. What a mask may
    have broken up (a road, a lake) is also taken as a whole. Of more than ``MAX_ANCHORS`` anchors, neighbouring
    targets are held against the half of so many that are best and the half that are nearest to them.

    Raises:
        Failed: the relation needs metres and the tile has none.
    """
    anchors = sorted(anchors, key=lambda item: -item.score)
    if len(targets) <= MAX_TARGETS and len(anchors) <= MAX_ANCHORS:
        return _grades_to_few(targets, relation, anchors, frame)
    grades = np.zeros(len(targets))
    witnesses: list[list[Candidate]] = [[] for _ in range(len(targets))]
    size = MAX_TARGETS if len(anchors) <= MAX_ANCHORS else MAX_NEIGHBOURS
    bounds = np.array([item.candidate.bounds for item in anchors])
    for members in _neighbourhoods(targets.shapes, size):
        part = Targets(targets.category, [targets.candidates[i] for i in members])
        anchored = _grades_to_few(part, relation, _best_and_nearest(anchors, bounds, part.shapes), frame)
        grades[members] = anchored.grades
        for i, own in zip(members.tolist(), anchored.witnesses, strict=True):
            witnesses[i] = own
    return Anchored(grades, witnesses)


def _neighbourhoods(shapes: Shapes, size: int) -> list[NDArray[np.intp]]:
    """Indices of the shapes in parts of at most ``size`` that lie together: strips, cut across."""
    count = -(-len(shapes) // size)
    strips = max(1, round(count**0.5))
    by_y = np.argsort(shapes.centers[:, 1], kind="stable")
    parts: list[NDArray[np.intp]] = []
    for strip in np.array_split(by_y, strips):
        by_x = strip[np.argsort(shapes.centers[strip, 0], kind="stable")]
        parts += np.array_split(by_x, max(1, -(-len(by_x) // size)))
    return [part for part in parts if part.size]


def _best_and_nearest(anchors: Sequence[Item], bounds: FloatArray, shapes: Shapes) -> list[Item]:
    """At most ``MAX_ANCHORS`` of the anchors, which come best first, in that order; ``bounds`` (n, 4) are theirs."""
    if len(anchors) <= MAX_ANCHORS:
        return list(anchors)
    low, high = shapes.bounds[:, :2].min(axis=0), shapes.bounds[:, 2:].max(axis=0)
    gaps = np.maximum(np.maximum(low - bounds[:, 2:], bounds[:, :2] - high), 0.0)
    middles = np.abs((bounds[:, :2] + bounds[:, 2:]) - (low + high)).sum(axis=1)
    nearest = np.lexsort((middles, np.hypot(gaps[:, 0], gaps[:, 1])))
    half = MAX_ANCHORS // 2
    best = set(range(half))
    chosen = best | set([i for i in nearest.tolist() if i not in best][: MAX_ANCHORS - half])
    return [anchors[i] for i in sorted(chosen)]


def _grades_to_few(targets: Targets, relation: Relation, anchors: Sequence[Item], frame: Frame) -> Anchored:
    """Grades with all pairs in memory; anchors come best first."""
    pairs = Pairs(targets.shapes, Shapes([item.candidate.polygon for item in anchors]))
    grades = _pair_grades(targets, relation, pairs, anchors, frame)
    weights = _weights(anchors)
    if relation.negated and relation.predicate in CLOSE:
        grades = np.maximum(grades, rise(pairs.covered, 0.1, 0.5))  # what is on the road is not away from it
    is_to_all = relation.predicate in TO_ALL
    if relation.predicate not in TO_ITSELF:
        # the lorry is no vehicle that is "not near the lorry"; but a car may stand away from the cars
        is_other = all(anchor.category != targets.category for anchor in relation.anchors)
        alike = 1.0 if is_to_all or (relation.negated and is_other) else 0.0
        grades = np.where(targets.same(pairs, anchors), alike, grades)
    if is_to_all:
        counted = np.where(weights[None, :] >= 0.5, grades, 1.0)
        return Anchored(counted.min(axis=1), [list(anchors[j].chain) for j in counted.argmin(axis=1)])
    grades = grades * weights[None, :]
    members: list[int] = []
    if relation.predicate in TO_THE_WHOLE and len(anchors) > 1:
        members = [j for j, weight in enumerate(weights) if weight >= 0.5]
        grades = np.column_stack([grades, _to_the_whole(targets, relation, [anchors[j] for j in members], frame)])
    counts = [a.number.count for a in relation.anchors if a.number.kind == "count" and a.number.count]
    return _best(grades, counts[0] if counts else 1, anchors, members, pairs)


def _best(grades: FloatArray, count: int, anchors: Sequence[Item], members: Sequence[int], pairs: Pairs) -> Anchored:
    """The count-th best of (n, m) grades, a last column being that of all ``members`` together."""
    order = np.argsort(-grades, axis=1)
    rows = np.arange(len(grades))
    enough = count <= grades.shape[1]
    result = grades[rows, order[:, count - 1]] if enough else np.zeros(len(grades))
    witnesses: list[list[Candidate]] = []
    for i in rows:
        chosen = [int(j) for j in order[i, :count] if grades[i, j] >= FLOOR]
        close = [j for j in members if pairs.box_gap[i, j] <= pairs.scale[i, j]]
        chosen = [k for j in chosen for k in ([j] if j < len(anchors) else close)]
        witnesses.append([w for j in dict.fromkeys(chosen) for w in anchors[j].chain])
    return Anchored(np.asarray(result), witnesses)


def _pair_grades(
    targets: Targets, relation: Relation, pairs: Pairs, anchors: Sequence[Item], frame: Frame
) -> FloatArray:
    """(n, m) grades of the relation, geometry and brightness alone."""
    name = relation.predicate
    if name == "within_distance":
        if frame.gsd_m is None:
            message = f"“{relation.text}” needs a georeferenced raster: the size of a pixel is not known."
            raise Failed("relation", relation.text, message)
        limit = relation.distance_m or 0.0
        gap_m = pairs.gap_up_to(1.3 * limit / frame.gsd_m) * frame.gsd_m
        return fall(gap_m, limit, 1.05 * limit + 0.5 * frame.gsd_m)
    if name in ("brighter_than", "darker_than"):
        sign = 1.0 if name == "brighter_than" else -1.0
        target, anchor = _brightness(targets.candidates), _brightness([a.candidate for a in anchors])
        return np.nan_to_num(rise(sign * (target[:, None] - anchor[None, :]), 0.0, 0.1), nan=0.0)
    predicate = PREDICATES.get(name)
    if predicate is None:
        raise Failed("relation", relation.text, f"The relation “{relation.text}” is not known.")
    return np.asarray(predicate(pairs, frame))


def _brightness(candidates: Sequence[Candidate]) -> FloatArray:
    return np.array([np.nan if c.brightness is None else c.brightness for c in candidates])


def _to_the_whole(targets: Targets, relation: Relation, members: Sequence[Item], frame: Frame) -> FloatArray:
    """(n,) grades to all members taken as one shape; none for what is one of them itself."""
    if len(members) < 2:
        return np.zeros(len(targets))
    polygons = [item.candidate.polygon for item in members]
    whole = Shapes([shapely.union_all(polygons)])
    grades = PREDICATES[relation.predicate](Pairs(targets.shapes, whole), frame)[:, 0]
    own = targets.same(Pairs(targets.shapes, Shapes(polygons)), members).any(axis=1)
    return np.where(own, 0.0, grades * float(np.median(_weights(members))))


def grades_between(targets: Targets, first: Sequence[Item], second: Sequence[Item] | None) -> Anchored:
    """How far each target lies between the best pair of anchors: one of each set, or two of one."""
    first = sorted(first, key=lambda item: -item.score)[:MAX_BETWEEN]
    others = first if second is None else sorted(second, key=lambda item: -item.score)[:MAX_BETWEEN]
    shapes = Shapes([item.candidate.polygon for item in first])
    other_shapes = shapes if second is None else Shapes([item.candidate.polygon for item in others])
    grades = between(targets.shapes, shapes, None if second is None else other_shapes)
    grades = grades * _weights(first)[None, :, None] * _weights(others)[None, None, :]
    own_first = targets.same(Pairs(targets.shapes, shapes), first)
    own_other = own_first if second is None else targets.same(Pairs(targets.shapes, other_shapes), others)
    is_void = own_first[:, :, None] | own_other[:, None, :] | (Pairs(shapes, other_shapes).iou > SAME_IOU)[None, :, :]
    flat = np.where(is_void, 0.0, grades).reshape(len(targets), -1)
    witnesses: list[list[Candidate]] = []
    for i, k in enumerate(flat.argmax(axis=1)):
        pair = (first[int(k) // len(others)], others[int(k) % len(others)])
        witnesses.append([w for item in pair for w in item.chain] if flat[i, k] >= FLOOR else [])
    return Anchored(flat.max(axis=1), witnesses)


def _weights(anchors: Sequence[Item]) -> FloatArray:
    """(m,) weights in (0, 1]: they fall with the cube of the share of the best anchor's score, to a third.

    "The bright red roof" is the brightest red there is: another that is also red counts for less, not for nothing.
    """
    scores = np.array([item.score for item in anchors], dtype=float)
    share = scores / max(float(scores.max(initial=0.0)), 1e-9)
    return np.asarray(0.35 + 0.65 * share**3)
