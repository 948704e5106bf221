"""Fitted decision trees: the second opinion on nodes that the additive curves let pass, and the verdict on all.

Curves judge attribute by attribute; "as large as a bus, but twice as wide" takes trees. Each class has some hundred
small ones, grown by gradient boosting (Friedman 2001) and kept as ONNX models, which onnxruntime runs:

- ``boosted.npz``, of ``training/geobia.py``: the probability of a class from a node's attributes;
- ``verdicts.npz``, of ``training/geobia_verdicts.py``: how well a node is an object of a class, from its attributes,
  what the rules say, and what the evidence network sees inside and around it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference_server.models.geobia.features import Column


@dataclass(frozen=True)
class BoostedScore:
    """One class's trees.

    Attributes:
        model: an ONNX model, as ``training.geobia_trees.as_onnx`` writes it: from "attributes", (row, attribute)
            float32, to (row, 1), the sum of the trees; its metadata hold the attributes' names.
        is_logistic: whether the sum is a log-odds; else it is the answer itself, cut to [0, 1].
    """

    model: bytes
    is_logistic: bool = True

    @cached_property
    def _session(self) -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        # Milliseconds: threads would cost more than they bring.
        options.intra_op_num_threads = 1
        options.enable_cpu_mem_arena = False
        return onnxruntime.InferenceSession(self.model, options, providers=["CPUExecutionProvider"])

    @cached_property
    def attributes(self) -> tuple[str, ...]:
        """Names of the columns that the trees read."""
        return tuple(json.loads(self._session.get_modelmeta().custom_metadata_map["attributes"]))

    def __call__(self, columns: Mapping[str, Column], rows: NDArray[np.int64]) -> Column:
        """(row,) in [0, 1], of the nodes in ``rows``."""
        if not len(rows):
            return np.zeros(0)
        x = np.stack([columns[name][rows] for name in self.attributes], axis=1).astype(np.float32)
        total = self._session.run(None, {"attributes": x})[0][:, 0].astype(np.float64)
        return np.asarray(1.0 / (1.0 + np.exp(-total)) if self.is_logistic else np.clip(total, 0.0, 1.0))


@cache
def boosted_scores() -> Mapping[str, BoostedScore]:
    """The second opinions by class, read once from the file beside this module."""
    return read_scores(Path(__file__).with_name("boosted.npz"), is_logistic=True)


@cache
def verdicts() -> Mapping[str, BoostedScore]:
    """The verdicts by class, read once from the file beside this module."""
    return read_scores(Path(__file__).with_name("verdicts.npz"), is_logistic=False)


def read_scores(path: Path, *, is_logistic: bool) -> dict[str, BoostedScore]:
    """What ``training.geobia_trees.write`` stored, by name."""
    with np.load(path) as stored:
        return {each: BoostedScore(stored[each].tobytes(), is_logistic) for each in stored.files}
