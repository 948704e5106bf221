"""A node's pixels made into the outline of a thing: without the threads by which regions leak."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, binary_erosion, binary_fill_holes, distance_transform_edt, label
from skimage.morphology import convex_hull_image, disk

from inference_server.geometry import Mask

#: A thread is anything thinner than this share of the square root of the area.
THREAD = 0.14
#: Trimming that would take more than this share away has met a thin thing, not threads: nothing is trimmed.
MAX_TRIMMED = 0.3
#: A notch, which a shadow or a line left in a convex thing, is where its hull lies about a disc of that share of the
#: square root of the area or more; along a frayed border it lies about thinner slivers.
NOTCH = 0.03


def tidied(mask: Mask) -> Mask:
    """The mask opened by a small disc, its largest piece, holes filled; the mask itself where little would remain."""
    area = mask.area
    radius = int(np.clip(round(0.5 * THREAD * np.sqrt(area)), 1, 6))
    padded = np.pad(mask.pixels, radius + 1)
    element = disk(radius)
    opened = binary_dilation(binary_erosion(padded, element), element) & padded
    pieces, count = label(opened)
    if not count:
        return mask
    sizes = np.bincount(pieces.ravel())[1:]
    kept: NDArray[np.bool_] = pieces == int(np.argmax(sizes)) + 1
    if kept.sum() < (1.0 - MAX_TRIMMED) * area:
        return mask
    kept = np.asarray(binary_fill_holes(kept))
    rows, cols = np.flatnonzero(kept.any(axis=1)), np.flatnonzero(kept.any(axis=0))
    window = kept[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
    return Mask(window, int(mask.row + rows[0] - radius - 1), int(mask.col + cols[0] - radius - 1))


def without_notches(mask: Mask) -> Mask:
    """The mask of a convex thing with the pieces that it has lost; the rectangle around it stays."""
    radius = max(2.0, NOTCH * np.sqrt(mask.area))
    missing = np.pad(convex_hull_image(mask.pixels) & ~mask.pixels, 1)
    deep = distance_transform_edt(missing) > radius
    if not deep.any():
        return mask
    # Half as far again as the discs reach: into the corners.
    lost = missing & (distance_transform_edt(~deep) <= 1.5 * radius)
    return Mask(np.asarray(binary_fill_holes(mask.pixels | lost[1:-1, 1:-1])), mask.row, mask.col)
