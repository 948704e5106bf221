"""A network of roads taken apart: crossings, forks, curves, gaps, and masks that are no road."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from inference_server.evaluation.scenes import generate
from inference_server.geometry import iou_hbb
from inference_server.models.geobia.roads import separate_roads


def canvas() -> np.ndarray:
    return np.zeros((200, 200), dtype=bool)


def boxes_of(numbers: np.ndarray) -> list[tuple[int, int, int, int]]:
    """x_min, y_min, x_max, y_max of each road."""
    out = []
    for number in np.unique(numbers[numbers > 0]):
        rows, cols = np.nonzero(numbers == number)
        out.append((int(cols.min()), int(rows.min()), int(cols.max()) + 1, int(rows.max()) + 1))
    return sorted(out)


def test_a_crossing_is_two_roads() -> None:
    mask = canvas()
    mask[95:105] = True
    mask[:, 40:50] = True
    assert boxes_of(separate_roads(mask)) == [(0, 95, 200, 105), (40, 0, 50, 200)]


def test_a_fork_is_a_road_and_a_side_road() -> None:
    mask = canvas()
    mask[95:105] = True
    mask[105:, 120:128] = True
    through, side = boxes_of(separate_roads(mask))
    assert through[0] == 0
    assert through[2] == 200
    assert side[0] >= 110
    assert side[3] == 200


def test_a_bend_stays_one_road() -> None:
    row, col = np.mgrid[0:200, 0:200]
    radius = np.hypot(row, col)
    assert len(boxes_of(separate_roads((radius > 120) & (radius < 132)))) == 1


def test_a_tree_over_the_road_does_not_cut_it() -> None:
    mask = canvas()
    mask[95:105] = True
    mask[:, 90:98] = False
    assert boxes_of(separate_roads(mask)) == [(0, 95, 200, 105)]


def test_parallel_roads_stay_two() -> None:
    mask = canvas()
    mask[60:68] = True
    mask[90:98] = True
    assert boxes_of(separate_roads(mask)) == [(0, 60, 200, 68), (0, 90, 200, 98)]


def test_nothing_is_nothing() -> None:
    assert not separate_roads(canvas()).any()


@settings(max_examples=40)
@given(arrays(bool, (24, 31), elements=st.booleans()), st.integers(1, 4))
def test_any_mask_is_numbered_inside_and_only_there(small: np.ndarray, times: int) -> None:
    mask = np.kron(small, np.ones((times, times), dtype=bool))
    numbers = separate_roads(mask)
    assert numbers.shape == mask.shape
    # Specks are left out and pin holes filled; a piece of any size has a number.
    assert not numbers[~mask].any() or times < 8
    assert numbers.min() >= 0


@pytest.mark.parametrize("seed", [8, 15, 20])
def test_the_roads_of_a_town_are_found_in_its_true_mask(seed: int) -> None:
    scene = generate(seed, size_px=(1024, 1024), gsd_m=0.3, expressions=0)
    roads = [o for o in scene.objects if o.category == "road"]
    mask = np.logical_or.reduce([o.mask.full((1024, 1024)) for o in roads])[::2, ::2]
    found = 2.0 * np.array(boxes_of(separate_roads(mask)), dtype=float)
    true = np.array([(o.hbb.x_min, o.hbb.y_min, o.hbb.x_max, o.hbb.y_max) for o in roads])
    assert (iou_hbb(found, true).max(axis=0) >= 0.5).all()
