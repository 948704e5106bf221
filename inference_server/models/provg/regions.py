"""How well each region is what a phrase names, from the network's map of the phrase and the region's form.

The mean of the map over a region says whether a thing is there, not where it ends: a part of a roof is as full of it as
the roof is. Decision trees, grown by gradient boosting (Friedman 2001), tell it from what the map shows inside of the
region and beyond its border, from how the region agrees with the map's pieces, and from its size and form. They know no
classes and no colours: what a phrase means is the network's to say. Written by ``training/provg_regions.py``.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects, label

from inference_server.geometry import best_iou_hbb
from inference_server.models.evidence.classes import BIT, CORE, EDGE, EVIDENCE_CLASSES
from inference_server.models.geobia.additive import attributes
from inference_server.models.geobia.boosted import BoostedScore, read_scores
from inference_server.models.geobia.engine import Encoding
from inference_server.models.geobia.features import Column
from inference_server.models.geobia.pieces import boxes_of
from inference_server.models.geobia.witness import just_outside

SHIPPED = Path(__file__).with_name("regions.npz")
#: The one entry of the file.
NAME = "regions"
#: A region in which the map has less, on average, is none of what the phrase names.
SEEN = 0.03
#: Probabilities from which on the map hangs together in pieces, the fewest pixels of one.
LIMITS, SMALLEST_PX = (0.3, 0.5, 0.7), 12
#: What is read of a region's form, see ``geobia.additive.attributes``; nothing of its colours.
FORM = (
    "log_area_m2", "log_length_m", "log_width_m", "log_aspect", "log_ribbon", "rectangularity", "solidity", "roundness",
    "compactness", "border", "inner", "border_ratio", "closure", "edge_share", "parent_growth",
)  # fmt: skip

COLUMNS = (
    "inside", "beyond", "uneven", "likely", *(f"agrees_{round(100 * limit)}" for limit in LIMITS),
    "strongest", "found", "share", "presence", *FORM, CORE, EDGE, "piece", "pure",
)  # fmt: skip

Foreground = NDArray[np.float32]


def beside(network: Path) -> Path:
    """The trees that were fitted to a network's file and lie beside it; the shipped ones where there are none."""
    path = network.with_name(SHIPPED.name)
    return path if path.is_file() else SHIPPED


@cache
def trees_at(path: Path = SHIPPED) -> BoostedScore:
    """The trees, read once."""
    return read_scores(path, is_logistic=False)[NAME]


@cache
def revision(path: Path = SHIPPED) -> str:
    """A hash of the trees: answers change when they do."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:8]


def columns_of(
    regions: Encoding, foreground: Foreground, presence: float
) -> tuple[NDArray[np.int64], dict[str, Column]]:
    """What the trees read, of the regions that the map shows something in.

    Args:
        regions: of the tile.
        foreground: (row, col) probabilities of the phrase, of the tile's size.
        presence: how likely it is there at all. Read off all of a tile, it is low for a single small thing: here it is
            one sign among others.

    Returns:
        rows: the regions' numbers in the forest, ascending.
        columns: (row,) each, by name. Of the map: its mean inside, and "beyond" the border; its deviation inside
        ("uneven"); the share of "likely" pixels; the best IoU of the region's box with a piece's, for each of
        ``LIMITS``; over the tile, its maximum ("strongest") and log10 of its sum ("found"), and log10 of what share of
        that the region has; "presence". Then ``FORM``; the mean core and edge that the evidence network sees; the best
        IoU with what that draws of any class ("piece"), and how "pure" the region is of one class.
    """
    forest, nodes = regions.forest, regions.nodes
    trees = forest.trees
    area = trees[0].leaf_area
    leaf = trees[0].leaf_sums(foreground) / area
    inside = np.concatenate([t.mean(leaf)[t.own] for t in trees])
    rows = np.flatnonzero(inside >= SEEN)
    squares, likely = (
        np.concatenate([t.mean(trees[0].leaf_sums(values) / area)[t.own] for t in trees])[rows]
        for values in (foreground * foreground, (foreground > LIMITS[1]).astype(np.float32))
    )
    inside, boxes = inside[rows], forest.boxes[rows]
    total = float(foreground.sum())
    out = {
        "inside": inside,
        "beyond": just_outside(trees, leaf)[rows],
        "uneven": np.sqrt(np.maximum(squares - inside**2, 0.0)),
        "likely": likely,
        **{f"agrees_{round(100 * limit)}": _agreement(boxes, foreground > limit) for limit in LIMITS},
        "strongest": np.full(len(rows), float(foreground.max(initial=0.0))),
        "found": np.full(len(rows), np.log10(total + 1.0)),
        "share": np.log10((inside * nodes.t.area[rows] + 1.0) / (total + 1.0)),
        "presence": np.full(len(rows), presence),
    }
    form = attributes(nodes.t, nodes.pixel.gsd_m, nodes.gradient_scale)
    out |= {name: form[name][rows] for name in FORM}
    shown = nodes.witness.inside(rows)
    out |= {CORE: shown[:, BIT[CORE]], EDGE: shown[:, BIT[EDGE]]}
    out["piece"] = nodes.witness.agreement(EVIDENCE_CLASSES, rows)
    out["pure"] = shown[:, : len(EVIDENCE_CLASSES)].max(axis=1, initial=0.0)
    return rows, out


def verified(regions: Encoding, foreground: Foreground, presence: float, path: Path = SHIPPED) -> Column:
    """(node,) in [0, 1], how well each region is what the phrase names: 1 for its very outline, 0 for something else.

    Args:
        regions: of the tile.
        foreground: (row, col) probabilities of the phrase, of the tile's size.
        presence: how likely it is there at all.
        path: the trees.
    """
    rows, columns = columns_of(regions, foreground, presence)
    out = np.zeros(len(regions.nodes.t.area))
    out[rows] = trees_at(path)(columns, np.arange(len(rows)))
    return out


def _agreement(boxes: NDArray[np.float64], is_on: NDArray[np.bool_]) -> Column:
    """(box,) the best IoU with the box of a piece of the map."""
    pieces, count = label(is_on)
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)[1:]
    windows = [w for w, size in zip(find_objects(pieces), sizes, strict=True) if size >= SMALLEST_PX]
    return best_iou_hbb(boxes, boxes_of(windows, (1.0, 1.0)))
