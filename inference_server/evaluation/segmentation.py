"""Open-vocabulary segmentation: every class of a set is asked in every picture, each pixel takes the best answer."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rasterio.features import rasterize

from inference_server.evaluation.metrics import ConfusionMatrix
from inference_server.evaluation.readers.ovss import Labelled
from inference_server.geometry import FloatArray
from inference_server.models.registry import Registry
from inference_server.pipeline import GroundingPipeline
from inference_server.raster import RasterTile
from rsground_plugin.protocol import GroundingRequest

BACKGROUND = "background"


@dataclass(frozen=True)
class Segmented:
    """One picture, asked.

    Attributes:
        counts: (class, class + 1) pixels by true class and answered class; the last column counts what was not
            answered. Empty where not even the truth could be read.
        error: why there is no answer: all of its pixels count as not answered, and it is listed.
    """

    id: str
    image: str
    counts: tuple[tuple[int, ...], ...] = ()
    seconds: float = 0.0
    error: str = ""


class ClassAsker:
    """Asks each class by all of its names and writes the indices answered to ``folder/<id>.png``.

    A pixel takes the class of the detection with the highest score over it. Where nothing is answered it takes the
    class that holds "background", which itself is not asked; in a set without one it counts as not answered.
    """

    def __init__(self, engine: str, classes: Sequence[Sequence[str]], folder: Path) -> None:
        self._pipeline = GroundingPipeline(Registry())
        self._engine, self._classes, self._folder = engine, classes, folder

    def __call__(self, pictures: Sequence[Labelled]) -> list[Segmented]:
        return [self._one(picture) for picture in pictures]

    def _one(self, picture: Labelled) -> Segmented:
        start = time.perf_counter()
        counts: tuple[tuple[int, ...], ...] = ()
        try:
            truth = picture.label()
            counts = _counts(np.full(truth.shape, len(self._classes)), truth, picture)
            answer = self._answer(picture.image.tile())
            counts = _counts(answer, truth, picture)
            self._folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(answer.astype(np.uint8)).save(self._folder / f"{picture.id}.png")
            error = ""
        except Exception as fault:  # scores 0 and is listed in the report; the rest is still asked
            error = f"{type(fault).__name__}: {fault}"
        return Segmented(picture.id, picture.image_name, counts, round(time.perf_counter() - start, 3), error)

    def _answer(self, tile: RasterTile) -> NDArray[np.intp]:
        """(row, col) indices; the number of classes where nothing is answered."""
        unanswered = next((i for i, names in enumerate(self._classes) if BACKGROUND in names), len(self._classes))
        scored = (
            (index, self._scores(tile, name))
            for index, names in enumerate(self._classes)
            if index != unanswered
            for name in names
        )
        return best_classes(scored, tile.valid.shape, unanswered)

    def _scores(self, tile: RasterTile, name: str) -> NDArray[np.float32]:
        """(row, col) score of the best detection of that name over each pixel; 0 where there is none."""
        result = self._pipeline.ground(GroundingRequest(f"all {name}", self._engine, ("mask",)), tile)
        # Later shapes cover earlier ones. The least score keeps a detection of score 0 apart from nothing.
        shapes = [
            ({"type": "MultiPolygon", "coordinates": d.mask}, max(d.score, 1e-6))
            for d in sorted(result.detections, key=lambda d: d.score)
            if d.mask
        ]
        if not shapes:
            return np.zeros(tile.valid.shape, np.float32)
        return np.asarray(
            rasterize(shapes, out_shape=tile.valid.shape, transform=tile.affine, dtype="float32"), np.float32
        )


def best_classes(
    scored: Iterable[tuple[int, NDArray[np.float32]]], shape: tuple[int, ...], unanswered: int
) -> NDArray[np.intp]:
    """The class with the highest score over each pixel, (row, col); of equal ones the first.

    Args:
        scored: class index and its (row, col) scores, 0 where it was not found; a class may come several times.
        shape: rows and columns. unanswered: index of pixels without any score above 0.
    """
    best = np.zeros(shape, np.float32)
    answer = np.full(shape, unanswered, np.intp)
    for index, scores in scored:
        is_better = scores > best
        answer[is_better], best[is_better] = index, scores[is_better]
    return answer


def _counts(answer: NDArray[np.intp], truth: NDArray[np.integer], picture: Labelled) -> tuple[tuple[int, ...], ...]:
    matrix = ConfusionMatrix(picture.classes + 1)
    matrix.add(answer, truth, ignored=picture.ignored)
    return tuple(tuple(int(n) for n in row) for row in matrix.counts[:-1])


def class_ious(counts: NDArray[np.int64]) -> FloatArray:
    """IoU a class, (class,); NaN for a class that is neither there nor answered.

    Args:
        counts: (class, class + 1), summed over pictures; see :class:`Segmented`.
    """
    matrix = ConfusionMatrix(len(counts) + 1)
    matrix.counts[:-1] = counts
    return matrix.ious()[:-1]


def headline(counts: NDArray[np.int64]) -> float:
    """The figure of the training-free paper: foreground IoU for one class beside background, mIoU for several."""
    ious = class_ious(counts)
    known = ious[1:] if len(ious) == 2 else ious
    known = known[~np.isnan(known)]
    return float(known.mean()) if len(known) else float("nan")
