"""Where the models of RSVG-ZeroOV come from: local folders or the hub's cache, loaded when they are first needed."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inference_server.errors import EngineUnavailable

#: Environment variables that name a folder or a hub id, and what stands for them when they are not set.
VLM, DIFFUSION, SAM = "RSGROUND_VLM", "RSGROUND_DIFFUSION", "RSGROUND_SAM"
DEFAULTS = {
    VLM: "Qwen/Qwen2.5-VL-7B-Instruct", DIFFUSION: "CompVis/stable-diffusion-v1-4", SAM: "facebook/sam-vit-huge",
}  # fmt: skip
PACKAGES = ("torch", "transformers", "diffusers", "safetensors")


@dataclass
class Parts:
    """The models, each loaded when first asked for.

    Attributes:
        vlm_source, diffusion_source, sam_source: a folder, or an id that is in the hub's cache on this machine.
    """

    vlm_source: str
    diffusion_source: str
    sam_source: str = DEFAULTS[SAM]
    _loaded: dict[str, Any] = field(default_factory=dict)

    @property
    def revision(self) -> str:
        """Names the weights, for provenance."""
        return f"{Path(self.vlm_source).name}+{Path(self.diffusion_source).name}"

    def check(self, *, with_diffusion: bool, with_sam: bool = False) -> None:
        """Raises EngineUnavailable where a package or weights are missing, before anything is loaded."""
        missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
        if missing:
            raise EngineUnavailable(
                f"RSVG-ZeroOV needs packages that are not installed here: {', '.join(missing)}. Install them into the"
                ' server\'s environment: pip install "rsground[zeroov]".',
                field="request.engine",
            )
        _located(self.vlm_source, VLM, "config.json")
        if with_diffusion:
            _located(self.diffusion_source, DIFFUSION, "unet/config.json")
        if with_sam:
            _located(self.sam_source, SAM, "config.json")

    def vlm(self) -> Any:
        """The ``VisionLanguageModel``."""
        if "vlm" not in self._loaded:
            self._loaded["vlm"] = _load(self.vlm_source, _vlm)
        return self._loaded["vlm"]

    def diffusion(self) -> Any:
        """The ``DiffusionModel``."""
        if "diffusion" not in self._loaded:
            self._loaded["diffusion"] = _load(self.diffusion_source, _diffusion)
        return self._loaded["diffusion"]

    def sam(self) -> Any:
        """transformers' ``SamModel``."""
        if "sam" not in self._loaded:
            self._loaded["sam"] = _load(self.sam_source, _sam)
        return self._loaded["sam"]

    def unload(self) -> None:
        """Frees them."""
        self._loaded.clear()


def parts_from_environment() -> Parts:
    """What the environment names, or the paper's models."""
    vlm, diffusion, sam = (os.environ.get(name) or DEFAULTS[name] for name in (VLM, DIFFUSION, SAM))
    return Parts(vlm, diffusion, sam)


def _located(source: str, variable: str, file: str) -> Path:
    """The folder of a source's files. Raises EngineUnavailable where there is none."""
    folder = Path(source)
    if folder.is_dir():
        if not (folder / file).is_file():
            raise EngineUnavailable(
                f"{folder} holds no model: expected {file} in it. Set {variable} to the folder of a checkpoint.",
                field="request.engine",
            )
        return folder
    from huggingface_hub import try_to_load_from_cache

    found = (
        try_to_load_from_cache(source, file) if source.count("/") == 1 and not source.startswith(("/", ".")) else None
    )
    if not isinstance(found, str):
        raise EngineUnavailable(
            f"The weights of {source} are not on this machine. Download them (`hf download {source}`), or set"
            f" {variable} to a folder that holds them.",
            field="request.engine",
        )
    return Path(found).parents[file.count("/")]


def _load(source: str, build: Callable[[str], Any]) -> Any:
    from safetensors import SafetensorError

    try:
        return build(source)
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise EngineUnavailable(
            f"The weights in {source} cannot be loaded: {error}. Download them anew.", field="request.engine"
        ) from error


def _device() -> tuple[Any, Any]:
    import torch

    if not torch.cuda.is_available():
        return torch.device("cpu"), torch.float32
    return torch.device("cuda"), torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16


def _vlm(source: str) -> Any:
    from transformers import AutoModelForImageTextToText, AutoTokenizer
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    from inference_server.models.zeroov.overview import VisionLanguageModel

    folder = _located(source, VLM, "config.json")
    device, dtype = _device()
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype=dtype, local_files_only=True).to(device)
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    processor = Qwen2VLImageProcessorPil.from_pretrained(folder, local_files_only=True)
    return VisionLanguageModel(model, tokenizer, processor)


def _diffusion(source: str) -> Any:
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import AutoTokenizer, CLIPTextModel

    from inference_server.models.zeroov.diffusion import DiffusionModel

    folder = _located(source, DIFFUSION, "unet/config.json")
    device, dtype = _device()
    parts = [
        kind.from_pretrained(folder / name, torch_dtype=dtype, local_files_only=True).to(device).eval()
        for kind, name in ((UNet2DConditionModel, "unet"), (AutoencoderKL, "vae"), (CLIPTextModel, "text_encoder"))
    ]
    for part in parts:
        part.requires_grad_(False)
    tokenizer = AutoTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)
    return DiffusionModel(parts[0], parts[1], parts[2], tokenizer)


def _sam(source: str) -> Any:
    from transformers import SamModel

    folder = _located(source, SAM, "config.json")
    device, dtype = _device()
    # Eager: only it gives attention out.
    model = SamModel.from_pretrained(folder, dtype=dtype, attn_implementation="eager", local_files_only=True)
    return model.to(device).eval()
