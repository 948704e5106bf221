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
from inference_server.models.evidence.classes import EVIDENCE_CLASSES, bits_of
from inference_server.training.evidence_data import ALL, PIXEL_SIZES_M, LabelledMap, real_maps
from inference_server.training.evidence_places import place_of

#: Generated scenes by seed: for fitting, and, disjoint from them, for stopping early. Benchmarks use 100,000 and above.
FIRST_SEED, FIRST_HELD_OUT = 10_000, 70_000
#: From here to those held out they show the places that nothing but the trainings draws.
FIRST_PLACE = 40_000
SIDES_PX = (384, 480, 480, 576, 640)
EXPRESSIONS, CLASS_QUERIES = 24, 10
#: Negatives a labelled picture.
ABSENT_QUERIES = 2
#: Every so many mosaics of the towns are kept for evaluation, whole, so that no ground is in both parts.
TOWNS_HELD_OUT = 3

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
    place = place_of(seed) if FIRST_PLACE <= seed < FIRST_HELD_OUT else None
    scene = generate(seed, size_px=(side, side), gsd_m=gsd_m, theme=place, expressions=EXPRESSIONS)
    picture = picture_of(scene, rng)
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


def real_pictures(data: Path) -> Iterator[Picture]:
    """The real sets that may be shipped on: expressions about roofs of towns; all of them by class.

    Classes are the sources' own and what was labelled by eye (``evidence_data.real_map``).

    Of the towns some are kept for evaluation, of the others the readers keep a part themselves.

    Args:
        data: folder with towns/, cars/, planes/ and trees/; those that are missing are left out.
    """
    rng = np.random.default_rng(5)
    kept = {f"town:{p.stem}" for p in sorted((data / "towns").glob("*.tif"))[TOWNS_HELD_OUT - 1 :: TOWNS_HELD_OUT]}
    if (data / "towns").is_dir():
        for scene in town_scenes(data / "towns", sides_px=(384, 560)):
            if scene.theme not in kept and scene.expressions:
                yield picture_of(scene, rng, class_queries=2)
    for labelled in real_maps(data):
        if f"town:{labelled.name.partition('/')[0]}" not in kept:
            yield from parts_of(labelled_picture(labelled, rng))


def parts_of(picture: Picture, side: int = max(SIDES_PX)) -> Iterator[Picture]:
    """A large picture cut into squares, those at its far edges overlapping their neighbours."""
    rows, cols = picture.rgb.shape[1:]
    for row in range(0, rows, side):
        for col in range(0, cols, side):
            top, left = max(0, min(row, rows - side)), max(0, min(col, cols - side))
            at = (slice(top, top + side), slice(left, left + side))
            queries = [replace(q, on=q.on[at], unknown=q.unknown[at]) for q in picture.queries]
            yield Picture(picture.rgb[:, at[0], at[1]], picture.gsd_m, tuple(queries))


def labelled_picture(labelled: LabelledMap, rng: np.random.Generator) -> Picture:
    """Queries for all of each class that is there, and for some classes that surely are not."""
    nothing = np.zeros(labelled.on.shape, bool)
    void = labelled.unknown == ALL
    queries, absent = [], []
    for name in EVIDENCE_CLASSES:
        bit = np.uint32(bits_of([name]))
        on, unknown = (labelled.on & bit) > 0, (labelled.unknown & bit) > 0
        if on.any():
            word = noun_word(name, rng, many=True)
            queries.append(Query(word, "class", on, unknown & ~on, is_boxed=False, noun=f"{name}/"))
        elif not (unknown & ~void).any():
            absent.append(name)
    # Not all of them: what is there would hardly be asked for.
    for number in rng.permutation(len(absent))[:ABSENT_QUERIES]:
        queries.append(Query(noun_word(absent[number], rng, many=False), "negative", nothing, void))
    return Picture(labelled.rgb, labelled.gsd_m, tuple(queries))


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
