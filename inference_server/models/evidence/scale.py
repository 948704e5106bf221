"""How large a pixel is on the ground, guessed from what the evidence network makes of a picture at several sizes.

Where a picture shows things at about the size that the network learned them at, it is sure of most of the things that
it suspects; too small or too large, it suspects many and is sure of few.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference_server.models.evidence.classes import BIT
from inference_server.models.evidence.runtime import FINEST_M, MODEL, ONE, Evidence, evidence_of, resized

#: Metres a pixel that are tried.
TRIED_M = tuple(FINEST_M * zoom for zoom in (0.25, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 2.8))
#: The middle of the picture is looked at, up to so many pixels a side once it is resized.
LOOKED_AT_PX = 640
#: What is told by its size: classes whose sureness is taken together, and the share of the picture that they must
#: cover to say much. Cars and airplanes, whose sizes vary least, count once more.
TELLING: tuple[tuple[tuple[str, ...], float], ...] = (
    (("building", "road", "car", "truck", "bus", "airplane", "tank", "ship", "pool", "tree", "tennis court",
      "basketball court"), 0.001),
    (("car",), 0.005),
    (("airplane",), 0.02),
)  # fmt: skip
#: From which probability on a thing is suspected, and sure.
SUSPECTED, SURE = 0.3, 0.8
#: How much surer the network must be at twice or half of ``FINEST_M``, which most imagery is about.
LIKELY = 0.07


def guessed_gsd(rgb: NDArray[np.uint8], model: Path = MODEL) -> float:
    """Metres a pixel, the likeliest of ``TRIED_M``.

    Args:
        rgb: (3, row, col).
        model: the network, as ONNX.
    """
    return max(TRIED_M, key=lambda gsd: _sureness(rgb, gsd, model) - LIKELY * abs(math.log2(gsd / FINEST_M)))


def _sureness(rgb: NDArray[np.uint8], gsd_m: float, model: Path) -> float:
    """How sure the network is of the things that it suspects, if the picture's pixels are that large."""
    zoom = gsd_m / FINEST_M
    (top, bottom), (left, right) = (_middle(length, LOOKED_AT_PX / zoom) for length in rgb.shape[1:])
    part = rgb[:, top:bottom, left:right]
    size = (max(1, round(part.shape[2] * zoom)), max(1, round(part.shape[1] * zoom)))
    evidence = evidence_of(resized(part, size), None, model=model)
    return sum(_share_sure(evidence, names, least) for names, least in TELLING)


def _middle(length: int, wanted: float) -> tuple[int, int]:
    """Where a middle part of a side begins and ends."""
    size = min(length, max(1, int(wanted)))
    return (length - size) // 2, (length - size) // 2 + size


def _share_sure(evidence: Evidence, names: tuple[str, ...], least: float) -> float:
    parts = evidence.parts[[BIT[name] for name in names]]
    suspected, sure = (float(np.count_nonzero(parts > limit * ONE)) / parts[0].size for limit in (SUSPECTED, SURE))
    return sure / (suspected + least)
