"""The front of a noun phrase: determiners, figures, superlatives, attributes, and the head noun."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from inference_server import expression_words as words
from inference_server.expression_draft import Draft
from inference_server.expression_lexer import Lexeme
from inference_server.expression_nouns import ANYTHING, NOUNS_LIKE_MODIFIERS, VAGUE, is_plural, word_set
from inference_server.expression_places import compose, read_quantity
from inference_server.expression_terms import Attribute, Measure, Order, Position

ATTRIBUTE_KINDS = word_set("color shade size shape material orientation other")
#: What may stand before a head noun, so that a noun is still to come.
BEFORE_NOUN = ATTRIBUTE_KINDS | word_set("word noun placed number unit")
_MODIFIER_ENDINGS = tuple(word_set("ed ing ous ful ive less ish ern able ible ical ial onal ural"))
_PARTED = word_set(
    """roofed topped walled hulled tipped shaped coloured colored toned painted tinted hued sized looking bodied style
    styled type storey story storeyed"""
)
#: Materials that may be meant as the thing itself: "the grass".
_MATERIAL_NOUNS = word_set(
    "concrete metal grass dirt earth gravel sand asphalt tarmac tiles wood brick bricks stone glass snow clay"
)
#: What a "wooded area" is.
_COVERS = {"wooded": "forest", "forested": "forest", "vegetated": "vegetation"}
_SHAPE_NOUNS = word_set("square circle ring disc disk cross star cone rectangle triangle cylinder")
_NEARBY = word_set("adjacent nearby neighboring neighbouring surrounding opposite outside adjoining inside")
_NO_SUPERLATIVES = word_set("forest harvest priest request contest everest arrest conquest interest rainforest")


class PhraseReader:
    """A cursor over lexemes that reads the fronts of noun phrases."""

    def __init__(self, text: str, lexemes: Sequence[Lexeme]) -> None:
        self.text = text
        self.lexemes = lexemes
        self.pos = 0
        self.ignored: list[str] = []

    def peek(self, ahead: int = 0) -> Lexeme | None:
        i = self.pos + ahead
        return self.lexemes[i] if i < len(self.lexemes) else None

    def kind(self, ahead: int = 0) -> str:
        lexeme = self.peek(ahead)
        return "" if lexeme is None else lexeme.kind

    def word(self, ahead: int = 0) -> str:
        lexeme = self.peek(ahead)
        return "" if lexeme is None else lexeme.word

    def value(self, ahead: int = 0) -> str:
        lexeme = self.peek(ahead)
        return "" if lexeme is None else lexeme.value

    def ignore(self, start: int, stop: int) -> None:
        """Notes lexemes as not understood."""
        text = self.words(start, stop).strip(" .,;:!?-")
        if any(c.isalnum() for c in text):
            self.ignored.append(text)

    def words(self, start: int, stop: int) -> str:
        """What was written from one lexeme up to, not including, another, in lower case."""
        if start >= stop:
            return ""
        return " ".join(self.text[self.lexemes[start].start : self.lexemes[stop - 1].end].casefold().split())

    def starts_phrase(self, ahead: int = 0) -> bool:
        """Whether a noun phrase may start there."""
        lexeme = self.peek(ahead)
        if lexeme is None:
            return False
        if lexeme.kind in ("adverb", "not"):
            return self.kind(ahead + 1) in BEFORE_NOUN
        if lexeme.kind in BEFORE_NOUN | {"det", "quant", "any", "oneof", "ordinal", "sup", "csup", "nearness", "no"}:
            return True
        if lexeme.kind == "dir":
            return self.kind(ahead + 1) in BEFORE_NOUN | {"dir"}
        return lexeme.kind in ("side", "cmp", "pronoun")

    def read_front(self) -> Draft:
        """Reads determiners, attributes and head from the cursor on; may come back empty."""
        draft = Draft(start=self.pos)
        while (lexeme := self.peek()) is not None:
            step = self._step_head(draft, lexeme) if draft.heads else self._step_front(draft, lexeme)
            if not step:
                break
        if not draft.heads and not draft.pronoun:
            self._head_from_attributes(draft)
        elif len(draft.heads) == 1 and draft.heads[0] in VAGUE and draft.attributes:
            last = draft.attributes[-1]
            covers = _COVERS.get(last.value, last.value if last.kind == "material" else "")
            if covers and not last.negated:
                draft.heads.insert(0, covers)
                draft.attributes.pop()
        return draft

    def _step_head(self, draft: Draft, lexeme: Lexeme) -> bool:
        """Goes on with a head that has begun; False at its end."""
        if lexeme.kind not in ("word", "noun", "side", "unit") or draft.heads[-1] in ANYTHING:
            return False
        participle = lexeme.kind == "word" and lexeme.word.endswith(("ing", "ed"))
        if participle and lexeme.word not in NOUNS_LIKE_MODIFIERS and self.kind(1) not in ("word", "noun"):
            return False
        if lexeme.word in words.BOUNDS and self.kind(1) == "number":
            return False
        self._add_head(draft, lexeme)
        return True

    def _add_head(self, draft: Draft, lexeme: Lexeme) -> None:
        value = lexeme.value if lexeme.kind == "noun" else lexeme.word
        if lexeme.glued and draft.heads:
            draft.heads[-1] += "-" + value
        else:
            draft.heads.append(value)
        draft.is_plural = lexeme.is_plural if lexeme.kind == "noun" else is_plural(lexeme.word)
        self.pos += 1

    def _step_front(self, draft: Draft, lexeme: Lexeme) -> bool:
        """Takes one part before the head; False when the phrase ends here."""
        kind = lexeme.kind
        if kind in ATTRIBUTE_KINDS:
            return self._take_attribute(draft)
        if kind == "word":
            return self._take_word(draft, lexeme)
        if kind in ("noun", "side") or (kind == "unit" and len(lexeme.word) > 2):
            self._add_head(draft, lexeme)
            return True
        if kind in ("det", "quant", "any", "oneof", "no", "ordinal", "number"):
            return self._take_determiner(draft, lexeme)
        if kind in ("sup", "csup", "nearness", "cmp"):
            return self._take_superlative(draft, lexeme)
        if kind == "dir":
            return self._take_direction(draft)
        if kind == "placed" and (self.kind(1) in BEFORE_NOUN or lexeme.word.endswith("ed")):
            if self.kind(1) not in BEFORE_NOUN:
                return False
            draft.attributes.append(Attribute("other", lexeme.word, lexeme.word))
        elif kind == "rel" and lexeme.word in _NEARBY and self.kind(1) in BEFORE_NOUN and draft.determiner:
            draft.attributes.append(Attribute("other", lexeme.word, lexeme.word))
        elif kind == "not":
            return self._take_attribute(draft)
        elif kind in ("and", "or", "comma"):
            after = self.peek(1)
            joins = after is not None and (draft.attributes or draft.positions) and after.kind in ATTRIBUTE_KINDS
            if not joins:
                return False
        elif kind == "pronoun":
            if not draft.is_empty or draft.determiner:
                return False
            draft.pronoun = lexeme.value
            self.pos += 1
            return False
        elif kind not in ("adverb", "mark") or (kind == "adverb" and not self.starts_phrase(1)):
            return False
        self.pos += 1
        return True

    def _take_word(self, draft: Draft, lexeme: Lexeme) -> bool:
        after = self.peek(1)
        if self._is_superlative(lexeme) and self.kind(1) in BEFORE_NOUN:  # "the oldest house"
            draft.attributes.append(Attribute("other", lexeme.word, lexeme.word))
            draft.orders.append(Order("score", True, draft.rank or 1, text=lexeme.word))
            draft.rank = None
            self.pos += 1
            return True
        if after is not None and after.glued and after.kind in ("word", "placed", "other") and self._is_modifier(after):
            if self.kind(2) in BEFORE_NOUN:  # "tree-lined road"
                joined = f"{lexeme.word}-{after.word}"
                draft.attributes.append(Attribute("other", joined, joined))
                self.pos += 2
                return True
        elif after is not None and after.kind in ("word", "noun", "material", "color") and self._is_modifier(lexeme):
            draft.attributes.append(Attribute("other", lexeme.word, lexeme.word))
            self.pos += 1
            return True
        self._add_head(draft, lexeme)
        return True

    @staticmethod
    def _is_superlative(lexeme: Lexeme) -> bool:
        return len(lexeme.word) > 5 and lexeme.word.endswith("est") and lexeme.word not in _NO_SUPERLATIVES

    @staticmethod
    def _is_modifier(lexeme: Lexeme) -> bool:
        word = lexeme.word
        return (
            len(word) > 4
            and word not in ANYTHING
            and word.endswith(_MODIFIER_ENDINGS)
            and word not in NOUNS_LIKE_MODIFIERS
        )

    def _take_determiner(self, draft: Draft, lexeme: Lexeme) -> bool:
        kind = lexeme.kind
        if kind == "det":
            draft.determiner = lexeme.value
        elif lexeme.word == "most" and kind == "quant" and (self.kind(1) == "other" or self._follows_modifier()):
            draft.orders.append(Order("score", True, draft.rank or 1, text=self.words(self.pos, self.pos + 2)))
        elif kind in ("quant", "any", "oneof"):
            draft.quantifier = {"oneof": "one of"}.get(kind, lexeme.value)
        elif kind == "no":
            draft.is_negated = True
        elif kind == "ordinal":
            draft.rank, draft.rank_text = int(lexeme.count), lexeme.value
        elif (quantity := read_quantity(self.lexemes, self.pos)) is not None:
            if quantity.kind == "length" and self.kind(2) in ("from", "rel", "dir", ""):
                return False
            key = quantity.dimension or ("area" if quantity.kind == "area" else "length")
            low, high = quantity.value * 0.75, quantity.value * 1.25
            if quantity.upper is not None:
                low, high = quantity.value, quantity.upper
            draft.measures.append(Measure(key, low, high, self.words(self.pos, quantity.stop)))
            self.pos = quantity.stop
            return True
        elif (after := self.peek(1)) is not None and after.glued and after.kind in ("word", "placed", "other"):
            joined = f"{lexeme.word}-{after.word}"  # "two-storey house"
            draft.attributes.append(Attribute("other", joined, joined))
            self.pos += 2
            return True
        elif lexeme.word == "one" and (draft.determiner or draft.attributes or draft.orders or draft.positions):
            draft.heads.append("one")
        elif lexeme.count >= 1 and lexeme.count == int(lexeme.count):
            draft.count = int(lexeme.count)
        self.pos += 1
        return True

    def _take_superlative(self, draft: Draft, lexeme: Lexeme) -> bool:
        if lexeme.kind == "cmp" and self.kind(1) == "than":
            return False
        rank = 1 if draft.rank is None else draft.rank
        text = f"{draft.rank_text} {self.words(self.pos, self.pos + 1)}".strip()
        key = "score" if lexeme.kind == "csup" else lexeme.value
        order = Order(key, lexeme.is_descending, rank, text=text)
        if lexeme.kind == "nearness":
            draft.nearness = order
        else:
            draft.orders.append(order)
        if lexeme.kind == "csup":
            draft.attributes.append(Attribute("color", lexeme.value, lexeme.value))
        draft.rank = None
        self.pos += 1
        return True

    def _take_direction(self, draft: Draft) -> bool:
        """ "the upper left building", "the left one", "the left of the two"."""
        j = self.pos
        directions = []
        while j < len(self.lexemes) and self.lexemes[j].kind == "dir":
            directions.append(self.lexemes[j].value)
            j += 1
            if j < len(self.lexemes) and self.lexemes[j].word in ("hand", "handed"):
                j += 1
        if j < len(self.lexemes) and self.lexemes[j].kind == "side" and j + 1 < len(self.lexemes):
            j += self.lexemes[j + 1].kind in ("word", "noun")
        follows = self.lexemes[j].kind if j < len(self.lexemes) else ""
        headless = bool(draft.determiner) and (
            follows == "oneof" or (j < len(self.lexemes) and self.lexemes[j].value == "of")
        )
        if follows not in BEFORE_NOUN and not headless:
            return False
        text = self.words(self.pos, j)
        draft.positions.append(Position(compose(directions), text, relative=True))
        self.pos = j
        return True

    def _follows_modifier(self) -> bool:
        after = self.peek(1)
        return after is not None and after.kind == "word" and self._is_modifier(after)

    def read_attribute(self) -> Attribute | None:
        """Reads one attribute: "dark red", "not red", "black or grey", "red-roofed", "very large"; None without."""
        start = self.pos
        is_negated = False
        while self.kind() in ("not", "adverb"):
            is_negated = is_negated or self.kind() == "not"
            self.pos += 1
        first = self.pos
        attribute = self._one_attribute()
        if attribute is None:
            self.pos = start
            return None
        joined, others = "", []
        while attribute.kind == "color" and self.kind() in ("and", "or") and self.kind(1) in ("color", "shade"):
            back, joint = self.pos, self.kind()
            self.pos += 1
            other = self._one_attribute()
            if other is None or other.kind != "color" or (joined and joint != joined):
                self.pos = back
                break
            joined = joint
            others.append(other.value)
        return replace(
            attribute, negated=is_negated, text=self.words(first, self.pos), others=tuple(others), joined=joined
        )

    def _one_attribute(self) -> Attribute | None:
        lexeme = self.peek()
        if lexeme is None or lexeme.kind not in ATTRIBUTE_KINDS:
            return None
        kind, value = lexeme.kind, lexeme.value
        self.pos += 1
        following = self.peek()
        if kind == "shade":
            kind = "color"
            if following is not None and following.kind == "color":
                value = f"{value} {following.value}"
                self.pos += 1
            else:
                value = "bright" if value == "light" else value
        elif kind == "color" and following is not None and following.kind == "color":
            value = f"{value}-{following.value}"
            self.pos += 1
        following = self.peek()
        if following is not None and (following.word in _PARTED or self._is_glued_part(following)):
            if kind == "other":
                value = f"{lexeme.word}-{following.word}"
            self.pos += 1
        return Attribute(kind, value, "")

    def _is_glued_part(self, lexeme: Lexeme) -> bool:
        return lexeme.glued and lexeme.kind in ("word", "placed", "other") and self.kind(1) in BEFORE_NOUN

    def _take_attribute(self, draft: Draft) -> bool:
        attribute = self.read_attribute()
        if attribute is None:
            return False
        draft.attributes.append(attribute)
        return True

    def _head_from_attributes(self, draft: Draft) -> None:
        """ "the grass", "the square": the last attribute was the thing itself."""
        last = self.lexemes[self.pos - 1] if self.pos > draft.start else None
        if last is None or not draft.attributes or draft.attributes[-1].negated:
            return
        is_noun = (last.kind == "material" and last.word in _MATERIAL_NOUNS) or (
            last.kind == "shape" and last.word in _SHAPE_NOUNS
        )
        if is_noun and draft.attributes[-1].text.endswith(last.word):
            draft.attributes.pop()
            draft.heads.append(last.word)
            draft.is_plural = is_plural(last.word)
