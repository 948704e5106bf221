"""Self-attention of SAM's image encoder as a source of structure ("ViT in SAM", Table 2)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from inference_server.models.zeroov.structure import to_side

#: Mean and standard deviation of SAM's pixels.
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


@torch.no_grad()
def sam_structure(model: Any, rgb: NDArray[np.uint8], side: int = 32) -> NDArray[np.float32]:
    """Self-attention of the encoder's last global layer, averaged over heads, on a grid of ``side``.

    Args:
        model: transformers' ``SamModel`` with eager attention.
        rgb: (3, row, col) uint8; stretched to the encoder's square, as the diffusion model's.
        side: a divisor or a multiple of the encoder's grid.
    """
    size = int(model.config.vision_config.image_size)
    picture = Image.fromarray(np.ascontiguousarray(rgb.transpose(1, 2, 0))).resize((size, size))
    pixels = (np.asarray(picture, np.float32) - MEAN) / STD
    values = torch.from_numpy(pixels.transpose(2, 0, 1)[None].astype(np.float32))
    encoder = model.vision_encoder
    out = encoder(values.to(model.device, model.dtype), output_attentions=True)
    last = max(model.config.vision_config.global_attn_indexes)
    attention = out.attentions[last].float()
    cells = attention.shape[-1]
    return to_side(attention.reshape(-1, cells, cells).mean(0).cpu().numpy(), side)
