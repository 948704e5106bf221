"""SAM and SAM 2.1 as transformers runs them, from the checkpoints at the hub or folders of the same kind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference_server.errors import WeightsDamaged
from inference_server.models.hardware import Hardware
from inference_server.models.loading import loading

FloatArray = NDArray[np.float32]


class _TransformersNetwork:
    """What the two have in common: how prompts become their tensors."""

    keeps_ratio: bool

    def __init__(self, model: Any, side: int, low_side: int, hardware: Hardware) -> None:
        self.side, self.low_side = side, low_side
        self._model = model
        self._device, self._dtype = model.device, hardware.torch_dtype()

    def embed(self, pixels: FloatArray) -> Any:
        """The image embedding of an input (3, side, side)."""
        import torch

        with torch.inference_mode():
            return self._model.get_image_embeddings(self._tensor(pixels[None]))

    def decode(
        self,
        embedding: Any,
        *,
        points: FloatArray | None = None,
        labels: NDArray[np.int64] | None = None,
        box: FloatArray | None = None,
        logits: FloatArray | None = None,
        multimask: bool = True,
    ) -> tuple[FloatArray, FloatArray]:
        """As :class:`PromptableNetwork`."""
        import torch

        prompts: dict[str, Any] = {}
        if points is not None:
            prompts["input_points"] = self._tensor(points[None])
            prompts["input_labels"] = torch.as_tensor(labels, dtype=torch.int32, device=self._device)[None]
        if box is not None:
            prompts["input_boxes"] = self._tensor(box[None, None])
        if logits is not None:
            prompts["input_masks"] = self._tensor(logits[None, None])
        with torch.inference_mode():
            out = self._model(image_embeddings=self._on_device(embedding), multimask_output=multimask, **prompts)
        return out.pred_masks[0].float().cpu().numpy(), out.iou_scores[0].float().cpu().numpy()

    def _tensor(self, values: NDArray[Any]) -> Any:
        import torch

        return torch.as_tensor(values).to(self._device, self._dtype)

    def _on_device(self, embedding: Any) -> Any:
        # The tile may have been taken in on another device, before memory ran out there.
        if isinstance(embedding, (list, tuple)):
            return [self._on_device(part) for part in embedding]
        return embedding.to(self._device, self._dtype)


class SamNetwork(_TransformersNetwork):
    """SAM (Kirillov et al. 2023): the longest edge fills the square."""

    keeps_ratio = True


class Sam2Network(_TransformersNetwork):
    """SAM 2.1 (Ravi et al. 2024) on single pictures: the tile is stretched to the square."""

    keeps_ratio = False


def load(folder: Path, hardware: Hardware) -> _TransformersNetwork:
    """The network in a folder, by the kind that its config.json names.

    Raises:
        WeightsDamaged: no checkpoint of SAM or SAM 2, or a damaged one.
        OutOfMemory: it does not fit.
    """
    kind = model_type(folder)
    # A folder on this machine, and local_files_only: nothing is downloaded here (bandit's B615).
    arguments = hardware.from_pretrained_arguments()
    with loading(str(folder)):
        if kind == "sam":
            from transformers import SamModel

            model = hardware.placed(SamModel.from_pretrained(folder, **arguments))  # nosec B615
            prompt = model.config.prompt_encoder_config
            return SamNetwork(model, model.config.vision_config.image_size, 4 * prompt.image_embedding_size, hardware)
        if kind in ("sam2", "sam2_video"):
            from transformers import Sam2Model

            model = hardware.placed(Sam2Model.from_pretrained(folder, **arguments))  # nosec B615
            side = model.config.prompt_encoder_config.image_size
            return Sam2Network(model, side, model.prompt_encoder.mask_input_size[0], hardware)
    raise WeightsDamaged(
        f"{folder} holds a model of type {kind!r}; a segmenter needs one of type sam or sam2. Set RSGROUND_SEGMENTER to"
        " a folder or an id of one (`rsground models list`).",
        field="request.engine",
    )


def model_type(folder: Path) -> str:
    """The "model_type" of a checkpoint's config.json. Raises WeightsDamaged."""
    try:
        return str(json.loads((folder / "config.json").read_text(encoding="utf-8"))["model_type"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsDamaged(
            f"{folder / 'config.json'} is no configuration of a model: {error}. Pull the weights again.",
            field="request.engine",
        ) from error
