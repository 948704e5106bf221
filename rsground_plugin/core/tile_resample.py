"""From pixels as read to pixels of the tile: exact where the grids coincide, else averaged and interpolated."""

from __future__ import annotations

from typing import Any, Callable, Optional

import numpy as np

from .tile_grid import Affine, ReadWindow, TileGrid

#: Tile pixels sampled in one go: small enough for the processor's cache and for a prompt cancel.
PIXELS_AT_ONCE = 64 * 1024


def to_grid(
    rgba: Any,
    window: ReadWindow,
    grid: TileGrid,
    *,
    is_nearest: bool = False,
    check: Optional[Callable[[], None]] = None,
) -> Any:
    """The tile's pixels, sampled from what was read.

    Args:
        rgba: (row, col, 4) uint8, alpha 0 or 255; RGB is ignored where alpha is 0.
        window: where those pixels lie.
        grid: the tile's pixels.
        is_nearest: take the nearest pixel instead of mixing neighbours (colours that are classes).
        check: called between strips; what it raises ends the work.

    Returns:
        (row, col, 4) uint8 of ``grid``, alpha 0 or 255, RGB 0 where alpha is 0.
    """
    rgba = np.where(rgba[..., 3:] > 0, rgba, np.uint8(0))
    to_read = _tile_to_read(grid, window)
    exact = _integer_shift(to_read)
    if exact is not None:
        return _shifted(rgba, grid, exact)
    if not is_nearest:
        step_x = max(1, int(np.hypot(to_read.c1, to_read.c2) + 1e-6))
        step_y = max(1, int(np.hypot(to_read.c4, to_read.c5) + 1e-6))
        if step_x > 1 or step_y > 1:
            rgba, to_read = _averaged(rgba, to_read, step_x, step_y)
    out = np.empty((grid.height, grid.width, 4), np.uint8)
    rows = max(1, PIXELS_AT_ONCE // grid.width)
    sample = _nearest if is_nearest else _bilinear
    for first in range(0, grid.height, rows):
        if check is not None:
            check()
        last = min(first + rows, grid.height)
        out[first:last] = sample(rgba, to_read, first, last, grid.width)
    return out


def _tile_to_read(grid: TileGrid, window: ReadWindow) -> Affine:
    """Tile (col, row) on edges -> (col, row) on edges of the pixels as read."""
    a = grid.affine
    return Affine(
        (a.c0 - window.x_min) / window.dx,
        a.c1 / window.dx,
        a.c2 / window.dx,
        (window.y_max - a.c3) / window.dy,
        -a.c4 / window.dy,
        -a.c5 / window.dy,
    )


def _integer_shift(to_read: Affine) -> Optional[tuple]:
    """(col, row) of the tile's first pixel in what was read, when the grids coincide; else None."""
    linear = (to_read.c1 - 1.0, to_read.c2, to_read.c4, to_read.c5 - 1.0)
    col, row = round(to_read.c0), round(to_read.c3)
    # 1e-6 over 10,000 pixels and 1e-2 of shift stay far below what a pixel's placement may be off.
    if max(abs(v) for v in linear) < 1e-6 and abs(to_read.c0 - col) < 1e-2 and abs(to_read.c3 - row) < 1e-2:
        return col, row
    return None


def _shifted(rgba: Any, grid: TileGrid, shift: tuple) -> Any:
    col, row = shift
    height, width = rgba.shape[:2]
    if col >= 0 and row >= 0 and col + grid.width <= width and row + grid.height <= height:
        return rgba[row : row + grid.height, col : col + grid.width]
    out = np.zeros((grid.height, grid.width, 4), np.uint8)
    c0, c1 = max(col, 0), min(col + grid.width, width)
    r0, r1 = max(row, 0), min(row + grid.height, height)
    if c1 > c0 and r1 > r0:
        out[r0 - row : r1 - row, c0 - col : c1 - col] = rgba[r0:r1, c0:c1]
    return out


def _averaged(rgba: Any, to_read: Affine, step_x: int, step_y: int) -> tuple:
    """Blocks of step_y x step_x pixels averaged, weighted by validity; and the affine into the smaller image."""
    height, width = rgba.shape[:2]
    rows, cols = -(-height // step_y), -(-width // step_x)
    padded = np.zeros((rows * step_y, cols * step_x, 4), np.uint8)
    padded[:height, :width] = rgba
    blocks = padded.reshape(rows, step_y, cols, step_x, 4)
    total = np.zeros((rows, cols, 4), np.uint32)
    for i in range(step_y):
        for j in range(step_x):
            total += blocks[:, i, :, j]
    weight = total[..., 3:] // 255  # valid pixels in each block
    mean = (total + weight // 2) // np.maximum(weight, 1)
    valid = 2 * weight >= step_x * step_y
    small = np.where(valid, mean, 0).astype(np.uint8)
    return small, Affine(
        to_read.c0 / step_x,
        to_read.c1 / step_x,
        to_read.c2 / step_x,
        to_read.c3 / step_y,
        to_read.c4 / step_y,
        to_read.c5 / step_y,
    )


def _positions(to_read: Affine, first: int, last: int, width: int) -> tuple:
    """Centres of the tile pixels of rows first..last, as (x, y) on edges of the pixels as read."""
    cols = np.arange(width) + 0.5
    rows = (np.arange(first, last) + 0.5)[:, None]
    x = to_read.c0 + to_read.c1 * cols + to_read.c2 * rows
    y = to_read.c3 + to_read.c4 * cols + to_read.c5 * rows
    return x, y


def _nearest(rgba: Any, to_read: Affine, first: int, last: int, width: int) -> Any:
    x, y = _positions(to_read, first, last, width)
    col, row = np.floor(x + 1e-9).astype(np.int64), np.floor(y + 1e-9).astype(np.int64)
    height, read_width = rgba.shape[:2]
    inside = (col >= 0) & (col < read_width) & (row >= 0) & (row < height)
    picked = rgba[np.clip(row, 0, height - 1), np.clip(col, 0, read_width - 1)]
    return np.where(inside[..., None], picked, np.uint8(0))


def _bilinear(rgba: Any, to_read: Affine, first: int, last: int, width: int) -> Any:
    """Bilinear between pixel centres, weighted by validity; valid where at least half of the weight is."""
    x, y = _positions(to_read, first, last, width)
    height, read_width = rgba.shape[:2]
    col, row = np.floor(x - 0.5), np.floor(y - 0.5)
    fx, fy = (x - 0.5 - col).astype(np.float32), (y - 0.5 - row).astype(np.float32)
    col, row = col.astype(np.int64), row.astype(np.int64)
    pixels = rgba.reshape(-1, 4)
    total = np.zeros((*fx.shape, 4), np.float32)
    for drow, wy in ((0, 1 - fy), (1, fy)):
        for dcol, wx in ((0, 1 - fx), (1, fx)):
            c, r = col + dcol, row + drow
            weight = wx * wy
            # The outermost half pixel has no neighbour beyond: its own colour goes on to the layer's edge.
            index = np.clip(r, 0, height - 1) * read_width + np.clip(c, 0, read_width - 1)
            total += pixels[index] * weight[..., None]
    inside = (x >= -1e-6) & (x <= read_width + 1e-6) & (y >= -1e-6) & (y <= height + 1e-6)
    alpha = total[..., 3:] / np.float32(255)
    valid = (alpha >= 0.5) & inside[..., None]
    colour = np.minimum(total / np.maximum(alpha, np.float32(1e-3)) + np.float32(0.5), 255)
    return np.where(valid, colour, 0).astype(np.uint8)
