"""VRSBench's and GeoChat's own files: boxes as text in hundredths of the image."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from inference_server.evaluation.readers.base import (
    ImageFile,
    InvalidData,
    Sample,
    existing_folder,
    read_json,
    read_records,
    value_of,
)
from inference_server.geometry import FloatArray, le90, obb_corners

_BOX = re.compile(r"\{((?:<\s*-?\d+(?:\.\d+)?\s*>\s*){4})(?:\|\s*<\s*(-?\d+(?:\.\d+)?)\s*>)?\s*\}")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
VRSBENCH_SIDE_PX = 512


def percent_boxes(text: str) -> tuple[FloatArray, tuple[float | None, ...]]:
    """The boxes in a text, (n, 4) in hundredths, and their angles in degrees where there are any."""
    found = _BOX.findall(text)
    boxes = np.array([[float(v) for v in _NUMBER.findall(sides)] for sides, _ in found]).reshape(-1, 4)
    return boxes, tuple(float(angle) if angle else None for _, angle in found)


class VrsBench:
    """The referring file of VRSBench: records with image_id, question, ground_truth, is_unique, size_group."""

    name = "vrsbench"

    def __init__(self, folder: Path, split: str) -> None:
        self._list = folder / f"VRSBench_EVAL_referring_{split}.json"
        if not self._list.exists():
            self._list = folder / "VRSBench_EVAL_referring.json"
        self._images = existing_folder([folder / "Images_val", folder / "images"], "VRSBench's images")

    def samples(self) -> Iterator[Sample]:
        records = read_json(self._list)
        if not isinstance(records, list):
            raise InvalidData(self._list, f"expected a list of records, got {type(records).__name__}")
        for number, record in enumerate(records):
            image = value_of(record, "image_id", str, self._list)
            text = value_of(record, "ground_truth", str, self._list)
            boxes, _ = percent_boxes(text)
            if not len(boxes):
                raise InvalidData(self._list, f"record {number}: expected {{<x1><y1><x2><y2>}}, got {text!r:.80}")
            yield Sample(
                id=str(record.get("question_id", number)),
                image=ImageFile(self._images / image),
                image_name=image,
                expression=value_of(record, "question", str, self._list),
                boxes=boxes[:1] * VRSBENCH_SIDE_PX / 100,
                category=str(record.get("obj_cls", "")),
                kind="unique" if record.get("is_unique") else "not unique",
            )


class GeoChat:
    """GeoChat's referring file, one record a line: ``{<left><top><right><bottom>|<angle>}`` in ground_truth.

    The boxes are in hundredths of the picture's own size, which is read from its header.
    """

    name = "geochat"

    def __init__(self, folder: Path, split: str) -> None:
        self._list = folder / f"referring_{split}.jsonl"
        if not self._list.exists():
            self._list = folder / "referring.jsonl"
        self._images = existing_folder([folder / "images"], "GeoChat's images")

    def samples(self) -> Iterator[Sample]:
        for number, record in enumerate(read_records(self._list)):
            image = value_of(record, "image_id", str, self._list)
            text = value_of(record, "ground_truth", str, self._list)
            boxes, angles = percent_boxes(text)
            if not len(boxes):
                raise InvalidData(self._list, f"record {number}: expected {{<l><t><r><b>|<angle>}}, got {text!r:.80}")
            source = ImageFile(self._images / image)
            boxes = boxes * np.tile(source.size_px(), 2) / 100
            corners = np.array([_rotated(box, angle or 0.0) for box, angle in zip(boxes, angles, strict=True)])
            yield Sample(
                str(record.get("question_id", number)),
                source,
                image,
                value_of(record, "question", str, self._list),
                np.hstack([corners.min(axis=1), corners.max(axis=1)]),
                corners=corners,
            )


def _rotated(box: FloatArray, angle: float) -> FloatArray:
    """The corners of a box turned about its middle, (4, 2)."""
    (x, y), (width, height) = (box[:2] + box[2:]) / 2, np.abs(box[2:] - box[:2])
    return obb_corners(le90(float(x), float(y), float(width), float(height), angle))
