"""The embedded engine: words to classes, colours to names, nested regions to objects, and honest refusals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from affine import Affine
from rasterio.crs import CRS

from inference_server.evaluation.scenes import Scene, generate
from inference_server.expression import Attribute, Phrase
from inference_server.geometry import Mask
from inference_server.models.evidence.classes import OUTPUTS
from inference_server.models.geobia import selection
from inference_server.models.geobia.additive import ATTRIBUTES, AdditiveScore, additive_scores, attributes
from inference_server.models.geobia.boosted import verdicts
from inference_server.models.geobia.classes import (
    CLASSES,
    SEEN_AS,
    WORTH_A_VERDICT,
    by_rules,
    degree,
    near_range,
    weighed,
)
from inference_server.models.geobia.colors import COLORS, is_color, membership, strength_in
from inference_server.models.geobia.engine import MIN_SCORE, MIN_UNMEASURED, GeobiaEngine
from inference_server.models.geobia.features import leaf_table, node_table
from inference_server.models.geobia.selection import Forest, settle
from inference_server.models.geobia.tidy import tidied, without_notches
from inference_server.models.geobia.vocabulary import CLASS_OF, meaning
from inference_server.raster import RasterTile
from inference_server.regions import RegionTree, build_region_tree

#: Colours as paint and roofs have them, sRGB.
PAINTS = {
    "red": (190, 40, 40), "orange": (225, 120, 40), "yellow": (225, 205, 50), "green": (60, 130, 60),
    "blue": (50, 80, 180), "white": (245, 245, 245), "black": (18, 18, 20), "gray": (125, 126, 128),
    "brown": (110, 75, 50), "pink": (235, 150, 160), "turquoise": (60, 190, 190), "beige": (215, 200, 170),
    "purple": (130, 60, 150),
}  # fmt: skip


def quiet(stage: str, done: int, total: int) -> None:
    """Progress that nobody looks at."""


def patches() -> tuple[np.ndarray, dict[str, tuple[int, int]]]:
    """A gray ground with a 40-pixel patch of each paint; where each patch's centre is (row, col)."""
    rgb = np.full((3, 260, 260), 96, dtype=np.uint8)
    rng = np.random.default_rng(0)
    rgb = np.clip(rgb + rng.normal(0, 1, rgb.shape), 0, 255).astype(np.uint8)
    centres = {}
    for i, (name, color) in enumerate(PAINTS.items()):
        row, col = 15 + 60 * (i // 4), 15 + 60 * (i % 4)
        rgb[:, row : row + 40, col : col + 40] = np.array(color)[:, None, None]
        centres[name] = (row + 20, col + 20)
    return rgb, centres


@pytest.fixture(scope="module")
def painted() -> tuple[np.ndarray, dict[str, tuple[int, int]]]:
    return patches()


@pytest.fixture(scope="module")
def engine() -> GeobiaEngine:
    return GeobiaEngine()


@pytest.fixture(scope="module")
def encoding(engine: GeobiaEngine) -> object:
    rgb, _ = patches()
    tile = RasterTile(rgb, np.ones(rgb.shape[1:], dtype=bool), Affine(0.3, 0, 5e5, 0, -0.3, 5e6), CRS.from_epsg(32633))
    return engine.encode(tile, quiet)


class TestColors:
    @pytest.mark.parametrize("name", PAINTS)
    def test_each_paint_is_best_named_by_its_name(self, painted: tuple, name: str) -> None:
        rgb, centres = painted
        tree = build_region_tree(rgb, np.ones(rgb.shape[1:], dtype=bool))
        table = node_table(tree, leaf_table(tree))
        leaf = tree.labels[centres[name]]
        plain = {c: membership(c, table) for c in PAINTS}
        values = {c: float(m[leaf]) for c, m in plain.items() if m is not None}
        assert values[name] > 0.6
        assert values[name] == pytest.approx(max(values.values()), abs=0.15)

    def test_compounds(self, painted: tuple) -> None:
        rgb, centres = painted
        tree = build_region_tree(rgb, np.ones(rgb.shape[1:], dtype=bool))
        table = node_table(tree, leaf_table(tree))
        blue, white = tree.labels[centres["blue"]], tree.labels[centres["white"]]
        either = membership("white or blue", table)
        assert either is not None
        assert min(either[blue], either[white]) > 0.6
        dark, light = membership("dark blue", table), membership("light blue", table)
        assert dark is not None
        assert light is not None
        assert dark[blue] > light[blue]
        assert membership("bluish", table)[blue] > 0.6  # type: ignore[index]

    def test_words_that_are_no_colours(self, painted: tuple) -> None:
        assert is_color("dark red")
        assert is_color("grey")
        assert not is_color("square")
        rgb, _ = painted
        tree = build_region_tree(rgb, np.ones(rgb.shape[1:], dtype=bool))
        assert membership("square", node_table(tree, leaf_table(tree))) is None

    def test_what_is_plainly_yellow_is_no_green_but_an_olive_is(self, painted: tuple) -> None:
        rgb, _ = painted
        tree = build_region_tree(rgb, np.ones(rgb.shape[1:], dtype=bool))
        table = node_table(tree, leaf_table(tree))

        def of(light: float, chroma: float, hue: float) -> float:
            alike = {"lightness": light, "chroma": chroma, "hue": hue}
            one = replace(table, **{k: np.full_like(table.hue, v) for k, v in alike.items()})
            return float(membership("green", one)[0])  # type: ignore[index]

        assert of(80, 46, 102) < 0.3
        assert of(45, 14, 102) > 0.6
        assert of(50, 40, 135) > 0.9

    def test_a_faint_colour_counts_for_more_where_all_are_faint(self, painted: tuple) -> None:
        rgb, _ = painted
        tree = build_region_tree(rgb, np.ones(rgb.shape[1:], dtype=bool))
        leaves = leaf_table(tree)
        colorful, hazy = replace(leaves.tone, chroma=30.0), replace(leaves.tone, chroma=6.0)
        assert strength_in(colorful) == 1.0 < strength_in(hazy) <= 2.0
        table = node_table(tree, leaves)
        faint = {"lightness": 65.0, "chroma": 7.0, "hue": 262.0}
        one = replace(table, **{k: np.full_like(table.hue, v) for k, v in faint.items()})
        for name, least in (("blue", 0.25), ("gray", 0.0)):
            plain, called = (membership(name, one, strength_in(tone)) for tone in (colorful, hazy))
            assert plain is not None
            assert called is not None
            assert called[0] >= plain[0] + least
        assert membership("gray", one, strength_in(hazy))[0] == membership("gray", one)[0]  # type: ignore[index]
        none = replace(one, chroma=np.zeros_like(one.chroma))
        assert membership("blue", none, strength_in(hazy))[0] == 0  # type: ignore[index]

    def test_every_colour_has_a_membership_between_0_and_1(self, painted: tuple) -> None:
        rgb, _ = painted
        tree = build_region_tree(rgb, np.ones(rgb.shape[1:], dtype=bool))
        table = node_table(tree, leaf_table(tree))
        for name in COLORS:
            values = membership(name, table)
            assert values is not None
            assert values.min() >= 0
            assert values.max() <= 1


class TestWords:
    @pytest.mark.parametrize(
        ("category", "name"),
        [
            ("house", "building"), ("metal warehouse", "building"), ("storage tank", "tank"), ("swimming pool", "pool"),
            ("tennis court", "tennis court"), ("sports court", "court"), ("parking lot", "parking lot"),
            ("school bus", "bus"), ("boat", "ship"), ("aircraft", "airplane"), ("bare soil area", "soil"),
            ("football pitch", "soccer field"), ("running track", "track"), ("", "thing"), ("river bank", "thing"),
            ("sandy shore", "water"), ("apartment block", "building"), ("water tower", "tank"), ("fire truck", "truck"),
        ],
    )  # fmt: skip
    def test_the_longest_known_ending_decides(self, category: str, name: str) -> None:
        assert meaning(category).name == name

    def test_an_unknown_word_is_said_to_be_unknown(self) -> None:
        assert not meaning("giraffe").is_known

    def test_every_word_names_a_class_that_has_a_rule(self) -> None:
        assert set(CLASS_OF.values()) <= set(CLASSES)


class TestRules:
    def test_every_class_grades_every_node_between_0_and_1(self, painted: tuple) -> None:
        rgb, _ = painted
        for gsd_crs in (CRS.from_epsg(32633), None):
            tile = RasterTile(rgb, np.ones(rgb.shape[1:], dtype=bool), Affine(0.3, 0, 5e5, 0, -0.3, 5e6), gsd_crs)
            encoding = GeobiaEngine().encode(tile, quiet)
            for name in CLASSES:
                values = degree(name, encoding.nodes)
                assert np.isfinite(values).all(), name
                assert values.min() >= 0, name
                assert values.max() <= 1, name

    def test_near_range_is_one_inside_and_falls_on_both_sides(self) -> None:
        values = near_range(np.array([1.0, 4.0, 5.0, 10.0, 12.0, 40.0]), 5.0, 10.0, soft=1.5)
        assert values[0] == values[-1] == 0
        assert values[2] == values[3] == 1
        assert 0 < values[1] < 1
        assert 0 < values[4] < 1

    def test_additive_scores_use_the_attributes_there_are(self) -> None:
        for score in additive_scores().values():
            assert set(score.curves) <= set(ATTRIBUTES)

    def test_attributes_come_in_the_order_of_their_names(self, painted: tuple) -> None:
        rgb, _ = painted
        tree = build_region_tree(rgb, np.ones(rgb.shape[1:], dtype=bool))
        columns = attributes(node_table(tree, leaf_table(tree)), 0.3, 1.0)
        assert tuple(columns) == ATTRIBUTES
        assert all(np.isfinite(c).all() for c in columns.values())

    def test_an_additive_score_is_the_logistic_of_the_sum_of_its_curves(self) -> None:
        score = AdditiveScore(-1.0, {"a": (np.array([0.0, 2.0]), np.array([0.0, 4.0]))})
        np.testing.assert_allclose(
            score({"a": np.array([-5.0, 1.0, 9.0])}), 1 / (1 + np.exp(-np.array([-1.0, 1.0, 3.0])))
        )


class TestVerdicts:
    def test_they_read_what_the_engine_knows_of_a_node(self) -> None:
        known = {*ATTRIBUTES, *(f"in {output}" for output in OUTPUTS), "rules", "outside", "piece"}
        assert set(verdicts()) <= set(SEEN_AS)
        for score in verdicts().values():
            assert set(score.attributes) <= known
            assert {"rules", "outside", "piece"} <= set(score.attributes)

    def test_only_what_something_speaks_for_is_judged(self, painted: tuple) -> None:
        rgb, _ = painted
        affine = Affine(0.3, 0, 500_000, 0, -0.3, 5_500_000)
        tile = RasterTile(rgb, np.ones(rgb.shape[1:], bool), affine, CRS.from_epsg(32631))
        nodes = GeobiaEngine().encode(tile, quiet).nodes
        ruled = by_rules("building", nodes)
        found = weighed("building", nodes, ruled)
        judged = nodes.judged("building", found, ruled)
        assert (judged[found <= WORTH_A_VERDICT] == 0).all()
        assert 0 <= judged.min() <= judged.max() <= 1


class TestSelection:
    def test_chosen_nodes_do_not_overlap_and_come_best_first(self, painted: tuple) -> None:
        rgb, _ = painted
        tree = build_region_tree(rgb, np.ones(rgb.shape[1:], dtype=bool))
        score = np.random.default_rng(3).random(tree.n_nodes)
        chosen = settle(Forest((tree,)), score, 0.2, is_surface=False, at_most=50)
        assert list(score[chosen]) == sorted(score[chosen], reverse=True)
        masks = [tree.mask(n).full(rgb.shape[1:]) for n in chosen]
        for i, one in enumerate(masks):
            for other in masks[i + 1 :]:
                # Two may share a little; neither holds the most of the other.
                assert (one & other).sum() <= 0.5 * min(one.sum(), other.sum())

    def test_of_nested_nodes_that_score_alike_the_larger_is_taken(self, painted: tuple) -> None:
        rgb, _ = painted
        tree = build_region_tree(rgb, np.ones(rgb.shape[1:], dtype=bool))
        inner = int(np.flatnonzero(tree.parents[:-1] != tree.n_nodes - 1)[0])
        node = int(tree.parents[inner])
        score = np.zeros(tree.n_nodes)
        score[inner], score[node] = 0.90, 0.88
        assert settle(Forest((tree,)), score, 0.3, is_surface=False, at_most=5) == [node]
        score[node] = 0.5
        assert settle(Forest((tree,)), score, 0.3, is_surface=False, at_most=5) == [inner]

    def test_the_rim_of_a_chosen_thing_is_no_second_one(self) -> None:
        labels = np.zeros((60, 60), np.int32)
        labels[18:42, 18:42] = 2
        labels[20:40, 20:40] = 1
        parents, edges = np.array([4, 3, 3, 4, 4]), np.array([[0, 2], [1, 2]])
        lengths = np.array([96.0, 80.0])
        lab = np.zeros((3, 60, 60), np.float32)
        tree = RegionTree(labels, parents, np.arange(5.0), lab, edges, lengths, lengths, 3)
        forest, score = Forest((tree,)), np.array([0.0, 0.9, 0.6, 0.0, 0.0])
        assert settle(forest, score, 0.3, is_surface=False, at_most=5) == [1]
        assert settle(forest, score, 0.3, is_surface=True, at_most=5) == [1, 2], "a lake and its shore"

    def test_of_many_regions_of_one_thing_the_middle_one_is_taken(self) -> None:
        labels = np.zeros((60, 60), np.int32)
        for leaf in (6, 5, 4, 3, 2):
            labels[20:40, 20 : 38 + leaf] = leaf
        labels[23:37, 22:36] = 1
        parents = np.array([12, 7, 7, 8, 9, 10, 11, 8, 9, 10, 11, 12, 12])
        edges = np.array([[1, 2], [2, 3], [3, 4], [4, 5], [5, 6], [0, 6]])
        lengths = np.array([56.0, 20.0, 20.0, 20.0, 20.0, 88.0])
        lab = np.zeros((3, 60, 60), np.float32)
        tree = RegionTree(labels, parents, np.arange(13.0), lab, edges, lengths, lengths, 7)
        score = np.zeros(13)
        score[1], score[7:12] = 0.8, 0.75
        assert settle(Forest((tree,)), score, 0.3, is_surface=False, at_most=5) == [9], "five say more than one"
        score[7:12] = 0.6
        assert settle(Forest((tree,)), score, 0.3, is_surface=False, at_most=5) == [1], "a better one says more"

    def test_a_region_with_a_hole_is_not_taken_for_a_whole_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        labels = np.zeros((60, 60), np.int32)
        for leaf in (1, 2, 3, 4):
            labels[19 + leaf : 41 - leaf, 19 + leaf : 41 - leaf] = leaf
        parents = np.array([8, 5, 5, 6, 7, 6, 7, 8, 8])
        edges = np.array([[0, 1], [1, 2], [2, 3], [3, 4]])
        lengths = np.array([80.0, 72.0, 64.0, 56.0])
        lab = np.zeros((3, 60, 60), np.float32)
        tree = RegionTree(labels, parents, np.arange(9.0), lab, edges, lengths, lengths, 5)
        score = np.zeros(9)
        score[[1, 5, 6]], score[7] = 0.89, 0.9
        assert settle(Forest((tree,)), score, 0.3, is_surface=False, at_most=5) == [7]
        monkeypatch.setattr(selection, "AS_FULL", 0.0)
        assert settle(Forest((tree,)), score, 0.3, is_surface=False, at_most=5) != [7], "so many have the hole"


class TestTidy:
    def test_a_thread_is_cut_and_a_hole_filled(self) -> None:
        pixels = np.zeros((40, 90), dtype=bool)
        pixels[:, :40] = True
        pixels[18:20, 18:20] = False
        pixels[20, 40:] = True
        mask = tidied(Mask(pixels, 5, 7))
        assert (mask.row, mask.col) == (5, 7)
        assert mask.pixels.shape[1] <= 42
        assert mask.pixels[19, 19]

    def test_a_thin_thing_is_left_alone(self) -> None:
        line = Mask(np.ones((2, 80), dtype=bool), 3, 4)
        assert tidied(line) is line

    def test_a_court_gets_back_the_corner_that_it_lost(self) -> None:
        rows, cols = np.mgrid[:80, :80]
        court = abs(cols + rows - 79) + 2 * abs(cols - rows) < 79
        notched = court.copy()
        notched[28:40, 30:44] = False
        notched[28:36, 20:40] = False
        mask = without_notches(Mask(notched, 5, 7))
        assert (mask.row, mask.col) == (5, 7)
        assert np.count_nonzero(court & ~notched) > 150
        assert np.count_nonzero(court & ~mask.pixels) < 10
        assert not (mask.pixels & ~court).any()

    def test_a_frayed_border_is_no_notch(self) -> None:
        frayed = np.ones((60, 100), dtype=bool)
        frayed[0, ::3] = frayed[::4, -1] = False
        mask = Mask(frayed, 0, 0)
        assert without_notches(mask) is mask


def garden_scene() -> Scene:
    """A generated suburb with pools; its seed is among those for development."""
    return generate(29, size_px=(512, 512), gsd_m=0.3, theme="residential", expressions=0)


@pytest.fixture(scope="module")
def suburb() -> Scene:
    return garden_scene()


@pytest.fixture(scope="module")
def suburb_encoding(engine: GeobiaEngine, suburb: Scene) -> object:
    return engine.encode(suburb.tile, quiet)


class TestEngine:
    def test_a_pool_is_found_where_it_is(self, engine: GeobiaEngine, suburb: Scene, suburb_encoding: object) -> None:
        pools = [o.mask.full((512, 512)) for o in suburb.objects if o.category == "pool"]
        assert pools
        found = engine.find(suburb_encoding, Phrase("swimming pool", "swimming pool"), quiet)
        assert found.items, found.why_empty
        best = found.items[0].mask
        assert best is not None
        mask = best.full((512, 512))
        assert max((mask & pool).sum() / (mask | pool).sum() for pool in pools) > 0.6

    def test_scores_fall_and_stay_between_the_least_and_one(
        self, engine: GeobiaEngine, suburb_encoding: object
    ) -> None:
        scores = [p.score for p in engine.find(suburb_encoding, Phrase("house", "house"), quiet).items]
        assert scores
        assert scores == sorted(scores, reverse=True)
        assert MIN_SCORE <= scores[-1] <= scores[0] <= 1

    def test_less_is_asked_where_size_cannot_speak(
        self, engine: GeobiaEngine, suburb: Scene, suburb_encoding: object
    ) -> None:
        encoding = engine.encode(RasterTile(suburb.rgb, suburb.valid, Affine.identity(), None), quiet)
        assert not encoding.nodes.pixel.is_known
        tree = Phrase("tree", "tree")
        found = engine.find(encoding, tree, quiet).items
        assert found
        assert min(p.score for p in found) >= MIN_UNMEASURED
        assert engine.weigh(encoding, tree).least < engine.weigh(suburb_encoding, tree).least  # type: ignore[arg-type]

    def test_what_it_does_not_know_it_says(self, engine: GeobiaEngine, encoding: object) -> None:
        found = engine.find(encoding, Phrase("giraffe", "giraffe"), quiet)
        assert not found.items
        assert found.failed_part == "engine"
        assert "giraffe" in found.why_empty

    def test_a_class_that_is_there_in_another_colour_fails_by_its_attribute(
        self, engine: GeobiaEngine, suburb_encoding: object
    ) -> None:
        red = (Attribute("color", "red", "red"),)
        found = engine.find(suburb_encoding, Phrase("red swimming pool", "swimming pool", red), quiet)
        assert not found.items
        assert found.failed_part == "attribute"
        assert "red" in found.why_empty

    def test_either_of_two_colours_will_do(self, engine: GeobiaEngine, suburb_encoding: object) -> None:
        either = (Attribute("color", "red", "red or blue", others=("blue",), joined="or"),)
        assert engine.find(suburb_encoding, Phrase("red or blue pool", "pool", either), quiet).items

    def test_a_word_it_cannot_judge_is_told(self, engine: GeobiaEngine, suburb_encoding: object) -> None:
        old = (Attribute("other", "abandoned", "abandoned"),)
        notes = engine.find(suburb_encoding, Phrase("abandoned house", "house", old), quiet).notes
        assert any("abandoned" in note for note in notes)

    def test_no_planes_or_bridges_among_painted_squares(self, engine: GeobiaEngine, encoding: object) -> None:
        for category in ("airplane", "bridge"):
            assert not engine.find(encoding, Phrase(category, category), quiet).items

    def test_the_revision_names_the_rules(self, engine: GeobiaEngine) -> None:
        assert engine.info.revision.startswith("rules-")
        assert engine.info.is_default
