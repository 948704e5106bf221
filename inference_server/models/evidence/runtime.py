"""Runs the evidence network on a tile with onnxruntime: class probabilities at half the tile's resolution."""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inference_server.models.base import THREADS_VARIABLE
from inference_server.models.evidence.classes import BIT, OUTPUTS

MODEL = Path(__file__).with_name("evidence.onnx")
#: Finer tiles are brought to this pixel size first: most of what the network learned was seen at about it.
FINEST_M = 0.3
#: A side up to the first is seen whole (a batch's windows are), a longer one in parts of at most the second, with so
#: many pixels around them: memory stays flat.
WHOLE_PX, BLOCK_PX, MARGIN_PX = 1536, 704, 64
#: What stands for certainty. Half floats would be as small, but converting tiny ones takes fifty times as long.
ONE = 65535
#: Rows and columns must divide by the network's coarsest stride.
STRIDE = 32


@dataclass(frozen=True, eq=False)
class Evidence:
    """Class probabilities of a tile.

    Attributes:
        parts: (output, row, col) uint16, probabilities in parts of ``ONE``, in the order of ``classes.OUTPUTS``.
        scale: rows and columns of the tile to a row and column of ``parts``.
    """

    parts: NDArray[np.uint16]
    scale: tuple[float, float]

    def of(self, name: str) -> NDArray[np.float32]:
        """(row, col) probabilities of one output."""
        return self.parts[BIT[name]] * np.float32(1 / ONE)

    def at(self, rows: NDArray[np.int64], cols: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where pixels of the tile lie in ``parts``."""
        height, width = self.parts.shape[1:]
        return (
            np.clip((rows / self.scale[0]).astype(np.int64), 0, height - 1),
            np.clip((cols / self.scale[1]).astype(np.int64), 0, width - 1),
        )

    def sampled(self, values: NDArray[Any]) -> NDArray[Any]:
        """What a (row, col) array of the tile's size holds at each pixel of the evidence."""
        height, width = self.parts.shape[1:]
        rows = np.minimum(((np.arange(height) + 0.5) * self.scale[0]).astype(np.int64), values.shape[0] - 1)
        cols = np.minimum(((np.arange(width) + 0.5) * self.scale[1]).astype(np.int64), values.shape[1] - 1)
        return np.asarray(values[np.ix_(rows, cols)])


def planes_of(rgb: NDArray[Any], gsd_m: float | None) -> NDArray[np.float32]:
    """The network's input of a picture: (5, row, col); red, green, blue around 0, log2(gsd / 0.3), known or not."""
    out = np.empty((5, *rgb.shape[1:]), np.float32)
    np.subtract(rgb, 118.0, out=out[:3], dtype=np.float32)
    out[:3] /= 60.0
    out[3] = 0.0 if gsd_m is None else np.clip(np.log2(gsd_m / 0.3), -1.7, 2.2)
    out[4] = 0.0 if gsd_m is None else 1.0
    return out


def resized(rgb: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """A picture (3, row, col) at another size (columns, rows): averaged where it shrinks, bicubic where it grows."""
    grows = size[0] > rgb.shape[2] or size[1] > rgb.shape[1]
    method = Image.Resampling.BICUBIC if grows else Image.Resampling.BOX
    picture = Image.fromarray(np.ascontiguousarray(rgb.transpose(1, 2, 0)))
    return np.asarray(picture.resize(size, method)).transpose(2, 0, 1)


def evidence_of(
    rgb: NDArray[np.uint8], gsd_m: float | None, *, origin: tuple[int, int] = (0, 0), model: Path = MODEL
) -> Evidence:
    """The network's answer for a tile.

    Args:
        rgb: (3, row, col).
        gsd_m: metres a pixel, None when unknown.
        origin: (row, col) of the tile's first pixel in its scene. The network's strides start at the scene's: tiles
            that overlap are seen alike where they do.
        model: the network, as ONNX.
    """
    rows, cols = rgb.shape[1:]
    shrink = 1.0 if gsd_m is None else min(1.0, gsd_m / FINEST_M)
    if shrink < 0.8:
        size = (max(1, round(cols * shrink)), max(1, round(rows * shrink)))
        rgb = resized(rgb, size)
        gsd_m = None if gsd_m is None else gsd_m / shrink
    else:
        shrink = 1.0
    height, width = rgb.shape[1:]
    # Even, so that the outputs' pixels, which are two wide, stay whole.
    top, left = (round(start * shrink / 2) * 2 % STRIDE for start in origin)
    bottom, right = (-(before + size) % STRIDE for before, size in ((top, height), (left, width)))
    rgb = np.pad(rgb, ((0, 0), (top, bottom), (left, right)), mode="edge")
    padded = rgb.shape[1:]
    parts = np.empty((len(OUTPUTS), padded[0] // 2, padded[1] // 2), np.uint16)
    session = _session(model)
    for rows_of, cols_of in itertools.product(*map(_parts, padded)):
        (above, row, end, below), (before, col, last, behind) = rows_of, cols_of
        block = planes_of(rgb[:, above:below, before:behind], gsd_m)[None]
        found = session.run(None, {"image": block})[0][0]
        inner = found[:, (row - above) // 2 : (end - above) // 2, (col - before) // 2 : (last - before) // 2]
        np.multiply(inner, ONE, out=parts[:, row // 2 : end // 2, col // 2 : last // 2], casting="unsafe")
    parts = parts[:, top // 2 : (top + height + 1) // 2, left // 2 : (left + width + 1) // 2]
    return Evidence(parts, (rows / (height / 2), cols / (width / 2)))


def _parts(length: int) -> list[tuple[int, int, int, int]]:
    """Even parts of a side: where each is seen from, begins, ends, and is seen to."""
    count = 1 if length <= WHOLE_PX else -(-length // BLOCK_PX)
    side = -(-length // count // STRIDE) * STRIDE
    cuts = [*range(0, length, side), length]
    return [
        (max(0, start - MARGIN_PX), start, end, min(length, end + MARGIN_PX))
        for start, end in zip(cuts[:-1], cuts[1:], strict=True)
    ]


@cache
def _session(model: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # The memory arena would keep the largest block's memory for good.
    options.enable_cpu_mem_arena = False
    # A worker among several processes is given one thread. Half of the cores otherwise: the regions are made meanwhile.
    options.intra_op_num_threads = int(os.environ.get(THREADS_VARIABLE, "0")) or max(1, (os.cpu_count() or 1) // 2)
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def unload() -> None:
    """Frees the session; it is made again when asked for."""
    _session.cache_clear()
