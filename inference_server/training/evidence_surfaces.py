"""Land cover of real pictures, labelled by eye for this project: what the sources' own boxes and outlines leave out.

``surfaces/SOURCE_NAME.png`` holds a number of ``LABELS`` for each pixel of a labelled tile, at a scale of its own; 0
where nobody said. The regions are those of the region tree, so that borders are the picture's own.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inference_server.models.evidence.classes import CORE, EDGE, EVIDENCE_CLASSES, SURFACES, THINGS, bits_of

FOLDER = Path(__file__).parent / "surfaces"
#: What a pixel may be labelled, beside the network's classes: the classes that each leaves open.
OPEN = {
    "apron": ("parking lot", "runway"),
    "paved": ("road", "parking lot", "runway", "bridge", "basketball court"),
    "vegetation": ("grass", "field"),
    "soil": ("field",),
    "shadow": tuple(s for s in SURFACES if s != "water"),
    "other": (),
}
LABELS = ("", *EVIDENCE_CLASSES, *OPEN)


def label_file(source: str, name: str) -> Path:
    """Where the labels of a tile are, if it has any."""
    return FOLDER / f"{source}_{name.replace('/', '-')}.png"


def paint_surfaces(
    on: NDArray[np.uint32], unknown: NDArray[np.uint32], labels: NDArray[np.uint8], boxed: tuple[str, ...]
) -> None:
    """Adds what was labelled by eye to a tile's maps, in place.

    Args:
        on: (row, col) bits of the classes that a pixel shows.
        unknown: bits of the classes that nothing is known about.
        labels: (row, col) numbers of ``LABELS``, of any size: brought to the tile's.
        boxed: the classes that the source itself labels; where it shows one or leaves one open, its word stands.
    """
    labels = np.asarray(Image.fromarray(labels).resize(on.shape[::-1], Image.Resampling.NEAREST))
    own, things, deep = (np.uint32(bits_of(names)) for names in (boxed, THINGS, (CORE, EDGE)))
    is_free = ((unknown & own) == 0) & ((on & things) == 0)
    for number, name in enumerate(LABELS):
        there = is_free & (labels == number)
        if not number or not there.any():
            continue
        if name in OPEN:
            unknown[there] = bits_of(OPEN[name])
        else:
            on[there] |= np.uint32(bits_of([name]))
            unknown[there] = deep if name in THINGS else 0
