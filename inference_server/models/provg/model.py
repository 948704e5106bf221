"""The ProVG network: backbone with progressive modulation, cross-scale fusion, calibrated decoding, heads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from inference_server.models.provg.backbone import Backbone, backbone
from inference_server.models.provg.cfm import CrossScaleFusion, RepVGGBlock
from inference_server.models.provg.config import ProVGConfig
from inference_server.models.provg.heads import Heads, Output
from inference_server.models.provg.inputs import Tokens
from inference_server.models.provg.lcd import CalibrationDecoder
from inference_server.models.provg.pcm import Language, Modulator, WordFeatures
from inference_server.models.provg.text import masked_mean, text_encoder


class ProVG(nn.Module):
    """Pictures and cues to masks, boxes and presence.

    Args:
        config: of what it is made.
        visual: a backbone instead of the one that ``config`` names, such as a tiny Swin.
        text: a text encoder instead of the one that ``config`` names.
    """

    def __init__(self, config: ProVGConfig, *, visual: Backbone | None = None, text: nn.Module | None = None) -> None:
        super().__init__()
        self.config = config
        self.visual = backbone(config) if visual is None else visual
        self.text = text_encoder(config) if text is None else text
        self.modulators = nn.ModuleList(Modulator(c, config) for c in config.channels)
        self.fusion = CrossScaleFusion(config)
        self.decoder = CalibrationDecoder(config)
        self.heads = Heads(config)

    def read(self, tokens: Tensor) -> WordFeatures:
        """Word features of one kind of cue: ``tokens`` is (3, batch, token): ids, segments, positions."""
        ids, segments, positions = tokens[0], tokens[1], tokens[2]
        return WordFeatures(self.text(ids, segments, positions), segments > 0)

    def forward(self, image: Tensor, context: Tensor, spatial: Tensor, attributes: Tensor) -> Output:
        """(picture, bands, row, col) and three times (3, batch, token) to the answers.

        The batch is as large as there are pictures, or a multiple: then the first expressions are of the first picture,
        as many of the next, and so on.
        """
        language = Language(self.read(context), self.read(spatial), self.read(attributes))
        modulated = self.modulated_maps(image, language)
        sentence = masked_mean(language.context.features, language.context.is_word)
        decoded = self.decoder(self.fusion(modulated), sentence)
        output: Output = self.heads(decoded, sentence, (image.shape[-2], image.shape[-1]))
        return output

    def modulated_maps(self, image: Tensor, language: Language) -> list[Tensor]:
        """The four modulated maps; unless the backbone is a pyramid, the next stage reads what language made of one."""
        each = language.context.features.shape[0] // image.shape[0]
        if self.visual.is_pyramid:
            maps = self.visual.maps(image)
            return [modulate(_repeated(x, each), language) for modulate, x in zip(self.modulators, maps, strict=True)]
        maps, x = [], _repeated(image, each)
        for index, modulate in enumerate(self.modulators):
            x = self.visual.stage(index, x)
            modulated = modulate(self.visual.normalised(index, x), language)
            maps.append(modulated)
            if self.config.modulation != "none":
                x = x + modulated if self.config.is_residual else modulated
        return maps

    def fuse(self) -> ProVG:
        """Folds re-parameterisable blocks, in place, for inference; returns the network."""
        for module in self.modules():
            if isinstance(module, RepVGGBlock):
                module.fuse()
        return self


def _repeated(x: Tensor, count: int) -> Tensor:
    """Each picture's map so many times in a row."""
    return x.repeat_interleave(count, 0) if count > 1 else x


def tensors_of(tokens: Tokens) -> Tensor:
    """Packed tokens as the network takes them: (3, batch, token) int64."""
    return torch.stack([torch.from_numpy(part) for part in (tokens.ids, tokens.segments, tokens.positions)])


def save_checkpoint(network: ProVG, path: Path, *, vocabulary: tuple[str, ...] = (), **more: Any) -> None:
    """Writes settings, vocabulary and weights; ``more`` is kept beside them (tensors, numbers, strings)."""
    state = {"config": network.config.to_dict(), "vocabulary": list(vocabulary), "network": network.state_dict()}
    part = path.with_suffix(path.suffix + ".part")
    torch.save({**state, **more}, part)
    part.replace(path)


def load_checkpoint(path: Path, *, visual: Backbone | None = None, text: nn.Module | None = None) -> dict[str, Any]:
    """What ``save_checkpoint`` wrote, with "network" a ``ProVG`` in evaluation mode, "config" a ``ProVGConfig``.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is no checkpoint of ProVG.
    """
    stored = torch.load(path, weights_only=True, map_location="cpu")
    if not isinstance(stored, dict) or not {"config", "network"} <= set(stored):
        raise ValueError(f"{path}: expected a checkpoint that `rsground train provg` wrote")
    config = ProVGConfig.from_dict(stored["config"])
    # The weights are in the file: nothing is fetched to be overwritten.
    bare = ProVGConfig.from_dict({**config.to_dict(), "pretrained_backbone": "", "pretrained_text": ""})
    network = ProVG(bare, visual=visual, text=text)
    network.load_state_dict(stored["network"])
    network.config = config
    return {**stored, "config": config, "network": network.eval()}
