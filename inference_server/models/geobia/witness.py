"""What the evidence network says of every node of the region tree; the roads and vehicles it sees, one at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, find_objects, label

from inference_server.models.evidence.classes import BIT, CORE, OUTPUTS
from inference_server.models.evidence.runtime import ONE, Evidence
from inference_server.models.geobia.features import Column, outside, surroundings
from inference_server.models.geobia.pieces import NO_PIECES, VEHICLES, Pieces
from inference_server.models.geobia.roads import separate_roads
from inference_server.models.geobia.selection import Forest
from inference_server.regions import IntArray, RegionTree

#: Probability of road or bridge from which a pixel belongs to the network of roads.
ROAD = 0.4
#: Probability of a vehicle, and of the core of a thing, from which a pixel belongs to one.
VEHICLE, VEHICLE_CORE = 0.5, 0.3
#: Roads of fewer pixels of the evidence are none.
SMALLEST_PX = 5


class Witness:
    """Evidence by node, for several trees over the same leaves, computed for the classes that are asked for.

    Args:
        leaf: (leaf, output), of ``leaf_evidence``.
        trees: whose nodes are asked about, in the order of their numbering.
        pieces: what the network draws.
    """

    def __init__(self, leaf: NDArray[np.float64], trees: Sequence[RegionTree], pieces: Pieces = NO_PIECES) -> None:
        self.leaf, self._trees, self._pieces = leaf, tuple(trees), pieces
        self._forest = Forest(self._trees)
        self._outside: dict[tuple[str, ...], Column] = {}

    def seen(self, names: tuple[str, ...]) -> Column:
        """(node,) how much a node is what one of several classes covers, in [0, 1].

        The mean inside, less by what share of the class goes on beyond the border: the half of a roof is seen worse
        than the whole of it.
        """
        return covered(self._trees, self._leaf_sum(names), self.outside(names))

    def outside(self, names: tuple[str, ...]) -> Column:
        """(node,) how much of several classes goes on right beyond a node's border, in [0, 1]."""
        if names not in self._outside:
            self._outside[names] = just_outside(self._trees, self._leaf_sum(names))
        return self._outside[names]

    def inside(self, rows: IntArray) -> NDArray[np.float64]:
        """(row, output) the mean of every output over the pixels of some nodes, in ascending order."""
        out, first = [], 0
        sums = self.leaf * self._trees[0].leaf_area[:, None]
        for tree in self._trees:
            last = first + tree.n_nodes - tree.first_own
            nodes = rows[(rows >= first) & (rows < last)] - first + tree.first_own
            total = tree.accumulate(sums, nodes)
            out.append(total / tree.area[nodes][:, None])
            first = last
        return np.concatenate(out)

    def agreement(self, names: tuple[str, ...], rows: IntArray) -> Column:
        """(row,) how well some nodes agree with a piece that the network draws of one of several classes, as IoU."""
        return self._pieces.agreement(names, self._forest.boxes[rows])

    def _leaf_sum(self, names: tuple[str, ...]) -> Column:
        return np.asarray(self.leaf[:, [BIT[n] for n in names]].sum(axis=1))


def covered(trees: Sequence[RegionTree], leaf: Column, beyond: Column) -> Column:
    """(node,) mean of a value in [0, 1], less by what share of it goes on beyond the border, see ``just_outside``."""
    inside = np.concatenate([t.mean(leaf)[t.own] for t in trees])
    return np.asarray(inside * (1.0 - beyond))


def just_outside(trees: Sequence[RegionTree], leaf: Column) -> Column:
    """(node,) mean of a value in [0, 1] over the leaves that lie along the outside of each node's border.

    Args:
        trees: over the same leaves.
        leaf: (leaf,) the value.
    """
    around = surroundings(trees[0], leaf[:, None])
    means = [outside(t, around)[t.own, 0] / np.maximum(t.border_length[t.own], 1e-6) for t in trees]
    return np.asarray(np.clip(np.concatenate(means), 0.0, 1.0))


def leaf_evidence(evidence: Evidence, tree: RegionTree) -> NDArray[np.float64]:
    """(leaf, output) mean probability over the leaf's pixels."""
    labels = evidence.sampled(tree.labels)
    is_in = labels >= 0
    at = labels[is_in]
    count = np.bincount(at, minlength=tree.n_leaves).astype(np.float64)
    out = np.empty((tree.n_leaves, len(OUTPUTS)))
    for index, parts in enumerate(evidence.parts):
        out[:, index] = np.bincount(at, parts[is_in], tree.n_leaves)
    out /= np.maximum(count, 1.0)[:, None]
    missed = np.flatnonzero(count == 0)
    if len(missed):
        of_pixel, first = np.unique(tree.labels, return_index=True)
        rows, cols = np.unravel_index(first[np.searchsorted(of_pixel, missed)], tree.labels.shape)
        row, col = evidence.at(rows, cols)
        out[missed] = evidence.parts[:, row, col].T
    return np.asarray(out / ONE)


def vehicle_pieces(evidence: Evidence, shape: tuple[int, int]) -> NDArray[np.int32] | None:
    """(row, col) numbers from 1 of the single vehicles that are seen, 0 between them.

    At 0.3 m a car is hardly larger than a leaf: the network, which reads pixels, tells where it ends. Vehicles that
    touch are told apart by their cores. None for finer tiles, whose leaves are fine enough.
    """
    if evidence.scale != (2.0, 2.0):
        return None
    vehicle = sum((evidence.of(name) for name in VEHICLES), start=np.float32(0))
    # Between the centres of cells, which are two pixels wide.
    seen, core = (_doubled(_doubled(cells).T).T[: shape[0], : shape[1]] for cells in (vehicle, evidence.of(CORE)))
    is_in = seen > VEHICLE
    pieces, count = label(is_in)
    cores, _ = label(is_in & (core > VEHICLE_CORE))
    for number, window in enumerate(find_objects(pieces), 1):
        here = pieces[window] == number
        within = np.where(here, cores[window], 0)
        several = np.unique(within[within > 0])
        if len(several) > 1:
            nearest = distance_transform_edt(within == 0, return_distances=False, return_indices=True)
            part = np.searchsorted(several, within[tuple(nearest)])
            is_other = here & (part > 0)
            pieces[window][is_other] = count + part[is_other]
            count += len(several) - 1
    return np.asarray(pieces, np.int32)


def _doubled(cells: NDArray[np.float32]) -> NDArray[np.float32]:
    """Twice as many rows, linear between the centres of those there are."""
    padded = np.pad(cells, ((1, 1), (0, 0)), mode="edge")
    out = np.empty((2 * len(cells), cells.shape[1]), np.float32)
    out[::2] = np.float32(0.25) * padded[:-2] + np.float32(0.75) * cells
    out[1::2] = np.float32(0.75) * cells + np.float32(0.25) * padded[2:]
    return out


def vehicle_tree(tree: RegionTree, pieces: NDArray[np.int32] | None) -> RegionTree:
    """A flat tree over the same leaves, which must be cut along the pieces: each vehicle seen, and the root."""
    of_leaf = np.zeros(tree.n_leaves, np.int64)
    if pieces is not None:
        is_in = (pieces > 0) & (tree.labels >= 0)
        of_leaf[tree.labels[is_in]] = pieces[is_in]
    return _flat_tree(tree, of_leaf)


def road_pieces(evidence: Evidence, valid: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Numbers from 1 of the single roads that are seen, 0 between them, by pixel of the evidence."""
    p = evidence.of("road") + evidence.of("bridge")
    return separate_roads((p > ROAD) & evidence.sampled(valid))


def piece_tree(evidence: Evidence, tree: RegionTree, pieces: NDArray[np.int64]) -> RegionTree:
    """A flat tree over the same leaves: what the network draws, numbered by pixel of the evidence, and the root."""
    return _flat_tree(tree, _majority(tree.n_leaves, evidence.sampled(tree.labels), pieces))


def _flat_tree(tree: RegionTree, of_leaf: IntArray) -> RegionTree:
    """Regions, numbered from 1, right below the root; ``of_leaf`` is 0 for leaves of none."""
    used = np.unique(of_leaf[of_leaf > 0])
    n = tree.n_leaves
    root = n + len(used)
    parents = np.full(root + 1, root, np.int64)
    parents[:n] = np.where(of_leaf > 0, n + np.searchsorted(used, of_leaf), root)
    return tree.regrown(parents, np.r_[np.zeros(n), np.ones(len(used)), 2.0])


def _majority(n_leaves: int, leaves: NDArray[np.int32], regions: NDArray[np.int64]) -> IntArray:
    """The region that holds the most of each leaf, 0 for none."""
    size = np.bincount(regions.ravel())
    regions = np.where(size[regions] >= SMALLEST_PX, regions, 0)
    count = len(size)
    is_in = leaves >= 0
    found, times = np.unique(leaves[is_in].astype(np.int64) * count + regions[is_in], return_counts=True)
    order = np.lexsort((times, found // count))
    leaf, region = found[order] // count, found[order] % count
    is_last = np.r_[leaf[1:] != leaf[:-1], True] if len(leaf) else np.zeros(0, bool)
    out = np.zeros(n_leaves, np.int64)
    out[leaf[is_last]] = region[is_last]
    return out
