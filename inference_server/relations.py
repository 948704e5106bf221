"""From candidates of phrases to what fits the whole expression: sizes, positions, relations, order, number.

Every part of a phrase gives each candidate a grade in [0, 1]. A candidate stays while each grade is at
least ``FLOOR``; its final score is the engine's score times its grades, a relation's grade being that of
the best anchor, weighed by that anchor's score against the best one's (``_anchor_weights``), and times the
square root of the best anchor's score. So the score grows with the engine's and with every grade, and lies
in [0, 1]. Then the order ranks what is left, and the number cuts it off.
When a part leaves nothing, the answer says which.

    relation_terms   Candidate, Found, Frame, Resolved, Resolution
    shapes           arrays of shapes and of pairs
    predicates       the relations' grades
    placing          positions, sizes, measures, orders
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import shapely
from numpy.typing import NDArray

from inference_server.expression import Expression, Measure, Number, Order, Phrase, Relation
from inference_server.expression_notation import ordinal
from inference_server.expression_nouns import plural
from inference_server.placing import (
    measure_grades,
    order_values,
    orientation_grades,
    position_grades,
    rank_grades,
    reality,
    size_grades,
)
from inference_server.predicates import CLOSE, PREDICATES, TO_ALL, TO_ITSELF, TO_THE_WHOLE, between
from inference_server.relation_terms import Candidate, Found, Frame, Resolution, Resolved
from inference_server.shapes import BoolArray, FloatArray, Pairs, Shapes, fall, rise
from rsground_plugin.protocol import EmptyReason

__all__ = ["Candidate", "Find", "Found", "Frame", "Resolution", "Resolved", "resolve"]

Find = Callable[[Phrase], Found]

#: A grade below this says no.
FLOOR = 0.3
#: Sizes are graded more softly: "large" says little when all are alike.
SIZE_FLOOR = 0.2
#: Candidates of less than this share of the best score take no part in relations and positions.
WEAK = 0.4
#: "all" and bare nouns keep what has this share of the best final score.
KEEP = 0.35
#: The second within this share of the first is told as a near tie.
TIE = 0.95
#: Anchors looked at for one relation, best first; for "between", whose pairs are many.
MAX_ANCHORS, MAX_BETWEEN = 300, 40
#: Shapes that overlap by so much are one and the same thing, which is no anchor of itself.
SAME_IOU = 0.5


def resolve(expression: Expression, find: Find, frame: Frame) -> Resolution:
    """What fits the expression, best first.

    Args:
        expression: parsed.
        find: gives the engine's candidates of a phrase; called with the phrase's category, attributes and
            number only, since the rest is settled here.
        frame: of the tile.

    Returns:
        The answer; ``failure`` is set when it has no items, and names the part that left nothing.
    """
    resolver = _Resolver(find, frame)
    answers = [resolver.solve(target) for target in expression.targets]
    items: list[_Item] = [item for answer in answers for item in answer.items]
    failures = [answer.failure for answer in answers if answer.failure is not None]
    notes = [note for answer in answers for note in answer.notes]
    if items:
        notes += [failure.message for failure in failures]
        failure = None
    else:
        nothing = EmptyReason("expression", expression.text[:200], "There is nothing to look for in these words.")
        failure = failures[0] if failures else nothing
    items.sort(key=lambda item: -item.score)
    anchors = _unique([witness for item in items for witness in item.witnesses])
    return Resolution(
        tuple(Resolved(item.candidate, item.score) for item in items),
        tuple(anchors),
        failure,
        tuple(dict.fromkeys(notes)),
    )


@dataclass(frozen=True)
class _Item:
    candidate: Candidate
    score: float
    witnesses: tuple[Candidate, ...] = ()


@dataclass(frozen=True)
class _Answer:
    items: tuple[_Item, ...]
    failure: EmptyReason | None = None
    notes: tuple[str, ...] = ()


class _Failed(Exception):
    """A part of the phrase left nothing."""

    def __init__(self, part: str, phrase: str, message: str) -> None:
        super().__init__(message)
        self.reason = EmptyReason(part, phrase, message)


@dataclass
class _State:
    """The candidates of one phrase while its parts are applied."""

    phrase: Phrase
    candidates: list[Candidate]
    shapes: Shapes
    engine: FloatArray
    grades: FloatArray
    alive: BoolArray
    witnesses: list[list[Candidate]]
    notes: list[str]

    @property
    def scores(self) -> FloatArray:
        return np.asarray(self.engine * self.grades * self.alive)

    def apply(self, grades: FloatArray, part: str, words: str, message: str, *, floor: float = FLOOR) -> None:
        """Multiplies grades in; raises _Failed with the message when none passes the floor."""
        alive = self.alive & (grades >= floor)
        if not alive.any():
            raise _Failed(part, words, message)
        self.alive = alive
        self.grades = self.grades * np.clip(grades, 0.0, 1.0)


class _Resolver:
    def __init__(self, find: Find, frame: Frame) -> None:
        self._find = find
        self._frame = frame

    def solve(self, phrase: Phrase, *, as_anchor: bool = False) -> _Answer:
        """What fits a phrase; as an anchor, all that does, since the relation tells which is meant."""
        try:
            state = self._found(phrase)
            self._sizes(state)
            self._positions(state)
            for relation in phrase.relations:
                self._relation(state, relation)
            return self._chosen(state, as_anchor=as_anchor)
        except _Failed as failed:
            return _Answer((), failed.reason)

    # -- candidates -------------------------------------------------------------------------------

    def _found(self, phrase: Phrase) -> _State:
        bare = replace(phrase, orders=(), positions=(), relations=(), measures=())
        found = self._find(bare)
        candidates = [c for c in found.candidates if not c.polygon.is_empty and c.polygon.area > 0]
        if not candidates:
            message = found.why_empty or f"Found no {_name(phrase)}."
            raise _Failed(found.failed_part or "target", _name(phrase), message)
        engine = np.clip(np.array([c.score for c in candidates], dtype=float), 0.0, 1.0)
        alive = np.ones(len(candidates), dtype=bool)
        is_sized = any(a.kind in ("size", "orientation") for a in phrase.attributes)
        if phrase.positions or phrase.relations or phrase.measures or is_sized:
            alive = engine >= WEAK * engine.max()
        shapes = Shapes([c.polygon for c in candidates])
        return _State(phrase, candidates, shapes, engine, np.ones(len(candidates)), alive, [[] for _ in candidates], [])

    def _sizes(self, state: _State) -> None:
        phrase, frame = state.phrase, self._frame
        for attribute in phrase.attributes:
            if attribute.kind == "size":
                grades = size_grades(state.shapes, attribute, reality(state.engine))
                words = ("not " if attribute.negated else "") + attribute.text
                message = f"Found {_count(state)}, but none that is {words}."
                state.apply(grades, "attribute", words, message, floor=SIZE_FLOOR)
            elif attribute.kind == "orientation":
                grades = orientation_grades(state.shapes, attribute, frame)
                message = f"Found {_count(state)}, but none that is {attribute.text}."
                state.apply(grades, "attribute", attribute.text, message)
        for measure in phrase.measures:
            self._measure(state, measure)

    def _measure(self, state: _State, measure: Measure) -> None:
        if self._frame.gsd_m is None:
            message = f"“{measure.text}” needs a georeferenced raster: the size of a pixel is not known."
            raise _Failed("attribute", measure.text, message)
        message = f"Found {_count(state)}, but none that is {measure.text}."
        state.apply(measure_grades(state.shapes, measure, self._frame.gsd_m), "attribute", measure.text, message)

    def _positions(self, state: _State) -> None:
        for position in state.phrase.positions:
            where = ("not " if position.negated else "") + position.text
            message = f"Found {_count(state)}, but none {'that is ' if position.relative else ''}{where}."
            state.apply(position_grades(state.shapes, position, self._frame), "position", position.text, message)

    # -- relations --------------------------------------------------------------------------------

    def _relation(self, state: _State, relation: Relation) -> None:
        answers = [self.solve(anchor, as_anchor=True) for anchor in relation.anchors]
        found = [answer for answer in answers if answer.items]
        is_pair = relation.predicate == "between" and len(relation.anchors) > 1
        missing = next((answer.failure for answer in answers if answer.failure is not None), None)
        if missing is not None and (not found or (is_pair and len(found) < len(answers))):
            if relation.negated:
                return  # without a pool: no pool at all will do
            raise _Failed("anchor", missing.phrase, f"{missing.message} So nothing is “{relation.text}”.")
        if relation.predicate == "between":
            grades, best = self._between(state, found)
        else:
            anchors = [item for answer in found for item in answer.items]
            counts = [a.number.count for a in relation.anchors if a.number.kind == "count" and a.number.count]
            grades, best = self._to_anchors(state, relation, anchors, counts[0] if counts else 1)
        # a relation is not less true because its anchor is hard to see, but the answer is less sure
        strength = float(np.sqrt(max(item.score for answer in found for item in answer.items)))
        if relation.negated:
            grades, strength = 1.0 - strength * grades, 1.0
        else:
            for i, witnesses in enumerate(best):
                state.witnesses[i] += witnesses
        message = (
            f"Found {_count(state)} and {_anchor_count(relation, found)}, but no {state.phrase.category or 'match'}"
        )
        state.apply(grades, "relation", relation.text, f"{message} {'not ' * relation.negated}{relation.text}.")
        state.grades = state.grades * strength

    def _to_anchors(
        self, state: _State, relation: Relation, anchors: list[_Item], count: int
    ) -> tuple[FloatArray, list[list[Candidate]]]:
        """(n,) grades and, for each candidate, the anchors that they rest on."""
        anchors = sorted(anchors, key=lambda item: -item.score)[:MAX_ANCHORS]
        shapes = Shapes([item.candidate.polygon for item in anchors])
        pairs = Pairs(state.shapes, shapes)
        grades = self._predicate(state, relation, pairs, anchors)
        weights = _anchor_weights(anchors)
        if relation.negated and relation.predicate in CLOSE:
            grades = np.maximum(grades, rise(pairs.covered, 0.1, 0.5))  # what is on the road is not away from it
        if relation.predicate not in TO_ITSELF:
            same = _same(state, pairs, anchors)
            # the lorry is no vehicle that is "not near the lorry"; but a car may stand away from the cars
            is_other = all(anchor.category != state.phrase.category for anchor in relation.anchors)
            alike = 1.0 if relation.predicate in TO_ALL or (relation.negated and is_other) else 0.0
            grades = np.where(same, alike, grades)
        if relation.predicate in TO_ALL:
            counted = np.where(weights[None, :] >= 0.5 * weights.max(), grades, 1.0)
            column = counted.argmin(axis=1)
            return counted.min(axis=1), [list(_with_witnesses(anchors[j])) for j in column]
        weighed = grades * weights[None, :]
        if relation.predicate in TO_THE_WHOLE and len(anchors) > 1:
            whole, members = self._whole(state, relation, anchors, weights)
            weighed = np.column_stack([weighed, whole])
        else:
            members = []
        columns = np.argsort(-weighed, axis=1)
        kth = min(count, weighed.shape[1]) - 1 if count <= weighed.shape[1] else None
        result = np.zeros(len(weighed)) if kth is None else weighed[np.arange(len(weighed)), columns[:, kth]]
        best: list[list[Candidate]] = []
        for i in range(len(weighed)):
            chosen = [j for j in columns[i, :count] if weighed[i, j] >= FLOOR]
            witnesses = [w for j in chosen if j < len(anchors) for w in _with_witnesses(anchors[j])]
            if any(j >= len(anchors) for j in chosen):
                witnesses += [
                    w for j in members if pairs.box_gap[i, j] <= pairs.scale[i, j] for w in _with_witnesses(anchors[j])
                ]
            best.append(witnesses)
        return np.asarray(result), best

    def _predicate(self, state: _State, relation: Relation, pairs: Pairs, anchors: list[_Item]) -> FloatArray:
        name = relation.predicate
        if name == "within_distance":
            gsd_m = self._frame.gsd_m
            if gsd_m is None:
                message = f"“{relation.text}” needs a georeferenced raster: the size of a pixel is not known."
                raise _Failed("relation", relation.text, message)
            limit = relation.distance_m or 0.0
            return fall(pairs.gap_up_to(1.3 * limit / gsd_m) * gsd_m, limit, 1.05 * limit + 0.5 * gsd_m)
        if name in ("brighter_than", "darker_than"):
            sign = 1.0 if name == "brighter_than" else -1.0
            target = np.array([np.nan if c.brightness is None else c.brightness for c in state.candidates])
            anchor = np.array([np.nan if a.candidate.brightness is None else a.candidate.brightness for a in anchors])
            return np.nan_to_num(rise(sign * (target[:, None] - anchor[None, :]), 0.0, 0.1), nan=0.0)
        predicate = PREDICATES.get(name)
        if predicate is None:
            raise _Failed("relation", relation.text, f"The relation “{relation.text}” is not known.")
        return np.asarray(predicate(pairs, self._frame))

    def _whole(
        self, state: _State, relation: Relation, anchors: list[_Item], weights: FloatArray
    ) -> tuple[FloatArray, list[int]]:
        """(n,) grades to all strong anchors taken as one shape; a candidate's own shape is taken out."""
        members = [j for j, weight in enumerate(weights) if weight >= 0.5 * weights.max()]
        if len(members) < 2:
            return np.zeros(len(state.candidates)), []
        whole = Shapes([shapely.union_all([anchors[j].candidate.polygon for j in members])])
        grades = PREDICATES[relation.predicate](Pairs(state.shapes, whole), self._frame)[:, 0]
        pairs = Pairs(state.shapes, Shapes([anchors[j].candidate.polygon for j in members]))
        own = _same(state, pairs, [anchors[j] for j in members]).any(axis=1)
        return np.where(own, 0.0, grades * float(np.median(weights[members]))), members

    def _between(self, state: _State, found: list[_Answer]) -> tuple[FloatArray, list[list[Candidate]]]:
        groups = [sorted(answer.items, key=lambda item: -item.score)[:MAX_BETWEEN] for answer in found]
        first, second = groups[0], groups[1] if len(groups) > 1 else None
        others = first if second is None else second
        shapes = Shapes([item.candidate.polygon for item in first])
        other_shapes = None if second is None else Shapes([item.candidate.polygon for item in second])
        grades = between(state.shapes, shapes, other_shapes)
        grades = grades * _anchor_weights(first)[None, :, None] * _anchor_weights(others)[None, None, :]
        own_first = _same(state, Pairs(state.shapes, shapes), first)
        own_other = own_first if other_shapes is None else _same(state, Pairs(state.shapes, other_shapes), others)
        grades = np.where(own_first[:, :, None] | own_other[:, None, :], 0.0, grades)
        apart = Pairs(shapes, shapes if other_shapes is None else other_shapes)
        grades = np.where((apart.iou > SAME_IOU)[None, :, :], 0.0, grades)
        flat = grades.reshape(len(grades), -1)
        column = flat.argmax(axis=1)
        best = []
        for i, k in enumerate(column):
            a, b = first[k // len(others)], others[k % len(others)]
            best.append([*_with_witnesses(a), *_with_witnesses(b)] if flat[i, k] >= FLOOR else [])
        return flat.max(axis=1), best

    # -- order and number -------------------------------------------------------------------------

    def _chosen(self, state: _State, *, as_anchor: bool) -> _Answer:
        number = state.phrase.number
        for i, order in enumerate(state.phrase.orders):
            self._order(state, order, is_last=i == len(state.phrase.orders) - 1)
        scores = state.scores
        best_first = [int(i) for i in np.argsort(-scores, kind="stable") if state.alive[i]]
        floor = KEEP * scores[best_first[0]]
        kept = [i for i in best_first if scores[i] >= floor]
        if not (state.phrase.orders or state.phrase.relations or state.phrase.positions or state.phrase.measures):
            kept = best_first
        if as_anchor:
            chosen = kept
        elif number.kind == "one":
            chosen = kept[:1]
            ties = [i for i in kept[1:] if scores[i] >= TIE * scores[kept[0]]]
            if ties:
                state.notes.append(
                    f"{len(ties)} more {_plural(state.phrase, len(ties))} about as well; shown is the best."
                )
        elif number.kind == "count" and number.count is not None:
            chosen = kept[: number.count]
            if len(chosen) < number.count:
                state.notes.append(f"Asked for {number.count}, found {len(chosen)}.")
        else:
            chosen = kept
        items = tuple(_Item(state.candidates[i], float(scores[i]), tuple(state.witnesses[i])) for i in chosen)
        return _Answer(items, None, tuple(state.notes))

    def _order(self, state: _State, order: Order, *, is_last: bool) -> None:
        """Grades by rank, then leaves the best: one, as many as asked for, or the front part of "all"."""
        phrase = state.phrase
        index = np.nonzero(state.alive)[0]
        scores = state.scores[index]
        values = self._order_values(state, order, index)
        if values is None:
            state.notes.append(f"“{order.text}” could not be told here, and was ignored.")
            return
        number = phrase.number if is_last else Number("all")
        wanted = {"one": 1, "any": 1, "count": number.count or 1}.get(number.kind, max(2, round(len(index) / 4)))
        wanted = 1 if order.rank != 1 and number.kind != "count" else wanted
        if abs(order.rank) > len(index):
            message = f"Found only {_count(state)}, so there is no {ordinal(order.rank)}."
            raise _Failed("order", order.text, message)
        if wanted > 1:
            grades = rank_grades(*values, scores, wanted, upto=True)
        else:
            grades = rank_grades(*values, scores, order.rank)
        keep = np.argsort(-grades, kind="stable")[:wanted]
        alive = np.zeros_like(state.alive)
        alive[index[keep]] = True
        full = np.ones(len(state.candidates))
        # half the grade's doubt: it has already chosen, what is left of it is confidence
        full[index] = 0.5 + 0.5 * np.clip(grades, 0.0, 1.0)
        state.alive, state.grades = alive, state.grades * full

    def _order_values(self, state: _State, order: Order, index: NDArray[np.intp]) -> tuple[FloatArray, float] | None:
        shapes = Shapes([state.candidates[i].polygon for i in index])
        candidates = [state.candidates[i] for i in index]
        if order.key == "height":
            state.notes.append("Height does not show in one image from above; ranked by area instead.")
        if order.key != "distance":
            return order_values(shapes, candidates, order, self._frame, state.engine[index])
        answers = [self.solve(anchor, as_anchor=True) for anchor in order.anchors]
        anchors = [item for answer in answers for item in answer.items]
        if not anchors:
            missing = next((a.failure for a in answers if a.failure is not None), None)
            raise _Failed(
                "anchor",
                missing.phrase if missing else order.text,
                f"{missing.message if missing else ''} So nothing is “{order.text}” it.".strip(),
            )
        strong = [a for a in anchors if a.score >= 0.6 * max(b.score for b in anchors)]
        if all(anchor.number.kind == "one" for anchor in order.anchors) and len(order.anchors) == 1:
            # "the bus" is one: the best of them, for nearest to any would be nearest to a doubtful one
            strong = [a for a in strong if a.score >= 0.85 * strong[0].score]
        pairs = Pairs(shapes, Shapes([a.candidate.polygon for a in strong]))
        gaps = pairs.gap_up_to(np.inf) + 0.05 * np.hypot(pairs.reach[..., 0], pairs.reach[..., 1])
        gaps = np.where(pairs.iou > SAME_IOU, np.inf, gaps)
        nearest = gaps.min(axis=1)
        nearest = np.where(np.isfinite(nearest), nearest, 4.0 * (self._frame.width + self._frame.height))
        for k, i in enumerate(index):
            state.witnesses[i] += _with_witnesses(strong[int(gaps[k].argmin())])
        diagonal = float(np.hypot(self._frame.width, self._frame.height))
        return (-nearest if order.descending else nearest), 0.004 * diagonal


def _anchor_weights(anchors: list[_Item]) -> FloatArray:
    """(m,) weights in (0, 1] by the share of the best anchor's score: from 0.7 of it on fully."""
    scores = np.array([item.score for item in anchors], dtype=float)
    best = max(float(scores.max(initial=0.0)), 1e-9)
    return rise(scores / best, -0.2, 0.7)


def _same(state: _State, pairs: Pairs, anchors: list[_Item]) -> BoolArray:
    """(n, m) whether a candidate and an anchor are one and the same thing."""
    identical = np.array(
        [[c is a.candidate or c.source is a.candidate.source is not None for a in anchors] for c in state.candidates],
        dtype=bool,
    ).reshape(pairs.shape)
    return np.asarray(identical | (pairs.iou > SAME_IOU))


def _with_witnesses(item: _Item) -> tuple[Candidate, ...]:
    return (item.candidate, *item.witnesses)


def _unique(candidates: list[Candidate]) -> list[Candidate]:
    seen: dict[int, Candidate] = {}
    for candidate in candidates:
        seen.setdefault(id(candidate), candidate)
    return list(seen.values())


def _name(phrase: Phrase) -> str:
    return phrase.text or phrase.category or "thing"


def _plural(phrase: Phrase, count: int) -> str:
    noun = _name(phrase)
    return f"{noun} fits" if count == 1 else f"of “{noun}” fit"


def _count(state: _State) -> str:
    """ "12 cars" for a message."""
    noun, n = _name(state.phrase), int(state.alive.sum())
    return f"{n} {noun if n == 1 else plural(noun)}"


def _anchor_count(relation: Relation, found: list[_Answer]) -> str:
    parts = []
    for anchor, answer in zip((a for a in relation.anchors), found, strict=False):
        n, noun = len(answer.items), _name(anchor)
        parts.append(f"{n} {noun if n == 1 else plural(noun)}")
    return " and ".join(parts) or "no anchor"
