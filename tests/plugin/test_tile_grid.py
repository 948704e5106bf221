"""The sampling grid's geometry, as properties: round trips, coverage, resolution, and exact resampling."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from osgeo import gdal

from rsground_plugin.core.tile_grid import (
    Affine,
    NativeGrid,
    ReadWindow,
    TileGrid,
    grid_over,
    not_finer_than,
    read_window,
    straightened,
)
from rsground_plugin.core.tile_resample import to_grid

angles = st.floats(-180, 180)
sizes = st.floats(1e-6, 1e3)
shears = st.floats(-0.8, 0.8)
#: Anything from degrees to metres of a national grid.
origins = st.tuples(st.floats(-2e7, 2e7), st.floats(-2e7, 2e7))


@st.composite
def affines(draw):
    a, size, shear, stretch = draw(angles), draw(sizes), draw(shears), draw(st.floats(0.3, 3))
    c, s = math.cos(math.radians(a)) * size, math.sin(math.radians(a)) * size
    flip = draw(st.sampled_from([1.0, -1.0]))  # south-up
    return Affine.from_axes(draw(origins), (c, s), (flip * stretch * (s + shear * c), flip * stretch * (shear * s - c)))


@given(affines(), st.floats(0, 8192), st.floats(0, 8192))
def test_pixel_to_map_and_back_is_exact(affine, col, row):
    back = affine.to_pixel(*affine.apply(col, row))
    # What 64-bit coordinates themselves can hold of a pixel that small, so far from the origin.
    digits = 4 * np.spacing(max(map(abs, affine.apply(col, row)))) / math.sqrt(abs(affine.determinant))
    assume(digits < 1e-3)
    assert math.dist(back, (col, row)) < 0.01


@given(affines(), st.floats(0, 100), st.floats(0, 100))
def test_the_order_is_gdals(affine, col, row):
    assert affine.apply(col, row) == pytest.approx(gdal.ApplyGeoTransform(affine.geotransform(), col, row))


@given(
    origins,
    st.lists(st.tuples(st.floats(0, 500), st.floats(0, 500)), min_size=3, max_size=8),
    angles,
    st.floats(0.1, 10),
    st.integers(100, 100_000),
)
def test_the_grid_covers_the_area_within_its_bound(origin, offsets, angle, step, max_pixels):
    points = [(origin[0] + x, origin[1] + y) for x, y in offsets]
    c, s = step * math.cos(math.radians(angle)), step * math.sin(math.radians(angle))
    grid, factor = grid_over(points, (c, s), (s, -c), native=None, max_pixels=max_pixels)
    assert grid.width * grid.height <= max_pixels
    assert factor >= 1.0
    for point in points:
        col, row = grid.affine.to_pixel(*point)
        assert -1e-3 <= col <= grid.width + 1e-3
        assert -1e-3 <= row <= grid.height + 1e-3


@given(st.floats(0, 100), st.floats(0, 100), st.integers(1, 60), st.integers(1, 60))
def test_a_tile_of_native_pixels_lies_on_them(x, y, w, h):
    native = NativeGrid(1000.0, 2000.0, 0.5, 0.5, 400, 400)
    left, top = 1000.0 + x, 2000.0 - y
    points = [(left, top), (left + 0.5 * w, top - 0.5 * h)]
    grid, _ = grid_over(points, (0.5, 0.0), (0.0, -0.5), native=native, max_pixels=10**6)
    col, row = (grid.affine.c0 - 1000.0) / 0.5, (2000.0 - grid.affine.c3) / 0.5
    assert col == round(col)
    assert row == round(row)
    assert w <= grid.width <= w + 1
    assert h <= grid.height <= h + 1


@given(angles, st.floats(0.01, 100), st.floats(0.2, 5))
def test_no_axis_is_finer_than_the_layer(angle, scale, oblong):
    native = NativeGrid(0.0, 0.0, 1.0, oblong)
    c, s = scale * math.cos(math.radians(angle)), scale * math.sin(math.radians(angle))
    right, down = not_finer_than((c, s), (s, -c), native)
    steps = [math.hypot(v[0] / native.dx, v[1] / native.dy) for v in (right, down)]
    assert max(steps) >= 1.0 - 1e-9
    if scale > 1.05 * max(1.0, oblong):
        assert (right, down) == ((c, s), (s, -c)), "the screen is coarser: its resolution stays"


def test_axes_that_are_upright_but_for_rounding_become_so():
    assert straightened((0.5, 1e-12), (-1e-12, -0.5), pixels=4000) == ((0.5, 0.0), (0.0, -0.5))
    slanted = ((0.5, 0.01), (0.01, -0.5))
    assert straightened(*slanted, pixels=4000) == slanted


@given(st.floats(1.0, 20.0), angles)
def test_what_is_read_covers_the_tile_and_is_not_much_finer(ratio, angle):
    native = NativeGrid(0.0, 0.0, 1.0, 1.0, 0, 0, (1, 2, 4, 8, 16))
    c, s = ratio * math.cos(math.radians(angle)), ratio * math.sin(math.radians(angle))
    grid = TileGrid(Affine.from_axes((1000.3, -500.7), (c, s), (s, -c)), 50, 40)
    window = read_window(grid, native)
    for x, y in grid.corners():
        assert window.x_min <= x <= window.x_min + window.width * window.dx
        assert window.y_max - window.height * window.dy <= y <= window.y_max
    assert window.dx <= ratio + 1e-6, "coarser than asked for"
    assert ratio / window.dx < 3.0 + 1e-6, "reads more than it needs"
    assert window.x_min / window.dx == round(window.x_min / window.dx), "off the layer's own grid"


def test_without_overviews_every_read_is_exact_or_odd():
    native = NativeGrid(0.0, 0.0, 1.0, 1.0)
    for ratio in (1.0, 1.9, 2.0, 2.9, 3.0, 4.0, 6.5, 7.2):
        grid = TileGrid(Affine.from_axes((0.0, 0.0), (ratio, 0.0), (0.0, -ratio)), 10, 10)
        assert read_window(grid, native).dx % 2 == 1


def test_a_tile_beside_the_layer_reads_nothing():
    native = NativeGrid(0.0, 0.0, 1.0, 1.0, 100, 100)
    grid = TileGrid(Affine.from_axes((200.0, 0.0), (1.0, 0.0), (0.0, -1.0)), 10, 10)
    assert read_window(grid, native) is None


@given(st.floats(-170, 170), st.floats(0.7, 4.5), st.floats(20, 60), st.floats(20, 60))
def test_resampling_a_plane_gives_the_plane(angle, ratio, col, row):
    """Linear colours have one right answer everywhere: what the resampler gives, is its placement."""
    size = 128
    rows, cols = np.mgrid[0:size, 0:size] + 0.5
    rgba = np.stack([255 * cols / size, 255 * rows / size, 0 * cols + 50, 0 * cols + 255], axis=-1).round()
    window = ReadWindow(0.0, float(size), 1.0, 1.0, size, size)
    c, s = ratio * math.cos(math.radians(angle)), ratio * math.sin(math.radians(angle))
    grid = TileGrid(Affine.from_axes((col, row), (c, s), (s, -c)), 8, 8)
    out = to_grid(rgba.astype(np.uint8), window, grid)
    for i, j in ((0, 0), (3, 5), (7, 7)):
        x, y = grid.affine.apply(j + 0.5, i + 0.5)
        inside = 5 < x < size - 5 and 5 < size - y < size - 5
        if inside:
            assert out[i, j, 3] == 255
            assert abs(out[i, j, 0] - 255 * x / size) < 1.6
            assert abs(out[i, j, 1] - 255 * (size - y) / size) < 1.6


def test_invalid_pixels_do_not_bleed_into_valid_ones():
    rgba = np.full((20, 20, 4), 200, np.uint8)
    rgba[..., 3] = 255
    rgba[:, 10:] = (0, 0, 0, 0)
    window = ReadWindow(0.0, 20.0, 1.0, 1.0, 20, 20)
    grid = TileGrid(Affine.from_axes((2.0, 18.0), (1.1, 0.1), (0.1, -1.1)), 12, 12)
    out = to_grid(rgba, window, grid)
    valid = out[..., 3] > 0
    assert valid.any()
    assert not valid.all()
    assert (out[valid][:, :3] == 200).all(), "no dark rim at the edge of the data"
    assert (out[~valid] == 0).all()
