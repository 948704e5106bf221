"""Grows the embedded engine's decision trees over what its curves let pass; needs scikit-learn (extra ``train``)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier

TREES, LEAVES = 90, 20


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


def tables(model: HistGradientBoostingClassifier, attributes: tuple[str, ...]) -> dict[str, NDArray[np.generic]]:
    """The trees as the arrays of ``models.geobia.boosted.BoostedScore``."""
    parts: dict[str, list[NDArray[np.generic]]] = {k: [] for k in ("attribute", "threshold", "left", "right", "value")}
    roots, at = [], 0
    for (predictor,) in model._predictors:
        nodes = predictor.nodes
        is_leaf = nodes["is_leaf"].astype(bool)
        parts["attribute"].append(np.where(is_leaf, -1, nodes["feature_idx"]).astype(np.int16))
        # Rounded up to the next float32: a value equal to the threshold still goes left.
        parts["threshold"].append(np.nextafter(nodes["num_threshold"].astype(np.float32), np.float32(np.inf)))
        parts["left"].append(np.where(is_leaf, 0, nodes["left"].astype(np.int64) + at).astype(np.int32))
        parts["right"].append(np.where(is_leaf, 0, nodes["right"].astype(np.int64) + at).astype(np.int32))
        parts["value"].append(np.where(is_leaf, nodes["value"], 0.0).astype(np.float32))
        roots.append(at)
        at += len(nodes)
    out: dict[str, NDArray[np.generic]] = {key: np.concatenate(value) for key, value in parts.items()}
    out["roots"] = np.asarray(roots, dtype=np.int32)
    out["baseline"] = np.asarray(float(np.ravel(model._baseline_prediction)[0]))
    out["attributes"] = np.asarray(attributes)
    return out


def write(path: Path, classes: Mapping[str, Mapping[str, NDArray[np.generic]]]) -> None:
    """All classes into one file."""
    arrays: dict[str, Any] = {f"{name}/{key}": value for name, c in classes.items() for key, value in c.items()}
    np.savez_compressed(path, **arrays)
