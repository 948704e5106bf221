"""What engines keep of tiles: encode once, prompt many."""

from __future__ import annotations

import dataclasses
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from inference_server.raster import RasterTile
from rsground_plugin.protocol import EngineInfo


def tile_key(tile: RasterTile, engine: EngineInfo) -> str:
    """One text for one tile as one revision of an engine sees it: pixels, mask and place."""
    digest = hashlib.blake2b(digest_size=20)
    place = (tuple(tile.affine), str(tile.crs), tile.told_gsd_m)
    about = (engine.name, engine.revision, tile.rgb.shape, *place, tile.nir is None)
    digest.update(repr(about).encode())
    for array in (tile.rgb, tile.valid, tile.nir):
        if array is not None:
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


class EncodingCache:
    """The encodings used last, bounded in number and in bytes. Safe to use from several threads."""

    def __init__(self, *, max_count: int = 4, max_bytes: int = 1 << 30) -> None:
        self._max_count = max_count
        self._max_bytes = max_bytes
        self._kept: OrderedDict[str, tuple[Any, int]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: str, make: Callable[[], Any]) -> tuple[Any, bool]:
        """The encoding and whether it was there already; made when it was not, and kept if it is not too large."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key][0], True
        encoding = make()
        with self._lock:
            self._kept[key] = (encoding, size_of(encoding))
            # The last one stays even when it alone is too large: the next expression asks for it.
            while len(self._kept) > 1 and self._is_over():
                self._kept.popitem(last=False)
        return encoding, False

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()

    def _is_over(self) -> bool:
        return len(self._kept) > self._max_count or sum(size for _, size in self._kept.values()) > self._max_bytes


def size_of(value: Any, *, _seen: set[int] | None = None) -> int:
    """About how many bytes a value's arrays take, through dataclasses, mappings, sequences and plain objects."""
    seen = set() if _seen is None else _seen
    if id(value) in seen or value is None or isinstance(value, (str, bytes, int, float, type)):
        return 0
    seen.add(id(value))
    if isinstance(value, np.ndarray):
        return int(value.nbytes)
    if isinstance(value, Mapping):
        parts = list(value.values())
    elif isinstance(value, (tuple, list, set, frozenset)):
        parts = list(value)
    elif dataclasses.is_dataclass(value) or hasattr(value, "__dict__"):
        # A dataclass's __dict__ holds its cached properties too.
        parts = list(getattr(value, "__dict__", {}).values())
    else:
        return 0
    return sum(size_of(part, _seen=seen) for part in parts)
