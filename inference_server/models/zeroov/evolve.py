"""Evolve: regions grown from the strongest responses, and the mask that they make (paper, Eqs. 4 to 7)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label

from inference_server.geometry import Mask
from inference_server.models.zeroov.interaction import Map, resized

Region = NDArray[np.bool_]

_EIGHT = np.ones((3, 3), int)


def seeds_of(cross: Map, count: int) -> Region:
    """All cells that hold one of the ``count`` largest values of A_C (Eq. 4); equal values are one."""
    return np.asarray(cross >= np.unique(cross)[-count:][0])


def grown(seeds: Region, response: Map, above: float) -> Region:
    """Cells that a depth-first search from the seeds reaches through 8-neighbours above a threshold (Eqs. 5, 6).

    The seeds belong to it whatever their response. The same set is had at once as those connected components, of seeds
    and cells above the threshold together, that hold a seed.
    """
    pieces, count = label((response > above) | seeds, _EIGHT)
    is_held = np.zeros(count + 1, bool)
    is_held[pieces[seeds]] = True
    return np.asarray(is_held[pieces])


def evolved(cross: Map, response: Map, *, seeds: int, above: float) -> Map:
    """A_E: the response inside the grown regions, 0 elsewhere."""
    return np.asarray(np.where(grown(seeds_of(cross, seeds), response, above), response, 0.0))


def mask_of(attention: Map, shape: tuple[int, int], above: float) -> Region:
    """(row, col) bool at the image's size: where the attention, interpolated, exceeds alpha (Eq. 7)."""
    return np.asarray(resized(attention, shape) > above)


def instances(region: Region, attention: Map, *, smallest: int = 4) -> list[tuple[Mask, float]]:
    """The connected pieces of a mask with the peak of the attention in each, strongest first.

    Args:
        region: (row, col) bool.
        attention: (row, col) of the same shape.
        smallest: pieces of fewer pixels are dropped.
    """
    pieces, count = label(region, _EIGHT)
    out = []
    for number in range(1, count + 1):
        inside = pieces == number
        if inside.sum() < smallest:
            continue
        rows, cols = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
        window = (slice(rows[0], rows[-1] + 1), slice(cols[0], cols[-1] + 1))
        out.append((Mask(inside[window], int(rows[0]), int(cols[0])), float(attention[inside].max())))
    return sorted(out, key=lambda item: -item[1])
