"""How good a network is on held-out samples: the figures of the paper's tables, and of presence."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from inference_server.models.provg.heads import Output
from inference_server.training.provg_losses import Target, corners, mask_rectangle

#: Kinds that name one thing each.
_SEVERAL = frozenset({"class", "number", "negative"})


@dataclass(frozen=True)
class Score:
    """Shares from 0 to 1; REC is of the box head, RES of the mask, both over expressions that name one thing.

    Attributes:
        rec_pr50, rec_miou: boxes with IoU >= 0.5; mean IoU.
        res_pr50, res_miou, res_oiou: masks with IoU >= 0.5; mean IoU; sum of intersections over sum of unions.
        box_of_mask_pr50: rectangles of masks with IoU >= 0.5.
        class_iou: mean IoU of queries for all of a kind that is there.
        presence: right answers to "is it there?" where that is known.
    """

    rec_pr50: float = 0.0
    rec_miou: float = 0.0
    res_pr50: float = 0.0
    res_miou: float = 0.0
    res_oiou: float = 0.0
    box_of_mask_pr50: float = 0.0
    class_iou: float = 0.0
    presence: float = 0.0

    @property
    def overall(self) -> float:
        """What early stopping goes by."""
        return (self.rec_pr50 + self.res_miou + self.class_iou + self.presence) / 4

    def __str__(self) -> str:
        return (
            f"REC Pr@0.5 {self.rec_pr50:.3f} mIoU {self.rec_miou:.3f}; RES Pr@0.5 {self.res_pr50:.3f} mIoU"
            f" {self.res_miou:.3f} oIoU {self.res_oiou:.3f}; class IoU {self.class_iou:.3f};"
            f" presence {self.presence:.3f}"
        )


def box_iou(a: Tensor, b: Tensor) -> Tensor:
    """IoU of each pair of boxes, (batch, 4) centre and size."""
    a, b = corners(a), corners(b)
    common = (torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])).clamp(min=0).prod(1)
    union = (a[:, 2:] - a[:, :2]).prod(1) + (b[:, 2:] - b[:, :2]).prod(1) - common
    return common / union.clamp(min=1e-9)


def score_of(batches: Iterable[tuple[Output, Target, list[str]]]) -> Score:
    """The score over all batches."""
    columns: list[Tensor] = []
    for output, target, kinds in batches:
        found = (output.mask_logits[:, 1] > output.mask_logits[:, 0]) & (target.known > 0.5)
        true = target.mask > 0.5
        inter, union = (found & true).sum((1, 2)).float(), (found | true).sum((1, 2)).float()
        rectangle, is_found = mask_rectangle(output.mask_logits)
        logit = output.presence_logit
        there = found.flatten(1).any(1).float() if logit is None else (logit > 0).float()
        single = torch.tensor([float(k not in _SEVERAL) for k in kinds]) * target.present
        several = torch.tensor([float(k == "class") for k in kinds]) * target.present
        columns.append(
            torch.stack([
                single * target.has_box, several, (there == target.present).float(), target.told, inter, union,
                box_iou(output.box, target.box), box_iou(rectangle, target.box) * is_found,
            ])
        )  # fmt: skip
    single, several, right, told, inter, union, box, of_mask = torch.cat(columns, 1)
    mask = inter / union.clamp(min=1.0)

    def mean(values: Tensor, weight: Tensor) -> float:
        return float((values * weight).sum() / weight.sum().clamp(min=1.0))

    return Score(
        rec_pr50=mean((box >= 0.5).float(), single),
        rec_miou=mean(box, single),
        res_pr50=mean((mask >= 0.5).float(), single),
        res_miou=mean(mask, single),
        res_oiou=float((inter * single).sum() / (union * single).sum().clamp(min=1.0)),
        box_of_mask_pr50=mean((of_mask >= 0.5).float(), single),
        class_iou=mean(mask, several),
        presence=mean(right, told),
    )
