"""Regions judged by a phrase's map: the thing's own outline is told from its half and from what lies around it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from inference_server.evaluation.scenes import generate
from inference_server.geometry import iou_hbb
from inference_server.models.base import silent
from inference_server.models.geobia.engine import GeobiaEngine
from inference_server.models.provg.regions import COLUMNS, columns_of, trees_at, verified


@pytest.fixture(scope="module")
def scene():
    return generate(5, size_px=(480, 480), gsd_m=0.3, theme="residential", expressions=0)


@pytest.fixture(scope="module")
def regions(scene):
    return GeobiaEngine().encode(scene.tile, silent)


def map_of(scene, category, share=1.0):
    """What a network would see that knows the class: soft borders; of each thing the upper part only."""
    out = np.zeros(scene.valid.shape, np.float32)
    for item in scene.objects:
        if item.category == category:
            mask = scene.covered_by([item])
            rows = np.flatnonzero(mask.any(axis=1))
            mask[rows[0] + max(1, round(share * len(rows))) :] = False
            out[mask] = 1.0
    return np.asarray(gaussian_filter(out, 1.0))


def test_the_best_region_of_each_thing_is_that_thing(scene, regions):
    score = verified(regions, map_of(scene, "building"), 0.9)
    boxes = regions.forest.boxes
    things = [o for o in scene.objects if o.category == "building" and not o.is_cut and o.visible > 0.8]
    assert len(things) >= 5
    right = []
    for item in things:
        iou = iou_hbb(boxes, np.array([[item.hbb.x_min, item.hbb.y_min, item.hbb.x_max, item.hbb.y_max]]))[:, 0]
        # Of those that lie on it for the most part.
        near = np.flatnonzero(iou > 0.2)
        right.append(iou[near[score[near].argmax()]] >= 0.7)
    assert np.mean(right) >= 0.8


def test_what_is_full_of_it_but_a_part_is_judged_lower(scene, regions):
    seen = map_of(scene, "building")
    score = verified(regions, seen, 0.9)
    rows, columns = columns_of(regions, seen, 0.9)
    is_part = (columns["inside"] > 0.9) & (columns["agrees_50"] < 0.3)
    is_whole = (columns["inside"] > 0.9) & (columns["agrees_50"] > 0.8)
    assert is_part.sum() >= 20
    assert is_whole.sum() >= 5
    assert score[rows[is_part]].mean() < 0.5 * score[rows[is_whole]].mean()


def test_where_nothing_is_seen_nothing_is_judged(scene, regions):
    score = verified(regions, np.zeros(scene.valid.shape, np.float32), 0.9)
    assert score.shape == regions.nodes.t.area.shape
    assert not score.any()


def test_what_is_hardly_there_is_judged_lower(scene, regions):
    seen = map_of(scene, "building")
    sure, unlikely = (verified(regions, seen, presence) for presence in (0.95, 0.02))
    assert unlikely.max() < sure.max()
    assert unlikely.sum() < 0.9 * sure.sum()


def test_the_trees_read_what_is_measured(scene, regions):
    rows, columns = columns_of(regions, map_of(scene, "tree"), 0.9)
    assert tuple(columns) == COLUMNS
    assert set(trees_at().attributes) <= set(COLUMNS)
    assert all(values.shape == rows.shape and np.isfinite(values).all() for values in columns.values())
    assert (np.diff(rows) > 0).all()
    assert len(rows) < len(regions.nodes.t.area)


def test_no_color_is_read():
    assert not {"lightness", "chroma", "green", "water", "paved", "dark"} & set(COLUMNS)


def test_it_agrees_with_the_drawn_map_not_with_the_words(scene, regions):
    """The same trees judge whatever was asked for: the map alone says what is meant."""
    trees, buildings = (verified(regions, map_of(scene, name), 0.9) for name in ("tree", "building"))
    assert int(trees.argmax()) != int(buildings.argmax())
    assert trees[buildings.argmax()] < 0.3
    assert buildings[trees.argmax()] < 0.3
