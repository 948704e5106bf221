"""Samples for ProVG: a picture and an expression, augmented so that the words stay true; each drawn by its number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from torch import Tensor
from torch.utils.data import Dataset

from inference_server.models.provg.config import ProVGConfig
from inference_server.models.provg.decouple import decouple
from inference_server.models.provg.inputs import planes_of, tokens_of
from inference_server.models.provg.model import tensors_of
from inference_server.models.provg.tokenizer import Tokenizer
from inference_server.training.provg_losses import Target
from inference_server.training.provg_pictures import FIRST_HELD_OUT, FIRST_SEED, Picture, Query, generated, read
from inference_server.training.provg_words import flipped, is_turnable

#: How often a sample is of a real picture, an object is pasted, a picture cropped, its pixel size not told.
REAL, PASTE, CROP, GSD_UNKNOWN = 0.25, 0.25, 0.5, 0.3
#: Which kinds of expression are drawn how often, relative to others.
SHARES = {"class": 1.5, "negative": 1.0}
#: Fewer pixels at the network's size are neither there nor not there.
LEAST_PX = 6


@dataclass(frozen=True)
class Source:
    """Where pictures come from.

    Attributes:
        scenes: how many generated scenes, by seed.
        cache: folder that keeps them, so that each is drawn once.
        real: stored real pictures.
        is_held_out: the scenes for early stopping, unaugmented, instead of those for fitting.
    """

    scenes: int
    cache: Path | None = None
    real: tuple[Path, ...] = ()
    is_held_out: bool = False

    def picture(self, rng: np.random.Generator) -> Picture:
        """A picture at random."""
        if self.real and rng.random() < REAL:
            return read(self.real[int(rng.integers(len(self.real)))])
        return self.scene(int(rng.integers(self.scenes)))

    def scene(self, number: int) -> Picture:
        """The generated scene of that number, from 0."""
        return generated((FIRST_HELD_OUT if self.is_held_out else FIRST_SEED) + number, self.cache)


@dataclass(frozen=True, eq=False)
class Sample:
    """One picture of the network's bands and size, one expression, one answer."""

    image: NDArray[np.float32]
    query: Query


class Samples(Dataset[Sample]):
    """Sample number i is a function of the seed and i alone: training goes on after a stop as if it had not been."""

    def __init__(self, source: Source, config: ProVGConfig, *, seed: int, first: int, count: int) -> None:
        self._source, self._config, self._seed, self._first, self._count = source, config, seed, first, count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Sample:
        if not 0 <= index < self._count:
            raise IndexError(index)
        rng = np.random.default_rng([self._seed, self._first + index])
        if self._source.is_held_out:
            picture = self._source.scene(index % self._source.scenes)
            return sample_of(picture, _drawn(picture, rng), self._config, gsd_m=picture.gsd_m)
        picture = self._source.picture(rng)
        query = _drawn(picture, rng)
        if query.kind == "class" and rng.random() < PASTE:
            picture, query = pasted(picture, query, self._source.picture(rng), rng)
        picture, query = augmented(picture, query, rng)
        return sample_of(picture, query, self._config, gsd_m=None if rng.random() < GSD_UNKNOWN else picture.gsd_m)


def _drawn(picture: Picture, rng: np.random.Generator) -> Query:
    if not picture.queries:
        nothing = np.zeros(picture.rgb.shape[1:], bool)
        return Query("airplane on a runway", "negative", nothing, nothing)
    share = np.array([SHARES.get(q.kind, 2.0) for q in picture.queries])
    return picture.queries[int(rng.choice(len(share), p=share / share.sum()))]


def sample_of(picture: Picture, query: Query, config: ProVGConfig, *, gsd_m: float | None) -> Sample:
    """Picture and answer at the network's size."""
    size = config.image_size
    on, unknown = (_nearest(m, size) for m in (query.on, query.unknown))
    if 0 < int(on.sum()) < LEAST_PX or (query.on.any() and not on.any()):
        on, unknown = np.zeros_like(on), unknown | ndimage.binary_dilation(on, iterations=2)
    image = planes_of(picture.rgb, config, gsd_m=gsd_m)
    return Sample(image, Query(query.text, query.kind, on, unknown & ~on, query.is_boxed, query.noun))


def _nearest(mask: NDArray[np.bool_], size: int) -> NDArray[np.bool_]:
    rows, cols = (np.minimum(((np.arange(size) + 0.5) * n / size).astype(int), n - 1) for n in mask.shape)
    return np.asarray(mask[np.ix_(rows, cols)])


def collate(samples: Sequence[Sample], tokenizer: Tokenizer, max_tokens: int) -> tuple[list[Tensor], Target, list[str]]:
    """The network's four inputs, the truth, and the kinds of a batch."""
    parts = tokens_of([decouple(s.query.text) for s in samples], tokenizer, max_tokens)
    image = torch.from_numpy(np.stack([s.image for s in samples]))
    on = np.stack([s.query.on for s in samples])
    known = ~np.stack([s.query.unknown for s in samples])
    present = on.any((1, 2))
    has_box = present & np.array([s.query.is_boxed for s in samples])
    target = Target(
        mask=torch.from_numpy(on.astype(np.float32)),
        known=torch.from_numpy(known.astype(np.float32)),
        box=torch.from_numpy(np.stack([box_of(m) for m in on])),
        present=torch.from_numpy(present.astype(np.float32)),
        has_box=torch.from_numpy(has_box.astype(np.float32)),
    )
    return [image, *(tensors_of(p) for p in parts)], target, [s.query.kind for s in samples]


def box_of(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The rectangle around a mask as centre x, centre y, width, height, relative; zeros for an empty mask."""
    rows, cols = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return np.zeros(4, np.float32)
    y0, y1, x0, x1 = rows[0], rows[-1] + 1, cols[0], cols[-1] + 1
    height, width = mask.shape
    corners = [(x0 + x1) / 2 / width, (y0 + y1) / 2 / height, (x1 - x0) / width, (y1 - y0) / height]
    return np.array(corners, np.float32)


def augmented(picture: Picture, query: Query, rng: np.random.Generator) -> tuple[Picture, Query]:
    """Mirrored, turned, cropped and recoloured, as far as the words allow."""
    text = query.text
    layers: list[NDArray[Any]] = [picture.rgb, query.on[None], query.unknown[None]]
    if query.kind == "class" and rng.random() < CROP:
        layers = _cropped(layers, rng)
    for axis, number in (("across", -1), ("down", -2)):
        mirrored = flipped(text, axis) if rng.random() < 0.5 else None
        if mirrored is not None:
            text, layers = mirrored, [np.flip(a, number) for a in layers]
    if is_turnable(text):
        turns = int(rng.integers(4))
        layers = [np.rot90(a, turns, axes=(-2, -1)) for a in layers]
    rgb, on, unknown = (np.ascontiguousarray(a) for a in layers)
    return Picture(recolored(rgb, rng), picture.gsd_m, ()), Query(
        text, query.kind, on[0], unknown[0], query.is_boxed, query.noun
    )


def _cropped(layers: list[NDArray[Any]], rng: np.random.Generator) -> list[NDArray[Any]]:
    """The same square out of all layers."""
    rows, cols = layers[0].shape[1:]
    side = max(64, int(min(rows, cols) * rng.uniform(0.4, 1.0)))
    side = min(side, rows, cols)
    row, col = int(rng.integers(rows - side + 1)), int(rng.integers(cols - side + 1))
    return [a[:, row : row + side, col : col + side] for a in layers]


def recolored(rgb: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Another camera on another day, mildly, since colours are asked for: gain, gamma, saturation, blur, noise."""
    x = rgb.astype(np.float32) / 255.0
    x = np.clip(x, 0, 1) ** np.float32(np.exp(rng.normal(0, 0.12)))
    x = x * np.float32(np.exp(rng.normal(0, 0.1))) * rng.normal(1, 0.03, (3, 1, 1)).astype(np.float32)
    gray = x.mean(0, keepdims=True)
    x = gray + (x - gray) * np.float32(np.exp(rng.normal(0, 0.15)))
    if rng.random() < 0.25:
        x = ndimage.gaussian_filter(x, (0, *(float(rng.uniform(0.3, 1.0)),) * 2))
    if rng.random() < 0.3:
        x = x + rng.normal(0, rng.uniform(0.003, 0.02), x.shape).astype(np.float32)
    return (np.clip(x, 0, 1) * 255).astype(np.uint8)


def pasted(picture: Picture, query: Query, donor: Picture, rng: np.random.Generator) -> tuple[Picture, Query]:
    """The picture with one thing from the donor that the same words name; unchanged where it has none."""
    same = [q for q in donor.queries if q.noun and q.noun == query.noun and q.on.any()]
    if not same:
        return picture, query
    parts, count = ndimage.label(same[0].on)
    number = int(rng.integers(count)) + 1
    window = ndimage.find_objects(parts)[number - 1]
    scale = donor.gsd_m / picture.gsd_m
    there = parts[window] == number
    height, width = (max(2, round(n * scale)) for n in there.shape)
    rows, cols = query.on.shape
    if there.sum() * scale**2 < LEAST_PX or 2 * height > rows or 2 * width > cols:
        return picture, query
    shape = Image.fromarray(there.astype(np.uint8) * 255).resize((width, height), Image.Resampling.BILINEAR)
    alpha = np.asarray(shape, np.float32)[None] / 255
    patch = Image.fromarray(np.ascontiguousarray(donor.rgb[:, window[0], window[1]].transpose(1, 2, 0)))
    thing = np.asarray(patch.resize((width, height), Image.Resampling.BILINEAR), np.float32).transpose(2, 0, 1)
    row, col = int(rng.integers(rows - height)), int(rng.integers(cols - width))
    at = (slice(row, row + height), slice(col, col + width))
    rgb, on, unknown = picture.rgb.copy(), query.on.copy(), query.unknown.copy()
    rgb[:, at[0], at[1]] = rgb[:, at[0], at[1]] * (1 - alpha) + thing * alpha
    on[at] |= alpha[0] > 0.5
    unknown[at] &= alpha[0] <= 0.5
    return Picture(rgb, picture.gsd_m, picture.queries), replace(query, on=on, unknown=unknown)
