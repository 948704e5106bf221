"""Sub-word tokens: greedy longest match over a vocabulary built from a corpus (WordPiece; Schuster & Nakajima 2012).

Characters that the vocabulary lacks are spelled as their UTF-8 bytes, so any string has tokens and none is "unknown".
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Protocol

PAD, CLS, SEP = 0, 1, 2
_SPECIAL = ("[PAD]", "[CLS]", "[SEP]")
_BYTES = tuple(f"<{value:02x}>" for value in range(256))
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789.,;:!?'\"-()/&%+=#@*"
_WORD = re.compile(r"[^\W\d_]+|\d|[^\w\s]|_")
_MAX_PIECE = 24


class Tokenizer(Protocol):
    """Text to ids, framed by the two special tokens."""

    pad_id: int

    def encode(self, text: str, max_tokens: int) -> list[int]:
        """Ids from ``cls`` to ``sep``, at most ``max_tokens`` of them, at least two."""


class SubwordTokenizer:
    """The compact text encoder's tokenizer.

    Args:
        vocabulary: tokens in the order of their ids, as ``build_vocabulary`` gives them.
    """

    pad_id = PAD

    def __init__(self, vocabulary: Sequence[str]) -> None:
        if tuple(vocabulary[: len(_SPECIAL) + 256]) != (*_SPECIAL, *_BYTES):
            raise ValueError("SubwordTokenizer: expected a vocabulary made by build_vocabulary: specials, then bytes")
        self.vocabulary = tuple(vocabulary)
        self._ids = {token: number for number, token in enumerate(vocabulary)}
        self._cache: dict[str, list[int]] = {}

    def encode(self, text: str, max_tokens: int) -> list[int]:
        """Ids from ``[CLS]`` to ``[SEP]``; what is too long loses its end."""
        ids = [CLS]
        for word in split_words(text):
            if len(ids) >= max_tokens - 1:
                break
            ids += self._pieces(word)
        return [*ids[: max_tokens - 1], SEP]

    def _pieces(self, word: str) -> list[int]:
        if word not in self._cache:
            if len(self._cache) > 20_000:
                self._cache.clear()
            self._cache[word] = self._split(word)
        return self._cache[word]

    def _split(self, word: str) -> list[int]:
        ids, at = [], 0
        while at < len(word):
            for end in range(min(len(word), at + _MAX_PIECE), at, -1):
                found = self._ids.get(("##" if at else "") + word[at:end])
                if found is not None:
                    ids.append(found)
                    at = end
                    break
            else:
                ids += [len(_SPECIAL) + byte for byte in word[at].encode("utf-8", "surrogatepass")]
                at += 1
        return ids


def split_words(text: str) -> list[str]:
    """Lower-case words, single digits and single marks, without accents."""
    plain = unicodedata.normalize("NFD", text.casefold())
    return _WORD.findall("".join(c for c in plain if unicodedata.category(c) != "Mn"))


def build_vocabulary(corpus: Iterable[str], size: int) -> list[str]:
    """At most ``size`` tokens: specials, bytes, characters, then the words and word parts that are met most.

    Args:
        corpus: texts to be read well.
        size: more than the 400-odd that every vocabulary holds.

    Raises:
        ValueError: size leaves no room for words.
    """
    base = [*_SPECIAL, *_BYTES, *_LETTERS, *(f"##{c}" for c in _LETTERS)]
    if size <= len(base):
        raise ValueError(f"build_vocabulary: expected size > {len(base)}, got {size}")
    counts = Counter(word for text in corpus for word in split_words(text))
    worth: Counter[str] = Counter()
    for word, count in counts.items():
        if len(word) > 1:
            worth[word[:_MAX_PIECE]] += count * len(word)
        for length in range(2, min(len(word), 9)):
            worth[word[:length]] += count
            worth["##" + word[-length:]] += count
    known = set(base)
    ranked = sorted(worth.items(), key=lambda item: (-item[1], item[0]))
    return [*base, *[token for token, _ in ranked if token not in known][: size - len(base)]]
