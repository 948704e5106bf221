"""What follows a noun: clauses, places, attributes, and what belongs to which noun.

Attachment is to the nearest noun ("the car next to the bus in front of the house": the bus is in front of
the house), but for what follows a thing that stretches out ("the house next to the road in the upper
left": the house is there), what follows a comma, "and" or "but" (said of the target), and what "that is"
introduces (said of the noun before it, if the number agrees).
"""

from __future__ import annotations

from dataclasses import replace

from inference_server.expression_draft import Draft
from inference_server.expression_lexer import Lexeme
from inference_server.expression_nouns import (
    COLLECTIVES,
    DETAILS,
    GROUNDS,
    PARTS,
    PORTIONS,
    ROOFLESS,
    is_surface,
    singular,
)
from inference_server.expression_phrases import ATTRIBUTE_KINDS
from inference_server.expression_places import compose, read_place, skip_frame
from inference_server.expression_relating import RelationReader
from inference_server.expression_terms import Attribute, Position, Relation

#: Anchors of anchors are read so deep; no sentence goes there, but any string may.
MAX_DEPTH = 8

_LOOKS = frozenset(("color", "colour", "shape", "form", "hue", "shade", "paint"))
_IN_A = frozenset(("row", "line", "group", "cluster"))
_PAUSES = frozenset(("comma", "and", "but", "or", "stop"))


class ClauseReader(RelationReader):
    """Reads noun phrases with all that follows them."""

    def read_phrase(
        self, depth: int, parent: Draft | None, *, no_and: bool = False, in_with: bool = False
    ) -> Draft | None:
        """A noun phrase with what follows it; None when there is none (the cursor then stands still).

        Args:
            depth: 0 for a target, 1 for its anchors, and so on.
            parent: the phrase that this one is an anchor of.
            no_and: "and" ends the phrase, as after "between".
            in_with: after "with", where "next to it" speaks of the parent.
        """
        if self.fuel <= 0 or depth > MAX_DEPTH:
            return None
        self.fuel -= 1
        start = self.pos
        draft = self.read_front()
        if draft.pronoun:
            return draft
        has_figure = draft.nearness is not None or draft.rank is not None or draft.count is not None
        if draft.is_empty and not has_figure and not (draft.has_determiner and self.value() == "of"):
            self.pos = start
            return None
        self._unfold(draft)
        self.read_post(draft, depth, parent, no_and=no_and, in_with=in_with)
        if draft.nearness is not None:
            self.ignored.append(draft.nearness.text)  # "the nearest house": to what, it does not say
            draft.nearness = None
        if draft.is_empty and draft.rank is None:
            self.pos = start
            return None
        return draft

    def _unfold(self, draft: Draft) -> None:
        """ "a row of trees", "a patch of grass", "the largest of the red houses", "two of the cars"."""
        if self.value() != "of" or not self.starts_phrase(1) or skip_frame(self.lexemes, self.pos + 1):
            return
        head = draft.heads[-1] if draft.heads else ""
        is_group = head in COLLECTIVES
        is_piece = head in PORTIONS and len(draft.heads) == 1
        is_headless = not draft.category
        if not (is_group or is_piece or is_headless):
            return
        back = self.pos
        self.pos += 1
        inner = self.read_front()
        if inner.is_empty or inner.pronoun or (is_piece and inner.determiner):
            # "the left of the two" says no more; anything else is read as a relation
            self.pos = inner.start + 2 if inner.count is not None and is_headless else back
            return
        if head in ("pair", "couple"):
            draft.count = 2
        elif is_group:
            draft.count, draft.is_collective = None, True
            draft.quantifier = "" if draft.quantifier == "one of" else draft.quantifier
            draft.determiner = "the"
        elif is_headless:
            self._pick_from(draft, inner)
        if (is_group and head not in ("pair", "couple")) or is_piece:
            draft.attributes.append(Attribute("other", singular(head), f"{singular(head)} of"))
        draft.heads = inner.heads
        draft.is_plural = draft.is_plural if is_piece else inner.is_plural
        draft.attributes += inner.attributes
        draft.positions += inner.positions
        draft.orders += inner.orders
        draft.measures += inner.measures

    @staticmethod
    def _pick_from(draft: Draft, inner: Draft) -> None:
        """The number of "the largest of the red houses" (one) and "all of the houses" (all)."""
        is_pick = draft.orders or draft.rank is not None or draft.nearness is not None or draft.positions
        if not is_pick:
            draft.quantifier = draft.quantifier or inner.quantifier
        elif draft.count is None and draft.quantifier not in ("all", "each of", "any"):
            draft.quantifier, draft.determiner = "one of", "the"

    # -- the loop over what follows ---------------------------------------------------------------

    def read_post(
        self,
        draft: Draft,
        depth: int,
        parent: Draft | None,
        *,
        no_and: bool = False,
        in_with: bool = False,
        stop_at_comma: bool = False,
    ) -> None:
        """Reads all that is said of a noun after it, and leaves what is said of another."""
        is_negated, after_copula = False, False
        while (lexeme := self.peek()) is not None:
            kind = lexeme.kind
            if kind in _PAUSES:
                if is_negated or stop_at_comma or not self._continues(draft, depth):
                    return
                is_negated = lexeme.value == "nor"
                continue
            if kind == "copula":
                if depth > 0 and not draft.has_clause:
                    return
                self.pos += 1
                self._predicate_noun(draft)
                after_copula = True
                continue
            if kind == "not":
                if depth > 0 and parent is not None and self._leaves(draft, parent):
                    return
                self.pos += 1
                if depth == 0 and not after_copula and draft.heads and self._excepts(draft):
                    continue
                is_negated = True
                continue
            if kind == "relpro" or (lexeme.value in ("that", "those") and kind == "det"):
                if not self._clause(draft, parent):
                    return
                continue
            if kind == "placed" and lexeme.word not in ("towards", "toward"):
                self.pos += 1
                if is_negated and self.kind() in ("rel", "dir", "to", "placed"):
                    continue  # "not parked on the road": the relation is negated
                if is_negated:
                    draft.attributes.append(Attribute("other", lexeme.word, lexeme.word, negated=True))
            elif not self._one_post(draft, depth, parent, is_negated, no_and=no_and, in_with=in_with):
                is_participle = kind == "word" and self._is_participle(lexeme)
                if kind not in ("adverb", "mark") and not is_participle:
                    return
                if is_participle and not is_negated:
                    draft.attributes.append(Attribute("other", lexeme.word, lexeme.word))
                self.pos += 1
                continue
            is_negated = after_copula = False

    def _is_participle(self, lexeme: Lexeme) -> bool:
        return lexeme.word.endswith(("ed", "ing")) and self.kind(1) not in ("word", "noun")

    def _clause(self, draft: Draft, parent: Draft | None) -> bool:
        """Steps into "that is", "which has", "whose roof is"; False when the clause is the parent's."""
        names_part = self.kind(1) == "det" and (self.word(2) in PARTS or singular(self.word(2)) in PARTS)
        if self.word() == "whose" or (self.kind() == "relpro" and names_part):  # "where the roof is red"
            self.pos += 1
            self._whose(draft)
            return True
        verb = self.word(1)
        if parent is not None and draft.is_plural != parent.is_plural:
            is_one = verb in ("is", "was", "has", "lies", "stands")
            is_many = verb in ("are", "were", "have", "lie", "stand")
            if (is_one and draft.is_plural) or (is_many and not draft.is_plural):
                return False
        draft.has_clause = True
        self.pos += 1
        return True

    def _continues(self, draft: Draft, depth: int) -> bool:
        """At a comma, "and", "but", "or", full stop: steps over it when more is said of this noun."""
        kind = self.kind()
        if depth > 0 and not (draft.has_clause and kind in ("and", "or")):
            return False
        ahead = 1
        while self.kind(ahead) in ("comma", "and", "but", "adverb"):
            ahead += 1
        if self.kind(ahead) == "pronoun" and self.kind(ahead + 1) == "copula":
            ahead += 1
        elif kind == "stop":
            return False
        if not self.is_post(ahead):
            return False
        self.pos += ahead
        return True

    def is_post(self, ahead: int) -> bool:
        """Whether something said of the noun before starts there, rather than another noun."""
        lexeme = self.peek(ahead)
        if lexeme is None:
            return False
        kind, after = lexeme.kind, self.kind(ahead + 1)
        if kind == "rel":
            return lexeme.value != "of"
        if kind == "placed":
            return after not in ("word", "noun")
        if kind == "det":
            return lexeme.value == "that" and after in ("copula", "rel", "placed", "not")
        if kind == "not":
            return self.is_post(ahead + 1) or after in ATTRIBUTE_KINDS | {"det"}
        if kind == "dir":
            return read_place(self.lexemes, self.pos + ahead) is not None
        if kind == "cmp":
            return after == "than"
        if kind == "number":
            return after == "unit"
        if kind in ATTRIBUTE_KINDS:  # "round, white, next to the road"
            k = ahead
            while self.kind(k) in ATTRIBUTE_KINDS:
                k += 1
            return self.kind(k) not in ("word", "noun", "side", "unit", "placed", "number")
        return kind in ("relpro", "copula", "bound", "to", "nearness")

    def _excepts(self, draft: Draft) -> bool:
        """ "but not the one next to the road"."""
        if self.kind() != "det" or read_place(self.lexemes, self.pos) is not None:
            return False
        start = self.pos
        groups = self.read_anchors(draft, 0, no_and=True, in_with=False)
        return bool(groups) and self.relate(draft, "except", groups, False, start)

    def _predicate_noun(self, draft: Draft) -> None:
        """After "is": "is a car", "is the largest (one)", "is red": what fits goes to the noun."""
        if self.kind() == "pronoun" and self.kind(1) in ("sup", "rel", "dir"):
            self.pos += 1
        if self.kind() == "not" or not (self.kind() == "det" and self.starts_phrase()):
            return
        if self.kind(1) in ("sup", "csup", "ordinal", "nearness", "cmp", "dir"):
            self.pos += self.kind(1) != "dir" or read_place(self.lexemes, self.pos) is None
            return
        back = self.pos
        inner = self.read_front()
        if inner.pronoun or inner.is_empty:
            self.pos = back
            return
        draft.attributes += inner.attributes
        draft.orders += inner.orders
        if not draft.category and inner.category:
            draft.heads = inner.heads

    def _one_post(
        self, draft: Draft, depth: int, parent: Draft | None, negated: bool, *, no_and: bool, in_with: bool
    ) -> bool:
        """One order, measure, place, relation or attribute after the noun; False when none is there."""
        if self.read_order(draft, depth) or self.read_measure(draft, depth, negated, no_and=no_and):
            return True
        kind = self.kind()
        place = read_place(self.lexemes, self.pos)
        is_relation = place is not None or (kind == "rel" and self.value() != "of")
        if is_relation and depth > 0 and parent is not None and self._leaves(draft, parent):
            return False
        if place is not None:
            return self._place(draft, depth, negated, no_and=no_and, in_with=in_with)
        if kind == "rel":
            look = self._look(draft, depth, parent)
            if look is not None:
                return look
            return self.read_relation(draft, depth, negated, no_and=no_and, in_with=in_with)
        if kind == "cmp" and self.kind(1) == "than":
            return self.read_comparison(draft, depth, negated)
        if kind in ATTRIBUTE_KINDS and (draft.heads or draft.has_clause or depth == 0):
            attribute = self.read_attribute()
            if attribute is not None:
                draft.attributes.append(replace(attribute, negated=attribute.negated != negated))
                if self.kind() == "and" and self.kind(1) in ATTRIBUTE_KINDS and self.is_post(1):
                    self.pos += 1
                return True
        if self.word() in ("one", "ones") and not draft.heads:
            self.pos += 1
            return True
        return False

    @staticmethod
    def _leaves(draft: Draft, parent: Draft) -> bool:
        """What follows a stretching thing is said of the thing beside it."""
        return draft.category in GROUNDS and not draft.has_clause and draft.category != parent.category

    def _place(self, draft: Draft, depth: int, negated: bool, *, no_and: bool, in_with: bool) -> bool:
        """ "in the upper left", "left of X", "to its left"."""
        start = self.pos
        place = read_place(self.lexemes, start)
        if place is None:
            return False
        self.pos = place.stop
        if place.is_own:
            draft.about_owner = (place.predicate, negated)
            return True
        frame = skip_frame(self.lexemes, place.stop, loosely=True) if place.has_anchor else None
        if frame is not None:
            self.pos = frame
        elif place.has_anchor and (inner := self.read_image_place()) is not None:
            # "left of the middle" is on the left, "the middle of the left side" is both
            value = compose(("center", inner)) if place.value == "center" else place.value
            place = replace(place, value=value)
        elif place.has_anchor:
            groups = self.read_anchors(draft, depth, no_and=no_and, in_with=in_with)
            if groups:
                on_surface = is_surface(groups[0][0].category) and not is_surface(draft.category)
                return self.relate(
                    draft, place.part if place.part and on_surface else place.predicate, groups, negated, start
                )
            if draft.about_owner is not None:
                draft.about_owner = (place.predicate, negated)
                return True
            self.pos = place.stop
            while self.kind() in ("det", "number", "pronoun"):  # "the left of the two", "of them"
                self.pos += 1
        draft.positions.append(Position(place.value, self.words(start, self.pos), negated=negated))
        return True

    # -- looks: parts whose colour is the whole's -------------------------------------------------

    def _look(self, draft: Draft, depth: int, parent: Draft | None) -> bool | None:
        """ "with a blue roof", "in red", "of circular shape", "in a row": told of the whole.

        Returns:
            True when read; False when it stands here but is said of the parent ("the house next to the
            road with a red roof"); None when it does not stand here.
        """
        start, predicate = self.pos, self.value()
        if predicate not in ("with", "in", "of", "covered_with"):
            return None
        if predicate == "in" and self.kind(1) == "det" and self.value(2) in _IN_A:
            self.pos += 3
            text = self.words(start, self.pos)
            if text.split()[1] in ("a", "an"):
                draft.attributes.append(Attribute("other", text, text))
            return True
        is_made = predicate in ("of", "covered_with") and self.kind(1) == "material"
        if is_made and self.kind(2) not in ("word", "noun"):
            draft.attributes.append(Attribute("material", self.value(1), self.word(1)))
            self.pos += 2
            return True
        self.pos = start + 1
        inner = self.read_front()
        head = inner.heads[-1] if inner.heads else ""
        is_part = head in PARTS or singular(head) in PARTS or head in _LOOKS
        is_detail = head in DETAILS and bool(inner.attributes)
        is_shape = bool(inner.attributes) and all(a.kind == "shape" for a in inner.attributes)
        is_bare = not head and bool(inner.attributes) and (is_shape or (predicate == "in" and not inner.determiner))
        if inner.is_negated or not (is_part or is_detail or is_bare):
            self.pos = start
            return None
        if depth > 0 and parent is not None and is_part and head not in _LOOKS and draft.category in ROOFLESS:
            self.pos = start
            return False
        if self.kind() in ("relpro", "det") and self.kind(1) == "copula":
            clause = self.pos
            self.pos += 2
            attribute = self.read_attribute()
            if attribute is None:
                self.pos = clause
            else:
                inner.attributes.append(attribute)
        if is_detail and not is_part:
            text = " ".join((*(a.text for a in inner.attributes), *inner.heads))
            draft.attributes.append(Attribute("other", text, text))
            draft.details.append(text)
        else:
            _give_look(draft, inner, head)
        return True

    def _whose(self, draft: Draft) -> None:
        """ "whose roof is blue" -> the look; "whose pool is round" -> with a round pool."""
        start = self.pos
        inner = self.read_front()
        if self.kind() == "copula":
            self.pos += 1
            is_negated = self.kind() == "not" and self.kind(1) in ATTRIBUTE_KINDS
            self.pos += is_negated
            while (attribute := self.read_attribute()) is not None:
                inner.attributes.append(replace(attribute, negated=attribute.negated != is_negated))
                self.pos += self.kind() == "and" and self.kind(1) in ATTRIBUTE_KINDS
        head = inner.heads[-1] if inner.heads else ""
        if head in PARTS or head in DETAILS or singular(head) in PARTS or head in _LOOKS:
            _give_look(draft, inner, head)
        elif not inner.is_empty:
            draft.relations.append(Relation("with", (inner.phrase(),), text="whose " + self.words(start, self.pos)))


def _give_look(draft: Draft, inner: Draft, head: str) -> None:
    """Gives the attributes and orders of a part to the whole."""
    is_part = bool(head) and head not in _LOOKS
    for attribute in inner.attributes:
        text = f"{attribute.text} {head}" if is_part else attribute.text
        value = f"{attribute.value} {singular(head)}" if attribute.kind == "other" and is_part else attribute.value
        draft.attributes.append(replace(attribute, text=text, value=value))
        if is_part and not attribute.negated:
            draft.details.append(text)
    draft.orders += inner.orders
