"""A shipped evidence network brought back into torch, to train on from it where its state is gone.

In the ONNX file weights have 8 bits and normalisations are folded into the convolutions before them. Weights come back
as those 8 bits say; a normalisation gets the statistics of what its convolution gives for some pictures, and the scale
and offset that undo them, so that the network answers as before and its normalisations can learn on.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from inference_server.models.evidence.network import EvidenceNetwork


def restored(path: Path, pictures: Tensor) -> EvidenceNetwork:
    """The network of an ``evidence.onnx`` (``inference_server.training.evidence.export``).

    Args:
        path: the file.
        pictures: (batch, 5, row, col) inputs as in training, from which normalisations take their statistics.

    Raises:
        ValueError: the file is not one of this network.
    """
    network = EvidenceNetwork()
    _load(network, path)
    _normalise(network, pictures)
    return network.train()


def _load(network: EvidenceNetwork, path: Path) -> None:
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(str(path)).graph
    stored = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
    maker = {name: node for node in graph.node for name in node.output}

    def value(name: str) -> Any:
        if name in stored:
            return stored[name].astype(np.float32)
        codes, scale, *zero = (stored[part] for part in maker[name].input)
        shift = zero[0].astype(np.float32) if zero else np.float32(0)
        shape = (-1, *(1,) * (codes.ndim - 1))
        return (codes.astype(np.float32) - shift.reshape(shape)) * scale.reshape(shape)

    convolutions = {node.name: node for node in graph.node if node.op_type == "Conv"}
    modules = dict(network.named_modules())
    with torch.no_grad():
        for name, module in modules.items():
            if isinstance(module, nn.Conv2d):
                node = convolutions.get(_node_name(name))
                if node is None:
                    raise ValueError(f"{path}: expected an evidence network, found no convolution {_node_name(name)}")
                module.weight.copy_(torch.from_numpy(value(node.input[1])))
                offset = torch.from_numpy(value(node.input[2])) if len(node.input) > 2 else None
                if module.bias is not None:
                    module.bias.copy_(offset)
                elif offset is not None:
                    _identity(cast(nn.BatchNorm2d, modules[_next(name)]), offset)
            elif isinstance(module, nn.BatchNorm2d) and name.endswith(".norm"):
                for part in ("weight", "bias", "running_mean", "running_var"):
                    getattr(module, part).copy_(torch.from_numpy(value(f"0.{name}.{part}")))


def _node_name(module: str) -> str:
    """``stage4.0.0`` is exported as ``/0/stage4/stage4.0/stage4.0.0/Conv``: containers in a row say the whole path."""
    parts = module.split(".")
    out, held = ["0"], ""
    for part in parts:
        held = f"{held}.{part}" if part.isdigit() else part
        out.append(held)
    return "/" + "/".join(out) + "/Conv"


def _next(convolution: str) -> str:
    """The normalisation after a convolution in a sequence."""
    holder, number = convolution.rsplit(".", 1)
    return f"{holder}.{int(number) + 1}"


def _identity(norm: nn.BatchNorm2d, offset: Tensor) -> None:
    norm.running_mean.zero_()
    norm.running_var.fill_(1.0 - norm.eps)
    norm.weight.fill_(1.0)
    norm.bias.copy_(offset)


@torch.no_grad()
def _normalise(network: EvidenceNetwork, pictures: Tensor) -> None:
    """Gives each folded normalisation the statistics of its inputs; what it puts out stays the same."""
    folded = [m for name, m in network.named_modules() if isinstance(m, nn.BatchNorm2d) and not name.endswith(".norm")]
    seen: dict[nn.BatchNorm2d, Tensor] = {}
    handles = [m.register_forward_pre_hook(lambda module, inputs: seen.update({module: inputs[0]})) for m in folded]
    network.eval()(pictures)
    for handle in handles:
        handle.remove()
    for norm in folded:
        mean, variance = seen[norm].mean((0, 2, 3)), seen[norm].var((0, 2, 3), unbiased=False)
        norm.bias.add_(mean)
        norm.weight.copy_((variance + norm.eps).sqrt())
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)
