"""A noun phrase while it is read, and the phrase that comes of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from inference_server import expression_words as words
from inference_server.expression_nouns import ANYTHING, singular
from inference_server.expression_terms import Attribute, Measure, Number, Order, Phrase, Position, Relation

_ALL = words.QUANTIFIERS - {"other", "the other", "another", "remaining", "both", "both of"}


@dataclass
class Draft:
    """A phrase while it is read."""

    heads: list[str] = field(default_factory=list)
    is_plural: bool = False
    determiner: str = ""
    quantifier: str = ""
    count: int | None = None
    rank: int | None = None
    rank_text: str = ""
    nearness: Order | None = None
    is_negated: bool = False
    pronoun: str = ""
    is_collective: bool = False
    has_clause: bool = False
    about_owner: tuple[str, bool] | None = None
    attributes: list[Attribute] = field(default_factory=list)
    details: list[str] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    positions: list[Position] = field(default_factory=list)
    relations: list[Relation] = field(default_factory=list)
    measures: list[Measure] = field(default_factory=list)
    known: Phrase | None = None
    start: int = 0

    @property
    def has_determiner(self) -> bool:
        return bool(self.determiner or self.quantifier)

    @property
    def category(self) -> str:
        """The head in the singular; "" for "thing", "one" and when there is none."""
        if not self.heads:
            return ""
        category = " ".join((*self.heads[:-1], singular(self.heads[-1])))
        return "" if category in ANYTHING else category

    @property
    def is_empty(self) -> bool:
        """Nothing to look for: no head and nothing that describes one."""
        return not (self.heads or self.attributes or self.orders or self.positions or self.relations or self.measures)

    @property
    def has_post(self) -> bool:
        return bool(self.relations or self.positions or any(o.anchors for o in self.orders))

    def number(self) -> Number:
        """The number that determiner, quantifier, figure and form of the noun tell."""
        if self.quantifier == "one of":
            return Number("one")
        if self.count is not None:
            return Number("one") if self.count == 1 else Number("count", self.count)
        if self.quantifier in ("both", "both of") and self.is_plural:
            return Number("count", 2)
        if self.quantifier in _ALL:
            return Number("all")
        if self.quantifier == "any":
            return Number("any")
        if self.determiner in ("a", "an"):
            return Number("one")
        if self.is_plural or self.is_collective:
            return Number("all")
        return Number("one" if self.determiner or self.orders or self.quantifier else "any")

    def phrase(self) -> Phrase:
        """The finished phrase."""
        if self.known is not None:
            return self.known
        if self.rank is not None:
            self.orders.append(Order("x", False, self.rank, text=self.rank_text))
            self.rank = None
        category = self.category
        front = [a.text for a in self.attributes if not a.negated and a.text not in self.details]
        text = " ".join((*front, category or " ".join(map(singular, self.heads)))).strip()
        for i, detail in enumerate(self.details):
            text += (" with " if i == 0 else " and ") + detail
        attributes = self.attributes
        if self.is_plural:  # "red and white cars" are red ones and white ones; "the red and white car" is both
            attributes = [replace(a, joined="or") if a.joined == "and" else a for a in attributes]
        return Phrase(
            text=text,
            category=category,
            attributes=tuple(attributes),
            number=self.number(),
            orders=tuple(self.orders),
            positions=_merged(self.positions),
            relations=tuple(self.relations),
            measures=tuple(self.measures),
        )


def _merged(positions: list[Position]) -> tuple[Position, ...]:
    """Positions with "in the middle" and "at the top" made one: the middle of the top."""
    middle = next((p for p in positions if p.value == "center" and not p.negated), None)
    side = next((p for p in positions if p.value in ("left", "right", "top", "bottom") and not p.negated), None)
    if middle is None or side is None:
        return tuple(positions)
    both = replace(side, value=f"center {side.value}", text=" ".join(p.text for p in positions if p in (middle, side)))
    return tuple(both if p is side else p for p in positions if p is not middle)
