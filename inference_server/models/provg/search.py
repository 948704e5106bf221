"""Large tiles: windows from coarse to fine, and the maps that the network gives of them."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: How far neighbouring windows overlap, as a share of their side.
OVERLAP = 0.25
#: The largest side of a window in the network's pixels; what it needs of memory grows with its area.
MAX_SIDE = 1216
#: Windows looked at, at most: all of a tile of 4,000 x 4,000 pixels, the promising ones of a larger one.
MAX_WINDOWS = 48

Array = NDArray[np.float32]


@dataclass(frozen=True, order=True)
class Window:
    """A square part of a tile: its level (0 is the coarsest), upper left pixel, and side in tile pixels."""

    level: int
    row: int
    col: int
    side: int


#: The network's answer to a window: foreground probabilities, (n, n) float32, and the presence in [0, 1].
Look = Callable[[Window], tuple[Array, float]]


def side_for(height: int, width: int, least: int) -> int:
    """The side of windows with which the fewest cover a tile, in the network's pixels: a multiple of 32.

    Args:
        height, width: of the tile.
        least: the side that the network was made for, which smaller tiles are brought to.
    """
    whole = max(height, width)
    in_a_row = 1
    while (side := 32 * math.ceil(whole / (1 + (in_a_row - 1) * (1 - OVERLAP)) / 32)) > MAX_SIDE:
        in_a_row += 1
    return max(least, side)


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

    Attributes:
        presence: the highest that a window was given; 0 where nobody has looked.
    """

    def __init__(self, height: int, width: int, side: int) -> None:
        self.height, self.width, self.side = height, width, side
        self.presence = 0.0
        self._sums: dict[int, tuple[float, Array, Array]] = {}

    def add(self, window: Window, foreground: Array, presence: float) -> None:
        """Puts in what the network said of a window; where windows overlap, their middles weigh more."""
        self.presence = max(self.presence, presence)
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
            maps.add(window, foreground, presence)
            done += 1
    told(done, total)
    return maps
