"""Shape and material words as graded memberships."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from inference_server.models.geobia.features import Column, NodeTable, ramp


def _aspect(t: NodeTable) -> Column:
    return np.asarray(t.length / np.maximum(t.width, 1.0))


def _round(t: NodeTable) -> Column:
    return ramp(t.roundness, 0.4, 0.75) * ramp(t.solidity, 0.75, 0.9)


def _rectangular(t: NodeTable) -> Column:
    return ramp(t.rectangularity, 0.55, 0.8)


def _square(t: NodeTable) -> Column:
    return ramp(t.rectangularity, 0.55, 0.8) * ramp(1.7 - _aspect(t), 0.0, 0.4)


def _long(t: NodeTable) -> Column:
    return ramp(_aspect(t), 1.4, 3.2)


def _bent(t: NodeTable) -> Column:
    """L, U and curved outlines: far from filling their hull."""
    return ramp(0.88 - t.solidity, 0.0, 0.2)


def _triangular(t: NodeTable) -> Column:
    return ramp(0.72 - t.rectangularity, 0.0, 0.15) * ramp(t.solidity, 0.75, 0.9)


def _metal(t: NodeTable) -> Column:
    return ramp(14.0 - t.chroma, 0.0, 8.0) * ramp(t.lightness, 45.0, 60.0)


def _grassy(t: NodeTable) -> Column:
    return ramp(t.green, 0.3, 0.7)


def _paved(t: NodeTable) -> Column:
    return ramp(t.paved, 0.2, 0.6)


def _earthy(t: NodeTable) -> Column:
    return ramp(34.0 - np.abs((t.hue - 68.0 + 180.0) % 360.0 - 180.0), 0.0, 14.0) * ramp(t.chroma, 4.0, 10.0)


def _striped(t: NodeTable) -> Column:
    return ramp(t.texture, 2.0, 5.0)


WORDS: dict[str, Callable[[NodeTable], Column]] = {
    "round": _round, "circular": _round, "oval": _round, "rectangular": _rectangular, "square": _square,
    "long": _long, "elongated": _long, "narrow": _long, "thin": _long, "linear": _long, "straight": _long,
    "l-shaped": _bent, "u-shaped": _bent, "curved": _bent, "t-shaped": _bent, "winding": _bent, "bent": _bent,
    "irregular": _bent, "triangular": _triangular, "metal": _metal, "metallic": _metal, "concrete": _metal,
    "grassy": _grassy, "grass": _grassy, "wooded": _grassy, "asphalt": _paved, "paved": _paved, "dirt": _earthy,
    "bare": _earthy, "sandy": _earthy, "plowed": _earthy, "ploughed": _earthy, "dry": _earthy, "striped": _striped,
    "textured": _striped,
}  # fmt: skip


def shape_degree(word: str, table: NodeTable) -> Column | None:
    """(node,) in [0, 1], at least 0.15: shape words prefer, they do not exclude; None for a word not known."""
    rule = WORDS.get(word.lower())
    return None if rule is None else 0.15 + 0.85 * rule(table)
