"""EarthReason (Li et al. 2025): questions, images and masks paired by their sorted names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from inference_server.evaluation.readers.base import (
    ImageFile,
    InvalidData,
    MaskFile,
    Sample,
    existing_folder,
    read_json,
    value_of,
)


class EarthReason:
    """A split of the folder that holds ``RSReasonSeg/<split>/{images,labels,QAs}``; an empty answer has no target."""

    name = "earthreason"

    def __init__(self, folder: Path, split: str) -> None:
        root = existing_folder([folder / "RSReasonSeg" / split, folder / split], f"the split {split!r}")
        self._root = root
        self._files = [
            sorted(p for p in (root / part).glob("*") if p.is_file()) for part in ("images", "labels", "QAs")
        ]

    def samples(self) -> Iterator[Sample]:
        counts = [len(files) for files in self._files]
        if len(set(counts)) != 1:
            raise InvalidData(self._root, f"expected as many images as labels and QAs, got {counts}")
        for image, label, asked in zip(*self._files, strict=True):
            record = read_json(asked)
            if not isinstance(record, dict):
                raise InvalidData(asked, f"expected an object, got {type(record).__name__}")
            answers = value_of(record, "answer", (list, str), asked)
            is_empty = not any(answers)
            for number, question in enumerate(value_of(record, "questions", list, asked)):
                yield Sample(
                    f"{asked.stem}/{number}", ImageFile(image), image.name, str(question),
                    np.zeros((0, 4)) if is_empty else None, mask=MaskFile(label),
                )  # fmt: skip
