"""A picture in the light of those that the evidence network learnt from.

Most of these were drawn, with a quarter less contrast than photographs have. A network sees best what is lit as it was
in training: a picture of more contrast is brought most of the way there, its colours as far from gray as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Standard deviation of brightness, (red + green + blue) / 3, that pictures of more are brought towards, and how far.
USUAL_SPREAD, POWER = 34.0, 0.75
#: No contrast is made less than by this factor.
LEAST = 0.5
#: Under what names a survey of a scene tells them.
MEAN, SPREAD = "brightness", "contrast"


@dataclass(frozen=True)
class Light:
    """Of a picture: mean and standard deviation of its pixels' brightness, from 0 to 255."""

    mean: float
    spread: float

    @classmethod
    def of(cls, rgb: NDArray[np.uint8], valid: NDArray[np.bool_] | None = None) -> Light:
        """Measured; of the picture (3, row, col) where it is valid, (row, col), or of all of it."""
        total = _total(rgb)
        counts = np.bincount(total.ravel() if valid is None else total[valid], minlength=766)
        if not counts.any():
            return cls(0.0, 0.0)
        levels = np.arange(766) / 3.0
        mean = float(np.average(levels, weights=counts))
        return cls(mean, float(np.sqrt(np.average((levels - mean) ** 2, weights=counts))))

    @classmethod
    def surveyed(cls, survey: Mapping[str, float]) -> Light:
        """As a survey told it, see ``told``."""
        return cls(survey[MEAN], survey[SPREAD])

    def told(self) -> dict[str, float]:
        """For a survey."""
        return {MEAN: self.mean, SPREAD: self.spread}


def leveled(rgb: NDArray[np.uint8], light: Light) -> NDArray[np.uint8]:
    """The picture (3, row, col), of that light, with no more than about the usual contrast."""
    if light.spread <= USUAL_SPREAD:
        return rgb
    factor = max(LEAST, (USUAL_SPREAD / light.spread) ** POWER)
    levels = np.arange(766) / 3.0
    change = np.round((factor - 1.0) * (levels - light.mean)).astype(np.int16)[_total(rgb)]
    out = np.empty_like(rgb)
    for band, into in zip(rgb, out, strict=True):
        np.clip(band + change, 0, 255, out=into, casting="unsafe")
    return out


def _total(rgb: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """(row, col) three times the brightness."""
    return np.asarray(rgb[0].astype(np.uint16) + rgb[1] + rgb[2])
