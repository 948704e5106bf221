"""A trained network as one ONNX file: fused, 16-bit weights, with its settings and vocabulary in the metadata."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from inference_server.models.provg.inputs import PARTS
from inference_server.models.provg.model import ProVG

OPSET = 17
#: The key of the metadata, which holds JSON: config, vocabulary, revision, prior, and what the caller adds.
METADATA = "provg"
INPUTS = ("image", *(f"{part}_{name}" for part in PARTS for name in ("ids", "segments", "positions")))
OUTPUTS = ("mask", "box", "presence")
#: Smaller arrays stay in 32 bits: they weigh nothing, and norms are sensitive.
_SMALL = 512


class _Deployed(nn.Module):
    """Probabilities rather than logits, and plain arrays in."""

    def __init__(self, network: ProVG, prior: float) -> None:
        super().__init__()
        self.network = network
        self.expected = math.log(prior / (1 - prior))

    def forward(self, image: Tensor, *tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        parts = [torch.stack(tokens[3 * i : 3 * i + 3]) for i in range(3)]
        output = self.network(image, *parts)
        mask = torch.sigmoid(output.mask_logits[:, 1] - output.mask_logits[:, 0])
        if output.presence_logit is None:
            return mask, output.box, mask.amax((1, 2))
        return mask, output.box, torch.sigmoid(output.presence_logit - self.expected)


def export(
    network: ProVG, path: Path, *, vocabulary: tuple[str, ...], half: bool = True, prior: float = 0.5,
    more: Mapping[str, Any] | None = None,
) -> str:  # fmt: skip
    """Writes the network, which is fused on the way; returns the revision, a hash of its weights.

    Args:
        network: of the compact text encoder, whose vocabulary travels along.
        path: the file to write.
        vocabulary: of its tokenizer.
        half: store weights in 16 bits; the arithmetic stays in 32.
        prior: share of the training's expressions that something fitted, in (0, 1). The presence is told as if it had
            been a half (Saerens et al. 2002): a network expects what it was shown.
        more: further metadata, such as metrics; JSON values.
    """
    import onnx

    deployed = _Deployed(network.eval().fuse(), prior).eval()
    size = network.config.image_size
    tokens = torch.ones(1, 5, dtype=torch.long)
    sample = (torch.zeros(1, network.config.bands, size, size), *(tokens for _ in INPUTS[1:]))
    # Larger squares than its own are read, too: a tile of a thousand pixels in one go.
    axes = {name: {1: f"{name.split('_')[0]}_tokens"} for name in INPUTS[1:]}
    axes |= {"image": {2: "rows", 3: "cols"}, "mask": {1: "rows", 2: "cols"}}
    torch.onnx.export(
        deployed, sample, str(path), input_names=list(INPUTS), output_names=list(OUTPUTS), opset_version=OPSET,
        dynamo=False, dynamic_axes=axes,
    )  # fmt: skip
    _simplify(path)
    model = onnx.load(path)
    if half:
        _halve(model)
    revision = hashlib.sha256(model.graph.SerializeToString(deterministic=True)).hexdigest()[:10]
    own = {"config": network.config.to_dict(), "vocabulary": vocabulary, "revision": revision, "prior": prior}
    metadata = {**(more or {}), **own}
    entry = model.metadata_props.add()
    entry.key, entry.value = METADATA, json.dumps(metadata, ensure_ascii=False)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return revision


def _simplify(path: Path) -> None:
    """Folds what is constant and fuses what onnxruntime can on any machine, so that loading need not: half the time."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(path)
    onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _halve(model: Any) -> None:
    """Stores large weights in 16 bits and casts them when the model is loaded."""
    from onnx import TensorProto, helper, numpy_helper

    for tensor in list(model.graph.initializer):
        values = numpy_helper.to_array(tensor)
        if values.dtype == np.float32 and values.size > _SMALL:
            name = tensor.name
            tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}_16"))
            model.graph.node.insert(0, helper.make_node("Cast", [f"{name}_16"], [name], to=TensorProto.FLOAT))
