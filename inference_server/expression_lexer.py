"""Text -> lexemes: words with what they mean, the longest known phrase first."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from inference_server import expression_words as words
from inference_server.expression_nouns import word_set

#: Words read of one expression; the rest is reported as ignored. The wire's limit is about 400 words.
MAX_WORDS = 400

_TOKEN = re.compile(
    r"(?P<ordinal>\d{1,4}(?:st|nd|rd|th)\b)"
    r"|(?P<unit>(?:km|m|ft)[2²](?!\w))"
    r"|(?P<number>\d{1,9}(?:[.,]\d{1,9})?)"
    r"|(?P<word>[^\W\d_]+(?:['’][^\W\d_]+)?)"
    r"|(?P<mark>[^\s])",
    re.IGNORECASE,
)
_CONTRACTIONS = {
    "it's": ("it", "is"), "that's": ("that", "is"), "what's": ("what", "is"), "where's": ("where", "is"),
    "there's": ("there", "is"), "who's": ("who", "is"), "they're": ("they", "are"), "i'm": ("i", "am"),
    "cannot": ("can", "not"), "can't": ("can", "not"), "won't": ("will", "not"),
}  # fmt: skip
_JOINTS = {"&": "and", "+": "and", "/": "or"}
_STOPS = frozenset(".!?…。！？")
_PAUSES = frozenset(",;:、，；：")
_SHAPE_LETTERS = frozenset("lutshcyxevzjko")


@dataclass(frozen=True)
class Lexeme:
    """One unit of meaning.

    Attributes:
        kind: "color", "shade", "size", "shape", "material", "orientation", "other" (attributes);
            "noun" (compound), "word" (any other word); "dir", "side"; "rel", "placed"; "sup", "csup",
            "nearness", "cmp"; "number", "ordinal", "unit", "bound"; "det", "quant", "adverb", "copula",
            "and", "or", "but", "not", "no", "relpro", "pronoun", "than", "to", "from", "with_part",
            "comma", "stop", "mark".
        value: canonical meaning.
        start, end: characters of the text.
        glued: follows its predecessor after a hyphen.
        count: of "number", "ordinal"; metres per unit of "unit".
        is_descending: of "sup", "csup", "nearness", "cmp".
        is_plural: of "noun".
        word: the last word as written, lower case.
    """

    kind: str
    value: str
    start: int
    end: int
    glued: bool = False
    count: float = 0.0
    is_descending: bool = False
    is_plural: bool = False
    word: str = ""


@dataclass(frozen=True)
class _Token:
    word: str
    form: str
    start: int
    end: int
    glued: bool


@dataclass(frozen=True)
class _Entry:
    kind: str
    value: str
    count: float = 0.0
    is_descending: bool = False
    is_plural: bool = False


def _entries() -> dict[tuple[str, ...], _Entry]:
    """Every known phrase; what is set later wins, so the general comes first."""
    table: dict[str, _Entry] = {}
    for value in words.OTHERS:
        table[value] = _Entry("other", value)
    for word in words.PLACED:
        table[word] = _Entry("placed", word)
    for kind, known in (
        ("material", words.MATERIALS),
        ("shape", words.SHAPES),
        ("size", words.SIZES),
        ("orientation", words.ORIENTATIONS),
        ("color", words.COLORS),
        ("shade", words.SHADES),
        ("dir", words.DIRECTIONS),
        ("rel", words.RELATIONS),
        ("bound", {k: v for k, v in words.BOUNDS.items() if " " in k and k.split()[0] not in words.COMPARATIVES}),
    ):
        for word, value in known.items():
            table[word] = _Entry(kind, value)
    for word in words.SIDES:
        table[word] = _Entry("side", word)
    for word, (key, descending) in words.SUPERLATIVES.items():
        table[word] = _Entry("sup", key, is_descending=descending)
    for word, (key, descending) in words.COMPARATIVES.items():
        table[word] = _Entry("cmp", key, is_descending=descending)
    for word, color in words.COLOR_SUPERLATIVES.items():
        table[word] = _Entry("csup", color, is_descending=True)
    for color in words.COLORS:
        if color.isalpha():
            table[f"most {color}"] = _Entry("csup", words.COLORS[color], is_descending=True)
    for word, descending in words.NEARNESS.items():
        table[word] = _Entry("nearness", "distance", is_descending=descending)
    for word, number in words.NUMBERS.items():
        table[word] = _Entry("number", word, count=number)
    for word, number in words.ORDINALS.items():
        table[word] = _Entry("ordinal", word, count=number)
    for word, (kind, factor) in words.UNITS.items():
        table[word] = _Entry("unit", kind, count=factor)
    for word in words.DETERMINERS:
        table[word] = _Entry("det", word)
    for word in words.QUANTIFIERS:
        table[word] = _Entry("quant", word)
    for word in words.ADVERBS:
        table[word] = _Entry("adverb", word)
    for word in words.COPULAS:
        table[word] = _Entry("copula", word)
    for word in ("which", "who", "where", "whose", "wherein"):
        table[word] = _Entry("relpro", word)
    for word in ("it", "them", "itself", "they", "themselves", "each other", "one another"):
        table[word] = _Entry("pronoun", word)
    for word, kind in {
        "and": "and", "as well as": "and", "plus": "and", "or": "or", "nor": "or", "and or": "or", "but": "but",
        "although": "but", "though": "but", "yet": "but", "not": "not", "non": "not", "never": "not", "no": "no",
        "neither": "not", "don't": "not", "none of": "no", "than": "than", "to": "to", "from": "from", "any": "any",
        "does not": "not", "do not": "not", "did not": "not", "does": "adverb", "do": "adverb", "one of": "oneof",
        "with respect to": "of", "relative to": "of", "as seen from": "of", "of": "of", "i e": "adverb",
        "one of the": "oneof", "away": "adverb", "both": "quant", "both of": "quant", "side by side": "other",
    }.items():  # fmt: skip
        table[word] = _Entry("rel" if kind == "of" else kind, word if kind != "of" else "of")
    for word, category in words.COMPOUND_NOUNS.items():
        table[word] = _Entry("noun", category, is_plural=word != category)
    return {tuple(phrase.split()): entry for phrase, entry in table.items()}


_ENTRIES = _entries()
#: first word -> how many words its known phrases have, longest first
_LENGTHS: dict[str, tuple[int, ...]] = {}
for _phrase in _ENTRIES:
    _LENGTHS[_phrase[0]] = tuple(sorted({*_LENGTHS.get(_phrase[0], ()), len(_phrase)}, reverse=True))


def lex(text: str) -> tuple[list[Lexeme], str]:
    """The lexemes of a text, and what was left unread because the text is too long ("" as a rule)."""
    tokens, unread = _tokens(text)
    lexemes: list[Lexeme] = []
    i = 0
    while i < len(tokens):
        lexeme, count = _shaped(tokens, i) or _known(tokens, i) or _single(tokens[i])
        if lexeme.kind == "word" and text[lexeme.start : lexeme.end] in words.COMPASS:
            lexeme = replace(lexeme, kind="dir", value=words.COMPASS[text[lexeme.start : lexeme.end]])
        if not (lexeme.kind == "mark" and lexeme.value in "-'\"“”„’‘`´()[]{}<>*_#"):
            lexemes.append(lexeme)
        i += count
    return [_adverbial(lexemes, k) for k in range(len(lexemes))], unread


def _adverbial(lexemes: list[Lexeme], i: int) -> Lexeme:
    """The lexeme at ``i``; "right" as an adverb where it is one: "right next to", not "right of"."""
    lexeme = lexemes[i]
    before = lexemes[i - 1].kind if i else ""
    after = lexemes[i + 1] if i + 1 < len(lexemes) else None
    if lexeme.word != "right" or after is None or before in ("det", "dir", "rel", "to"):
        return lexeme
    is_adverb = (after.kind == "rel" and after.value != "of") or (after.kind == "dir" and before == "word")
    return replace(lexeme, kind="adverb") if is_adverb else lexeme


def _tokens(text: str) -> tuple[list[_Token], str]:
    tokens: list[_Token] = []
    glued = False
    for match in _TOKEN.finditer(text):
        if len(tokens) >= MAX_WORDS:
            return tokens, text[match.start() :].strip()
        form = match.lastgroup or "mark"
        word = match.group().casefold().replace("’", "'")
        start, end = match.span()
        if form == "mark" and word in "-‐‑–" and start and end < len(text) and not text[end].isspace():
            glued = not text[start - 1].isspace()
            continue
        parts: tuple[str, ...] = _CONTRACTIONS.get(word, (word,))
        if form == "word" and len(parts) == 1 and "'" in word:
            stem, _, ending = word.partition("'")
            parts = (stem.removesuffix("n"), "not") if ending == "t" and stem.endswith("n") else (stem,)
        for part in parts:
            tokens.append(_Token(part, form, start, end, glued))
            glued = False
    return tokens, ""


def _shaped(tokens: list[_Token], i: int) -> tuple[Lexeme, int] | None:
    """ "L-shaped", "u shaped", "in the shape of an L", "shaped like a circle"."""
    opened = i
    following = [t.word for t in tokens[i : i + 5]]
    for opening in (("in", "the", "shape", "of"), ("shaped", "like"), ("shaped", "as"), ("in", "shape", "of")):
        if tuple(following[: len(opening)]) == opening:
            i += len(opening)
            if i < len(tokens) and tokens[i].word in ("a", "an", "the"):
                i += 1
            break
    if i >= len(tokens):
        return None
    word = tokens[i].word
    follows = i + 1 < len(tokens) and tokens[i + 1].word in ("shaped", "shape", "form", "formed")
    if i == opened and not follows:
        return None
    if len(word) == 1 and word in _SHAPE_LETTERS:
        value = f"{word.upper()}-shaped"
    elif word in words.SHAPES:
        value = words.SHAPES[word]
    elif tokens[i].form == "word" and word not in words.DETERMINERS and word not in words.COPULAS:
        likened = i + 2 < len(tokens) and tokens[i + 2].word in ("like", "as")
        if i == opened and (tokens[i + 1].word != "shaped" or len(word) < 3 or likened):
            return None
        value = f"{word}-shaped"
    else:
        return None
    last = i + 1 if follows else i
    return Lexeme("shape", value, tokens[opened].start, tokens[last].end, tokens[opened].glued), last - opened + 1


#: What follows "crossing" where it is a place: nothing, a mark, or what no anchor begins with.
_AFTER_A_NOUN = (
    word_set("on in at near next to of with that which is and or beside by below above under left right from")
    | _PAUSES
    | _STOPS
    | {""}
)


def _is_meant(is_noun: bool, length: int, before: str, following: str) -> bool:
    """Whether "crossing" is what an entry takes it for: a place, or what a road does."""
    if is_noun:
        return following not in ("the", "a", "an")  # "the railway crossing the road"
    return length > 1 or not (before in words.DETERMINERS or following in _AFTER_A_NOUN)  # "the car at the crossing"


def _known(tokens: list[_Token], i: int) -> tuple[Lexeme, int] | None:
    for length in _LENGTHS.get(tokens[i].word, ()):
        if i + length > len(tokens):
            continue
        entry = _ENTRIES.get(tuple(t.word for t in tokens[i : i + length]))
        following = tokens[i + length].word if i + length < len(tokens) else ""
        if entry is not None and tokens[i + length - 1].word == "crossing":
            before = tokens[i - 1].word if i > 0 else ""
            entry = entry if _is_meant(entry.kind == "noun", length, before, following) else None
        if entry is not None:
            first, last = tokens[i], tokens[i + length - 1]
            return Lexeme(
                entry.kind,
                entry.value,
                first.start,
                last.end,
                first.glued,
                entry.count,
                entry.is_descending,
                entry.is_plural,
                last.word,
            ), length
    return None


def _single(token: _Token) -> tuple[Lexeme, int]:
    kind, value, count = "word", token.word, 0.0
    if token.form == "ordinal":
        kind, count = "ordinal", float(int(token.word[:-2]))
    elif token.form == "number":
        kind, count = "number", float(token.word.replace(",", "."))
    elif token.form == "mark":
        if token.word in _PAUSES:
            kind = "comma"
        elif token.word in _STOPS:
            kind = "stop"
        elif token.word in _JOINTS:
            kind = _JOINTS[token.word]
        else:
            kind = "mark"
    return Lexeme(kind, value, token.start, token.end, token.glued, count, word=token.word), 1
