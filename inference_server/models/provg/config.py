"""The settings of a ProVG network: its sizes, and every choice that the paper's Tables 1 and 4 compare."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

BACKBONES = ("pyramid", "compact", "swin")
TEXT_ENCODERS = ("compact", "bert")
#: Fig. 2: (a) one sentence embedding; (b) locate and verify side by side; (c) and (d) one after the other.
MODULATIONS = ("none", "global", "parallel", "sequence")
POOLINGS = ("mean", "mask")


@dataclass(frozen=True)
class ProVGConfig:
    """What a network is made of.

    Attributes:
        backbone: "pyramid" is the evidence network, whose maps are made before language comes in; "compact" is its
            encoder alone, with language between the stages; "swin" comes from transformers.
        channels: of the backbone's maps at strides 4, 8, 16 and 32.
        depths: blocks in each stage of the compact backbone.
        text: "compact" (a small transformer over our own vocabulary) or "bert".
        text_width, text_layers, text_heads: of the compact text encoder; ``text_width`` is D for BERT too.
        vocabulary_size: of the compact tokenizer.
        max_tokens: of the whole expression, with the two special tokens; cues are cut to as many.
        pretrained_backbone, pretrained_text: folder or hub id to start from, "" for random weights.
        backbone_revision, text_revision: the hub commit that is meant.
        image_size: side of the square that pictures are squashed to; a multiple of 32.
        knows_gsd: two further input planes: log2(pixel size / 0.3 m), and whether it is known.
        modulation: how cues enter the backbone, see ``MODULATIONS``.
        order: of survey (S), locate (L) and verify (V) in "sequence"; "LV" is Fig. 2(c), "SLV" the paper's choice.
        is_residual: the next stage gets V_i plus the modulated map, rather than the modulated map alone.
        width: C of the cross-scale fusion and of the decoder.
        fusion: cross-scale fusion on; off is Table 4's "w/o CFM".
        fusion_depth: re-parameterisable blocks in a fusion block.
        is_cascaded: top-down fusion reads the fused coarser map, as feature pyramids do, not the unfused one of Eq. 8.
        calibration: the decoder's language gate; off is "w/o LCM".
        aggregation: the box head's weights over stages, Eqs. 12 and 13; off is "w/o FA".
        box_pooling: "mean" is the paper's; "mask" weighs pixels by the mask head's foreground.
        coordinates: two channels of normalised position before the box head pools.
        box_anchor: the box head tells how its box differs from the mask's, as detectors do from an anchor (Girshick
            2014), and begins with no difference. The paper's tells the box itself.
        word_kernel: the mask head's convolution gets a kernel from the sentence, too (as CondInst's from the instance):
            then a new word is a new direction in the features, and not only a gate, which takes far fewer steps to
            learn. The paper's mask head has the same kernel for every sentence.
        presence: a score for "what is named is here", which the paper lacks.
    """

    backbone: str = "compact"
    channels: tuple[int, int, int, int] = (48, 96, 160, 224)
    depths: tuple[int, int, int, int] = (1, 2, 2, 2)
    text: str = "compact"
    text_width: int = 192
    text_layers: int = 3
    text_heads: int = 4
    vocabulary_size: int = 3000
    max_tokens: int = 48
    pretrained_backbone: str = ""
    pretrained_text: str = ""
    backbone_revision: str = ""
    text_revision: str = ""
    image_size: int = 480
    knows_gsd: bool = True
    modulation: str = "sequence"
    order: str = "SLV"
    is_residual: bool = True
    width: int = 64
    fusion: bool = True
    fusion_depth: int = 1
    is_cascaded: bool = True
    calibration: bool = True
    aggregation: bool = True
    box_pooling: str = "mask"
    coordinates: bool = True
    box_anchor: bool = False
    word_kernel: bool = True
    presence: bool = True

    def __post_init__(self) -> None:
        _one_of("backbone", self.backbone, BACKBONES)
        _one_of("text", self.text, TEXT_ENCODERS)
        _one_of("modulation", self.modulation, MODULATIONS)
        _one_of("box_pooling", self.box_pooling, POOLINGS)
        if not self.order or len(set(self.order)) != len(self.order) or not set(self.order) <= set("SLV"):
            raise ValueError(f"ProVGConfig: expected order to be letters of SLV, each at most once, got {self.order!r}")
        if self.image_size < 32 or self.image_size % 32:
            raise ValueError(f"ProVGConfig: expected image_size to be a multiple of 32, got {self.image_size}")
        if self.text_width % self.text_heads:
            raise ValueError(
                f"ProVGConfig: expected text_width to be a multiple of text_heads, got {self.text_width} and"
                f" {self.text_heads}"
            )
        if self.max_tokens < 4:
            raise ValueError(f"ProVGConfig: expected max_tokens >= 4, got {self.max_tokens}")
        if self.backbone == "swin" and self.knows_gsd:
            raise ValueError("ProVGConfig: a Swin backbone reads three bands; set knows_gsd to False")

    @property
    def bands(self) -> int:
        """Input planes of the picture."""
        return 5 if self.knows_gsd else 3

    def to_dict(self) -> dict[str, Any]:
        """All settings, as JSON takes them."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ProVGConfig:
        """The settings that ``to_dict`` gave.

        Raises:
            ValueError: an unknown name, or a value that a network cannot have.
        """
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(data) - known)
        if unknown:
            raise ValueError(
                f"ProVGConfig: there is no setting {', '.join(unknown)}; known: {', '.join(sorted(known))}"
            )
        values: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in data.items()}
        return cls(**values)


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"ProVGConfig: expected {name} to be one of {', '.join(allowed)}, got {value!r}")


#: The network that we train ourselves: its backbone is the evidence network, in sizes and in what it reads, so that
#: training can start from that and need not teach what a roof is, only what words mean.
COMPACT = ProVGConfig(backbone="pyramid", channels=(99, 64, 96, 224), box_anchor=True)
#: The paper's: Swin-B (window 12) and BERT-base-uncased. ``pretrained_*`` may name local folders instead.
FULL = ProVGConfig(
    backbone="swin",
    channels=(128, 256, 512, 1024),
    text="bert",
    text_width=768,
    text_heads=12,
    text_layers=12,
    vocabulary_size=30522,
    max_tokens=50,
    pretrained_backbone="microsoft/swin-base-patch4-window12-384-in22k",
    pretrained_text="google-bert/bert-base-uncased",
    knows_gsd=False,
    width=256,
    fusion_depth=3,
    is_cascaded=False,
    box_pooling="mean",
    word_kernel=False,
)
