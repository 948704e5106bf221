"""Land cover of real pictures, labelled by eye for this project: what the sources' own boxes and outlines leave out.

``surfaces/early/SOURCE_NAME.png`` or ``surfaces/late/...`` holds a number of ``LABELS`` for each pixel of a labelled
tile, at a scale of its own; 0 where nobody said. The regions are those of the region tree, so that borders are the
picture's own. A network that learnt from the early ones only sees the late ones as it sees a user's pictures: from that
the verdicts learn how far to trust it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inference_server.models.evidence.classes import CORE, EDGE, EVIDENCE_CLASSES, SURFACES, THINGS, bits_of

FOLDER = Path(__file__).parent / "surfaces"
EARLY, LATE = "early", "late"
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


def labels_of(source: str, name: str, parts: tuple[str, ...] = (EARLY, LATE)) -> NDArray[np.uint8] | None:
    """(row, col) numbers of ``LABELS`` of a tile, at their own scale; None where nobody labelled it."""
    for part in parts:
        path = FOLDER / part / f"{source}_{name.replace('/', '-')}.png"
        if path.exists():
            with Image.open(path) as picture:
                return np.asarray(picture)
    return None


def scaled(labels: NDArray[np.uint8], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Labels at another size (rows, columns)."""
    return np.asarray(Image.fromarray(labels).resize((shape[1], shape[0]), Image.Resampling.NEAREST))


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
    labels = scaled(labels, (on.shape[0], on.shape[1]))
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
