"""Evolve: regions grown from the strongest responses (paper, Eqs. 4 to 6), and the pieces of a mask."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects, label

from inference_server.geometry import Mask
from inference_server.models.zeroov.interaction import Map

Region = NDArray[np.bool_]

_EIGHT = np.ones((3, 3), int)


def seeds_of(cross: Map, count: int) -> Region:
    """All cells that hold one of the ``count`` largest values of A_C (Eq. 4); equal values are one."""
    strongest = np.partition(cross, -min(count, cross.size), axis=None)[-count:]
    if len(set(strongest.tolist())) < count:
        strongest = np.unique(cross)[-count:]
    return np.asarray(cross >= strongest[0])


def grown(seeds: Region, response: Map, above: float) -> Region:
    """Cells that a depth-first search from the seeds reaches through 8-neighbours above a threshold (Eqs. 5, 6).

    The seeds belong to it whatever their response. The whole grid is one integer, a bit a cell, in which a shift moves
    every cell to its neighbour at once: it grows by one ring a turn until nothing is added.
    """
    rows, cols = seeds.shape
    has_left, has_right = _beside(rows, cols)
    region = _number(seeds)
    allowed = _number(response > above) | region
    before = 0
    while region != before:
        before = region
        region |= (region >> 1) & has_left | (region << 1) & has_right
        region = (region | region << cols | region >> cols) & allowed
    packed = np.frombuffer(region.to_bytes((seeds.size + 7) // 8, "big"), np.uint8)
    return np.unpackbits(packed, count=seeds.size).reshape(rows, cols).view(bool)


def _number(cells: Region) -> int:
    """A grid's cells, row by row, as the bits of an integer, the first the highest."""
    return int.from_bytes(np.packbits(cells).tobytes(), "big")


@lru_cache(maxsize=8)
def _beside(rows: int, cols: int) -> tuple[int, int]:
    """The cells that have a left, and those that have a right neighbour."""
    left, right = np.ones((2, rows, cols), bool)
    left[:, 0] = right[:, -1] = False
    return _number(left), _number(right)


def evolved(cross: Map, response: Map, *, seeds: int, above: float) -> Map:
    """A_E: the response inside the grown regions, 0 elsewhere."""
    return np.asarray(np.where(grown(seeds_of(cross, seeds), response, above), response, 0.0))


def instances(region: Region, attention: Map, *, smallest: int = 4) -> list[tuple[Mask, float]]:
    """The connected pieces of a mask with the peak of the attention in each, strongest first.

    Args:
        region: (row, col) bool.
        attention: (row, col) of the same shape.
        smallest: pieces of fewer pixels are dropped.
    """
    pieces, _ = label(region, _EIGHT)
    out = []
    for number, window in enumerate(find_objects(pieces), 1):
        inside = pieces[window] == number
        if np.count_nonzero(inside) >= smallest:
            row, col = (side.start for side in window)
            out.append((Mask(inside, row, col), float(attention[window][inside].max())))
    return sorted(out, key=lambda item: -item[1])
