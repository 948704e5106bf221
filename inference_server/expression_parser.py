"""Text -> Expression: the request around the noun phrases, its targets, and what they share."""

from __future__ import annotations

from dataclasses import replace

from inference_server import expression_words as words
from inference_server.expression_clauses import ClauseReader
from inference_server.expression_draft import Draft
from inference_server.expression_lexer import lex
from inference_server.expression_places import read_place, skip_frame
from inference_server.expression_terms import Expression, Number

_BETWEEN_TARGETS = frozenset(("and", "or", "comma", "stop", "but", "mark", "adverb", "copula", "relpro"))
_VERBS_ALSO_NOUNS = frozenset(("mark", "map", "box", "count", "point", "cut"))


def parse(text: str) -> Expression:
    """The expression that a text holds: deterministic, never fails, ``targets`` empty when nothing is looked for."""
    lexemes, unread = lex(text)
    return _RequestReader(text, lexemes).expression(unread)


class _RequestReader(ClauseReader):
    """Reads a whole request."""

    def expression(self, unread: str) -> Expression:
        """The expression; ``unread`` is text beyond the lexer's limit."""
        targets: list[Draft] = []
        is_bare: list[bool] = []  # joined to the one before, without an article of its own
        self._skip_leads()
        while self.peek() is not None:
            start, joint = self.pos, self.kind()
            if joint in _BETWEEN_TARGETS:
                self.pos += 1
                if joint in ("stop", "comma"):
                    self._skip_leads()
                continue
            draft = self._target()
            if draft is None or draft.is_empty or draft.is_negated:
                self.pos = max(self.pos, start + 1)
                self.ignore(start, self.pos)
                continue
            targets.append(draft)
            is_bare.append(joint not in ("stop", "comma") and not draft.determiner and not draft.quantifier)
            self.previous = replace(draft.phrase(), number=Number("one"))
        _share(targets, is_bare)
        if unread:
            self.ignored.append(unread if len(unread) <= 60 else unread[:57] + "...")
        return Expression(self.text, tuple(d.phrase() for d in targets), tuple(self.ignored))

    def _target(self) -> Draft | None:
        """A target with all that is said of it; also "in the upper left, the red house"."""
        if self.kind() == "not" and self.starts_phrase(1):
            return self._negated_target()
        opening = Draft(start=self.pos)
        if not self.starts_phrase() or read_place(self.lexemes, self.pos) is not None:
            self.read_post(opening, 0, None, stop_at_comma=True)
            if not opening.has_post:
                return None
            while self.kind() in ("comma", "copula") or self.word() == "there":
                self.pos += 1
            if not self.starts_phrase():
                return opening
        draft = self.read_phrase(0, None)
        if draft is None:
            return opening if opening.has_post else None
        draft.positions[:0] = opening.positions
        draft.relations[:0] = opening.relations
        return draft

    def _negated_target(self) -> Draft | None:
        """ "not the red car": a car that is not red."""
        self.pos += 1
        draft = self.read_phrase(0, None)
        if draft is None or not draft.attributes:
            return None
        draft.attributes = [replace(a, negated=not a.negated) for a in draft.attributes]
        return draft

    def _skip_leads(self) -> None:
        """Skips "please find", "show me", "an aerial image of": what asks but says nothing about the thing."""
        while (lexeme := self.peek()) is not None:
            frame = skip_frame(self.lexemes, self.pos)
            if frame is not None and self._is_showing(frame):
                self.pos = frame + 1
            elif count := self._phrase_lead():
                self.pos += count
            elif lexeme.kind in ("stop", "mark", "comma") or (lexeme.kind == "adverb" and not self.starts_phrase()):
                self.pos += 1
            elif lexeme.word in words.LEADS and lexeme.kind not in ("number", "det", "dir"):
                is_weak = lexeme.word in words.WEAK_LEADS or lexeme.kind in ("rel", "bound")
                if is_weak and (read_place(self.lexemes, self.pos) or not self.starts_phrase(1)):
                    return
                self.pos += 1
            else:
                return

    def _is_showing(self, i: int) -> bool:
        lexeme = self.lexemes[i] if i < len(self.lexemes) else None
        return lexeme is not None and (
            lexeme.value in ("of", "with", "containing") or lexeme.word in ("showing", "shows", "depicting")
        )

    def _phrase_lead(self) -> int:
        """How many lexemes "the location of", "mark" and such take here."""
        skipped = int(self.kind() == "det")
        for phrase in words.PHRASE_LEADS:
            parts = phrase.split()
            if [self.word(skipped + k) for k in range(len(parts))] == parts:
                return skipped + len(parts)
        is_verb = self.word() in _VERBS_ALSO_NOUNS
        return int(is_verb and self.kind(1) in ("det", "quant", "any", "number", "no"))


def _share(targets: list[Draft], is_bare: list[bool]) -> None:
    """Shares among coordinated targets: "all cars and trucks on the road" (the number goes on to the second,
    the place back to the first), "the red and the blue car" (the noun goes back)."""
    for i, draft in enumerate(targets):
        following = targets[i + 1] if i + 1 < len(targets) else None
        if following is not None and not draft.heads and not draft.has_post:
            draft.heads = list(following.heads)
        if following is not None and is_bare[i + 1] and not draft.has_post:
            draft.relations, draft.positions = list(following.relations), list(following.positions)
        if i and is_bare[i] and draft.count is None:
            draft.quantifier = draft.quantifier or targets[i - 1].quantifier
            draft.determiner = draft.determiner or targets[i - 1].determiner
