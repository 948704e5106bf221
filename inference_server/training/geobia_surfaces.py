"""Pictures whose land cover was labelled by eye, as labelled tiles: each patch of one label is an object."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects, label

from inference_server.training.evidence_data import MORE_PLANES
from inference_server.training.evidence_surfaces import LABELS, LATE, labels_of, scaled
from inference_server.training.geobia_labels import LabelledObject, LabelledTile, cars, planes, towns, trees

SOURCE = "surfaces"
#: Labels that name what a user would ask for; vehicles and airplanes were labelled only where one fills a region.
OBJECTS = ("building", "road", "runway", "parking lot", "field", "water", "tree", "tank", "pool", "bridge")
SMALLEST_PX = 40
#: The labelled ones among these: what no evaluation looks at.
TAKEN: tuple[tuple[str, Callable[[Path], Iterator[LabelledTile]]], ...] = (
    ("towns", towns), ("cars", cars), ("planes", planes), ("planes", partial(planes, picked=MORE_PLANES)),
    ("trees", trees),
)  # fmt: skip


def surfaces(data: Path) -> Iterator[LabelledTile]:
    """The pictures labelled late, which the network that shows them must not have learnt from."""
    for folder, reader in TAKEN:
        for tile in reader(data / folder):
            labels = labels_of(tile.source, tile.name, (LATE,))
            if labels is not None:
                yield by_eye(tile, scaled(labels, (tile.valid.shape[0], tile.valid.shape[1])))


def by_eye(tile: LabelledTile, labels: NDArray[np.uint8]) -> LabelledTile:
    """A tile with the patches of its labels, (row, col) numbers of ``LABELS``, instead of its source's objects."""
    objects = []
    for name in OBJECTS:
        patches, count = label(labels == LABELS.index(name))
        sizes = np.bincount(patches.ravel(), minlength=count + 1)
        for size, (rows, cols) in zip(sizes[1:], find_objects(patches), strict=True):
            if size >= SMALLEST_PX:
                box = (float(cols.start), float(rows.start), float(cols.stop), float(rows.stop))
                objects.append(LabelledObject(name, box, float(size)))
    name = f"{tile.source}-{tile.name.replace('/', '-')}"
    return replace(tile, source=SOURCE, name=name, objects=tuple(objects), known=labels > 0)
