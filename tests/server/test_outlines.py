"""Masks to polygons and back: exact on pixel edges, simplified without losing parts, holes or area."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import binary_closing, gaussian_filter, label
from shapely.affinity import rotate
from shapely.geometry import MultiPolygon, Polygon, box

from inference_server.geometry import Mask
from inference_server.outlines import mask_of_polygon, polygon_of_mask, rough_polygon, simplified

masks = arrays(bool, st.tuples(st.integers(1, 14), st.integers(1, 14))).filter(lambda m: m.any())


@st.composite
def blobs(draw):
    """Smooth shapes with bays, holes and islands, as engines give them."""
    seed, size, level = draw(st.integers(0, 10**6)), draw(st.integers(12, 60)), draw(st.floats(-0.05, 0.1))
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=(size, size)), 3)
    found = binary_closing(noise > level)
    found[size // 2, size // 2] = True
    return found


def test_a_rectangle_is_its_pixel_edges():
    assert polygon_of_mask(Mask(np.ones((2, 3), bool), 5, 10)).equals(box(10, 5, 13, 7))


def test_a_hole_stays_a_hole():
    pixels = np.ones((7, 7), bool)
    pixels[3, 3] = False
    outline = polygon_of_mask(Mask(pixels, 0, 0))
    assert outline.area == 48
    assert len(outline.geoms[0].interiors) == 1
    assert len(simplified(outline).geoms[0].interiors) == 1


def test_an_empty_mask_is_refused():
    with pytest.raises(ValueError, match="at least one pixel"):
        polygon_of_mask(Mask(np.zeros((2, 2), bool), 0, 0))


@given(masks)
def test_any_mask_becomes_a_valid_polygon_and_comes_back(pixels):
    mask = Mask(pixels, 4, 9)
    outline = polygon_of_mask(mask)
    assert outline.is_valid
    assert outline.area == mask.area
    assert len(outline.geoms) == label(pixels)[1]
    again = mask_of_polygon(outline, (30, 30))
    assert np.array_equal(again.full((30, 30)), mask.full((30, 30)))


@given(masks)
def test_any_simplified_outline_is_valid_and_keeps_parts_holes_and_area(pixels):
    assert_well_simplified(polygon_of_mask(Mask(pixels, 0, 0)))


@settings(max_examples=60)
@given(blobs())
def test_simplified_shapes_are_valid_and_have_fewer_corners(pixels):
    outline = polygon_of_mask(Mask(pixels, 0, 0))
    simple = assert_well_simplified(outline)
    assert corners(simple) <= corners(outline)


def assert_well_simplified(outline):
    simple = simplified(outline)
    assert isinstance(simple, MultiPolygon)
    assert simple.is_valid
    assert not simple.is_empty
    assert len(simple.geoms) == len(outline.geoms)
    for part, before in zip(simple.geoms, outline.geoms, strict=True):
        assert len(part.interiors) == len(before.interiors)
        assert part.area == pytest.approx(before.area, rel=0.041)
    assert simple.hausdorff_distance(outline) <= 1.6
    return simple


def corners(outline):
    return sum(len(ring.coords) for part in outline.geoms for ring in (part.exterior, *part.interiors))


@pytest.mark.parametrize("angle", [0, 7, 20, 30, 45, 60, 81])
def test_a_turned_rectangle_has_few_corners_and_its_area(angle):
    truth = rotate(box(20, 30, 80, 60), angle)
    simple = simplified(polygon_of_mask(mask_of_polygon(truth, (120, 120))))
    assert corners(simple) <= 15
    assert simple.intersection(truth).area / simple.union(truth).area > 0.97


def test_an_axis_parallel_rectangle_keeps_its_four_corners():
    outline = polygon_of_mask(Mask(np.ones((2, 4), bool), 0, 0))
    assert simplified(outline).equals(outline)


@settings(max_examples=40)
@given(blobs())
def test_a_rough_polygon_is_about_the_shape(pixels):
    mask = Mask(pixels, 2, 3)
    rough = rough_polygon(mask)
    exact = polygon_of_mask(mask)
    assert rough.is_valid
    assert rough.intersection(exact).area >= 0.8 * exact.area


def test_a_rough_polygon_of_a_large_thin_thing_is_no_hull():
    pixels = np.zeros((900, 900), bool)
    for i in range(900):
        pixels[i, max(0, i - 15) : i + 15] = True
    rough = rough_polygon(Mask(pixels, 0, 0))
    assert rough.area == pytest.approx(pixels.sum(), rel=0.15)
    assert isinstance(rough, (Polygon, MultiPolygon))


def test_a_polygon_outside_the_tile_has_no_mask():
    with pytest.raises(ValueError, match="covers a pixel"):
        mask_of_polygon(box(50, 50, 60, 60), (20, 20))


def test_a_polygon_is_cut_at_the_tile():
    mask = mask_of_polygon(box(-5, -5, 3, 2), (20, 20))
    assert (mask.row, mask.col, mask.pixels.shape, mask.area) == (0, 0, (2, 3), 6)
