"""RISBench and RefSegRS: lists of "file phrase", images and masks of the same names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from inference_server.evaluation.readers.base import ImageFile, InvalidData, MaskFile, Sample, existing_folder


class PhraseList:
    """A split of a folder with ``output_phrase_<split>.txt``, an image folder and a mask folder."""

    def __init__(self, folder: Path, split: str, *, name: str) -> None:
        self.name = name
        self._list = folder / f"output_phrase_{split}.txt"
        self._images = existing_folder([folder / "img_rgb", folder / "images"], f"{name}'s images")
        self._masks = existing_folder([folder / "mask", folder / "masks"], f"{name}'s masks")

    def samples(self) -> Iterator[Sample]:
        try:
            lines = self._list.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            raise InvalidData(self._list, "expected lines of 'file phrase', there is no such file") from None
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            stem, space, phrase = line.strip().partition(" ")
            if not space:
                raise InvalidData(self._list, f"line {number}: expected 'file phrase', got {line!r:.80}")
            image = _named(self._images, stem)
            mask = _named(self._masks, stem)
            yield Sample(f"{number}", ImageFile(image), stem, phrase.strip(), None, mask=MaskFile(mask))


def _named(folder: Path, name: str) -> Path:
    """The file of that name, with the suffix of its siblings when the list leaves it out or says another."""
    exact = folder / Path(name).name
    if exact.suffix and exact.exists():
        return exact
    bare = exact.stem if exact.suffix.lower() in (".png", ".jpg", ".tif") else exact.name
    for suffix in (".png", ".tif", ".jpg"):
        if (folder / f"{bare}{suffix}").exists():
            return folder / f"{bare}{suffix}"
    return exact
