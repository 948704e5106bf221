"""Asks an engine every sample of a data set and keeps each answer as a JSON line, so that a run can go on."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import numpy as np
from rasterio.features import rasterize
from rasterio.transform import rowcol

from inference_server.errors import InvalidRequest
from inference_server.evaluation.metrics import CONVENTIONS, Convention, Overlap, box_overlap, f1_at, mask_overlap
from inference_server.evaluation.readers.base import DataSet, Sample
from inference_server.geometry import BoolMask, FloatArray, Mask, hbb_of_mask, iou_hbb
from inference_server.models.registry import Registry
from inference_server.pipeline import GroundingPipeline
from inference_server.raster import RasterTile
from rsground_plugin.protocol import GroundingRequest, GroundingResult

RIGHT_IOU = 0.5


@dataclass(frozen=True)
class Answer:
    """One sample, asked.

    Attributes:
        truths, boxes: x_min, y_min, x_max, y_max in pixels, the answer's best first.
        box, mask: (intersection, union) of the best answer, or of all where there are several targets; None: unknown.
        f1: of the boxes at IoU 0.5.
        is_right: one target: box IoU >= 0.5; several: F1 >= 0.5; none: nothing answered.
        error: why there is no answer: it scores 0 and is listed.
    """

    id: str
    image: str
    expression: str
    kind: str
    category: str
    truths: tuple[tuple[float, ...], ...]
    boxes: tuple[tuple[float, ...], ...] = ()
    scores: tuple[float, ...] = ()
    box: tuple[float, float] | None = None
    mask: tuple[float, float] | None = None
    f1: float = 0.0
    is_right: bool = False
    seconds: float = 0.0
    understood: str = ""
    remarks: str = ""
    error: str = ""

    @property
    def is_negative(self) -> bool:
        return not self.truths and not self.error


def run(
    data: DataSet,
    *,
    engine: str,
    header: dict[str, Any],
    path: Path,
    limit: int | None = None,
    workers: int = 1,
    convention: Convention = CONVENTIONS["default"],
    progress: Callable[[int], None] = lambda done: None,
) -> list[Answer]:
    """Asks what the file at ``path`` does not answer yet, and returns all answers.

    Args:
        header: what the answers depend on; kept as the file's first line.
        path: JSON lines, made when missing.
        limit: so many samples at most, the first ones.
        workers: processes.

    Raises:
        InvalidRequest: the file's answers are of another engine, revision or data.
        InvalidData: the data set's own files are faulty.
    """
    done = _begun(path, header)
    answers = {a.id: a for a in done}
    todo = (s for s in islice(data.samples(), limit) if s.id not in answers)
    with path.open("a", encoding="utf-8") as file:
        for group in _asked(todo, engine, convention, workers):
            for answer in group:
                answers[answer.id] = answer
                file.write(json.dumps(asdict(answer), ensure_ascii=False) + "\n")
            file.flush()
            progress(len(answers))
    return list(answers.values())


def read_answers(path: Path) -> tuple[dict[str, Any], list[Answer]]:
    """The header and the answers of a run. Raises InvalidRequest when the file is none."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        header = json.loads(lines[0])
        records = [json.loads(line) for line in lines[1:]]
        return header, [Answer(**{k: _tuples(v) for k, v in record.items()}) for record in records]
    except (OSError, IndexError, ValueError, TypeError) as error:
        raise InvalidRequest(f"{path}: expected the answers of a run, JSON lines: {error}", field="answers") from error


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value


def _begun(path: Path, header: dict[str, Any]) -> list[Answer]:
    """The answers there are; a last line cut off by a crash is dropped."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or not path.stat().st_size:
        path.write_text(json.dumps(header) + "\n", encoding="utf-8")
        return []
    text = path.read_text(encoding="utf-8")
    if not text.endswith("\n"):
        path.write_text(text[: text.rfind("\n") + 1], encoding="utf-8")
        return _begun(path, header)
    was, answers = read_answers(path)
    different = [f"{k}: {was.get(k)!r}, now {v!r}" for k, v in header.items() if was.get(k) != v]
    if different:
        raise InvalidRequest(
            f"{path} holds answers of another run ({'; '.join(different)}). Choose another --output, or --restart.",
            field="output",
        )
    return answers


def fingerprint(data: str, split: str) -> str:
    """Tells one state of a data set from another: names, sizes and times of its files, or the generator's code."""
    name, _, rest = data.partition(":")
    root = Path(__file__).parent if name in ("scenes", "benchmark") else Path(rest)
    files = root.glob("scene*.py") if name in ("scenes", "benchmark") else root.rglob("*")
    digest = hashlib.blake2b(f"{data}|{split}".encode(), digest_size=10)
    for path in sorted(p for p in files if p.is_file()):
        stat = path.stat()
        digest.update(f"{path.relative_to(root)}|{stat.st_size}|{stat.st_mtime_ns}".encode())
    return digest.hexdigest()


def _asked(samples: Iterator[Sample], engine: str, convention: Convention, workers: int) -> Iterator[list[Answer]]:
    """Answers by picture, so that a picture is encoded once; few pictures are in memory at a time."""
    groups = (list(group) for _, group in groupby(samples, key=lambda s: s.image_name))
    if workers <= 1:
        asker = _Asker(engine, convention)
        yield from (asker(group) for group in groups)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_start, initargs=(engine, convention)) as pool:
        waiting: set[Future[list[Answer]]] = {pool.submit(_ask, group) for group in islice(groups, workers + 1)}
        try:
            while waiting:
                finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in finished:
                    yield future.result()
                    waiting |= {pool.submit(_ask, group) for group in islice(groups, 1)}
        finally:
            for future in waiting:
                future.cancel()


_ASKER: list[_Asker] = []


def _start(engine: str, convention: Convention) -> None:
    _ASKER[:] = [_Asker(engine, convention)]


def _ask(samples: list[Sample]) -> list[Answer]:
    return _ASKER[0](samples)


class _Asker:
    """One process's pipeline."""

    def __init__(self, engine: str, convention: Convention) -> None:
        self._pipeline = GroundingPipeline(Registry())
        self._engine, self._convention = engine, convention

    def __call__(self, samples: Sequence[Sample]) -> list[Answer]:
        return [self._one(sample) for sample in samples]

    def _one(self, sample: Sample) -> Answer:
        start = time.perf_counter()
        try:
            tile = sample.image.tile()
            truth = sample.mask.mask() if sample.mask is not None else None
            outputs = ("hbb", "mask") if truth is not None else ("hbb",)
            result = self._pipeline.ground(GroundingRequest(sample.expression, self._engine, outputs), tile)
            return judged(sample, tile, truth, result, time.perf_counter() - start, self._convention)
        except Exception as error:  # scores 0 and is listed in the report; the rest is still asked
            return Answer(
                sample.id, sample.image_name, sample.expression, sample.kind, sample.category, _rows(sample.boxes),
                seconds=time.perf_counter() - start, error=f"{type(error).__name__}: {error}",
            )  # fmt: skip


def judged(
    sample: Sample,
    tile: RasterTile,
    truth: BoolMask | None,
    result: GroundingResult,
    seconds: float,
    convention: Convention,
) -> Answer:
    """The answer beside the truth."""
    boxes = answer_boxes(result, tile)
    truths = sample.boxes if sample.boxes is not None else _box_of(truth)
    ious = iou_hbb(boxes, truths)
    f1 = f1_at(ious, RIGHT_IOU)
    box = None
    if len(truths) == 1:
        inclusive = convention.is_pixel_inclusive
        best = box_overlap(boxes[0], truths[0], is_pixel_inclusive=inclusive) if len(boxes) else _missed(truths[0])
        box = (best.intersection, best.union)
        is_right = best.iou() >= RIGHT_IOU
    else:
        is_right = f1 >= 0.5 if len(truths) else not len(boxes)
    mask = None
    if truth is not None:
        over = mask_overlap(answer_mask(result, tile, only_best=len(truths) == 1), truth)
        mask = (over.intersection, over.union)
    empty = result.empty_reason
    return Answer(
        sample.id, sample.image_name, sample.expression, sample.kind, sample.category, _rows(truths),
        boxes=_rows(boxes[:50]), scores=tuple(sorted((round(d.score, 4) for d in result.detections), reverse=True)),
        box=box, mask=mask, f1=f1, is_right=bool(is_right), seconds=round(seconds, 3), understood=result.understood,
        remarks="; ".join([*([f"{empty.part}: {empty.message}"] if empty else []), *result.notes]),
    )  # fmt: skip


def _missed(truth: FloatArray) -> Overlap:
    return Overlap(0.0, float((truth[2] - truth[0]) * (truth[3] - truth[1])))


def _box_of(truth: BoolMask | None) -> FloatArray:
    if truth is None or not truth.any():
        return np.zeros((0, 4))
    box = hbb_of_mask(Mask(truth, 0, 0))
    return np.array([[box.x_min, box.y_min, box.x_max, box.y_max]])


def _rows(boxes: FloatArray | None) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(round(float(v), 2) for v in box) for box in (boxes if boxes is not None else ()))


def answer_boxes(result: GroundingResult, tile: RasterTile) -> FloatArray:
    """(n, 4) boxes in pixels, best first: x_min, y_min, x_max, y_max."""
    boxes = []
    for detection in sorted(result.detections, key=lambda d: -d.score):
        if detection.hbb is not None:
            ring = np.array(detection.hbb)
            rows, cols = rowcol(tile.affine, ring[:, 0], ring[:, 1], op=float)
            boxes.append((min(cols), min(rows), max(cols), max(rows)))
    return np.array(boxes, float).reshape(-1, 4)


def answer_mask(result: GroundingResult, tile: RasterTile, *, only_best: bool) -> BoolMask:
    """(row, col) bool: the pixels of the best detection, or of all."""
    best_first = sorted(result.detections, key=lambda d: -d.score)[: 1 if only_best else None]
    shapes = [{"type": "MultiPolygon", "coordinates": d.mask} for d in best_first if d.mask]
    if not shapes:
        return np.zeros(tile.valid.shape, bool)
    burnt: BoolMask = rasterize(shapes, out_shape=tile.valid.shape, transform=tile.affine, dtype="uint8") > 0
    return burnt
