"""What the network draws one at a time: planted probabilities, and how nodes agree with them."""

from __future__ import annotations

import numpy as np
import pytest

from inference_server.models.evidence.classes import BIT, CORE, OUTPUTS
from inference_server.models.evidence.runtime import ONE, Evidence
from inference_server.models.geobia.pieces import Pieces, boxes_of, drawn_pieces
from inference_server.models.geobia.witness import Witness, leaf_evidence, piece_tree
from inference_server.regions import build_region_tree

CELLS = 80


def planted(*places: tuple[str, float, tuple[int, int, int, int]]) -> Evidence:
    """Probabilities of classes in rectangles (row, col, row, col) of cells, of two pixels each."""
    parts = np.zeros((len(OUTPUTS), CELLS, CELLS), np.uint16)
    for name, probability, (r0, c0, r1, c1) in places:
        parts[BIT[name], r0:r1, c0:c1] = probability * ONE
    return Evidence(parts, (2.0, 2.0))


def drawn(*places: tuple[str, float, tuple[int, int, int, int]]) -> Pieces:
    """The pieces of what is planted, with data everywhere."""
    return drawn_pieces(planted(*places), np.ones((2 * CELLS, 2 * CELLS), bool))


def test_things_that_touch_are_told_apart_by_their_cores() -> None:
    pieces = drawn(
        ("building", 0.9, (10, 10, 30, 50)), (CORE, 0.9, (14, 14, 26, 24)), (CORE, 0.9, (14, 36, 26, 46)),
        ("building", 0.6, (60, 60, 70, 70)),
    )  # fmt: skip
    boxes = pieces.boxes["building"]
    assert len(boxes) == 3
    np.testing.assert_allclose(boxes[[0, 1]][:, [0, 2]].ravel(), (20, 60, 60, 100), atol=6)
    np.testing.assert_array_equal(boxes[2], (120, 120, 140, 140))
    assert set(np.unique(pieces.labels)) == {0, 1, 2, 3}


def test_a_surface_stays_whole_and_the_likeliest_class_wins() -> None:
    pieces = drawn(
        ("parking lot", 0.6, (5, 5, 60, 60)), (CORE, 0.9, (10, 10, 20, 20)), (CORE, 0.9, (40, 40, 50, 50)),
        ("field", 0.5, (5, 5, 60, 60)),
    )  # fmt: skip
    assert set(pieces.boxes) == {"parking lot"}
    np.testing.assert_array_equal(pieces.boxes["parking lot"], [(10, 10, 120, 120)])


@pytest.mark.parametrize(
    "place",
    [("building", 0.3, (5, 5, 30, 30)), ("building", 0.9, (5, 5, 7, 7)), ("road", 0.9, (5, 5, 9, 60)),
     ("car", 0.9, (5, 5, 9, 9))],
    ids=["unlikely", "small", "a road", "a car"],
)  # fmt: skip
def test_nothing_is_drawn_of(place: tuple[str, float, tuple[int, int, int, int]]) -> None:
    pieces = drawn(place)
    assert not pieces.boxes
    assert not pieces.labels.any()


def test_nothing_is_drawn_where_there_is_no_data() -> None:
    assert not drawn_pieces(planted(("water", 0.9, (0, 0, 80, 80))), np.zeros((160, 160), bool)).boxes


def test_vehicles_and_roads_bring_their_own() -> None:
    vehicles = np.zeros((160, 160), np.int32)
    vehicles[10:14, 20:28] = 1
    roads = np.zeros((CELLS, CELLS), np.int64)
    roads[30:34] = 1
    pieces = drawn(("pool", 0.9, (5, 5, 15, 15))).with_others(vehicles, roads, (2.0, 2.0))
    assert pieces.agreement(("truck",), np.array([[20.0, 10, 28, 14]])) == pytest.approx(1.0)
    assert pieces.agreement(("road",), np.array([[0.0, 60, 160, 68]])) == pytest.approx(1.0)
    assert pieces.agreement(("pool",), np.array([[10.0, 10, 30, 20]])) == pytest.approx(0.5)
    assert pieces.agreement(("tank",), np.array([[10.0, 10, 30, 20]])) == 0.0
    assert len(boxes_of([], (2.0, 2.0))) == 0


def test_a_piece_is_a_node_that_agrees_with_itself() -> None:
    rgb = np.random.default_rng(0).integers(90, 110, (3, 160, 160), dtype=np.uint8)
    rgb[:, 40:80, 40:80] = 200
    tree = build_region_tree(rgb, np.ones((160, 160), bool))
    evidence = planted(("tank", 0.8, (20, 20, 40, 40)))
    pieces = drawn_pieces(evidence, np.ones((160, 160), bool))
    grown = piece_tree(evidence, tree, pieces.labels)
    witness = Witness(leaf_evidence(evidence, tree), [tree, grown], pieces)
    rows = np.arange(tree.n_nodes, tree.n_nodes + grown.n_nodes - grown.first_own)
    agreement = witness.agreement(("tank",), rows)
    assert agreement[0] > 0.85
    assert agreement[-1] < 0.1
