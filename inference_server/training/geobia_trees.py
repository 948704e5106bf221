"""Grows the embedded engine's decision trees and writes them; needs scikit-learn and onnx (extra ``train``)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper
from sklearn.ensemble import HistGradientBoostingClassifier

TREES, LEAVES = 90, 20
#: Of the standard ML operators, and of the file: what onnxruntime 1.19 reads.
OPERATORS, FORMAT = 3, 8


def grow(x: NDArray[np.float32], y: NDArray[np.bool_], weight: NDArray[np.float64]) -> HistGradientBoostingClassifier:
    """Boosted trees; weights are those of the population, so that probabilities are those of the population."""
    model = HistGradientBoostingClassifier(
        max_iter=TREES,
        max_leaf_nodes=LEAVES,
        learning_rate=0.1,
        min_samples_leaf=25,
        l2_regularization=2.0,
        random_state=0,
    )
    return model.fit(x, y, sample_weight=weight * len(weight) / weight.sum())


def as_onnx(model: Any, attributes: tuple[str, ...]) -> bytes:
    """The trees of a fitted ``HistGradientBoosting`` model, as ``models.geobia.boosted.BoostedScore`` takes them.

    Args:
        model: classifier of two classes, or regressor; its numbers have no gaps.
        attributes: names of the columns that it was fitted on.
    """
    trees = [predictor.nodes for (predictor,) in model._predictors]
    return sum_of_trees(trees, float(np.ravel(model._baseline_prediction)[0]), attributes)


def sum_of_trees(trees: Iterable[NDArray[Any]], baseline: float, attributes: tuple[str, ...]) -> bytes:
    """An ONNX model that adds up trees.

    Args:
        trees: structured arrays of nodes, the first being the root, with the fields of scikit-learn's: "is_leaf",
            "value", "feature_idx", "num_threshold" (values up to it go left), "left" and "right" (indices of nodes).
        baseline: added to the sum.
        attributes: names of the columns.
    """
    columns: dict[str, list[Any]] = {k: [] for k in ("tree", "node", "feature", "threshold", "mode", "yes", "no")}
    leaves: dict[str, list[Any]] = {k: [] for k in ("tree", "node", "value")}
    for tree, nodes in enumerate(trees):
        is_leaf = nodes["is_leaf"].astype(bool)
        # Rounded up to the next float32: a value equal to the threshold still goes left.
        threshold = np.nextafter(nodes["num_threshold"].astype(np.float32), np.float32(np.inf))
        columns["tree"] += [tree] * len(nodes)
        columns["node"] += range(len(nodes))
        columns["feature"] += np.where(is_leaf, 0, nodes["feature_idx"]).tolist()
        columns["threshold"] += np.where(is_leaf, 0.0, threshold).tolist()
        columns["mode"] += np.where(is_leaf, "LEAF", "BRANCH_LEQ").tolist()
        columns["yes"] += np.where(is_leaf, 0, nodes["left"]).tolist()
        columns["no"] += np.where(is_leaf, 0, nodes["right"]).tolist()
        leaves["tree"] += [tree] * int(is_leaf.sum())
        leaves["node"] += np.flatnonzero(is_leaf).tolist()
        leaves["value"] += nodes["value"][is_leaf].tolist()
    ensemble = helper.make_node(
        "TreeEnsembleRegressor", ["attributes"], ["sum"], domain="ai.onnx.ml", n_targets=1, base_values=[baseline],
        nodes_treeids=columns["tree"], nodes_nodeids=columns["node"], nodes_featureids=columns["feature"],
        nodes_values=columns["threshold"], nodes_modes=columns["mode"], nodes_truenodeids=columns["yes"],
        nodes_falsenodeids=columns["no"], target_treeids=leaves["tree"], target_nodeids=leaves["node"],
        target_ids=[0] * len(leaves["tree"]), target_weights=leaves["value"],
    )  # fmt: skip
    graph = helper.make_graph(
        [ensemble],
        "trees",
        [helper.make_tensor_value_info("attributes", TensorProto.FLOAT, [None, len(attributes)])],
        [helper.make_tensor_value_info("sum", TensorProto.FLOAT, [None, 1])],
    )
    operators = [helper.make_opsetid("ai.onnx.ml", OPERATORS), helper.make_opsetid("", 17)]
    made = helper.make_model(graph, opset_imports=operators, ir_version=FORMAT)
    helper.set_model_props(made, {"attributes": json.dumps(attributes)})
    onnx.checker.check_model(made)
    return made.SerializeToString()


def write(path: Path, classes: Mapping[str, bytes]) -> None:
    """All classes' models into one file."""
    arrays: dict[str, Any] = {name: np.frombuffer(model, np.uint8) for name, model in classes.items()}
    np.savez_compressed(path, **arrays)
