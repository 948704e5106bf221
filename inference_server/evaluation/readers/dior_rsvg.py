"""DIOR-RSVG (Zhan et al. 2023): VOC annotations whose splits index the running count of all objects."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import numpy as np

from inference_server.evaluation.readers.base import ImageFile, InvalidData, Sample, existing_folder, numbers

#: The few elements that are read: no XML parser, so no entities to expand.
_OBJECT = re.compile(r"<object>(.*?)</object>", re.DOTALL)
_FILE = re.compile(r"<filename>(.*?)</filename>", re.DOTALL)


class DiorRsvg:
    """A split of the folder that holds ``Annotations/``, ``JPEGImages/`` and ``<split>.txt``."""

    name = "dior-rsvg"

    def __init__(self, folder: Path, split: str) -> None:
        self._split = folder / f"{split}.txt"
        self._annotations = existing_folder([folder / "Annotations"], "DIOR-RSVG's annotations")
        self._images = existing_folder([folder / "JPEGImages"], "DIOR-RSVG's images")

    def samples(self) -> Iterator[Sample]:
        try:
            wanted = {int(word) for word in self._split.read_text(encoding="utf-8").split()}
        except FileNotFoundError:
            raise InvalidData(self._split, "expected numbers of objects, there is no such file") from None
        except ValueError as error:
            raise InvalidData(self._split, f"expected numbers of objects: {error}") from error
        count = 0
        for path in sorted(self._annotations.glob("*.xml")):
            text = path.read_text(encoding="utf-8", errors="replace")
            if "</annotation>" not in text:
                raise InvalidData(path, "expected a VOC annotation, it may be cut off: no </annotation>")
            file_name = _FILE.search(text)
            for item in _OBJECT.findall(text):
                if count in wanted:
                    name = Path(file_name.group(1).strip()).name if file_name else f"{path.stem}.jpg"
                    yield self._sample(count, path, name, item)
                count += 1
        if wanted and max(wanted) >= count:
            raise InvalidData(self._split, f"expected numbers below {count}, the objects there are, got {max(wanted)}")

    def _sample(self, number: int, path: Path, image: str, item: str) -> Sample:
        sides = [_element(item, tag) for tag in ("xmin", "ymin", "xmax", "ymax")]
        phrase = _element(item, "description") or _element(item, "phrase")
        if not phrase:
            raise InvalidData(path, f"object {number}: expected a description, got none")
        box = numbers(np.array([s or "nan" for s in sides]), 4, path, f"object {number}, bndbox")
        return Sample(
            str(number), ImageFile(self._images / image), image, unescape(phrase), box.reshape(1, 4),
            category=_element(item, "name"),
        )  # fmt: skip


def _element(text: str, tag: str) -> str:
    found = re.search(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
    return found.group(1).strip() if found else ""
