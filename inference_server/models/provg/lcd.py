"""The language-guided calibration decoder: fused maps refined from coarse to fine (ProVG, Sec. 4.4.1)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from inference_server.models.provg.config import ProVGConfig


class CalibrationModule(nn.Module):
    """X + X * sigmoid(mean over words of Linear(L_c)); the inner part of Eq. 11."""

    def __init__(self, width: int, text_width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(text_width, width)

    def forward(self, x: Tensor, sentence: Tensor) -> Tensor:
        """(batch, C, row, col) and the mean over words, (batch, D); a mean and a linear map may change places."""
        return x + x * torch.sigmoid(self.linear(sentence))[..., None, None]


class CalibrationDecoder(nn.Module):
    """Eqs. 10 and 11. Eq. 10's V'_(i-1) is what was decoded before, that is V'_(i+1)."""

    def __init__(self, config: ProVGConfig) -> None:
        super().__init__()
        width = config.width
        self.mix = nn.ModuleList(nn.Conv2d(width if i == 3 else 2 * width, width, 1) for i in range(4))
        self.calibrate = nn.ModuleList(
            CalibrationModule(width, config.text_width) for _ in range(4 if config.calibration else 0)
        )

    def forward(self, maps: Sequence[Tensor], sentence: Tensor) -> list[Tensor]:
        """Maps at strides 4, 8, 16 and 32 to V' at strides 4, 4, 8 and 16.

        Eq. 10 doubles the last map, too. What reads it is a 1 x 1 convolution and a bilinear interpolation, which may
        change places, so that it stays as it is: a quarter of the pixels, the same mask.
        """
        decoded: list[Tensor] = []
        for i in (3, 2, 1, 0):
            x = self.mix[i](torch.cat([maps[i], decoded[0]], 1) if decoded else maps[i])
            if len(self.calibrate):
                x = self.calibrate[i](x, sentence)
            if i:
                x = functional.interpolate(x, size=maps[i - 1].shape[-2:], mode="bilinear", align_corners=False)
            decoded.insert(0, x)
        return decoded
