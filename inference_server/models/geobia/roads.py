"""One road at a time: a network of roads, as a mask, taken apart into the lines that a person would follow.

The mask's skeleton is cut at its junctions; of the branches that meet at one, those that go on straight belong to one
road, as do two that face each other across a gap (a tree, a shadow). Each pixel goes to the nearest line.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import convolve, distance_transform_edt, label
from skimage.morphology import skeletonize

BoolArray = NDArray[np.bool_]

#: Branches that end freely and are shorter than so many widths are spurs of the skeleton.
SPUR_WIDTHS = 1.3
#: Two ends belong together when the turn from one to the other is at most this, in degrees.
MAX_TURN = 32.0
#: Ends are joined across so many widths at a junction, and across so many pixels at a gap.
JUNCTION_WIDTHS, GAP_PX = 2.2, 14.0
#: An end's direction is taken over so many pixels of its line.
TANGENT_PX = 14
SMALLEST_PX = 60
_AROUND = np.ones((3, 3), int)


@dataclass(frozen=True)
class _End:
    """An end of a branch: its branch, where it is (row, col), and the unit vector that points out of it."""

    branch: int
    at: NDArray[np.float64]
    out: NDArray[np.float64]


def separate_roads(mask: BoolArray) -> NDArray[np.int64]:
    """Numbers the roads of a mask.

    Args:
        mask: (row, col) True on roads.

    Returns:
        (row, col) 0 off the roads, else the number of the pixel's road from 1.
    """
    mask = _without_small(~_without_small(~mask))
    if not mask.any():
        return np.zeros(mask.shape, np.int64)
    depth = distance_transform_edt(mask)
    branches, lines = _branches(skeletonize(mask), depth)
    if not lines:
        return np.asarray(label(mask)[0], dtype=np.int64)
    width = 2.0 * float(np.median(depth[branches > 0]))
    road_of = _linked(lines, max(width, 2.0))
    nearest = distance_transform_edt(branches == 0, return_distances=False, return_indices=True)
    return np.where(mask, road_of[branches[tuple(nearest)]], 0)


def _without_small(mask: BoolArray) -> BoolArray:
    pieces, count = label(mask)
    is_large = np.bincount(pieces.ravel(), minlength=count + 1) >= SMALLEST_PX
    is_large[0] = False
    return np.asarray(is_large[pieces])


def _branches(
    skeleton: BoolArray, depth: NDArray[np.float64]
) -> tuple[NDArray[np.int64], dict[int, NDArray[np.int64]]]:
    """The skeleton cut at junctions, spurs left out: (row, col) numbers, and each branch's pixels in order."""
    neighbours = convolve(skeleton.astype(int), _AROUND, mode="constant") - 1
    junction = skeleton & (neighbours > 2)
    cut, count = label(skeleton & ~(convolve(junction.astype(int), _AROUND, mode="constant") > 0), _AROUND)
    near_junction = convolve(junction.astype(int), np.ones((5, 5), int), mode="constant") > 0
    rows, cols = np.nonzero(cut)
    order = np.argsort(cut[rows, cols], kind="stable")
    points = np.stack([rows, cols], axis=1)[order]
    ends = np.searchsorted(cut[rows, cols][order], np.arange(1, count + 2))
    numbers = np.zeros(skeleton.shape, np.int64)
    lines: dict[int, NDArray[np.int64]] = {}
    for first, last in zip(ends[:-1], ends[1:], strict=True):
        line = _ordered(points[first:last])
        touching = near_junction[line[[0, -1], 0], line[[0, -1], 1]]
        if not touching.all() and len(line) < SPUR_WIDTHS * 2.0 * float(np.median(depth[line[:, 0], line[:, 1]])):
            continue
        lines[len(lines) + 1] = line
        numbers[line[:, 0], line[:, 1]] = len(lines)
    return numbers, lines


def _ordered(points: NDArray[np.int64]) -> NDArray[np.int64]:
    """The pixels of a thin line from one end to the other."""
    left = {(int(r), int(c)) for r, c in points}
    steps = [(dr, dc) for dr in (-1, 0, 1) for dc in (-1, 0, 1) if dr or dc]

    def beside(at: tuple[int, int]) -> list[tuple[int, int]]:
        return [(at[0] + dr, at[1] + dc) for dr, dc in steps if (at[0] + dr, at[1] + dc) in left]

    at = next((p for p in sorted(left) if len(beside(p)) == 1), min(left))
    line = [at]
    left.discard(at)
    while following := beside(at):
        # A straight step before a diagonal one: corners are not skipped.
        row, col = at
        at = min(following, key=lambda p: abs(p[0] - row) + abs(p[1] - col))
        left.discard(at)
        line.append(at)
    return np.array(line, dtype=np.int64)


def _linked(lines: dict[int, NDArray[np.int64]], width: float) -> NDArray[np.int64]:
    """(branch + 1,) the road of each branch: ends that go on straight are joined, the straightest first."""
    ends = [end for number, line in lines.items() for end in _ends(number, line)]
    at = np.array([e.at for e in ends])
    out = np.array([e.out for e in ends])
    apart = at[None] - at[:, None]
    distance = np.linalg.norm(apart, axis=2)
    reach = np.maximum(JUNCTION_WIDTHS * width, GAP_PX)
    turn = np.degrees(np.arccos(np.clip(-(out @ out.T), -1.0, 1.0)))
    ahead = (apart * out[:, None]).sum(axis=2) / np.maximum(distance, 1e-9)
    # Across a gap the other end must lie ahead, not beside.
    fits = (distance <= reach) & (turn <= MAX_TURN) & ((ahead > 0.7) | (distance <= 0.8 * width))
    fits &= fits.T
    branch = np.array([e.branch for e in ends])
    fits &= branch[:, None] != branch[None]
    pairs = np.argwhere(np.triu(fits))
    cost = turn[pairs[:, 0], pairs[:, 1]] + 10.0 * distance[pairs[:, 0], pairs[:, 1]] / reach
    road = np.arange(len(lines) + 1)
    is_used = np.zeros(len(ends), bool)
    for one, other in pairs[np.argsort(cost)]:
        if is_used[one] or is_used[other] or road[branch[one]] == road[branch[other]]:
            continue
        is_used[[one, other]] = True
        road[road == road[branch[other]]] = road[branch[one]]
    return road


def _ends(number: int, line: NDArray[np.int64]) -> tuple[_End, _End]:
    def end(path: NDArray[np.int64]) -> _End:
        part = path[:TANGENT_PX].astype(np.float64)
        out = part[0] - part[-1]
        return _End(number, part[0], out / max(float(np.linalg.norm(out)), 1e-9))

    return end(line), end(line[::-1])
