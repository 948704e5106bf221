"""Lexemes -> Expression: what follows a noun, what belongs to what, and requests around it.

Attachment is to the nearest noun ("the car next to the bus in front of the house": the bus is in front of
the house), but for what follows a thing that stretches out ("the house next to the road in the upper
left": the house is there), what follows a comma, "and" or "but" (said of the target), and what "that is"
introduces (said of the noun before it).
"""

from __future__ import annotations

from dataclasses import replace

from inference_server import expression_words as words
from inference_server.expression_lexer import Lexeme, lex
from inference_server.expression_nouns import BRIDGES, COLLECTIVES, DETAILS, GROUNDS, PARTS, PORTIONS, ROOFLESS
from inference_server.expression_phrases import ATTRIBUTE_KINDS, BEFORE_NOUN, Draft, PhraseReader
from inference_server.expression_places import read_place, read_quantity, skip_frame
from inference_server.expression_terms import (
    Attribute,
    Expression,
    Measure,
    Number,
    Order,
    Phrase,
    Position,
    Relation,
)

#: Anchors of anchors are read so deep; no sentence goes there, but any string may.
MAX_DEPTH = 8
#: Noun phrases read of one text, retries included; bounds the time of a text that is no sentence.
MAX_PHRASES = 200

_SCREEN_ORDERS = {
    "left": ("x", False), "right": ("x", True), "top": ("y", False), "bottom": ("y", True),
    "top left": ("x", False), "bottom left": ("x", False), "top right": ("x", True), "bottom right": ("x", True),
    "north": ("north", True), "south": ("north", False), "east": ("east", True), "west": ("east", False),
    "north-west": ("north", True), "north-east": ("north", True), "south-west": ("north", False),
    "south-east": ("north", False), "center": ("center", False),
}  # fmt: skip
_INVERSE = {
    "left_of": "right_of", "right_of": "left_of", "above": "below", "below": "above",
    "upper_left_of": "lower_right_of", "lower_right_of": "upper_left_of",
    "upper_right_of": "lower_left_of", "lower_left_of": "upper_right_of",
    "north_of": "south_of", "south_of": "north_of", "east_of": "west_of", "west_of": "east_of",
    "north_east_of": "south_west_of", "south_west_of": "north_east_of",
    "north_west_of": "south_east_of", "south_east_of": "north_west_of",
    "around": "surrounded_by", "surrounded_by": "around", "on": "containing", "in": "containing",
    "at_center_of": "containing", "in_front_of": "behind", "behind": "in_front_of", "over": "on", "across": "opposite",
}  # fmt: skip
_SOLID_ABOVE = frozenset("bridge overpass flyover viaduct tree roof canopy awning footbridge umbrella".split())
_MEASURED = {"length": "length", "width": "width", "area": "area", "size": "area", "surface": "area"}


def parse(text: str) -> Expression:
    """The expression that a text holds: deterministic, never fails, ``targets`` empty when nothing is looked for."""
    lexemes, unread = lex(text)
    return _Parser(text, lexemes).expression(unread)


class _Parser(PhraseReader):
    """Recursive descent with a bounded number of steps."""

    def __init__(self, text: str, lexemes: list[Lexeme]) -> None:
        super().__init__(text, lexemes)
        self.fuel = MAX_PHRASES
        self.previous: Phrase | None = None

    # -- the whole request ------------------------------------------------------------------------

    def expression(self, unread: str) -> Expression:
        targets: list[Draft] = []
        joined_bare: list[bool] = []
        self._skip_leads()
        while self.peek() is not None:
            before, joint = self.pos, self.kind()
            if joint in ("and", "or", "comma", "stop", "but", "mark", "adverb", "copula", "relpro"):
                self.pos += 1
                if joint in ("stop", "comma"):
                    self._skip_leads()
                continue
            draft = self._target()
            if draft is None or (draft.is_empty and not draft.is_negated):
                self.pos = max(self.pos, before + 1) if draft is None else self.pos + (self.pos == before)
                self._ignore(before, self.pos)
                continue
            if draft.is_negated:
                self._ignore(before, self.pos)
                continue
            targets.append(draft)
            joined_bare.append(joint not in ("stop", "comma") and not draft.determiner and not draft.quantifier)
            self.previous = replace(draft.phrase(), number=Number("one"))
        self._share(targets, joined_bare)
        if unread:
            self.ignored.append(unread if len(unread) <= 60 else unread[:57] + "...")
        return Expression(self.text, tuple(d.phrase() for d in targets), tuple(self.ignored))

    def _share(self, targets: list[Draft], bare: list[bool]) -> None:
        """ "all cars and trucks on the road": the number goes on to the second, the place back to the first;
        "the red and the blue car": the noun goes back."""
        for i, draft in enumerate(targets):
            following = targets[i + 1] if i + 1 < len(targets) else None
            if following is not None and not draft.heads and not draft.has_post and following.heads:
                draft.heads = list(following.heads)
            if following is not None and bare[i + 1] and not draft.has_post:
                draft.relations, draft.positions = list(following.relations), list(following.positions)
            if i and bare[i] and draft.count is None:
                draft.quantifier = draft.quantifier or targets[i - 1].quantifier
                draft.determiner = draft.determiner or targets[i - 1].determiner

    def _ignore(self, start: int, stop: int) -> None:
        text = self.words(start, stop).strip(" .,;:!?-")
        if text and any(c.isalnum() for c in text):
            self.ignored.append(text)

    def _skip_leads(self) -> None:
        """Skips "please find", "show me", "an aerial image of": what asks but says nothing about the thing."""
        while (lexeme := self.peek()) is not None:
            word = lexeme.word
            frame = skip_frame(self.lexemes, self.pos)
            if frame is not None and self._is_showing(frame):
                self.pos = frame + 1
            elif phrase := self._phrase_lead():
                self.pos += phrase
            elif lexeme.kind in ("stop", "mark", "comma") or (lexeme.kind == "adverb" and not self.starts_phrase()):
                self.pos += 1
            elif word in words.LEADS and lexeme.kind not in ("number", "det", "dir"):
                is_weak = word in words.WEAK_LEADS or lexeme.kind in ("rel", "bound")
                if is_weak and (read_place(self.lexemes, self.pos) or not self.starts_phrase(1)):
                    return
                self.pos += 1
            else:
                return

    def _is_showing(self, i: int) -> bool:
        lexeme = self.lexemes[i] if i < len(self.lexemes) else None
        return lexeme is not None and (
            lexeme.value in ("of", "with", "containing") or lexeme.word in ("showing", "shows", "depicting")
        )

    def _phrase_lead(self) -> int:
        for phrase in words.PHRASE_LEADS:
            parts = phrase.split()
            ahead = [self.peek(k) for k in range(len(parts) + 1)]
            if [x.word if x else "" for x in ahead[:-1]] == parts:
                return len(parts)
            the = ahead[0] is not None and ahead[0].kind == "det"
            if the and [x.word if x else "" for x in ahead[1:]] == parts and len(parts) > 1:
                return len(parts) + 1
        lexeme, after = self.peek(), self.kind(1)
        is_verb = lexeme is not None and lexeme.word in ("mark", "map", "box", "count", "point", "cut")
        return int(is_verb and after in ("det", "quant", "any", "number", "no"))

    def _target(self) -> Draft | None:
        """A target with all that is said of it; also "in the upper left, the red house"."""
        opening = Draft(start=self.pos)
        if not self.starts_phrase() or read_place(self.lexemes, self.pos) is not None:
            self._post(opening, 0, None, stop_at_comma=True)
            if not opening.has_post:
                return None
            while self.kind() in ("comma", "copula") or (self.peek() and self.peek().word in ("there", "is")):  # type: ignore[union-attr]
                self.pos += 1
            if not self.starts_phrase():
                return opening
        draft = self._phrase(0, None)
        if draft is None:
            return opening if opening.has_post else None
        draft.positions[:0] = opening.positions
        draft.relations[:0] = opening.relations
        return draft

    # -- noun phrases -----------------------------------------------------------------------------

    def _phrase(self, depth: int, parent: Draft | None, *, no_and: bool = False, in_with: bool = False) -> Draft | None:
        """A noun phrase with what follows it; None when there is none (the cursor then stands still)."""
        if self.fuel <= 0 or depth > MAX_DEPTH:
            return None
        self.fuel -= 1
        start = self.pos
        draft = self.read_front()
        if draft.pronoun:
            return draft
        if draft.is_empty and draft.nearness is None and draft.rank is None and draft.count is None:
            if not (draft.determiner or draft.quantifier) or self._lexeme_value() != "of":
                self.pos = start
                return None
        self._unfold(draft, depth)
        self._post(draft, depth, parent, no_and=no_and, in_with=in_with)
        if draft.nearness is not None:
            self._ignore(self.pos, self.pos)
            if draft.nearness.text:
                self.ignored.append(draft.nearness.text)
            draft.nearness = None
        if draft.is_empty and draft.rank is None:
            self.pos = start
            return None
        return draft

    def _lexeme_value(self, ahead: int = 0) -> str:
        lexeme = self.peek(ahead)
        return "" if lexeme is None else lexeme.value

    def _unfold(self, draft: Draft, depth: int) -> None:
        """ "a row of trees", "a patch of grass", "the largest of the red houses", "two of the cars"."""
        if self._lexeme_value() != "of" or not self.starts_phrase(1) or skip_frame(self.lexemes, self.pos + 1):
            return
        head = draft.heads[-1] if draft.heads else ""
        is_group, is_piece = head in COLLECTIVES, head in PORTIONS and len(draft.heads) == 1
        is_headless = not draft.heads or draft.category == ""
        if not (is_group or is_piece or is_headless):
            return
        back = self.pos
        self.pos += 1
        inner = self.read_front()
        if inner.is_empty or inner.pronoun or (is_piece and inner.determiner):
            self.pos = back
            if inner.count is not None and is_headless:  # "the left of the two"
                self.pos = inner.start + 2
            return
        if head == "pair":
            draft.count = 2
        elif head == "couple":
            draft.count = 2
        draft.is_collective = is_group and inner.is_plural and draft.count is None
        if is_group and draft.is_collective or is_group and inner.is_plural:
            draft.determiner, draft.quantifier = "the", draft.quantifier
        if is_headless and not draft.orders and draft.rank is None and draft.nearness is None and not draft.positions:
            draft.quantifier = draft.quantifier or inner.quantifier
        elif is_headless and draft.count is None and draft.quantifier not in ("all", "each of", "any"):
            draft.quantifier, draft.determiner = "one of", "the"
        if (is_group and head not in ("pair", "couple")) or is_piece:
            draft.attributes.append(Attribute("other", head, f"{head} of"))
            draft.details.append(f"{head} of")
        if is_group:
            draft.quantifier = draft.quantifier if draft.quantifier != "one of" else ""
        draft.heads, draft.is_plural = inner.heads, inner.is_plural if not is_piece else draft.is_plural
        draft.attributes += inner.attributes
        draft.positions += inner.positions
        draft.orders += inner.orders
        draft.measures += inner.measures

    # -- what follows a noun ----------------------------------------------------------------------

    def _post(
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
        is_negated = False
        while (lexeme := self.peek()) is not None:
            kind = lexeme.kind
            if kind in ("comma", "and", "but", "or", "stop"):
                if is_negated or stop_at_comma or not self._continues(draft, depth, no_and):
                    return
                continue
            if kind == "relpro" or (lexeme.value in ("that", "those") and kind == "det"):
                if lexeme.word == "whose":
                    self.pos += 1
                    self._whose(draft, depth)
                    continue
                draft.has_clause = True
                self.pos += 1
            elif kind == "copula":
                if depth > 0 and not draft.has_clause:
                    return
                self.pos += 1
                self._predicate_noun(draft)
            elif kind == "not":
                if depth > 0 and parent is not None and self._leaves(draft, parent):
                    return
                is_negated = True
                self.pos += 1
                continue
            elif kind == "placed":
                self.pos += 1
                if is_negated and self.kind() in ("rel", "dir", "to", "placed"):
                    continue  # "not parked on the road": the relation is negated
                if is_negated:
                    draft.attributes.append(Attribute("other", lexeme.word, lexeme.word, negated=True))
            elif not self._one_post(draft, depth, parent, is_negated, no_and=no_and, in_with=in_with):
                if kind in ("adverb", "mark") or (kind == "word" and self._is_participle(lexeme)):
                    if kind == "word" and not is_negated:
                        draft.attributes.append(Attribute("other", lexeme.word, lexeme.word))
                    self.pos += 1
                    continue
                return
            if kind not in ("copula",):
                is_negated = False

    def _is_participle(self, lexeme: Lexeme) -> bool:
        return lexeme.word.endswith(("ed", "ing")) and self.kind(1) not in ("word", "noun")

    def _continues(self, draft: Draft, depth: int, no_and: bool) -> bool:
        """At a comma, "and", "but", "or", full stop: steps over it when more is said of this noun."""
        kind = self.kind()
        if depth > 0 and not (draft.has_clause and kind in ("and", "or")):
            return False
        ahead = 1
        while self.kind(ahead) in ("comma", "and", "but", "adverb"):
            ahead += 1
        if kind == "stop":
            if self.kind(ahead) == "pronoun" and self.kind(ahead + 1) == "copula":
                self.pos += ahead + 1
                return True
            return False
        if self.kind(ahead) == "pronoun" and self.kind(ahead + 1) == "copula":
            ahead += 1
        if not self._is_post(ahead):
            return False
        self.pos += ahead
        return True

    def _is_post(self, ahead: int) -> bool:
        """Whether something said of the noun before starts there, rather than another noun."""
        lexeme = self.peek(ahead)
        if lexeme is None:
            return False
        if lexeme.kind in ("rel", "relpro", "copula", "placed", "bound", "to"):
            if lexeme.kind == "placed" and self.kind(ahead + 1) in ("word", "noun"):
                return False
            return not (lexeme.kind == "rel" and lexeme.value == "of")
        if lexeme.kind == "det" and lexeme.value == "that":
            return self.kind(ahead + 1) in ("copula", "rel", "placed", "not")
        if lexeme.kind == "not":
            return self._is_post(ahead + 1) or self.kind(ahead + 1) in ATTRIBUTE_KINDS | {"det"}
        if lexeme.kind == "dir":
            return read_place(self.lexemes, self.pos + ahead) is not None
        if lexeme.kind in ("nearness",):
            return True
        if lexeme.kind == "cmp":
            return self.kind(ahead + 1) == "than"
        if lexeme.kind in ATTRIBUTE_KINDS:  # "round, white, next to the road"
            k = ahead
            while self.kind(k) in ATTRIBUTE_KINDS:
                k += 1
            return self.kind(k) not in ("word", "noun", "side", "unit", "placed", "number")
        if lexeme.kind == "number":
            return self.kind(ahead + 1) == "unit"
        return False

    def _predicate_noun(self, draft: Draft) -> None:
        """After "is": "is a car", "is the largest (one)", "is red": what fits goes to the noun."""
        if self.kind() == "pronoun" and self.kind(1) in ("sup", "rel", "dir"):
            self.pos += 1
        if self.kind() == "not":
            return
        if self.kind() == "det" and self.kind(1) in ("sup", "csup", "ordinal", "nearness", "cmp", "dir"):
            self.pos += self.kind(1) != "dir" or read_place(self.lexemes, self.pos) is None
            return
        if self.kind() == "det" and self.starts_phrase():
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
        if self._order(draft, depth):
            return True
        leaves = depth > 0 and parent is not None and self._leaves(draft, parent)
        if self._quantity(draft, depth, negated, no_and=no_and):
            return True
        place = read_place(self.lexemes, self.pos)
        if leaves and (place is not None or (self.kind() == "rel" and self._lexeme_value() != "of")):
            return False
        if place is not None:
            return self._place(draft, depth, negated, no_and=no_and, in_with=in_with)
        kind = self.kind()
        if kind == "rel":
            return self._relation(draft, depth, parent, negated, no_and=no_and, in_with=in_with)
        if kind == "cmp" and self.kind(1) == "than":
            return self._comparison(draft, depth, negated)
        if kind in ATTRIBUTE_KINDS:
            if depth > 0 and not draft.has_clause and not draft.heads:
                return False
            attribute = self.read_attribute()
            if attribute is not None:
                draft.attributes.append(replace(attribute, negated=attribute.negated != negated))
                if self.kind() == "and" and self.kind(1) in ATTRIBUTE_KINDS and self._is_post(1):
                    self.pos += 1
                return True
        if kind == "word" and self._lexeme_value() in ("one", "ones") and not draft.heads:
            self.pos += 1
            return True
        return False

    @staticmethod
    def _leaves(draft: Draft, parent: Draft) -> bool:
        """What follows a stretching thing is said of the thing beside it."""
        return draft.category in GROUNDS and not draft.has_clause and draft.category != parent.category

    # -- orders -----------------------------------------------------------------------------------

    def _order(self, draft: Draft, depth: int) -> bool:
        """ "second from the left", "closest to the bus", "nearest ... to X", "largest in the image"."""
        kind = self.kind()
        if draft.rank is not None and self._rank_direction(draft):
            return True
        if draft.nearness is not None and kind in ("to", "from"):
            order, draft.nearness = draft.nearness, None
            self.pos += 1
            if self._nearness(draft, order, depth):
                return True
            draft.nearness = order
            self.pos -= 1
            return False
        if kind == "ordinal" or (kind == "det" and self.kind(1) in ("ordinal", "sup", "nearness")):
            back = self.pos
            self.pos += kind == "det"
            lexeme = self.peek()
            if lexeme is not None and lexeme.kind == "ordinal" and draft.rank is None:
                if self.kind(1) in BEFORE_NOUN | {"and", "comma"}:
                    self.pos = back
                    return False
                draft.rank, draft.rank_text = int(lexeme.count), lexeme.value
                self.pos += 1
                return True
            if kind == "det" and not draft.has_clause:
                self.pos = back
                return False
            kind = self.kind()
        lexeme = self.peek()
        if lexeme is None or kind not in ("sup", "nearness"):
            return False
        rank = 1 if draft.rank is None else draft.rank
        order = Order(lexeme.value, lexeme.is_descending, rank, text=f"{draft.rank_text} {lexeme.word}".strip())
        draft.rank, draft.rank_text = None, ""
        self.pos += 1
        if kind == "sup":
            draft.orders.append(order)
            if self.kind() == "number":
                self.pos += self._lexeme_value() == "one"
            return True
        start = self.pos - 1
        self.pos += self.kind() in ("to", "from")
        if not self._nearness(draft, order, depth):
            self.pos = start + 1
            self._ignore(start, start + 1)
        return True

    def _rank_direction(self, draft: Draft) -> bool:
        """ "second ... from the left", "first ... on the left": the direction that an ordinal waits for."""
        if self.kind() == "from":
            place = read_place(self.lexemes, self.pos + 1) if self.kind(1) != "det" else None
            j = self.pos + 1 + (self.kind(1) == "det")
            directions = []
            while j < len(self.lexemes) and self.lexemes[j].kind == "dir":
                directions.append(self.lexemes[j].value)
                j += 1
            while j < len(self.lexemes) and (self.lexemes[j].kind == "side" or self.lexemes[j].word == "hand"):
                j += 1
            if not directions or (place is not None and place.has_anchor):
                back, rank, text = self.pos, draft.rank or 1, draft.rank_text
                self.pos += 1
                draft.rank = None
                if self._nearness(draft, Order("distance", False, rank, text=text), 0):
                    return True
                self.pos, draft.rank = back, rank
                return False
            value = directions[0] if len(directions) == 1 else " ".join(directions)
            stop = j
            if j < len(self.lexemes) and self.lexemes[j].value in ("of", "in"):
                stop = skip_frame(self.lexemes, j + 1) or j
        else:
            found = read_place(self.lexemes, self.pos)
            if found is None or found.has_anchor or found.value not in _SCREEN_ORDERS or found.value == "center":
                return False
            value, stop = found.value, found.stop
        key, descending = _SCREEN_ORDERS.get(value, ("x", False))
        text = f"{draft.rank_text} {self.words(self.pos, stop)}"
        draft.orders.append(Order(key, descending, draft.rank or 1, text=text))
        draft.rank = None
        self.pos = stop
        return True

    def _nearness(self, draft: Draft, order: Order, depth: int) -> bool:
        """What a nearness is to: the middle or an edge of the image, or anchors."""
        back = self.pos
        place = read_place(self.lexemes, self.pos)
        if place is not None and not place.has_anchor or place is not None and skip_frame(self.lexemes, place.stop):
            stop = skip_frame(self.lexemes, place.stop) if place.has_anchor else place.stop
            self.pos = stop or place.stop
            value = place.value.removesuffix(" edge")
            text = f"{order.text} {self.words(back, self.pos)}"
            if value in ("center", "edge", "corner"):
                outward = value != "center"
                draft.orders.append(Order("center", outward != order.descending, order.rank, text=text))
            elif " " in value or "-" in value:
                draft.positions.append(Position(value, text, negated=order.descending))
            else:
                key, descending = _SCREEN_ORDERS[value]
                draft.orders.append(Order(key, descending != order.descending, order.rank, text=text))
            return True
        if self.kind() == "pronoun" and self._lexeme_value() in ("each other", "one another"):
            self.pos += 1
            like = Phrase(draft.category, draft.category, tuple(draft.attributes))
            draft.orders.append(replace(order, anchors=(like,)))
            return True
        groups = self._anchors(draft, depth, no_and=False, in_with=False, joins_all=True)
        if not groups:
            self.pos = back
            return False
        anchors = tuple(d.phrase() for group in groups for d in group)
        draft.orders.append(replace(order, anchors=anchors))
        return True

    # -- measures, places, relations --------------------------------------------------------------

    def _quantity(self, draft: Draft, depth: int, negated: bool, *, no_and: bool) -> bool:
        """ "larger than 200 m2", "20 m long", "within 50 m of X", "50 m north of X", "more than 1 km from X"."""
        start = self.pos
        if self.kind() == "rel" and self._lexeme_value() in ("with", "of", "containing", "in", "at"):
            quantity = read_quantity(self.lexemes, start) or read_quantity(self.lexemes, start + 1)
            j = start + 1
            while j < len(self.lexemes) and self.lexemes[j].kind in ("det", "adverb"):
                j += 1
            if quantity is None and j + 1 < len(self.lexemes) and self.lexemes[j].word in _MEASURED:
                quantity = read_quantity(self.lexemes, j + 1 + (self.lexemes[j + 1].value == "of"))
                if quantity is not None:
                    quantity = replace(quantity, dimension=_MEASURED[self.lexemes[j].word])
        else:
            quantity = read_quantity(self.lexemes, start)
        if quantity is None:
            return False
        self.pos = quantity.stop
        while self.kind() == "adverb":
            self.pos += 1
        place = read_place(self.lexemes, self.pos)
        is_apart = self.kind() == "from" or (
            self.kind() == "rel" and self._lexeme_value() in ("of", "far_from", "around")
        )
        if quantity.kind == "length" and not quantity.dimension.startswith(("length", "width")):
            if place is not None and place.has_anchor or is_apart or self.kind() == "to":
                predicate = place.predicate if place is not None and place.has_anchor else ""
                self.pos = place.stop if place is not None and place.has_anchor else self.pos + 1
                groups = self._anchors(draft, depth, no_and=no_and, in_with=False)
                if groups:
                    text = self.words(start, self.pos)
                    far = quantity.bound == "low"
                    for group in groups:
                        anchors = tuple(d.phrase() for d in group)
                        if predicate:
                            draft.relations.append(Relation(predicate, anchors, negated, text=text))
                        draft.relations.append(
                            Relation("within_distance", anchors, negated != far, quantity.value, text)
                        )
                    return True
                self.pos = start
                return False
        key = quantity.dimension if quantity.dimension in ("length", "width", "area") else quantity.kind
        first = self.lexemes[start]
        if first.kind == "cmp" and not quantity.dimension and quantity.kind == "length":
            key = "width" if first.value == "width" else "length"
        low = {"low": quantity.value, "high": None}.get(quantity.bound, quantity.value * 0.75)
        high = {"low": None, "high": quantity.value}.get(quantity.bound, quantity.value * 1.25)
        draft.measures.append(Measure(key, low, high, self.words(start, quantity.stop)))
        return True

    def _place(self, draft: Draft, depth: int, negated: bool, *, no_and: bool, in_with: bool) -> bool:
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
        elif place.has_anchor:
            groups = self._anchors(draft, depth, no_and=no_and, in_with=in_with)
            if groups:
                return self._relate(draft, place.predicate, groups, negated, start)
            if draft.about_owner is not None:
                draft.about_owner = (place.predicate, negated)
                return True
            self.pos = place.stop
            while self.kind() in ("det", "number") or self.kind() == "pronoun":
                self.pos += 1
        draft.positions.append(Position(place.value, self.words(start, self.pos), negated=negated))
        return True

    def _relation(
        self, draft: Draft, depth: int, parent: Draft | None, negated: bool, *, no_and: bool, in_with: bool
    ) -> bool:
        start = self.pos
        predicate = self._lexeme_value()
        frame = skip_frame(self.lexemes, start + 1)
        if frame is not None and predicate in ("in", "on", "of", "at", "with", "along"):
            self.pos = frame
            return True
        if predicate in ("with", "in", "of", "covered") and self._rooflike(draft, depth, parent, start):
            return self.pos > start
        if predicate == "covered" or predicate == "of":
            lexeme = self.peek(1)
            if lexeme is not None and lexeme.kind == "material" and self.kind(2) not in ("word", "noun"):
                self.pos += 2
                draft.attributes.append(Attribute("material", lexeme.value, lexeme.word, negated))
                return True
        if predicate == "in" and self.kind(1) == "det" and self._lexeme_value(2) in ("row", "line", "group", "cluster"):
            self.pos += 3
            draft.attributes.append(Attribute("other", self.words(start, self.pos), self.words(start, self.pos)))
            return True
        if predicate == "of" and not (draft.heads or draft.has_post or draft.attributes or draft.orders):
            return False
        self.pos += 1
        if self.kind() == "rel" and self._lexeme_value() == "of":
            self.pos += 1
        groups = self._anchors(
            draft, depth, no_and=no_and or predicate == "between", in_with=predicate in ("with", "containing")
        )
        if not groups:
            is_end = self.kind() in ("", "comma", "and", "stop", "copula", "but")
            if draft.about_owner is not None or (in_with and is_end):
                draft.about_owner = (predicate, negated)
                return True
            if predicate == "near":  # "the car nearby"
                draft.attributes.append(Attribute("other", "nearby", "nearby"))
                return True
            self.pos = start
            return False
        if predicate == "between":
            groups = self._second_of_between(draft, depth, groups)
        return self._relate(draft, predicate, groups, negated, start)

    def _second_of_between(self, draft: Draft, depth: int, groups: list[list[Draft]]) -> list[list[Draft]]:
        anchors = [d for group in groups for d in group]
        while self.kind() in ("and", "comma") or (self.kind() == "to" and len(anchors) == 1):
            back = self.pos
            self.pos += 1
            self.pos += self.kind() == "and"
            if self.kind() == "rel" and self._lexeme_value() == "between":
                self.pos += 1
            if self._is_post(0) or not self.starts_phrase():
                self.pos = back
                break
            if len(anchors) >= 2:
                self.pos = back
                break
            other = self._phrase(depth + 1, draft)
            if other is None:
                self.pos = back
                break
            anchors.append(other)
        if len(anchors) >= 2:
            for before, after in zip(anchors, anchors[1:], strict=False):
                if not before.heads or before.category == "":
                    before.heads = list(after.heads)
                if not after.heads or after.heads == ["one"]:
                    after.heads = list(before.heads)
        return [anchors]

    def _rooflike(self, draft: Draft, depth: int, parent: Draft | None, start: int) -> bool:
        """ "with a blue roof", "in red", "of circular shape": the look of a part is told of the whole.

        True when that stands here; the cursor then is behind it, or still where it was when it is said of
        a thing before this one ("the house next to the road with a red roof").
        """
        predicate = self._lexeme_value()
        self.pos = start + 1
        inner = self.read_front()
        head = inner.heads[-1] if inner.heads else ""
        is_part = bool(head) and (head in PARTS or head.removesuffix("s") in PARTS or head in ("shape", "form"))
        is_detail = head in DETAILS and bool(inner.attributes)
        is_color = predicate == "in" and not head and bool(inner.attributes) and not inner.determiner
        if inner.is_negated or not (is_part or is_detail or is_color):
            self.pos = start
            return False
        if depth > 0 and parent is not None and is_part and draft.category in ROOFLESS and head != "color":
            self.pos = start
            return True
        clause = self.pos
        if self.kind() in ("relpro", "det") and self.kind(1) == "copula":
            self.pos += 2
            attribute = self.read_attribute()
            if attribute is None:
                self.pos = clause
            else:
                inner.attributes.append(attribute)
        if is_detail and not is_part:
            text = self.words(start + 1, self.pos)
            text = text.split(" ", 1)[1] if text.split(" ", 1)[0] in words.DETERMINERS else text
            draft.attributes.append(Attribute("other", text, text))
            draft.details.append(text)
            return True
        self._give_look(draft, inner, head)
        return True

    def _give_look(self, draft: Draft, inner: Draft, head: str, negated: bool = False) -> None:
        for attribute in inner.attributes:
            is_roof = bool(head) and head not in ("color", "colour", "shape", "form", "hue", "shade", "paint")
            text = f"{attribute.text} {head}" if is_roof else attribute.text
            value = f"{attribute.value} {head}" if attribute.kind == "other" and is_roof else attribute.value
            draft.attributes.append(replace(attribute, text=text, value=value, negated=attribute.negated != negated))
            if is_roof and not draft.attributes[-1].negated:
                draft.details.append(text)

    def _whose(self, draft: Draft, depth: int) -> None:
        """ "whose roof is blue" -> the look; "whose pool is round" -> with a round pool."""
        start = self.pos
        inner = self.read_front()
        negated = False
        if self.kind() == "copula":
            self.pos += 1
            if self.kind() == "not":
                negated = True
                self.pos += 1
            while (attribute := self.read_attribute()) is not None:
                inner.attributes.append(replace(attribute, negated=attribute.negated != negated))
                if self.kind() == "and" and self.kind(1) in ATTRIBUTE_KINDS:
                    self.pos += 1
        head = inner.heads[-1] if inner.heads else ""
        if head in PARTS or head in DETAILS or head.removesuffix("s") in PARTS or head in ("shape", "form"):
            self._give_look(draft, inner, head)
        elif not inner.is_empty:
            draft.relations.append(Relation("with", (inner.phrase(),), text="whose " + self.words(start, self.pos)))

    def _comparison(self, draft: Draft, depth: int, negated: bool) -> bool:
        """ "larger than the red house": a relation of sizes."""
        lexeme = self.peek()
        if lexeme is None:
            return False
        start = self.pos
        self.pos += 2
        groups = self._anchors(draft, depth, no_and=False, in_with=False)
        if not groups:
            self.pos = start
            return False
        kinds = {"area": "larger_than", "length": "longer_than", "width": "wider_than", "brightness": "brighter_than"}
        opposites = {
            "area": "smaller_than",
            "length": "shorter_than",
            "width": "narrower_than",
            "brightness": "darker_than",
        }
        predicate = (kinds if lexeme.is_descending else opposites).get(lexeme.value, "larger_than")
        return self._relate(draft, predicate, groups, negated, start)

    def _relate(self, draft: Draft, predicate: str, groups: list[list[Draft]], negated: bool, start: int) -> bool:
        """Adds a relation for each group of alternative anchors."""
        text = self.words(start, self.pos)
        for group in groups:
            about = next((d.about_owner for d in group if d.about_owner is not None), None)
            flipped = negated or any(d.is_negated for d in group)
            for anchor in group:
                if (anchor.heads == ["one"] or anchor.heads == ["ones"] or not anchor.heads) and draft.category:
                    if anchor.attributes or anchor.heads or anchor.orders or anchor.positions:
                        anchor.heads = list(draft.heads)
            anchors = tuple(d.phrase() for d in group)
            name, flips = self._predicate(predicate, draft, group[0])
            if about is not None and name in ("with", "containing"):
                name, flips = _INVERSE.get(about[0], about[0]), about[1]
            draft.relations.append(Relation(name, anchors, flipped != flips, text=text))
        return True

    @staticmethod
    def _predicate(name: str, draft: Draft, anchor: Draft) -> tuple[str, bool]:
        """The predicate that words mean between these two, and whether it is negated."""
        simple = {
            "without": ("with", True),
            "except": ("same_as", True),
            "outside": ("in", True),
            "of": ("part_of", False),
        }
        if name in simple:
            return simple[name]
        if name == "covered":
            return "with", False
        is_bridge = draft.category in BRIDGES
        is_ground = anchor.category in GROUNDS
        if name == "across":
            return ("crossing" if is_bridge else "opposite"), False
        if name == "over":
            return ("crossing" if is_bridge else "on" if is_ground else "above"), False
        if name == "under":
            solid = bool(anchor.heads) and anchor.category.split()[-1:] and anchor.category.split()[-1] in _SOLID_ABOVE
            return ("at" if solid else "below"), False
        return name, False

    def _anchors(
        self, draft: Draft, depth: int, *, no_and: bool, in_with: bool, joins_all: bool = False
    ) -> list[list[Draft]]:
        """The anchors from the cursor on: groups that must all hold, each of alternatives; [] without."""
        if self.kind() == "pronoun":
            lexeme = self.peek()
            if lexeme is not None and lexeme.value in ("each other", "one another") and draft.heads:
                self.pos += 1
                like = Draft(heads=list(draft.heads), is_plural=False)
                like.attributes = list(draft.attributes)
                return [[like]]
            self.pos += 1
            if self.previous is not None and depth == 0:
                return [[_KnownDraft(self.previous)]]
            draft.about_owner = ("", False)
            return []
        first = self._phrase(depth + 1, draft, no_and=no_and, in_with=in_with)
        if first is None or first.pronoun:
            return []
        groups = [[first]]
        while not no_and and self.kind() in ("and", "or", "comma"):
            joint, back, fuel_ahead = self.kind(), self.pos, self.fuel
            self.pos += 1
            if self.kind() in ("and", "or"):
                joint = self.kind()
                self.pos += 1
            if self._is_post(0) or not self.starts_phrase() or fuel_ahead <= 0:
                self.pos = back
                break
            other = self._phrase(depth + 1, draft, in_with=in_with)
            listed = joint != "comma" or self.kind() in ("comma", "and", "or")
            parallel = depth == 0 and joint == "and" and not in_with and other is not None and other.has_post
            verb = self.kind() == "copula" and depth == 0
            if other is None or other.pronoun or not listed or parallel or verb:
                self.pos = back
                break
            if not other.determiner and not other.quantifier and other.count is None:
                other.determiner = first.determiner
            if joint == "or" or joins_all:
                groups[-1].append(other)
            else:
                groups.append([other])
        return groups


class _KnownDraft(Draft):
    """An anchor that is a phrase already: "the bus and the car next to it"."""

    def __init__(self, known: Phrase) -> None:
        super().__init__(heads=[known.category] if known.category else [])
        self._known = known

    def phrase(self) -> Phrase:
        return self._known
