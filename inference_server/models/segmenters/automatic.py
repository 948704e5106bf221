"""Automatic mask generation: a grid of clicks, the masks that are sure and stable, the best of those that overlap."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from inference_server.geometry import Mask, hbb_of_mask, iou_hbb, nms
from inference_server.models.base import Progress
from inference_server.models.segmenters.base import Everything
from inference_server.models.segmenters.frame import Frame, mask_of
from inference_server.segmenter import Segment

FloatArray = NDArray[np.float32]
#: Clicks (n, 2) in tile pixels -> logits (n, m, side, side) and expected IoUs (n, m).
Decode = Callable[[NDArray[np.float64]], tuple[FloatArray, FloatArray]]


def everything(
    decode: Decode, frame: Frame, valid: NDArray[np.bool_], settings: Everything, progress: Progress
) -> list[Segment]:
    """Masks of everything on a tile, best first (Kirillov et al. 2023, appendix B).

    Args:
        decode: answers a batch of clicks.
        frame: between the tile and the network.
        valid: (row, col) bool; no click is made, and no mask reaches, where it is False.
        settings: grid and thresholds.
        progress: told of every batch.
    """
    clicks = grid(frame.height, frame.width, settings.points_per_side)
    clicks = clicks[valid[clicks[:, 1].astype(int), clicks[:, 0].astype(int)]]
    found: list[Segment] = []
    for start in range(0, len(clicks), settings.points_per_batch):
        progress("everything", start, len(clicks))
        logits, scores = decode(clicks[start : start + settings.points_per_batch])
        # Only what the network is sure of is worth the way up to the tile's resolution.
        for i, j in zip(*np.nonzero(scores > settings.pred_iou), strict=True):
            there = frame.to_tile(logits[i, j])
            if stability(there, settings.stability_offset) >= settings.stability:
                mask = mask_of((there > 0) & valid)
                if mask is not None:
                    found.append(Segment(mask, float(np.clip(scores[i, j], 0.0, 1.0))))
    progress("everything", len(clicks), len(clicks))
    if not found:
        return []
    boxes = np.array([_corners(s.mask) for s in found])
    kept = nms(np.array([s.score for s in found]), iou_hbb(boxes, boxes), settings.nms_iou)
    return [found[k] for k in kept]


def grid(height: int, width: int, per_side: int) -> NDArray[np.float64]:
    """(n, 2) clicks x, y in the middles of ``per_side`` by ``per_side`` cells of a tile."""
    middles = (np.arange(per_side) + 0.5) / per_side
    x, y = np.meshgrid(middles * width, middles * height)
    return np.stack([x.ravel(), y.ravel()], axis=1)


def stability(logits: FloatArray, offset: float) -> float:
    """Area above ``offset`` over area above minus ``offset``: near 1 where the outline is sharp; 0 without any."""
    wide = np.count_nonzero(logits > -offset)
    return np.count_nonzero(logits > offset) / wide if wide else 0.0


def _corners(mask: Mask) -> tuple[float, float, float, float]:
    box = hbb_of_mask(mask)
    return box.x_min, box.y_min, box.x_max, box.y_max
