"""The models of RSVG-ZeroOV: found before anything is loaded, loaded when they are first needed, freed together."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inference_server.errors import WeightsMissing
from inference_server.models.catalogue import alternatives, pinned
from inference_server.models.hardware import Hardware, hardware, require
from inference_server.models.loading import loading
from inference_server.models.store import is_repo_id, locate

#: Environment variables that name a folder or an id of the hub, and what stands for them when they are not set.
VLM, DIFFUSION, SAM = "RSGROUND_VLM", "RSGROUND_DIFFUSION", "RSGROUND_SAM"
DEFAULTS = {
    VLM: "Qwen/Qwen2.5-VL-7B-Instruct", DIFFUSION: "CompVis/stable-diffusion-v1-4", SAM: "facebook/sam-vit-huge",
}  # fmt: skip
MARKERS = {VLM: "config.json", DIFFUSION: "unet/config.json", SAM: "config.json"}
PACKAGES = ("torch", "transformers", "diffusers", "accelerate", "safetensors", "PIL")


@dataclass
class Parts:
    """The models, each loaded when first asked for, on the hardware that is set.

    Attributes:
        vlm_source, diffusion_source, sam_source: a folder, or an id of the hub that is on this machine.
    """

    vlm_source: str = DEFAULTS[VLM]
    diffusion_source: str = DEFAULTS[DIFFUSION]
    sam_source: str = DEFAULTS[SAM]
    _hardware: Hardware | None = None
    _loaded: dict[str, Any] = field(default_factory=dict)

    @property
    def revision(self) -> str:
        """Names the weights, for provenance."""
        return "+".join(_name(source) for source in (self.vlm_source, self.diffusion_source))

    def check(self, *, with_diffusion: bool, with_sam: bool = False) -> None:
        """Raises EngineUnavailable where a package or weights are missing, before anything is loaded."""
        require(*PACKAGES, what="RSVG-ZeroOV")
        _located(self.vlm_source, VLM)
        if with_diffusion:
            _located(self.diffusion_source, DIFFUSION)
        if with_sam:
            _located(self.sam_source, SAM)

    @property
    def hardware(self) -> Hardware:
        """What they run on; the environment's until it is set."""
        if self._hardware is None:
            self._hardware = hardware()
        return self._hardware

    def move(self, to: Hardware) -> None:
        """Runs on other hardware from now on; what was loaded for the old is freed."""
        if to != self.hardware:
            self.unload()
            self._hardware = to

    def vlm(self) -> Any:
        """The ``VisionLanguageModel``."""
        return self._once("vlm", self.vlm_source, VLM, _vlm)

    def diffusion(self) -> Any:
        """The ``DiffusionModel``."""
        return self._once("diffusion", self.diffusion_source, DIFFUSION, _diffusion)

    def sam(self) -> Any:
        """transformers' ``SamModel``."""
        return self._once("sam", self.sam_source, SAM, _sam)

    def unload(self) -> None:
        """Frees them."""
        self._loaded.clear()
        import torch

        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _once(self, name: str, source: str, variable: str, build: Callable[[Path, Hardware], Any]) -> Any:
        if name not in self._loaded:
            with loading(source):
                self._loaded[name] = build(_located(source, variable), self.hardware)
        return self._loaded[name]


def parts_from_environment() -> Parts:
    """What the environment names, or the paper's models; another VLM that was pulled where the paper's was not."""
    vlm, diffusion, sam = (os.environ.get(name) or DEFAULTS[name] for name in (VLM, DIFFUSION, SAM))
    if not os.environ.get(VLM) and not _is_here(vlm, VLM):
        vlm = next((other for other in alternatives(vlm) if _is_here(other, VLM)), vlm)
    return Parts(vlm, diffusion, sam)


def _is_here(source: str, variable: str) -> bool:
    try:
        _located(source, variable)
    except WeightsMissing:
        return False
    return True


def _located(source: str, variable: str) -> Path:
    return locate(source, marker=MARKERS[variable], variable=variable, revision=_revision(source))


def _revision(source: str) -> str | None:
    """The pinned commit of an id of the hub; None for a folder."""
    return pinned(source) if is_repo_id(source) and not Path(source).is_dir() else None


def _name(source: str) -> str:
    return f"{Path(source).name}@{(_revision(source) or 'folder')[:8]}"


def _vlm(folder: Path, on: Hardware) -> Any:
    from transformers import AutoModelForImageTextToText, AutoTokenizer
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    from inference_server.models.zeroov.overview import VisionLanguageModel

    # Local folders of a pinned revision: nothing is downloaded.
    whole: Any = AutoModelForImageTextToText.from_pretrained(folder, **on.from_pretrained_arguments())  # nosec B615
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)  # nosec B615
    processor = Qwen2VLImageProcessorPil.from_pretrained(folder, local_files_only=True)  # nosec B615
    return VisionLanguageModel(on.placed(whole), tokenizer, processor)


def _diffusion(folder: Path, on: Hardware) -> Any:
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import AutoTokenizer, CLIPTextModel

    from inference_server.models.zeroov.diffusion import DiffusionModel

    # Its parts are small beside the language model: they are neither offloaded nor brought to 4 bits.
    kinds: dict[str, Any] = {"unet": UNet2DConditionModel, "vae": AutoencoderKL, "text_encoder": CLIPTextModel}
    parts = [
        kind.from_pretrained(folder / name, torch_dtype=on.torch_dtype(), local_files_only=True).to(on.device).eval()
        for name, kind in kinds.items()
    ]
    for part in parts:
        part.requires_grad_(False)
    tokenizer = AutoTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)  # nosec B615
    return DiffusionModel(parts[0], parts[1], parts[2], tokenizer)


def _sam(folder: Path, on: Hardware) -> Any:
    from transformers import SamModel

    # Eager: only it gives attention out.
    kind: Any = SamModel
    model = kind.from_pretrained(folder, attn_implementation="eager", **on.from_pretrained_arguments())
    return on.placed(model)
