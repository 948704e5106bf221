"""The task heads: mask, box and, beyond the paper, presence (ProVG, Sec. 4.4.2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from inference_server.models.provg.config import ProVGConfig


@dataclass(frozen=True, eq=False)
class Output:
    """What the network says of a batch.

    Attributes:
        mask_logits: (batch, 2, row, col): background and foreground, of the input's size.
        box: (batch, 4) in (0, 1): centre x, centre y, width, height, relative to the input.
        presence_logit: (batch,); None without a presence head.
    """

    mask_logits: Tensor
    box: Tensor
    presence_logit: Tensor | None

    def float(self) -> Output:
        """In 32 bits, after mixed precision."""
        return self._mapped(lambda x: x.float())

    def cpu(self) -> Output:
        """On the CPU."""
        return self._mapped(lambda x: x.cpu())

    def _mapped(self, change: Callable[[Tensor], Tensor]) -> Output:
        presence = None if self.presence_logit is None else change(self.presence_logit)
        return Output(change(self.mask_logits), change(self.box), presence)


class BoxHead(nn.Module):
    """Stages pooled, weighted (Eqs. 12 and 13), and read by a three-layer perceptron."""

    def __init__(self, config: ProVGConfig) -> None:
        super().__init__()
        width = config.width
        self.config = config
        inputs = width + (2 if config.coordinates else 0)
        self.project = nn.ModuleList(nn.Conv2d(inputs, width, 1) for _ in range(4))
        self.stage_weights = nn.Linear(4, 4)
        self.mlp = nn.Sequential(
            nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 4)
        )
        if config.box_anchor:
            nn.init.zeros_(self.mlp[-1].weight)
            nn.init.zeros_(self.mlp[-1].bias)

    def forward(self, decoded: Sequence[Tensor], foreground: Tensor) -> tuple[Tensor, Tensor]:
        """The box, (batch, 4), and F_rec, (batch, C).

        Args:
            decoded: V' of the four stages.
            foreground: (batch, 1, row, col) logits, which "mask" pooling weighs pixels by and anchors lie around.
        """
        pooled = torch.stack([self._pool(i, x, foreground) for i, x in enumerate(decoded)], 1)
        if self.config.aggregation:
            weights = self.stage_weights(pooled.mean(2)).softmax(1)
            features = (weights[..., None] * pooled).sum(1)
        else:
            features = pooled[:, 0]
        box = self.mlp(features)
        if self.config.box_anchor:
            box = box + torch.logit(rectangle_of(foreground.detach()).to(box.dtype), eps=1e-3)
        return torch.sigmoid(box), features

    def _pool(self, index: int, x: Tensor, foreground: Tensor) -> Tensor:
        if self.config.coordinates:
            x = torch.cat([x, coordinates_like(x)], 1)
        # Without a nonlinearity the mean of the coordinates would be the same for every picture.
        x = functional.relu(self.project[index](x))
        if self.config.box_pooling == "mean":
            return x.mean((2, 3))
        # Detached: the box is read off where the mask is, and does not pull the mask about.
        weight = torch.sigmoid(foreground.detach())
        weight = functional.avg_pool2d(weight, 2 ** max(0, index - 1)) + 1e-4
        return (x * weight).sum((2, 3)) / weight.sum((2, 3))


def rectangle_of(foreground: Tensor) -> Tensor:
    """The upright rectangle with the middle and the second moments of what is likely foreground.

    Pixels of at least half the greatest probability count, each by its probability. Of a filled upright rectangle it is
    that rectangle, whatever the background's faint probabilities.

    Args:
        foreground: (batch, 1, row, col) logits.

    Returns:
        (batch, 4): centre x, centre y, width, height, relative.
    """
    probability = torch.sigmoid(foreground.float())
    weight = probability * (probability >= probability.amax((2, 3), keepdim=True) / 2)
    total = weight.sum((2, 3))
    grid = coordinates_like(weight)
    middle = (weight * grid).sum((2, 3)) / total
    spread = (weight * (grid - middle[:, :, None, None]) ** 2).sum((2, 3)) / total
    # A rectangle of that width has a variance of width^2 / 12, of which pixels' middles miss their own.
    pixel = 2 * grid.amin((2, 3))
    return torch.cat([middle, (12 * spread + pixel**2).sqrt().clamp(max=1.0)], 1)


def coordinates_like(x: Tensor) -> Tensor:
    """(batch, 2, row, col): x and y of pixel centres, from 0 to 1."""
    rows, cols = x.shape[-2:]
    down = (torch.arange(rows, device=x.device, dtype=x.dtype) + 0.5) / rows
    across = (torch.arange(cols, device=x.device, dtype=x.dtype) + 0.5) / cols
    grid = torch.stack([across[None, :].expand(rows, cols), down[:, None].expand(rows, cols)])
    return grid[None].expand(x.shape[0], 2, rows, cols)


class Heads(nn.Module):
    """Unified prediction of mask, box and presence from the decoded maps."""

    def __init__(self, config: ProVGConfig) -> None:
        super().__init__()
        self.mask = nn.Conv2d(config.width, 2, 1)
        self.kernel = nn.Linear(config.text_width, config.width) if config.word_kernel else None
        self.box = BoxHead(config)
        self.presence = (
            nn.Sequential(nn.Linear(config.width + 1, config.width), nn.ReLU(), nn.Linear(config.width, 1))
            if config.presence
            else None
        )

    def forward(self, decoded: Sequence[Tensor], sentence: Tensor, size: tuple[int, int]) -> Output:
        """The answers.

        Args:
            decoded: V' of the four stages.
            sentence: (batch, D), the mean over the expression's words.
            size: rows and columns of the mask wanted.
        """
        logits = self.mask(decoded[0])
        if self.kernel is not None:
            x = decoded[0]
            said = torch.einsum("bchw,bc->bhw", x, self.kernel(sentence)) * x.shape[1] ** -0.5
            logits = logits + torch.stack([torch.zeros_like(said), said], 1)
        foreground = logits[:, 1:] - logits[:, :1]
        box, features = self.box(decoded, foreground)
        presence = None
        if self.presence is not None:
            strongest = torch.tanh(foreground.amax((2, 3)) / 4)
            presence = self.presence(torch.cat([features, strongest], 1))[:, 0]
        whole = functional.interpolate(logits, size=size, mode="bilinear", align_corners=False)
        return Output(whole, box, presence)
