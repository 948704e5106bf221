"""Trees of things that stand out: regions joined because they differ from their surroundings, not because they agree.

A car is a light roof, a dark windscreen and a bonnet; no merging by colour makes it one region before it melts into
the road. What its parts share is that none of them is road. For several sizes of surroundings, the leaves' distance to
the local background is taken, and its max-tree over the leaf graph (Salembier, Oliveras & Garrido 1998) holds each
group of leaves that stands out by more than any given distance.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from copy import copy

import higra as hg
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from inference_server.models.geobia.features import LeafTable
from inference_server.regions import RegionTree

#: Sizes of the surroundings in pixels: objects up to about half of it stand out.
SURROUNDINGS_PX = (72, 240)
#: Distances are told apart in steps of so many CIELAB units.
STEP = 2.0


def blob_trees(tree: RegionTree, leaves: LeafTable) -> list[RegionTree]:
    """For each size of surroundings two trees: by any difference, and by light or colour (shadows left out)."""
    ends = (tree.edges[:, 0], tree.edges[:, 1])
    adjacency = coo_matrix((np.ones(len(tree.edges)), ends), shape=(tree.n_leaves, tree.n_leaves))
    _, island = connected_components(adjacency, directed=False)
    graph = hg.UndirectedGraph(tree.n_leaves)
    graph.add_edges(*(np.ascontiguousarray(end) for end in ends))
    out = []
    windows = [window for window in SURROUNDINGS_PX if min(tree.labels.shape) >= window // 3]
    with ThreadPoolExecutor(2) as threads:
        backgrounds = list(threads.map(lambda window: _background(tree, leaves, window), windows))
    for background in backgrounds:
        away = leaves.balanced - background
        any_difference = np.linalg.norm(away, axis=1)
        color = np.hypot(away[:, 1], away[:, 2])
        lit = np.hypot(np.maximum(away[:, 0], 0.0), color) * np.where(away[:, 0] < -12.0, 0.3, 1.0)
        out += [_max_tree(tree, graph, island, any_difference), _max_tree(tree, graph, island, lit)]
    return out


def _max_tree(
    tree: RegionTree, graph: hg.UndirectedGraph, island: NDArray[np.int32], height: NDArray[np.float64]
) -> RegionTree:
    if island.any():
        # The lowest leaves of the islands are joined in a row: missing data between them does not cut the tree.
        lowest = np.lexsort((height, island))
        bridges = lowest[np.searchsorted(island[lowest], np.arange(island.max() + 1))].astype(np.int64)
        graph = copy(graph)
        graph.add_edges(bridges[:-1], bridges[1:])
    grown, levels = hg.component_tree_max_tree(graph, np.round(height / STEP))
    return tree.regrown(np.asarray(grown.parents(), dtype=np.int64), np.asarray(levels, dtype=np.float64) * STEP)


def _background(tree: RegionTree, leaves: LeafTable, window_px: int) -> NDArray[np.float64]:
    """(leaf, 3) median colour of the surroundings of each leaf, on a coarse grid."""
    step = max(window_px // 9, 1)
    # The grid is the scene's: neighbouring tiles see the same surroundings where they overlap.
    first = [(step // 2 - start) % step for start in leaves.origin]
    coarse = tree.labels[first[0] :: step, first[1] :: step]
    # Missing data must not darken the surroundings: it takes the scene's median.
    middle = np.median(leaves.balanced, axis=0)
    colors = np.vstack([leaves.balanced, middle])[coarse]
    blurred = np.stack([median_filter(colors[..., band], size=9, mode="nearest") for band in range(3)], axis=-1)
    centre = leaves.sums[:, 4:6] / tree.leaf_area[:, None]
    cells = ((centre[:, ::-1] - first + step // 2) // step).astype(np.int64)
    at_row, at_col = (np.clip(cells[:, axis], 0, blurred.shape[axis] - 1) for axis in (0, 1))
    return np.asarray(blurred[at_row, at_col])
