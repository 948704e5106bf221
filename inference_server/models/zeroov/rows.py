"""What the last token attends to, in chosen layers of a transformer, without eager attention.

transformers lets a function take the place of attention: this one has SDPA do the model's own work and computes
beside it, in the chosen layers only, softmax(q_last k^T): one row, not the whole matrix, so that neither the matrix
nor its memory ever exists. It equals the last row of ``output_attentions=True`` under eager attention.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

#: Under which transformers knows the functions for text and for vision layers.
NAME, VISION_NAME = "rsground_last_row", "rsground_whole_map"


@dataclass
class RowCapture:
    """Rows caught while a model runs inside ``capturing``.

    Attributes:
        layers: whose rows are wanted.
        rows: for each forward pass, by layer, (batch, key) float32: attention of the last query, averaged over heads.
    """

    layers: frozenset[int]
    rows: list[dict[int, Tensor]] = field(default_factory=list)

    def add(self, layer: int, row: Tensor) -> None:
        """Keeps a layer's row; the first layer seen again begins the next pass."""
        if not self.rows or layer in self.rows[-1]:
            self.rows.append({})
        self.rows[-1][layer] = row


_active: ContextVar[RowCapture | None] = ContextVar("rsground_row_capture", default=None)
_watched: ContextVar[tuple[Any, list[Tensor]] | None] = ContextVar("rsground_watched_layer", default=None)


@contextmanager
def capturing(layers: frozenset[int]) -> Iterator[RowCapture]:
    """Catches the rows of these layers of whichever model runs inside, if it was given to ``prepare``."""
    capture = RowCapture(layers)
    token = _active.set(capture)
    try:
        yield capture
    finally:
        _active.reset(token)


@contextmanager
def watching(layer: Any) -> Iterator[list[Tensor]]:
    """Catches the whole map, (query, key) float32 averaged over heads, of one vision layer of a prepared model."""
    caught: list[Tensor] = []
    token = _watched.set((layer, caught))
    try:
        yield caught
    finally:
        _watched.reset(token)


def prepare(model: Any) -> None:
    """Has a vision-language model's layers report what ``capturing`` and ``watching`` ask for; SDPA does the work."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    for name, attend in ((NAME, _attend), (VISION_NAME, _attend_vision)):
        AttentionInterface.register(name, attend)
        AttentionMaskInterface.register(name, sdpa_mask)
    model.set_attn_implementation({"text_config": NAME, "vision_config": VISION_NAME})


def _attend(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **kwargs: Any
) -> tuple[Tensor, None]:
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    capture = _active.get()
    if capture is not None and module.layer_idx in capture.layers:
        capture.add(module.layer_idx, last_row(query, key, attention_mask, kwargs.get("scaling")))
    return sdpa_attention_forward(module, query, key, value, attention_mask, **kwargs)


def _attend_vision(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **kwargs: Any
) -> tuple[Tensor, None]:
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    watched = _watched.get()
    if watched is not None and module is watched[0]:
        scores = (query[0] @ key[0].transpose(-1, -2)).float() * kwargs["scaling"]
        watched[1].append(scores.softmax(-1).mean(0))
    return sdpa_attention_forward(module, query, key, value, attention_mask, **kwargs)


def last_row(query: Tensor, key: Tensor, mask: Tensor | None, scaling: float | None) -> Tensor:
    """(batch, key) float32: attention of the last query averaged over heads.

    Args:
        query: (batch, head, query, channel).
        key: (batch, key head, key, channel); key heads are shared by equal groups of heads.
        mask: (batch, 1, query, key), bool (True where allowed) or additive; None where all is allowed to the last.
        scaling: of the products; 1 / sqrt(channel) when None.
    """
    batch, heads, _, channels = query.shape
    groups = key.shape[1]
    last = query[:, :, -1].reshape(batch, groups, heads // groups, channels)
    scores = torch.einsum("bghc,bgkc->bghk", last, key) * (channels**-0.5 if scaling is None else scaling)
    scores = scores.float()
    if mask is not None:
        row = mask[:, :, -1, : key.shape[2]].unsqueeze(2)
        scores = scores.masked_fill(~row, float("-inf")) if row.dtype == torch.bool else scores + row
    return scores.softmax(-1).mean((1, 2))
