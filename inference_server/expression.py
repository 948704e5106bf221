"""A referring expression taken apart: target, attributes, number, order, position, relations."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Attribute:
    """A property word of a phrase.

    Attributes:
        kind: "color", "size", "shape", "material" or "other".
        value: canonical word ("grey" -> "gray"; "big" -> "large").
        text: as written.
        negated: "not red".
    """

    kind: str
    value: str
    text: str
    negated: bool = False


@dataclass(frozen=True)
class Number:
    """How many: kind "one" ("the X", "a X"), "all" ("all X", plurals), "count" ("two X"), "any" (bare noun)."""

    kind: str = "any"
    count: int | None = None


@dataclass(frozen=True)
class Order:
    """A superlative or an ordinal: rank-th in the order of a key.

    Attributes:
        key: "area", "length", "width", "elongation", "x" (left to right on the screen), "y" (top to
            bottom on the screen), "east", "north" (map), "distance" (to anchors), "brightness", "center".
        descending: largest first.
        rank: 1 for the first; -1 for the last.
        anchors: for "distance".
        text: as written.
    """

    key: str
    descending: bool
    rank: int = 1
    anchors: tuple[Phrase, ...] = ()
    text: str = ""


@dataclass(frozen=True)
class Position:
    """Absolute position in the image.

    Attributes:
        value: "left", "right", "top", "bottom", "center", "top left", ..., "edge", "corner" on the
            screen; "north", "north-east", ... on the map.
        text: as written.
    """

    value: str
    text: str
    negated: bool = False


@dataclass(frozen=True)
class Relation:
    """A relation of a phrase to anchors.

    Attributes:
        predicate: "left_of", "right_of", "above", "below", "north_of", "north_east_of", ..., "next_to",
            "near", "far_from", "between", "on", "in", "around", "along", "facing", "surrounded_by",
            "with", "touching", "within_distance", "opposite", "in_front_of", "behind", "at_end_of" ...
        anchors: the phrases it relates to; two or more for "between", none never.
        negated: "not next to", "without".
        distance_m: for "within_distance".
        text: as written.
    """

    predicate: str
    anchors: tuple[Phrase, ...]
    negated: bool = False
    distance_m: float | None = None
    text: str = ""


@dataclass(frozen=True)
class Phrase:
    """A noun phrase.

    Attributes:
        text: the noun phrase with its own attributes, as an engine that reads words wants it
            ("white storage tank").
        category: the head noun words in the singular, lower case ("storage tank"); "" for "thing", "object".
        attributes, number, orders, positions, relations: its parts.
    """

    text: str
    category: str
    attributes: tuple[Attribute, ...] = ()
    number: Number = Number()
    orders: tuple[Order, ...] = ()
    positions: tuple[Position, ...] = ()
    relations: tuple[Relation, ...] = ()


@dataclass(frozen=True)
class Expression:
    """A whole referring expression; ``targets`` has more than one for "the pool and the court"."""

    text: str
    targets: tuple[Phrase, ...]
    ignored: tuple[str, ...] = ()
