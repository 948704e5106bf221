"""Overlapping nodes settled: which of nested and crossing regions is the object."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from inference_server.geometry import Mask, iou_hbb
from inference_server.models.geobia.features import Column, NodeTable
from inference_server.regions import IntArray, RegionTree

#: An enclosing node takes over when its score is at least this share of the best one inside it.
TAKEOVER_THING = 0.95
TAKEOVER_SURFACE = 0.85
#: A node is passed over when more of it than this share is already part of a better one.
MAX_OVERLAP = 0.15
#: Two things whose boxes agree by so much are one and a remnant of it, such as its rim.
SAME_BOX = 0.5
#: Nodes tell of one thing where they share so much of the smaller one's box, none is so many times as large as the
#: chosen one, and each scores at least that share of it.
ONE_THING, TIMES_AS_LARGE, NEARLY_AS_GOOD = 0.8, 3.0, 0.7
#: Another fills its box at least so much as the chosen one does.
AS_FULL = 0.95
#: How steeply a node's word falls with its score where its likes settle what the thing's extent is, and its own claim.
SAY, CLAIM = 8.0, 2.0
#: What stands for several regions of one thing scores at least so much of what an answer has to.
STANDING_IN = 0.8
#: Pieces of one surface differ by less than this in colour (CIELAB).
ALIKE = 9.0


@dataclass(frozen=True, eq=False)
class Forest:
    """Several trees over the same leaves; nodes are numbered through all of them, the leaves with the first only."""

    trees: tuple[RegionTree, ...]

    @cached_property
    def offsets(self) -> IntArray:
        """First number of each tree's nodes, and the total."""
        return np.cumsum([0, *(tree.n_nodes - tree.first_own for tree in self.trees)])

    @cached_property
    def boxes(self) -> NDArray[np.float64]:
        """(node, 4) x_min, y_min, x_max, y_max in pixels."""
        return np.concatenate([t.bounds[t.own][:, [1, 0, 3, 2]] for t in self.trees]).astype(np.float64)

    @cached_property
    def pixels(self) -> Column:
        """(node,) how many each has."""
        return np.concatenate([t.area[t.own] for t in self.trees])

    @cached_property
    def _leaf_orders(self) -> list[IntArray]:
        return [np.argsort(tree.intervals[0][: tree.n_leaves]) for tree in self.trees]

    def place(self, node: int) -> tuple[int, int]:
        """The tree and the node's number in it."""
        index = int(np.searchsorted(self.offsets, node, side="right")) - 1
        return index, node - int(self.offsets[index]) + self.trees[index].first_own

    def leaves(self, node: int) -> IntArray:
        """The leaves below a node."""
        index, local = self.place(node)
        start, end = self.trees[index].intervals
        return self._leaf_orders[index][start[local] : end[local]]

    def best_per_leaf(self, score: Column, *, above: float) -> Column:
        """(leaf,) the best score of any node that holds each leaf; 0 where none is higher than ``above``."""
        best = np.zeros(self.trees[0].n_leaves)
        for index, tree in enumerate(self.trees):
            local = score[self.offsets[index] : self.offsets[index + 1]]
            start, end = (bound[tree.own] for bound in tree.intervals)
            ordered = np.zeros(tree.n_leaves)
            nodes = np.flatnonzero(local > above)
            # The best last, so that it stays.
            for node in nodes[np.argsort(local[nodes])].tolist():
                ordered[start[node] : end[node]] = local[node]
            best[self._leaf_orders[index]] = np.maximum(best[self._leaf_orders[index]], ordered)
        return best

    def mask(self, node: int) -> Mask:
        """The node's pixels."""
        index, local = self.place(node)
        return self.trees[index].mask(local)

    def union(self, nodes: list[int]) -> Mask:
        """The pixels of several nodes, of whichever trees."""
        if len(nodes) == 1:
            return self.mask(nodes[0])
        base = self.trees[0]
        is_in = np.zeros(base.n_leaves + 1, dtype=bool)
        for node in nodes:
            is_in[self.leaves(node)] = True
        bounds = np.array([self.trees[t].bounds[n] for t, n in map(self.place, nodes)])
        (row0, col0), (row1, col1) = bounds[:, :2].min(axis=0), bounds[:, 2:].max(axis=0)
        return Mask(is_in[base.labels[row0:row1, col0:col1]], int(row0), int(col0))

    def parent(self, node: int) -> int:
        """The node above, itself for a root."""
        index, local = self.place(node)
        tree = self.trees[index]
        return int(tree.parents[local] - tree.first_own + self.offsets[index])


def settle(forest: Forest, score: Column, minimum: float, *, is_surface: bool, at_most: int) -> list[int]:
    """Nodes that do not overlap, best first.

    Greedy from the best score down: a chosen node excludes those that share leaves with it. Of nested nodes that
    score nearly alike the larger is the object, the smaller a part of it (a roof and one of its faces).

    Args:
        forest: the trees.
        score: (node,) in [0, 1].
        minimum: nodes below are never chosen, but for those that stand for several (``STANDING_IN``).
        is_surface: surfaces (fields, water) prefer the larger node more strongly.
        at_most: how many are wanted.
    """
    takeover = TAKEOVER_SURFACE if is_surface else TAKEOVER_THING
    area = forest.trees[0].leaf_area
    order = np.flatnonzero(score >= minimum)
    order = order[np.argsort(-score[order], kind="stable")]
    owner = np.full(len(area), -1)
    sizes: list[float] = []
    chosen: list[int] = []
    for node in order.tolist():
        if len(chosen) >= at_most:
            break
        if _collides(forest, node, owner, sizes, area):
            continue
        best = above = node
        while (higher := forest.parent(above)) != above:
            above = higher
            if score[above] < minimum * 0.5:
                break
            if score[above] >= takeover * score[node] and not _collides(forest, above, owner, sizes, area):
                best = above
        leaves = forest.leaves(best)
        if not is_surface and chosen:
            agreement = iou_hbb(forest.boxes[[best]], forest.boxes[chosen])[0]
            rival = int(agreement.argmax())
            if agreement[rival] >= SAME_BOX:
                # Its parts are no things, either.
                owner[leaves] = rival
                continue
        owner[leaves] = len(chosen)
        sizes.append(float(area[leaves].sum()))
        chosen.append(best)
    central = _central(forest, score, chosen, STANDING_IN * minimum)
    for number, node in enumerate(central):
        if node == chosen[number] or _collides(forest, node, owner, sizes, area, but=number):
            continue
        leaves = forest.leaves(node)
        owner[owner == number] = -1
        owner[leaves] = number
        sizes[number] = float(area[leaves].sum())
        chosen[number] = node
    return sorted(chosen, key=lambda n: -score[n])


def _central(forest: Forest, score: Column, chosen: list[int], minimum: float) -> list[int]:
    """For each chosen node the one that agrees best with all that tell of the same thing: itself or another.

    The best score alone is a matter of chance among dozens of regions that differ by a few leaves, in several trees.
    The expected agreement with the thing, each region taken for it as far as its score says so, is not (the minimum
    Bayes risk of Kumar & Byrne 2004, with 1 - IoU as the loss). The IoU is that of the boxes, times the ratio of the
    pixels: a region with holes is no likeness of a whole one.
    """
    told = np.flatnonzero(score >= minimum)
    boxes, scores, pixels = forest.boxes[told], score[told], forest.pixels[told]
    sides = boxes[:, 2:] - boxes[:, :2]
    sizes = sides[:, 0] * sides[:, 1]
    out = []
    for node in chosen:
        box = forest.boxes[node]
        shared = np.minimum(boxes[:, 2:], box[2:]) - np.maximum(boxes[:, :2], box[:2])
        size = float(np.prod(box[2:] - box[:2]))
        of_it = np.flatnonzero(
            (np.prod(np.maximum(shared, 0.0), axis=1) >= ONE_THING * np.minimum(sizes, size))
            & (sizes <= TIMES_AS_LARGE * size)
            & (sizes >= size / TIMES_AS_LARGE)
            & (scores >= NEARLY_AS_GOOD * score[node])
        )
        if len(of_it) < 3:
            out.append(node)
            continue
        say = scores[of_it] ** SAY
        filled = pixels[of_it]
        alike = np.minimum(filled[:, None], filled) / np.maximum(filled[:, None], filled)
        agreement = (iou_hbb(boxes[of_it], boxes[of_it]) * alike) @ say / say.sum()
        # What fills its box less than the chosen one is it with holes, however many such there are.
        density = filled / sizes[of_it]
        whole = density >= AS_FULL * forest.pixels[node] / size
        out.append(int(told[of_it[np.argmax(agreement * scores[of_it] ** CLAIM * whole)]]))
    return out


def _collides(forest: Forest, node: int, owner: IntArray, sizes: list[float], area: Column, *, but: int = -1) -> bool:
    """Whether a node lies in chosen ones (but one) for more than a little, or holds the most of one."""
    leaves = forest.leaves(node)
    owners = owner[leaves]
    is_taken = (owners >= 0) & (owners != but)
    if not is_taken.any():
        return False
    shared = np.bincount(owners[is_taken], area[leaves[is_taken]], len(sizes))
    return bool(shared.sum() > MAX_OVERLAP * area[leaves].sum() or (shared > 0.5 * np.asarray(sizes)).any())


def grouped(forest: Forest, chosen: list[int], table: NodeTable) -> list[list[int]]:
    """Pieces of one surface put together: chosen nodes that touch along a good part of a side and look alike.

    A road is cut by shadows and crossings, a field by a track: the tree rarely holds it whole.
    """
    base = forest.trees[0]
    owner = np.full(base.n_leaves, -1)
    for index, node in enumerate(chosen):
        owner[forest.leaves(node)] = index
    ends = owner[base.edges]
    across = (ends[:, 0] != ends[:, 1]) & (ends >= 0).all(axis=1)
    touching = np.zeros((len(chosen), len(chosen)))
    np.add.at(touching, (ends[across, 0], ends[across, 1]), base.edge_length[across])
    touching += touching.T
    color = np.stack([table.lightness, table.a, table.b], axis=1)[chosen]
    apart = np.linalg.norm(color[:, None] - color[None], axis=2)
    side = np.minimum(table.width[chosen][:, None], table.width[chosen][None])
    _, group = connected_components(csr_matrix((touching > 0.3 * side) & (apart < ALIKE)), directed=False)
    return [[chosen[i] for i in np.flatnonzero(group == g)] for g in dict.fromkeys(group.tolist())]
