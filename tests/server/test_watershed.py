"""Catchment basins of a gradient."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from inference_server import watershed
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


@pytest.mark.parametrize("height", [33, 64, 65, 200, 257])
def test_strips_give_what_the_whole_gives(height, monkeypatch):
    gradient, valid = noise(height, 90), np.ones((height, 90), bool)
    whole = catchment_basins(gradient, valid)
    monkeypatch.setattr(watershed, "STRIP_ROWS", 64)
    watershed._grid.cache_clear()
    strips = catchment_basins(gradient, valid)
    pairs = np.unique(np.stack([whole.ravel(), strips.ravel()]), axis=1)
    assert pairs.shape[1] == whole.max() + 1 == strips.max() + 1
    # A large basin goes on over many strips.
    slope = np.abs(np.arange(height, dtype=np.float32) - height / 2)[:, None] + np.zeros((1, 90), np.float32)
    assert catchment_basins(slope, valid).max() == 0


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
