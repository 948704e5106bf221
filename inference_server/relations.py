"""From candidates of phrases to what fits the whole expression: sizes, positions, relations, order, number.

Every part of a phrase gives each candidate a grade in [0, 1]. A candidate stays while each grade is at
least ``FLOOR``; its final score is the engine's score times its grades, a relation's grade being that of
the best anchor, weighed by that anchor's score against the best one's, and times the square root of the
best anchor's score. So the score grows with the engine's and with every grade, and lies in [0, 1]. Then
the order ranks what is left, and the number cuts it off. When a part leaves nothing, the answer says which.

    relation_terms   Candidate, Found, Frame, Resolved, Resolution
    shapes           arrays of shapes and of pairs
    predicates       the relations' grades
    anchoring        relations to the anchors found
    placing          positions, sizes, measures, orders
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from inference_server.anchoring import FLOOR, SAME_IOU, Failed, Item, Targets, grades_between, grades_to_anchors
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
from inference_server.relation_terms import Candidate, Found, Frame, Resolution, Resolved
from inference_server.shapes import BoolArray, FloatArray, Pairs, Shapes
from rsground_plugin.protocol import EmptyReason

__all__ = ["Candidate", "Find", "Found", "Frame", "Resolution", "Resolved", "resolve"]

Find = Callable[[Phrase], Found]

#: Sizes are graded more softly than the rest: "large" says little when all are alike.
SIZE_FLOOR = 0.2
#: Candidates of less than this share of the best score take no part where there is more to ask of them.
WEAK = 0.5
#: "all" and bare nouns keep what has this share of the best final score.
KEEP = 0.6
#: The second within this share of the first is told as a near tie.
TIE = 0.95
#: What is left of a score where a relation is passed over, because its anchor is a thing that the engine often misses.
PASSED_OVER = 0.6
#: Of several that fit, "the house" means the one that strikes the eye: scores weigh by this power of the area.
SALIENCE = 0.12
#: And where a place is named, this power of the engine's score is left beside it: of several likely roofs, "the roof at
#: the bottom left" is the one farthest there, not the likeliest.
PLACE_FIRST = 0.3
#: For "closest to": anchors of this share of the best anchor's score count; for "the bus", which is one.
NEAR_ANCHORS, NEAR_ONE = 0.6, 0.85


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
    items = sorted((item for answer in answers for item in answer.items), key=lambda item: -item.score)
    failures = [answer.failure for answer in answers if answer.failure is not None]
    notes = [note for answer in answers for note in answer.notes]
    failure = None
    if items:
        notes += [reason.message for reason in failures]
    else:
        nothing = EmptyReason("expression", expression.text[:200], "There is nothing to look for in these words.")
        failure = failures[0] if failures else nothing
    anchors = {id(witness): witness for item in items for witness in item.witnesses}
    return Resolution(
        tuple(Resolved(item.candidate, item.score) for item in items),
        tuple(anchors.values()),
        failure,
        tuple(dict.fromkeys(notes)),
    )


@dataclass(frozen=True)
class _Answer:
    items: tuple[Item, ...]
    failure: EmptyReason | None = None
    notes: tuple[str, ...] = ()


@dataclass
class _State:
    """The candidates of one phrase while its parts are applied; arrays are (n,)."""

    phrase: Phrase
    targets: Targets
    engine: FloatArray
    grades: FloatArray
    alive: BoolArray
    witnesses: defaultdict[int, list[Candidate]] = field(default_factory=lambda: defaultdict(list))
    notes: list[str] = field(default_factory=list)

    @property
    def scores(self) -> FloatArray:
        return np.asarray(self.engine * self.grades * self.alive)

    def apply(self, grades: FloatArray, part: str, words: str, message: str, *, floor: float = FLOOR) -> None:
        """Multiplies grades in; raises Failed with the message when none passes the floor."""
        alive = self.alive & (grades >= floor)
        if not alive.any():
            raise Failed(part, words, f"Found {self.count()}{message}")
        self.alive = alive
        self.grades = self.grades * np.clip(grades, 0.0, 1.0)

    def count(self) -> str:
        """ "12 cars" for a message."""
        return _counted(int(self.alive.sum()), self.phrase)


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
            for i, order in enumerate(phrase.orders):
                self._order(state, order, is_last=i == len(phrase.orders) - 1)
        except Failed as failed:
            return _Answer((), failed.reason)
        return _chosen(state, as_anchor=as_anchor)

    # -- what a candidate is by itself ------------------------------------------------------------

    def _found(self, phrase: Phrase) -> _State:
        found = self._find(replace(phrase, orders=(), positions=(), relations=(), measures=()))
        candidates = [c for c in found.candidates if not c.is_empty]
        if not candidates:
            message = found.why_empty or f"Found no {_name(phrase)}."
            raise Failed(found.failed_part or "target", _name(phrase), message)
        engine = np.clip(np.array([c.score for c in candidates], dtype=float), 0.0, 1.0)
        is_sized = any(a.kind in ("size", "orientation") for a in phrase.attributes)
        alive = np.ones(len(candidates), dtype=bool)
        if phrase.positions or phrase.relations or phrase.measures or is_sized:
            alive = engine >= WEAK * engine.max()
        targets = Targets(phrase.category, candidates)
        return _State(phrase, targets, engine, np.ones(len(candidates)), alive)

    def _sizes(self, state: _State) -> None:
        for attribute in state.phrase.attributes:
            words = ("not " if attribute.negated else "") + attribute.text
            message = f", but none that is {words}."
            if attribute.kind == "size":
                grades = size_grades(state.targets.shapes, attribute, reality(state.engine))
                state.apply(grades, "attribute", words, message, floor=SIZE_FLOOR)
            elif attribute.kind == "orientation":
                grades = orientation_grades(state.targets.shapes, attribute, self._frame)
                state.apply(grades, "attribute", words, message)
        for measure in state.phrase.measures:
            self._measure(state, measure)

    def _measure(self, state: _State, measure: Measure) -> None:
        if self._frame.gsd_m is None:
            message = f"“{measure.text}” needs a georeferenced raster: the size of a pixel is not known."
            raise Failed("attribute", measure.text, message)
        grades = measure_grades(state.targets.shapes, measure, self._frame.gsd_m)
        state.apply(grades, "attribute", measure.text, f", but none that is {measure.text}.")

    def _positions(self, state: _State) -> None:
        for position in state.phrase.positions:
            words = ("not " if position.negated else "") + position.text
            grades = position_grades(state.targets.shapes, position, self._frame)
            where = f"on the {words}" if position.relative else words
            state.apply(grades, "position", position.text, f", but none {where}.")

    # -- relations --------------------------------------------------------------------------------

    def _relation(self, state: _State, relation: Relation) -> None:
        answers = [self.solve(anchor, as_anchor=True) for anchor in relation.anchors]
        found = [answer.items for answer in answers if answer.items]
        is_pair = relation.predicate == "between" and len(relation.anchors) > 1
        missing = next((answer.failure for answer in answers if answer.failure is not None), None)
        if missing is not None and (not found or (is_pair and len(found) < len(answers))):
            if relation.negated:
                return  # without a pool: no pool at all will do
            if not found and all(a.failure is not None and a.failure.part == "overlooked" for a in answers):
                # Only that it bears the relation is unknown; what it is by itself, it is.
                state.grades = state.grades * PASSED_OVER
                state.notes.append(f"{missing.message} “{relation.text}” was passed over.")
                return
            raise Failed("anchor", missing.phrase, f"{missing.message} So nothing is “{relation.text}”.")
        if relation.predicate == "between":
            anchored = grades_between(state.targets, found[0], found[1] if is_pair else None)
        else:
            anchors = [item for items in found for item in items]
            anchored = grades_to_anchors(state.targets, relation, anchors, self._frame)
        # a relation is not less true because its anchor is hard to see, but the answer is less sure
        strength = float(np.sqrt(max(item.score for items in found for item in items)))
        grades = anchored.grades
        if relation.negated:
            grades, strength = 1.0 - strength * grades, 1.0
        else:
            for i, witnesses in enumerate(anchored.witnesses):
                if witnesses:
                    state.witnesses[i] += witnesses
        known = [_counted(len(a.items), p) for a, p in zip(answers, relation.anchors, strict=True)]
        noun = state.phrase.category or "such thing"
        words = ("that is not " if relation.negated else "") + relation.text
        state.apply(grades, "relation", relation.text, f" and {' and '.join(known)}, but no {noun} {words}.")
        state.grades = state.grades * strength

    # -- order ------------------------------------------------------------------------------------

    def _order(self, state: _State, order: Order, *, is_last: bool) -> None:
        """Grades by rank, then leaves the best: one, as many as asked for, or the front quarter of "all"."""
        index = np.nonzero(state.alive)[0]
        values = self._order_values(state, order, index)
        if values is None:
            state.notes.append(f"“{order.text}” could not be told here, and was ignored.")
            return
        if abs(order.rank) > len(index):
            message = f"Found only {state.count()}, so there is no {ordinal(order.rank)}."
            raise Failed("order", order.text, message)
        number = state.phrase.number if is_last else Number("all")
        wanted = {"one": 1, "any": 1, "count": number.count or 1}.get(number.kind, max(2, round(len(index) / 4)))
        if order.rank != 1 and number.kind != "count":
            wanted = 1
        scores = state.scores[index]
        grades = rank_grades(*values, scores, wanted if wanted > 1 else order.rank, upto=wanted > 1)
        state.alive = np.zeros_like(state.alive)
        state.alive[index[np.argsort(-grades, kind="stable")[:wanted]]] = True
        # half the grade's doubt: it has already chosen, what is left of it is confidence
        state.grades[index] *= 0.5 + 0.5 * np.clip(grades, 0.0, 1.0)

    def _order_values(self, state: _State, order: Order, index: NDArray[np.intp]) -> tuple[FloatArray, float] | None:
        candidates = [state.targets.candidates[i] for i in index]
        shapes = Shapes([c.polygon for c in candidates])
        if order.key == "distance":
            return self._distances(state, order, index, shapes)
        if order.key == "height":
            state.notes.append("Height does not show in one image from above; ranked by area instead.")
        return order_values(shapes, candidates, order, self._frame, state.engine[index])

    def _distances(
        self, state: _State, order: Order, index: NDArray[np.intp], shapes: Shapes
    ) -> tuple[FloatArray, float]:
        """Gaps to the nearest anchor, and a little of the way to it from the middle, so that touching ones differ."""
        answers = [self.solve(anchor, as_anchor=True) for anchor in order.anchors]
        anchors = [item for answer in answers for item in answer.items]
        if not anchors:
            missing = next(answer.failure for answer in answers if answer.failure is not None)
            raise Failed("anchor", missing.phrase, f"{missing.message} So nothing is “{order.text}”.")
        is_one = len(order.anchors) == 1 and order.anchors[0].number.kind == "one"
        share = (NEAR_ONE if is_one else NEAR_ANCHORS) * max(item.score for item in anchors)
        anchors = [item for item in anchors if item.score >= share]
        pairs = Pairs(shapes, Shapes([item.candidate.polygon for item in anchors]))
        gaps = pairs.gap_up_to(np.inf) + 0.05 * np.hypot(pairs.reach[..., 0], pairs.reach[..., 1])
        gaps = np.where(pairs.iou > SAME_IOU, np.inf, gaps)
        for k, i in enumerate(index):
            state.witnesses[i] += anchors[int(gaps[k].argmin())].chain
        diagonal = float(np.hypot(self._frame.width, self._frame.height))
        nearest = np.minimum(gaps.min(axis=1), 4.0 * diagonal)  # its own only anchor: as far as can be
        return (-nearest if order.descending else nearest), 0.004 * diagonal


def _chosen(state: _State, *, as_anchor: bool) -> _Answer:
    """What the number leaves, best first."""
    phrase, scores = state.phrase, state.scores
    kept = [int(i) for i in np.argsort(-scores, kind="stable") if state.alive[i]]
    if phrase.orders or phrase.relations or phrase.positions or phrase.measures:
        kept = [i for i in kept if scores[i] >= KEEP * scores[kept[0]]]
    chosen = kept
    if not as_anchor and phrase.number.kind == "one":
        weight = _striking(state, kept)
        kept.sort(key=lambda i: -weight[i])
        chosen = kept[:1]
        ties = sum(weight[i] >= TIE * weight[kept[0]] for i in kept[1:])
        if ties:
            fits = f"more {_name(phrase)} fits" if ties == 1 else f"more of “{_name(phrase)}” fit"
            state.notes.append(f"{ties} {fits} about as well; shown is the best.")
    elif not as_anchor and phrase.number.count is not None:
        chosen = kept[: phrase.number.count]
        if len(chosen) < phrase.number.count:
            state.notes.append(f"Asked for {phrase.number.count}, found {len(chosen)}.")
    items = (Item(state.targets.candidates[i], float(scores[i]), tuple(state.witnesses.get(i, ()))) for i in chosen)
    return _Answer(tuple(items), None, tuple(state.notes))


def _striking(state: _State, kept: Sequence[int]) -> dict[int, float]:
    """Scores of the kept candidates by how much each strikes the eye by its size, except where words tell the size."""
    power = PLACE_FIRST if state.phrase.positions else 1.0
    scores = state.engine[kept] ** power * state.grades[kept]
    if len(kept) > 1 and not any(a.kind == "size" for a in state.phrase.attributes):
        scores = scores * Shapes([state.targets.candidates[i].polygon for i in kept]).areas ** SALIENCE
    return dict(zip(kept, scores.tolist(), strict=True))


def _name(phrase: Phrase) -> str:
    return phrase.text or phrase.category or "thing"


def _counted(n: int, phrase: Phrase) -> str:
    noun = _name(phrase)
    return f"{n} {noun if n == 1 else plural(noun)}"
