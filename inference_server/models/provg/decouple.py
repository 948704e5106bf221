"""A referring expression decoupled into its spatial and its attribute cues (ProVG, Sec. 4.1).

The paper chunks part-of-speech tags with NLTK, whose data files cannot be counted on at run time, and whose absence
would change answers. Here the lexemes of our own parser are chunked: prepositional phrases of place and words of
place are spatial; what remains of nouns, adjectives, numbers and participles are attributes. A phrase that "of"
opens belongs to the place where a place comes before it ("left of the road"), to the attributes elsewhere ("the roof
of the church").
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from inference_server import expression_words as words
from inference_server.expression_lexer import Lexeme, lex

#: Relation words that tell what a thing has or is, not where it lies.
_DESCRIBING = frozenset({"of", "with", "containing", "without", "covered_with", "except"})
_PLACE_KEYS = frozenset({"x", "y", "east", "north", "center", "distance"})
_MODIFIERS = frozenset({"color", "shade", "size", "shape", "material", "orientation", "other", "number", "ordinal",
                        "csup", "sup", "cmp", "nearness", "quant", "any", "placed", "unit"})  # fmt: skip
_HEADS = frozenset({"noun", "word"})
_GLUE = frozenset({"det", "adverb"})
_ATTRIBUTES = (_MODIFIERS | _HEADS | {"unit", "bound", "side"}) - {"quant", "any", "nearness"}


@dataclass(frozen=True)
class Cues:
    """The three readings of an expression that guide the network.

    Attributes:
        context: the whole expression, for survey.
        spatial: phrases of place, for locate; the context where there are none.
        attributes: phrases of kind and look, for verify; the context where there are none.
    """

    context: str
    spatial: tuple[str, ...]
    attributes: tuple[str, ...]


def decouple(expression: str) -> Cues:
    """The cues of any string, as slices of it, in the order of the text."""
    lexemes, _ = lex(expression)
    lexemes = lexemes[_lead(lexemes) :]
    is_spatial = [False] * len(lexemes)
    spatial = []
    at = 0
    while at < len(lexemes):
        end = _place_end(lexemes, at)
        if end > at:
            spatial.append(_slice(expression, lexemes[at:end]))
            is_spatial[at:end] = [True] * (end - at)
        at = max(end, at + 1)
    context = expression.strip()
    attributes = _attributes(expression, lexemes, is_spatial)
    return Cues(context, tuple(spatial) or (context,), tuple(attributes) or (context,))


def _slice(text: str, lexemes: list[Lexeme]) -> str:
    return text[lexemes[0].start : lexemes[-1].end]


def _lead(lexemes: list[Lexeme]) -> int:
    """How many lexemes ask without describing: "please find", "show me"."""
    count = 0
    while count < len(lexemes) - 1 and lexemes[count].word in words.LEADS and lexemes[count].kind not in _LEADING:
        count += 1
    return count


_LEADING = frozenset({"number", "det", "dir", "rel", "noun", "sup", "nearness"})


def _place_end(lexemes: list[Lexeme], at: int) -> int:
    """One past the spatial phrase that begins at ``at``; ``at`` where none does."""
    kind, value = lexemes[at].kind, lexemes[at].value
    if kind == "rel" and value not in _DESCRIBING:
        end = _relation_end(lexemes, at)
        # "between 100 and 200 m2" is a size.
        return at if lexemes[end - 1].kind == "unit" and lexemes[end - 1].value == "area" else end
    if kind in ("to", "from") and _phrase_end(lexemes, at + 1) > at + 1:
        return _relation_end(lexemes, at)
    if kind == "nearness" and (lexemes[at].word in ("to", "from") or _kind(lexemes, at + 1) == "det"):
        return _relation_end(lexemes, at)
    if kind in ("dir", "nearness") or (kind == "sup" and value in _PLACE_KEYS):
        return _following(lexemes, _words_of_place(lexemes, at))
    if kind == "side" and at + 1 < len(lexemes) and lexemes[at + 1].value == "of":
        end = _following(lexemes, at + 1)
        return end if end > at + 1 else at
    if kind in ("bound", "number"):
        return _distance_end(lexemes, at)
    return at


def _distance_end(lexemes: list[Lexeme], at: int) -> int:
    """One past "less than 30 m from the pool"; ``at`` where it is no distance."""
    unit = _while(lexemes, at, lambda x: x.kind in ("bound", "number", "det"))
    if unit + 1 >= len(lexemes) or lexemes[unit].kind != "unit":
        return at
    follows = lexemes[unit + 1]
    return _relation_end(lexemes, unit + 1) if follows.kind == "from" or follows.value == "far_from" else at


def _kind(lexemes: list[Lexeme], at: int) -> str:
    return lexemes[at].kind if at < len(lexemes) else ""


def _words_of_place(lexemes: list[Lexeme], at: int) -> int:
    return _while(lexemes, at, lambda x: x.kind in ("dir", "side", "nearness") or x.value in _PLACE_KEYS)


def _relation_end(lexemes: list[Lexeme], at: int) -> int:
    """A relation word and the noun phrase after it; both of them after "between"."""
    end = _phrase_end(lexemes, at + 1)
    if lexemes[at].value == "between" and end < len(lexemes) and lexemes[end].kind == "and":
        end = _phrase_end(lexemes, end + 1)
    return _following(lexemes, end)


def _following(lexemes: list[Lexeme], end: int) -> int:
    """The "of", "to" or "from" phrases that go on from a place: "left | of the road", "first | from the left"."""
    while end < len(lexemes) and (lexemes[end].value == "of" or lexemes[end].kind in ("to", "from")):
        more = _phrase_end(lexemes, end + 1)
        if more == end + 1:
            return end
        end = more
    return end


def _phrase_end(lexemes: list[Lexeme], at: int) -> int:
    """One past a noun phrase, its determiners and modifiers, or past a bare place ("the left", "the top corner")."""
    end = _while(lexemes, at, lambda x: x.kind in _GLUE | _MODIFIERS | {"dir", "side"})
    return _while(lexemes, end, lambda x: x.kind in _HEADS or (x.kind == "side" and end > at))


def _while(lexemes: list[Lexeme], at: int, holds: Callable[[Lexeme], bool]) -> int:
    while at < len(lexemes) and holds(lexemes[at]):
        at += 1
    return at


def _attributes(text: str, lexemes: list[Lexeme], is_spatial: list[bool]) -> list[str]:
    phrases, run = [], []
    for i, lexeme in enumerate(lexemes):
        # "located left of": says nothing that the place does not.
        before_place = lexeme.kind == "placed" and (i + 1 == len(lexemes) or is_spatial[i + 1])
        if lexeme.kind in _ATTRIBUTES and not is_spatial[i] and not before_place:
            run.append(lexeme)
        elif run:
            phrases.append(_slice(text, run))
            run = []
    return [*phrases, *([_slice(text, run)] if run else [])]
