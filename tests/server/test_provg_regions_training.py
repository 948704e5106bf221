"""What ProVG judges regions by is learnt from phrases about scenes that its network has not seen."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="fitting trees needs scikit-learn: pip install 'rsground[train]'")
pytest.importorskip("onnx", reason="writing trees needs onnx: pip install 'rsground[train]'")

from inference_server.models.geobia.boosted import BoostedScore
from inference_server.models.provg.regions import COLUMNS
from inference_server.training import provg_regions as fitting
from inference_server.training.geobia_labels import LabelledObject, LabelledTile
from inference_server.training.geobia_trees import as_onnx
from inference_server.training.provg_pictures import FIRST_HELD_OUT, FIRST_PLACE, FIRST_SEED


def test_neither_the_network_s_seeds_nor_those_held_out_are_used():
    assert FIRST_SEED + 5000 <= fitting.FIRST_SEED < FIRST_PLACE
    assert FIRST_PLACE + 5000 <= fitting.FIRST_PLACE < FIRST_HELD_OUT


def test_phrases_of_a_scene_name_what_is_there_and_what_is_not():
    tile, asked = fitting.generated_tile(fitting.FIRST_SEED)
    there = [each for each in asked if each.sure]
    assert 1 <= len(there) <= fitting.THERE
    assert 1 <= len(asked) - len(there) <= fitting.ABSENT_PHRASES
    assert all(not each.maybe for each in asked if not each.sure)
    assert len({each.text for each in asked}) == len(asked)
    assert tile.rgb.shape[1:] == tile.valid.shape


def test_phrases_of_a_real_tile_name_its_labels():
    rgb = np.zeros((3, 200, 200), np.uint8)
    objects = tuple(LabelledObject(name, (10.0, 10.0, 30.0, 20.0), None) for name in ("car", "bus"))
    tile = LabelledTile("cars", "x", rgb, np.ones((200, 200), bool), 0.2, objects)
    _, asked = fitting.real_tile(tile)
    assert [len(each.sure) for each in asked] == [1, 0, 1] + [0] * fitting.ABSENT_PHRASES


def test_which_regions_are_kept_and_how_many_each_stands_for():
    rng = np.random.default_rng(0)
    iou, arguable = np.zeros(10_000), np.zeros(10_000)
    iou[:20], arguable[10:40] = 0.7, 0.5
    inside = np.where(np.arange(10_000) % 2, 0.5, 0.01)
    weight = fitting._drawn(iou, arguable, inside, rng)
    assert (weight[:20] == 1).all(), "what agrees is kept, whatever else it may be"
    assert not weight[20:40].any(), "what may be meant teaches nothing"
    assert np.count_nonzero(weight[40:][inside[40:] > 0.1]) == fitting.AT_MOST
    assert weight.max() <= max(fitting.STANDS_FOR)


def test_a_sample_is_stored_once_and_fitted(tmp_path, monkeypatch):
    monkeypatch.setattr(fitting, "THERE", 2)
    monkeypatch.setattr(fitting, "ABSENT_PHRASES", 1)
    made = fitting.stored_sample(fitting.FIRST_SEED, tmp_path, fitting.SHIPPED)
    monkeypatch.setattr(fitting, "sample", None)
    again = fitting.stored_sample(fitting.FIRST_SEED, tmp_path, fitting.SHIPPED)
    assert made.columns == again.columns == COLUMNS
    np.testing.assert_array_equal(made.x, again.x)
    assert made.x.shape == (len(made.iou), len(COLUMNS))
    assert (made.iou > 0.5).sum() >= 5
    model = fitting.fit([made])
    score = BoostedScore(as_onnx(model, made.columns), is_logistic=False)
    rows = np.arange(0, len(made.x), 50)
    columns = dict(zip(made.columns, made.x.T.astype(np.float64), strict=True))
    np.testing.assert_allclose(score(columns, rows), np.clip(model.predict(made.x[rows]), 0, 1), atol=1e-4)
    is_one = made.iou[rows] > 0.6
    assert score(columns, rows)[is_one].mean() > score(columns, rows)[~is_one].mean() + 0.3
