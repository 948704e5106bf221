"""COCO's run-length masks, compressed or not, without pycocotools."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from inference_server.evaluation.readers.base import InvalidData
from inference_server.geometry import BoolMask


def _counts(text: bytes) -> list[int]:
    """Run lengths out of COCO's text: base 32 from 48 up, low digits first, from the third on as differences."""
    out: list[int] = []
    at = 0
    while at < len(text):
        value, shift, more = 0, 0, True
        while more:
            digit = text[at] - 48
            value |= (digit & 31) << shift
            more, at, shift = bool(digit & 32), at + 1, shift + 5
            if not more and digit & 16:
                value |= -1 << shift
        out.append(value + (out[-2] if len(out) > 2 else 0))
    return out


@dataclass(frozen=True)
class RunLengthMask:
    """The union of one object's run-length codes.

    Attributes:
        codes: {"size": [rows, columns], "counts": text or list}, column by column, background first.
        path: the file they are from, for errors.
        size: rows and columns expected.
    """

    codes: tuple[dict[str, Any], ...]
    path: Path
    size: tuple[int, int] | None = None

    def mask(self) -> BoolMask:
        parts = [self._part(code) for code in self.codes]
        if len({part.shape for part in parts}) != 1:
            raise InvalidData(self.path, f"RLE: expected codes of one size, got {[p.shape for p in parts]}")
        out: BoolMask = np.logical_or.reduce(parts)
        return out

    def _part(self, code: dict[str, Any]) -> BoolMask:
        try:
            rows, cols = (int(v) for v in code["size"])
            counts = code["counts"]
            if not isinstance(counts, list):
                counts = _counts(counts.encode("ascii") if isinstance(counts, str) else counts)
            runs = np.asarray(counts, np.int64)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise InvalidData(self.path, f"RLE: expected size and counts, got {code!r:.80}") from error
        if self.size is not None and (rows, cols) != self.size:
            raise InvalidData(self.path, f"RLE: expected the size {self.size} of the image, got {(rows, cols)}")
        if (runs < 0).any() or int(runs.sum()) != rows * cols:
            raise InvalidData(self.path, f"RLE: expected runs over {rows * cols} pixels, got {int(runs.sum())}")
        pixels: BoolMask = np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(cols, rows).T
        return pixels
