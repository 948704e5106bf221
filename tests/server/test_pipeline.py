"""One query from tile to detections: places, ids, scores, caches, reasons."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import rasterio
from fake_engine import AFFINE, FakeEngine, patches, registry, tile_bytes
from rasterio.crs import CRS
from shapely.geometry import Polygon

from inference_server.encodings import EncodingCache, size_of, tile_key
from inference_server.errors import Cancelled, CannotWrite, EngineUnavailable, OutOfMemory, UnknownEngine
from inference_server.explanation import map_image, write_maps
from inference_server.geometry import HBB, OBB, Mask
from inference_server.models.base import ExplanationMap, Prediction, Predictions
from inference_server.models.registry import EngineSource, Registry, imported
from inference_server.pipeline import GroundingPipeline
from inference_server.raster import RasterTile, read_tile
from rsground_plugin.protocol import GroundingRequest, GroundingResult

TWO = patches((10, 20, 8, 16), (40, 60, 6, 4))


@pytest.fixture
def engine():
    return FakeEngine()


@pytest.fixture
def pipeline(engine):
    return GroundingPipeline(registry(engine))


def tile(pixels=TWO, **options):
    return read_tile(tile_bytes(pixels, **options))


def test_all_that_is_asked_for_in_map_coordinates(pipeline):
    result = pipeline.ground(GroundingRequest("all tanks"), tile())
    assert [d.label for d in result.detections] == ["tank", "tank"]
    large = result.detections[0]
    assert set(large.hbb) == {(500_010, 5_499_995), (500_018, 5_499_995), (500_018, 5_499_991), (500_010, 5_499_991)}
    assert Polygon(large.obb).equals(Polygon(large.hbb))
    assert Polygon(large.mask[0][0]).equals(Polygon(large.hbb))
    assert large.length_m == pytest.approx(8, rel=1e-3)
    assert large.width_m == pytest.approx(4, rel=1e-3)
    assert large.area_m2 == pytest.approx(32, rel=2e-3)
    assert large.pixel_area == 128
    assert result.crs == "EPSG:32631"
    assert result.gsd_m == pytest.approx(0.5, rel=1e-3)
    assert result.engine == "fake"
    assert result.revision == "1"
    assert result.empty_reason is None
    assert not result.cached
    assert {"encode", "find", "relate", "measure", "total"} <= set(result.timings_s)
    assert GroundingResult.from_dict(result.to_dict()) == result


def test_a_relation_is_settled_by_geometry_and_its_anchor_comes_back(pipeline, engine):
    left = pipeline.ground(GroundingRequest("the tank left of the shed"), tile())
    assert len(left.detections) == 1
    assert left.detections[0].hbb[0][0] == 500_010
    assert left.anchors
    assert any("tank" in text for text in engine.asked)
    assert any("shed" in text for text in engine.asked)
    right = pipeline.ground(GroundingRequest("the tank right of the shed"), tile())
    assert right.detections[0].hbb[0][0] == 500_030


def test_ids_are_stable_and_unique(pipeline):
    first = pipeline.ground(GroundingRequest("all tanks"), tile())
    second = pipeline.ground(GroundingRequest("tanks", outputs=("mask",)), tile())
    assert [d.id for d in first.detections] == [d.id for d in second.detections]
    assert len({d.id for d in first.detections}) == 2
    assert second.detections[0].hbb is None
    assert second.detections[0].obb is None


def test_scores_and_counts_are_bounded(pipeline):
    assert len(pipeline.ground(GroundingRequest("all tanks", max_detections=1), tile()).detections) == 1
    none = pipeline.ground(GroundingRequest("all tanks", min_score=0.99), tile())
    assert none.empty_reason.part == "score"
    assert "0.99" in none.empty_reason.message


def test_nothing_has_a_reason(pipeline):
    result = pipeline.ground(GroundingRequest("the nothing"), tile())
    assert result.detections == ()
    assert result.empty_reason.message == "There is none."
    assert "A note." in result.notes


@pytest.mark.parametrize("words", ["???", "!", "… — …", "()", "'"])
def test_words_without_a_thing_are_explained_without_work(pipeline, engine, words):
    result = pipeline.ground(GroundingRequest(words), tile())
    assert result.empty_reason.part == "expression"
    assert engine.encoded == 0


@pytest.mark.parametrize(
    "words", ["красный дом", "白い建物", "البيت", "👀 🏠", "<b>house</b>", "house; rm -rf /", "\x00\x07"]
)
def test_other_scripts_end_in_an_answer(pipeline, words):
    result = pipeline.ground(GroundingRequest(words), tile())
    assert result.detections or result.empty_reason


def test_a_tile_is_encoded_once(pipeline, engine):
    assert not pipeline.ground(GroundingRequest("tanks"), tile()).cached
    assert pipeline.ground(GroundingRequest("sheds"), tile()).cached
    assert engine.encoded == 1
    assert not pipeline.ground(GroundingRequest("tanks"), tile(patches((1, 1, 2, 2)))).cached
    pipeline.unload()
    assert engine.unloaded == 1
    assert not pipeline.ground(GroundingRequest("tanks"), tile()).cached


def test_the_key_of_a_tile_is_all_that_the_engine_sees():
    base = tile()
    keys = {tile_key(base, FakeEngine.info)}
    keys.add(tile_key(tile(nodata=40), FakeEngine.info))
    keys.add(tile_key(tile(affine=AFFINE * AFFINE.scale(2)), FakeEngine.info))
    keys.add(
        tile_key(RasterTile(base.rgb, base.valid, base.affine, base.crs, np.ones((60, 80), np.float32)), base_info("2"))
    )
    keys.add(tile_key(base, base_info("2")))
    keys.add(tile_key(RasterTile(base.rgb, base.valid, base.affine, CRS.from_epsg(3857)), FakeEngine.info))
    assert len(keys) == 6
    assert tile_key(tile(), FakeEngine.info) == tile_key(base, FakeEngine.info)


def base_info(revision):
    from dataclasses import replace

    return replace(FakeEngine.info, revision=revision)


def test_the_cache_is_bounded_in_number_and_in_bytes():
    cache = EncodingCache(max_count=2, max_bytes=1000)
    for key in "abc":
        cache.get(key, lambda: np.zeros(10, np.uint8))
    assert len(cache) == 2
    assert cache.get("c", lambda: None)[1]
    assert not cache.get("a", lambda: np.zeros(10, np.uint8))[1]
    cache.get("large", lambda: np.zeros(5000, np.uint8))
    assert len(cache) == 1
    assert cache.get("large", lambda: None)[1], "the last one stays, however large"


def test_the_size_of_an_encoding_counts_every_array_once():
    array = np.zeros(100, np.uint8)
    assert size_of({"a": array, "b": [array, (Mask(np.zeros((5, 5), bool), 0, 0),)], "c": "text", "d": None}) == 125


def test_a_tile_without_a_crs_has_no_measures(pipeline):
    detection = pipeline.ground(GroundingRequest("tanks"), tile(crs=None)).detections[0]
    assert detection.area_m2 is None
    assert detection.azimuth_deg is None
    assert detection.pixel_area == 128


def test_a_rotated_tile_gives_a_rotated_box(pipeline):
    affine = AFFINE * AFFINE.rotation(30)
    detection = pipeline.ground(GroundingRequest("tanks"), tile(affine=affine)).detections[0]
    assert detection.hbb[0] == pytest.approx(affine * (20, 10))
    assert detection.hbb[2] == pytest.approx(affine * (36, 18))
    # The long side runs along the tile's x axis, 30 degrees clockwise of east on the map.
    assert detection.azimuth_deg == pytest.approx(120, abs=0.1)


class BoxEngine(FakeEngine):
    def find(self, encoding, phrase, progress):
        return Predictions(
            (Prediction(0.9, "box", hbb=HBB(1, 2, 5, 4)), Prediction(0.8, "turned", obb=OBB(20, 20, 10, 4, 45)))
        )


def test_engines_without_masks_give_boxes():
    result = GroundingPipeline(registry(BoxEngine())).ground(GroundingRequest("all things"), tile())
    box, turned = result.detections
    assert box.mask is None
    assert box.pixel_area == 8
    assert set(box.hbb) == set(box.obb)
    assert turned.pixel_area == pytest.approx(40)
    assert turned.length_m == pytest.approx(5, rel=1e-3)


def test_faults_of_the_engine(pipeline):
    with pytest.raises(KeyError):
        pipeline.ground(GroundingRequest("the crash"), tile())
    with pytest.raises(OutOfMemory, match="80 x 60"):
        pipeline.ground(GroundingRequest("the memory"), tile())
    with pytest.raises(UnknownEngine, match="fake"):
        pipeline.ground(GroundingRequest("tanks", engine="sam9"), tile())


def test_progress_can_end_a_query(pipeline):
    def progress(stage, done, total):
        if stage == "finding":
            raise Cancelled("gone")

    with pytest.raises(Cancelled):
        pipeline.ground(GroundingRequest("tanks"), tile(), progress)
    assert pipeline.ground(GroundingRequest("tanks"), tile()).detections


def test_an_engine_that_cannot_be_imported_says_why():
    missing = EngineSource(imported("inference_server.models.no_such_engine:Engine"), "Missing")
    both = Registry({"fake": EngineSource(FakeEngine, "Fake"), "missing": missing}, default="fake")
    infos = {info.name: info for info in both.infos()}
    assert infos["fake"].is_available
    assert infos["fake"].is_default
    assert not infos["missing"].is_available
    assert "no_such_engine" in infos["missing"].why_unavailable
    with pytest.raises(EngineUnavailable):
        both.get("missing")
    assert both.get("default") is both.get("fake")


def test_the_default_engine_is_there():
    infos = Registry().infos()
    assert [info.name for info in infos if info.is_default] == ["geobia"]
    assert infos[0].is_available, infos[0].why_unavailable


class LookingEngine(FakeEngine):
    """Brings a map of a 2 x 3 grid with each answer."""

    def find(self, encoding, phrase, progress):
        values = np.float32([[0.0, 0.5, 1.0], [2.0, np.nan, -1.0]])
        return replace(super().find(encoding, phrase, progress), maps=(ExplanationMap("A_C", values),))


def test_maps_of_where_the_engine_looked_come_when_asked_for_one_for_each_phrase():
    pipeline = GroundingPipeline(registry(LookingEngine()))
    assert pipeline.ground(GroundingRequest("the tank left of the shed"), tile()).maps == ()
    result = pipeline.ground(GroundingRequest("the tank left of the shed", explain=True), tile())
    assert [(m.name, m.phrase, m.width, m.height) for m in result.maps] == [
        ("A_C", "tank", 3, 2),
        ("A_C", "shed", 3, 2),
    ]
    assert list(result.maps[0].cells) == [0, 128, 255, 255, 0, 0]
    nothing = pipeline.ground(GroundingRequest("the nothing", explain=True), tile())
    assert not nothing.detections
    assert len(nothing.maps) == 1


def test_a_map_too_fine_for_the_wire_is_thinned_out():
    image = map_image(ExplanationMap("fine", np.zeros((10, 8000), np.float32)), "tank")
    assert (image.width, image.height) == (4000, 5)
    with pytest.raises(ValueError, match=r"expected a \(row, col\) array"):
        ExplanationMap("flat", np.zeros(3, np.float32))


def test_maps_are_written_where_they_belong(tmp_path):
    seen = tile(affine=AFFINE * AFFINE.rotation(20))
    result = GroundingPipeline(registry(LookingEngine())).ground(GroundingRequest("the tanks", explain=True), seen)
    first, second = (write_maps(result, seen, tmp_path / "why")[0] for _ in range(2))
    assert (first.name, second.name) == ("tank_A_C.tif", "tank_A_C_2.tif")
    with rasterio.open(first) as dataset:
        assert dataset.crs == seen.crs
        for corner, cell in (((0, 0), (0, 0)), ((80, 60), (3, 2)), ((80, 0), (3, 0))):
            np.testing.assert_allclose(dataset.transform * cell, seen.affine * corner)
        assert dataset.tags()["phrase"] == "tank"
        assert dataset.read(1).tolist() == [[0, 128, 255], [255, 0, 0]]
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotWrite, match="Choose another folder"):
        write_maps(result, seen, tmp_path / "file")
