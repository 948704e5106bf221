"""From the attention of two models to masks: Focus, Evolve, binarise, Refine (paper, Eqs. 2 to 7)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference_server.geometry import HBB, Mask, hbb_of_mask
from inference_server.models.segmenters.base import PromptedTile
from inference_server.models.zeroov.config import ZeroOVConfig
from inference_server.models.zeroov.evolve import evolved, grown, instances, seeds_of
from inference_server.models.zeroov.interaction import Map, interact, min_max, resized

#: So many clicks are taken from an instance where a segmenter is prompted with points.
CLICKS = 3
#: What an answer is made of where nothing grew, and what the user is told of it.
FALLBACKS = {
    "vlm box": "Attention grew into nothing: the box that the language model wrote was used.",
    "seeds": "Attention grew into nothing and the language model wrote no box: its strongest responses were used.",
}


@dataclass(frozen=True, eq=False)
class Attention:
    """The maps of one expression, each (row, col) of one grid, in [0, 1].

    Attributes:
        cross: A_C on the working grid. focused: A_CS. evolved: A_E.
    """

    cross: Map
    focused: Map
    evolved: Map


def attend(
    cross: Map, structure: NDArray[np.float32] | None, config: ZeroOVConfig, *, grid: tuple[int, int] | None = None
) -> Attention:
    """A_C, A_CS and A_E.

    Args:
        cross: A_C on the VLM's grid.
        structure: A_S, (n * n, n * n); None leaves A_C as it is ("w/o DM").
        config: interaction, order, thresholds.
        grid: (row, col) of A_S's cells, where they are no square.
    """
    side = 32 if structure is None else round(structure.shape[0] ** 0.5)
    cross = min_max(resized(cross, grid or (side, side)))
    if config.order == "evolve-focus":
        first = evolved(cross, cross, seeds=config.seeds, above=config.grow_above) if config.evolve else cross
        focused = _focused(first, structure, config)
        return Attention(cross, focused, focused)
    focused = _focused(cross, structure, config)
    last = evolved(cross, focused, seeds=config.seeds, above=config.grow_above) if config.evolve else focused
    return Attention(cross, focused, last)


def _focused(cross: Map, structure: NDArray[np.float32] | None, config: ZeroOVConfig) -> Map:
    if structure is None:
        return cross
    return interact(cross, structure, config.interaction, seeds=config.seeds, exponent=config.exponent)


@dataclass(frozen=True, eq=False)
class Grounded:
    """One region that an expression names.

    Attributes:
        mask: its pixels. score: mean of A_E over what was grown, 0 to 1.
        path: "attention", or one of ``FALLBACKS``: what it was made from.
    """

    mask: Mask
    score: float
    path: str


def ground(
    attention: Attention,
    shape: tuple[int, int],
    config: ZeroOVConfig,
    *,
    segmenter: PromptedTile | None,
    box: HBB | None,
    whole: bool,
) -> list[Grounded]:
    """Masks at the tile's size, best first; never none.

    Args:
        attention: from ``attend``.
        shape: (row, col) of the tile.
        config: threshold and kind of refinement.
        segmenter: for Refine; None leaves masks as they grew.
        box: that the VLM wrote, used where nothing was grown.
        whole: everything that was grown is one answer, as in the paper; else each connected piece is one.
    """
    large = resized(attention.evolved, shape)
    region = large > config.mask_above  # Eq. 7
    found = instances(region, large)
    if not found:
        return [_fallback(attention, shape, config, segmenter, box)]
    pieces = [_bounded(region)] if whole else [mask for mask, _ in found]
    out = []
    for mask in pieces:
        rows, cols = mask.pixels.shape
        there = large[mask.row : mask.row + rows, mask.col : mask.col + cols]
        out.append(
            Grounded(refined(mask, there, shape, config, segmenter), float(there[mask.pixels].mean()), "attention")
        )
    return sorted(out, key=lambda item: -item.score)


def _fallback(
    attention: Attention, shape: tuple[int, int], config: ZeroOVConfig, segmenter: PromptedTile | None, box: HBB | None
) -> Grounded:
    path = "vlm box" if box is not None else "seeds"
    mask = None if box is None else _of_box(box, shape)
    if mask is None:
        path = "seeds"
        side = attention.cross.shape
        cells = grown(seeds_of(attention.cross, config.seeds), np.zeros(side), 1.0)
        rows, cols = np.flatnonzero(cells.any(axis=1)), np.flatnonzero(cells.any(axis=0))
        fy, fx = shape[0] / side[0], shape[1] / side[1]
        mask = _of_box(HBB(cols[0] * fx, rows[0] * fy, (cols[-1] + 1) * fx, (rows[-1] + 1) * fy), shape)
    if mask is None:
        raise ValueError(f"a tile of {shape[0]} x {shape[1]} pixels is too small to ground anything in")
    ones = np.ones(mask.pixels.shape)
    return Grounded(refined(mask, ones, shape, config, segmenter), config.grow_above, path)


def _of_box(box: HBB, shape: tuple[int, int]) -> Mask | None:
    row0, row1 = max(0, round(box.y_min)), min(shape[0], round(box.y_max))
    col0, col1 = max(0, round(box.x_min)), min(shape[1], round(box.x_max))
    if row1 <= row0 or col1 <= col0:
        return None
    return Mask(np.ones((row1 - row0, col1 - col0), bool), row0, col0)


def _bounded(region: NDArray[np.bool_]) -> Mask:
    rows, cols = np.flatnonzero(region.any(axis=1)), np.flatnonzero(region.any(axis=0))
    return Mask(region[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1], int(rows[0]), int(cols[0]))


def refined(
    mask: Mask, attention: Map, shape: tuple[int, int], config: ZeroOVConfig, segmenter: PromptedTile | None
) -> Mask:
    """The mask that a segmenter makes of a grown one; the grown one where it has none.

    Args:
        mask: grown.
        attention: A_E over the mask's window, whose peaks are the clicks.
        shape: (row, col) of the tile.
        config: what the segmenter is prompted with.
        segmenter: or None.
    """
    if segmenter is None or config.refine == "none":
        return mask
    if config.refine == "box":
        segment = segmenter.segment_box(hbb_of_mask(mask))
    elif config.refine == "points":
        inside = np.where(mask.pixels, attention, -1.0)
        best = np.argsort(-inside, axis=None)[: int(mask.pixels.sum())]
        chosen = best[np.linspace(0, len(best) // 2, CLICKS).astype(int)]
        rows, cols = np.unravel_index(np.unique(chosen), inside.shape)
        segment = segmenter.segment_points(
            [(c + mask.col + 0.5, r + mask.row + 0.5) for r, c in zip(rows.tolist(), cols.tolist(), strict=True)]
        )
    else:
        segment = segmenter.segment_mask(mask.full(shape))
    return mask if segment is None else segment.mask
