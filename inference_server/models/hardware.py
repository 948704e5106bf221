"""On what a model runs: device, precision, offload, 4 bits; from the environment, or the best there is."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from inference_server.errors import EngineUnavailable, PackageMissing

DEVICE, DTYPE, OFFLOAD, FOUR_BIT = "RSGROUND_DEVICE", "RSGROUND_DTYPE", "RSGROUND_OFFLOAD", "RSGROUND_4BIT"
DTYPES = {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32"}
#: What pip is told to install for a package, by the name it is imported by; as the extras of pyproject.toml have it.
REQUIREMENTS = {
    "torch": "torch>=2.5", "transformers": "transformers>=5", "diffusers": "diffusers>=0.36",
    "accelerate": "accelerate>=1", "safetensors": "safetensors>=0.4", "PIL": "pillow>=10",
    "segment_anything": "segment-anything",
}  # fmt: skip


@dataclass(frozen=True)
class Hardware:
    """One way to run a model.

    Attributes:
        device: "cpu", "cuda", "cuda:1", "mps".
        dtype: "bf16", "fp16" or "fp32".
        offload: layers wait in main memory until they are needed (accelerate).
        four_bit: weights are kept in 4 bits (bitsandbytes; CUDA only).
        half: the 16-bit type that the device does.
    """

    device: str
    dtype: str
    offload: bool = False
    four_bit: bool = False
    half: str = "fp16"

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES or self.half not in DTYPES:
            raise EngineUnavailable(f"{DTYPE}: expected auto or one of {', '.join(DTYPES)}, got {self.dtype!r}.")

    @property
    def can_offload(self) -> bool:
        return self.device.startswith("cuda") and importlib.util.find_spec("accelerate") is not None

    @property
    def sentence(self) -> str:
        """For people: "the CPU", "cuda in fp16, part of it in main memory"."""
        if self.device == "cpu":
            return "the CPU"
        bits = "4 bits" if self.four_bit else self.dtype
        return f"{self.device} in {bits}" + (", part of it in main memory" if self.offload else "")

    def torch_dtype(self) -> Any:
        """The torch type."""
        import torch

        return getattr(torch, DTYPES[self.dtype])

    def from_pretrained_arguments(self) -> dict[str, Any]:
        """What transformers' ``from_pretrained`` is told. Models that were not offloaded still need :meth:`placed`.

        Raises:
            PackageMissing: accelerate or bitsandbytes is asked for and not installed.
        """
        arguments: dict[str, Any] = {"dtype": self.torch_dtype(), "local_files_only": True}
        if self.four_bit:
            require("bitsandbytes", "accelerate", what=f"{FOUR_BIT}=1")
            import transformers

            settings: Any = transformers.BitsAndBytesConfig
            arguments["quantization_config"] = settings(load_in_4bit=True, bnb_4bit_compute_dtype=self.torch_dtype())
        if self.offload or self.four_bit:
            require("accelerate", what=f"{OFFLOAD}=1")
            arguments["device_map"] = "auto" if self.offload else {"": self.device}
        return arguments

    def placed(self, model: Any) -> Any:
        """The model on its device, in evaluation mode."""
        if not (self.offload or self.four_bit):
            model = model.to(self.device)
        return model.eval()


def require(*packages: str, what: str) -> None:
    """Raises PackageMissing where one of the packages cannot be imported, naming those and the command that helps.

    Args:
        packages: as imported.
        what: needs them; begins the sentence.
    """
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        # An environment that uv made has no pip.
        has_pip = importlib.util.find_spec("pip") is not None
        pip = f'"{sys.executable}" -m pip install' if has_pip else f'uv pip install --python "{sys.executable}"'
        wanted = " ".join(f'"{REQUIREMENTS.get(name, name)}"' for name in missing)
        raise PackageMissing(
            f"{what} needs packages that are not installed here: {', '.join(missing)}. Install them into the server's"
            f" environment in a terminal, then start RSGround anew: {pip} {wanted}",
            field="request.engine",
        )


def hardware(environment: Mapping[str, str] = os.environ) -> Hardware:
    """What the environment asks for; where it says "auto" or nothing, the best there is.

    Raises:
        EngineUnavailable: a value is none of those expected, or the device is not there.
    """
    import torch

    device = environment.get(DEVICE, "auto") or "auto"
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    _check_device(device)
    has_bf16 = device.startswith("cuda") and torch.cuda.is_bf16_supported()
    half = "bf16" if has_bf16 or device == "cpu" else "fp16"
    dtype = environment.get(DTYPE, "auto") or "auto"
    if dtype == "auto":
        dtype = "fp32" if device == "cpu" else half
    four_bit = _flag(environment, FOUR_BIT)
    if four_bit and not device.startswith("cuda"):
        raise EngineUnavailable(f"{FOUR_BIT}=1 needs an NVIDIA GPU; the device here is {device}. Unset {FOUR_BIT}.")
    return Hardware(device, dtype, offload=_flag(environment, OFFLOAD), four_bit=four_bit, half=half)


def _flag(environment: Mapping[str, str], name: str) -> bool:
    value = environment.get(name, "") or "0"
    if value not in ("0", "1"):
        raise EngineUnavailable(f"{name}: expected 0 or 1, got {value!r}.")
    return value == "1"


def _check_device(device: str) -> None:
    import torch

    kind, _, index = device.partition(":")
    there = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if kind not in there or (index and not index.isdigit()):
        raise EngineUnavailable(f"{DEVICE}: expected auto, cpu, cuda, cuda:N or mps, got {device!r}.")
    if int(index or 0) >= there[kind]:
        raise EngineUnavailable(
            f"{DEVICE}={device}: there is no such device here (CUDA devices: {there['cuda']}). Set {DEVICE}=auto."
        )
