"""Directions, places and quantities among the lexemes: "in the upper left corner", "50 m north of"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inference_server import expression_words as words
from inference_server.expression_lexer import Lexeme
from inference_server.expression_nouns import FRAMES, word_set

_PREPOSITIONS = word_set("in on at near along next_to around")
_EDGES = word_set("edge edges border borders margin margins boundary boundaries rim fringe")
_CORNERS = word_set("corner corners")
_ENDS = word_set("end ends tip")
_SIDES = word_set("side sides bank flank")
_SHOWING = word_set("showing shows depicting where there")
#: After a direction these are the side of something too: "in the top row", "in the left third".
_SHARES = word_set("third quarter fourth row rows column lane")
#: Words after a place that open no noun phrase: "on the left there is".
_OPENERS = word_set("there here is are")
_NOUNISH = word_set("word noun color shade size shape material other orientation number placed")


@dataclass(frozen=True)
class Place:
    """A direction or a place, with or without an anchor to follow.

    Attributes:
        value: for a :class:`Position` ("top left", "left edge", "corner", "top left corner").
        predicate: for a :class:`Relation`, when an anchor follows.
        has_anchor: "of" was read; the anchor starts at ``stop``.
        is_own: "to its left".
        part: for a :class:`Relation` when the anchor is a surface: "on the left of the field" is on the field;
            "" for "to the left of".
        stop: index of the first lexeme behind.
    """

    value: str
    predicate: str
    has_anchor: bool
    is_own: bool
    stop: int
    part: str = ""


@dataclass(frozen=True)
class Quantity:
    """A figure with its unit: bound "low" (at least), "high" (at most) or "about"; metres or square metres;
    ``upper`` of "between 100 and 200 m2"."""

    bound: str
    value: float
    kind: str
    dimension: str
    stop: int
    upper: float | None = None


def compose(directions: Sequence[str]) -> str:
    """One direction of several words: ("upper", "left") -> "top left"; ("north", "west") -> "north-west"."""
    parts = [p for d in directions for p in d.replace("-", " ").split()]
    compass = {p for p in parts if p in ("north", "south", "east", "west")}
    if compass:
        vertical = next((p for p in ("north", "south") if p in compass), "")
        horizontal = next((p for p in ("east", "west") if p in compass), "")
        return f"{vertical}-{horizontal}".strip("-")
    vertical = next((p for p in parts if p in ("top", "bottom")), "")
    horizontal = next((p for p in parts if p in ("left", "right")), "")
    if vertical and horizontal:
        return f"{vertical} {horizontal}"
    if "center" in parts and (vertical or horizontal):
        return f"center {vertical or horizontal}"
    return vertical or horizontal or "center"


def predicate_of(direction: str, ending: str = "of") -> str:
    """The predicate of a direction: "top left" -> "upper_left_of", "north-west" -> "north_west_of".

    Args:
        direction: composed.
        ending: "part_of" for the part of the anchor that lies there ("upper_left_part_of", "top_part_of").
    """
    direction = direction.removeprefix("center ")
    if ending == "of" and direction in ("top", "bottom"):
        return {"top": "above", "bottom": "below"}[direction]
    if " " in direction:
        direction = direction.replace("top", "upper").replace("bottom", "lower")
    return direction.replace(" ", "_").replace("-", "_") + "_" + ending


def skip_frame(lexemes: Sequence[Lexeme], i: int, *, loosely: bool = False) -> int | None:
    """The index behind "the (satellite) image" when that stands at ``i``, else None.

    Args:
        loosely: also take "the area", "the site" for the picture.
    """
    for j in range(i, min(i + 5, len(lexemes))):
        lexeme = lexemes[j]
        if lexeme.word in FRAMES or (loosely and lexeme.word in ("area", "site", "region")):
            following = lexemes[j + 1] if j + 1 < len(lexemes) else None
            if following is not None and (
                following.kind in ("noun", "word") and following.word not in FRAMES | _SHOWING
            ):
                return None
            return j + 2 if following is not None and following.word in FRAMES else j + 1
        if lexeme.kind not in ("det", "word", "adverb", "color", "other", "dir") or lexeme.glued:
            return None
    return None


def read_place(lexemes: Sequence[Lexeme], i: int, *, bare: bool = False) -> Place | None:
    """The place or direction that starts at ``i``, or None.

    "in the upper left corner (of the image)", "on the left", "to the left of X", "left of X", "near the
    edge", "at the end of X", "in the middle of X"; not "next to the left building".

    Args:
        bare: take it without a preposition too, as behind "closest to": "the upper left corner".
    """
    size = len(lexemes)
    j = i
    while j < size and lexemes[j].kind == "adverb":
        j += 1
    if j >= size:
        return None
    preposition = ""
    if (lexemes[j].kind == "rel" and lexemes[j].value in _PREPOSITIONS) or lexemes[j].kind == "to":
        preposition = lexemes[j].value
        j += 1
    elif lexemes[j].word in ("towards", "toward"):
        preposition = "to"
        j += 1
    is_own = False
    if j < size and lexemes[j].kind == "det":
        if not preposition and not bare:
            return None
        is_own = lexemes[j].value in ("its", "their", "his", "her")
        j += 1
    while j < size and (lexemes[j].kind == "adverb" or lexemes[j].word in ("far", "extreme", "outer", "very", "most")):
        j += 1
    if j < size and lexemes[j].kind == "sup" and lexemes[j].value in ("x", "y", "north", "east"):
        directions = [_of_superlative(lexemes[j])]
        j += 1
    else:
        directions = []
    while j < size and lexemes[j].kind == "dir":
        directions.append(lexemes[j].value)
        j += 1
        if j < size and lexemes[j].word in ("hand", "handed", "most"):
            j += 1
    side = ""
    if j < size and lexemes[j].kind == "side":
        side = lexemes[j].value
        j += 1
    elif directions and j < size and lexemes[j].word in _SHARES:
        side = "part"
        j += 1
    if not directions and side not in _EDGES | _CORNERS | _ENDS:
        return None
    if not directions and not preposition and not bare:
        return None
    has_anchor = False
    if j < size and (
        lexemes[j].value == "of"
        or (directions and lexemes[j].kind == "from" and preposition != "from")
        or (directions and not preposition and lexemes[j].kind == "to" and j + 1 < size)
    ):
        has_anchor = True
        j += 1
        if j < size and lexemes[j].value == "of":
            j += 1
    elif (not side and j < size and lexemes[j].kind in _NOUNISH and lexemes[j].word not in _OPENERS) or (
        side and j < size and lexemes[j].kind in ("word", "noun") and not lexemes[j].word.endswith("ing")
    ):
        return None
    value = compose(directions) if directions else ""
    is_within = preposition in ("in", "on", "at") and bool(directions) and side not in _ENDS | _EDGES | _CORNERS
    part = predicate_of(value, "part_of") if is_within and value != "center" else ""
    predicate = part if part and side and side not in _SIDES else _predicate(value, side)
    return Place(_position(value, side), predicate, has_anchor, is_own, j, part)


def _of_superlative(lexeme: Lexeme) -> str:
    pairs = {"x": ("left", "right"), "y": ("top", "bottom"), "north": ("south", "north"), "east": ("west", "east")}
    return pairs[lexeme.value][lexeme.is_descending]


def _position(value: str, side: str) -> str:
    if side in _EDGES:
        return f"{value} edge".strip() if " " not in value and "-" not in value else value
    if side in _CORNERS and (not value or " " in value):
        return f"{value} corner".strip()
    return value or "edge"


def _predicate(value: str, side: str) -> str:
    if side in _ENDS:
        return "at_end_of"
    if side in _EDGES | _CORNERS:
        return "at_edge_of"
    if value == "center":
        return "at_center_of"
    return predicate_of(value)


def read_quantity(lexemes: Sequence[Lexeme], i: int) -> Quantity | None:
    """The quantity with a unit that starts at ``i``, or None: "less than 50 m", "20 metres long", "2 ha"."""
    size = len(lexemes)
    j = i
    bound = "about"
    while j < size and lexemes[j].kind in ("adverb", "det"):
        j += 1
    if j < size and lexemes[j].kind == "bound":
        bound = lexemes[j].value
        j += 1
    elif j < size and lexemes[j].kind not in ("number",) and lexemes[j].word in words.BOUNDS:
        bound = words.BOUNDS[lexemes[j].word]
        j += 1
    elif j + 1 < size and lexemes[j].kind == "cmp" and lexemes[j + 1].kind == "than":
        bound = "low" if lexemes[j].is_descending else "high"
        j += 2
    while j < size and lexemes[j].kind in ("det", "adverb"):
        j += 1
    if j + 1 < size and lexemes[j].value == "about" and lexemes[j].kind == "bound":
        j += 1
    lower: float | None = None
    if j + 2 < size and lexemes[j].word in ("between", "from") and lexemes[j + 1].kind == "number":
        j += 1
    if j + 2 < size and lexemes[j].kind == "number" and (lexemes[j + 1].kind in ("to", "and") or lexemes[j + 1].glued):
        lower = lexemes[j].count
        j += 1 if lexemes[j + 1].glued else 2
    if j + 1 >= size or lexemes[j].kind != "number" or lexemes[j + 1].kind != "unit":
        return None
    value = lexemes[j].count * lexemes[j + 1].count
    factor = lexemes[j + 1].count
    kind = lexemes[j + 1].value
    j += 2
    if j + 1 < size and kind == "length" and lexemes[j].word == "by" and lexemes[j + 1].kind == "number":
        j += 3  # "20 m by 30 m": the first figure speaks
    dimension = ""
    if j < size and lexemes[j].word in ("long", "wide", "broad", "radius", "apart", "high", "tall"):
        dimension = {"long": "length", "wide": "width", "broad": "width"}.get(lexemes[j].word, lexemes[j].word)
        j += 1
    elif j + 1 < size and lexemes[j].value == "in" and lexemes[j + 1].word in ("length", "width", "size", "area"):
        dimension = {"size": kind}.get(lexemes[j + 1].word, lexemes[j + 1].word)
        j += 2
    if lower is not None:
        return Quantity(bound, lower * factor, kind, dimension, j, value)
    return Quantity(bound, value, kind, dimension, j)
