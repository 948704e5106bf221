"""An engine's answer to one expression beside the truth: what is right, and the overlaps that scores rest on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from rasterio.features import rasterize
from rasterio.transform import rowcol

from inference_server.evaluation.metrics import consistency, f1_at, mask_overlap, rotated_overlap
from inference_server.evaluation.readers.base import Sample
from inference_server.geometry import BoolMask, FloatArray, Mask, hbb_of_mask, iou_hbb
from inference_server.raster import RasterTile
from rsground_plugin.protocol import Detection, GroundingResult

RIGHT_IOU = 0.5
#: So many boxes of an answer are kept, the best: what COCO's average precision counts.
MAX_KEPT = 100


@dataclass(frozen=True)
class Answer:
    """One sample, asked. Whatever paper's convention is compared with is applied when scores are made of it.

    Attributes:
        targets: how many things the expression names; 1 where only a mask is known.
        truths, boxes: x_min, y_min, x_max, y_max in pixels, the answer's best first; scores: of the boxes.
        mask: (intersection, union) in pixels of the best answer, or of all where not just one thing is meant; None
            where no true mask is known.
        rotated: (intersection, union) of the best oriented box, for one target whose corners are known.
        consistency: GeoGround's score of the best answer's own box, oriented box and mask; None where nothing was
            answered, and unless the truth of all three is known.
        f1: of the boxes at IoU 0.5.
        is_right: see :func:`judge`.
        remarks: why nothing was found.
        notes: what the engine tells of how it came to its answer, as that it fell back on something else.
        error: why there is no answer: it scores 0 and is listed.
    """

    id: str
    image: str
    expression: str
    kind: str
    category: str
    targets: int
    truths: tuple[tuple[float, ...], ...] = ()
    boxes: tuple[tuple[float, ...], ...] = ()
    scores: tuple[float, ...] = ()
    mask: tuple[float, float] | None = None
    rotated: tuple[float, float] | None = None
    consistency: float | None = None
    f1: float = 0.0
    is_right: bool = False
    seconds: float = 0.0
    understood: str = ""
    remarks: str = ""
    error: str = ""
    notes: tuple[str, ...] = ()

    @property
    def is_negative(self) -> bool:
        return self.targets == 0


def judge(boxes: FloatArray, truths: FloatArray) -> tuple[bool, float]:
    """Whether an answer is right, and the box IoU that it rests on (0 where nothing is there).

    One target: the best box has IoU >= 0.5 with it. Several: F1 of the boxes at IoU 0.5 is at least 0.5, and the
    IoU is the mean over the targets of the best. None: nothing is answered.

    Args:
        boxes: (n, 4) x_min, y_min, x_max, y_max in pixels, best first.
        truths: (m, 4), the same.
    """
    if not len(truths):
        return not len(boxes), 0.0
    if not len(boxes):
        return False, 0.0
    ious = iou_hbb(boxes, truths)
    if len(truths) == 1:
        return bool(ious[0, 0] >= RIGHT_IOU), float(ious[0, 0])
    return f1_at(ious, RIGHT_IOU) >= 0.5, float(ious.max(axis=0).mean())


def judged(sample: Sample, tile: RasterTile, truth: BoolMask | None, result: GroundingResult, seconds: float) -> Answer:
    """The answer beside the truth; ``truth`` is the sample's mask where it has one."""
    boxes = answer_boxes(result, tile)
    truths = sample.boxes if sample.boxes is not None else boxes_of(truth)
    mask = None
    if truth is not None:
        over = mask_overlap(answer_mask(result, tile, only_best=len(truths) == 1), truth)
        mask = (over.intersection, over.union)
    best = max(result.detections, key=lambda d: d.score, default=None)
    own = _consistency(best, tile) if mask is not None and sample.corners is not None else None
    empty = result.empty_reason
    return Answer(
        sample.id, sample.image_name, sample.expression, sample.kind, sample.category, len(truths), rows_of(truths),
        boxes=rows_of(boxes[:MAX_KEPT]),
        scores=tuple(round(d.score, 4) for d in _best_first(result) if d.hbb is not None)[:MAX_KEPT],
        mask=mask, rotated=_rotated(sample, best, tile), consistency=own,
        f1=f1_at(iou_hbb(boxes, truths), RIGHT_IOU), is_right=judge(boxes, truths)[0], seconds=round(seconds, 3),
        understood=result.understood,
        remarks=f"{empty.part}: {empty.message}" if empty else "", notes=result.notes,
    )  # fmt: skip


def failed(sample: Sample, error: Exception, seconds: float) -> Answer:
    """No answer: it scores 0, and is listed in the report."""
    return Answer(
        sample.id, sample.image_name, sample.expression, sample.kind, sample.category,
        1 if sample.boxes is None else len(sample.boxes), rows_of(sample.boxes),
        seconds=round(seconds, 3), error=f"{type(error).__name__}: {error}",
    )  # fmt: skip


def boxes_of(truth: BoolMask | None) -> FloatArray:
    """(1, 4) the extent of a true mask, (0, 4) where it is empty or not known."""
    if truth is None or not truth.any():
        return np.zeros((0, 4))
    box = hbb_of_mask(Mask(truth, 0, 0))
    return np.array([[box.x_min, box.y_min, box.x_max, box.y_max]])


def rows_of(boxes: FloatArray | None) -> tuple[tuple[float, ...], ...]:
    """Boxes as they are kept in a file: hundredths of a pixel."""
    return tuple(tuple(round(float(v), 2) for v in box) for box in (boxes if boxes is not None else ()))


def _best_first(result: GroundingResult) -> list[Detection]:
    return sorted(result.detections, key=lambda d: -d.score)


def _pixels(ring: object, tile: RasterTile) -> FloatArray:
    """Map coordinates (n, 2) as x, y in pixels."""
    points = np.asarray(ring, float)
    rows, cols = rowcol(tile.affine, points[:, 0], points[:, 1], op=float)
    return np.column_stack([cols, rows]).astype(float)


def answer_boxes(result: GroundingResult, tile: RasterTile) -> FloatArray:
    """(n, 4) boxes in pixels, best first: x_min, y_min, x_max, y_max."""
    boxes = [_pixels(d.hbb, tile) for d in _best_first(result) if d.hbb is not None]
    return np.array([[*ring.min(axis=0), *ring.max(axis=0)] for ring in boxes], float).reshape(-1, 4)


def answer_mask(result: GroundingResult, tile: RasterTile, *, only_best: bool) -> BoolMask:
    """(row, col) bool: the pixels of the best detection, or of all."""
    picked = _best_first(result)[: 1 if only_best else None]
    shapes = [{"type": "MultiPolygon", "coordinates": d.mask} for d in picked if d.mask]
    if not shapes:
        return np.zeros(tile.valid.shape, bool)
    burnt: BoolMask = rasterize(shapes, out_shape=tile.valid.shape, transform=tile.affine, dtype="uint8") > 0
    return burnt


def _rotated(sample: Sample, best: Detection | None, tile: RasterTile) -> tuple[float, float] | None:
    """Overlap of the best oriented box with the only true one, which alone is the union where nothing is answered."""
    if sample.corners is None or len(sample.corners) != 1:
        return None
    truth = sample.corners[0]
    if best is None or best.obb is None:
        return 0.0, round(rotated_overlap(truth, truth).union, 2)
    over = rotated_overlap(_pixels(best.obb, tile)[:4], truth)
    return round(over.intersection, 2), round(over.union, 2)


def _consistency(best: Detection | None, tile: RasterTile) -> float | None:
    if best is None:
        return None
    hbb, obb = (None if ring is None else _pixels(ring, tile)[:4] for ring in (best.hbb, best.obb))
    box = None if hbb is None else (*hbb.min(axis=0), *hbb.max(axis=0))
    outline = np.vstack([_pixels(polygon[0], tile) for polygon in best.mask]) if best.mask else None
    return round(consistency(box, obb, outline), 4)
