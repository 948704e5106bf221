"""The embedded engine's decision trees: what is written is what is read."""

from __future__ import annotations

import numpy as np
import pytest

from inference_server.models.geobia.boosted import BoostedScore, boosted_scores, verdicts


@pytest.fixture
def trees():
    """The module that grows and writes them."""
    pytest.importorskip("onnx", reason="the trees are written with onnx: pip install 'rsground[train]'")
    pytest.importorskip("sklearn", reason="the trees are grown with scikit-learn: pip install 'rsground[train]'")
    from inference_server.training import geobia_trees

    return geobia_trees


FIELDS = {"is_leaf": "u1", "value": "f8", "feature_idx": "i8", "num_threshold": "f8", "left": "i8", "right": "i8"}
NODE = np.dtype(list(FIELDS.items()))


def stump(threshold: float, low: float, high: float) -> np.ndarray:
    """A tree that says ``low`` up to a threshold of its one attribute."""
    return np.array([(0, 0, 0, threshold, 1, 2), (1, low, 0, 0, 0, 0), (1, high, 0, 0, 0, 0)], NODE)


def test_a_sum_of_leaves_is_the_answer_itself_or_its_logistic(trees) -> None:
    model = trees.sum_of_trees([stump(1.0, 0.2, 0.7), stump(3.0, 0.0, 0.5)], 0.1, ("a",))
    columns, rows = {"a": np.array([9.0, 0.0, 1.0, 2.0, 4.0])}, np.arange(1, 5)
    found = BoostedScore(model, is_logistic=False)(columns, rows)
    np.testing.assert_allclose(found, [0.3, 0.3, 0.8, 1.0], atol=1e-6)
    total = np.array([0.3, 0.3, 0.8, 1.3])
    np.testing.assert_allclose(BoostedScore(model)(columns, rows), 1 / (1 + np.exp(-total)), atol=1e-6)
    assert BoostedScore(model).attributes == ("a",)
    assert BoostedScore(model)(columns, np.zeros(0, np.int64)).shape == (0,)


def test_what_was_grown_answers_as_scikit_learn_does(trees) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 3)).astype(np.float32)
    y = x[:, 0] * x[:, 1] > x[:, 2]
    columns = {name: x[:, i].astype(np.float64) for i, name in enumerate("abc")}
    model = trees.grow(x, y, np.ones(len(x)))
    found = BoostedScore(trees.as_onnx(model, ("a", "b", "c")))(columns, np.arange(600))
    np.testing.assert_allclose(found, model.predict_proba(x)[:, 1], atol=1e-5)
    from sklearn.ensemble import HistGradientBoostingRegressor

    regressor = HistGradientBoostingRegressor(max_iter=20).fit(x, y.astype(float))
    found = BoostedScore(trees.as_onnx(regressor, ("a", "b", "c")), is_logistic=False)(columns, np.arange(600))
    np.testing.assert_allclose(found, regressor.predict(x).clip(0, 1), atol=1e-5)


@pytest.mark.parametrize("scores", [boosted_scores, verdicts])
def test_the_shipped_trees_answer_within_bounds(scores) -> None:
    rng = np.random.default_rng(1)
    for score in scores().values():
        found = score({name: rng.normal(size=50) * 30 for name in score.attributes}, np.arange(50))
        assert 0 <= found.min() < found.max() <= 1
