"""Text encoders: phrases packed into rows become word features (batch, token, D); one shared encoder for all cues."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from inference_server.models.provg.config import ProVGConfig


def same_segment(segments: Tensor) -> Tensor:
    """(batch, token) to (batch, 1, token, token) bool: which tokens see which.

    Padding (segment 0) sees itself, so that no row of the softmax is empty.
    """
    return (segments[:, :, None] == segments[:, None, :])[:, None]


class CompactTextEncoder(nn.Module):
    """A small transformer encoder (pre-norm), with positions that begin anew in each phrase."""

    def __init__(self, config: ProVGConfig) -> None:
        super().__init__()
        width = config.text_width
        self.words = nn.Embedding(config.vocabulary_size, width)
        self.places = nn.Embedding(config.max_tokens, width)
        nn.init.normal_(self.words.weight, std=0.02)
        nn.init.normal_(self.places.weight, std=0.02)
        self.layers = nn.ModuleList(_Layer(width, config.text_heads) for _ in range(config.text_layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, ids: Tensor, segments: Tensor, positions: Tensor) -> Tensor:
        """(batch, token) three times to (batch, token, D)."""
        visible = same_segment(segments)
        x = self.words(ids) + self.places(positions)
        for layer in self.layers:
            x = layer(x, visible)
        features: Tensor = self.norm(x)
        return features


class _Layer(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_attention, self.norm_feed = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.feed = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor, visible: Tensor) -> Tensor:
        batch, tokens, width = x.shape
        qkv = self.qkv(self.norm_attention(x)).reshape(batch, tokens, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=visible)
        x = x + self.out(mixed.transpose(1, 2).reshape(batch, tokens, width))
        fed: Tensor = x + self.feed(self.norm_feed(x))
        return fed


class BertTextEncoder(nn.Module):
    """BERT without its pooler, through transformers (paper: bert-base-uncased)."""

    def __init__(self, config: ProVGConfig, *, bert_config: Any = None) -> None:
        """Weights of ``config.pretrained_text``; random ones of ``bert_config``'s sizes where it is given."""
        super().__init__()
        from transformers import BertConfig, BertModel

        if bert_config is not None or not config.pretrained_text:
            sizes = bert_config or BertConfig(
                vocab_size=config.vocabulary_size,
                hidden_size=config.text_width,
                num_hidden_layers=config.text_layers,
                num_attention_heads=config.text_heads,
                intermediate_size=4 * config.text_width,
            )
            self.bert = BertModel(sizes, add_pooling_layer=False)
        else:
            self.bert = BertModel.from_pretrained(
                config.pretrained_text, add_pooling_layer=False, revision=config.text_revision or "main"
            )
        if self.bert.config.hidden_size != config.text_width:
            raise ValueError(
                f"BertTextEncoder: expected text_width {self.bert.config.hidden_size}, which"
                f" {config.pretrained_text or 'the given configuration'} has, got {config.text_width}"
            )

    def forward(self, ids: Tensor, segments: Tensor, positions: Tensor) -> Tensor:
        """(batch, token) three times to (batch, token, D)."""
        features: Tensor = self.bert(
            input_ids=ids, attention_mask=same_segment(segments), position_ids=positions
        ).last_hidden_state
        return features


class BertTokenizer:
    """BERT's own word pieces, behind the interface of ``provg.tokenizer``."""

    def __init__(self, config: ProVGConfig) -> None:
        from transformers import AutoTokenizer

        self._tokenizer = AutoTokenizer.from_pretrained(config.pretrained_text, revision=config.text_revision or "main")
        self.pad_id = int(self._tokenizer.pad_token_id)

    def encode(self, text: str, max_tokens: int) -> list[int]:
        """Ids from ``[CLS]`` to ``[SEP]``; what is too long loses its end."""
        ids: list[int] = self._tokenizer(text, truncation=True, max_length=max_tokens)["input_ids"]
        return ids


def masked_mean(features: Tensor, is_word: Tensor) -> Tensor:
    """(batch, token, D) and (batch, token) bool to the mean over words, (batch, D)."""
    weight = is_word.to(features.dtype)[..., None]
    return (features * weight).sum(1) / weight.sum(1).clamp(min=1.0)


def text_encoder(config: ProVGConfig) -> nn.Module:
    """The encoder that the settings ask for."""
    return BertTextEncoder(config) if config.text == "bert" else CompactTextEncoder(config)
