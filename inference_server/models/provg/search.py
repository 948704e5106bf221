"""Large tiles: windows from coarse to fine, and things from the maps that the network gives of them."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference_server.geometry import Mask

#: How far neighbouring windows overlap, as a share of their side.
OVERLAP = 0.25
#: Windows looked at, at most: all of a tile of 2,000 x 2,000 pixels, the promising ones of a larger one.
MAX_WINDOWS = 48
#: A thing is where the foreground is likelier than not; fewer pixels at the network's size are noise.
LIKELY, LEAST_PX = 0.5, 8
#: Two things of different levels are one where they overlap by so much of the smaller one.
SAME = 0.5

Array = NDArray[np.float32]


@dataclass(frozen=True, order=True)
class Window:
    """A square part of a tile: its level (0 is the coarsest), upper left pixel, and side in tile pixels."""

    level: int
    row: int
    col: int
    side: int


@dataclass(frozen=True, eq=False)
class Thing:
    """A thing found: its pixels in the tile, and how likely they are of what was asked for."""

    mask: Mask
    score: float


#: The network's answer to a window: foreground probabilities, (n, n) float32, and the presence in [0, 1].
Look = Callable[[Window], tuple[Array, float]]


def windows_of(height: int, width: int, side: int) -> list[list[Window]]:
    """Levels of windows, the first one window over the whole tile, the last at the tile's own pixels or finer."""
    whole = max(height, width)
    count = max(0, math.ceil(math.log2(whole / side) - 0.25))
    levels = [[Window(0, 0, 0, whole)]]
    for level in range(1, count + 1):
        size = min(whole, side * 2 ** (count - level))
        levels.append([Window(level, row, col, size) for row in _starts(height, size) for col in _starts(width, size)])
    return levels


def _starts(length: int, side: int) -> list[int]:
    """Where windows begin so that they cover a length with at least the overlap."""
    if length <= side:
        return [0]
    count = math.ceil((length - side) / (side * (1 - OVERLAP))) + 1
    return [round(i * (length - side) / (count - 1)) for i in range(count)]


class Maps:
    """Foreground probabilities of a tile, one map a level, at the pixel size that the network saw.

    Args:
        height, width: of the tile.
        side: of the network's square.
    """

    def __init__(self, height: int, width: int, side: int) -> None:
        self.height, self.width, self.side = height, width, side
        self._sums: dict[int, tuple[float, Array, Array]] = {}

    def add(self, window: Window, foreground: Array) -> None:
        """Puts in what the network said of a window; where windows overlap, their middles weigh more."""
        if window.level not in self._sums:
            step = window.side / self.side
            shape = (math.ceil(self.height / step), math.ceil(self.width / step))
            self._sums[window.level] = (step, np.zeros(shape, np.float32), np.zeros(shape, np.float32))
        step, total, weight = self._sums[window.level]
        row, col = round(window.row / step), round(window.col / step)
        rows, cols = min(self.side, total.shape[0] - row), min(self.side, total.shape[1] - col)
        ramp = np.minimum(np.arange(1, self.side + 1), np.arange(self.side, 0, -1)) / self.side
        trust = np.minimum.outer(ramp, ramp).astype(np.float32)[:rows, :cols]
        total[row : row + rows, col : col + cols] += trust * foreground[:rows, :cols]
        weight[row : row + rows, col : col + cols] += trust

    def levels(self) -> Iterator[tuple[float, Array]]:
        """(tile pixels a map pixel, probabilities), finest first; 0 where nobody has looked."""
        for level in sorted(self._sums, reverse=True):
            step, total, weight = self._sums[level]
            yield step, np.asarray(total / np.maximum(weight, 1e-6), np.float32)

    def overall(self, at_most: int) -> Array:
        """(row, col) float32 over the whole tile, ``at_most`` cells long: the highest probability of any level."""
        longest = max(self.height, self.width)
        rows, cols = (max(1, round(n * min(1.0, at_most / longest))) for n in (self.height, self.width))
        # The tile's pixels in the middles of the cells.
        y, x = (np.arange(rows) + 0.5) * self.height / rows, (np.arange(cols) + 0.5) * self.width / cols
        out = np.zeros((rows, cols), np.float32)
        for step, foreground in self.levels():
            out = np.maximum(out, foreground[np.ix_((y / step).astype(int), (x / step).astype(int))])
        return out

    def likeliest(self, window: Window) -> float:
        """The largest probability that coarser levels give inside a window; 1 where none has looked."""
        best = -1.0
        for level, (step, total, weight) in self._sums.items():
            if level < window.level:
                rows = slice(int(window.row / step), math.ceil((window.row + window.side) / step))
                cols = slice(int(window.col / step), math.ceil((window.col + window.side) / step))
                part, trust = total[rows, cols], weight[rows, cols]
                if trust.size and trust.max() > 0:
                    best = max(best, float((part / np.maximum(trust, 1e-6)).max()))
        return best if best >= 0 else 1.0


def search(
    height: int, width: int, side: int, look: Look, *, at_most: int = MAX_WINDOWS, told: Callable[[int, int], None]
) -> Maps:
    """Looks at a tile from coarse to fine: whole levels while they fit, then the likeliest windows first.

    Args:
        height, width: of the tile in pixels.
        side: of the network's square.
        look: the network.
        at_most: windows.
        told: is called with windows done and in all before each one; may raise to cancel.
    """
    maps = Maps(height, width, side)
    levels = windows_of(height, width, side)
    total, done = min(at_most, sum(map(len, levels))), 0
    for level in levels:
        queue = [(-maps.likeliest(window), window) for window in level]
        heapq.heapify(queue)
        while queue and done < total:
            told(done, total)
            _, window = heapq.heappop(queue)
            foreground, presence = look(window)
            maps.add(window, foreground * np.float32(presence))
            done += 1
    told(done, total)
    return maps


def things_in(maps: Maps, valid: NDArray[np.bool_]) -> list[Thing]:
    """Connected regions of every level as things of the tile, best first; of those that overlap, the better ones."""
    found = [thing for step, foreground in maps.levels() for thing in _things(step, foreground, valid)]
    kept: list[Thing] = []
    for thing in sorted(found, key=lambda t: -t.score):
        if all(_common(thing.mask, other.mask) < SAME * min(thing.mask.area, other.mask.area) for other in kept):
            kept.append(thing)
    return kept


def _things(step: float, foreground: Array, valid: NDArray[np.bool_]) -> Iterator[Thing]:
    labels, count = ndimage.label(foreground > LIKELY)
    if not count:
        return
    numbers = np.arange(1, count + 1)
    scores = ndimage.mean(foreground, labels, numbers)
    areas = ndimage.sum_labels(labels > 0, labels, numbers)
    for number, window in enumerate(ndimage.find_objects(labels), 1):
        if areas[number - 1] < LEAST_PX:
            continue
        mask = _in_tile(labels[window] == number, foreground[window], window, step, valid)
        if mask is not None:
            yield Thing(mask, float(scores[number - 1]))


def _in_tile(
    is_part: NDArray[np.bool_], foreground: Array, window: tuple[slice, slice], step: float, valid: NDArray[np.bool_]
) -> Mask | None:
    """A region of a map in the tile's own pixels, its rim interpolated; None where nothing of it is valid."""
    # One pixel around it, so that the rim lies where the probability crosses LIKELY and not on map pixels' edges.
    soft = np.pad(np.where(is_part, foreground, np.minimum(foreground, LIKELY / 2)), 1)
    top, left = window[0].start, window[1].start
    rows = slice(max(0, math.floor(top * step)), min(valid.shape[0], math.ceil(window[0].stop * step)))
    cols = slice(max(0, math.floor(left * step)), min(valid.shape[1], math.ceil(window[1].stop * step)))
    down = (np.arange(rows.start, rows.stop) + 0.5) / step - 0.5 - top + 1
    across = (np.arange(cols.start, cols.stop) + 0.5) / step - 0.5 - left + 1
    grid = np.meshgrid(down, across, indexing="ij")
    pixels = (ndimage.map_coordinates(soft, grid, order=1, mode="nearest") > LIKELY) & valid[rows, cols]
    at_rows, at_cols = np.flatnonzero(pixels.any(1)), np.flatnonzero(pixels.any(0))
    if not len(at_rows):
        return None
    inner = pixels[at_rows[0] : at_rows[-1] + 1, at_cols[0] : at_cols[-1] + 1]
    return Mask(inner, rows.start + int(at_rows[0]), cols.start + int(at_cols[0]))


def _common(a: Mask, b: Mask) -> int:
    """How many pixels two masks share."""
    top, left = max(a.row, b.row), max(a.col, b.col)
    bottom = min(a.row + a.pixels.shape[0], b.row + b.pixels.shape[0])
    right = min(a.col + a.pixels.shape[1], b.col + b.pixels.shape[1])
    if top >= bottom or left >= right:
        return 0
    mine = a.pixels[top - a.row : bottom - a.row, left - a.col : right - a.col]
    return int(np.count_nonzero(mine & b.pixels[top - b.row : bottom - b.row, left - b.col : right - b.col]))
