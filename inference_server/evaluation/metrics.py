"""The papers' metrics of referring detection and segmentation, with the switches in which their codes differ."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from inference_server.geometry import BoolMask, FloatArray

#: The IoUs from which precision is reported.
THRESHOLDS = (0.3, 0.5, 0.6, 0.7, 0.8, 0.9)
#: The recalls at which average precision samples the precision (COCO).
_RECALLS = np.linspace(0.0, 1.0, 101)


@dataclass(frozen=True)
class Convention:
    """Where the papers' codes differ.

    Attributes:
        is_strict: Pr@X counts IoU > X instead of IoU >= X.
        is_pixel_inclusive: boxes hold their last pixel: sides are max - min + 1.
        both_empty: IoU of an empty answer to an empty truth.
    """

    is_strict: bool = False
    is_pixel_inclusive: bool = False
    both_empty: float = 1.0


#: By the paper whose released code does so (design/methods.md, section 5).
CONVENTIONS = {
    "default": Convention(),
    "rmsin": Convention(),
    "zeroov": Convention(is_strict=True, is_pixel_inclusive=True),
    "vrsbench": Convention(is_pixel_inclusive=True),
}


@dataclass(frozen=True)
class Overlap:
    """Intersection and union of one answer with its truth, in pixels or square pixels."""

    intersection: float
    union: float

    def iou(self, *, both_empty: float = 1.0) -> float:
        """In [0, 1]; ``both_empty`` where there is no union."""
        return self.intersection / self.union if self.union > 0 else both_empty


def mask_overlap(answer: BoolMask, truth: BoolMask) -> Overlap:
    """Overlap of two masks, (row, col) bool of one shape. Raises ValueError when the shapes differ."""
    if answer.shape != truth.shape:
        raise ValueError(f"mask_overlap: expected masks of one shape, got {answer.shape} and {truth.shape}")
    common = int(np.count_nonzero(answer & truth))
    return Overlap(common, int(np.count_nonzero(answer)) + int(np.count_nonzero(truth)) - common)


def box_overlap(answer: Sequence[float], truth: Sequence[float], *, is_pixel_inclusive: bool = False) -> Overlap:
    """Overlap of two boxes x_min, y_min, x_max, y_max in pixels; see ``Convention.is_pixel_inclusive``."""
    a, b = np.asarray(answer, float), np.asarray(truth, float)
    more = 1.0 if is_pixel_inclusive else 0.0
    common = float(np.prod(np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]) + more, 0, None)))
    areas = sum(float(np.prod(np.clip(box[2:] - box[:2] + more, 0, None))) for box in (a, b))
    return Overlap(common, areas - common)


def rotated_overlap(answer: FloatArray, truth: FloatArray) -> Overlap:
    """Overlap of two convex quadrilaterals, (4, 2) pixels, corners in any order (they are sorted by angle first)."""
    a, b = (shapely.Polygon(_by_angle(np.asarray(points, float))) for points in (answer, truth))
    common = float(shapely.area(shapely.intersection(a, b)))
    return Overlap(common, float(a.area + b.area) - common)


def _by_angle(points: FloatArray) -> FloatArray:
    off = points - points.mean(axis=0)
    ordered: FloatArray = points[np.argsort(np.arctan2(off[:, 1], off[:, 0]), kind="stable")]
    return ordered


@dataclass(frozen=True)
class ReferringScores:
    """mIoU: mean of the samples' IoU; oIoU: summed intersections over summed unions; precision by threshold."""

    count: int
    miou: float
    oiou: float
    precision: dict[float, float]


def referring_scores(
    overlaps: Sequence[Overlap | None],
    convention: Convention = CONVENTIONS["default"],
    thresholds: Sequence[float] = THRESHOLDS,
) -> ReferringScores:
    """The scores of a set.

    Args:
        overlaps: one a sample; None where the answer could not be read, which scores 0 and stays in the denominator.
        convention: of the paper compared with.
        thresholds: of the precision.

    Raises:
        ValueError: there are no samples.
    """
    if not overlaps:
        raise ValueError("referring_scores: expected at least one sample, got none")
    ious = np.array([o.iou(both_empty=convention.both_empty) if o is not None else 0.0 for o in overlaps])
    known = [o for o in overlaps if o is not None]
    union = sum(o.union for o in known)
    oiou = sum(o.intersection for o in known) / union if union > 0 else float(ious.mean())
    passed = np.greater if convention.is_strict else np.greater_equal
    return ReferringScores(
        len(ious), float(ious.mean()), float(oiou), {t: float(passed(ious, t).mean()) for t in thresholds}
    )


def consistency(hbb: Sequence[float] | None, obb: FloatArray | None, outline: FloatArray | None) -> float:
    """Boundary consistency score of GeoGround: mean pairwise IoU of HBB, hull of the OBB and hull of the mask.

    Args:
        hbb: x_min, y_min, x_max, y_max; obb: (4, 2) corners; outline: (n, 2) points of the mask's pixel edges.
            A pair with a missing one scores 0.
    """
    hulls = [
        None if hbb is None else shapely.box(*hbb),
        None if obb is None else shapely.convex_hull(shapely.multipoints(obb)),
        None if outline is None or not len(outline) else shapely.convex_hull(shapely.multipoints(outline)),
    ]
    total = 0.0
    for one, two in ((0, 1), (0, 2), (1, 2)):
        a, b = hulls[one], hulls[two]
        if a is not None and b is not None:
            union = shapely.area(shapely.union(a, b))
            total += float(shapely.area(shapely.intersection(a, b)) / union) if union > 0 else 0.0
    return total / 3


def f1_at(ious: FloatArray, threshold: float = 0.5) -> float:
    """F1 of n answers against m truths, each matched once, best pairs first; 1 when there are neither.

    Args:
        ious: (n, m) overlap of each answer with each truth.
    """
    if not sum(ious.shape):
        return 1.0
    left = ious.copy()
    hits = 0
    while left.size and left.max() >= threshold:
        row, col = np.unravel_index(int(left.argmax()), left.shape)
        left[row, :], left[:, col] = -1.0, -1.0
        hits += 1
    return 2 * hits / sum(ious.shape)


def average_precision(
    answers: Sequence[tuple[FloatArray, FloatArray]], threshold: float = 0.5, *, max_answers: int = 100
) -> float:
    """COCO's 101-point average precision over all samples; NaN when no sample has a truth.

    Args:
        answers: for each sample the scores (n,) and the IoUs (n, m) with its truths; m = 0 where nothing is there.
        max_answers: the best of a sample that count.
    """
    scores: list[FloatArray] = []
    hits: list[BoolMask] = []
    truths = 0
    for sample_scores, ious in answers:
        order = np.argsort(-sample_scores, kind="stable")[:max_answers]
        truths += ious.shape[1]
        scores.append(sample_scores[order])
        hits.append(_matched(ious[order], threshold))
    if not truths:
        return float("nan")
    every = np.concatenate(scores) if scores else np.zeros(0)
    is_hit = np.concatenate(hits)[np.argsort(-every, kind="stable")] if len(every) else np.zeros(0, bool)
    true = np.cumsum(is_hit)
    recall = true / truths
    precision = true / np.arange(1, len(true) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    at = np.searchsorted(recall, _RECALLS, side="left")
    return float(np.where(at < len(precision), np.append(precision, 0.0)[at], 0.0).mean())


def _matched(ious: FloatArray, threshold: float) -> BoolMask:
    """Which answers, best first, find a truth not yet taken: the one they overlap most (COCO)."""
    left = ious.copy()
    out = np.zeros(len(ious), bool)
    for i in range(len(ious)):
        if left.shape[1] and left[i].max() >= min(threshold, 1 - 1e-10):
            # Of equal ones COCO takes the last.
            best = left.shape[1] - 1 - int(left[i][::-1].argmax())
            left[:, best] = -1.0
            out[i] = True
    return out


class ConfusionMatrix:
    """Pixels by true class (row) and answered class (column), over a whole data set."""

    def __init__(self, classes: int) -> None:
        self.counts = np.zeros((classes, classes), np.int64)

    def add(self, answer: NDArray[np.integer], truth: NDArray[np.integer], *, ignored: int = 255) -> None:
        """Counts one picture's pixels; those whose truth is ``ignored`` are left out.

        Raises:
            ValueError: the shapes differ, or a class index is out of range.
        """
        classes = len(self.counts)
        if answer.shape != truth.shape:
            raise ValueError(f"ConfusionMatrix.add: expected one shape, got {answer.shape} and {truth.shape}")
        used = truth != ignored
        a, t = answer[used].astype(np.int64), truth[used].astype(np.int64)
        for name, values in (("answer", a), ("truth", t)):
            if values.size and not (values.min() >= 0 and values.max() < classes):
                raise ValueError(
                    f"ConfusionMatrix.add: expected classes 0 to {classes - 1} in the {name}, "
                    f"got {values.min()} to {values.max()}"
                )
        self.counts += np.bincount(t * classes + a, minlength=classes**2).reshape(classes, classes)

    def ious(self) -> FloatArray:
        """IoU a class, (class,) float64; NaN for a class neither there nor answered."""
        hit = np.diag(self.counts).astype(float)
        union = self.counts.sum(axis=0) + self.counts.sum(axis=1) - hit
        ious: FloatArray = np.divide(hit, union, out=np.full(len(hit), np.nan), where=union > 0)
        return ious

    def miou(self) -> float:
        """Mean over the classes that are there or answered; NaN when there are none."""
        ious = self.ious()
        known = ious[~np.isnan(ious)]
        return float(known.mean()) if len(known) else float("nan")


def bootstrap_interval(
    count: int,
    statistic: Callable[[NDArray[np.intp]], float],
    *,
    rounds: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """The percentile bootstrap interval of a statistic over samples (Efron & Tibshirani 1993, chapter 13).

    Args:
        count: of samples, at least 1.
        statistic: of indices drawn with replacement, (count,).
    """
    if count < 1:
        raise ValueError(f"bootstrap_interval: expected at least one sample, got {count}")
    rng = np.random.default_rng(seed)
    values = [statistic(rng.integers(count, size=count)) for _ in range(rounds)]
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
