"""Focus: cross-attention led along self-attention, in the ways that Table 3 of the paper compares."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.floating[Any]]


def min_max(values: Map) -> Map:
    """Stretched to [0, 1]; zeros where all are equal."""
    low, high = float(values.min()), float(values.max())
    if high <= low:
        return np.zeros_like(values)
    return np.asarray((values - low) / (high - low))


def resized(values: Map, shape: tuple[int, int]) -> Map:
    """Bilinear interpolation between the centres of cells, as torch's ``align_corners=False``."""
    down, across = (_weights(a, b) for a, b in zip(values.shape, shape, strict=True))
    return np.asarray(down @ values @ across.T)


def _weights(size: int, wanted: int) -> NDArray[np.float64]:
    at = np.clip((np.arange(wanted) + 0.5) * size / wanted - 0.5, 0.0, size - 1)
    first = np.minimum(at.astype(int), size - 1)
    second = np.minimum(first + 1, size - 1)
    out = np.zeros((wanted, size))
    np.add.at(out, (np.arange(wanted), first), 1.0 - (at - first))
    np.add.at(out, (np.arange(wanted), second), at - first)
    return out


def interact(cross: Map, structure: Map, how: str, *, seeds: int = 7, exponent: float = 2.0) -> Map:
    """A_CS in [0, 1] (Eqs. 2, 3 and Table 3).

    Args:
        cross: A_C, (n, n) in [0, 1].
        structure: A_S, (n * n, n * n); a row is what one cell attends to and sums to 1.
        how: ``propagate``: the sum over cells of A_C times what each attends to, over its norm, as the released code
            does; ``cosine``: for each cell the cosine of A_C and what it attends to, as Eq. 3 says; ``anchor``: what
            the strongest cells attend to; ``multiplication`` and ``exponentiation``: A_S, or its element-wise power,
            times A_C.
        seeds: how many of A_C's largest values are anchors.
        exponent: of "exponentiation"; the paper does not state its own.

    Raises:
        ValueError: shapes that do not belong together, or an unknown way.
    """
    cells = cross.size
    if structure.shape != (cells, cells):
        raise ValueError(
            f"structure: expected shape {(cells, cells)} for a map of {cross.shape}, got {structure.shape}"
        )
    a = cross.reshape(-1).astype(np.float64)
    s = structure.astype(np.float64)
    if how == "propagate":
        out = a @ s
        out = out / max(float(np.linalg.norm(out)), 1e-12)
    elif how == "cosine":
        out = s @ a / np.maximum(np.linalg.norm(s, axis=1) * np.linalg.norm(a), 1e-12)
    elif how == "anchor":
        out = s[np.isin(a, np.unique(a)[-seeds:])].mean(axis=0)
    elif how == "multiplication":
        out = s @ a
    elif how == "exponentiation":
        out = s**exponent @ a
    else:
        raise ValueError("how: expected propagate, cosine, anchor, multiplication or exponentiation, got " + repr(how))
    return min_max(out.reshape(cross.shape))
