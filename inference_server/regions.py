"""A tile as a tree of regions: every object of the tile is (nearly) one of its nodes.

Small basins of the colour gradient (a watershed cut, Cousty et al. 2009), those under a minimal area merged away along
the minimum spanning tree of their colours (a hierarchical watershed by area), are the leaves; a binary partition tree
with Ward linkage (Salembier & Garrido 2000) is built over them with the library higra. The tree is built once per
tile; candidates, masks and the weights-free segmenter of every engine read from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import higra as hg
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from inference_server.geometry import Mask
from inference_server.watershed import catchment_basins

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]

#: Directions in which the extent of every node is known, evenly over the half circle.
DIRECTIONS = 24


def rgb_to_lab(rgb: NDArray[np.uint8]) -> FloatArray:
    """CIELAB (D65) of sRGB pixels.

    Args:
        rgb: (3, row, col) uint8.

    Returns:
        (3, row, col) float32: L in [0, 100], a and b about [-110, 110].
    """
    codes = np.arange(256, dtype=np.float64) / 255.0
    linear = np.where(codes <= 0.04045, codes / 12.92, ((codes + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array(
        [[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]]
    ) / np.array([[0.950456], [1.0], [1.088754]])
    # The cube root is the costly part: it is looked up at 14 bits, an error under 0.3.
    grid = np.arange(16385, dtype=np.float64) / 16384.0
    root = np.where(grid > 0.008856, np.cbrt(grid), 7.787 * grid + 16.0 / 116.0).astype(np.float32)
    fx, fy, fz = (
        root[
            np.minimum(
                sum((to_xyz[i, band] * 16384.0 * linear).astype(np.float32)[rgb[band]] for band in range(3)) + 0.5,
                16384,
            ).astype(np.int16)
        ]
        for i in range(3)
    )
    return np.stack([116.0 * fy - 16.0, 500.0 * (fx - fy), 200.0 * (fy - fz)])


@dataclass(frozen=True, eq=False)
class RegionTree:
    """The tile's hierarchy of regions.

    Nodes 0 to n_leaves - 1 are the leaves; a parent's index is above its children's; the last is the root.

    Attributes:
        labels: (row, col) int32, each pixel's leaf; -1 where there is no data.
        parents: (node,) int64; the root is its own parent.
        altitudes: (node,) float64, Ward distance at which the node was made; 0 at leaves.
        lab: (3, row, col) float32, CIELAB, unsmoothed.
        edges: (edge, 2) int64, pairs of adjacent leaves.
        edge_length: (edge,) float64, pixels of common border.
        edge_gradient: (edge,) float64, mean colour gradient along the common border.
        first_own: nodes from here on are the tree's own; those before are leaves that it shares with another tree.
    """

    labels: NDArray[np.int32]
    parents: IntArray
    altitudes: NDArray[np.float64]
    lab: FloatArray
    edges: IntArray
    edge_length: NDArray[np.float64]
    edge_gradient: NDArray[np.float64]
    n_leaves: int
    first_own: int = 0

    _OF_LEAVES: ClassVar = ("_bins", "_outline", "_leaf_extremes", "_leaf_support", "leaf_area")

    def describe_leaves(self) -> None:
        """Computes what all trees over the leaves share, where it is not yet known."""
        for name in self._OF_LEAVES:
            getattr(self, name)

    def regrown(self, parents: IntArray, altitudes: NDArray[np.float64]) -> RegionTree:
        """Another tree over the same leaves; what was computed of the leaves is shared."""
        other = replace(self, parents=parents, altitudes=altitudes, first_own=self.n_leaves)
        for name in self._OF_LEAVES:
            other.__dict__[name] = getattr(self, name)
        return other

    # -- structure --------------------------------------------------------------------------------

    @property
    def n_nodes(self) -> int:
        return len(self.parents)

    @property
    def own(self) -> slice:
        """The tree's own nodes."""
        return slice(self.first_own, None)

    @cached_property
    def _hg_tree(self) -> hg.Tree:
        return hg.Tree(self.parents)

    @property
    def intervals(self) -> tuple[IntArray, IntArray]:
        """Per node the half-open interval of depth-first leaf ranks below it: nested nodes have nested intervals."""
        return self._intervals[0], self._intervals[1]

    @cached_property
    def _intervals(self) -> tuple[IntArray, IntArray, IntArray]:
        """Per node the half-open interval of leaf ranks below it, and each leaf's rank."""
        count = np.zeros(self.n_nodes, dtype=np.int64)
        count[: self.n_leaves] = 1
        count = hg.accumulate_sequential(self._hg_tree, count[: self.n_leaves], hg.Accumulators.sum).astype(np.int64)
        # A node begins where its parent does, behind those of its siblings that come before it.
        order = np.argsort(self.parents[:-1], kind="stable")
        siblings = self.parents[order]
        before = np.cumsum(count[order]) - count[order]
        is_first = np.append(True, siblings[1:] != siblings[:-1])[: len(order)]
        before -= np.maximum.accumulate(np.where(is_first, before, 0))
        offset = np.zeros(self.n_nodes, dtype=np.int64)
        offset[order] = before
        start = np.asarray(
            hg.propagate_sequential_and_accumulate(self._hg_tree, offset, hg.Accumulators.sum), dtype=np.int64
        )
        return start, start + count, start[: self.n_leaves]

    @cached_property
    def _rank_image(self) -> NDArray[np.int32]:
        """(row, col) int32: rank of each pixel's leaf in depth-first order, -1 without data."""
        ranks = np.append(self._intervals[2], -1).astype(np.int32)
        return ranks[self.labels]

    def accumulate(self, per_leaf: NDArray[np.float64], nodes: IntArray | slice = slice(None)) -> NDArray[np.float64]:
        """Sums over the leaves below each node, or below some: (leaf, ...) -> (node, ...)."""
        start, end, rank = self._intervals
        ordered = np.zeros_like(per_leaf, dtype=np.float64)
        ordered[rank] = per_leaf
        sums = np.concatenate([np.zeros((1, *per_leaf.shape[1:])), np.cumsum(ordered, axis=0)])
        return np.asarray(sums[end[nodes]] - sums[start[nodes]])

    def accumulate_max(self, per_leaf: NDArray[np.float64]) -> NDArray[np.float64]:
        """Maxima over the leaves below each node: (leaf, ...) -> (node, ...)."""
        return np.asarray(hg.accumulate_sequential(self._hg_tree, per_leaf, hg.Accumulators.max))

    def mean(self, per_leaf: NDArray[np.float64]) -> NDArray[np.float64]:
        """(node,) means over the pixels of each node, from a value per leaf."""
        return np.asarray(self.accumulate(per_leaf * self.leaf_area) / self.area)

    def accumulate_border(self, per_edge: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sums over the edges on each node's border, from a value per edge of the leaf graph."""
        one, other = self.edges.T
        per_leaf = np.asarray(
            np.bincount(one, per_edge, self.n_leaves) + np.bincount(other, per_edge, self.n_leaves), dtype=np.float64
        )
        inner = self.accumulate_inner(per_edge)
        return np.maximum(self.accumulate(per_leaf) - 2.0 * inner, 0.0)

    def accumulate_inner(self, per_edge: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sums over the edges inside each node, from a value per edge of the leaf graph."""
        at_node = np.bincount(self._edge_lca, per_edge, self.n_nodes)
        return np.asarray(
            hg.accumulate_and_add_sequential(self._hg_tree, at_node, np.zeros(self.n_leaves), hg.Accumulators.sum)
        )

    @cached_property
    def border_length(self) -> NDArray[np.float64]:
        """(node,) pixels along the border to other nodes; missing data and the tile's frame are none."""
        return self.accumulate_border(self.edge_length)

    @cached_property
    def _edge_lca(self) -> IntArray:
        return np.asarray(
            self._hg_tree.lowest_common_ancestor(self.edges[:, 0].copy(), self.edges[:, 1].copy()), dtype=np.int64
        )

    # -- what a node is ---------------------------------------------------------------------------

    def without_pixels(self) -> RegionTree:
        """The same tree, less what was computed pixel by pixel to describe its leaves."""
        for name in ("_bins", "_outline", "_leaf_support"):
            self.__dict__.pop(name, None)
        return self

    @cached_property
    def _bins(self) -> NDArray[np.intp]:
        """(pixel,) each pixel's leaf, and ``n_leaves`` where there is no data."""
        flat = self.labels.ravel().astype(np.intp)
        flat[flat < 0] = self.n_leaves
        return flat

    def leaf_sums(self, pixels: NDArray[Any]) -> NDArray[np.float64]:
        """(leaf,) sums of a (row, col) array over the pixels of each leaf."""
        sums = np.bincount(self._bins, pixels.ravel(), self.n_leaves)
        return np.asarray(sums[: self.n_leaves], dtype=np.float64)

    @cached_property
    def leaf_area(self) -> NDArray[np.float64]:
        """(leaf,) pixels."""
        return np.bincount(self._bins, minlength=self.n_leaves)[: self.n_leaves].astype(np.float64)

    @cached_property
    def area(self) -> NDArray[np.float64]:
        """(node,) pixels."""
        return self.accumulate(self.leaf_area)

    @cached_property
    def bounds(self) -> IntArray:
        """(node, 4) int64: first row, first col, last row + 1, last col + 1."""
        up = self.accumulate_max(self._leaf_extremes)
        return np.stack([-up[:, 0], -up[:, 1], up[:, 2], up[:, 3]], axis=1).astype(np.int64)

    @cached_property
    def _leaf_extremes(self) -> NDArray[np.float64]:
        height, width = self.labels.shape
        first_row = np.full(self.n_leaves, height, dtype=np.int32)
        first_col = np.full(self.n_leaves, width, dtype=np.int32)
        last_row = np.zeros(self.n_leaves, dtype=np.int32)
        last_col = np.zeros(self.n_leaves, dtype=np.int32)
        rows, cols, leaf = self._outline
        np.minimum.at(first_row, leaf, rows)
        np.minimum.at(first_col, leaf, cols)
        np.maximum.at(last_row, leaf, rows + 1)
        np.maximum.at(last_col, leaf, cols + 1)
        return np.stack([-first_row, -first_col, last_row, last_col], axis=1).astype(np.float64)

    @cached_property
    def _outline(self) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
        """Rows, columns and leaves of the pixels at which a leaf begins or ends in a row: enough for all extents."""
        changes = np.ones((self.labels.shape[0], self.labels.shape[1] + 1), bool)
        changes[:, 1:-1] = self.labels[:, 1:] != self.labels[:, :-1]
        is_end = (changes[:, 1:] | changes[:, :-1]) & (self.labels >= 0)
        rows, cols = (at.astype(np.int32) for at in np.nonzero(is_end))
        return rows, cols, self.labels[rows, cols]

    @property
    def support(self) -> NDArray[np.float64]:
        """(node, 2 * DIRECTIONS) support function: the farthest reach of the node's pixels' outlines.

        Column k is the maximum of x cos t + y sin t over the node, t = k pi / DIRECTIONS, over the full circle.
        """
        return self.accumulate_max(self._leaf_support)

    @cached_property
    def _leaf_support(self) -> NDArray[np.float64]:
        rows, cols, leaf = self._outline
        # By leaf, in linear time: as a sparse matrix of one column a pixel.
        at = np.arange(len(leaf), dtype=np.int32)
        order = coo_matrix((at, (leaf, at)), shape=(self.n_leaves, len(leaf))).tocsr().data
        leaf, rows, cols = leaf[order], rows[order], cols[order]
        starts = np.flatnonzero(np.r_[True, leaf[1:] != leaf[:-1]])
        # Seen from a pixel of the leaf, 32 bits are exact enough wherever in the tile it lies.
        first_row, first_col = rows[starts], cols[starts]
        counts = np.diff(starts, append=len(leaf))
        x = (cols - np.repeat(first_col, counts)).astype(np.float32)
        y = (rows - np.repeat(first_row, counts)).astype(np.float32)
        out = np.full((self.n_leaves, 2 * DIRECTIONS), -np.inf)
        present = leaf[starts]
        for k in range(DIRECTIONS):
            angle = np.pi * k / DIRECTIONS
            along = x * np.float32(np.cos(angle)) + y * np.float32(np.sin(angle))
            # Half a pixel in the direction: from the centre of a pixel to its outline.
            half = 0.5 * (abs(np.cos(angle)) + abs(np.sin(angle)))
            start = (first_col + 0.5) * np.cos(angle) + (first_row + 0.5) * np.sin(angle)
            out[present, k] = start + np.maximum.reduceat(along, starts) + half
            out[present, k + DIRECTIONS] = -start - np.minimum.reduceat(along, starts) + half
        return out

    def mask(self, node: int) -> Mask:
        """The node's pixels."""
        start, end, _ = self._intervals
        row0, col0, row1, col1 = self.bounds[node]
        window = self._rank_image[row0:row1, col0:col1]
        return Mask((window >= start[node]) & (window < end[node]), int(row0), int(col0))

    def union_mask(self, nodes: list[int]) -> Mask:
        """The pixels of several nodes."""
        start, end, _ = self._intervals
        row0, col0 = self.bounds[nodes, :2].min(axis=0)
        row1, col1 = self.bounds[nodes, 2:].max(axis=0)
        window = self._rank_image[row0:row1, col0:col1]
        pixels = np.zeros(window.shape, dtype=bool)
        for node in nodes:
            pixels |= (window >= start[node]) & (window < end[node])
        return Mask(pixels, int(row0), int(col0))

    def is_ancestor(self, above: IntArray, below: IntArray) -> NDArray[np.bool_]:
        """Whether each node of ``above`` holds (or is) the node of ``below``; broadcasts."""
        start, end, _ = self._intervals
        return np.asarray((start[above] <= start[below]) & (end[above] >= end[below]))

    def ancestors(self, node: int) -> list[int]:
        """From the node itself up to the root."""
        chain = [node]
        while self.parents[chain[-1]] != chain[-1]:
            chain.append(int(self.parents[chain[-1]]))
        return chain


def build_region_tree(
    rgb: NDArray[np.uint8],
    valid: NDArray[np.bool_],
    *,
    min_area_px: int = 30,
    sigma_px: float = 0.8,
    pieces: Callable[[], NDArray[np.int32] | None] = lambda: None,
    progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> RegionTree:
    """Builds the region tree of a tile; time is linear in its pixels up to a logarithm.

    Args:
        rgb: (3, row, col) uint8.
        valid: (row, col) bool; pixels without data belong to no node.
        min_area_px: leaves are merged until about this size.
        sigma_px: smoothing before the gradient, in pixels.
        pieces: called when the leaves are known; gives (row, col) numbers of regions that no leaf may straddle, 0
            between them, or None. Things too small for a leaf of their own become nodes by it.
        progress: called between the steps; may raise to cancel.

    Raises:
        ValueError: when shapes disagree or no pixel is valid.
    """
    if rgb.ndim != 3 or rgb.shape[0] != 3 or rgb.shape[1:] != valid.shape:
        raise ValueError(f"expected rgb (3, row, col) and valid (row, col), got {rgb.shape} and {valid.shape}")
    if not valid.any():
        raise ValueError("expected at least one valid pixel, got none")
    progress("regions", 0, 4)
    lab = rgb_to_lab(rgb)
    with ThreadPoolExecutor(2) as threads:
        smooth, slopes = zip(*threads.map(lambda band: _smoothed(band, sigma_px), lab), strict=True)
        gradient = np.sqrt(slopes[0] + slopes[1] + slopes[2])
        del slopes
        progress("regions", 1, 4)
        basins = catchment_basins(gradient, valid)
        n_basins = int(basins.max()) + 1
        if not valid.all():
            # One extra region stands for all that is not there; it keeps the graph in one piece.
            basins[~valid] = n_basins
        progress("regions", 2, 4)
        labels, n_leaves = _merge_small(basins, lab, n_basins, min_area_px)
        if (parts := pieces()) is not None:
            labels, n_leaves = _cut(labels, np.where(valid, parts, 0), n_leaves)
        progress("regions", 3, 4)
        edges, length, strength = _adjacency(labels, gradient)
        flat = labels.ravel()
        size = np.bincount(flat, minlength=n_leaves).astype(np.float64)
        means = np.stack([np.bincount(flat, band.ravel(), n_leaves) / size for band in smooth], axis=1)
    has_void = not valid.all()
    if has_void:
        means[-1] = 1e4
    if n_leaves == 1:
        parents = np.zeros(1, dtype=np.int64)
        return RegionTree(labels, parents, np.zeros(1), lab, edges, length, strength, 1)
    graph = hg.UndirectedGraph(n_leaves)
    graph.add_edges(edges[:, 0].copy(), edges[:, 1].copy())
    tree, altitudes = hg.binary_partition_tree_ward_linkage(graph, means, size)
    result = RegionTree(
        labels,
        np.asarray(tree.parents(), dtype=np.int64),
        np.asarray(altitudes, dtype=np.float64),
        lab,
        edges,
        length,
        strength,
        n_leaves,
    )
    return _without_void(result) if has_void else result


def _smoothed(band: FloatArray, sigma_px: float) -> tuple[FloatArray, FloatArray]:
    """A band smoothed by a Gaussian, and the squared magnitude of its gradient; five passes for scipy's six."""
    down, change_down = (gaussian_filter1d(band, sigma_px, axis=0, order=order) for order in (0, 1))
    smooth, change_across = (gaussian_filter1d(down, sigma_px, axis=1, order=order) for order in (0, 1))
    return smooth, gaussian_filter1d(change_down, sigma_px, axis=1) ** 2 + change_across**2


def _neighbours(labels: NDArray[np.int32], n: int) -> Iterator[tuple[NDArray[np.bool_], IntArray]]:
    """Across, then down: where a pixel and the next have different labels, and both labels, below n, as one number."""
    for one, other in ((labels[:, :-1], labels[:, 1:]), (labels[:-1], labels[1:])):
        differ = one != other
        a, b = one[differ].astype(np.int64), other[differ].astype(np.int64)
        yield differ, np.minimum(a, b) * n + np.maximum(a, b)


def _adjacent(labels: NDArray[np.int32]) -> IntArray:
    """(edge, 2) adjacent pairs of labels."""
    n = int(labels.max()) + 1
    key = np.sort(np.concatenate([key for _, key in _neighbours(labels, n)]))
    # As np.unique, which hashes whole numbers since NumPy 2.3: thirty times slower here.
    key = key[np.flatnonzero(np.diff(key, prepend=-1))]
    return np.stack([key // n, key % n], axis=1)


def _adjacency(
    labels: NDArray[np.int32], gradient: FloatArray
) -> tuple[IntArray, NDArray[np.float64], NDArray[np.float64]]:
    """Adjacent pairs of labels, their border's length in pixels and its mean gradient (per-pixel maximum)."""
    n = int(labels.max()) + 1
    steeper = (np.maximum(gradient[:, :-1], gradient[:, 1:]), np.maximum(gradient[:-1], gradient[1:]))
    found = [(key, strength[differ]) for (differ, key), strength in zip(_neighbours(labels, n), steeper, strict=True)]
    key, strength = (np.concatenate(column) for column in zip(*found, strict=True))
    unique, inverse = np.unique(key, return_inverse=True)
    length = np.bincount(inverse, minlength=len(unique)).astype(np.float64)
    mean = np.bincount(inverse, strength, len(unique)) / np.maximum(length, 1.0)
    return np.stack([unique // n, unique % n], axis=1), length, mean


def _merge_small(
    basins: NDArray[np.int32], lab: FloatArray, n_basins: int, min_area_px: int
) -> tuple[NDArray[np.int32], int]:
    """Merges watershed basins smaller than a minimal area with the neighbours most like them in colour.

    The distance of mean colours, not the lowest pass of the gradient: over the blurred rim of an object the pass is
    low on both sides, and its basins would as often join the ground.
    """
    total = int(basins.max()) + 1
    if total == 1:
        return basins, 1
    flat = basins.ravel()
    edges = _adjacent(basins)
    size = np.bincount(flat, minlength=total).astype(np.float64)
    mean = np.stack([np.bincount(flat, band.ravel(), total) / size for band in lab], axis=1)
    strength = np.linalg.norm(mean[edges[:, 0]] - mean[edges[:, 1]], axis=1)
    if total > n_basins:
        # The void must not swallow basins: its passes are made the highest.
        strength = np.where(edges[:, 1] == n_basins, strength.max() + 1.0, strength)
        size[n_basins] = 1e12
    graph = hg.UndirectedGraph(total)
    graph.add_edges(edges[:, 0].copy(), edges[:, 1].copy())
    # Along the minimum spanning tree, a side of a cut that is too small to stand alone is joined to the other.
    tree, _ = hg.bpt_canonical(graph, strength)
    area = hg.attribute_area(tree, vertex_area=size)
    pairs = _children(tree)
    spanning = hg.CptBinaryHierarchy.get_mst(tree)
    sources, targets = spanning.edge_list()
    is_joined = area[pairs].min(axis=1) < min_area_px
    joined = coo_matrix((np.ones(is_joined.sum()), (sources[is_joined], targets[is_joined])), shape=(total, total))
    _, merged = connected_components(joined, directed=False)
    count = int(merged.max()) + 1
    if total > n_basins:
        # The void gets the last label, alone, whatever the cut made of it.
        void = merged[n_basins]
        alone = not np.any(merged[:n_basins] == void)
        if alone:
            order = np.arange(count)
            order[void], order[count - 1] = count - 1, void
            merged = order[merged]
        else:
            merged[n_basins] = count
            count += 1
    return merged.astype(np.int32)[basins], count


def _cut(labels: NDArray[np.int32], parts: NDArray[np.int32], n_leaves: int) -> tuple[NDArray[np.int32], int]:
    """Leaves cut along the rims of parts; the order of those that were there stays, so the void's is still the last."""
    rows, cols = np.nonzero(parts)
    if not len(rows):
        return labels, n_leaves
    key = labels[rows, cols].astype(np.int64) * (int(parts.max()) + 1) + parts[rows, cols]
    found, which = np.unique(key, return_inverse=True)
    out = labels + np.int32(len(found))
    out[rows, cols] = which
    used = np.bincount(out.ravel(), minlength=n_leaves + len(found)) > 0
    return np.asarray((np.cumsum(used, dtype=np.int32) - 1)[out]), int(used.sum())


def _children(tree: hg.Tree) -> IntArray:
    """(inner node, 2) the two children of each inner node of a binary tree."""
    parents = np.asarray(tree.parents())[:-1]
    order = np.argsort(parents, kind="stable")
    return order.reshape(-1, 2).astype(np.int64)


def _without_void(tree: RegionTree) -> RegionTree:
    """The tree without the leaf that stands for missing data and without the nodes that hold it."""
    void = tree.n_leaves - 1
    holds = np.zeros(tree.n_nodes, dtype=bool)
    holds[tree.ancestors(void)] = True
    keep = np.flatnonzero(~holds)
    # Nodes that hung below dropped ones are joined again under new nodes, in order of altitude.
    new_index = np.full(tree.n_nodes, -1, dtype=np.int64)
    new_index[keep] = np.arange(len(keep))
    parents = new_index[tree.parents[keep]]
    orphans = [i for i in range(len(keep)) if parents[i] < 0 or parents[i] == i]
    parents_list, altitudes = parents.tolist(), tree.altitudes[keep].tolist()
    current = orphans[0]
    for other in orphans[1:]:
        parents_list.append(-1)
        altitudes.append(max(altitudes[current], altitudes[other], float(np.max(tree.altitudes[keep]))) * 1.0001 + 1.0)
        node = len(parents_list) - 1
        parents_list[current] = parents_list[other] = node
        current = node
    parents_list[current] = current
    edge_keep = (tree.edges != void).all(axis=1)
    labels = np.where(tree.labels == void, -1, tree.labels).astype(np.int32)
    return RegionTree(
        labels,
        np.asarray(parents_list, dtype=np.int64),
        np.asarray(altitudes),
        tree.lab,
        tree.edges[edge_keep],
        tree.edge_length[edge_keep],
        tree.edge_gradient[edge_keep],
        void,
    )
