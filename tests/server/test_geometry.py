"""Boxes, oriented boxes and masks in pixel space: conventions and round trips."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from shapely.geometry import MultiPoint, Polygon

from inference_server.geometry import (
    HBB,
    OBB,
    Mask,
    best_iou_hbb,
    convex_hull,
    hbb_corners,
    hbb_of_mask,
    iou_hbb,
    iou_masks,
    iou_obb,
    le90,
    mask_hull,
    nms,
    obb_corners,
    obb_of_mask,
    obb_of_points,
)

masks = arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12))).filter(lambda m: m.any())
sides = st.floats(0.5, 1e4)
coordinates = st.floats(-1e4, 1e4)


def mask(*rows, row=0, col=0):
    return Mask(np.array([[c == "#" for c in line] for line in rows]), row, col)


def test_a_box_lies_on_pixel_edges():
    assert hbb_of_mask(mask("....", ".##.", "....", row=10, col=20)) == HBB(21, 11, 23, 12)


def test_one_pixel_is_a_unit_square():
    assert obb_of_mask(mask("#", row=4, col=7)) == OBB(7.5, 4.5, 1, 1, 0)


@pytest.mark.parametrize("function", [hbb_of_mask, obb_of_mask, mask_hull])
def test_an_empty_mask_is_refused(function):
    with pytest.raises(ValueError, match="at least one pixel"):
        function(mask("...", "..."))


@pytest.mark.parametrize(
    ("angle", "expected"),
    [(0, 0), (45, -45), (90, 0), (-45, -45), (44, 44), (46, -44), (135, -45), (180, 0), (-90, 0), (89.5, -0.5)],
)
def test_the_angle_of_a_square_is_decided_once(angle, expected):
    assert le90(0, 0, 3, 3, angle).angle == pytest.approx(expected, abs=1e-9)
    points = obb_corners(le90(0, 0, 3, 3, angle))
    assert obb_of_points(points).angle == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("a", "b", "angle", "expected"),
    [
        (4, 2, 0, 0),
        (2, 4, 0, -90),
        (4, 2, 90, -90),
        (4, 2, -90, -90),
        (4, 2, 89, 89),
        (4, 2, 91, -89),
        (4, 2, 270, -90),
    ],
)
def test_le90_of_a_rectangle(a, b, angle, expected):
    box = le90(1, 2, a, b, angle)
    assert (box.cx, box.cy, box.width, box.height) == (1, 2, 4, 2)
    assert box.angle == pytest.approx(expected, abs=1e-9)


def test_a_positive_angle_turns_clockwise_on_the_screen():
    corners = obb_corners(OBB(0, 0, 10, 2, 30))
    along = corners[1] - corners[0]
    assert along[0] > 0
    assert along[1] > 0, "y grows downwards"
    assert np.degrees(np.arctan2(along[1], along[0])) == pytest.approx(30)


@given(coordinates, coordinates, sides, st.floats(0.01, 0.99), st.floats(-90, 90, exclude_max=True))
def test_obb_to_corners_and_back(cx, cy, width, ratio, angle):
    box = OBB(cx, cy, width, width * ratio, angle)
    again = obb_of_points(obb_corners(box))
    assert again.width == pytest.approx(box.width, rel=1e-6, abs=1e-6)
    assert again.height == pytest.approx(box.height, rel=1e-6, abs=1e-6)
    assert (again.cx, again.cy) == pytest.approx((cx, cy), abs=1e-6)
    turn = (again.angle - angle + 90) % 180 - 90  # -90 and just below 90 are the same direction
    assert turn == pytest.approx(0, abs=1e-3)


@given(coordinates, coordinates, sides, sides, st.floats(-720, 720))
def test_le90_keeps_the_rectangle(cx, cy, a, b, angle):
    box = le90(cx, cy, a, b, angle)
    turned = shapely.affinity.rotate(
        shapely.box(cx - a / 2, cy - b / 2, cx + a / 2, cy + b / 2), angle, origin=(cx, cy)
    )
    polygon = Polygon(obb_corners(box))
    # shapely turns counterclockwise with y up, which is clockwise with y down.
    assert polygon.symmetric_difference(turned).area <= 1e-3 * turned.area


@given(masks)
def test_the_oriented_box_holds_the_mask_and_is_no_larger_than_any_other(pixels):
    found = Mask(pixels, 3, 5)
    box = obb_of_mask(found)
    hull = Polygon(mask_hull(found))
    assert Polygon(obb_corners(box)).buffer(1e-6).covers(hull)
    assert box.width * box.height <= shapely.minimum_rotated_rectangle(hull).area * (1 + 1e-6)
    horizontal = hbb_of_mask(found)
    assert Polygon(hbb_corners(horizontal)).buffer(1e-9).covers(hull)
    assert hull.bounds == (horizontal.x_min, horizontal.y_min, horizontal.x_max, horizontal.y_max)


@given(st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=1, max_size=20))
def test_the_hull_is_that_of_shapely(points):
    hull = convex_hull(np.array(points, dtype=float))
    expected = MultiPoint(points).convex_hull
    assert MultiPoint(hull).convex_hull.equals(expected)
    if len(hull) > 2:
        assert len(hull) == len(expected.exterior.coords) - 1, "no collinear corners"
        assert shapely.LinearRing(hull).is_ccw, "counterclockwise with y up is clockwise on the screen"


def test_points_on_a_line_have_a_box_without_height():
    box = obb_of_points(np.array([(0.0, 0.0), (3.0, 4.0), (6.0, 8.0)]))
    assert (box.width, box.height) == pytest.approx((10, 0), abs=1e-9)
    assert box.angle == pytest.approx(np.degrees(np.arctan2(4, 3)))


@pytest.mark.parametrize("values", [(5, 0, 4, 1), (0, 5, 1, 4)])
def test_a_box_inside_out_is_refused(values):
    with pytest.raises(ValueError, match="x_min <= x_max"):
        HBB(*values)


@pytest.mark.parametrize("values", [(0, 0, 1, 2, 0), (0, 0, 2, 1, 90), (0, 0, 2, -1, 0)])
def test_an_oriented_box_that_is_not_le90_is_refused(values):
    with pytest.raises(ValueError, match="width >= height"):
        OBB(*values)


def test_overlaps_by_hand():
    a, b = (0.0, 0.0, 2.0, 2.0), (1.0, 0.0, 3.0, 2.0)
    assert iou_hbb(np.array([a]), np.array([a, b, (5, 5, 6, 6), (1, 1, 1, 1)]))[0] == pytest.approx([1, 1 / 3, 0, 0])
    boxes = [OBB(1, 1, 2, 2, 0), OBB(2, 1, 2, 2, 0), OBB(1, 1, 2, 2, -45)]
    octagon = 8 * (np.sqrt(2) - 1)  # what two squares of side 2 share, one turned by 45 degrees
    assert iou_obb(boxes[:1], boxes)[0] == pytest.approx([1, 1 / 3, octagon / (8 - octagon)])
    windows = [mask("##", "##"), mask("##", "##", row=0, col=1), mask("##", row=9, col=9)]
    assert iou_masks(windows[:1], windows)[0] == pytest.approx([1, 1 / 3, 0])


def test_the_best_of_many_overlaps_is_that_of_all_pairs():
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 500, (2, 1500, 2))
    sides = rng.lognormal(3, 1.2, (2, 1500, 2))
    a, b = (np.concatenate([corner, corner + side], axis=1) for corner, side in zip(corners, sides, strict=True))
    np.testing.assert_array_equal(best_iou_hbb(a, b), iou_hbb(a, b).max(axis=1))
    assert not best_iou_hbb(a, np.zeros((0, 4))).any()
    assert best_iou_hbb(np.zeros((0, 4)), b).shape == (0,)
    assert not best_iou_hbb(np.array([[0.0, 900.0, 5.0, 905.0]]), b[b[:, 3] < 900]).any()


@given(masks, masks, st.integers(-3, 3), st.integers(-3, 3))
def test_the_overlap_of_windows_is_that_of_whole_tiles(a, b, row, col):
    first, second = Mask(a, 3, 3), Mask(b, 3 + row, 3 + col)
    whole_a, whole_b = first.full((20, 20)), second.full((20, 20))
    expected = (whole_a & whole_b).sum() / (whole_a | whole_b).sum()
    assert iou_masks([first], [second])[0, 0] == pytest.approx(expected)


def test_the_best_of_overlapping_ones_survive():
    ious = np.array([[1, 0.6, 0.1], [0.6, 1, 0.6], [0.1, 0.6, 1]])
    assert nms(np.array([0.5, 0.9, 0.4]), ious, 0.5) == [1]
    assert nms(np.array([0.9, 0.5, 0.4]), ious, 0.5) == [0, 2]
    assert nms(np.array([]), np.zeros((0, 0)), 0.5) == []


@given(st.floats(0, 89.9), st.floats(3, 20), st.floats(1.2, 5))
def test_two_turned_boxes_overlap_fully_with_themselves(angle, height, ratio):
    assume(height * ratio < 200)
    box = le90(0, 0, height * ratio, height, angle)
    assert iou_obb([box], [box])[0, 0] == pytest.approx(1)
