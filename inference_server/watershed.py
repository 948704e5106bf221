"""Catchment basins of a gradient: a watershed cut, each pixel draining to its lowest neighbour."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def catchment_basins(gradient: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Numbers the basin that each pixel drains to, over the four neighbours, without dividing lines.

    The watershed cut (Cousty, Bertrand, Najman & Couprie 2009) of the grid graph whose edges weigh the sum of their
    pixels, so that a sharp border is cut between its two pixels. By their drop of water principle a pixel lies in the
    basin that the edge of steepest descent leads to, here the one to its lowest neighbour; where two pixels are each
    other's lowest is the bottom. A plain that is no bottom, whose way down the cut would find from afar, may be a basin
    of its own. Time is linear up to the logarithm of the longest way down.

    Args:
        gradient: (row, col) finite.
        valid: (row, col) pixels without data keep apart those beside them.

    Returns:
        (row, col) from 0; -1 where there is no data.
    """
    height, width = gradient.shape
    walled = np.full((height + 2, width + 2), np.inf, np.float32)
    walled[1:-1, 1:-1] = np.where(valid, gradient, np.inf)
    here = np.arange(height * width, dtype=np.int32).reshape(height, width)
    lowest, to = np.full(gradient.shape, np.inf, np.float32), here.copy()
    # Of neighbours that are equally low always the first of this order: no way goes in circles on a plain. A pixel
    # that has only walls around it stays where it is.
    for neighbour, step in (
        (walled[:-2, 1:-1], -width),
        (walled[1:-1, :-2], -1),
        (walled[1:-1, 2:], 1),
        (walled[2:, 1:-1], width),
    ):
        is_lower = neighbour < lowest
        np.copyto(lowest, neighbour, where=is_lower)
        np.copyto(to, here + np.int32(step), where=is_lower)
    there, way = here.ravel(), to.ravel()
    way[~valid.ravel()] = there[~valid.ravel()]
    is_bottom = (way.take(way) == there) & (there <= way)
    np.copyto(way, there, where=is_bottom)
    # Each round doubles the steps gone.
    while not np.array_equal(further := way.take(way), way):
        way = further
    number = np.cumsum(is_bottom & valid.ravel(), dtype=np.int32) - 1
    return np.asarray(np.where(valid, number[way].reshape(gradient.shape), -1), dtype=np.int32)
