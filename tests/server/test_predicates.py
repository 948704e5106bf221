"""Properties that the graded predicates keep: range, mirrors, turns, distance."""

from __future__ import annotations

import math

import numpy as np
import pytest
import shapely
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from shapely import affinity
from shapely.geometry import LineString, MultiPolygon, Polygon, box

from inference_server.predicates import PREDICATES, between
from inference_server.relation_terms import Frame
from inference_server.shapes import Pairs, Shapes, fall, rise

SIZE = 400
FRAME = Frame(SIZE, SIZE, None, 0.5, (0.0, -1.0))

rectangles = st.builds(
    lambda x, y, w, h, angle: affinity.rotate(box(x - w / 2, y - h / 2, x + w / 2, y + h / 2), angle),
    st.floats(40, 360),
    st.floats(40, 360),
    st.floats(5, 60),
    st.floats(5, 60),
    st.floats(0, 180),
)
MIRRORED = {
    "left_of": "right_of",
    "right_of": "left_of",
    "upper_left_of": "upper_right_of",
    "lower_left_of": "lower_right_of",
    "east_of": "west_of",
    "north_east_of": "north_west_of",
    "south_east_of": "south_west_of",
}


def grade(name: str, target: Polygon, anchor: Polygon, frame: Frame = FRAME) -> float:
    return float(PREDICATES[name](Pairs(Shapes([target]), Shapes([anchor])), frame)[0, 0])


def square(x: float, y: float, size: float = 20) -> Polygon:
    return box(x - size / 2, y - size / 2, x + size / 2, y + size / 2)


def flipped(shape: Polygon) -> Polygon:
    return affinity.scale(shape, -1, 1, origin=(SIZE / 2, SIZE / 2))


@pytest.mark.parametrize("name", sorted(PREDICATES))
@given(target=rectangles, anchor=rectangles)
@settings(max_examples=25)
def test_grades_lie_in_range(name: str, target: Polygon, anchor: Polygon) -> None:
    assert 0.0 <= grade(name, target, anchor) <= 1.0


@pytest.mark.parametrize("name", sorted(MIRRORED))
@given(target=rectangles, anchor=rectangles)
@settings(max_examples=25)
def test_flipped_is_the_mirrored_relation(name: str, target: Polygon, anchor: Polygon) -> None:
    assume(target.disjoint(anchor))  # within another, the nearest of two opposite sides is a toss-up
    assert grade(name, target, anchor) == pytest.approx(
        grade(MIRRORED[name], flipped(target), flipped(anchor)), abs=0.02
    )


@pytest.mark.parametrize("name", ["next_to", "near", "touching", "on", "in", "with", "around", "crossing", "same_as"])
@given(target=rectangles, anchor=rectangles, angle=st.floats(0, 360))
@settings(max_examples=25)
def test_turning_the_picture_changes_nothing(name: str, target: Polygon, anchor: Polygon, angle: float) -> None:
    turned = [affinity.rotate(shape, angle, origin=(SIZE / 2, SIZE / 2)) for shape in (target, anchor)]
    assert grade(name, *turned) == pytest.approx(grade(name, target, anchor), abs=0.06)


@pytest.mark.parametrize("factor", [0.25, 0.5, 2.0, 4.0])
@pytest.mark.parametrize("name", ["left_of", "next_to", "near", "far_from", "on", "surrounded_by", "opposite"])
def test_distance_is_scaled_by_size(name: str, factor: float) -> None:
    target, anchor = square(150, 210, 24), box(190, 190, 260, 230)
    scaled = [affinity.scale(shape, factor, factor, origin=(0, 0)) for shape in (target, anchor)]
    assert grade(name, *scaled) == pytest.approx(grade(name, target, anchor), abs=0.03)


@pytest.mark.parametrize("name", ["next_to", "near", "touching", "left_of", "along", "facing", "in_front_of"])
def test_farther_is_never_truer(name: str) -> None:
    road = box(300, 0, 330, SIZE)
    down = 60 if name == "in_front_of" else 0
    anchor = square(300, 100) if down else road
    grades = [
        grade(name, square(300, 122 + gap) if down else square(288 - gap, 200), anchor) for gap in range(1, 250, 8)
    ]
    assert grades[0] > 0.8
    assert all(later <= earlier + 1e-9 for earlier, later in zip(grades, grades[1:], strict=False))


def test_far_from_grows_with_distance() -> None:
    grades = [grade("far_from", square(380 - gap, 200), square(380, 200)) for gap in range(20, 340, 10)]
    assert grades[0] == 0.0
    assert grades[-1] == 1.0
    assert all(later >= earlier - 1e-9 for earlier, later in zip(grades, grades[1:], strict=False))


def test_directions_on_the_screen() -> None:
    anchor = square(200, 200, 40)
    assert grade("left_of", square(120, 200), anchor) > 0.75
    assert grade("left_of", square(280, 200), anchor) == 0.0
    assert grade("left_of", square(200, 120), anchor) == 0.0
    assert grade("above", square(200, 120), anchor) > 0.75
    assert grade("below", square(200, 280), anchor) > 0.75
    assert grade("upper_left_of", square(130, 130), anchor) > 0.75
    assert 0.2 < grade("left_of", square(130, 130), anchor) < grade("left_of", square(130, 190), anchor)


@pytest.mark.parametrize("angle", [0, 30, 90, 135, 180, 250])
def test_north_is_the_maps(angle: float) -> None:
    """With the map turned by an angle, north goes along, and left stays."""
    frame = Frame(SIZE, SIZE, None, 0.5, (math.sin(math.radians(angle)), -math.cos(math.radians(angle))))
    anchor = square(200, 200, 30)
    turned = affinity.rotate(square(200, 120), angle, origin=(200, 200))
    assert grade("north_of", turned, anchor, frame) > 0.7
    assert grade("south_of", turned, anchor, frame) == 0.0
    east = affinity.rotate(square(280, 200), angle, origin=(200, 200))
    assert grade("east_of", east, anchor, frame) > 0.7
    assert grade("west_of", east, anchor, frame) == 0.0
    assert grade("left_of", square(120, 200), anchor, frame) > 0.75


def test_left_of_a_long_road_looks_at_the_road_beside_it() -> None:
    road = LineString([(260, 0), (180, 400)]).buffer(12)
    assert grade("left_of", square(190, 30), road) > 0.6
    assert grade("left_of", square(140, 370), road) > 0.6
    assert grade("right_of", square(230, 370), road) > 0.6
    assert grade("left_of", square(230, 370), road) == 0.0


def test_a_target_in_the_anchor_is_not_beside_it() -> None:
    field = square(200, 200, 200)
    for name in ("left_of", "next_to", "near", "north_of", "in_front_of"):
        assert grade(name, square(160, 200), field) == 0.0


def test_on_tolerates_a_mask_that_leaves_the_thing_out() -> None:
    road = box(150, 0, 200, 400)
    car = box(165, 100, 180, 130)
    assert grade("on", car, road) == 1.0
    assert grade("on", car, shapely.difference(road, car.buffer(2))) > 0.7
    assert grade("on", box(205, 100, 220, 130), road) == 0.0
    assert grade("on", box(240, 100, 255, 130), road) == 0.0


def test_in_knows_what_a_yard_encloses() -> None:
    yard = Polygon(box(100, 100, 300, 300).exterior, [box(110, 110, 290, 290).exterior.coords])
    assert grade("in", square(200, 200), yard) > 0.7
    assert grade("in", square(350, 200), yard) == 0.0
    assert grade("containing", yard, square(200, 200)) > 0.7


def test_with_holds_for_what_is_in_or_beside() -> None:
    lot = box(100, 100, 200, 200)
    assert grade("with", lot, square(150, 150)) > 0.9
    assert grade("with", lot, square(215, 150)) > 0.6
    assert grade("with", lot, square(380, 150)) == 0.0


def test_surrounded_and_around() -> None:
    pool = square(200, 200, 40)
    ring = shapely.difference(pool.buffer(40), pool.buffer(15))
    assert grade("surrounded_by", pool, ring) > 0.95
    assert grade("around", ring, pool) > 0.95
    half = shapely.intersection(ring, box(0, 0, 400, 200))
    assert grade("surrounded_by", pool, half) < 0.5
    assert grade("surrounded_by", pool, box(250, 150, 300, 250)) == 0.0
    assert grade("around", square(235, 200, 14), pool) > 0.7


def test_along_and_parallel() -> None:
    river = box(0, 200, 400, 230)
    assert grade("along", box(100, 160, 200, 180), river) > 0.8
    assert grade("along", box(140, 60, 160, 190), river) < 0.4
    assert grade("parallel_to", box(100, 160, 200, 180), river) > 0.8
    assert grade("perpendicular_to", box(140, 90, 160, 190), river) > 0.5


def test_crossing_needs_an_angle() -> None:
    river = box(0, 200, 400, 240)
    assert grade("crossing", box(190, 180, 205, 260), river) > 0.9
    assert grade("crossing", box(100, 241, 300, 250), river) < 0.5
    banks = MultiPolygon([box(0, 200, 188, 240), box(207, 200, 400, 240)])
    assert grade("crossing", box(190, 180, 205, 260), banks) > 0.9


def test_ends_edges_and_middles() -> None:
    pier = box(50, 200, 250, 215)
    assert grade("at_end_of", square(262, 207), pier) > 0.8
    assert grade("at_end_of", square(150, 230), pier) < 0.2
    assert grade("leading_to", pier, square(275, 207, 40)) > 0.8
    field = box(50, 50, 350, 350)
    assert grade("at_edge_of", square(62, 200), field) > 0.9
    assert grade("at_edge_of", square(200, 200), field) == 0.0
    assert grade("at_center_of", square(205, 195), field) > 0.95
    assert grade("at_center_of", square(90, 90), field) < 0.3


def test_in_front_of_a_bus_is_off_its_end() -> None:
    bus = box(150, 190, 210, 208)
    assert grade("in_front_of", box(216, 192, 236, 204), bus) > 0.8
    assert grade("in_front_of", box(170, 212, 190, 224), bus) > 0.8
    assert grade("in_front_of", box(170, 170, 190, 182), bus) < 0.5


def test_sizes_are_compared() -> None:
    small, large = square(100, 100, 20), square(300, 300, 40)
    assert grade("larger_than", large, small) == 1.0
    assert grade("larger_than", small, large) == 0.0
    assert grade("smaller_than", small, large) == 1.0
    assert grade("longer_than", box(0, 0, 90, 10), large) == 1.0


def three(target: Polygon, first: Polygon, second: Polygon) -> float:
    return float(between(Shapes([target]), Shapes([first]), Shapes([second]))[0, 0, 0])


def test_between_compact_things() -> None:
    left, right = square(100, 200), square(300, 200)
    assert three(square(200, 200), left, right) > 0.8
    assert three(square(200, 200), right, left) == pytest.approx(three(square(200, 200), left, right))
    assert three(square(200, 330), left, right) < 0.3
    assert three(square(360, 200), left, right) == 0.0


def test_between_long_things() -> None:
    left, right = box(100, 0, 120, 400), box(280, 0, 300, 400)
    assert three(square(200, 30), left, right) > 0.8
    assert three(square(60, 30), left, right) == 0.0
    fields = box(0, 0, 400, 180), box(0, 220, 400, 400)
    assert three(box(0, 190, 400, 210), *fields) > 0.8


@given(st.floats(-10, 10), st.floats(-10, 10))
def test_fall_and_rise_complement(a: float, b: float) -> None:
    low, high = min(a, b), max(a, b) + 0.1
    values = np.linspace(-12, 12, 50)
    assert np.allclose(fall(values, low, high) + rise(values, low, high), 1.0)
    assert (np.diff(fall(values, low, high)) <= 1e-12).all()


def test_part_of_a_surface() -> None:
    field = box(100, 100, 300, 300)
    assert grade("left_part_of", square(130, 210), field) > 0.9
    assert grade("left_part_of", square(270, 210), field) == 0.0
    assert grade("top_part_of", square(190, 130), field) > 0.9
    assert grade("upper_left_part_of", square(140, 140), field) > 0.9
    assert grade("north_part_of", square(200, 130), field) > 0.9
    assert 0.3 < grade("left_part_of", square(80, 200), field) < grade("left_part_of", square(120, 200), field)
