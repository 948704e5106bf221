"""Orders, measures, relations and their anchors after a noun."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace

from inference_server.expression_draft import Draft
from inference_server.expression_lexer import Lexeme
from inference_server.expression_nouns import BRIDGES, GROUNDS, OPEN_GROUNDS
from inference_server.expression_phrases import BEFORE_NOUN, PhraseReader
from inference_server.expression_places import Quantity, read_place, read_quantity, skip_frame
from inference_server.expression_terms import Attribute, Measure, Order, Phrase, Position, Relation

#: Noun phrases read of one text, retries included; bounds the time of a text that is no sentence.
MAX_PHRASES = 200

_SCREEN_ORDERS = {
    "left": ("x", False), "right": ("x", True), "top": ("y", False), "bottom": ("y", True),
    "top left": ("x", False), "bottom left": ("x", False), "top right": ("x", True), "bottom right": ("x", True),
    "center left": ("x", False), "center right": ("x", True), "center top": ("y", False), "center bottom": ("y", True),
    "north": ("north", True), "south": ("north", False), "east": ("east", True), "west": ("east", False),
    "north-west": ("north", True), "north-east": ("north", True), "south-west": ("north", False),
    "south-east": ("north", False),
}  # fmt: skip
#: "with a pool to its left": what the whole bears to the part
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
_PLAIN = {"without": ("with", True), "except": ("same_as", True), "outside": ("in", True),
          "of": ("part_of", False), "covered_with": ("with", False)}  # fmt: skip
#: relations that a place in the image can stand behind: "below the middle", "close to the left edge"
_TO_PLACES = frozenset(("above", "below", "over", "under", "near", "next_to", "far_from", "on", "in", "at", "along"))
_SOLID_ABOVE = frozenset(("bridge", "overpass", "flyover", "viaduct", "tree", "roof", "canopy", "awning", "umbrella"))
_MEASURED = {"length": "length", "width": "width", "area": "area", "size": "area", "surface": "area"}
_COMPARED = {
    ("area", True): "larger_than", ("area", False): "smaller_than", ("length", True): "longer_than",
    ("length", False): "shorter_than", ("width", True): "wider_than", ("width", False): "narrower_than",
    ("brightness", True): "brighter_than", ("brightness", False): "darker_than",
}  # fmt: skip


class RelationReader(PhraseReader):
    """Reads what relates a noun to others."""

    def __init__(self, text: str, lexemes: Sequence[Lexeme]) -> None:
        super().__init__(text, lexemes)
        self.fuel = MAX_PHRASES
        self.previous: Phrase | None = None

    @abstractmethod
    def read_phrase(
        self, depth: int, parent: Draft | None, *, no_and: bool = False, in_with: bool = False
    ) -> Draft | None:
        """A noun phrase with what follows it."""

    @abstractmethod
    def is_post(self, ahead: int) -> bool:
        """Whether something said of the noun before starts there."""

    # -- orders -----------------------------------------------------------------------------------

    def read_order(self, draft: Draft, depth: int) -> bool:
        """ "second from the left", "closest to the bus", "nearest ... to X", "largest in the image"."""
        if draft.rank is not None and self._rank_direction(draft):
            return True
        if draft.nearness is not None and self.kind() in ("to", "from"):
            order = draft.nearness
            self.pos += 1
            if self._nearness(draft, order, depth):
                draft.nearness = None
                return True
            self.pos -= 1
            return False
        start = self.pos
        self.pos += self.kind() == "det" and self.kind(1) in ("ordinal", "sup", "nearness")
        if self.kind() == "ordinal":
            return self._late_rank(draft, start)
        lexeme = self.peek()
        if lexeme is None or lexeme.kind not in ("sup", "nearness") or (self.pos > start and not draft.has_clause):
            self.pos = start
            return False
        order = Order(
            lexeme.value, lexeme.is_descending, draft.rank or 1, text=f"{draft.rank_text} {lexeme.word}".strip()
        )
        draft.rank, draft.rank_text = None, ""
        first = self.pos
        self.pos += 1
        if lexeme.kind == "sup":
            draft.orders.append(order)
            self.pos += self.word() == "one"
            return True
        self.pos += self.kind() in ("to", "from")
        if not self._nearness(draft, order, depth):
            self.pos = first + 1
            self.ignore(first, self.pos)
        return True

    def _late_rank(self, draft: Draft, start: int) -> bool:
        """ "the car (that is the) second from the left"."""
        lexeme = self.peek()
        if lexeme is None or draft.rank is not None or self.kind(1) in BEFORE_NOUN | {"and", "comma"}:
            self.pos = start
            return False
        draft.rank, draft.rank_text = int(lexeme.count), lexeme.value
        self.pos += 1
        return True

    def _rank_direction(self, draft: Draft) -> bool:
        """ "second ... from the left", "first ... on the left": the direction that an ordinal waits for."""
        start, rank = self.pos, draft.rank or 1
        is_from = self.kind() == "from"
        place = read_place(self.lexemes, self.pos + is_from, bare=is_from)
        if place is not None and place.has_anchor:
            frame = skip_frame(self.lexemes, place.stop)
            place = None if frame is None else replace(place, stop=frame)
        if place is not None and place.value in _SCREEN_ORDERS:
            self.pos = place.stop
            key, descending = _SCREEN_ORDERS[place.value]
            text = f"{draft.rank_text} {self.words(start, self.pos)}"
            draft.orders.append(Order(key, descending, rank, text=text))
            draft.rank = None
            return True
        if not is_from:
            return False
        self.pos += 1
        if self._nearness(draft, Order("distance", False, rank, text=draft.rank_text), 0):
            draft.rank = None
            return True
        self.pos = start
        return False

    def _nearness(self, draft: Draft, order: Order, depth: int) -> bool:
        """What a nearness is to: the middle or an edge of the image, or anchors."""
        start = self.pos
        place = read_place(self.lexemes, start, bare=True)
        frame = skip_frame(self.lexemes, place.stop) if place is not None and place.has_anchor else None
        if place is not None and (frame is not None or not place.has_anchor):
            self.pos = place.stop if frame is None else frame
            self._nearness_to_place(draft, order, place.value, f"{order.text} {self.words(start, self.pos)}")
            return True
        groups = self.read_anchors(draft, depth, no_and=False, in_with=False, joins_all=True)
        if not groups:
            self.pos = start
            return False
        text = f"{order.text} {self.words(start, self.pos)}"
        anchors = [anchor for group in groups for anchor in group]
        for anchor in anchors:
            _adopt(draft, anchor)
        draft.orders.append(replace(order, anchors=tuple(d.phrase() for d in anchors), text=text))
        return True

    @staticmethod
    def _nearness_to_place(draft: Draft, order: Order, value: str, text: str) -> None:
        value = value.removesuffix(" edge").removesuffix(" corner")
        if value in ("center", "edge", "corner"):
            outward = value != "center"
            draft.orders.append(Order("center", outward != order.descending, order.rank, text=text))
        elif " " in value or "-" in value:
            draft.positions.append(Position(value, text, negated=order.descending))
        else:
            key, descending = _SCREEN_ORDERS[value]
            draft.orders.append(Order(key, descending != order.descending, order.rank, text=text))

    # -- measures and distances -------------------------------------------------------------------

    def read_measure(self, draft: Draft, depth: int, negated: bool, *, no_and: bool) -> bool:
        """ "larger than 200 m2", "20 m long", "within 50 m of X", "50 m north of X", "more than 1 km from X"."""
        start = self.pos
        quantity = self._quantity()
        if quantity is None:
            return False
        self.pos = quantity.stop
        while self.kind() == "adverb":
            self.pos += 1
        place = read_place(self.lexemes, self.pos)
        predicate = place.predicate if place is not None and place.has_anchor else ""
        is_apart = self.kind() in ("from", "to") or (
            self.kind() == "rel" and self.value() in ("of", "far_from", "around")
        )
        if quantity.kind == "length" and quantity.dimension not in ("length", "width") and (predicate or is_apart):
            self.pos = place.stop if place is not None and predicate else self.pos + 1
            groups = self.read_anchors(draft, depth, no_and=no_and, in_with=False)
            if not groups:
                self.pos = start
                return False
            text, is_far = self.words(start, self.pos), quantity.bound == "low"
            for group in groups:
                anchors = tuple(d.phrase() for d in group)
                if predicate:
                    draft.relations.append(Relation(predicate, anchors, negated, text=text))
                draft.relations.append(Relation("within_distance", anchors, negated != is_far, quantity.value, text))
            return True
        if quantity.dimension == "apart":
            like = Phrase(draft.category, draft.category, tuple(draft.attributes))
            text, is_far = self.words(start, self.pos), quantity.bound == "low"
            draft.relations.append(Relation("within_distance", (like,), negated != is_far, quantity.value, text))
            return True
        draft.measures.append(self._measure(quantity, start))
        return True

    def _quantity(self) -> Quantity | None:
        """A quantity here, also behind "with a length of"."""
        start = self.pos
        if not (self.kind() == "rel" and self.value() in ("with", "of", "containing", "in", "at")):
            return read_quantity(self.lexemes, start)
        quantity = read_quantity(self.lexemes, start) or read_quantity(self.lexemes, start + 1)
        ahead = 1
        while self.kind(ahead) in ("det", "adverb"):
            ahead += 1
        if quantity is None and self.word(ahead) in _MEASURED:
            quantity = read_quantity(self.lexemes, start + ahead + 1 + (self.value(ahead + 1) == "of"))
            if quantity is not None:
                quantity = replace(quantity, dimension=_MEASURED[self.word(ahead)])
        return quantity

    def _measure(self, quantity: Quantity, start: int) -> Measure:
        key = quantity.dimension if quantity.dimension in ("length", "width", "area") else quantity.kind
        first = self.lexemes[start]
        if first.kind == "cmp" and not quantity.dimension and quantity.kind == "length":
            key = "width" if first.value == "width" else "length"
        low = {"low": quantity.value, "high": None}.get(quantity.bound, quantity.value * 0.75)
        high = {"low": None, "high": quantity.value}.get(quantity.bound, quantity.value * 1.25)
        if quantity.upper is not None:
            low, high = quantity.value, quantity.upper
        return Measure(key, low, high, self.words(start, quantity.stop))

    # -- relations --------------------------------------------------------------------------------

    def read_relation(self, draft: Draft, depth: int, negated: bool, *, no_and: bool, in_with: bool) -> bool:
        """ "next to the bus", "between A and B", "with a pool", "without trees"; False when no anchor follows."""
        start, predicate = self.pos, self.value()
        frame = skip_frame(self.lexemes, start + 1)
        if frame is not None and predicate in ("in", "on", "of", "at", "with", "along"):
            self.pos = frame  # "in the image" says nothing
            return True
        if predicate == "of" and not (draft.heads or draft.has_post or draft.attributes or draft.orders):
            return False
        self.pos += 1
        self.pos += self.kind() == "rel" and self.value() == "of"
        if predicate in _TO_PLACES and (value := self.read_image_place()) is not None:
            value = {"above": "top", "below": "bottom", "over": "top", "under": "bottom"}.get(predicate, value)
            draft.positions.append(Position(value, self.words(start, self.pos), negated != (predicate == "far_from")))
            return True
        is_between = predicate == "between"
        groups = self.read_anchors(
            draft, depth, no_and=no_and or is_between, in_with=predicate in ("with", "containing", "without")
        )
        if groups:
            groups = self._second_of_between(draft, depth, groups) if is_between else groups
            return self.relate(draft, predicate, groups, negated, start)
        if draft.about_owner is not None or (in_with and self.kind() in ("", "comma", "and", "stop", "copula", "but")):
            draft.about_owner = (predicate, negated)
            return True
        if predicate == "near":  # "the car nearby"
            draft.attributes.append(Attribute("other", "nearby", "nearby"))
            return True
        if self.kind() == "dir":  # "facing north": an image from above does not tell
            while self.kind() == "dir":
                self.pos += 1
            self.ignore(start, self.pos)
            return True
        self.pos = start
        return False

    def read_image_place(self) -> str | None:
        """Steps over "the middle", "the left edge of the image" and gives the position; None when it is no place."""
        place = read_place(self.lexemes, self.pos, bare=True)
        if place is None or place.is_own or self.kind() not in ("det", "dir"):
            return None
        frame = skip_frame(self.lexemes, place.stop, loosely=True) if place.has_anchor else place.stop
        if frame is None or self.pos == place.stop:
            return None
        self.pos = frame
        return place.value

    def _second_of_between(self, draft: Draft, depth: int, groups: list[list[Draft]]) -> list[list[Draft]]:
        anchors = [d for group in groups for d in group]
        if self.kind() in ("and", "comma", "to") and len(anchors) == 1:
            back = self.pos
            self.pos += 1
            self.pos += self.kind() == "and"
            self.pos += self.kind() == "rel" and self.value() == "between"
            other = None if self.is_post(0) or not self.starts_phrase() else self.read_phrase(depth + 1, draft)
            if other is None or other.pronoun:
                self.pos = back
            else:
                anchors.append(other)
                first = anchors[0]
                if not first.category:
                    first.heads = list(other.heads)
                if not other.category:
                    other.heads = list(first.heads)
        return [anchors]

    def read_comparison(self, draft: Draft, depth: int, negated: bool) -> bool:
        """ "larger than the red house": a relation of sizes."""
        lexeme = self.peek()
        start = self.pos
        self.pos += 2
        groups = self.read_anchors(draft, depth, no_and=False, in_with=False)
        if lexeme is None or not groups:
            self.pos = start
            return False
        predicate = _COMPARED.get((lexeme.value, lexeme.is_descending), "larger_than")
        return self.relate(draft, predicate, groups, negated, start)

    def relate(self, draft: Draft, predicate: str, groups: list[list[Draft]], negated: bool, start: int) -> bool:
        """Adds a relation for each group of alternative anchors; always True."""
        text = self.words(start, self.pos)
        for group in groups:
            for anchor in group:
                _adopt(draft, anchor)
            about = next((d.about_owner for d in group if d.about_owner is not None), None)
            is_negated = negated or any(d.is_negated for d in group)
            name, flips = _meant(predicate, draft, group[0])
            if about is not None and name in ("with", "containing"):
                name, flips = _INVERSE.get(about[0], about[0]) or name, flips != about[1]
            draft.relations.append(Relation(name, tuple(d.phrase() for d in group), is_negated != flips, text=text))
        return True

    def read_anchors(
        self, draft: Draft, depth: int, *, no_and: bool, in_with: bool, joins_all: bool = False
    ) -> list[list[Draft]]:
        """The anchors from the cursor on: groups that must all hold, each of alternatives; [] without.

        Args:
            draft: the phrase they are anchors of.
            depth: of that phrase.
            no_and: leave "and" to the caller.
            in_with: they follow "with".
            joins_all: "and" joins alternatives too, as for "closest to the bus and the car".
        """
        if self.kind() == "pronoun":
            return self._pronoun_anchor(draft, depth)
        first = self.read_phrase(depth + 1, draft, no_and=no_and, in_with=in_with)
        if first is None or first.pronoun:
            return []
        groups = [[first]]
        while not no_and and self.fuel > 0 and self.kind() in ("and", "or", "comma"):
            joint, back = self.kind(), self.pos
            self.pos += 1
            if self.kind() in ("and", "or"):
                joint = self.kind()
                self.pos += 1
            if self.is_post(0) or not self.starts_phrase():
                self.pos = back
                break
            other = self.read_phrase(depth + 1, draft, in_with=in_with)
            is_listed = joint != "comma" or self.kind() in ("comma", "and", "or")
            # "the red car next to the bus and the blue car left of the tree": another target
            is_target = depth == 0 and (
                (joint == "and" and not in_with and _has_post(other)) or self.kind() == "copula"
            )
            if other is None or other.pronoun or not is_listed or is_target:
                self.pos = back
                break
            if not other.has_determiner and other.count is None:
                other.determiner = first.determiner
            if joint == "or" or joins_all:
                groups[-1].append(other)
            else:
                groups.append([other])
        return groups

    def _pronoun_anchor(self, draft: Draft, depth: int) -> list[list[Draft]]:
        """ "each other", "it": the thing itself, the target before, or the owner of what is "with" it."""
        is_mutual = self.value() in ("each other", "one another")
        self.pos += 1
        if is_mutual:
            return [[Draft(heads=list(draft.heads), attributes=list(draft.attributes), quantifier="any")]]
        if self.previous is not None and depth == 0:
            return [[Draft(known=self.previous, heads=[self.previous.category])]]
        draft.about_owner = ("", False)
        return []


def _adopt(draft: Draft, anchor: Draft) -> None:
    """ "the red one", "the others": the noun is that of the phrase they are anchors of."""
    if anchor.known is None and anchor.heads in ([], ["one"], ["ones"], ["other"], ["others"]):
        anchor.heads = list(draft.heads)


def _has_post(draft: Draft | None) -> bool:
    return draft is not None and draft.has_post


def _meant(name: str, draft: Draft, anchor: Draft) -> tuple[str, bool]:
    """The predicate that words mean between these two, and whether it is negated."""
    if name in _PLAIN:
        return _PLAIN[name]
    is_bridge = draft.category in BRIDGES
    if name == "at_center_of" and anchor.number().kind in ("count", "all"):
        return "between", False  # "in the middle of the three houses"
    if name == "across":
        return ("crossing" if is_bridge else "opposite"), False
    if name == "over":
        is_ground = anchor.category in GROUNDS | OPEN_GROUNDS
        return ("crossing" if is_bridge else "on" if is_ground else "above"), False
    if name == "under":
        is_solid = bool(anchor.category) and anchor.category.split()[-1] in _SOLID_ABOVE
        return ("at" if is_solid else "below"), False
    return name, False
