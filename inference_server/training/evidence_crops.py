"""Crops of labelled maps for the evidence network: balanced by class, varied in colour, scale and sharpness."""

from __future__ import annotations

import colorsys
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import find_objects, gaussian_filter, label
from torch import Tensor
from torch.utils.data import IterableDataset

from inference_server.models.evidence.classes import BIT, CORE, EDGE, EVIDENCE_CLASSES, THINGS, bits_of
from inference_server.models.evidence.runtime import planes_of

CROP_PX = 256
#: How often a crop comes from each source when it is not drawn by class.
SOURCES = {"generated": 0.35, "towns": 0.22, "cars": 0.14, "planes": 0.24, "trees": 0.05}
#: How often a crop is drawn around a pixel of a class, each class alike; within it, a real picture where there is one.
BY_CLASS, REAL_FIRST = 0.55, 0.65
#: Small things that are told apart by a few pixels are drawn so many times as often as the others.
OFTENER = {"truck": 3.0, "bus": 3.0, "container": 2.0, "tank": 2.0, "airplane": 2.0}
#: Things that are pasted from generated scenes onto real ground, and how often.
PASTED = ("pool", "tank", "container", "airplane", "car", "truck", "bus", "tennis court", "basketball court")
PASTE = 0.35
GSD_KNOWN = 0.8
#: Things of real pictures that are pasted onto other ground of any kind (Ghiasi et al. 2021), how often, and each then.
REAL_PASTED = ("building", "tree", "tank", "airplane", "car", "truck", "bus")
REAL_PASTE, PASTE_EACH = 0.3, 0.6
#: Metres a pixel of most crops, around what tiles are brought to, and of the others.
USUAL_M, ANY_M = (0.23, 0.42), (0.15, 0.75)
USUALLY = 0.8
#: How often roofs and vehicles of a crop are painted anew, and each of them then: real ones were seen in few colours.
REPAINT, REPAINT_EACH = 0.3, 0.6
PAINTED = ("building", "car", "truck", "bus")
#: Hues of paint, in turns, and how far they stray: red, brick, yellow, green, blue; grays come by little saturation.
PAINTS, STRAY = (0.0, 0.03, 0.13, 0.4, 0.6), 0.05
#: How often the ground of a crop is given another colour, and each class of it then. The colour lies between two hues,
#: two saturations and two lightnesses: asphalt is black to pale, water brown to blue.
REGROUND, REGROUND_EACH = 0.3, 0.5
GROUNDS = {
    "road": (0.03, 0.65, 0.0, 0.2, 0.15, 0.8),
    "parking lot": (0.03, 0.65, 0.0, 0.15, 0.15, 0.8),
    "runway": (0.03, 0.65, 0.0, 0.15, 0.15, 0.8),
    "water": (0.1, 0.62, 0.05, 0.6, 0.08, 0.5),
    "field": (0.03, 0.3, 0.1, 0.6, 0.2, 0.8),
    "grass": (0.11, 0.33, 0.1, 0.4, 0.2, 0.65),
}
#: No picture is enlarged more than so: what it showed then would be blur, which no tile is. Coarse ones are shown as
#: they are, too.
ENLARGED = 2.0

Array = NDArray[np.float32]
#: A picture, the bits that are on and the bits that nothing is known about, metres a pixel.
_Crop = tuple[NDArray[np.uint8], NDArray[np.uint32], NDArray[np.uint32], float]


class Crops(IterableDataset[tuple[Tensor, Tensor, Tensor]]):
    """An endless stream of (input, on, unknown): (5, c, c) and bits of the classes, (c / 2, c / 2) each."""

    def __init__(self, files: list[Path], seed: int, *, crop_px: int = CROP_PX) -> None:
        self._files = files
        self._seed = seed
        self._crop_px = crop_px
        self._maps: dict[Path, _Crop] = {}
        self._by_source = {s: [f for f in files if f.name.startswith(s + "_")] for s in SOURCES}
        self._by_source = {s: found for s, found in self._by_source.items() if found}

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        worker = torch.utils.data.get_worker_info()
        rng = np.random.default_rng([self._seed, 0 if worker is None else worker.id])
        by_class = self._index()
        while True:
            rgb, on, unknown, gsd = self._draw(rng, by_class)
            yield _tensors(_recolored(rgb, rng), on, unknown, gsd if rng.random() < GSD_KNOWN else None)

    def _read(self, path: Path) -> _Crop:
        if path not in self._maps:
            with np.load(path) as stored:
                self._maps[path] = (stored["rgb"], stored["on"], stored["unknown"], float(stored["gsd_m"]))
        return self._maps[path]

    def _index(self) -> dict[str, tuple[list[Path], list[Path]]]:
        """For each class the generated and the real files that show it."""
        out: dict[str, tuple[list[Path], list[Path]]] = {name: ([], []) for name in EVIDENCE_CLASSES}
        for path in self._files:
            seen = int(np.bitwise_or.reduce(self._read(path)[1].ravel()))
            for name in EVIDENCE_CLASSES:
                if seen >> BIT[name] & 1:
                    out[name][0 if path.name.startswith("generated") else 1].append(path)
        return out

    def _draw(self, rng: np.random.Generator, by_class: dict[str, tuple[list[Path], list[Path]]]) -> _Crop:
        wanted = None
        if rng.random() < BY_CLASS:
            names = [name for name in EVIDENCE_CLASSES if any(by_class[name])]
            odds = np.array([OFTENER.get(name, 1.0) for name in names])
            wanted = str(rng.choice(names, p=odds / odds.sum()))
            generated, real = by_class[wanted]
            pool = real if real and (not generated or rng.random() < REAL_FIRST) else generated
        else:
            names = list(self._by_source)
            share = np.array([SOURCES[name] for name in names])
            pool = self._by_source[str(rng.choice(names, p=share / share.sum()))]
        path = pool[int(rng.integers(len(pool)))]
        rgb, on, unknown, gsd = self._crop(path, rng, wanted)
        if not path.name.startswith("generated") and "generated" in self._by_source and rng.random() < PASTE:
            found = self._donor(rng, {name: by_class[name][0] for name in PASTED}, gsd)
            if found is not None:
                _paste(rgb, on, unknown, found[1], PASTED, rng)
        if rng.random() < REAL_PASTE:
            found = self._donor(rng, {name: by_class[name][1] for name in REAL_PASTED}, gsd)
            if found is not None:
                _paste(rgb, on, unknown, found[1], found[:1], rng, each=PASTE_EACH)
        if rng.random() < REGROUND:
            _reground(rgb, on, rng)
        if rng.random() < REPAINT:
            _repaint(rgb, on, rng)
        return rgb, on, unknown, gsd

    def _donor(self, rng: np.random.Generator, files: dict[str, list[Path]], gsd_m: float) -> tuple[str, _Crop] | None:
        """A class that some file shows, and a crop with one of its things at that pixel size."""
        names = [name for name, showing in files.items() if showing]
        if not names:
            return None
        name = str(rng.choice(names))
        return name, self._crop(files[name][int(rng.integers(len(files[name])))], rng, name, gsd_m)

    def _crop(self, path: Path, rng: np.random.Generator, wanted: str | None, gsd_m: float | None = None) -> _Crop:
        rgb, on, unknown, gsd = self._read(path)
        if gsd_m is None:
            finest, coarsest = USUAL_M if rng.random() < USUALLY else ANY_M
            if gsd / ENLARGED > finest:
                finest, coarsest = gsd / ENLARGED, max(gsd, coarsest)
            gsd_m = float(np.exp(rng.uniform(np.log(finest), np.log(coarsest))))
        scale = gsd_m / gsd
        rows, cols = on.shape
        side = int(np.clip(round(self._crop_px * scale), 64, min(rows, cols)))
        scale = side / self._crop_px
        row, col = int(rng.integers(rows - side + 1)), int(rng.integers(cols - side + 1))
        if wanted is not None:
            at = np.flatnonzero((on >> np.uint32(BIT[wanted])) & 1)
            if len(at):
                y, x = divmod(int(rng.choice(at)), cols)
                row = int(np.clip(y - rng.integers(side), 0, rows - side))
                col = int(np.clip(x - rng.integers(side), 0, cols - side))
        window = (slice(row, row + side), slice(col, col + side))
        rgb, on, unknown = rgb[:, window[0], window[1]], on[window], unknown[window]
        size = (self._crop_px, self._crop_px)
        if side != self._crop_px:
            method = Image.Resampling.BOX if scale > 1 else Image.Resampling.BILINEAR
            rgb = np.asarray(Image.fromarray(np.ascontiguousarray(rgb.transpose(1, 2, 0))).resize(size, method))
            rgb = rgb.transpose(2, 0, 1)
            at = np.minimum(((np.arange(self._crop_px) + 0.5) * scale).astype(int), side - 1)
            on, unknown = on[np.ix_(at, at)], unknown[np.ix_(at, at)]
        turn, flip = int(rng.integers(4)), rng.random() < 0.5
        turned = [np.rot90(a, turn, axes=(-2, -1)) for a in (rgb, on, unknown)]
        rgb, on, unknown = (np.ascontiguousarray(a[..., ::-1] if flip else a) for a in turned)
        return rgb, on, unknown, gsd * scale


def _paste(
    rgb: NDArray[np.uint8],
    on: NDArray[np.uint32],
    unknown: NDArray[np.uint32],
    donor: _Crop,
    names: tuple[str, ...],
    rng: np.random.Generator,
    *,
    each: float = 1.0,
) -> None:
    """Puts the donor's things of these classes where they lie onto the other crop, with a soft rim; so many of them."""
    bits = np.uint32(bits_of(names))
    there = (donor[1] & bits) != 0
    if each < 1.0:
        pieces, count = label(there)
        there &= np.append(False, rng.random(count) < each)[pieces]
    if not there.any() or there.mean() > 0.5:
        return
    alpha = np.clip(gaussian_filter(there.astype(np.float32), rng.uniform(0.4, 0.9)) * 1.5, 0, 1)
    rgb[:] = (rgb * (1 - alpha) + donor[0] * alpha).astype(np.uint8)
    deep = np.uint32(bits_of([CORE, EDGE]))
    on[there] = donor[1][there] & (bits | deep)
    # Of a real thing its depth may be unknown, and of its class nothing is.
    unknown[there] = donor[2][there] & deep


def _repaint(rgb: NDArray[np.uint8], on: NDArray[np.uint32], rng: np.random.Generator) -> None:
    """Gives roofs and vehicles other colours, each its own, with the light and shadow they had, in place."""
    is_in = (on & np.uint32(bits_of(PAINTED))) != 0
    pieces, _ = label(is_in)
    for number, window in enumerate(find_objects(pieces), 1):
        if rng.random() > REPAINT_EACH:
            continue
        hue = (float(rng.choice(PAINTS)) + rng.normal(0, STRAY)) % 1.0
        paint = colorsys.hsv_to_rgb(hue, rng.uniform(0.05, 0.85), 255.0 * rng.uniform(0.3, 0.95))
        _paint(rgb[:, window[0], window[1]], pieces[window] == number, paint)


def _reground(rgb: NDArray[np.uint8], on: NDArray[np.uint32], rng: np.random.Generator) -> None:
    """Gives roads, lawns, fields and waters other colours, each class its own, in place; what lies on them stays."""
    covered = (on & np.uint32(bits_of(THINGS))) != 0
    for name, (hue0, hue1, dull, vivid, dark, light) in GROUNDS.items():
        if rng.random() > REGROUND_EACH:
            continue
        here = ((on & np.uint32(bits_of([name]))) != 0) & ~covered
        if here.any():
            hue, saturation, value = rng.uniform(hue0, hue1), rng.uniform(dull, vivid), rng.uniform(dark, light)
            _paint(rgb, here, colorsys.hsv_to_rgb(hue, saturation, 255.0 * value))


def _paint(rgb: NDArray[np.uint8], here: NDArray[np.bool_], paint: tuple[float, float, float]) -> None:
    """Colours the pixels with the light and shadow that they had, in place."""
    there = rgb.astype(np.float32)
    light = there.mean(axis=0)
    shading = np.clip(light / max(float(light[here].mean()), 1.0), 0.2, 2.0)
    painted = np.clip(shading * np.array(paint, np.float32)[:, None, None], 0, 255)
    alpha = 0.9 * np.clip(gaussian_filter(here.astype(np.float32), 0.6), 0, 1) * here
    rgb[:] = (there * (1 - alpha) + painted * alpha).astype(np.uint8)


def _recolored(rgb: NDArray[np.uint8], rng: np.random.Generator) -> Array:
    """Another camera on another day: gain, gamma, cast, haze, saturation, blur, noise, JPEG."""
    x = rgb.astype(np.float32) / 255.0
    if rng.random() < 0.8:
        x = np.clip(x, 0.0, 1.0) ** np.float32(np.exp(rng.normal(0, 0.25)))
        x = (x - 0.45) * np.float32(np.exp(rng.normal(0, 0.2))) + np.float32(0.45 + rng.normal(0, 0.07))
        x = x * rng.normal(1, 0.065, (3, 1, 1)).astype(np.float32)
        gray = x.mean(axis=0, keepdims=True)
        x = gray + (x - gray) * np.float32(np.exp(rng.normal(0, 0.3)))
    if rng.random() < 0.04:
        x = np.repeat(x.mean(axis=0, keepdims=True), 3, axis=0)
    if rng.random() < 0.3:
        x = gaussian_filter(x, (0, *(float(rng.uniform(0.3, 1.1)),) * 2))
    if rng.random() < 0.4:
        x = x + rng.normal(0, rng.uniform(0.003, 0.03), x.shape).astype(np.float32)
    out = (np.clip(x, 0, 1) * 255).astype(np.uint8)
    if rng.random() < 0.3:
        packed = io.BytesIO()
        quality = int(rng.integers(35, 92))
        Image.fromarray(np.ascontiguousarray(out.transpose(1, 2, 0))).save(packed, "JPEG", quality=quality)
        out = np.asarray(Image.open(packed)).transpose(2, 0, 1)
    return np.asarray(out, dtype=np.float32)


def _tensors(
    rgb: Array, on: NDArray[np.uint32], unknown: NDArray[np.uint32], gsd_m: float | None
) -> tuple[Tensor, Tensor, Tensor]:
    """The network's input, and at half its resolution the bits that are on and the bits that nothing is known about."""
    return (
        torch.from_numpy(planes_of(rgb, gsd_m)),
        torch.from_numpy(np.ascontiguousarray(on[1::2, 1::2]).astype(np.int64)),
        torch.from_numpy(np.ascontiguousarray(unknown[1::2, 1::2]).astype(np.int64)),
    )
