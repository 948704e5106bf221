"""The evidence network with doubts: how it sees scenes of a new kind, tried on those that it knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from inference_server.models.evidence.classes import EVIDENCE_CLASSES
from inference_server.models.evidence.runtime import MODEL, ONE, Evidence, evidence_of

#: How often the network is left as sure as it is; else its logits shrink to so much of themselves, and err by so many
#: units (standard deviation) over places of so many cells.
SURE, FLATTER, ERROR, PLACE_CELLS = 0.3, (0.5, 1.0), (0.3, 1.6), (6.0, 40.0)


class Doubting:
    """The evidence network less sure and now and then wrong, by whole places: as it is in scenes of a new kind.

    Generated scenes and those that it learnt from it sees far better than any that a user has. A verdict fitted on
    such sight alone takes a roof that is two thirds likely for none.

    Args:
        rng: draws how flat the probabilities become and how far they err.
        network: the evidence network, as ONNX.
    """

    def __init__(self, rng: np.random.Generator, network: Path = MODEL) -> None:
        self._rng, self._network = rng, network

    def __call__(self, *args: Any, **kwargs: Any) -> Evidence:
        """As ``evidence_of``."""
        rng, seen = self._rng, evidence_of(*args, **kwargs, model=self._network)
        if rng.random() < SURE:
            return seen
        flatter, error, size = rng.uniform(*FLATTER), rng.uniform(*ERROR), rng.uniform(*PLACE_CELLS)
        n, shape = len(EVIDENCE_CLASSES), seen.parts.shape[1:]
        p = seen.parts.astype(np.float32) / ONE
        none = np.clip(1.0 - p[:n].sum(axis=0), 0.0, 1.0)[None]
        logits = np.log(np.concatenate([p[:n], none]) + 1e-4) * np.float32(flatter)
        coarse = (max(2, round(shape[0] / size)), max(2, round(shape[1] / size)))
        for layer in logits:
            field = rng.normal(0.0, error, coarse).astype(np.float32)
            layer += np.asarray(Image.fromarray(field).resize(shape[::-1], Image.Resampling.BICUBIC))
        shares = np.exp(logits - logits.max(axis=0))
        p[:n] = (shares / shares.sum(axis=0))[:n]
        return Evidence((p * ONE).astype(np.uint16), seen.scale)
