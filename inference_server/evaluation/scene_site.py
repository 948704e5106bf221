"""A site under construction: what ground is taken, and lines and frames to build along."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from rasterio.features import rasterize
from rasterio.transform import Affine
from shapely.geometry import LineString, Polygon
from shapely.geometry.base import BaseGeometry

from inference_server.evaluation.scene_canvas import Canvas, Frame
from inference_server.evaluation.scene_palette import pick_name

CELL_M = 0.5


@dataclass(frozen=True)
class Road:
    """A road: centre line in scene metres, width in metres, owner number."""

    line: LineString
    width: float
    owner: int


@dataclass
class Site:
    """The canvas with a grid of taken ground and the site's habits.

    Attributes:
        crowding: 0.2 (sparse) to 1 (dense).
        house_colors, big_colors: what most roofs here look like; a few differ.
        tree_size: usual crown radius in metres.
        bridges: outline and owner number of each.
        is_paved: a town or a harbour, where open ground is hard.
    """

    canvas: Canvas
    crowding: float
    house_colors: tuple[str, ...]
    big_colors: tuple[str, ...]
    tree_size: float
    is_paved: bool = False
    roads: list[Road] = field(default_factory=list)
    bridges: list[tuple[Polygon, int]] = field(default_factory=list)
    taken: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        rows = math.ceil(self.canvas.height_m / CELL_M)
        cols = math.ceil(self.canvas.width_m / CELL_M)
        self.taken = np.zeros((rows, cols), bool)

    @property
    def rng(self) -> np.random.Generator:
        return self.canvas.rng

    @property
    def extent(self) -> tuple[float, float]:
        """Width and height in metres."""
        return self.canvas.width_m, self.canvas.height_m

    def _cells(self, frame: Frame, length: float, width: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        u = np.linspace(-length / 2, length / 2, max(int(length / CELL_M * 1.5), 2))
        v = np.linspace(-width / 2, width / 2, max(int(width / CELL_M * 1.5), 2))
        grid = np.stack(np.meshgrid(u, v), axis=-1).reshape(-1, 2)
        index = np.floor(frame.to_scene(grid) / CELL_M).astype(np.intp)
        inside = (index >= 0).all(axis=1) & (index[:, 1] < self.taken.shape[0]) & (index[:, 0] < self.taken.shape[1])
        return index[inside, 1], index[inside, 0]

    def is_free(self, frame: Frame, length: float, width: float) -> bool:
        """No taken ground under the rectangle; ground outside the canvas is free, but not all of it may lie there."""
        rows, cols = self._cells(frame, length, width)
        return len(rows) > 0 and not bool(self.taken[rows, cols].any())

    def take(self, frame: Frame, length: float, width: float) -> None:
        self.taken[self._cells(frame, length, width)] = True

    def take_shape(self, shape: BaseGeometry) -> None:
        if not shape.is_empty:
            burnt = rasterize(
                [shape],
                out_shape=self.taken.shape,
                transform=Affine(CELL_M, 0, 0, 0, CELL_M, 0),
                all_touched=True,
                dtype="uint8",
            )
            self.taken |= burnt.astype(bool)

    def taken_pixels(self, window: tuple[slice, slice]) -> NDArray[np.bool_]:
        """(row, col) bool over a window of the canvas: the ground under the pixel is taken."""
        scale = self.canvas.gsd_m / CELL_M
        rows = np.minimum(((np.arange(window[0].start, window[0].stop) + 0.5) * scale).astype(int), len(self.taken) - 1)
        cols = np.minimum(
            ((np.arange(window[1].start, window[1].stop) + 0.5) * scale).astype(int), self.taken.shape[1] - 1
        )
        return self.taken[np.ix_(rows, cols)]

    def find(
        self, length: float, width: float, *, angle: float | None = None, tries: int = 40, inside: bool = True
    ) -> Frame | None:
        """A free place for a rectangle, wholly on the canvas when ``inside``; None after ``tries``."""
        wide, high = self.extent
        pad = math.hypot(length, width) / 2 if inside else 0.0
        for _ in range(tries):
            turn = float(self.rng.uniform(0, math.pi)) if angle is None else angle
            if wide <= 2 * pad or high <= 2 * pad:
                return None
            frame = Frame(float(self.rng.uniform(pad, wide - pad)), float(self.rng.uniform(pad, high - pad)), turn)
            if self.is_free(frame, length, width):
                return frame
        return None

    def house_color(self) -> str:
        usual = self.rng.random() < 0.8
        return pick_name("house", self.rng, self.house_colors if usual else ())

    def big_color(self, kind: str) -> str:
        usual = self.rng.random() < 0.7
        return pick_name(kind, self.rng, self.big_colors if usual else ())


def curve(site: Site, start: tuple[float, float], end: tuple[float, float], bend: float) -> LineString:
    """A line from start to end that swings by ``bend`` metres."""
    rng = site.rng
    t = np.linspace(0, 1, 40)
    p, q = np.array(start), np.array(end)
    along = q - p
    normal = np.array([-along[1], along[0]]) / max(float(np.hypot(*along)), 1e-6)
    phase = float(rng.uniform(0, 2 * math.pi))
    swing = bend * (np.sin(2 * math.pi * t * float(rng.uniform(0.5, 1.2)) + phase) - math.sin(phase) * (1 - t))
    return LineString(p + t[:, None] * along + swing[:, None] * normal)


def crossing(site: Site, *, horizontal: bool, at: float, bend: float, tilt: float = 0.0) -> LineString:
    """A curve from edge to edge; ``at`` and ``tilt`` are shares of the extent."""
    wide, high = site.extent
    if horizontal:
        return curve(site, (-30, high * (at - tilt)), (wide + 30, high * (at + tilt)), bend)
    return curve(site, (wide * (at - tilt), -30), (wide * (at + tilt), high + 30), bend)


def along(line: LineString, at: float, offset: float) -> Frame:
    """The frame at a distance along a line, ``offset`` metres to its right, x axis along it."""
    p, q = line.interpolate(max(at - 1, 0)), line.interpolate(min(at + 1, line.length))
    angle = math.atan2(q.y - p.y, q.x - p.x)
    middle = line.interpolate(at)
    return Frame(middle.x, middle.y, angle).shifted(0, offset)
