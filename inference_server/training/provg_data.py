"""Samples for ProVG: a picture and an expression, augmented so that the words stay true; each drawn by its number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

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
from inference_server.training.provg_pictures import (
    FIRST_HELD_OUT,
    FIRST_PLACE,
    FIRST_SEED,
    Picture,
    Query,
    generated,
    read,
)
from inference_server.training.provg_words import flipped, is_turnable

#: How often a sample is of a real picture, an object is pasted, a picture cropped where its words allow it, its pixel
#: size not told.
REAL, PASTE, CROP, GSD_UNKNOWN = 0.35, 0.25, 0.8, 0.3
#: How often a picture is turned although some of its words speak of directions, and cannot be asked then.
TURN_AWAY = 0.25
#: Which kinds of expression are drawn how often, relative to others: mostly phrases, since the pipeline asks those; and
#: what is not there, relative to what is.
SHARES = {"class": 8.0, "negative": 1.0}
ABSENT = 0.35
#: What is true of a picture is true of a part of it for these kinds; a part's side as a share of the picture's, and how
#: often it is laid around something of the answer.
CROPPABLE = frozenset({"class", "category", "color", "shape"})
CROP_SIDE, CROP_AT_TARGET = (0.3, 0.8), 0.6
#: Fewer pixels at the network's size are neither there nor not there.
LEAST_PX = 6


@dataclass(frozen=True)
class Source:
    """Where pictures come from.

    Attributes:
        scenes: how many generated scenes, by seed.
        places: how many more of the places that only the trainings draw.
        cache: folder that keeps them, so that each is drawn once.
        real: stored real pictures.
        is_held_out: the scenes for early stopping, unaugmented, instead of those for fitting.
    """

    scenes: int
    places: int = 0
    cache: Path | None = None
    real: tuple[Path, ...] = ()
    is_held_out: bool = False

    def picture(self, rng: np.random.Generator) -> Picture:
        """A picture at random."""
        if self.real and rng.random() < REAL:
            return read(self.real[int(rng.integers(len(self.real)))])
        return self.scene(int(rng.integers(self.scenes + self.places)))

    def scene(self, number: int) -> Picture:
        """The generated scene of that number, from 0; the places come last."""
        first = FIRST_HELD_OUT if self.is_held_out else FIRST_SEED
        if number >= self.scenes:
            first, number = FIRST_PLACE, number - self.scenes
        return generated(first + number, self.cache)


@dataclass(frozen=True, eq=False)
class Sample:
    """One picture of the network's bands and size, expressions about it, and their answers."""

    image: NDArray[np.float32]
    queries: tuple[Query, ...]


class Samples(Dataset[Sample]):
    """Sample number i is a function of the seed and i alone: training goes on after a stop as if it had not been."""

    def __init__(
        self, source: Source, config: ProVGConfig, *, seed: int, first: int, count: int, queries: int = 1
    ) -> None:
        self._source, self._config, self._seed, self._first, self._count = source, config, seed, first, count
        self._queries = queries

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Sample:
        if not 0 <= index < self._count:
            raise IndexError(index)
        rng = np.random.default_rng([self._seed, self._first + index])
        if self._source.is_held_out:
            picture = self._source.scene(index % self._source.scenes)
            return sample_of(picture, _drawn(picture, self._queries, rng), self._config, gsd_m=picture.gsd_m)
        picture = self._source.picture(rng)
        if rng.random() < PASTE:
            picture = pasted(picture, self._source.picture(rng), rng)
        picture = augmented(picture, rng)
        gsd_m = None if rng.random() < GSD_UNKNOWN else picture.gsd_m
        return sample_of(picture, _drawn(picture, self._queries, rng), self._config, gsd_m=gsd_m)


def _drawn(picture: Picture, count: int, rng: np.random.Generator) -> list[Query]:
    """So many of a picture's queries, each once while there are enough."""
    if not picture.queries:
        nothing = np.zeros(picture.rgb.shape[1:], bool)
        return [Query("airplane on a runway", "negative", nothing, nothing)] * count
    share = np.array([SHARES.get(q.kind, 2.0) * (1.0 if q.on.any() else ABSENT) for q in picture.queries])
    # The largest of random powers are a draw without replacement (Efraimidis and Spirakis 2006).
    order = np.argsort(-(rng.random(len(share)) ** (1.0 / share)))
    return [picture.queries[order[i % len(order)]] for i in range(count)]


def sample_of(picture: Picture, queries: Sequence[Query], config: ProVGConfig, *, gsd_m: float | None) -> Sample:
    """Picture and answers at the network's size."""
    image = planes_of(picture.rgb, config, gsd_m=gsd_m)
    return Sample(image, tuple(_at_size(query, config.image_size) for query in queries))


def _at_size(query: Query, size: int) -> Query:
    on, unknown = (_nearest(m, size) for m in (query.on, query.unknown))
    if 0 < int(on.sum()) < LEAST_PX or (query.on.any() and not on.any()):
        on, unknown = np.zeros_like(on), unknown | ndimage.binary_dilation(on, iterations=2)
    return replace(query, on=on, unknown=unknown & ~on)


def _nearest(mask: NDArray[np.bool_], size: int) -> NDArray[np.bool_]:
    rows, cols = (np.minimum(((np.arange(size) + 0.5) * n / size).astype(int), n - 1) for n in mask.shape)
    return np.asarray(mask[np.ix_(rows, cols)])


def collate(samples: Sequence[Sample], tokenizer: Tokenizer, max_tokens: int) -> tuple[list[Tensor], Target, list[str]]:
    """The network's four inputs, the truth, and the kinds of a batch; all queries of a picture, then the next's."""
    queries = [query for sample in samples for query in sample.queries]
    parts = tokens_of([decouple(q.text) for q in queries], tokenizer, max_tokens)
    image = torch.from_numpy(np.stack([s.image for s in samples]))
    on = np.stack([q.on for q in queries])
    unknown = np.stack([q.unknown for q in queries])
    present = on.any((1, 2))
    has_box = present & np.array([q.is_boxed for q in queries])
    target = Target(
        mask=torch.from_numpy(on.astype(np.float32)),
        known=torch.from_numpy((~unknown).astype(np.float32)),
        box=torch.from_numpy(np.stack([box_of(m) for m in on])),
        present=torch.from_numpy(present.astype(np.float32)),
        has_box=torch.from_numpy(has_box.astype(np.float32)),
        told=torch.from_numpy((present | ~unknown.any((1, 2))).astype(np.float32)),
    )
    return [image, *(tensors_of(p) for p in parts)], target, [q.kind for q in queries]


def box_of(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The rectangle around a mask as centre x, centre y, width, height, relative; zeros for an empty mask."""
    rows, cols = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return np.zeros(4, np.float32)
    y0, y1, x0, x1 = rows[0], rows[-1] + 1, cols[0], cols[-1] + 1
    height, width = mask.shape
    corners = [(x0 + x1) / 2 / width, (y0 + y1) / 2 / height, (x1 - x0) / width, (y1 - y0) / height]
    return np.array(corners, np.float32)


def augmented(picture: Picture, rng: np.random.Generator) -> Picture:
    """Cut, mirrored, turned and recoloured, with those of its queries whose words stay true."""
    rgb, queries = picture.rgb, list(picture.queries)
    if rng.random() < CROP and (of_parts := [q for q in queries if q.kind in CROPPABLE]):
        rgb, queries = _part(rgb, of_parts, rng)
    for axis, number in (("across", -1), ("down", -2)):
        mirrored = [(q, flipped(q.text, axis)) for q in queries] if rng.random() < 0.5 else []
        true = [
            replace(q, text=text, on=np.flip(q.on, number), unknown=np.flip(q.unknown, number))
            for q, text in mirrored
            if text is not None
        ]
        if true:
            rgb, queries = np.flip(rgb, number), true
    turns = int(rng.integers(4))
    turnable = [q for q in queries if is_turnable(q.text)]
    # Seldom at the cost of what says something of directions.
    if turns and turnable and (len(turnable) == len(queries) or rng.random() < TURN_AWAY):
        rgb = np.rot90(rgb, turns, axes=(-2, -1))
        queries = [replace(q, on=np.rot90(q.on, turns), unknown=np.rot90(q.unknown, turns)) for q in turnable]
    return Picture(recolored(np.ascontiguousarray(rgb), rng), picture.gsd_m, tuple(queries))


def _part(
    rgb: NDArray[np.uint8], queries: Sequence[Query], rng: np.random.Generator
) -> tuple[NDArray[np.uint8], list[Query]]:
    """A square out of a picture and its queries' answers."""
    rows, cols = rgb.shape[1:]
    side = min(max(96, int(min(rows, cols) * rng.uniform(*CROP_SIDE))), rows, cols)
    row, col = int(rng.integers(rows - side + 1)), int(rng.integers(cols - side + 1))
    target = np.flatnonzero(queries[int(rng.integers(len(queries)))].on)
    if len(target) and rng.random() < CROP_AT_TARGET:
        y, x = divmod(int(rng.choice(target)), cols)
        row, col = (int(np.clip(at - rng.integers(side), 0, n - side)) for at, n in ((y, rows), (x, cols)))
    at = (slice(row, row + side), slice(col, col + side))
    return rgb[:, at[0], at[1]], [replace(q, on=q.on[at], unknown=q.unknown[at]) for q in queries]


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


def pasted(picture: Picture, donor: Picture, rng: np.random.Generator) -> Picture:
    """The picture with one thing from the donor that a query of both names; unchanged where there is none.

    Of the other queries those are left that the thing does not touch: for all of another kind.
    """
    mine = {q.noun: q for q in picture.queries if q.noun and q.kind == "class"}
    given = [q for q in donor.queries if q.noun in mine and q.on.any()]
    if not given:
        return picture
    source = given[int(rng.integers(len(given)))]
    query = mine[source.noun]
    parts, count = ndimage.label(source.on)
    number = int(rng.integers(count)) + 1
    window = ndimage.find_objects(parts)[number - 1]
    scale = donor.gsd_m / picture.gsd_m
    there = parts[window] == number
    height, width = (max(2, round(n * scale)) for n in there.shape)
    rows, cols = query.on.shape
    if there.sum() * scale**2 < LEAST_PX or 2 * height > rows or 2 * width > cols:
        return picture
    shape = Image.fromarray(there.astype(np.uint8) * 255).resize((width, height), Image.Resampling.BILINEAR)
    alpha = np.asarray(shape, np.float32)[None] / 255
    patch = Image.fromarray(np.ascontiguousarray(donor.rgb[:, window[0], window[1]].transpose(1, 2, 0)))
    thing = np.asarray(patch.resize((width, height), Image.Resampling.BILINEAR), np.float32).transpose(2, 0, 1)
    row, col = int(rng.integers(rows - height)), int(rng.integers(cols - width))
    at = (slice(row, row + height), slice(col, col + width))
    rgb, is_covered = picture.rgb.copy(), np.zeros(query.on.shape, bool)
    rgb[:, at[0], at[1]] = rgb[:, at[0], at[1]] * (1 - alpha) + thing * alpha
    is_covered[at] = alpha[0] > 0.5
    changed = replace(query, on=query.on | is_covered, unknown=query.unknown & ~is_covered)
    category = query.noun.split("/")[0]
    others = [
        replace(q, on=q.on & ~is_covered)
        for q in picture.queries
        if q.kind == "class" and q.noun.split("/")[0] != category
    ]
    return Picture(rgb, picture.gsd_m, (changed, *others))
