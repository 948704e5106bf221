"""refGeo (GeoGround, Zhou et al. 2024): RSVG, DIOR-RSVG, GeoChat, VRSBench and AVVG in one JSON-lines format."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from inference_server.evaluation.readers.base import ImageFile, MaskFile, Sample, numbers, read_records, value_of

PARTS = ("rsvg", "dior_rsvg", "geochat", "vrsbench", "avvg")


class RefGeo:
    """A split of one part; AVVG's polygons may leave the image and are kept as they are."""

    def __init__(self, folder: Path, split: str, *, part: str) -> None:
        if part not in PARTS:
            raise ValueError(f"RefGeo: expected part to be one of {', '.join(PARTS)}, got {part!r}")
        self.name = f"refgeo-{part}"
        self._folder, self._part = folder, part
        self._list = folder / "metainfo" / f"{part}_{split}.jsonl"

    def samples(self) -> Iterator[Sample]:
        for record in read_records(self._list):
            image = value_of(record, "image_id", str, self._list)
            question_id = value_of(record, "question_id", (int, str), self._list)
            box = numbers(value_of(record, "bbox", list, self._list), 4, self._list, "bbox")
            poly = record.get("poly")
            mask = self._folder / "masks" / self._part / f"{Path(image).stem}_{question_id}.png"
            yield Sample(
                id=str(question_id),
                image=ImageFile(self._folder / "images" / self._part / Path(image).name),
                image_name=image,
                expression=value_of(record, "question", str, self._list),
                boxes=box.reshape(1, 4),
                corners=None if poly is None else numbers(np.ravel(poly), 8, self._list, "poly").reshape(1, 4, 2),
                mask=MaskFile(mask) if mask.exists() else None,
            )
