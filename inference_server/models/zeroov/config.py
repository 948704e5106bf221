"""Every choice that the paper, its released code or its tables name, with the released code's value as default."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

FocusMode = Literal["paper", "ddim", "fast"]
Interaction = Literal["propagate", "cosine", "anchor", "multiplication", "exponentiation"]
Structure = Literal["diffusion", "vlm", "sam", "none"]
Overview = Literal["vlm", "diffusion"]
Order = Literal["focus-evolve", "evolve-focus"]
Refinement = Literal["box", "mask", "points", "none"]

#: What the VLM is told; two spaces after "description." as in the released code.
PROMPT = (
    "Locate it according to the following description.  {expression} The output format should be like"
    " [x1, y1, x2, y2] without any other text."
)
#: Layers of Qwen2.5-VL-7B, of 28, that the released code reads, and their weights.
LAYERS, LAYERS_OF = (16, 17, 18, 19), 28
LAYER_WEIGHTS = (0.1, 0.1, 0.3, 0.5)


@dataclass(frozen=True)
class ZeroOVConfig:
    """How RSVG-ZeroOV runs.

    Attributes:
        layers: of a model of ``layers_of`` layers; scaled by depth for others.
        layer_weights: of each layer's min-max normalised map.
        max_new_tokens: that the VLM may write.
        overview: whose cross-attention A_C is (Table 7: "diffusion" is "w/o VLM").
        focus: how the diffusion model's self-attention is had: inversion, null-text optimisation and guided steps
            ("paper"), inversion alone ("ddim"), one pass at a little noise ("fast").
        structure: whose self-attention A_S is (Table 2); "none" is A_C alone (Table 7: "w/o DM").
        resolutions: of the self-attention maps, for a latent of 64 x 64 (Table 8).
        interaction: how A_C and A_S make A_CS (Table 3).
        exponent: of "exponentiation".
        order: of Focus and Evolve (Table 7).
        evolve: whether regions are grown at all (Tables 3 and 7).
        seeds: how many of A_C's largest values begin regions (Eq. 4).
        grow_above: threshold of growth on A_CS, tau (Eq. 6).
        mask_above: threshold of the mask on A_E, alpha (Eq. 7).
        refine: the prompt that a segmenter gets.
        steps: of DDIM. guidance: of classifier-free guidance.
        null_text_steps: inner steps of null-text optimisation at each timestep, at most.
        fast_timestep: noise level of "fast".
    """

    layers: tuple[int, ...] = LAYERS
    layers_of: int = LAYERS_OF
    layer_weights: tuple[float, ...] = LAYER_WEIGHTS
    max_new_tokens: int = 1024
    overview: Overview = "vlm"
    focus: FocusMode = "fast"
    structure: Structure = "diffusion"
    resolutions: tuple[int, ...] = (32, 64)
    interaction: Interaction = "propagate"
    exponent: float = 2.0
    order: Order = "focus-evolve"
    evolve: bool = True
    seeds: int = 7
    grow_above: float = 0.3
    mask_above: float = 0.4
    refine: Refinement = "box"
    steps: int = 20
    guidance: float = 7.5
    null_text_steps: int = 10
    fast_timestep: int = 100

    def __post_init__(self) -> None:
        for name, allowed in (
            ("overview", Overview), ("focus", FocusMode), ("structure", Structure), ("interaction", Interaction),
            ("order", Order), ("refine", Refinement),
        ):  # fmt: skip
            if getattr(self, name) not in get_args(allowed):
                raise ValueError(
                    f"ZeroOVConfig.{name}: expected one of {', '.join(get_args(allowed))}, got {getattr(self, name)!r}"
                )
        if len(self.layers) != len(self.layer_weights) or not self.layers:
            raise ValueError(
                f"ZeroOVConfig.layer_weights: expected one for each of {len(self.layers)} layers, got"
                f" {len(self.layer_weights)}"
            )
        if not self.resolutions or not set(self.resolutions) <= {16, 32, 64}:
            raise ValueError(f"ZeroOVConfig.resolutions: expected some of 16, 32 and 64, got {self.resolutions}")
        for name in ("grow_above", "mask_above"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"ZeroOVConfig.{name}: expected a value in [0, 1], got {getattr(self, name)}")
        for name in ("seeds", "steps", "max_new_tokens"):
            if getattr(self, name) < 1:
                raise ValueError(f"ZeroOVConfig.{name}: expected at least 1, got {getattr(self, name)}")

    def weight_by_layer(self, n_layers: int) -> dict[int, float]:
        """Weight of each layer of a model of ``n_layers``, at the same relative depths."""
        out: dict[int, float] = {}
        for layer, weight in zip(self.layers, self.layer_weights, strict=True):
            scaled = min(round(layer * n_layers / self.layers_of), n_layers - 1)
            out[scaled] = out.get(scaled, 0.0) + weight
        return out
