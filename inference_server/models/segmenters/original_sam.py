"""SAM's original checkpoints (``sam_vit_*.pth``) through the segment-anything package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference_server.errors import WeightsDamaged
from inference_server.models.hardware import Hardware, require
from inference_server.models.loading import loading

FloatArray = NDArray[np.float32]
#: Kinds of encoders, by what file names say of them.
KINDS = ("vit_h", "vit_l", "vit_b")


class OriginalSamNetwork:
    """A ``segment_anything.modeling.Sam``; its prompt encoder and mask decoder are asked directly.

    Args:
        model: on its device, in evaluation mode.
    """

    keeps_ratio = True

    def __init__(self, model: Any) -> None:
        self._model = model
        self.side = int(model.image_encoder.img_size)
        self.low_side = 4 * int(model.prompt_encoder.image_embedding_size[0])

    def embed(self, pixels: FloatArray) -> Any:
        """The image embedding of an input (3, side, side)."""
        import torch

        with torch.inference_mode():
            return self._model.image_encoder(self._tensor(pixels[None]))

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

        model = self._model
        clicks = None
        if points is not None:
            clicks = (self._tensor(points), torch.as_tensor(labels, device=model.device))
        with torch.inference_mode():
            sparse, dense = model.prompt_encoder(
                points=clicks,
                boxes=None if box is None else self._tensor(box[None]),
                masks=None if logits is None else self._tensor(logits[None, None]),
            )
            masks, scores = model.mask_decoder(
                image_embeddings=embedding.to(model.device),
                image_pe=model.prompt_encoder.get_dense_pe(),
                sparse_prompt_embeddings=sparse,
                dense_prompt_embeddings=dense,
                multimask_output=multimask,
            )
        return masks.float().cpu().numpy(), scores.float().cpu().numpy()

    def _tensor(self, values: NDArray[Any]) -> Any:
        import torch

        return torch.as_tensor(values, dtype=torch.float32, device=self._model.device)


def load(path: Path, hardware: Hardware) -> OriginalSamNetwork:
    """The network in a ``.pth`` file, in 32 bits.

    Raises:
        PackageMissing: segment_anything, or torchvision which it imports.
        WeightsDamaged: the file is cut off, or its name does not say which encoder it is.
        OutOfMemory: it does not fit.
    """
    require("torch", "torchvision", "segment_anything", what=f"{path.name}: an original SAM checkpoint")
    kind = next((kind for kind in KINDS if kind in path.name), None)
    if kind is None:
        raise WeightsDamaged(
            f"{path.name}: expected one of {', '.join(KINDS)} in the name of an original SAM checkpoint. Rename the"
            " file as it was published, such as sam_vit_h_4b8939.pth.",
            field="request.engine",
        )
    import torch
    from segment_anything import sam_model_registry

    with loading(str(path)):
        model = sam_model_registry[kind]()
        # weights_only: a checkpoint is data, and may come from anywhere.
        model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        return OriginalSamNetwork(model.to(hardware.device).eval())
