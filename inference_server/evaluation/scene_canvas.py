"""A canvas in metres: shapes with anti-aliased edges, heights that cast shadows, and who is seen at each pixel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray
from rasterio.features import rasterize
from rasterio.transform import Affine
from scipy import ndimage
from shapely.geometry.base import BaseGeometry

Floats = NDArray[np.float32]
Color = tuple[float, float, float]


@dataclass(frozen=True)
class Sun:
    """Where the light comes from: azimuth clockwise on the screen from the x axis, elevation, in radians."""

    azimuth: float
    elevation: float

    @property
    def direction(self) -> tuple[float, float]:
        """Unit vector on the screen, from the ground towards the sun, (x, y)."""
        return math.cos(self.azimuth), math.sin(self.azimuth)

    def shade(self, nx: float, ny: float, nz: float) -> float:
        """Brightness of a sunlit face of that unit normal, a flat one being 1."""
        sx, sy = self.direction
        cos_e, sin_e = math.cos(self.elevation), math.sin(self.elevation)
        lit = max(0.0, nx * sx * cos_e + ny * sy * cos_e + nz * sin_e) / sin_e
        return 0.35 + 0.65 * min(lit, 1.6)


@dataclass(frozen=True)
class Frame:
    """A local frame in the scene: origin in metres (x right, y down), x axis turned clockwise by ``angle`` radians."""

    cx: float
    cy: float
    angle: float

    def to_scene(self, points: ArrayLike) -> NDArray[np.float64]:
        """(n, 2) local metres -> (n, 2) scene metres."""
        p = np.asarray(points, dtype=float)
        c, s = math.cos(self.angle), math.sin(self.angle)
        return np.stack([self.cx + p[:, 0] * c - p[:, 1] * s, self.cy + p[:, 0] * s + p[:, 1] * c], axis=1)

    def shifted(self, u: float, v: float, turn: float = 0.0) -> Frame:
        """A frame whose origin lies at local (u, v)."""
        x, y = self.to_scene([(u, v)])[0]
        return Frame(float(x), float(y), self.angle + turn)

    def rectangle(self, length: float, width: float) -> NDArray[np.float64]:
        """(4, 2) scene metres: corners of the rectangle about the origin, ``length`` along the x axis."""
        a, b = length / 2, width / 2
        return self.to_scene([(-a, -b), (a, -b), (a, b), (-a, b)])


@dataclass
class Drawn:
    """An object as it was drawn; its mask is read off the canvas at the end."""

    category: str
    color: str
    footprint: NDArray[np.float64]
    area_m2: float
    length_m: float
    width_m: float
    height_m: float
    shape: str
    host: int


class Noise:
    """Smooth noise of zero mean and unit spread by wavelength in metres, made once a canvas and reused shifted."""

    def __init__(self, shape: tuple[int, int], gsd_m: float, rng: np.random.Generator) -> None:
        self._shape, self._gsd, self._rng = shape, gsd_m, rng
        self._fields: dict[float, Floats] = {}

    def field(self, wavelength_m: float) -> Floats:
        """(row, col) float32 noise whose grain is about ``wavelength_m`` (at least two pixels)."""
        if wavelength_m not in self._fields:
            self._fields[wavelength_m] = self._make(max(wavelength_m / self._gsd, 1.0))
        return self._fields[wavelength_m]

    def _make(self, grain_px: float) -> Floats:
        rows, cols = self._shape
        if grain_px <= 1.5:
            return self._rng.standard_normal(self._shape, dtype=np.float32)
        coarse = (math.ceil(rows / grain_px) + 4, math.ceil(cols / grain_px) + 4)
        grid = self._rng.standard_normal(coarse, dtype=np.float32)
        y = (np.arange(rows, dtype=np.float32) + float(self._rng.random()) * grain_px) / grain_px + 1
        x = (np.arange(cols, dtype=np.float32) + float(self._rng.random()) * grain_px) / grain_px + 1
        out = _smooth_rows(_smooth_rows(grid, y).T.copy(), x).T
        return np.ascontiguousarray(out / max(float(out.std()), 0.3))

    def window(self, wavelength_m: float, window: tuple[slice, slice], salt: int) -> Floats:
        """A window of that noise, shifted by ``salt`` so that equal things do not look equal."""
        whole = self.field(wavelength_m)
        rows = window[0].stop - window[0].start
        cols = window[1].stop - window[1].start
        r = (window[0].start + salt * 7919) % max(self._shape[0] - rows + 1, 1)
        c = (window[1].start + salt * 104729) % max(self._shape[1] - cols + 1, 1)
        return whole[r : r + rows, c : c + cols]


def _smooth_rows(grid: Floats, at: Floats) -> Floats:
    """Rows of ``grid`` interpolated at fractional positions by a quadratic B-spline."""
    base = np.floor(at + 0.5).astype(int)
    t = (at - base).astype(np.float32)
    weights = (0.5 * (0.5 - t) ** 2, 0.75 - t * t, 0.5 * (0.5 + t) ** 2)
    out = np.zeros((len(at), grid.shape[1]), np.float32)
    for k, weight in enumerate(weights):
        out += weight[:, None] * grid[np.clip(base - 1 + k, 0, grid.shape[0] - 1)]
    return out


@dataclass(frozen=True)
class Patch:
    """Part of the canvas that a shape covers: its window, how far each pixel is covered, and coordinates in metres.

    Attributes:
        window: rows and columns.
        alpha: (row, col) float32 in [0, 1].
        u, v: (row, col) float32 metres in the shape's own frame.
    """

    window: tuple[slice, slice]
    alpha: Floats
    u: Floats
    v: Floats


@dataclass
class Canvas:
    """What is painted so far.

    Attributes:
        shape: rows, columns.
        gsd_m: pixel size in metres.
        sun: for shading and shadows.
        albedo: (row, col, 3) float32, displayed colour without shadow, 0 to 1.
        height: (row, col) float32 metres above the ground.
        owner: (row, col) int32, 1 + index in ``drawn`` of what is seen, 0 for the ground.
    """

    shape: tuple[int, int]
    gsd_m: float
    sun: Sun
    rng: np.random.Generator
    albedo: Floats = field(init=False)
    height: Floats = field(init=False)
    owner: NDArray[np.int32] = field(init=False)
    noise: Noise = field(init=False)
    drawn: list[Drawn] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.albedo = np.full((*self.shape, 3), 0.5, np.float32)
        self.height = np.zeros(self.shape, np.float32)
        self.owner = np.zeros(self.shape, np.int32)
        self.noise = Noise(self.shape, self.gsd_m, self.rng)

    @property
    def width_m(self) -> float:
        return self.shape[1] * self.gsd_m

    @property
    def height_m(self) -> float:
        return self.shape[0] * self.gsd_m

    def register(
        self,
        category: str,
        color: str,
        footprint: ArrayLike,
        *,
        area_m2: float,
        size_m: tuple[float, float],
        height_m: float = 0.0,
        shape: str = "rectangular",
        host: int = 0,
    ) -> int:
        """Notes a new object and returns its owner number, for painting it."""
        points = np.asarray(footprint, dtype=float)
        length, width = max(size_m), min(size_m)
        self.drawn.append(Drawn(category, color, points, area_m2, length, width, height_m, shape, host))
        return len(self.drawn)

    def _window(self, points: NDArray[np.float64], pad: int = 1) -> tuple[slice, slice] | None:
        px = points / self.gsd_m
        c0, r0 = np.floor(px.min(axis=0)).astype(int) - pad
        c1, r1 = np.ceil(px.max(axis=0)).astype(int) + pad
        r0, c0 = max(int(r0), 0), max(int(c0), 0)
        r1, c1 = min(int(r1), self.shape[0]), min(int(c1), self.shape[1])
        return (slice(r0, r1), slice(c0, c1)) if r0 < r1 and c0 < c1 else None

    def _local(self, window: tuple[slice, slice], frame: Frame) -> tuple[Floats, Floats]:
        x = (np.arange(window[1].start, window[1].stop, dtype=np.float32) + 0.5) * self.gsd_m - frame.cx
        y = ((np.arange(window[0].start, window[0].stop, dtype=np.float32) + 0.5) * self.gsd_m - frame.cy)[:, None]
        c, s = math.cos(frame.angle), math.sin(frame.angle)
        return (x * c + y * s).astype(np.float32), (y * c - x * s).astype(np.float32)

    def sunward(self, frame: Frame, patch: Patch) -> Floats:
        """(row, col) metres of a patch's pixels from the frame's middle towards the sun."""
        sx, sy = self.sun.direction
        c, s = math.cos(frame.angle), math.sin(frame.angle)
        return np.asarray(patch.u * (sx * c + sy * s) + patch.v * (sy * c - sx * s))

    def rect(self, frame: Frame, length: float, width: float) -> Patch | None:
        """A rectangle centred on the frame; thin ones keep their share of a pixel."""
        a, b = length / 2, width / 2
        window = self._window(frame.rectangle(length, width))
        if window is None:
            return None
        u, v = self._local(window, frame)
        g = self.gsd_m / 2
        across = np.minimum(a, u + g) - np.maximum(-a, u - g)
        along = np.minimum(b, v + g) - np.maximum(-b, v - g)
        alpha = np.clip(across / (2 * g), 0, 1) * np.clip(along / (2 * g), 0, 1)
        return Patch(window, alpha.astype(np.float32), u, v)

    def ellipse(self, frame: Frame, length: float, width: float) -> Patch | None:
        """An ellipse centred on the frame."""
        a, b = length / 2, width / 2
        window = self._window(frame.rectangle(length, width))
        if window is None:
            return None
        u, v = self._local(window, frame)
        inside = (1 - np.hypot(u / a, v / b)) * min(a, b) / self.gsd_m
        return Patch(window, np.clip(inside + 0.5, 0, 1).astype(np.float32), u, v)

    def convex(self, frame: Frame, points: ArrayLike) -> Patch | None:
        """A convex polygon, (n, 2) local metres in either sense of rotation."""
        local = np.asarray(points, dtype=float)
        window = self._window(frame.to_scene(local))
        if window is None:
            return None
        u, v = self._local(window, frame)
        following = np.roll(local, -1, axis=0)
        turn = float(np.sum(local[:, 0] * following[:, 1] - following[:, 0] * local[:, 1]))
        sense = 1.0 if turn > 0 else -1.0
        inside = np.full(np.broadcast_shapes(u.shape, v.shape), np.inf, np.float32)
        for (x0, y0), (x1, y1) in zip(local, following, strict=True):
            span = math.hypot(x1 - x0, y1 - y0)
            if span > 1e-9:
                inside = np.minimum(inside, sense * ((x1 - x0) * (v - y0) - (y1 - y0) * (u - x0)) / span)
        return Patch(window, np.clip(inside / self.gsd_m + 0.5, 0, 1).astype(np.float32), u, v)

    def area(self, geometry: BaseGeometry, frame: Frame | None = None) -> Patch | None:
        """Any polygon in scene metres, through GDAL's rasteriser at three times the resolution."""
        if geometry.is_empty:
            return None
        x0, y0, x1, y1 = geometry.bounds
        window = self._window(np.array([(x0, y0), (x1, y1)]))
        if window is None:
            return None
        fine = 3
        rows, cols = window[0].stop - window[0].start, window[1].stop - window[1].start
        step = self.gsd_m / fine
        to_scene = Affine(step, 0, window[1].start * self.gsd_m, 0, step, window[0].start * self.gsd_m)
        burnt = rasterize([geometry], out_shape=(rows * fine, cols * fine), transform=to_scene, dtype="uint8")
        alpha = burnt.reshape(rows, fine, cols, fine).sum(axis=(1, 3), dtype=np.float32) / (fine * fine)
        u, v = self._local(window, frame or Frame(0, 0, 0))
        return Patch(window, alpha, u, v)

    def paint(
        self,
        patch: Patch | None,
        color: Color | Floats,
        *,
        gain: float | Floats = 1.0,
        opacity: float | Floats = 1.0,
        owner: int | None = None,
        height: float | Floats | None = None,
    ) -> None:
        """Lays a colour over the patch.

        Args:
            color: (3,) or (row, col, 3) in [0, 1].
            gain: brightness factor, a number or (row, col): shading and texture.
            opacity: 1 hides what is below.
            owner: number from ``register``; None leaves the pixels to whom they belong, 0 gives them to the ground.
            height: metres above ground; None leaves it, or lays what has an owner flat on the ground.
        """
        if patch is None:
            return
        alpha = (patch.alpha * opacity)[..., None]
        hue = np.asarray(color, np.float32) * (gain[..., None] if isinstance(gain, np.ndarray) else gain)
        below = self.albedo[patch.window]
        below += alpha * (hue - below)
        if owner is None and height is None:
            return
        mostly = patch.alpha > 0.5
        if owner is not None:
            self.owner[patch.window][mostly] = owner
            height = 0.0 if height is None else height
        if height is not None:
            self.height[patch.window][mostly] = height[mostly] if isinstance(height, np.ndarray) else height

    def texture(self, patch: Patch, wavelengths_m: Sequence[float], spreads: Sequence[float]) -> Floats:
        """Brightness factors about 1 over a patch: a sum of noises; grains finer than a pixel fade away."""
        salt = int(self.rng.integers(1 << 16))
        out = np.ones(patch.alpha.shape, np.float32)
        for wavelength, spread in zip(wavelengths_m, spreads, strict=True):
            fade = min(1.0, (wavelength / self.gsd_m) ** 2)
            out += np.float32(spread * fade) * self.noise.window(wavelength, patch.window, salt)
        return out

    def shadow(self) -> Floats:
        """(row, col) float32 in [0, 1]: how far each pixel lies in the shadow of something higher towards the sun."""
        tallest = float(self.height.max())
        out = np.zeros(self.shape, np.float32)
        if tallest <= 0.2:
            return out
        reach_px = tallest / math.tan(self.sun.elevation) / self.gsd_m
        step = max(1.0, reach_px / 60)
        sx, sy = self.sun.direction
        drop = math.tan(self.sun.elevation) * self.gsd_m
        rows, cols = self.shape
        distance = step
        while distance <= reach_px + step:
            dr, dc = round(sy * distance), round(sx * distance)
            here = (slice(max(0, -dr), min(rows, rows - dr)), slice(max(0, -dc), min(cols, cols - dc)))
            there = (slice(max(0, dr), min(rows, rows + dr)), slice(max(0, dc), min(cols, cols + dc)))
            if here[0].start >= here[0].stop or here[1].start >= here[1].stop:
                break
            over = self.height[there] - np.float32(drop * distance) - self.height[here]
            np.maximum(out[here], over > 0.25, out=out[here])
            distance += step
        return np.asarray(ndimage.gaussian_filter(out, max(0.6, 0.25 / self.gsd_m)), np.float32)
