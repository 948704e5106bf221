"""Fitted decision trees: the second opinion on nodes that the additive curves let pass, and the verdict on all.

Curves judge attribute by attribute; "as large as a bus, but twice as wide" takes trees. Each class has some hundred
small ones, grown by gradient boosting (Friedman 2001), read here with numpy alone:

- ``boosted.npz``, of ``training/geobia.py``: the probability of a class from a node's attributes;
- ``verdicts.npz``, of ``training/geobia_verdicts.py``: how well a node is an object of a class, from its attributes,
  what the rules say, and what the evidence network sees inside and around it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference_server.models.geobia.features import Column


@dataclass(frozen=True, eq=False)
class BoostedScore:
    """One class's trees, all nodes in one table.

    Attributes:
        attribute: (node,) int16 index into ``attributes``; -1 at leaves.
        threshold: (node,) float32: values up to it go left.
        left, right: (node,) int32 node indices.
        value: (node,) float32 log-odds at leaves.
        roots: (tree,) int32.
        baseline: log-odds before any tree.
        attributes: names of the columns.
        is_logistic: whether the sum is a log-odds; else it is the answer itself, cut to [0, 1].
    """

    attribute: NDArray[np.int16]
    threshold: NDArray[np.float32]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    value: NDArray[np.float32]
    roots: NDArray[np.int32]
    baseline: float
    attributes: tuple[str, ...]
    is_logistic: bool = True

    def __call__(self, columns: Mapping[str, Column], rows: NDArray[np.int64]) -> Column:
        """(row,) in [0, 1], of the nodes in ``rows``."""
        if not len(rows):
            return np.zeros(0)
        x = np.stack([columns[name][rows] for name in self.attributes], axis=1).astype(np.float32)
        at = np.broadcast_to(self.roots, (len(rows), len(self.roots))).copy()
        which = np.arange(len(rows))[:, None]
        while True:
            split = self.attribute[at]
            inner = split >= 0
            if not inner.any():
                break
            goes_left = x[which, np.maximum(split, 0)] <= self.threshold[at]
            at = np.where(inner, np.where(goes_left, self.left[at], self.right[at]), at)
        total = self.baseline + self.value[at].sum(axis=1, dtype=np.float64)
        return np.asarray(1.0 / (1.0 + np.exp(-total)) if self.is_logistic else np.clip(total, 0.0, 1.0))


@cache
def boosted_scores() -> Mapping[str, BoostedScore]:
    """The second opinions by class, read once from the file beside this module."""
    return _read("boosted.npz", is_logistic=True)


@cache
def verdicts() -> Mapping[str, BoostedScore]:
    """The verdicts by class, read once from the file beside this module."""
    return _read("verdicts.npz", is_logistic=False)


def _read(name: str, *, is_logistic: bool) -> dict[str, BoostedScore]:
    with np.load(Path(__file__).with_name(name)) as stored:
        names = sorted({key.split("/")[0] for key in stored.files})
        return {
            name: BoostedScore(
                attribute=stored[f"{name}/attribute"],
                threshold=stored[f"{name}/threshold"],
                left=stored[f"{name}/left"],
                right=stored[f"{name}/right"],
                value=stored[f"{name}/value"],
                roots=stored[f"{name}/roots"],
                baseline=float(stored[f"{name}/baseline"]),
                attributes=tuple(str(a) for a in stored[f"{name}/attributes"]),
                is_logistic=is_logistic,
            )
            for name in names
        }
