"""Plain values out of a pickle without running what it names: lists, dicts, texts and numbers only."""

from __future__ import annotations

import io
import pickle  # nosec B403
from pathlib import Path
from typing import Any

from inference_server.evaluation.readers.base import InvalidData


class PlainUnpickler(pickle.Unpickler):
    """Refuses every global, so nothing can be imported or called."""

    def find_class(self, module: str, name: str, /) -> Any:
        raise pickle.UnpicklingError(f"it names {module}.{name}; only plain lists, dicts, texts and numbers are read")

    def persistent_load(self, pid: Any, /) -> Any:
        raise pickle.UnpicklingError("it refers to something outside the file")


def load_plain(path: Path) -> Any:
    """The plain values in a pickle file. Raises InvalidData, and never runs code of the file."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise InvalidData(path, "expected a pickle file, there is no such file") from None
    try:
        return PlainUnpickler(io.BytesIO(data), encoding="latin1").load()
    except (pickle.UnpicklingError, EOFError, ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise InvalidData(path, f"expected a pickle of plain values: {error}") from error
