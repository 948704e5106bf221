"""The evidence network: a small residual encoder with a top-down decoder, in torch; only training needs it.

An encoder of strides 2 to 32 in the manner of ResNet (He et al. 2016), feature maps added on the way up as in a feature
pyramid (Lin et al. 2017), one logit an output at stride 2, and a last one for "none of the classes". Beside red, green
and blue it reads the pixel size, as a plane of log2(gsd / 0.3 m), and a plane that says whether it is known.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from inference_server.models.evidence.classes import EVIDENCE_CLASSES, OUTPUTS

CHANNELS = (24, 48, 96, 160, 224)
INPUTS = 5


class EvidenceNetwork(nn.Module):
    """(batch, 5, row, col) to (batch, output, row / 2, col / 2) logits; rows and columns are multiples of 32."""

    def __init__(self, channels: tuple[int, ...] = CHANNELS, outputs: int = len(OUTPUTS) + 1) -> None:
        super().__init__()
        c2, c4, c8, c16, c32 = channels
        self.stem = _conv(INPUTS, c2, stride=2)
        self.stage4 = nn.Sequential(_conv(c2, c4, stride=2), _Residual(c4))
        self.stage8 = nn.Sequential(_conv(c4, c8, stride=2), _Residual(c8), _Residual(c8))
        self.stage16 = nn.Sequential(_conv(c8, c16, stride=2), _Residual(c16), _Residual(c16))
        self.stage32 = nn.Sequential(_conv(c16, c32, stride=2), _Residual(c32), _Residual(c32))
        self.up16 = _Up(c32, c16, 96)
        self.up8 = _Up(96, c8, 64)
        self.up4 = _Up(64, c4, 48)
        self.up2 = _Up(48, c2, 24)
        self.head = nn.Conv2d(24, outputs, 1)

    def features(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """The encoder's maps at strides 2, 4, 8, 16 and 32."""
        f2 = self.stem(image)
        f4 = self.stage4(f2)
        f8 = self.stage8(f4)
        f16 = self.stage16(f8)
        return f2, f4, f8, f16, self.stage32(f16)

    def forward(self, image: Tensor) -> Tensor:
        f2, f4, f8, f16, f32 = self.features(image)
        x = self.up16(f32, f16)
        x = self.up8(x, f8)
        x = self.up4(x, f4)
        logits: Tensor = self.head(self.up2(x, f2))
        return logits


class Probabilities(nn.Module):
    """Logits to probabilities in the order of ``OUTPUTS``: classes exclude one another, core and rim stand alone."""

    def forward(self, logits: Tensor) -> Tensor:
        n = len(EVIDENCE_CLASSES)
        joint = torch.cat([logits[:, :n], logits[:, -1:]], 1)
        # onnxruntime's softmax over any axis but the last is five times slower than its parts.
        raised = torch.exp(joint - joint.amax(1, keepdim=True))
        classes = raised[:, :n] / raised.sum(1, keepdim=True)
        return torch.cat([classes, torch.sigmoid(logits[:, n:-1])], 1)


def _conv(inputs: int, outputs: int, *, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _conv(channels, channels)
        self.second = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x + self.second(self.first(x)))


class _Up(nn.Module):
    """The coarser map, doubled, plus the finer one, both brought to as many channels; then a 3 x 3 convolution."""

    def __init__(self, coarse: int, fine: int, outputs: int) -> None:
        super().__init__()
        self.from_coarse = nn.Conv2d(coarse, outputs, 1, bias=False)
        self.from_fine = nn.Conv2d(fine, outputs, 1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        self.mix = _conv(outputs, outputs)

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        doubled = functional.interpolate(self.from_coarse(coarse), scale_factor=2.0, mode="nearest")
        mixed: Tensor = self.mix(functional.relu(self.norm(doubled + self.from_fine(fine))))
        return mixed
