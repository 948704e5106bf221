"""Fits the embedded engine's verdicts: ``python -m inference_server.training.geobia_verdicts --data ../shared/data``.

The engine weighs rules and evidence by hand; here trees learn to: how well a node is an object of a class (its IoU
with one, 0 for nodes of anything else), from its attributes, the rules' answer, what the network sees inside of it, and
how much of its class goes on beyond its border. Half a roof, or a roof with its yard, is told from the roof by that.
Only nodes that the weighing lets pass are learnt from, as only they are judged. A network sees what it learnt from
better than what a user has: generated scenes and the sources' pictures are shown with doubts, pictures whose land cover
was labelled by eye by a network that has not learnt from them (``--sight``). Takes a quarter of an hour on two cores;
writes ``models/geobia/verdicts.npz``. Needs scikit-learn (extra ``train``).
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.transform import Affine
from sklearn.ensemble import HistGradientBoostingRegressor

from inference_server.models.base import silent
from inference_server.models.evidence.classes import OUTPUTS
from inference_server.models.evidence.runtime import MODEL, evidence_of
from inference_server.models.geobia import additive, boosted
from inference_server.models.geobia.classes import RULES_OF, SEEN_AS, WORTH_A_VERDICT, by_rules, weighed
from inference_server.models.geobia.engine import GeobiaEngine
from inference_server.models.geobia.selection import Forest
from inference_server.raster import RasterTile
from inference_server.training.evidence_places import SITES, place_of
from inference_server.training.geobia import REAL, RECIPES, Recipe, best_objects
from inference_server.training.geobia_doubting import Doubting
from inference_server.training.geobia_labels import LabelledTile, cars, labelled_scene, planes, towns, trees
from inference_server.training.geobia_surfaces import SOURCE, surfaces
from inference_server.training.geobia_trees import as_onnx, write

log = logging.getLogger(__name__)

#: Classes that get verdicts: those that the network sees and that labels name.
CLASSES = (
    "building", "car", "bus", "truck", "tree", "airplane", "pool", "tank", "ship", "container", "tennis court",
    "basketball court", "soccer field", "track", "bridge", "field", "parking lot", "runway", "road", "water",
)  # fmt: skip
#: Seeds that neither rules nor network were fitted on; and of works and sports grounds.
FIRST_SEED, FIRST_SITE = 20_000, 21_600
#: Their source, and the classes that they teach: what the benchmarks' scenes have too tidy, and no real set labels.
SITE = "sites"
OF_SITES = frozenset({
    "tank", "pool", "bus", "truck", "container", "bridge", "tennis court", "basketball court", "soccer field",
})  # fmt: skip
#: An agreement up to the first is worth nothing, from the second on all; a node is an object's from the third on.
WORTHLESS, PERFECT, AN_OBJECTS = 0.25, 0.8, 0.5
#: Nodes of a tile that are kept: with some agreement all; of others that anything speaks for, and of the rest.
NEAR, LIKELY_DEGREE, AT_MOST, REST = 0.3, 0.15, 9000, 800
#: Real objects count as much as generated ones, but none more than so many times.
REAL_AT_MOST = 4.0
#: Of the tiles of each real set, every so many.
EVERY = {towns: 1, cars: 2, planes: 4, trees: 1}
#: Classes that the land cover labelled by eye says nothing of.
UNNAMED = frozenset({"car", "bus", "truck", "airplane", "container"})
#: A node is judged by the labels where so much of it is labelled at all.
KNOWN = 0.6
#: Of tiles larger than this the middle is taken.
SIDE_PX, SMALLEST_PX = 1024, 15
TREES, LEAVES = 100, 20


@dataclass(frozen=True, eq=False)
class NodeSample:
    """Some nodes of a tile.

    Attributes:
        source: of the tile.
        common: (node, column) attributes and the means of the network's outputs, in the order of ``COMMON``.
        rules, outside, piece, degree: (node, class) what the rules say, what goes on beyond the border, how well the
            node agrees with a piece that the network draws, rules and network weighed by hand.
        iou: (node,) agreement with the labelled object that agrees best.
        names: (node,) that object's class, "" without.
        weight: (node,) how many nodes of the tile it stands for.
    """

    source: str
    common: NDArray[np.float32]
    rules: NDArray[np.float32]
    outside: NDArray[np.float32]
    piece: NDArray[np.float32]
    degree: NDArray[np.float32]
    iou: NDArray[np.float32]
    names: NDArray[np.str_]
    weight: NDArray[np.float32]


COMMON = (*additive.ATTRIBUTES, *(f"in {output}" for output in OUTPUTS))


def recipe_of(name: str) -> Recipe:
    """As the class's rules were fitted; of a class without rules of its own, with its own labels only.

    Where the land cover was labelled by eye there is nothing of the classes that it does not name, but for vehicles
    and airplanes.
    """
    rules = RULES_OF.get(name, name)
    recipe = RECIPES[name] if rules == name else replace(RECIPES[rules], members=frozenset({name}))
    labelled = (set() if name in UNNAMED else {SOURCE}) | ({SITE} if name in OF_SITES else set())
    return replace(recipe, labelled_in=recipe.labelled_in | labelled)


def generated_scene(seed: int) -> LabelledTile:
    """A scene as the benchmarks have them, or of works and sports grounds; some of them finer and coarser."""
    gsd = float(np.random.default_rng(seed).choice([0.3, 0.3, 0.3, 0.2, 0.5]))
    side = SIDE_PX if gsd == 0.3 else 768
    place = place_of(seed) if seed in SITES else None
    made = labelled_scene(seed, side_px=side, gsd_m=gsd, smallest_px=SMALLEST_PX, theme=place)
    return made if place is None else replace(made, source=SITE)


def middle_of(tile: LabelledTile) -> LabelledTile:
    """The middle of a large tile, with the objects that have their middle in it."""
    rows, cols = tile.valid.shape
    if rows * cols <= 1.15 * SIDE_PX**2:
        return tile
    top, left = max(0, (rows - SIDE_PX) // 2), max(0, (cols - SIDE_PX) // 2)
    at = np.s_[top : top + SIDE_PX, left : left + SIDE_PX]
    valid = tile.valid[at]
    objects = []
    for item in tile.objects:
        x0, y0, x1, y1 = np.array(item.box) - (left, top, left, top)
        if 0 <= (x0 + x1) / 2 < valid.shape[1] and 0 <= (y0 + y1) / 2 < valid.shape[0]:
            box = (max(x0, 0.0), max(y0, 0.0), min(x1, valid.shape[1]), min(y1, valid.shape[0]))
            objects.append(replace(item, box=box, outline=None))
    rgb = np.ascontiguousarray(tile.rgb[:, at[0], at[1]])
    known = None if tile.known is None else tile.known[at]
    return replace(tile, rgb=rgb, valid=valid, objects=tuple(objects), known=known)


def sample(item: LabelledTile | int, *, network: Path = MODEL, sight: Path = MODEL) -> NodeSample:
    """Nodes of a labelled tile, or of the generated scene of a seed.

    Args:
        item: the tile, or the seed.
        network: the evidence network that shows it, with doubts.
        sight: the one that shows what was labelled by eye, which it has not learnt from.
    """
    tile = generated_scene(item) if isinstance(item, int) else middle_of(item)
    rng = np.random.default_rng(zlib.crc32(tile.name.encode()))
    see = Doubting(rng, network) if tile.known is None else partial(evidence_of, model=sight)
    encoding = GeobiaEngine(see).encode(placed(tile), silent)
    nodes, boxes = encoding.nodes, encoding.forest.boxes
    rules = np.stack([by_rules(name, nodes) for name in CLASSES], axis=1)
    degree = np.stack([weighed(name, nodes, rules[:, i]) for i, name in enumerate(CLASSES)], axis=1)
    best, owner = best_objects(boxes, nodes.t.area, tile.objects)
    told = np.arange(len(best))
    if tile.known is not None:
        told = np.flatnonzero(known_share(encoding.forest, tile.known) > KNOWN)
    rows, weight = _drawn(best[told], degree[told].max(axis=1), rng)
    rows = told[rows]
    columns = additive.attributes(nodes.t, tile.gsd_m, nodes.gradient_scale)
    outside = np.stack([nodes.witness.outside(SEEN_AS[name])[rows] for name in CLASSES], axis=1)
    piece = np.stack([nodes.witness.agreement(SEEN_AS[name], rows) for name in CLASSES], axis=1)
    names = np.array([tile.objects[o].name if o >= 0 else "" for o in owner[rows]], dtype=np.str_)
    common = np.column_stack([*(columns[name][rows] for name in additive.ATTRIBUTES), nodes.witness.inside(rows)])
    return NodeSample(
        tile.source, _single(common), _single(rules[rows]), _single(outside), _single(piece), _single(degree[rows]),
        _single(best[rows]), names, _single(weight),
    )  # fmt: skip


def placed(tile: LabelledTile) -> RasterTile:
    """The tile somewhere on the map, so that its pixel size is known."""
    affine = Affine(tile.gsd_m, 0, 500_000, 0, -tile.gsd_m, 5_500_000)
    return RasterTile(np.ascontiguousarray(tile.rgb), tile.valid, affine, CRS.from_epsg(32631))


def known_share(forest: Forest, known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(node,) what share of each node's pixels is known."""
    base = forest.trees[0]
    of_leaf = base.leaf_sums(known) / np.maximum(base.leaf_area, 1.0)
    return np.concatenate([tree.mean(of_leaf)[tree.own] for tree in forest.trees])


def _single(x: NDArray[Any]) -> NDArray[np.float32]:
    return x.astype(np.float32)


def _drawn(
    iou: NDArray[np.float64], degree: NDArray[np.float64], rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Which nodes are kept, in ascending order, and how many each stands for."""
    agrees = iou > NEAR
    weight = np.zeros(len(iou))
    weight[agrees] = 1.0
    for group, count in (
        (np.flatnonzero(~agrees & (degree > LIKELY_DEGREE)), max(1, AT_MOST - int(agrees.sum()))),
        (np.flatnonzero(~agrees & (degree <= LIKELY_DEGREE)), REST),
    ):
        taken = rng.choice(group, min(count, len(group)), replace=False)
        weight[taken] = min(len(group) / max(len(taken), 1), 15.0)
    rows = np.flatnonzero(weight)
    return rows, weight[rows]


def learnt_from(
    name: str, samples: Sequence[NodeSample]
) -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.float64], tuple[str, ...]]:
    """Of one class: columns (node, column), how well each node is an object of it, weights, names of the columns."""
    recipe, number = recipe_of(name), CLASSES.index(name)
    kept = [i for i, column in enumerate(COMMON) if column not in recipe.without]
    parts, values, weights, is_real = [], [], [], []
    for each in samples:
        if each.source == SITE and name not in OF_SITES:
            continue
        is_member = np.isin(each.names, list(recipe.members))
        used = each.degree[:, number] > WORTH_A_VERDICT
        if each.source in recipe.labelled_in:
            value = np.where(is_member, each.iou, 0.0)
        elif each.source in recipe.absent_from:
            value = np.zeros(len(used))
        else:
            # Not labelled there: only what is surely something else tells anything.
            used &= (each.names != "") & (each.iou > AN_OBJECTS) & ~is_member
            value = np.zeros(len(used))
        rows = np.flatnonzero(used)
        own = (each.rules[rows, number], each.outside[rows, number], each.piece[rows, number])
        parts.append(np.column_stack([each.common[rows][:, kept], *own]))
        values.append(value[rows])
        weights.append(each.weight[rows].astype(np.float64))
        is_real.append(np.full(len(rows), each.source in (*REAL, SOURCE)))
    y, w, of_real = np.concatenate(values), np.concatenate(weights), np.concatenate(is_real)
    objects, real_objects = (w[(y > AN_OBJECTS) & group].sum() for group in (~of_real, of_real))
    if real_objects > 0:
        w[of_real] *= np.clip(objects / real_objects, 1.0, REAL_AT_MOST)
    y = np.clip((y - WORTHLESS) / (PERFECT - WORTHLESS), 0.0, 1.0)
    return np.concatenate(parts), y, w, (*(COMMON[i] for i in kept), "rules", "outside", "piece")


def fit(x: NDArray[np.float32], y: NDArray[np.float64], weight: NDArray[np.float64]) -> HistGradientBoostingRegressor:
    """Boosted regression trees."""
    model = HistGradientBoostingRegressor(
        max_iter=TREES, max_leaf_nodes=LEAVES, learning_rate=0.1, min_samples_leaf=25, l2_regularization=2.0,
        random_state=0,
    )  # fmt: skip
    return model.fit(x, y, sample_weight=weight)


def stored_sample(item: LabelledTile | int, folder: Path, **networks: Path) -> NodeSample:
    """The sample of a tile, see ``sample``, from ``folder`` where it was taken before."""
    values = stored(item, folder, lambda: _arrays(sample(item, **networks)))
    return NodeSample(**{**values, "source": str(values["source"])})


def _arrays(made: NodeSample) -> dict[str, Any]:
    return {f.name: getattr(made, f.name) for f in fields(NodeSample)}


def stored(item: LabelledTile | int, folder: Path, take: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What was taken of a tile, or of the generated scene of a seed, from ``folder`` where it was taken before."""
    name = f"generated_{item}" if isinstance(item, int) else f"{item.source}_{item.name.replace('/', '_')}"
    path = folder / f"{name}.npz"
    if path.exists():
        with np.load(path) as file:
            return dict(file)
    made = take()
    folder.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=folder, suffix=".part", delete=False) as file:
        np.savez_compressed(file, **made)
    # Whole or not at all: what was stopped is taken anew.
    Path(file.name).replace(path)
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder with towns, cars, planes and trees")
    parser.add_argument("--generated", type=int, default=120, help="number of generated scenes")
    parser.add_argument("--sites", type=int, default=60, help="number of scenes of works and sports grounds")
    parser.add_argument("--at-most", type=int, default=None, help="so many tiles of each real set, to try it out")
    parser.add_argument("--cache", type=Path, required=True, help="folder for the samples of tiles")
    parser.add_argument("--output", type=Path, default=Path(boosted.__file__).with_name("verdicts.npz"))
    parser.add_argument("--network", type=Path, default=MODEL, help="the evidence.onnx that shows all else")
    parser.add_argument(
        "--sight", type=Path, default=None,
        help="an evidence.onnx that has not learnt from what was labelled late; without, that is left out",
    )  # fmt: skip
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")

    most = arguments.at_most

    def tiles() -> Iterable[LabelledTile | int]:
        for reader, step in EVERY.items():
            yield from islice(reader(arguments.data / reader.__name__), 0, most and most * step, step)
        yield from range(FIRST_SEED, FIRST_SEED + arguments.generated)
        yield from range(FIRST_SITE, FIRST_SITE + arguments.sites)
        if arguments.sight is not None:
            yield from islice(surfaces(arguments.data), most)

    networks = {"network": arguments.network, "sight": arguments.sight or MODEL}
    with multiprocessing.Pool(arguments.workers) as pool:
        taking = partial(stored_sample, folder=arguments.cache, **networks)
        samples = list(pool.imap(taking, tiles()))
    log.info("%d tiles", len(samples))
    classes = {}
    for name in CLASSES:
        x, y, weight, names = learnt_from(name, samples)
        log.info("%s: %d nodes, %d of objects", name, len(y), int((y > AN_OBJECTS).sum()))
        classes[name] = as_onnx(fit(x, y, weight), names)
    write(arguments.output, classes)
    log.info("wrote %s", arguments.output)


if __name__ == "__main__":
    main()
