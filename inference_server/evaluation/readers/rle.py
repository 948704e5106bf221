"""COCO's run-length masks, compressed or not, without pycocotools."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference_server.evaluation.readers.base import InvalidData
from inference_server.geometry import BoolMask


def _counts(text: bytes) -> NDArray[np.int64]:
    """Run lengths out of COCO's text: base 32 from 48 up, low digits first, from the fourth on as differences.

    Raises:
        ValueError: the text ends within a number.
    """
    digits = np.frombuffer(text, np.uint8).astype(np.int64) - 48
    last = np.flatnonzero((digits & 32) == 0)
    if not len(digits) or not len(last) or last[-1] != len(digits) - 1:
        raise ValueError("run lengths that end within a number")
    first = np.concatenate([[0], last[:-1] + 1])
    places = last - first + 1
    shifts = 5 * (np.arange(len(digits)) - np.repeat(first, places))
    runs = np.add.reduceat((digits & 31) << shifts, first)
    runs -= np.where(digits[last] & 16, np.int64(1) << (5 * places), 0)
    # Each differs from the one before the last; those are the runs of the same colour.
    runs[1::2] = np.cumsum(runs[1::2])
    runs[2::2] = np.cumsum(runs[2::2])
    return runs


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
        out = parts[0]
        for part in parts[1:]:
            out |= part
        return out

    def _part(self, code: dict[str, Any]) -> BoolMask:
        try:
            rows, cols = (int(v) for v in code["size"])
            counts = code["counts"]
            if isinstance(counts, list):
                runs = np.asarray(counts, np.int64)
            else:
                runs = _counts(counts.encode("ascii") if isinstance(counts, str) else counts)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise InvalidData(self.path, f"RLE: expected size and counts, got {code!r:.80}") from error
        if self.size is not None and (rows, cols) != self.size:
            raise InvalidData(self.path, f"RLE: expected the size {self.size} of the image, got {(rows, cols)}")
        if (runs < 0).any() or int(runs.sum()) != rows * cols:
            raise InvalidData(self.path, f"RLE: expected runs over {rows * cols} pixels, got {int(runs.sum())}")
        pixels = np.zeros(rows * cols, bool)
        edges = np.cumsum(runs).tolist()
        for start, end in zip(edges[::2], edges[1::2], strict=False):
            pixels[start:end] = True
        mask: BoolMask = pixels.reshape(cols, rows).T
        return mask
