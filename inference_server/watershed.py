"""Catchment basins of a gradient: a watershed cut in strips, whose basins are put together again."""

from __future__ import annotations

from functools import lru_cache

import higra as hg
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

#: Rows of a strip, and by how many neighbours overlap: more than a basin of noise reaches.
STRIP_ROWS, OVERLAP_ROWS = 288, 32


def catchment_basins(gradient: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Numbers the basin that each pixel drains to, over the four neighbours, without dividing lines.

    The watershed cut (Cousty, Bertrand, Najman & Couprie 2009) of the grid graph whose edges weigh the sum of their
    pixels, so that a sharp border is cut between its two pixels; it takes linear time. The graph of a strip is made
    once and used for all: memory does not grow with the number of rows. Over a seam, basins are one where both strips
    see them go across.

    Args:
        gradient: (row, col) finite.
        valid: (row, col) pixels without data keep apart those beside them.

    Returns:
        (row, col) from 0; -1 where there is no data.
    """
    height, width = gradient.shape
    rows = min(height, STRIP_ROWS)
    first = [*range(0, height - rows, rows - OVERLAP_ROWS), height - rows]
    # A strip answers for the rows down to the middle of its overlap with the next.
    ends = [(above + rows + below) // 2 for above, below in zip(first[:-1], first[1:], strict=True)] + [height]
    out = np.empty((height, width), np.int64)
    links: list[NDArray[np.int64]] = []
    count, start, before = 0, 0, None
    for top, end in zip(first, ends, strict=True):
        strip = _cut(gradient[top : top + rows], valid[top : top + rows]) + count
        count = int(strip.max()) + 1
        out[start:end] = strip[start - top : end - top]
        if before is not None:
            here = strip[start - 1 - top : start + 1 - top]
            goes_across = (before[0] == before[1]) & (here[0] == here[1])
            links.append(np.stack([before[0], here[0]])[:, goes_across])
        before = strip[end - 1 - top : end + 1 - top]
        start = end
    if links:
        one, other = np.concatenate(links, axis=1)
        joined = coo_matrix((np.ones(len(one), bool), (one, other)), shape=(count, count))
        out = connected_components(joined, directed=False)[1].astype(np.int64)[out]
    return _numbered(out, valid)


def _cut(gradient: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.int64]:
    graph, one, other = _grid(*gradient.shape)
    flat = gradient.ravel()
    weights = flat[one] + flat[other]
    if not valid.all():
        is_there = valid.ravel()
        weights[is_there[one] != is_there[other]] = np.finfo(np.float32).max
    return np.asarray(hg.labelisation_watershed(graph, weights), dtype=np.int64).reshape(gradient.shape)


@lru_cache(maxsize=1)
def _grid(height: int, width: int) -> tuple[hg.UndirectedGraph, NDArray[np.intp], NDArray[np.intp]]:
    """The grid's graph and the two ends of its edges."""
    graph = hg.get_4_adjacency_graph((height, width))
    one, other = graph.edge_list()
    return graph, np.ascontiguousarray(one, dtype=np.intp), np.ascontiguousarray(other, dtype=np.intp)


def _numbered(basins: NDArray[np.int64], valid: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The basins that hold data, from 0 without gaps."""
    count = int(basins.max()) + 1
    if not valid.all():
        # An island of one pixel has no edge of its own and falls to the void around it: it is a basin by itself.
        is_void = np.zeros(count, bool)
        is_void[basins[~valid]] = True
        islands, more = label(valid & is_void[basins])
        basins = np.where(islands > 0, count - 1 + islands, basins)
        count += more
    is_used = np.bincount(basins[valid], minlength=count) > 0
    return np.where(valid, (np.cumsum(is_used) - 1)[basins], -1)
