"""The progressive cross-modal modulator: survey, locate, verify (ProVG, Sec. 4.2), and its rivals of Fig. 2."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from inference_server.models.provg.config import ProVGConfig
from inference_server.models.provg.text import masked_mean


@dataclass(frozen=True, eq=False)
class WordFeatures:
    """The features of one kind of cue: (batch, word, D), and which of them are words, (batch, word) bool."""

    features: Tensor
    is_word: Tensor


@dataclass(frozen=True, eq=False)
class Language:
    """L_c, L_s and L_a of a batch."""

    context: WordFeatures
    spatial: WordFeatures
    attributes: WordFeatures


class CrossAttention(nn.Module):
    """Single-head attention of queries over words, padding masked in the softmax; Eqs. 1, 3 and 6."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.scale = width**-0.5

    def forward(self, queries: Tensor, words: Tensor, is_word: Tensor) -> Tensor:
        """(batch, query, width), (batch, word, width) and (batch, word) to (batch, query, width)."""
        scores = self.query(queries) @ self.key(words).transpose(1, 2) * self.scale
        scores = scores.masked_fill(~is_word[:, None, :], torch.finfo(scores.dtype).min)
        mixed: Tensor = scores.softmax(-1) @ self.value(words)
        return mixed


def _passing(channels: int) -> nn.Conv2d:
    """A 1 x 1 convolution that begins as the identity, so that a trained backbone's features come through the gates."""
    made = nn.Conv2d(channels, channels, 1)
    nn.init.dirac_(made.weight)
    return made


class SurveyAttention(nn.Module):
    """Context weights for every pixel and channel; Eqs. 1 and 2.

    Args:
        channels: C_i of the map.
        width: D of the words.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.visual, self.words = nn.Conv2d(channels, channels, 1), nn.Linear(width, channels)
        self.attention = CrossAttention(channels)
        self.project = _passing(channels)

    def gate(self, v: Tensor, language: Language) -> Tensor:
        """W_c: (batch, C, row, col) in (0, 1)."""
        queries = self.visual(v).flatten(2).transpose(1, 2)
        cue = language.context
        mixed = self.attention(queries, self.words(cue.features), cue.is_word)
        return torch.sigmoid(mixed).transpose(1, 2).reshape(v.shape)

    def forward(self, v: Tensor, language: Language) -> Tensor:
        """V_c: (batch, C, row, col)."""
        out: Tensor = self.project(v * self.gate(v, language))
        return out


class LocateAttention(nn.Module):
    """A spatial weight for every pixel, one for all channels; Eqs. 3 and 4."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.saliency, self.words = nn.Conv2d(channels, 1, 1), nn.Linear(width, 1)
        self.attention = CrossAttention(1)
        self.project = _passing(channels)

    def gate(self, v: Tensor, language: Language) -> Tensor:
        """W_s: (batch, 1, row, col) in (0, 1)."""
        queries = self.saliency(v).flatten(2).transpose(1, 2)
        cue = language.spatial
        mixed = self.attention(queries, self.words(cue.features), cue.is_word)
        return torch.sigmoid(mixed).transpose(1, 2).reshape(v.shape[0], 1, *v.shape[2:])

    def forward(self, v: Tensor, language: Language) -> Tensor:
        """V_s: (batch, C, row, col)."""
        out: Tensor = self.project(v * self.gate(v, language))
        return out


class VerifyAttention(nn.Module):
    """A weight for every channel, each channel's mean being a query over attribute words; Eqs. 5 to 7."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.words = nn.Linear(width, 1)
        self.attention = CrossAttention(1)

    def gate(self, v: Tensor, language: Language) -> Tensor:
        """sigmoid(A_a) transposed: (batch, C, 1, 1) in (0, 1)."""
        cue = language.attributes
        mixed = self.attention(v.mean((2, 3))[..., None], self.words(cue.features), cue.is_word)
        return torch.sigmoid(mixed)[..., None]

    def forward(self, v: Tensor, language: Language) -> Tensor:
        """Eq. 7: (batch, C, row, col)."""
        return v * self.gate(v, language)


_STEPS = {"S": SurveyAttention, "L": LocateAttention, "V": VerifyAttention}


class Modulator(nn.Module):
    """One stage's modulation, as ``ProVGConfig.modulation`` and ``order`` say: Fig. 2 (a) to (d), or none at all."""

    def __init__(self, channels: int, config: ProVGConfig) -> None:
        super().__init__()
        self.kind = config.modulation
        letters = {"none": "", "global": "S", "parallel": "LV", "sequence": config.order}[self.kind]
        self.steps = nn.ModuleList(_STEPS[letter](channels, config.text_width) for letter in letters)

    def forward(self, v: Tensor, language: Language) -> Tensor:
        """The modulated map, of the shape of ``v``."""
        if self.kind == "global":
            # Fig. 2(a): one sentence embedding stands for all words.
            cue = language.context
            sentence = masked_mean(cue.features, cue.is_word)[:, None]
            only = WordFeatures(sentence, torch.ones_like(sentence[..., 0], dtype=torch.bool))
            language = Language(only, language.spatial, language.attributes)
        if self.kind == "parallel":
            return torch.stack([step(v, language) for step in self.steps]).mean(0)
        for step in self.steps:
            v = step(v, language)
        return v
