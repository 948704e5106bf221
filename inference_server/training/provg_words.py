"""Words that stay true when a picture is turned over, and the texts that the vocabulary is built from."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from inference_server import expression_nouns, expression_words
from inference_server.evaluation.scenes import generate
from inference_server.expression_lexer import lex

_PAIRS = {
    "across": (("left", "right"), ("east", "west")),
    "down": (("top", "bottom"), ("upper", "lower"), ("above", "below"), ("north", "south")),
}
#: Here a word of direction is none, or one that has no pair: "on top of", "right next to", "over 20 m", "lowest".
_BLOCKED = re.compile(
    r"\b(on (the )?top of|on top|atop|right (next|beside|at|by|over|angles?)|over|under|up|down|beneath|underneath"
    r"|high(er|est)|lowest|(above|below) \d+|[NESW]{1,2})\b"
)
_DIRECTION = re.compile(r"left|right|east|west|top|bottom|upper|lower|above|below|north|south")
#: What may come before and after such a word within one: "north|west", "top|left", "left|most", "north|ern".
_BEFORE = r"(?:(?<![a-z])|(?<=north)|(?<=south)|(?<=upper)|(?<=lower)|(?<=top)|(?<=bottom))"
_AFTER = r"(?![a-rt-z])|(?=most|hand|side|ward|ern|left|right|east|west)"


def _swapper(pairs: tuple[tuple[str, str], ...]) -> tuple[re.Pattern[str], dict[str, str]]:
    table = {a: b for pair in pairs for a, b in (pair, pair[::-1])}
    return re.compile(f"{_BEFORE}(?:{'|'.join(table)})(?:{_AFTER})", re.IGNORECASE), table


_SWAPS = {axis: _swapper(pairs) for axis, pairs in _PAIRS.items()}


def flipped(text: str, axis: str) -> str | None:
    """The text that is true of the mirrored picture; None where that cannot be told.

    Args:
        text: an expression.
        axis: "across" (left becomes right) or "down" (top becomes bottom).
    """
    if _BLOCKED.search(text):
        return None
    pattern, table = _SWAPS[axis]
    return pattern.sub(lambda match: _cased(table[match.group().lower()], match.group()), text)


def _cased(word: str, like: str) -> str:
    return word.upper() if like.isupper() else word.capitalize() if like[0].isupper() else word


def is_turnable(text: str) -> bool:
    """Whether a quarter turn leaves the text true: it says nothing of directions."""
    names = {lexeme.kind for lexeme in lex(text)[0]}
    return not (names & {"dir", "side", "orientation", "ordinal"}) and not (
        _DIRECTION.search(text.lower()) or _BLOCKED.search(text)
    )


def corpus(scenes: int = 60) -> Iterator[str]:
    """Texts for the vocabulary: expressions of generated scenes, and every word that the parser knows."""
    for seed in range(scenes):
        side = int(np.random.default_rng(seed).integers(256, 400))
        yield from (e.text for e in generate(seed, size_px=(side, side), expressions=60).expressions)
    tables: tuple[object, ...] = (*vars(expression_words).values(), *vars(expression_nouns).values())
    for table in tables:
        if isinstance(table, (dict, set, frozenset, tuple)):
            yield from (word for word in table if isinstance(word, str))
