"""The cross-scale fusion module: top-down, then bottom-up (ProVG, Sec. 4.3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from inference_server.models.provg.backbone import conv_norm
from inference_server.models.provg.config import ProVGConfig


class RepVGGBlock(nn.Module):
    """A 3 x 3 and a 1 x 1 convolution side by side, one 3 x 3 after ``fuse`` (Ding et al. 2021; Zhao et al. 2024)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.three, self.one = conv_norm(channels, channels, 3), conv_norm(channels, channels, 1)
        self.fused: nn.Conv2d | None = None

    def forward(self, x: Tensor) -> Tensor:
        """(batch, C, row, col) to the same."""
        return functional.silu(self.three(x) + self.one(x) if self.fused is None else self.fused(x))

    @torch.no_grad()
    def fuse(self) -> None:
        """Folds both branches and their norms into one convolution; for inference only."""
        if self.fused is not None:
            return
        (kernel3, bias3), (kernel1, bias1) = _folded(self.three), _folded(self.one)
        fused = nn.Conv2d(kernel3.shape[1], kernel3.shape[0], 3, padding=1)
        fused.weight.copy_(kernel3 + functional.pad(kernel1, (1, 1, 1, 1)))
        if fused.bias is not None:
            fused.bias.copy_(bias3 + bias1)
        self.fused = fused.to(kernel3.device)
        del self.three, self.one


def _folded(branch: nn.Sequential) -> tuple[Tensor, Tensor]:
    """Kernel and bias of a convolution with its batch normalisation in it."""
    conv: Any = branch[0]
    norm: Any = branch[1]
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    return conv.weight * scale[:, None, None, None], norm.bias - norm.running_mean * scale


class FusionBlock(nn.Module):
    """RT-DETR's CSPRepLayer on a sum of two maps: a chain of ``RepVGGBlock`` beside a 1 x 1 branch, added up."""

    def __init__(self, channels: int, depth: int) -> None:
        super().__init__()
        self.into, self.beside = conv_norm(channels, channels, 1), conv_norm(channels, channels, 1)
        self.chain = nn.Sequential(*(RepVGGBlock(channels) for _ in range(depth)))

    def forward(self, x: Tensor) -> Tensor:
        """(batch, C, row, col) to the same."""
        out: Tensor = self.chain(functional.silu(self.into(x))) + functional.silu(self.beside(x))
        return out


class CrossScaleFusion(nn.Module):
    """Four maps to four maps of ``width`` channels; Eqs. 8 and 9."""

    def __init__(self, config: ProVGConfig) -> None:
        super().__init__()
        width, depth = config.width, config.fusion_depth
        self.is_cascaded, self.is_on = config.is_cascaded, config.fusion
        self.lateral = nn.ModuleList(conv_norm(c, width, 1) for c in config.channels)
        if self.is_on:
            self.down_blocks = nn.ModuleList(FusionBlock(width, depth) for _ in range(3))
            self.up_blocks = nn.ModuleList(FusionBlock(width, depth) for _ in range(3))
            self.reduce = nn.ModuleList(nn.Conv2d(width, width, 3, stride=2, padding=1) for _ in range(3))

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Maps at strides 4, 8, 16 and 32; the same strides come back."""
        v = [project(x) for project, x in zip(self.lateral, maps, strict=True)]
        if not self.is_on:
            return v
        down = [*v]
        for i in (2, 1, 0):
            coarser = down[i + 1] if self.is_cascaded else v[i + 1]
            up = functional.interpolate(coarser, size=v[i].shape[-2:], mode="nearest")
            down[i] = self.down_blocks[i](v[i] + up)
        fused = [down[0]]
        for i in (1, 2, 3):
            # Eq. 9 reads the top-down map below, or what it became where the fusion is cascaded.
            finer = fused[i - 1] if self.is_cascaded else down[i - 1]
            fused.append(self.up_blocks[i - 1](down[i] + self.reduce[i - 1](finer)))
        return fused
