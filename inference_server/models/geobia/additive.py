"""Additive scores: a sum of one curve per attribute, through a logistic; rules whose thresholds were read from labels.

Each class has, for each attribute, a piecewise-linear curve over the attribute's range (a generalised additive model,
Hastie & Tibshirani 1990). What it says of a node can be read off curve by curve. The curves are fitted by
``inference_server/training/geobia.py``, which writes ``additive.json``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference_server.models.geobia.features import Column, NodeTable

#: Names of the attributes that curves are over, in the order of :func:`attributes`.
ATTRIBUTES = (
    "log_area_m2", "log_length_m", "log_width_m", "log_aspect", "log_ribbon", "rectangularity", "solidity",
    "roundness", "compactness", "chroma", "lightness", "brighter", "contrast", "spread", "texture", "border", "inner",
    "border_ratio", "closure", "out_green", "out_dark", "out_water", "out_paved", "green", "dark", "water", "paved",
    "edge_share", "parent_growth",
)  # fmt: skip


def attributes(t: NodeTable, gsd_m: float, gradient_scale: float) -> dict[str, Column]:
    """The attributes that curves are over, (node,) each, free of the tile's pixel size and contrast."""
    half = t.perimeter / 2.0
    ribbon_width = (half - np.sqrt(np.maximum(half**2 - 4.0 * t.area, 0.0))) / 2.0
    return {
        "log_area_m2": np.log10(t.area * gsd_m**2),
        "log_length_m": np.log10(t.length * gsd_m),
        "log_width_m": np.log10(np.maximum(t.width, 0.5) * gsd_m),
        "log_aspect": np.log10(t.length / np.maximum(t.width, 1.0)),
        "log_ribbon": np.log10(np.maximum(t.area / np.maximum(ribbon_width, 1.0) ** 2, 1.0)),
        "rectangularity": t.rectangularity,
        "solidity": t.solidity,
        "roundness": t.roundness,
        "compactness": t.compactness,
        "chroma": t.chroma,
        "lightness": t.lightness,
        "brighter": t.lightness - t.out_lightness,
        "contrast": t.contrast,
        "spread": t.spread,
        "texture": t.texture,
        "border": np.log10(t.border_gradient / gradient_scale + 0.05),
        "inner": np.log10(t.inner_gradient / gradient_scale + 0.05),
        "border_ratio": np.log10((t.border_gradient + 0.5) / (t.inner_gradient + 0.5)),
        "closure": t.closure,
        "out_green": t.out_green,
        "out_dark": t.out_dark,
        "out_water": t.out_water,
        "out_paved": t.out_paved,
        "green": t.green,
        "dark": t.dark,
        "water": t.water,
        "paved": t.paved,
        "edge_share": t.edge_share,
        "parent_growth": t.parent_growth,
    }


@dataclass(frozen=True, eq=False)
class AdditiveScore:
    """One class's curves.

    Attributes:
        intercept: log-odds where all curves are 0.
        curves: attribute -> (knots, values), both (knot,) ascending in knots; constant beyond the ends.
    """

    intercept: float
    curves: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]]

    def __call__(self, columns: Mapping[str, Column]) -> Column:
        """(node,) in [0, 1]."""
        total = np.full(len(next(iter(columns.values()))), self.intercept)
        for name, (knots, values) in self.curves.items():
            total += np.interp(columns[name], knots, values)
        return np.asarray(1.0 / (1.0 + np.exp(-total)))


@cache
def additive_scores() -> Mapping[str, AdditiveScore]:
    """The fitted classes, read once from the file beside this module."""
    raw = json.loads((Path(__file__).parent / "additive.json").read_text(encoding="utf-8"))
    return {
        name: AdditiveScore(
            entry["intercept"], {key: (np.asarray(k), np.asarray(v)) for key, (k, v) in entry["curves"].items()}
        )
        for name, entry in raw["classes"].items()
    }
