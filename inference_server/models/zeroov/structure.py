"""A_S: self-attention of a diffusion model's U-Net, brought to one grid (paper, Eq. 2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

#: The paper names resolutions for a latent of this side, and works on a grid of half of it.
LATENT_SIDE = 64


class SelfAttentionRecorder:
    """Running means over layers, heads and steps of self-attention, by side of the map.

    Args:
        sides: of the maps that are wanted, in cells.

    One float32 buffer a side is all that is kept: single layers at 64 x 64 would take half a gigabyte each.
    """

    def __init__(self, sides: tuple[int, ...]) -> None:
        self._sum: dict[int, Tensor] = {}
        self._count: dict[int, int] = dict.fromkeys(sides, 0)

    def add(self, probabilities: Tensor) -> None:
        """Adds one layer's map, (head, cell, cell)."""
        side = round(probabilities.shape[-1] ** 0.5)
        mean = probabilities.float().mean(0)
        self._sum[side] = self._sum[side].add_(mean) if side in self._sum else mean
        self._count[side] += 1

    def maps(self) -> dict[int, NDArray[np.float32]]:
        """(cell, cell) by side; rows sum to 1.

        Raises:
            RuntimeError: a side that no layer of the network has.
        """
        missing = [side for side, count in self._count.items() if not count]
        if missing:
            raise RuntimeError(f"self-attention: no layer of this U-Net attends over {missing} x {missing} cells")
        return {side: (total / self._count[side]).cpu().numpy() for side, total in self._sum.items()}


class CrossAttentionRecorder:
    """The running mean over layers and heads of how much each cell attends to chosen tokens of the prompt.

    Args:
        tokens: (token,) bool.
    """

    def __init__(self, tokens: Tensor) -> None:
        self._tokens = tokens
        self._sum: Tensor | None = None

    def add(self, probabilities: Tensor) -> None:
        """Adds one layer's map, (head, cell, token)."""
        mean = probabilities.float().mean(0)[:, self._tokens].mean(1)
        self._sum = mean if self._sum is None else self._sum + mean

    def map(self) -> NDArray[np.float32]:
        """(side, side), up to a factor. Raises RuntimeError where no layer was asked."""
        if self._sum is None:
            raise RuntimeError("cross-attention: no layer of this U-Net attends to the prompt at the side asked for")
        side = round(self._sum.numel() ** 0.5)
        out: NDArray[np.float32] = self._sum.reshape(side, side).cpu().numpy()
        return out


class _RecordingProcessor:
    """Attention of diffusers computed in the open, with the map given to the recorder."""

    def __init__(self, recorder: SelfAttentionRecorder | CrossAttentionRecorder) -> None:
        self._recorder = recorder

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
        **kwargs: Any,
    ) -> Tensor:
        query = attn.head_to_batch_dim(attn.to_q(hidden_states))
        attended = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        key = attn.head_to_batch_dim(attn.to_k(attended))
        value = attn.head_to_batch_dim(attn.to_v(attended))
        probabilities = attn.get_attention_scores(query, key, attention_mask)
        # Under guidance the batch is (unconditional, conditional): the latter half is meant.
        conditional = probabilities[-probabilities.shape[0] // hidden_states.shape[0] :]
        self._recorder.add(conditional)
        out = attn.batch_to_head_dim(torch.bmm(probabilities, value))
        dropped: Tensor = attn.to_out[1](attn.to_out[0](out))
        return dropped


@contextmanager
def recording(unet: Any, latent_side: int, resolutions: tuple[int, ...]) -> Iterator[SelfAttentionRecorder]:
    """Records the U-Net's self-attention inside; its own processors are put back after.

    Args:
        unet: ``UNet2DConditionModel``.
        latent_side: of the latents that it will be given.
        resolutions: of 16, 32 and 64, for a latent of 64; scaled for others.
    """
    sides = {resolution * latent_side // LATENT_SIDE for resolution in resolutions}
    recorder = SelfAttentionRecorder(tuple(sides))
    with _recorded_by(recorder, unet, latent_side, sides, ".attn1."):
        yield recorder


@contextmanager
def recording_words(unet: Any, latent_side: int, resolution: int, tokens: Tensor) -> Iterator[CrossAttentionRecorder]:
    """Records inside how much cells at one resolution attend to chosen tokens."""
    recorder = CrossAttentionRecorder(tokens)
    with _recorded_by(recorder, unet, latent_side, {resolution * latent_side // LATENT_SIDE}, ".attn2."):
        yield recorder


@contextmanager
def _recorded_by(
    recorder: SelfAttentionRecorder | CrossAttentionRecorder, unet: Any, latent_side: int, sides: set[int], kind: str
) -> Iterator[None]:
    own = dict(unet.attn_processors)
    side_of = _sides_of(unet, latent_side)
    wanted = {name for name in own if kind in name and side_of.get(name.split(".attentions")[0]) in sides}
    unet.set_attn_processor({name: _RecordingProcessor(recorder) if name in wanted else p for name, p in own.items()})
    try:
        yield
    finally:
        unet.set_attn_processor(own)


def _sides_of(unet: Any, latent_side: int) -> dict[str, int]:
    """Side of the maps in each block: halved by each down block, doubled by each up block; the last keeps it."""
    downs = len(unet.down_blocks)
    out = {f"down_blocks.{i}": latent_side >> i for i in range(downs)}
    # The middle block has its side from the last down block; the paper does not read it.
    out |= {f"up_blocks.{i}": latent_side >> (downs - 1 - i) for i in range(len(unet.up_blocks))}
    return out


def fused(maps: Mapping[int, NDArray[np.float32]], side: int) -> NDArray[np.float32]:
    """A_S: the mean of the maps, each brought to a grid of ``side`` (Eq. 2). Rows sum to 1."""
    return np.mean([to_side(each, side) for each in maps.values()], axis=0, dtype=np.float32)


def to_side(attention: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """(n * n, n * n) to (side * side, side * side): queries averaged, keys summed, so that rows still sum to 1.

    The released code resizes the matrix as if it were a picture, which mixes columns of different rows of cells.
    """
    n = round(attention.shape[0] ** 0.5)
    if n == side:
        return attention
    if n % side and side % n:
        raise ValueError(f"to_side: expected sides that divide one another, got {n} and {side}")
    a = attention.reshape(n, n, n, n)
    if n > side:
        k = n // side
        a = a.reshape(side, k, side, k, side, k, side, k).sum((5, 7)).mean((1, 3))
    else:
        k = side // n
        a = a.repeat(k, 0).repeat(k, 1).repeat(k, 2).repeat(k, 3) / (k * k)
    return np.ascontiguousarray(a.reshape(side * side, side * side))
