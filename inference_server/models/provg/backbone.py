"""Visual backbones: four stages with maps at strides 4, 8, 16 and 32, so that language can come in between them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from inference_server.models.evidence.network import CHANNELS, EvidenceNetwork
from inference_server.models.provg.config import ProVGConfig


class Backbone(nn.Module):
    """What ProVG asks of a backbone: one stage after another, so that language can come in between.

    Attributes:
        channels: of the maps at strides 4, 8, 16 and 32.
        is_pyramid: all maps are there before language comes in, by ``maps`` instead of ``stage``.
    """

    channels: tuple[int, int, int, int]
    is_pyramid = False

    def stage(self, index: int, x: Tensor) -> Tensor:
        """The map at stride ``4 * 2 ** index``: of the picture for index 0, else of the map before it."""
        raise NotImplementedError

    def maps(self, image: Tensor) -> list[Tensor]:
        """All maps of a picture, finest first; of pyramids only."""
        raise NotImplementedError

    def normalised(self, index: int, x: Tensor) -> Tensor:
        """The stage's map as V_i, ready to be modulated."""
        return x


class PyramidBackbone(Backbone):
    """The evidence network up to its last maps, which its way up has given classes at every stride.

    The map at stride 4 carries the encoder's first maps and the picture's own colours beside them, since a network that
    tells classes apart forgets colours on the way up.
    """

    is_pyramid = True

    def __init__(self, config: ProVGConfig) -> None:
        super().__init__()
        self.channels = (48 + CHANNELS[1] + 3, 64, 96, CHANNELS[4])
        if self.channels != config.channels:
            raise ValueError(f"PyramidBackbone: expected channels {self.channels}, got {config.channels}")
        self.network = EvidenceNetwork()
        del self.network.up2, self.network.head

    def maps(self, image: Tensor) -> list[Tensor]:
        """(batch, bands, row, col) to the maps at strides 4, 8, 16 and 32."""
        network = self.network
        _, f4, f8, f16, f32 = network.features(image)
        up16 = network.up16(f32, f16)
        up8 = network.up8(up16, f8)
        up4 = network.up4(up8, f4)
        return [torch.cat([up4, f4, functional.avg_pool2d(image[:, :3], 4)], 1), up8, up16, f32]


class CompactBackbone(Backbone):
    """Residual convolutions (He et al. 2016) from scratch; the stem halves twice, each later stage once."""

    def __init__(self, config: ProVGConfig) -> None:
        super().__init__()
        self.channels = config.channels
        c1 = config.channels[0]
        stem = nn.Sequential(conv_norm(config.bands, c1 // 2, 3, stride=2), nn.ReLU(inplace=True))
        before = (c1 // 2, *config.channels[:3])
        self.stages = nn.ModuleList()
        for index, (inputs, outputs, depth) in enumerate(zip(before, config.channels, config.depths, strict=True)):
            down = nn.Sequential(conv_norm(inputs, outputs, 3, stride=2), nn.ReLU(inplace=True))
            blocks = [_Residual(outputs) for _ in range(depth)]
            self.stages.append(nn.Sequential(*([stem] if index == 0 else []), down, *blocks))

    def stage(self, index: int, x: Tensor) -> Tensor:
        out: Tensor = self.stages[index](x)
        return out


class SwinBackbone(Backbone):
    """Swin Transformer through transformers (paper: Swin-B, patch 4, window 12), a norm on each stage's map."""

    def __init__(self, config: ProVGConfig, *, swin_config: Any = None) -> None:
        """Weights of ``config.pretrained_backbone``; random ones of ``swin_config``'s sizes where it is given."""
        super().__init__()
        from transformers import SwinConfig, SwinModel

        if swin_config is not None or not config.pretrained_backbone:
            sizes = swin_config or SwinConfig(
                image_size=config.image_size, embed_dim=config.channels[0], window_size=12,
                depths=[2, 2, 18, 2], num_heads=[config.channels[0] // 32 * 2**i for i in range(4)],
            )  # fmt: skip
            self.swin = SwinModel(sizes, add_pooling_layer=False)
        else:
            self.swin = SwinModel.from_pretrained(
                config.pretrained_backbone, add_pooling_layer=False, revision=config.backbone_revision or "main"
            )
        embed = int(self.swin.config.embed_dim)
        self.channels = (embed, 2 * embed, 4 * embed, 8 * embed)
        if self.channels != config.channels:
            raise ValueError(f"SwinBackbone: expected channels {self.channels}, got {config.channels}")
        del self.swin.layernorm
        self.norms = nn.ModuleList(nn.LayerNorm(c) for c in self.channels)

    def stage(self, index: int, x: Tensor) -> Tensor:
        layers: Any = self.swin.encoder.layers
        if index == 0:
            tokens, (rows, cols) = self.swin.embeddings(x, interpolate_pos_encoding=True)
        else:
            rows, cols = x.shape[-2:]
            tokens = layers[index - 1].downsample(x.flatten(2).transpose(1, 2), (rows, cols))
            rows, cols = (rows + 1) // 2, (cols + 1) // 2
        for block in layers[index].blocks:
            tokens, _ = block(tokens, (rows, cols))
        return _as_map(tokens, rows, cols)

    def normalised(self, index: int, x: Tensor) -> Tensor:
        rows, cols = x.shape[-2:]
        return _as_map(self.norms[index](x.flatten(2).transpose(1, 2)), rows, cols)


def _as_map(tokens: Tensor, rows: int, cols: int) -> Tensor:
    return tokens.transpose(1, 2).reshape(tokens.shape[0], -1, rows, cols)


def conv_norm(inputs: int, outputs: int, kernel: int, *, stride: int = 1) -> nn.Sequential:
    """A convolution without bias, then batch normalisation."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False), nn.BatchNorm2d(outputs)
    )


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = conv_norm(channels, channels, 3), conv_norm(channels, channels, 3)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x + self.second(functional.relu(self.first(x))))


def backbone(config: ProVGConfig) -> Backbone:
    """The backbone that the settings ask for."""
    made = {"pyramid": PyramidBackbone, "compact": CompactBackbone, "swin": SwinBackbone}[config.backbone]
    return made(config)
