"""The parts of a referring expression, as frozen values: what the parser gives and every engine reads."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Attribute:
    """A property word of a phrase.

    Attributes:
        kind: "color", "size", "shape", "material", "orientation" or "other". Size and orientation are
            settled in :mod:`inference_server.relations`, the rest by the engine.
        value: canonical word ("grey" -> "gray"; "big" -> "large"; "reddish" -> "red"; "dark red" stays).
        text: as written.
        negated: "not red".
        others: further values of the same kind: of "black or grey" ("gray",), of "red and white" ("white",).
        joined: how ``others`` are meant: "or" (any of them), "and" (all of them show, as a pattern), "" without.
    """

    kind: str
    value: str
    text: str
    negated: bool = False
    others: tuple[str, ...] = ()
    joined: str = ""


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
            bottom on the screen), "east", "north" (map), "distance" (to anchors), "brightness", "center"
            (distance from the middle of the image), "score" ("the reddest": how well the attribute fits),
            "height" (which an image from above does not show).
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
        value: "left", "right", "top", "bottom", "center", "top left", "center left", "edge", "left edge",
            "corner", "top left corner" ... on the screen; "north", "north-east", ... on the map.
        text: as written.
        negated: "not in the upper left".
        relative: "the left building" rather than "the building on the left": among its like, also when
            all of them lie in the other half.
    """

    value: str
    text: str
    negated: bool = False
    relative: bool = False


@dataclass(frozen=True)
class Measure:
    """An absolute size: "larger than 200 m2", "at least 30 m long"; bounds in m or m2, None where open.

    Attributes:
        key: "area", "length" or "width".
        at_least, at_most: bounds in metres or square metres.
        text: as written.
    """

    key: str
    at_least: float | None
    at_most: float | None
    text: str = ""


@dataclass(frozen=True)
class Relation:
    """A relation of a phrase to anchors.

    Attributes:
        predicate: a name of ``inference_server.relations.PREDICATES``: "left_of", "right_of", "above",
            "below", "upper_left_of", ..., "north_of", "north_east_of",
            ..., "left_part_of", ..., "next_to", "near",
            "far_from", "between", "on", "in", "around", "along", "facing", "surrounded_by", "with",
            "touching", "within_distance", "opposite", "in_front_of", "behind", "at_end_of" ...
        anchors: the phrases it relates to, any of which will do ("next to a car or a bus"); for
            "between" one plural phrase or two; never none.
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
        attributes, number, orders, positions, relations, measures: its parts.
    """

    text: str
    category: str
    attributes: tuple[Attribute, ...] = ()
    number: Number = Number()
    orders: tuple[Order, ...] = ()
    positions: tuple[Position, ...] = ()
    relations: tuple[Relation, ...] = ()
    measures: tuple[Measure, ...] = ()


@dataclass(frozen=True)
class Expression:
    """A whole referring expression.

    Attributes:
        text: as asked.
        targets: what is looked for; more than one for "the pool and the court"; empty when the words
            hold nothing to look for.
        ignored: words that were not understood, as written.
    """

    text: str
    targets: tuple[Phrase, ...]
    ignored: tuple[str, ...] = ()
