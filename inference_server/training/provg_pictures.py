"""What ProVG learns from: pictures with expressions and what each names, from generated scenes and real sets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference_server.evaluation.scene_facts import COLORED, Facts, Noun
from inference_server.evaluation.scene_negatives import absent_colors
from inference_server.evaluation.scene_types import Scene
from inference_server.evaluation.scene_words import NOUNS, noun_word, phrase
from inference_server.evaluation.scenes import generate
from inference_server.evaluation.town_expressions import town_scenes
from inference_server.training.geobia_labels import LabelledTile, cars, planes, trees

#: Generated scenes by seed: for fitting, and, disjoint from them, for stopping early. Benchmarks use 100,000 and above.
FIRST_SEED, FIRST_HELD_OUT = 10_000, 70_000
PIXEL_SIZES_M = (0.12, 0.15, 0.2, 0.25, 0.3, 0.3, 0.3, 0.4, 0.5, 0.6)
SIDES_PX = (384, 480, 480, 576, 640)
EXPRESSIONS, CLASS_QUERIES = 24, 10
#: Negatives a labelled picture.
ABSENT_QUERIES = 2
#: Every so many mosaics of the towns are kept for evaluation, whole, so that no ground is in both parts.
TOWNS_HELD_OUT = 3
#: Share of a labelled box's sides whose ellipse surely is the thing.
_SURE = {"tree": 0.7, "airplane": 0.15}
_ABSENT = {
    "cars": ("pool", "ship", "airplane", "tennis court", "soccer field", "storage tank", "runway"),
    "planes": ("pool", "ship", "tennis court", "basketball court", "soccer field", "running track"),
    "trees": ("pool", "ship", "airplane", "tennis court", "building", "car", "truck", "storage tank", "parking lot"),
}

Pixels = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Query:
    """An expression about a picture.

    Attributes:
        text: as asked.
        kind: of ``scene_expressions.KINDS``, or "class": all of a kind and colour.
        on: (row, col) bool, what it names.
        unknown: (row, col) bool, what it may name.
        is_boxed: whether the rectangle around ``on`` is what a box should be.
        noun: class and colour of a "class" query, "car/red", whatever its words.
    """

    text: str
    kind: str
    on: Pixels
    unknown: Pixels
    is_boxed: bool = True
    noun: str = ""


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture with its queries: ``rgb`` (3, row, col) uint8, ``gsd_m`` metres a pixel."""

    rgb: NDArray[np.uint8]
    gsd_m: float
    queries: tuple[Query, ...]


def generated(seed: int, cache: Path | None = None) -> Picture:
    """The scene of that seed, at a pixel size and a side of its own; kept in ``cache`` where it is given."""
    path = None if cache is None else cache / f"scene_{seed}.npz"
    if path is not None and path.exists():
        return read(path)
    rng = np.random.default_rng([seed, 3])
    side, gsd_m = int(rng.choice(SIDES_PX)), float(rng.choice(PIXEL_SIZES_M))
    picture = picture_of(generate(seed, size_px=(side, side), gsd_m=gsd_m, expressions=EXPRESSIONS), rng)
    if path is not None:
        write(picture, path)
    return picture


def picture_of(scene: Scene, rng: np.random.Generator, *, class_queries: int = CLASS_QUERIES) -> Picture:
    """The scene's expressions, and queries for all of a kind and colour, as an engine is asked them."""
    queries = [
        Query(e.text, e.kind, scene.covered_by(scene.object(i) for i in e.target_ids), ~scene.valid)
        for e in scene.expressions
    ]
    facts = Facts(scene)
    nouns = [Noun(c) for c in NOUNS if c not in scene.background]
    nouns += sorted({Noun(o.category, o.color) for o in scene.objects if o.category in COLORED}, key=str)
    for noun in [nouns[i] for i in rng.permutation(len(nouns))][: 3 * class_queries]:
        sure, maybe = facts.members(noun)
        if not sure and (maybe or rng.random() < 0.8):
            continue
        word = noun_word(noun.category, rng, many=bool(rng.random() < 0.5))
        text = f"all {phrase(noun, word, rng)}" if rng.random() < 0.2 else phrase(noun, word, rng)
        on = scene.covered_by(sure)
        unknown = (scene.covered_by(maybe) & ~on) | ~scene.valid
        queries.append(Query(text, "class", on, unknown, noun=f"{noun.category}/{noun.color}"))
        if sum(q.kind == "class" for q in queries) >= class_queries:
            break
    nothing = np.zeros(scene.valid.shape, bool)
    absent = absent_colors(facts)
    for noun in [absent[i] for i in rng.permutation(len(absent))[: class_queries // 3]]:
        word = noun_word(noun.category, rng, many=bool(rng.random() < 0.5))
        queries.append(
            Query(phrase(noun, word, rng), "class", nothing, ~scene.valid, noun=f"{noun.category}/{noun.color}")
        )
    return Picture(scene.rgb, scene.gsd_m, tuple(queries))


def real_pictures(data: Path, *, is_held_out: bool = False) -> Iterator[Picture]:
    """The real sets that may be shipped on: expressions about roofs of towns; vehicles, airplanes and trees by class.

    Args:
        data: folder with towns/, cars/, planes/ and trees/; those that are missing are left out.
        is_held_out: only the towns that are kept for evaluation (of the others, the readers keep a part themselves).
    """
    rng = np.random.default_rng(5)
    if (data / "towns").is_dir():
        kept = {f"town:{p.stem}" for p in sorted((data / "towns").glob("*.tif"))[TOWNS_HELD_OUT - 1 :: TOWNS_HELD_OUT]}
        for scene in town_scenes(data / "towns", sides_px=(384, 560)):
            if (scene.theme in kept) == is_held_out and scene.expressions:
                yield picture_of(scene, rng, class_queries=2)
    for reader in () if is_held_out else (cars, planes, trees):
        if (data / reader.__name__).is_dir():
            for tile in reader(data / reader.__name__):
                yield from parts_of(labelled_picture(tile, rng))


def parts_of(picture: Picture, side: int = max(SIDES_PX)) -> Iterator[Picture]:
    """A large picture cut into squares, those at its far edges overlapping their neighbours."""
    rows, cols = picture.rgb.shape[1:]
    for row in range(0, rows, side):
        for col in range(0, cols, side):
            top, left = max(0, min(row, rows - side)), max(0, min(col, cols - side))
            at = (slice(top, top + side), slice(left, left + side))
            queries = [replace(q, on=q.on[at], unknown=q.unknown[at]) for q in picture.queries]
            yield Picture(picture.rgb[:, at[0], at[1]], picture.gsd_m, tuple(queries))


def labelled_picture(tile: LabelledTile, rng: np.random.Generator) -> Picture:
    """Class queries about boxes: an ellipse within a box is the thing, the rest of the box unknown."""
    names = sorted({o.name for o in tile.objects})
    shape = tile.valid.shape
    whole = {name: np.zeros(shape, bool) for name in names}
    queries = []
    for name in names:
        on = np.zeros(shape, bool)
        for item in (o for o in tile.objects if o.name == name):
            whole[name] |= _ellipse(item.box, 0.0, shape)
            on |= _ellipse(item.box, _SURE.get(name, 0.45), shape)
        alike = [o.box for o in tile.objects if {name, o.name} <= {"car", "truck", "bus"} and o.name != name]
        doubt = np.logical_or.reduce([whole[name], *(_ellipse(b, 0.0, shape) for b in alike)]) & ~on
        word = noun_word(name, rng, many=True)
        queries.append(Query(word, "class", on, doubt | ~tile.valid, is_boxed=False, noun=f"{name}/"))
    nothing = np.zeros(shape, bool)
    # Not all of them: what is there would hardly be asked for.
    absent = [str(name) for name in rng.choice(_ABSENT[tile.source], ABSENT_QUERIES, replace=False)]
    queries += [Query(name, "negative", nothing, nothing) for name in absent]
    return Picture(tile.rgb, tile.gsd_m, tuple(queries))


def _ellipse(box: tuple[float, float, float, float], share: float, shape: tuple[int, ...]) -> Pixels:
    """The ellipse of ``share`` of the box's sides; the whole box, two pixels wider, for 0."""
    x0, y0, x1, y1 = box
    y, x = np.ogrid[0 : shape[0], 0 : shape[1]]
    if share == 0:
        return np.asarray((x >= x0 - 2) & (x < x1 + 2) & (y >= y0 - 2) & (y < y1 + 2))
    rx, ry = max(0.8, share * (x1 - x0) / 2), max(0.8, share * (y1 - y0) / 2)
    return np.asarray(((x + 0.5 - (x0 + x1) / 2) / rx) ** 2 + ((y + 0.5 - (y0 + y1) / 2) / ry) ** 2 <= 1)


def write(picture: Picture, path: Path) -> None:
    """Stores a picture; another process that reads meanwhile finds nothing or all of it."""
    shape = picture.rgb.shape[1:]
    masks = [[q.on for q in picture.queries], [q.unknown for q in picture.queries]]
    bits = np.packbits(np.array(masks, bool).reshape(2, len(picture.queries), *shape), axis=-1)
    said = [[q.text, q.kind, q.is_boxed, q.noun] for q in picture.queries]
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.stem}.{np.random.default_rng().integers(1 << 40)}.npz")
    np.savez_compressed(part, rgb=picture.rgb, gsd_m=picture.gsd_m, bits=bits, said=json.dumps(said))
    part.replace(path)


@lru_cache(maxsize=8)
def read(path: Path) -> Picture:
    """A picture that ``write`` stored; the last few are kept in memory."""
    with np.load(path) as stored:
        rgb, said = stored["rgb"], json.loads(str(stored["said"]))
        masks = np.unpackbits(stored["bits"], axis=-1, count=rgb.shape[2]).astype(bool)
        gsd_m = float(stored["gsd_m"])
    queries = [Query(s[0], s[1], masks[0, i], masks[1, i], bool(s[2]), s[3]) for i, s in enumerate(said)]
    return Picture(rgb, gsd_m, tuple(queries))
