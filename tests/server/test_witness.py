"""What the evidence network says of nodes: planted probabilities on a region tree."""

from __future__ import annotations

import numpy as np
import pytest

from inference_server.models.evidence.classes import BIT, OUTPUTS
from inference_server.models.evidence.runtime import ONE, Evidence
from inference_server.models.geobia.witness import (
    Witness,
    leaf_evidence,
    piece_tree,
    road_pieces,
    vehicle_pieces,
    vehicle_tree,
)
from inference_server.regions import RegionTree, build_region_tree

SIDE = 160


@pytest.fixture(scope="module")
def tree() -> RegionTree:
    """Two squares of other colours on noise."""
    rgb = np.random.default_rng(0).integers(90, 110, (3, SIDE, SIDE), dtype=np.uint8)
    rgb[:, 40:80, 40:80] = 200
    rgb[:, 40:80, 90:130] = 20
    return build_region_tree(rgb, np.ones((SIDE, SIDE), bool))


def planted(**places: tuple[int, int, int, int]) -> Evidence:
    """Probability 0.9 of a class in a rectangle (row, col, row, col) of the tile."""
    parts = np.zeros((len(OUTPUTS), SIDE // 2, SIDE // 2), np.uint16)
    for name, (r0, c0, r1, c1) in places.items():
        parts[BIT[name], r0 // 2 : r1 // 2, c0 // 2 : c1 // 2] = 0.9 * ONE
    return Evidence(parts, (2.0, 2.0))


def test_the_whole_thing_is_seen_better_than_its_parts_and_its_surroundings(tree: RegionTree) -> None:
    seen = Witness(leaf_evidence(planted(building=(40, 40, 80, 80)), tree), [tree]).seen(("building",))
    best = int(seen.argmax())
    np.testing.assert_allclose(tree.bounds[best], (40, 40, 80, 80), atol=4)
    assert 0.4 < seen[best] <= 0.9
    assert seen[-1] < 0.1


def test_one_of_several_classes_is_their_sum(tree: RegionTree) -> None:
    evidence = planted(car=(40, 40, 80, 80), truck=(40, 90, 80, 130))
    both = Witness(leaf_evidence(evidence, tree), [tree]).seen(("car", "truck"))
    alone = Witness(leaf_evidence(evidence, tree), [tree]).seen(("truck",))
    assert (both > 0.4).sum() > (alone > 0.4).sum() > 0


def test_several_trees_are_numbered_one_after_the_other(tree: RegionTree) -> None:
    evidence = planted(water=(0, 0, 40, 160))
    leaf = leaf_evidence(evidence, tree)
    one, two = Witness(leaf, [tree]).seen(("water",)), Witness(leaf, [tree, tree]).seen(("water",))
    np.testing.assert_array_equal(two, np.tile(one, 2))


def test_what_is_inside_and_outside_of_some_nodes(tree: RegionTree) -> None:
    evidence = planted(building=(40, 40, 80, 80))
    leaf = leaf_evidence(evidence, tree)
    witness = Witness(leaf, [tree, tree])
    rows = np.array([0, 3, tree.n_nodes - 1, tree.n_nodes + 2])
    building = tree.mean(leaf[:, BIT["building"]])
    inside = witness.inside(rows)
    assert inside.shape == (4, len(OUTPUTS))
    np.testing.assert_allclose(inside[:, BIT["building"]], building[[0, 3, -1, 2]], atol=1e-12)
    best = int(witness.seen(("building",))[: tree.n_nodes].argmax())
    assert witness.outside(("building",))[best] < 0.1
    within = [n for n in range(tree.n_leaves) if (tree.bounds[n][:2] > 46).all() and (tree.bounds[n][2:] < 74).all()]
    assert (witness.outside(("building",))[within] > 0.8).all(), "a part of it has more of it all around"


def test_leaves_take_the_mean_of_their_pixels(tree: RegionTree) -> None:
    parts = np.random.default_rng(1).integers(0, ONE + 1, (len(OUTPUTS), SIDE // 2, SIDE // 2), np.uint16)
    found = leaf_evidence(Evidence(parts, (2.0, 2.0)), tree)
    seen = tree.labels[1::2, 1::2]
    for leaf in range(0, tree.n_leaves, 7):
        if (seen == leaf).any():
            np.testing.assert_allclose(found[leaf], (parts[:, seen == leaf] / ONE).mean(axis=1), atol=1e-6)
    assert np.isfinite(found).all()


def test_crossing_roads_are_nodes_of_their_own(tree: RegionTree) -> None:
    evidence = planted(road=(4, 0, 16, 160))
    evidence.parts[BIT["road"], :, 3:9] = 0.9 * ONE
    roads = piece_tree(evidence, tree, road_pieces(evidence, np.ones((SIDE, SIDE), bool)))
    assert roads.labels is tree.labels
    bounds = roads.bounds[roads.n_leaves : -1]
    long = [b for b in bounds.tolist() if max(b[2] - b[0], b[3] - b[1]) > 0.8 * SIDE]
    assert len(long) == 2


def test_without_roads_there_is_only_the_root(tree: RegionTree) -> None:
    nothing = planted()
    assert piece_tree(nothing, tree, road_pieces(nothing, np.ones((SIDE, SIDE), bool))).n_nodes == tree.n_leaves + 1


def test_a_vehicle_smaller_than_a_leaf_is_a_node() -> None:
    rgb = np.random.default_rng(0).integers(90, 110, (3, SIDE, SIDE), dtype=np.uint8)
    car, bus = (40, 40, 46, 56), (100, 60, 112, 100)
    evidence = planted(car=car, bus=bus)
    pieces = vehicle_pieces(evidence, (SIDE, SIDE))
    assert pieces is not None
    assert len(np.unique(pieces[pieces > 0])) == 2
    plain = build_region_tree(rgb, np.ones((SIDE, SIDE), bool), min_area_px=400)
    tree = build_region_tree(rgb, np.ones((SIDE, SIDE), bool), min_area_px=400, pieces=lambda: pieces)
    added = vehicle_tree(tree, pieces)
    assert added.n_nodes - added.first_own == 3, "two vehicles and the root"
    for (row, col, end, last), bounds in zip((car, bus), added.bounds[added.own], strict=False):
        np.testing.assert_allclose(bounds, (row, col, end, last), atol=1)
        assert not np.isclose(plain.bounds, (row, col, end, last), atol=1).all(axis=1).any()


def test_vehicles_that_touch_are_told_apart_by_their_cores() -> None:
    evidence = planted(car=(40, 40, 60, 80), core=(46, 44, 54, 56))
    evidence.parts[BIT["core"], 23:27, 32:38] = 0.9 * ONE
    pieces = vehicle_pieces(evidence, (SIDE, SIDE))
    assert pieces is not None
    assert len(np.unique(pieces[42:58, 42:78])) == 2
    assert pieces[50, 45] != pieces[50, 75]


def test_finer_tiles_need_no_pieces(tree: RegionTree) -> None:
    fine = Evidence(planted().parts, (4.0, 4.0))
    assert vehicle_pieces(fine, (2 * SIDE, 2 * SIDE)) is None
    none = vehicle_tree(tree, None)
    assert none.n_nodes - none.first_own == 1
