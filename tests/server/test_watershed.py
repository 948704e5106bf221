"""Catchment basins of a gradient."""

from __future__ import annotations

import higra
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, label

from inference_server.watershed import catchment_basins


def noise(height, width, sigma=1.0):
    return gaussian_filter(np.random.default_rng(0).random((height, width), dtype=np.float32), sigma)


def test_every_pixel_drains_to_one_basin_per_minimum():
    gradient = np.array([[0.1, 0.2, 0.9, 0.3, 0.0], [0.1, 0.3, 0.8, 0.2, 0.1]], np.float32)
    basins = catchment_basins(gradient, np.ones((2, 5), bool))
    assert basins.max() == 1
    assert len(np.unique(basins[:, :2])) == 1
    assert len(np.unique(basins[:, 3:])) == 1
    assert basins[0, 0] != basins[0, 4]


def reference(gradient):
    """The watershed cut as higra computes it, over the graph of the same weights."""
    graph = higra.get_4_adjacency_graph(gradient.shape)
    one, other = graph.edge_list()
    flat = gradient.ravel().astype(np.float64)
    return np.asarray(higra.labelisation_watershed(graph, flat[one] + flat[other])).reshape(gradient.shape)


@pytest.mark.parametrize(("height", "width"), [(1, 40), (40, 1), (2, 2), (90, 65), (257, 200)])
@pytest.mark.parametrize("sigma", [0.5, 3.0])
def test_basins_are_those_of_the_watershed_cut(height, width, sigma):
    gradient = noise(height, width, sigma)
    found, wanted = catchment_basins(gradient, np.ones(gradient.shape, bool)), reference(gradient)
    pairs = np.unique(np.stack([found.ravel(), wanted.ravel()]), axis=1)
    assert pairs.shape[1] == len(np.unique(wanted)) == found.max() + 1


def test_a_plain_is_one_basin():
    assert catchment_basins(np.zeros((30, 40), np.float32), np.ones((30, 40), bool)).max() == 0
    sloping_to_a_plain = np.abs(np.arange(41, dtype=np.float32) - 20).clip(5)[:, None] + np.zeros((1, 30), np.float32)
    assert catchment_basins(sloping_to_a_plain, np.ones((41, 30), bool)).max() == 0


def test_among_equal_neighbours_no_way_goes_in_circles():
    few_values = np.random.default_rng(3).integers(0, 3, (200, 300)).astype(np.float32)
    found = catchment_basins(few_values, np.ones(few_values.shape, bool))
    assert set(np.unique(found)) == set(range(found.max() + 1))
    _, pieces = np.unique(found, return_counts=True)
    assert all(label(found == number)[1] == 1 for number in np.argsort(pieces)[-20:])


def test_missing_data_is_in_no_basin_and_keeps_apart():
    valid = np.ones((50, 60), bool)
    valid[:, 30] = False
    valid[10:13, 10:13] = False
    valid[11, 11] = True
    basins = catchment_basins(noise(50, 60), valid)
    assert (basins[~valid] == -1).all()
    assert not set(basins[:, :30].ravel()) & set(basins[:, 31:].ravel())
    assert (basins == basins[11, 11]).sum() == 1, "an island of one pixel is a basin by itself"
    assert set(np.unique(basins[valid])) == set(range(basins.max() + 1))
