"""Loading weights, with every foreign fault told in words that say what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from inference_server.errors import EngineUnavailable, OutOfMemory, WeightsDamaged
from inference_server.models.memory import is_out_of_memory


@contextmanager
def loading(source: str) -> Iterator[None]:
    """Around the loading of a model.

    Args:
        source: folder, file or id that the model comes from, for the message.

    Raises:
        WeightsDamaged: a file is missing, cut off, or no checkpoint of this kind of model.
        OutOfMemory: there is too little memory for it.
        EngineUnavailable: as raised within.
    """
    try:
        yield
    except (EngineUnavailable, OutOfMemory):
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise OutOfMemory(
                f"There is too little memory to load {source}: {error}. Close other programs, choose smaller weights"
                " (`rsground models list`) and name them in RSGROUND_VLM or RSGROUND_SEGMENTER, or set"
                " RSGROUND_OFFLOAD=1 or RSGROUND_4BIT=1.",
                field="request.engine",
            ) from error
        # safetensors, pickle and tokenizers raise types of their own for a damaged file.
        raise WeightsDamaged(
            f"The weights in {source} cannot be loaded: {type(error).__name__}: {error}. Check them with"
            " `rsground models verify`, remove them and pull them again.",
            field="request.engine",
        ) from error
