"""The 17 open-vocabulary segmentation sets in mmsegmentation's layout, with the training-free paper's class lists."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference_server.evaluation.readers.base import ImageFile, InvalidData, existing_folder, index_image

_LISTS = {
    "openearthmap": "background; bareland,barren; grass; pavement; road; tree,forest; water,river; cropland;"
    " building,roof,house",
    "loveda": "background; building,roof,house; road; water; barren; forest; agricultural",
    "isaid": "background; ship; store tank; baseball diamond; tennis court; basketball court; ground track field;"
    " bridge; large vehicle; small vehicle; helicopter; swimming pool; roundabout; soccer ball field; plane; harbor",
    "potsdam": "road,parking lot; building; low vegetation; tree; car; clutter,background",
    "vaihingen": "impervious surface; building; low vegetation; tree; car; clutter",
    "uavid": "background; building; road; car; tree; vegetation; human",
    "udd5": "vegetation; building; road; vehicle; background",
    "vdd": "background; facade; road; vegetation; vehicle; roof; water",
    **dict.fromkeys(("whu-aerial", "whu-sat-ii", "inria", "xbd"), "background; building"),
    **dict.fromkeys(("chn6-cug", "deepglobe", "massachusetts", "spacenet"), "background; road"),
    "wbs-si": "background; water",
}
#: For each set its classes in the order of their indices, each with its synonyms.
CLASSES = {
    name: tuple(tuple(word.strip() for word in one.split(",")) for one in text.split(";"))
    for name, text in _LISTS.items()
}


@dataclass(frozen=True)
class Labelled:
    """A picture and its class indices.

    Attributes:
        image: the picture; label_path: of its indices; classes: how many there are; ignored: index that counts not.
    """

    image: ImageFile
    label_path: Path
    classes: int
    ignored: int = 255

    @property
    def id(self) -> str:
        return self.image.path.stem

    @property
    def image_name(self) -> str:
        return self.image.path.name

    def label(self) -> NDArray[Any]:
        """(row, col) class indices. Raises InvalidData."""
        band = index_image(self.label_path)
        known = band[band != self.ignored]
        if known.size and int(known.max()) >= self.classes:
            raise InvalidData(self.label_path, f"expected classes below {self.classes}, got {int(known.max())}")
        return np.asarray(band)


class Ovss:
    """A split of one set: ``img_dir/<split>`` and ``ann_dir/<split>`` with PNGs of class indices."""

    def __init__(self, folder: Path, split: str, *, name: str) -> None:
        if name not in CLASSES:
            raise ValueError(f"Ovss: expected name to be one of {', '.join(CLASSES)}, got {name!r}")
        self.name, self.classes = name, CLASSES[name]
        self._images = existing_folder([folder / "img_dir" / split, folder / "img_dir"], f"{name}'s images")
        self._labels = existing_folder([folder / "ann_dir" / split, folder / "ann_dir"], f"{name}'s labels")

    def pictures(self) -> Iterator[Labelled]:
        """Each labelled picture, by name. Raises InvalidData when a picture has no label."""
        for image in sorted(p for p in self._images.iterdir() if p.is_file()):
            options = [self._labels / f"{image.stem}{end}" for end in (".png", "_instance_color_RGB.png", ".tif")]
            label = next((p for p in options if p.exists()), None)
            if label is None:
                raise InvalidData(options[0], f"expected the label of {image.name}, there is no such file")
            yield Labelled(ImageFile(image), label, len(self.classes))
