"""RRSIS-D (Liu et al. 2024): references in a pickle, masks as COCO run-length codes.

``bbox`` is x_min, y_min, x_max, y_max, not REFER's x, y, width, height; ``area`` is not reliable and not read.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from inference_server.evaluation.readers.base import (
    ImageFile,
    InvalidData,
    Sample,
    existing_folder,
    numbers,
    read_json,
    value_of,
)
from inference_server.evaluation.readers.rle import RunLengthMask
from inference_server.evaluation.readers.unpickler import load_plain


class RrsisD:
    """A split ("train", "val", "test") of the folder that holds ``rrsisd/`` and ``images/rrsisd/``."""

    name = "rrsis-d"

    def __init__(self, folder: Path, split: str) -> None:
        self._split = split
        self._refs = folder / "rrsisd" / "refs(unc).p"
        self._instances = folder / "rrsisd" / "instances.json"
        self._images = existing_folder(
            [folder / "images" / "rrsisd" / "JPEGImages", folder / "rrsisd" / "images" / "JPEGImages"],
            "RRSIS-D's images",
        )

    def samples(self) -> Iterator[Sample]:
        refs = load_plain(self._refs)
        if not isinstance(refs, list) or not all(isinstance(ref, dict) for ref in refs):
            raise InvalidData(self._refs, f"expected a list of references, got {type(refs).__name__}")
        content = read_json(self._instances)
        if not isinstance(content, dict):
            raise InvalidData(self._instances, f"expected an object, got {type(content).__name__}")
        by_id = {a.get("id"): a for a in value_of(content, "annotations", list, self._instances)}
        names = {c.get("id"): str(c.get("name", "")) for c in content.get("categories", [])}
        sizes = {i.get("id"): (i.get("height"), i.get("width")) for i in content.get("images", [])}
        for ref in refs:
            if value_of(ref, "split", str, self._refs) == self._split:
                yield from self._of_ref(ref, by_id, names, sizes)

    def _of_ref(
        self, ref: dict[str, Any], by_id: dict[Any, dict[str, Any]], names: dict[Any, str], sizes: dict[Any, Any]
    ) -> Iterator[Sample]:
        ann_id = value_of(ref, "ann_id", (int, str), self._refs)
        annotation = by_id.get(ann_id)
        if annotation is None:
            raise InvalidData(self._instances, f"expected the annotation {ann_id!r} that refs(unc).p names")
        box = numbers(value_of(annotation, "bbox", list, self._instances), 4, self._instances, "bbox")
        codes = value_of(annotation, "segmentation", (list, dict), self._instances)
        mask = RunLengthMask(
            tuple(codes) if isinstance(codes, list) else (codes,), self._instances, sizes.get(ref.get("image_id"))
        )
        name = value_of(ref, "file_name", str, self._refs)
        for sentence in value_of(ref, "sentences", list, self._refs):
            yield Sample(
                id=f"{ref.get('ref_id')}/{sentence.get('sent_id')}",
                image=ImageFile(self._images / Path(name).name),
                image_name=name,
                expression=value_of(sentence, "sent", str, self._refs),
                boxes=box.reshape(1, 4),
                mask=mask,
                category=names.get(ref.get("category_id"), ""),
            )
