"""Fits the embedded engine's curves: ``python -m inference_server.training.geobia --data ../shared/data``.

For every class a generalised additive model over node attributes is fitted by logistic regression with a roughness
penalty, on the nodes of generated and real tiles: positive is a node whose box (and area) agrees with a labelled
object at IoU >= 0.6, negative one under 0.35, so that a part of an object is as wrong as no object. Takes about six
minutes on two cores; writes ``models/geobia/additive.json``.
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sparse
from numpy.typing import NDArray
from scipy.optimize import minimize

from inference_server.geometry import iou_hbb
from inference_server.models.geobia import additive
from inference_server.models.geobia.blobs import blob_trees
from inference_server.models.geobia.features import joined, leaf_table, node_table
from inference_server.models.geobia.selection import Forest
from inference_server.regions import build_region_tree
from inference_server.training.geobia_labels import LabelledObject, LabelledTile, generated_tile, real
from inference_server.training.geobia_trees import as_onnx, grow, write

log = logging.getLogger(__name__)

POSITIVE_IOU, NEGATIVE_IOU = 0.6, 0.35
KNOTS = 9
FIRST_SEED = 10_000
SHARE_OF_NEGATIVES = 0.35
#: Where a class has real labels they count for so much, generated ones for the rest, however many there are.
REAL_SHARE = 0.75
#: For the trees: real objects count so many times the generated ones, whatever their number.
REAL_TO_GENERATED = 1.5
#: An object shows as about so many nearly equal nodes, so does a false one; an object's nodes weigh as many.
NODES_AN_OBJECT = 3.0
#: Objects of other classes are rare among all nodes and the likeliest to be taken for this one.
OTHER_CLASS = 3.0
#: Nodes that the curves give at least these log-odds are shown to the trees.
PASS_LOG_ODDS = -2.2
ROUGHNESS = 1e-3
REAL = ("towns", "cars", "planes", "trees")
SHAPE_ONLY = frozenset({"chroma", "lightness", "brighter"})


@dataclass(frozen=True)
class Recipe:
    """How one class is fitted.

    Attributes:
        members: labels that count as positive.
        labelled_in: sources that label all of its objects.
        absent_from: sources where it does not occur: all their nodes are negatives.
        without: attributes that are left out.
    """

    members: frozenset[str]
    labelled_in: frozenset[str]
    absent_from: frozenset[str]
    without: frozenset[str] = frozenset()


def _recipe(members: str, labelled_in: str, absent_from: str = "", without: frozenset[str] = frozenset()) -> Recipe:
    return Recipe(
        frozenset(members.split(",")), frozenset(labelled_in.split()), frozenset(absent_from.split()), without
    )


_SIZES = frozenset(
    {"log_area_m2", "log_length_m", "log_width_m", "log_ribbon", "log_aspect", "roundness", "compactness"}
)
_SEMANTIC = frozenset(
    {"log_area_m2", "log_length_m", "log_width_m", "log_ribbon", "log_aspect", "roundness", "chroma", "lightness",
     "brighter", "out_green", "out_dark", "out_water", "out_paved", "green", "dark", "water", "paved"}
)  # fmt: skip
RECIPES: dict[str, Recipe] = {
    # Colour is left to the expression where objects come in any colour.
    "building": _recipe("building", "generated towns", "trees", SHAPE_ONLY),
    "car": _recipe("car", "generated cars", "trees", SHAPE_ONLY),
    "bus": _recipe("bus", "generated cars", "trees planes", SHAPE_ONLY),
    "truck": _recipe("truck", "generated cars", "trees planes", SHAPE_ONLY),
    "airplane": _recipe("airplane", "generated planes", "towns cars trees"),
    "tree": _recipe("tree", "generated trees"),
    "vehicle": _recipe("car,bus,truck", "generated cars", "trees", SHAPE_ONLY | _SIZES),
    "object": _recipe(
        "building,car,bus,truck,airplane,ship,tank,container,tree", "towns cars planes trees", "", _SEMANTIC
    ),
    "pool": _recipe("pool", "generated", "towns cars planes trees"),
    "tank": _recipe("tank", "generated", "towns cars trees"),
    "ship": _recipe("ship", "generated", "towns cars planes trees", SHAPE_ONLY),
    "container": _recipe("container", "generated", "trees", SHAPE_ONLY),
    "court": _recipe("tennis court,basketball court", "generated", "towns cars planes trees"),
    "soccer field": _recipe("soccer field", "generated", "cars trees"),
    "bridge": _recipe("bridge", "generated", "towns cars planes trees"),
    "field": _recipe("field", "generated", "cars"),
    "parking lot": _recipe("parking lot", "generated", "trees"),
    "runway": _recipe("runway", "generated", "towns cars trees"),
    "road": _recipe("road", "generated", "trees"),
    "water": _recipe("water", "generated", "towns cars trees"),
}


@dataclass(frozen=True, eq=False)
class Sample:
    """Nodes of a tile: attributes (node, attribute), the class each agrees with or "", its IoU, its object, weight."""

    source: str
    is_held_back: bool
    values: NDArray[np.float32]
    names: NDArray[np.str_]
    iou: NDArray[np.float32]
    owner: NDArray[np.int64]
    weight: NDArray[np.float32]


def sample(item: LabelledTile | int) -> Sample:
    """All agreeing nodes of a tile (or of the generated scene of a seed), and a draw of the others."""
    tile = generated_tile(item) if isinstance(item, int) else item
    tree = build_region_tree(tile.rgb, tile.valid)
    leaves = leaf_table(tree)
    trees = [tree, *blob_trees(tree, leaves)]
    table = joined([node_table(each, leaves) for each in trees])
    boxes = Forest(tuple(trees)).boxes
    best, owner = best_objects(boxes, table.area, tile.objects)
    rng = np.random.default_rng(zlib.crc32(tile.name.encode()))
    positive = np.flatnonzero(best >= POSITIVE_IOU)
    near = np.flatnonzero((best < NEGATIVE_IOU) & (best > 0.1))
    far = np.flatnonzero(best <= 0.1)
    near_drawn = rng.choice(near, min(len(near), 700), replace=False)
    far_drawn = rng.choice(far, min(len(far), 1000), replace=False)
    index = np.concatenate([positive, near_drawn, far_drawn])
    weight = np.concatenate(
        [
            np.ones(len(positive)),
            np.full(len(near_drawn), len(near) / max(len(near_drawn), 1)),
            np.full(len(far_drawn), min(len(far) / max(len(far_drawn), 1), 10.0)),
        ]
    )
    names = np.array([tile.objects[o].name if o >= 0 else "" for o in owner[index]], dtype=np.str_)
    names = np.where(np.arange(len(index)) < len(positive), names, "")
    columns = additive.attributes(table, tile.gsd_m, leaves.tone.gradient)
    return Sample(
        tile.source,
        zlib.crc32(tile.name.encode()) % 5 == 0,
        np.stack(list(columns.values()), axis=1)[index].astype(np.float32),
        names,
        best[index].astype(np.float32),
        owner[index],
        weight.astype(np.float32),
    )


def best_objects(
    boxes: NDArray[np.float64], area: NDArray[np.float64], objects: Sequence[LabelledObject]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """(node,) the agreement with the object that agrees best, and that object's number; 0 and -1 without any."""
    best, owner = np.zeros(len(boxes)), np.full(len(boxes), -1)
    for number, labelled in enumerate(objects):
        agreement = _agreement(boxes, area, labelled)
        better = agreement > best
        best[better], owner[better] = agreement[better], number
    return best, owner


def _agreement(boxes: NDArray[np.float64], area: NDArray[np.float64], item: LabelledObject) -> NDArray[np.float64]:
    """(node,) IoU of nodes' boxes with an object's, less where their areas differ."""
    iou = iou_hbb(np.array([item.box], dtype=np.float64), boxes)[0]
    if item.area is not None:
        iou = np.minimum(iou, np.sqrt(np.minimum(area / item.area, item.area / area)))
    return np.asarray(iou)


def fit(recipe: Recipe, samples: list[Sample], names: list[str]) -> tuple[dict[str, object], bytes, str]:
    """The curves and the trees of one class, and a line on how well they do on tiles held back."""
    keep = [i for i, name in enumerate(names) if name not in recipe.without]
    values: list[NDArray[np.float32]] = []
    target, weight, held = [], [], []
    for s in samples:
        positive = np.isin(s.names, list(recipe.members)) & (s.source in recipe.labelled_in)
        if s.source in recipe.labelled_in:
            negative = ~positive & ((s.iou < NEGATIVE_IOU) | (s.names != ""))
        elif s.source in recipe.absent_from:
            negative = np.ones(len(s.iou), dtype=bool)
        else:
            negative = (s.names != "") & ~np.isin(s.names, list(recipe.members))
        w = np.where(negative, s.weight, 0.0)
        for o in np.unique(s.owner[positive]):
            mine = positive & (s.owner == o)
            w[mine] = s.iou[mine] ** 2 / np.sum(s.iou[mine] ** 2)
        # A class's own objects are few: a third of the nodes that are none of them is plenty.
        drawn = np.random.default_rng(len(values)).random(len(w)) < SHARE_OF_NEGATIVES
        w[negative & (s.names == "")] /= SHARE_OF_NEGATIVES
        w[negative & (s.names != "")] *= OTHER_CLASS
        w[positive] *= NODES_AN_OBJECT
        used = positive | (negative & (drawn | (s.names != "")))
        values.append(s.values[used][:, keep])
        target.append(positive[used])
        weight.append(np.stack([w[used], np.full(used.sum(), s.source in REAL)], axis=1))
        held.append(np.full(used.sum(), s.is_held_back))
    x = np.concatenate(values).astype(np.float64)
    y = np.concatenate(target)
    w, is_real = np.concatenate(weight).T
    population = w.copy()
    h = np.concatenate(held)
    has_real = bool((y & (is_real == 1.0)).any() and (y & (is_real == 0.0)).any())
    for kind in (0.0, 1.0):
        for sign, share in ((True, 0.2), (False, 0.8)):
            group = (y == sign) & (is_real == kind)
            if group.any():
                part = (REAL_SHARE if kind else 1.0 - REAL_SHARE) if has_real else 0.5
                w[group] *= part * share * len(y) / w[group].sum()
    names_kept, knots = [], []
    for j, i in enumerate(keep):
        pos, neg = x[y & ~h, j], x[~y & ~h, j]
        step = max(1, len(neg) // max(1, 2 * len(pos)))
        ends = np.unique(
            np.round(np.quantile(np.concatenate([pos, pos, neg[::step]]), np.linspace(0.01, 0.99, KNOTS)), 4)
        )
        if len(ends) >= 3:
            names_kept.append((j, names[i]))
            knots.append(ends)
    x = x[:, [j for j, _ in names_kept]]
    theta = _logistic(_design(x[~h], knots), y[~h].astype(float), w[~h], [len(k) for k in knots])
    scores = _design(x, knots) @ theta[:-1] + theta[-1]
    area = _auc(scores[h], y[h], w[h])
    line = f"nodes {len(y)}, positive {int(y.sum())}, area under ROC on held-back tiles: curves {area:.4f}"
    curves, at = {}, 0
    for (_, name), k in zip(names_kept, knots, strict=True):
        curves[name] = [[round(float(v), 4) for v in k], [round(float(v), 3) for v in theta[at : at + len(k)]]]
        at += len(k)
    passed = scores > PASS_LOG_ODDS
    trained = passed & ~h
    if has_real:
        share = population[y & (is_real == 1.0)].sum() / population[y & (is_real == 0.0)].sum()
        population[is_real == 1.0] *= min(REAL_TO_GENERATED / share, 6.0)
    model = grow(x[trained].astype(np.float32), y[trained], population[trained])
    held = passed & h
    second = model.predict_proba(x[held].astype(np.float32))[:, 1]
    for limit in (0.3, 0.5):
        said = second >= limit
        precision = population[held][said & y[held]].sum() / max(population[held][said].sum(), 1e-9)
        recall = population[held][said & y[held]].sum() / max(population[h & y].sum(), 1e-9)
        line += f"; at {limit} precision {precision:.2f} recall {recall:.2f}"
    return (
        {"intercept": round(float(theta[-1]), 3), "curves": curves},
        as_onnx(model, tuple(n for _, n in names_kept)),
        line,
    )


def _design(x: NDArray[np.float64], knots: list[NDArray[np.float64]]) -> sparse.csr_matrix:
    """Hat functions: row n holds the two weights of each attribute's neighbouring knots."""
    blocks, rows = [], np.arange(len(x))
    for j, k in enumerate(knots):
        v = np.clip(x[:, j], k[0], k[-1])
        i = np.clip(np.searchsorted(k, v, side="right") - 1, 0, len(k) - 2)
        part = (v - k[i]) / (k[i + 1] - k[i])
        ends = (np.concatenate([rows, rows]), np.concatenate([i, i + 1]))
        blocks.append(sparse.csr_matrix((np.concatenate([1 - part, part]), ends), shape=(len(x), len(k))))
    return sparse.hstack(blocks).tocsr()


def _logistic(
    design: sparse.csr_matrix, y: NDArray[np.float64], w: NDArray[np.float64], sizes: list[int]
) -> NDArray[np.float64]:
    starts = np.cumsum([0, *sizes])
    left = np.concatenate([np.arange(a, b - 1) for a, b in zip(starts[:-1], starts[1:], strict=True)])
    penalty = ROUGHNESS * len(y)

    def loss(theta: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        t = theta[:-1]
        z = design @ t + theta[-1]
        p = 1.0 / (1.0 + np.exp(-z))
        step = t[left + 1] - t[left]
        value = float(np.sum(w * (np.logaddexp(0.0, z) - y * z)) + penalty * (step @ step + 0.1 * t @ t))
        g = w * (p - y)
        slope = design.T @ g + 0.2 * penalty * t
        np.add.at(slope, left + 1, 2.0 * penalty * step)
        np.add.at(slope, left, -2.0 * penalty * step)
        return value, np.append(slope, g.sum())

    found = minimize(loss, np.zeros(design.shape[1] + 1), jac=True, method="L-BFGS-B", options={"maxiter": 120})
    return np.asarray(found.x)


def _auc(z: NDArray[np.float64], y: NDArray[np.bool_], w: NDArray[np.float64]) -> float:
    order = np.argsort(z)
    w, y = w[order], y[order]
    below = np.cumsum(w * ~y)
    total = float(w[y].sum() * w[~y].sum())
    return float((below * w)[y].sum() / total) if total > 0 else float("nan")


def run(tiles: Iterable[LabelledTile | int], output: Path, cache: Path | None) -> None:
    """Samples all tiles (or takes the samples of an earlier run), fits all classes and writes the file."""
    samples: list[Sample] = []
    if cache is not None and cache.exists():
        samples = _read_samples(cache)
    else:
        with multiprocessing.Pool(2) as pool:
            for each in pool.imap(sample, tiles):
                samples.append(each)
                if len(samples) % 50 == 0:
                    log.info("%d tiles", len(samples))
        if cache is not None:
            _write_samples(cache, samples)
    classes, trees = {}, {}
    for name, recipe in RECIPES.items():
        classes[name], trees[name], line = fit(recipe, samples, list(additive.ATTRIBUTES))
        log.info("%-13s %s", name, line)
    output.write_text(json.dumps({"classes": classes}, separators=(",", ":")) + "\n", encoding="utf-8")
    write(output.with_name("boosted.npz"), trees)
    log.info("wrote %s and boosted.npz beside it", output)


def _write_samples(path: Path, samples: list[Sample]) -> None:
    arrays: dict[str, Any] = {
        f"{i}/{f.name}": np.asarray(getattr(s, f.name)) for i, s in enumerate(samples) for f in fields(Sample)
    }
    np.savez_compressed(path, **arrays)


def _read_samples(path: Path) -> list[Sample]:
    with np.load(path) as stored:
        count = len({key.split("/")[0] for key in stored.files})
        rows = [{f.name: stored[f"{i}/{f.name}"] for f in fields(Sample)} for i in range(count)]
    return [Sample(**{**row, "source": str(row["source"]), "is_held_back": bool(row["is_held_back"])}) for row in rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True, help="the folder with towns, cars, planes and trees")
    parser.add_argument("--generated", type=int, default=260, help="number of generated scenes")
    parser.add_argument("--output", type=Path, default=Path(additive.__file__).with_name("additive.json"))
    parser.add_argument("--cache", type=Path, help="samples (.npz): written, or read when it exists")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")

    def tiles() -> Iterable[LabelledTile | int]:
        yield from real(arguments.data)
        yield from range(FIRST_SEED, FIRST_SEED + arguments.generated)

    run(tiles(), arguments.output, arguments.cache)


if __name__ == "__main__":
    main()
