"""Fits what ProVG judges regions by: ``python -m inference_server.training.provg_regions --data ../shared/data``.

Phrases are asked about generated scenes that the network has not seen, about crowded places, and about the real sets:
what is there, and what is not. Trees learn from the network's map of each how well a region is one of the things named
(its IoU with one). They know neither the class nor colours. Ten minutes on two cores; writes
``models/provg/regions.npz``. Needs scikit-learn (extra ``train``).
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingRegressor

from inference_server.evaluation.scene_facts import Facts, Noun
from inference_server.evaluation.scene_types import SceneObject
from inference_server.evaluation.scene_words import NOUNS, noun_word
from inference_server.evaluation.scenes import generate
from inference_server.models.base import silent
from inference_server.models.provg import regions
from inference_server.models.provg.engine import SHIPPED, Network, ProVGEngine
from inference_server.training.evidence_data import ABSENT, LABELLED
from inference_server.training.evidence_places import place_of
from inference_server.training.geobia import REAL, best_objects
from inference_server.training.geobia_labels import LabelledObject, LabelledTile
from inference_server.training.geobia_trees import as_onnx, write
from inference_server.training.geobia_verdicts import (
    AN_OBJECTS,
    EVERY,
    PERFECT,
    REAL_AT_MOST,
    WORTHLESS,
    middle_of,
    placed,
    stored,
)  # fmt: skip

log = logging.getLogger(__name__)

#: Seeds that the network was not fitted on; the places lie between those that it was and those held out.
FIRST_SEED, FIRST_PLACE = 30_000, 60_000
#: Phrases of a picture: of what is there, of what is not.
THERE, ABSENT_PHRASES = 6, 3
#: Pixels of the smallest thing that is asked for.
SMALLEST_PX = 15
#: Regions that agree so well are kept, those that agree with what may be meant are not told; of the others so many that
#: are full of what is named, and so many of the rest, none standing for more than so many.
NEAR, ARGUABLE, FULL = 0.3, 0.2, 0.08
AT_MOST, REST, STANDS_FOR = 2500, 150, (8.0, 15.0)
TREES, LEAVES = 200, 24


@dataclass(frozen=True, eq=False)
class Asked:
    """A phrase about a tile: the objects that it names, and those that it may name."""

    text: str
    sure: tuple[LabelledObject, ...]
    maybe: tuple[LabelledObject, ...] = ()


@dataclass(frozen=True, eq=False)
class RegionSample:
    """Regions of a tile, once for each phrase that they were drawn for.

    Attributes:
        source: of the tile.
        x: (row, column) what the trees read, in the order of ``columns``.
        columns: names.
        iou, weight: (row,) agreement with what is named; how many regions of the tile it stands for.
    """

    source: str
    x: NDArray[np.float32]
    columns: tuple[str, ...]
    iou: NDArray[np.float32]
    weight: NDArray[np.float32]


def generated_tile(seed: int) -> tuple[LabelledTile, list[Asked]]:
    """A scene that the network has not seen, or a crowded place, with phrases."""
    rng = np.random.default_rng([seed, 18])
    gsd_m = float(rng.choice([0.3, 0.3, 0.3, 0.2, 0.5]))
    side = 768 if gsd_m == 0.3 else 576
    place = place_of(seed) if seed >= FIRST_PLACE else None
    scene = generate(seed, size_px=(side, side), gsd_m=gsd_m, theme=place, expressions=0)
    facts = Facts(scene)
    asked: list[Asked] = []
    left = {True: THERE, False: ABSENT_PHRASES}
    categories = [c for c in NOUNS if c not in scene.background]
    for category in (categories[i] for i in rng.permutation(len(categories))):
        sure, maybe = facts.members(Noun(category))
        if bool(sure) == bool(maybe) and left[bool(sure)]:
            left[bool(sure)] -= 1
            others = tuple(o for o in maybe if o not in sure)
            asked.append(Asked(noun_word(category, rng, many=False), _labelled(sure), _labelled(others)))
    return LabelledTile("generated", str(seed), scene.rgb, scene.valid, gsd_m, ()), asked


def _labelled(objects: Iterable[SceneObject]) -> tuple[LabelledObject, ...]:
    return tuple(
        LabelledObject(o.category, (o.hbb.x_min, o.hbb.y_min, o.hbb.x_max, o.hbb.y_max), float(o.mask.area))
        for o in objects
        if o.mask.area >= SMALLEST_PX
    )


def real_tile(tile: LabelledTile) -> tuple[LabelledTile, list[Asked]]:
    """The middle of a real one, with a phrase for each of its classes and for some that surely are not there."""
    tile = middle_of(tile)
    rng = np.random.default_rng(zlib.crc32(tile.name.encode()))
    asked = []
    for name in LABELLED[tile.source].split():
        named = tuple(o for o in tile.objects if o.name == name)
        asked.append(Asked(noun_word(name, rng, many=False), named))
    absent = [name.replace("_", " ") for name in ABSENT[tile.source].split()]
    absent = [name for name in absent if name in NOUNS]
    picked = rng.permutation(len(absent))[:ABSENT_PHRASES]
    return tile, [*asked, *(Asked(noun_word(absent[i], rng, many=False), ()) for i in picked)]


@cache
def _engine(network: Path) -> ProVGEngine:
    return ProVGEngine(network=Network(network, threads=1))


def sample(item: LabelledTile | int, *, network: Path = SHIPPED) -> RegionSample:
    """Regions of a labelled tile, or of the generated scene of a seed."""
    tile, asked = generated_tile(item) if isinstance(item, int) else real_tile(item)
    rng = np.random.default_rng(zlib.crc32(tile.name.encode()))
    engine = _engine(network)
    encoding = engine.encode(placed(tile), silent)
    parts = []
    for phrase in asked:
        maps = engine.foreground(encoding, phrase.text, silent)
        rows, columns = regions.columns_of(encoding.regions, maps.overall(max(tile.valid.shape)), maps.presence)
        boxes, area = encoding.regions.forest.boxes[rows], encoding.regions.nodes.t.area[rows]
        iou, _ = best_objects(boxes, area, phrase.sure)
        other, _ = best_objects(boxes, area, phrase.maybe)
        weight = _drawn(iou, other, columns["inside"], rng)
        kept = np.flatnonzero(weight)
        parts.append(np.column_stack([*(columns[name][kept] for name in regions.COLUMNS), iou[kept], weight[kept]]))
    table = np.concatenate(parts).astype(np.float32)
    return RegionSample(tile.source, table[:, :-2], regions.COLUMNS, table[:, -2], table[:, -1])


def _drawn(
    iou: NDArray[np.float64], arguable: NDArray[np.float64], inside: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """How many regions each stands for, 0 for those left out."""
    weight = np.zeros(len(iou))
    told = (arguable <= ARGUABLE) | (iou >= AN_OBJECTS)
    weight[told & (iou > NEAR)] = 1.0
    far = told & (iou <= NEAR)
    for group, count, most in zip(
        (np.flatnonzero(far & (inside > FULL)), np.flatnonzero(far & (inside <= FULL))),
        (AT_MOST, REST), STANDS_FOR, strict=True,
    ):  # fmt: skip
        taken = rng.choice(group, min(count, len(group)), replace=False)
        weight[taken] = min(len(group) / max(len(taken), 1), most)
    return weight


def stored_sample(item: LabelledTile | int, folder: Path, network: Path) -> RegionSample:
    """The sample of a tile, from ``folder`` where it was taken before."""
    values = stored(item, folder, lambda: vars(sample(item, network=network)))
    return RegionSample(**{**values, "source": str(values["source"]), "columns": tuple(map(str, values["columns"]))})


def fit(samples: Sequence[RegionSample]) -> HistGradientBoostingRegressor:
    """Boosted regression trees; real objects count as much as generated ones, but none more than so many times."""
    x = np.concatenate([each.x for each in samples])
    iou = np.concatenate([each.iou for each in samples])
    weight = np.concatenate([each.weight for each in samples]).astype(np.float64)
    is_real = np.concatenate([np.full(len(each.iou), each.source in REAL) for each in samples])
    generated, real = ((weight * (iou > AN_OBJECTS))[group].sum() for group in (~is_real, is_real))
    if real > 0:
        weight[is_real] *= np.clip(generated / real, 1.0, REAL_AT_MOST)
    model = HistGradientBoostingRegressor(
        max_iter=TREES, max_leaf_nodes=LEAVES, learning_rate=0.08, min_samples_leaf=30, l2_regularization=2.0,
        random_state=0,
    )  # fmt: skip
    return model.fit(x, np.clip((iou - WORTHLESS) / (PERFECT - WORTHLESS), 0.0, 1.0), sample_weight=weight)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder with towns, cars, planes and trees")
    parser.add_argument("--cache", type=Path, required=True, help="folder for the samples of tiles")
    parser.add_argument("--generated", type=int, default=100, help="number of generated scenes")
    parser.add_argument("--places", type=int, default=36, help="number of crowded places")
    parser.add_argument("--at-most", type=int, default=14, help="so many tiles of each real set")
    parser.add_argument("--network", type=Path, default=SHIPPED, help="the provg.onnx that looks")
    parser.add_argument("--output", type=Path, default=regions.SHIPPED)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")

    most = arguments.at_most

    def tiles() -> Iterator[LabelledTile | int]:
        yield from range(FIRST_SEED, FIRST_SEED + arguments.generated)
        yield from range(FIRST_PLACE, FIRST_PLACE + arguments.places)
        for reader, step in EVERY.items():
            yield from islice(reader(arguments.data / reader.__name__), 0, most * step, step)

    samples = []
    with multiprocessing.Pool(arguments.workers) as pool:
        taking = partial(stored_sample, folder=arguments.cache, network=arguments.network)
        for number, taken in enumerate(pool.imap(taking, tiles()), 1):
            samples.append(taken)
            if number % 25 == 0:
                log.info("%d tiles", number)
    model = fit(samples)
    log.info("%d regions of %d tiles", sum(len(each.iou) for each in samples), len(samples))
    write(arguments.output, {regions.NAME: as_onnx(model, samples[0].columns)})
    log.info("wrote %s", arguments.output)


if __name__ == "__main__":
    main()
