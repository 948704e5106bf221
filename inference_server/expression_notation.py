"""An expression as one line: compact for tests and documentation, in words for people."""

from __future__ import annotations

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

_ORDER_WORDS = {
    ("area", True): "largest",
    ("area", False): "smallest",
    ("length", True): "longest",
    ("length", False): "shortest",
    ("width", True): "widest",
    ("width", False): "narrowest",
    ("elongation", True): "most elongated",
    ("elongation", False): "most compact",
    ("x", False): "from the left",
    ("x", True): "from the right",
    ("y", False): "from the top",
    ("y", True): "from the bottom",
    ("east", True): "easternmost",
    ("east", False): "westernmost",
    ("north", True): "northernmost",
    ("north", False): "southernmost",
    ("distance", False): "closest to",
    ("distance", True): "farthest from",
    ("brightness", True): "brightest",
    ("brightness", False): "darkest",
    ("center", False): "closest to the middle",
    ("center", True): "farthest from the middle",
    ("score", True): "best fitting",
    ("score", False): "least fitting",
    ("height", True): "tallest",
    ("height", False): "lowest in height",
}


def notation(expression: Expression) -> str:
    """The expression in the compact notation of the tests: ``one car[color=red; next_to(one bus)]``.

    A phrase is ``NUMBER CATEGORY[PARTS]``: number "one", "all", a figure or nothing; "*" for any thing;
    "!" before a negated part; "|" joins alternatives, "+" patterns and coordinated targets.
    """
    return " + ".join(_phrase(p) for p in expression.targets) or "nothing"


def _phrase(phrase: Phrase) -> str:
    parts = [_attribute(a) for a in phrase.attributes]
    parts += [_measure(m) for m in phrase.measures]
    parts += [_order(o) for o in phrase.orders]
    parts += [_position(p) for p in phrase.positions]
    parts += [_relation(r) for r in phrase.relations]
    number = _number(phrase.number)
    return (f"{number} " if number else "") + (phrase.category or "*") + (f"[{'; '.join(parts)}]" if parts else "")


def _number(number: Number) -> str:
    return {"any": "", "count": str(number.count)}.get(number.kind, number.kind)


def _attribute(attribute: Attribute) -> str:
    joint = {"or": "|", "and": "+"}.get(attribute.joined, "")
    return f"{attribute.kind}{'!=' if attribute.negated else '='}{joint.join((attribute.value, *attribute.others))}"


def _measure(measure: Measure) -> str:
    low = "" if measure.at_least is None else f"{measure.at_least:g}"
    high = "" if measure.at_most is None else f"{measure.at_most:g}"
    return f"{measure.key}={low}..{high}"


def _order(order: Order) -> str:
    anchors = f"({' | '.join(_phrase(a) for a in order.anchors)})" if order.anchors else ""
    return f"order={order.key}{anchors} {'desc' if order.descending else 'asc'} {order.rank}"


def _position(position: Position) -> str:
    return f"position{'!=' if position.negated else '='}{position.value}"


def _relation(relation: Relation) -> str:
    joint = " & " if relation.predicate == "between" else " | "
    metres = "" if relation.distance_m is None else f"{relation.distance_m:g} m, "
    return (
        f"{'!' if relation.negated else ''}{relation.predicate}({metres}{joint.join(map(_phrase, relation.anchors))})"
    )


def describe(expression: Expression) -> str:
    """How the expression was read, one line for the user: "car: red, 2nd from the left, next to (bus)"."""
    if not expression.targets:
        return "nothing to look for"
    line = "; and ".join(_say_phrase(p) for p in expression.targets)
    if expression.ignored:
        line += " (not understood: " + ", ".join(f"“{w}”" for w in expression.ignored) + ")"
    return line


def _say_phrase(phrase: Phrase) -> str:
    number = {"all": "every ", "count": f"{phrase.number.count} × "}.get(phrase.number.kind, "")
    parts = [_say_attribute(a) for a in phrase.attributes]
    parts += [m.text for m in phrase.measures]
    parts += [_say_order(o) for o in phrase.orders]
    parts += [("not " if p.negated else "") + f"at the {p.value} of the image" for p in phrase.positions]
    parts += [_say_relation(r) for r in phrase.relations]
    name = number + (phrase.category or "anything")
    return f"{name}: {', '.join(parts)}" if parts else name


def _say_attribute(attribute: Attribute) -> str:
    joint = f" {attribute.joined} "
    return ("not " if attribute.negated else "") + joint.join((attribute.value, *attribute.others))


def ordinal(rank: int) -> str:
    """1 -> "1st", 2 -> "2nd", -1 -> "last", -2 -> "2nd to last"."""
    if rank < 0:
        return "last" if rank == -1 else f"{ordinal(-rank)} to last"
    ending = "th" if rank % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(rank % 10, "th")
    return f"{rank}{ending}"


def _say_order(order: Order) -> str:
    words = _ORDER_WORDS.get((order.key, order.descending), order.key)
    anchors = f" ({' or '.join(_say_phrase(a) for a in order.anchors)})" if order.anchors else ""
    rank = "" if order.rank == 1 and not words.startswith("from") else ordinal(order.rank) + " "
    return rank + words + anchors


def _say_relation(relation: Relation) -> str:
    words = relation.predicate.replace("_", " ")
    if relation.distance_m is not None:
        words = f"within {relation.distance_m:g} m of"
    joint = " and " if relation.predicate == "between" else " or "
    return ("not " if relation.negated else "") + f"{words} ({joint.join(map(_say_phrase, relation.anchors))})"
