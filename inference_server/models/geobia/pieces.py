"""Things and surfaces one at a time as the evidence network draws them: candidates, and a measure for all others.

Where a class is the likeliest answer its pixels hang together in pieces; things that touch are told apart by their
cores. A piece is often the object to within a few pixels, and a node of the region tree that agrees with one is rarely
half of a roof or a roof with its yard.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects, gaussian_filter, label
from skimage.segmentation import watershed

from inference_server.geometry import best_iou_hbb
from inference_server.models.evidence.classes import BIT, CORE, EVIDENCE_CLASSES, THINGS
from inference_server.models.evidence.runtime import ONE, Evidence

Boxes = NDArray[np.float64]

#: Probability from which a class that is the likeliest makes a piece, and of the core of a thing.
LIKELY, IN_CORE = 0.35, 0.3
#: Pieces of fewer cells of the evidence are none.
SMALLEST_CELLS = 6
#: Vehicles and roads have pieces of their own, see ``witness``.
VEHICLES = ("car", "truck", "bus")
ELSEWHERE = frozenset({*VEHICLES, "road"})


@dataclass(frozen=True, eq=False)
class Pieces:
    """What the network draws of a tile.

    Attributes:
        labels: (row, col) of the evidence, numbers from 1, 0 between the pieces.
        boxes: for each class (piece, 4) x_min, y_min, x_max, y_max in pixels of the tile.
    """

    labels: NDArray[np.int64]
    boxes: Mapping[str, Boxes]

    def agreement(self, names: tuple[str, ...], boxes: Boxes) -> NDArray[np.float64]:
        """(box,) the best IoU of each box with the box of a piece of one of several classes, 0 without."""
        mine = np.concatenate([self.boxes.get(name, np.zeros((0, 4))) for name in names])
        return best_iou_hbb(boxes, mine)

    def with_others(
        self, vehicles: NDArray[np.int32] | None, roads: NDArray[np.int64], scale: tuple[float, float]
    ) -> Pieces:
        """With the boxes of single vehicles, numbered by pixel of the tile, and roads, by cell of the evidence."""
        boxes = {**self.boxes, "road": boxes_of(find_objects(roads), scale)}
        if vehicles is not None:
            boxes |= dict.fromkeys(VEHICLES, boxes_of(find_objects(vehicles), (1.0, 1.0)))
        return Pieces(self.labels, boxes)


NO_PIECES = Pieces(np.zeros((0, 0), np.int64), {})


def drawn_pieces(evidence: Evidence, valid: NDArray[np.bool_]) -> Pieces:
    """The pieces of every class but vehicles and roads."""
    likeliest = _likeliest(evidence)
    likeliest[~evidence.sampled(valid)] = 0
    core = evidence.of(CORE)
    labels = np.zeros(core.shape, np.int64)
    boxes, count = {}, 0
    for name, window in zip(EVIDENCE_CLASSES, find_objects(likeliest, len(EVIDENCE_CLASSES)), strict=True):
        if window is None or name in ELSEWHERE:
            continue
        is_in = likeliest[window] == BIT[name] + 1
        found = _apart(is_in, core[window]) if name in THINGS else np.asarray(label(is_in)[0])
        size = np.bincount(found.ravel())
        kept = np.flatnonzero(size >= SMALLEST_CELLS)
        kept = kept[kept > 0]
        if not len(kept):
            continue
        number = np.zeros(len(size), np.int64)
        number[kept] = count + 1 + np.arange(len(kept))
        count += len(kept)
        labels[window] += number[found]
        first = np.array([window[1].start, window[0].start] * 2)
        windows = find_objects(found)
        boxes[name] = boxes_of([windows[k - 1] for k in kept], evidence.scale, first)
    return Pieces(labels, boxes)


def _likeliest(evidence: Evidence) -> NDArray[np.uint8]:
    """(row, col) number of the likeliest class from 1, 0 where none is likely."""
    out = np.zeros(evidence.parts.shape[1:], np.uint8)
    best = np.full(out.shape, LIKELY * ONE, np.uint16)
    for number in range(len(EVIDENCE_CLASSES)):
        is_more = evidence.parts[number] > best
        out[is_more] = number + 1
        np.maximum(best, evidence.parts[number], out=best)
    return out


def boxes_of(
    windows: Sequence[tuple[slice, slice] | None], scale: tuple[float, float], first: NDArray[np.int64] | int = 0
) -> Boxes:
    """(window, 4) x_min, y_min, x_max, y_max in pixels of the tile, of windows in cells that begin at ``first``."""
    cells = [(w[1].start, w[0].start, w[1].stop, w[0].stop) for w in windows if w is not None]
    return (np.asarray(cells, np.float64).reshape(-1, 4) + first) * (scale[1], scale[0], scale[1], scale[0])


def _apart(is_in: NDArray[np.bool_], core: NDArray[np.float32]) -> NDArray[np.int64]:
    """Numbers of the things of a mask: around each core, and those without a core."""
    seeds, count = label(is_in & (core > IN_CORE))
    found = watershed(-gaussian_filter(core, 0.7), seeds, mask=is_in) if count else np.zeros(is_in.shape, np.int64)
    rest, _ = label(is_in & (found == 0))
    return np.where(rest > 0, rest + count, found).astype(np.int64)
