"""The region tree: a partition that nests, whose attributes equal what counting pixels gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.ndimage import gaussian_filter
from skimage.color import rgb2lab
from skimage.draw import polygon

from inference_server.geometry import HBB
from inference_server.models.geobia.blobs import blob_trees
from inference_server.models.geobia.features import leaf_table, node_table
from inference_server.regions import RegionTree, build_region_tree, rgb_to_lab
from inference_server.segmenter import RegionSegmenter


def speckled(height: int, width: int, seed: int = 0) -> np.ndarray:
    """(3, row, col) uint8 ground, patchy as ground is."""
    rng = np.random.default_rng(seed)
    patches = gaussian_filter(rng.normal(0, 60, (height, width)), 4)
    return np.clip(110 + patches + rng.normal(0, 1, (3, height, width)), 0, 255).astype(np.uint8)


def with_block(angle_deg: float = 30.0) -> tuple[np.ndarray, np.ndarray]:
    """A picture with a red rectangle of 60 x 24 pixels, turned; and its mask."""
    rgb = speckled(160, 180)
    turn = np.radians(angle_deg)
    corners = np.array([[-30, -12], [30, -12], [30, 12], [-30, 12]]) @ np.array(
        [[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]
    )
    rows, cols = polygon(corners[:, 1] + 80, corners[:, 0] + 90, shape=(160, 180))
    rgb[:, rows, cols] = np.array([190, 40, 40])[:, None]
    mask = np.zeros((160, 180), dtype=bool)
    mask[rows, cols] = True
    return rgb, mask


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


def best_node(tree: RegionTree, mask: np.ndarray) -> int:
    return max(range(tree.n_nodes), key=lambda node: iou(tree.mask(node).full(mask.shape), mask))


def test_lab_agrees_with_scikit_image() -> None:
    rng = np.random.default_rng(1)
    rgb = rng.integers(0, 256, (3, 64, 64), dtype=np.uint8)
    expected = rgb2lab(rgb.transpose(1, 2, 0)).transpose(2, 0, 1)
    assert np.abs(rgb_to_lab(rgb) - expected).max() < 0.4


@settings(max_examples=30)
@given(
    hnp.arrays(np.uint8, (3, 24, 31)),
    hnp.arrays(np.bool_, (24, 31), elements=st.booleans()),
)
def test_every_valid_pixel_is_in_one_leaf_and_in_the_root(rgb: np.ndarray, valid: np.ndarray) -> None:
    valid[3, 4] = True
    tree = build_region_tree(rgb, valid, min_area_px=5)
    np.testing.assert_array_equal(tree.labels >= 0, valid)
    assert tree.area[-1] == valid.sum()
    np.testing.assert_array_equal(tree.mask(tree.n_nodes - 1).full(valid.shape), valid)
    for node in range(tree.n_nodes):
        mask = tree.mask(node)
        assert mask.area == tree.area[node] > 0
        assert tree.parents[node] > node or node == tree.n_nodes - 1
    for each in blob_trees(tree, leaf_table(tree)):
        assert each.area[-1] == valid.sum()


def test_children_lie_in_their_parents() -> None:
    tree = build_region_tree(with_block()[0], np.ones((160, 180), dtype=bool))
    for node in range(0, tree.n_nodes - 1, 7):
        inner = tree.mask(node).full((160, 180))
        outer = tree.mask(int(tree.parents[node])).full((160, 180))
        assert not (inner & ~outer).any()
        assert tree.is_ancestor(tree.parents[[node]], np.array([node])).all()


def test_attributes_equal_what_counting_gives() -> None:
    rgb, _ = with_block()
    valid = np.ones(rgb.shape[1:], dtype=bool)
    valid[:40, 120:] = False
    tree = build_region_tree(rgb, valid)
    leaves = leaf_table(tree)
    table = node_table(tree, leaves)
    border = tree.accumulate_border(tree.edge_length)
    for node in range(0, tree.n_nodes, 5):
        mask = np.pad(tree.mask(node).full(valid.shape), 1)
        data = np.pad(valid, 1)
        inner_border = outer_border = 0
        for axis in (0, 1):
            a, b = np.moveaxis(mask, axis, 0)[1:], np.moveaxis(mask, axis, 0)[:-1]
            c, d = np.moveaxis(data, axis, 0)[1:], np.moveaxis(data, axis, 0)[:-1]
            inner_border += int(((a != b) & c & d).sum())
            outer_border += int(((a & ~d) | (b & ~c)).sum())
        assert border[node] == inner_border
        assert table.edge_share[node] == pytest.approx(outer_border / max(inner_border + outer_border, 1))
        rows, cols = np.nonzero(mask[1:-1, 1:-1])
        assert table.cx[node] == pytest.approx(cols.mean() + 0.5)
        assert table.cy[node] == pytest.approx(rows.mean() + 0.5)
        assert tuple(tree.bounds[node]) == (rows.min(), cols.min(), rows.max() + 1, cols.max() + 1)


@pytest.mark.parametrize("angle_deg", [0, 15, 30, 67.5, 90, 140])
def test_a_turned_rectangle_is_one_node_with_its_size_and_direction(angle_deg: float) -> None:
    rgb, mask = with_block(angle_deg)
    tree = build_region_tree(rgb, np.ones(mask.shape, dtype=bool))
    node = best_node(tree, mask)
    assert iou(tree.mask(node).full(mask.shape), mask) > 0.8
    table = node_table(tree, leaf_table(tree))
    turned = abs((table.angle[node] - angle_deg + 90) % 180 - 90)
    assert turned <= 7.5
    rows, cols = np.nonzero(tree.mask(node).full(mask.shape))
    across = np.radians(table.angle[node])
    along = (cols + 0.5) * np.cos(across) + (rows + 0.5) * np.sin(across)
    # Half a pixel on either side, in the direction's own measure.
    pixel = abs(np.cos(across)) + abs(np.sin(across))
    assert table.length[node] == pytest.approx(np.ptp(along) + pixel, abs=0.01)


def test_a_single_flat_tile_is_one_node() -> None:
    tree = build_region_tree(np.full((3, 20, 20), 90, dtype=np.uint8), np.ones((20, 20), dtype=bool))
    assert tree.n_nodes == 1
    assert tree.area[0] == 400
    assert np.isfinite(node_table(tree, leaf_table(tree)).length).all()


def test_islands_of_data_are_all_in_the_tree() -> None:
    valid = np.zeros((90, 90), dtype=bool)
    valid[5:30, 5:30] = valid[60:80, 40:85] = valid[88, 2] = True
    tree = build_region_tree(speckled(90, 90), valid)
    assert tree.area[-1] == valid.sum()


def test_no_leaf_straddles_a_piece() -> None:
    valid = np.ones((90, 90), dtype=bool)
    valid[:, 60:70] = False
    pieces = np.zeros((90, 90), dtype=np.int32)
    pieces[20:26, 11:26] = 1
    pieces[20:26, 26:41] = 2
    pieces[50:60, 55:75] = 3
    rgb = speckled(90, 90)
    whole = build_region_tree(rgb, valid)
    tree = build_region_tree(rgb, valid, pieces=lambda: pieces)
    np.testing.assert_array_equal(tree.labels >= 0, valid)
    assert set(np.unique(tree.labels[valid])) == set(range(tree.n_leaves))
    assert tree.n_leaves > whole.n_leaves
    for leaf in range(tree.n_leaves):
        assert len(np.unique(pieces[tree.labels == leaf])) == 1
    assert tree.area[-1] == valid.sum()
    one = build_region_tree(
        np.full((3, 20, 20), 90, np.uint8), np.ones((20, 20), bool), pieces=lambda: pieces[15:35, 5:25]
    )
    assert one.n_leaves == 2


def test_wrong_shapes_and_no_data_are_refused() -> None:
    with pytest.raises(ValueError, match="expected rgb"):
        build_region_tree(np.zeros((3, 4, 5), dtype=np.uint8), np.ones((5, 4), dtype=bool))
    with pytest.raises(ValueError, match="at least one valid pixel"):
        build_region_tree(np.zeros((3, 4, 5), dtype=np.uint8), np.zeros((4, 5), dtype=bool))


class TestSegmenter:
    def test_box_click_and_coarse_mask_find_the_planted_block(self) -> None:
        rgb, mask = with_block()
        segmenter = RegionSegmenter(build_region_tree(rgb, np.ones(mask.shape, dtype=bool)))
        rows, cols = np.nonzero(mask)
        box = segmenter.segment_box(HBB(cols.min(), rows.min(), cols.max() + 1, rows.max() + 1))
        click = segmenter.segment_points([(90.0, 80.0)])
        coarse = np.zeros_like(mask)
        coarse[rows.min() + 4 : rows.max() - 4, cols.min() + 4 : cols.max() - 4] = True
        grown = segmenter.segment_mask(coarse & mask)
        for answer in (box, click, grown):
            assert answer is not None
            assert iou(answer.mask.full(mask.shape), mask) > 0.8

    def test_a_negative_click_shrinks_the_answer(self) -> None:
        rgb, mask = with_block()
        segmenter = RegionSegmenter(build_region_tree(rgb, np.ones(mask.shape, dtype=bool)))
        answer = segmenter.segment_points([(90.0, 80.0)], [(5.0, 5.0)])
        assert answer is not None
        assert not answer.mask.full(mask.shape)[5, 5]
        assert answer.mask.full(mask.shape)[80, 90]

    def test_prompts_off_the_data_have_no_answer(self) -> None:
        valid = np.ones((40, 40), dtype=bool)
        valid[:, 20:] = False
        segmenter = RegionSegmenter(build_region_tree(speckled(40, 40), valid))
        assert segmenter.segment_points([(30.0, 10.0)]) is None
        assert segmenter.segment_points([(-5.0, 400.0)]) is None
        assert segmenter.segment_mask(np.zeros((40, 40), dtype=bool)) is None
        with pytest.raises(ValueError, match="coarse mask"):
            segmenter.segment_mask(np.zeros((4, 4), dtype=bool))
