"""What the network takes: a picture as planes, and cues as packed tokens; numpy only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inference_server.models.provg.config import ProVGConfig
from inference_server.models.provg.decouple import Cues, decouple
from inference_server.models.provg.tokenizer import Tokenizer

#: ImageNet's mean and standard deviation, of values from 0 to 255.
_MEAN = np.array([123.675, 116.28, 103.53], np.float32)[:, None, None]
_STD = np.array([58.395, 57.12, 57.375], np.float32)[:, None, None]
#: Grey level and spread that pictures are brought to zero mean and unit scale by.
_GRAY_MEAN, _GRAY_STD = 118.0, 60.0

Ids = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Tokens:
    """Phrases of a batch of expressions, packed one after another.

    Attributes:
        ids: (batch, token) int64.
        segments: (batch, token) int64; 0 is padding, phrases count from 1. Tokens of different segments do not see
            each other, so that packing equals encoding each phrase as its own string.
        positions: (batch, token) int64, from 0 in each phrase.
    """

    ids: Ids
    segments: Ids
    positions: Ids


def planes_of(
    rgb: NDArray[np.uint8], config: ProVGConfig, *, gsd_m: float | None, side: int = 0
) -> NDArray[np.float32]:
    """The input of one picture, squashed to a square.

    Args:
        rgb: (3, row, col) uint8.
        config: of the network.
        gsd_m: pixel size of ``rgb``; None when it is not known.
        side: of the square, a multiple of 32; 0 for the network's own.

    Returns:
        (bands, size, size) float32.
    """
    rows, cols = rgb.shape[1:]
    size = side or config.image_size
    scaled = squashed(rgb, size).astype(np.float32)
    if config.backbone == "swin":
        return np.asarray((scaled - _MEAN) / _STD, np.float32)
    planes = np.zeros((config.bands, size, size), np.float32)
    planes[:3] = (scaled - _GRAY_MEAN) / _GRAY_STD
    if config.knows_gsd and gsd_m is not None:
        planes[3] = math.log2(gsd_m * math.sqrt(rows * cols) / size / 0.3)
        planes[4] = 1.0
    return planes


def squashed(rgb: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """(3, row, col) to (3, size, size), averaged where it shrinks."""
    if rgb.shape[1:] == (size, size):
        return rgb
    image = Image.fromarray(np.ascontiguousarray(rgb.transpose(1, 2, 0)))
    scaled: NDArray[np.uint8] = np.asarray(image.resize((size, size), Image.Resampling.BILINEAR)).transpose(2, 0, 1)
    return scaled


def tokens_of(cues: Sequence[Cues], tokenizer: Tokenizer, max_tokens: int) -> tuple[Tokens, Tokens, Tokens]:
    """Context, spatial and attribute tokens of a batch."""
    return (
        pack([(c.context,) for c in cues], tokenizer, max_tokens),
        pack([c.spatial for c in cues], tokenizer, max_tokens),
        pack([c.attributes for c in cues], tokenizer, max_tokens),
    )


def pack(phrases: Sequence[Sequence[str]], tokenizer: Tokenizer, max_tokens: int) -> Tokens:
    """Each expression's phrases in one row; phrases beyond ``max_tokens`` are cut or left out."""
    rows: list[list[tuple[int, int, int]]] = []
    for group in phrases:
        row: list[tuple[int, int, int]] = []
        for segment, phrase in enumerate(group, 1):
            room = max_tokens - len(row)
            if room < 3:
                break
            row += [(token, segment, place) for place, token in enumerate(tokenizer.encode(phrase, room))]
        rows.append(row)
    width = max(map(len, rows))
    packed = np.zeros((3, len(rows), width), np.int64)
    packed[0] = tokenizer.pad_id
    for number, row in enumerate(rows):
        packed[:, number, : len(row)] = np.array(row).T
    return Tokens(*packed)


def feed_of(expressions: Sequence[str], tokenizer: Tokenizer, max_tokens: int) -> dict[str, Ids]:
    """The exported network's text inputs, by name."""
    parts = tokens_of([decouple(e) for e in expressions], tokenizer, max_tokens)
    return {
        f"{part}_{name}": getattr(tokens, name)
        for part, tokens in zip(PARTS, parts, strict=True)
        for name in ("ids", "segments", "positions")
    }


PARTS = ("context", "spatial", "attributes")
