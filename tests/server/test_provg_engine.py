"""The ProVG engine: large tiles, what it says without weights, an exported network in the pipeline."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from rasterio.crs import CRS
from rasterio.transform import Affine
from scipy import ndimage

from inference_server.errors import Cancelled, EngineUnavailable
from inference_server.evaluation.scene_words import NOUNS
from inference_server.evaluation.scenes import generate
from inference_server.expression import parse
from inference_server.models.geobia.engine import GeobiaEngine
from inference_server.models.geobia.witness import covered, just_outside
from inference_server.models.provg import regions
from inference_server.models.provg.config import COMPACT
from inference_server.models.provg.engine import ASKED, RULES_VARIABLE, VARIABLE, ProVGEngine, asked_for, corners_of
from inference_server.models.provg.inputs import squashed
from inference_server.models.provg.regions import SHIPPED as SHIPPED_TREES
from inference_server.models.provg.search import MAX_SIDE, Maps, Window, search, side_for, windows_of
from inference_server.models.registry import EngineSource, Registry, imported
from inference_server.pipeline import GroundingPipeline
from inference_server.raster import RasterTile
from rsground_plugin.protocol import GroundingRequest

SIDE = 64


def quiet(*_):
    """Progress that nobody reads."""


def painter(truth):
    """A perfect network of 64 x 64 for a tile whose things are painted: it sees what its pixels show."""

    def look(window):
        part = truth[window.row : window.row + window.side, window.col : window.col + window.side]
        missing = [(0, window.side - n) for n in part.shape]
        seen = squashed(np.repeat(np.pad(part, missing)[None], 3, 0).astype(np.uint8) * 255, SIDE)
        return seen[0].astype(np.float32) / 255, 1.0

    return look


class TestSearch:
    @pytest.mark.parametrize(("height", "width"), [(64, 64), (50, 40), (300, 200), (256, 1000), (65, 64)])
    def test_every_level_covers_the_tile_and_the_finest_is_sharp(self, height, width):
        levels = windows_of(height, width, SIDE)
        for level in levels:
            seen = np.zeros((height, width), bool)
            for window in level:
                seen[window.row : window.row + window.side, window.col : window.col + window.side] = True
            assert seen.all()
        assert levels[-1][0].side <= max(SIDE * 1.2, min(height, width)) or len(levels) == 1
        assert levels[-1][0].side / SIDE < 1.2 or max(height, width) <= SIDE

    def test_small_and_large_things_of_a_large_tile_are_seen(self):
        truth = np.zeros((300, 300), bool)
        truth[40:46, 250:257] = True
        truth[120:260, 30:200] = True
        overall = search(300, 300, SIDE, painter(truth), told=quiet).overall(300)
        assert overall.shape == (300, 300)
        assert overall[truth].mean() > 0.9
        assert overall[~ndimage.binary_dilation(truth, iterations=8)].max() < 0.05

    def test_a_thing_across_windows_is_one(self):
        truth = np.zeros((200, 400), bool)
        truth[95:103, 10:390] = True
        overall = search(200, 400, SIDE, painter(truth), told=quiet).overall(400)
        assert ndimage.label(overall > 0.5)[1] == 1

    def test_where_all_cannot_be_seen_the_likeliest_is_seen(self):
        truth = np.zeros((2000, 2000), bool)
        truth[1500:1530, 700:740] = True
        looked = []

        def look(window):
            looked.append(window)
            return painter(truth)(window)

        maps = search(2000, 2000, SIDE, look, at_most=60, told=quiet)
        assert len(looked) == 60
        finest = [w for w in looked if w.level == max(x.level for x in looked)]
        assert any(w.row <= 1500 and w.row + w.side >= 1530 and w.col <= 700 and w.col + w.side >= 740 for w in finest)
        assert maps.overall(2000)[1505:1525, 705:735].min() > 0.9

    @pytest.mark.parametrize(
        ("side", "windows"), [(300, 1), (480, 1), (1024, 1), (2048, 1 + 4), (6000, 1 + 4 + 16 + 49)]
    )
    def test_few_windows_cover_a_tile(self, side, windows):
        window = side_for(side, side, COMPACT.image_size)
        assert window % 32 == 0
        assert window <= MAX_SIDE
        assert sum(map(len, windows_of(side, side, window))) == windows

    def test_presence_is_the_highest_of_any_window(self):
        look = painter(np.ones((300, 300), bool))
        maps = search(300, 300, SIDE, lambda w: (look(w)[0], 0.2 + 0.1 * (w.row > 100)), told=quiet)
        assert maps.presence == pytest.approx(0.3)
        np.testing.assert_allclose(maps.overall(300), 1.0, rtol=1e-5)
        assert Maps(64, 64, SIDE).presence == 0.0

    def test_overlaps_are_averaged_by_trust(self):
        maps = Maps(64, 96, SIDE)
        maps.add(Window(1, 0, 0, 64), np.ones((64, 64), np.float32), 1.0)
        maps.add(Window(1, 0, 32, 64), np.zeros((64, 64), np.float32), 1.0)
        ((_, merged),) = maps.levels()
        row = merged[32]
        assert row[0] == 1.0
        assert row[-1] == 0.0
        assert (np.diff(row[32:64]) <= 0).all()
        assert row[48] == pytest.approx(0.5, abs=0.05)

    def test_the_map_of_the_whole_tile_holds_the_best_of_all_levels(self):
        maps = Maps(96, 192, 64)
        maps.add(Window(0, 0, 0, 192), np.full((64, 64), 0.3, np.float32), 1.0)
        maps.add(Window(1, 0, 0, 64), np.full((64, 64), 0.9, np.float32), 1.0)
        overall = maps.overall(96)
        assert overall.shape == (48, 96)
        np.testing.assert_allclose(overall[:32, :32], 0.9, rtol=1e-5)
        np.testing.assert_allclose(overall[32:], 0.3, rtol=1e-5)
        assert maps.overall(1000).shape == (96, 192)

    def test_cancelling_stops_it(self):
        def told(done, total):
            if done == 2:
                raise Cancelled("gone")

        with pytest.raises(Cancelled):
            search(300, 300, SIDE, painter(np.zeros((300, 300), bool)), told=told)


class TestWithoutWeights:
    def test_it_says_what_is_missing_and_what_to_do(self, tmp_path, monkeypatch):
        monkeypatch.setenv(VARIABLE, str(tmp_path / "provg.onnx"))
        with pytest.raises(EngineUnavailable, match=r"weights are not installed.*provg\.onnx.*rsground train provg"):
            ProVGEngine()

    def test_the_registry_lists_it_as_unavailable(self, tmp_path, monkeypatch):
        monkeypatch.setenv(VARIABLE, str(tmp_path / "provg.onnx"))
        source = EngineSource(imported("inference_server.models.provg.engine:ProVGEngine"), "ProVG")
        (info,) = Registry({"provg": source}, default="provg").infos()
        assert not info.is_available
        assert "rsground train provg" in info.why_unavailable

    def test_another_file_is_refused(self, tmp_path):
        pytest.importorskip("onnxruntime", reason="exported networks run in onnxruntime")
        path = tmp_path / "provg.onnx"
        path.write_bytes(b"not a network")
        with pytest.raises(EngineUnavailable, match="is no network that"):
            ProVGEngine(path)


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    """An untrained network, exported: its masks mean nothing, their way through the pipeline does."""
    torch = pytest.importorskip("torch", reason="exporting a network for the test needs torch")
    pytest.importorskip("onnx", reason="exporting a network for the test needs onnx")
    pytest.importorskip("onnxruntime", reason="exported networks run in onnxruntime")
    from inference_server.models.provg.export import export
    from inference_server.models.provg.model import ProVG
    from inference_server.models.provg.tokenizer import build_vocabulary

    config = replace(
        COMPACT, backbone="compact", channels=(8, 12, 16, 24), depths=(1, 1, 1, 1), text_width=16, text_layers=1,
        text_heads=2, vocabulary_size=600, image_size=64, width=12,
    )  # fmt: skip
    torch.manual_seed(1)
    network = ProVG(config).eval()
    with torch.no_grad():
        network.heads.mask.bias.copy_(torch.tensor([-4.0, 4.0]))
        network.heads.presence[-1].bias.fill_(9.0)
    path = tmp_path_factory.mktemp("provg") / "provg.onnx"
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        export(network, path, vocabulary=tuple(build_vocabulary(["the white tank"], 600)))
    return ProVGEngine(path, threads=1)


def tile_of(height, width):
    rgb = np.random.default_rng(0).integers(0, 255, (3, height, width)).astype(np.uint8)
    affine = Affine(0.3, 0, 500_000, 0, -0.3, 5_500_000)
    return RasterTile(rgb, np.ones((height, width), bool), affine, CRS.from_epsg(32632))


def by_the_map_alone(encoding, foreground, presence, trees):
    """What of the map lies in each region and does not go on beyond its border."""
    base = encoding.forest.trees[0]
    leaf = presence * base.leaf_sums(foreground) / base.leaf_area
    return covered(encoding.forest.trees, leaf, just_outside(encoding.forest.trees, leaf))


def test_it_answers_a_whole_expression(engine):
    answer = engine.answer(tile_of(90, 70).rgb, "the white tank left of the road", gsd_m=0.3)
    assert answer.foreground.shape == (90, 70)
    assert 0 <= answer.foreground.min() <= answer.foreground.max() <= 1
    assert answer.presence > 0.9
    assert engine.network.revision
    assert engine.info.revision == f"{engine.network.revision} {regions.revision()} {GeobiaEngine().info.revision}"


def test_it_answers_through_the_pipeline(engine, monkeypatch):
    # Noise has no form that the trees know: by the map alone, all of the tile is seen.
    monkeypatch.setattr(regions, "verified", by_the_map_alone)
    registry = Registry({"provg": EngineSource(lambda: engine, "ProVG")}, default="provg")
    request = GroundingRequest.from_dict({"expression": "the gizmos", "engine": "provg"})
    result = GroundingPipeline(registry).ground(request, tile_of(64, 64))
    assert result.engine == "provg"
    (detection,) = result.detections
    assert detection.area_m2 == pytest.approx(64 * 64 * 0.09, rel=0.05)
    assert detection.score > 0.9


def test_the_box_is_around_the_largest_region_or_the_heads():
    foreground = np.zeros((40, 80), np.float32)
    foreground[4:8, 10:16] = 0.9
    foreground[20:30, 40:72] = 0.6
    head = np.array([0.5, 0.25, 0.5, 0.1], np.float32)
    assert corners_of(foreground, head) == (0.5, 0.5, 0.9, 0.75)
    np.testing.assert_allclose(corners_of(foreground * 0, head), (0.25, 0.2, 0.75, 0.3), rtol=1e-6)


class Seer:
    """A network of 64 x 64 pixels that sees what is red, whatever it is asked, or nothing at all."""

    config = replace(COMPACT, image_size=SIDE)
    revision = "seer"

    def __init__(self, *, is_blind=False):
        self.is_blind, self.asked = is_blind, []

    def feed(self, expression):
        self.asked.append(expression)
        return {}

    def look(self, rgb, feed, gsd_m, side):
        seen = squashed(rgb, side).astype(np.float32)
        red = np.clip((seen[0] - seen[1:].max(0)) / 100, 0, 1) * (not self.is_blind)
        return red, np.full(4, 0.5, np.float32), 1.0


def painted_tile(*rectangles):
    """Gray, and red within (row, col, height, width)."""
    tile = tile_of(128, 128)
    tile.rgb[:] = 90 + tile.rgb // 16
    for row, col, height, width in rectangles:
        tile.rgb[:, row : row + height, col : col + width] = np.array([200, 40, 40], np.uint8)[:, None, None]
    return tile


def test_answers_are_the_regions_that_the_network_sees():
    things = [(20, 30, 12, 24), (70, 80, 30, 20)]
    engine = ProVGEngine(network=Seer())
    encoding = engine.encode(painted_tile(*things), quiet)
    for _ in range(2):
        found = engine.find(encoding, parse("the gizmos").targets[0], quiet)
        boxes = sorted((p.mask.row, p.mask.col, *p.mask.pixels.shape) for p in found.items)
        np.testing.assert_allclose(boxes, things, atol=4)
        assert min(p.score for p in found.items) > 0.75
    assert engine.network.asked == ["gizmo"], "a phrase is looked for once a tile"
    assert {m.name for m in found.maps} == {"foreground", "score"}


@pytest.mark.parametrize(
    ("category", "asked"),
    [
        ("automobile", "car"),
        ("oil tank", "storage tank"),
        ("house", "building"),
        ("tiled roof", "roof"),
        ("river", "river"),
        ("pier", "pier"),
        ("gizmo", "gizmo"),
        ("", ""),
    ],
)
def test_the_network_is_asked_in_the_words_that_it_knows_best(category, asked):
    assert asked_for(category) == asked


def test_one_word_for_a_class_is_looked_for_once():
    engine = ProVGEngine(network=Seer())
    encoding = engine.encode(painted_tile((20, 30, 12, 24)), quiet)
    for text in ("the oil tank", "the silo", "the storage tank"):
        engine.find(encoding, parse(text).targets[0], quiet)
    assert engine.network.asked == ["storage tank"]


def test_what_it_is_asked_for_is_what_its_training_names():
    taught = {single for forms in NOUNS.values() for single, _ in forms} | {"river", "lake"}
    assert set(ASKED.values()) <= taught
    assert set(NOUNS) <= set(ASKED)


def test_what_is_not_valid_is_not_answered():
    tile = painted_tile((20, 10, 40, 60))
    tile.valid[:, :32] = False
    engine, phrase = ProVGEngine(network=Seer()), parse("the gizmos").targets[0]
    (thing,) = engine.find(engine.encode(tile, quiet), phrase, quiet).items
    assert thing.mask.col == 32


def test_what_the_network_does_not_see_is_less_likely():
    scene = generate(3, size_px=(256, 256), gsd_m=0.3, theme="residential", expressions=0)
    phrase = parse("all buildings").targets[0]
    sure, blind = (ProVGEngine(network=Seer(is_blind=b)) for b in (False, True))
    rules = GeobiaEngine()
    alone = rules.find(rules.encode(scene.tile, quiet), phrase, quiet).items
    found = blind.find(blind.encode(scene.tile, quiet), phrase, quiet)
    assert alone
    assert max([p.score for p in found.items], default=0) < 0.92 * max(p.score for p in alone)
    nothing = blind.find(blind.encode(scene.tile, quiet), parse("gizmos").targets[0], quiet)
    assert not nothing.items
    assert 'ProVG sees no "gizmo" here' in nothing.why_empty
    assert sure.find(sure.encode(painted_tile((20, 30, 40, 40)), quiet), parse("gizmos").targets[0], quiet).items


def test_it_judges_without_the_rules_when_told_to(monkeypatch):
    tile = painted_tile((20, 30, 12, 24), (70, 80, 30, 20))
    phrase = parse("the red swimming pools").targets[0]
    found = {}
    for value in ("1", "0"):
        monkeypatch.setenv(RULES_VARIABLE, value)
        engine = ProVGEngine(network=Seer())
        found[value] = engine.find(engine.encode(tile, quiet), phrase, quiet)
        assert engine.network.asked == ["swimming pool"], "colours are measured"
        assert engine.info.revision.endswith("alone") == (value == "0")
    assert len(found["0"].items) == 2, "what the network takes for pools is taken for pools"
    assert not found["1"].items, "red rectangles are no pools"
    blue = parse("the blue swimming pools").targets[0]
    engine = ProVGEngine(network=Seer())
    monkeypatch.setenv(RULES_VARIABLE, "0")
    assert not engine.find(engine.encode(tile, quiet), blue, quiet).items


def test_the_trees_beside_a_network_are_its_own(tmp_path):
    (tmp_path / SHIPPED_TREES.name).write_bytes(SHIPPED_TREES.read_bytes() + b" ")
    revisions = {
        ProVGEngine(folder / "provg.onnx", network=Seer()).info.revision for folder in (tmp_path, tmp_path / "other")
    }
    assert len(revisions) == 2


def test_progress_counts_windows_and_unloading_loads_again(engine):
    steps = []
    tile = tile_of(1500, 130)
    encoding = engine.encode(tile, quiet)
    found = engine.find(encoding, parse("the gizmos").targets[0], lambda *step: steps.append(step))
    assert found.items
    total = sum(map(len, windows_of(1500, 130, side_for(1500, 130, 64))))
    assert total > 2
    assert steps == [("searching", i, total) for i in range(total + 1)]
    engine.unload()
    encoding.seen.clear()
    again = engine.find(encoding, parse("the gizmos").targets[0], quiet)
    assert [p.score for p in again.items] == [p.score for p in found.items]
