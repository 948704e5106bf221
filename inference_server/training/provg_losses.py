"""ProVG's training objective (Sec. 4.5): box, mask and consistency losses, and a presence loss of our own."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor
from torch.nn import functional

from inference_server.models.provg.heads import Output

#: Smooth L1 weighs ten times the GIoU, Eq. 14.
SMOOTH_L1 = 10.0
#: Of background and foreground in the cross-entropy (FIANet, RMSIN).
CLASS_WEIGHTS = (0.9, 1.1)


@dataclass(frozen=True)
class LossWeights:
    """Lambda 1, 2 and 3 of Eq. 15 (Table 5 varies two of them), and what is ours.

    Attributes:
        box, mask, consistency: Lambda 1, 2 and 3.
        presence: weight of the presence loss.
        dice: share of Dice in the mask loss, the rest is cross-entropy; FIANet's and RMSIN's is 0.1.
    """

    box: float = 1.0
    mask: float = 0.5
    consistency: float = 0.1
    presence: float = 0.5
    dice: float = 0.1


@dataclass(frozen=True, eq=False)
class Target:
    """What is true of a batch.

    Attributes:
        mask: (batch, row, col) float32, 1 where the target is.
        known: (batch, row, col) float32, 0 where nothing is known.
        box: (batch, 4) centre x, centre y, width, height, relative; any value where there is no target.
        present: (batch,) float32, 0 for expressions that nothing fits.
        has_box: (batch,) float32, 0 where the box is not to be learnt.
        told: (batch,) float32, 0 where nobody knows whether something fits.
    """

    mask: Tensor
    known: Tensor
    box: Tensor
    present: Tensor
    has_box: Tensor
    told: Tensor

    def to(self, device: torch.device) -> Target:
        """On another device."""
        return Target(*(getattr(self, f.name).to(device, non_blocking=True) for f in fields(self)))


def objective(output: Output, target: Target, weights: LossWeights) -> dict[str, Tensor]:
    """Eq. 15 as "total", and its parts."""
    parts = {
        "box": _mean_where(box_loss(output.box, target.box), target.has_box),
        "mask": mask_loss(output.mask_logits, target, weights.dice),
        "consistency": consistency_loss(output.box, output.mask_logits, target.has_box),
    }
    if output.presence_logit is not None:
        doubt = functional.binary_cross_entropy_with_logits(output.presence_logit, target.present, reduction="none")
        parts["presence"] = _mean_where(doubt, target.told)
    total = torch.stack([getattr(weights, name) * value for name, value in parts.items()]).sum()
    return {**parts, "total": total}


def _mean_where(values: Tensor, weight: Tensor) -> Tensor:
    return (values * weight).sum() / weight.sum().clamp(min=1.0)


def box_loss(predicted: Tensor, true: Tensor) -> Tensor:
    """10 smooth L1 + GIoU of each pair of boxes, (batch,); boxes as centre x, centre y, width, height."""
    distance = functional.smooth_l1_loss(predicted, true, reduction="none").mean(1)
    return SMOOTH_L1 * distance + 1.0 - generalized_iou(corners(predicted), corners(true))


def corners(box: Tensor) -> Tensor:
    """(batch, 4) centre and size to x_min, y_min, x_max, y_max."""
    center, size = box[:, :2], box[:, 2:]
    return torch.cat([center - size / 2, center + size / 2], 1)


def generalized_iou(a: Tensor, b: Tensor) -> Tensor:
    """GIoU (Rezatofighi et al. 2019) of each pair of boxes given by corners: (batch,) in [-1, 1]."""
    upper, lower = torch.maximum(a[:, :2], b[:, :2]), torch.minimum(a[:, 2:], b[:, 2:])
    common = (lower - upper).clamp(min=0).prod(1)
    union = (a[:, 2:] - a[:, :2]).prod(1) + (b[:, 2:] - b[:, :2]).prod(1) - common
    hull = (torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])).prod(1)
    tiny = torch.finfo(a.dtype).eps
    return common / union.clamp(min=tiny) - (hull - union) / hull.clamp(min=tiny)


def mask_loss(logits: Tensor, target: Target, dice_share: float = LossWeights.dice) -> Tensor:
    """Weighted cross-entropy and Dice, over what is known; Dice over samples with a target."""
    weight = torch.tensor(CLASS_WEIGHTS, device=logits.device, dtype=logits.dtype)
    entropy = functional.cross_entropy(logits, target.mask.long(), reduction="none")
    # As cross_entropy's own "mean" does it: the weights are divided by.
    pixel_weight = torch.where(target.mask > 0.5, weight[1], weight[0]) * target.known
    mean_entropy = (entropy * pixel_weight).sum() / pixel_weight.sum().clamp(min=1.0)
    probability = (logits[:, 1] - logits[:, 0]).sigmoid() * target.known
    true = target.mask * target.known
    overlap = (probability * true).sum((1, 2))
    dice = 1.0 - (2.0 * overlap + 1.0) / (probability.sum((1, 2)) + true.sum((1, 2)) + 1.0)
    has_mask = (true.sum((1, 2)) > 0).to(dice.dtype)
    return (1 - dice_share) * mean_entropy + dice_share * _mean_where(dice, has_mask)


def consistency_loss(box: Tensor, logits: Tensor, has_box: Tensor) -> Tensor:
    """Eq. 14 between the predicted box and the rectangle of the predicted mask; samples without a mask are skipped.

    The rectangle is not differentiable, so only the box learns from it.
    """
    rectangle, is_found = mask_rectangle(logits.detach())
    return _mean_where(box_loss(box, rectangle), is_found * has_box)


def mask_rectangle(logits: Tensor) -> tuple[Tensor, Tensor]:
    """The smallest rectangle around each mask, (batch, 4) as centre and size; and (batch,) 1 where there is one."""
    is_on = logits[:, 1] > logits[:, 0]
    rows, cols = is_on.shape[1:]
    spans = []
    for seen, length in ((is_on.any(1), cols), (is_on.any(2), rows)):
        first = seen.float().argmax(1)
        last = length - seen.flip(1).float().argmax(1)
        spans.append((first / length, last / length))
    (x0, x1), (y0, y1) = spans
    box = torch.stack([(x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0], 1)
    return box, is_on.flatten(1).any(1).to(logits.dtype)
