"""Pure functions on boxes, oriented boxes and masks in pixel space, and from there to the map.

Pixel space: x to the right, y down, on pixel edges; (0, 0) is the upper left corner of the upper left
pixel, so the pixel in row r and column c spans [c, c + 1] x [r, r + 1].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BoolMask = NDArray[np.bool_]


@dataclass(frozen=True)
class HBB:
    """Horizontal box in pixel space, on pixel edges: x_min <= x_max, y_min <= y_max."""

    x_min: float
    y_min: float
    x_max: float
    y_max: float

    def __post_init__(self) -> None:
        if not (self.x_min <= self.x_max and self.y_min <= self.y_max):
            raise ValueError(f"HBB: expected x_min <= x_max and y_min <= y_max, got {self!r}")


@dataclass(frozen=True)
class OBB:
    """Oriented box in pixel space, le90: width >= height, angle in [-90, 90) degrees.

    The angle is from the x axis to the side of length ``width``, positive clockwise on the screen.
    """

    cx: float
    cy: float
    width: float
    height: float
    angle: float

    def __post_init__(self) -> None:
        if not (self.width >= self.height >= 0 and -90 <= self.angle < 90):
            raise ValueError(f"OBB: expected width >= height >= 0 and angle in [-90, 90), got {self!r}")


@dataclass(frozen=True)
class Mask:
    """A set of pixels: a window of booleans and where it lies in the tile.

    Attributes:
        pixels: (row, col) bool, the smallest window that holds the object.
        row, col: the window's upper left pixel in the tile.
    """

    pixels: BoolMask
    row: int
    col: int

    @property
    def area(self) -> int:
        return int(np.count_nonzero(self.pixels))

    def full(self, shape: tuple[int, int]) -> BoolMask:
        """The mask over the whole tile, (row, col) bool of ``shape``."""
        out = np.zeros(shape, dtype=bool)
        height, width = self.pixels.shape
        out[self.row : self.row + height, self.col : self.col + width] = self.pixels
        return out
