"""Land cover labelled by eye: what it adds to the label maps of real pictures, and what stays with their own labels."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from inference_server.models.evidence.classes import CORE, EDGE, bits_of
from inference_server.training.evidence_data import ALL, LABELLED
from inference_server.training.evidence_surfaces import EARLY, FOLDER, LABELS, LATE, OPEN, labels_of, paint_surfaces


def bits(*names: str) -> int:
    return bits_of(names)


def painted(label: str, *, on: int = 0, unknown: int = int(ALL), boxed: tuple[str, ...] = ("car",)) -> tuple[int, int]:
    """What is on and unknown at a pixel of a label, of a picture of two by two."""
    shown, open_ones = np.full((2, 2), on, np.uint32), np.full((2, 2), unknown, np.uint32)
    paint_surfaces(shown, open_ones, np.full((1, 1), LABELS.index(label), np.uint8), boxed)
    assert (shown == shown[0, 0]).all(), "the labels are brought to the picture's size"
    return int(shown[0, 0]), int(open_ones[0, 0])


NOT_CAR = int(ALL) & ~bits("car")


def test_a_surface_is_known_there_and_nothing_is_left_open() -> None:
    assert painted("road", unknown=NOT_CAR) == (bits("road"), 0)


def test_of_a_thing_its_core_and_rim_stay_unknown() -> None:
    assert painted("building", unknown=NOT_CAR) == (bits("building"), bits(CORE, EDGE))


@pytest.mark.parametrize("label", OPEN)
def test_what_is_none_of_the_classes_may_be_those_that_it_is_taken_for(label: str) -> None:
    assert painted(label, unknown=NOT_CAR) == (0, bits(*OPEN[label]))


def test_the_source_has_the_last_word_on_its_own_classes() -> None:
    # A box whose thing was not found: the pixel may be a car, whatever lies around.
    assert painted("road", unknown=NOT_CAR | bits("car")) == (0, NOT_CAR | bits("car"))
    assert painted("road", on=bits("car"), unknown=0) == (bits("car"), 0)


def test_where_nobody_labelled_nothing_changes() -> None:
    assert painted("", unknown=NOT_CAR) == (0, NOT_CAR)


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.png")), ids=lambda path: path.stem)
def test_every_picture_of_labels_is_of_a_known_source_and_holds_known_numbers(path) -> None:  # type: ignore[no-untyped-def]
    assert path.stem.split("_")[0] in LABELLED
    with Image.open(path) as picture:
        numbers = np.unique(np.asarray(picture))
    assert numbers.max() < len(LABELS)
    assert len(numbers) > 2


def test_a_tile_has_labels_of_the_parts_that_are_asked_for() -> None:
    (early, late) = (next((FOLDER / part).glob("planes_*.png")).stem.partition("_")[2] for part in (EARLY, LATE))
    assert labels_of("planes", early) is not None
    assert labels_of("planes", early, (LATE,)) is None
    assert labels_of("planes", late, (EARLY,)) is None
    assert labels_of("planes", late, (LATE,)) is not None
    assert labels_of("planes", "no such airport") is None


def test_no_tile_was_labelled_twice() -> None:
    assert not {p.name for p in (FOLDER / EARLY).iterdir()} & {p.name for p in (FOLDER / LATE).iterdir()}
