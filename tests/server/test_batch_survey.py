"""What engines are told of a whole scene while they see its tiles, and that tiles then answer as one tile does."""

from __future__ import annotations

import sqlite3

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from batch_scenes import contents, pixel_boxes, run, write_raster
from fake_engine import FakeEngine, patches, registry

from inference_server.batch import scene as scene_module
from inference_server.batch import survey as survey_module
from inference_server.batch.grid import tiles_of
from inference_server.batch.journal import Journal
from inference_server.batch.scene import open_scene
from inference_server.batch.survey import GUTTER_PX, survey_sheet
from inference_server.errors import Cancelled
from inference_server.evaluation.scenes import generate, write_geotiff
from inference_server.models.registry import Registry
from rsground_plugin.protocol import TileEvent


class SurveyingFake(FakeEngine):
    """What is brighter than the scene's mean by 100 is what is asked for."""

    surveyed = 0
    parts: list

    def __init__(self):
        super().__init__()
        self.parts = []

    def survey(self, sheet):
        self.surveyed += 1
        return {"mean": float(sheet.rgb[0][sheet.valid].mean())}

    def encode(self, tile, progress, part=None):
        self.parts.append(part)
        return super().encode(tile, progress)


def make_surveying():
    return registry(SurveyingFake())


@pytest.fixture
def houses(tmp_path):
    boxes = [(r, c, 20, 30) for r in range(50, 2200, 300) for c in range(50, 2200, 300)]
    return write_raster(tmp_path / "houses.tif", patches(*boxes, height=2300, width=2300)), boxes


# -- the sheet ------------------------------------------------------------------------------------


def sheet_of(path, **options):
    scene = open_scene(str(path), margin=lambda gsd_m: 48, is_coarse_wanted=False, **options)
    with rasterio.open(path) as dataset:
        return survey_sheet(scene, dataset, scene.fine)


def test_a_small_scene_is_its_own_sheet(tmp_path):
    pixels = np.random.default_rng(0).integers(1, 255, (3, 300, 500)).astype(np.uint8)
    sheet = sheet_of(write_raster(tmp_path / "small.tif", pixels))
    assert np.array_equal(sheet.rgb, pixels)
    assert sheet.valid.all()


def test_patches_come_from_all_over_and_are_kept_apart(tmp_path, monkeypatch):
    monkeypatch.setattr(survey_module, "WHOLE_PX", 0)
    monkeypatch.setattr(survey_module, "PATCH_PX", 32)
    rows, cols = np.mgrid[:1600, :2400]
    pixels = np.stack([rows // 10, cols // 10, np.full_like(rows, 7)]).astype(np.uint8)
    sheet = sheet_of(write_raster(tmp_path / "ramp.tif", pixels))
    mean = [float(band[sheet.valid].mean()) for band in sheet.rgb]
    assert mean == pytest.approx([79.5, 119.5, 7], abs=2), "the rim has its share"
    spread = [float(np.ptp(band[sheet.valid])) for band in sheet.rgb[:2]]
    assert spread[0] > 145
    assert spread[1] > 225
    cell = 32 + 2 * GUTTER_PX
    assert [side % cell for side in sheet.valid.shape] == [0, 0]
    assert not sheet.valid[:, :GUTTER_PX].any()
    assert not sheet.valid[:, cell - GUTTER_PX : cell + GUTTER_PX].any()
    # Mirrored: what a filter sees beyond a patch goes on as the patch does.
    assert np.array_equal(sheet.rgb[:, GUTTER_PX, :cell], sheet.rgb[:, GUTTER_PX - 1, :cell])


def test_few_data_are_looked_for_on_a_closer_lattice(tmp_path, monkeypatch):
    monkeypatch.setattr(survey_module, "WHOLE_PX", 0)
    monkeypatch.setattr(survey_module, "PATCH_PX", 16)
    pixels = np.zeros((3, 2000, 2000), np.uint8)
    pixels[:, 900:1060, 300:460] = 90
    sheet = sheet_of(write_raster(tmp_path / "island.tif", pixels, nodata=0))
    assert sheet.valid.sum() > 10 * 16**2
    assert set(np.unique(sheet.rgb[0][sheet.valid])) == {90}
    assert sheet_of(write_raster(tmp_path / "none.tif", np.zeros((3, 2000, 2000), np.uint8), nodata=0)) is None


# -- in a run -------------------------------------------------------------------------------------


def test_every_tile_is_told_of_the_whole_and_of_its_place(houses, tmp_path):
    path, boxes = houses
    engine = SurveyingFake()
    run(path, ["cars"], tmp_path / "out.gpkg", make=lambda: registry(engine))
    assert pixel_boxes(tmp_path / "out.gpkg") == boxes
    assert engine.surveyed == 1
    with rasterio.open(path) as dataset:
        mean = float(dataset.read(1).mean())
    (told,) = {part.survey["mean"] for part in engine.parts}
    assert told == pytest.approx(mean, abs=0.5)
    assert [(part.row, part.col) for part in engine.parts][:2] == [(0, 0), (0, 768 - 48)]
    assert len({part.nominal_px for part in engine.parts}) == 1


def test_an_area_is_judged_by_the_whole_raster(houses, tmp_path):
    path, boxes = houses
    engine = SurveyingFake()
    ring = ((500_300.0, 5_499_700.0), (500_420.0, 5_499_700.0), (500_420.0, 5_499_580.0), (500_300.0, 5_499_580.0))
    run(path, ["cars"], tmp_path / "out.gpkg", make=lambda: registry(engine), area=((ring,),))
    with rasterio.open(path) as dataset:
        mean = float(dataset.read(1).mean())
    assert [part.survey["mean"] for part in engine.parts] == [pytest.approx(mean, abs=0.5)], "one tile holds it"
    assert 0 < len(pixel_boxes(tmp_path / "out.gpkg")) < len(boxes)


def test_a_scene_of_one_tile_needs_no_survey(tmp_path):
    engine = SurveyingFake()
    path = write_raster(tmp_path / "small.tif", patches((50, 50, 20, 20), height=500, width=500))
    run(path, ["cars"], tmp_path / "out.gpkg", make=lambda: registry(engine))
    assert engine.surveyed == 0
    assert [part.survey for part in engine.parts] == [None]


def test_a_resumed_run_remembers_the_survey(houses, tmp_path):
    path, _ = houses

    def stop(event):
        if isinstance(event, TileEvent) and event.done == 3:
            raise Cancelled("Enough.")

    first, second = SurveyingFake(), SurveyingFake()
    with pytest.raises(Cancelled):
        run(path, ["cars"], tmp_path / "out.gpkg", make=lambda: registry(first), on_event=stop)
    run(path, ["cars"], tmp_path / "out.gpkg", make=lambda: registry(second))
    assert (first.surveyed, second.surveyed) == (1, 0)
    assert {tuple(part.survey.items()) for part in second.parts} == {tuple(first.parts[0].survey.items())}


def test_several_workers_share_the_surveys(houses, tmp_path):
    path, _ = houses
    other = write_raster(tmp_path / "other.tif", patches((60, 60, 90, 90), height=1500, width=1500))
    run([path, other], ["houses"], tmp_path / "one.gpkg", make=make_surveying)
    run([path, other], ["houses"], tmp_path / "two.gpkg", make=make_surveying, workers=2)
    assert contents(tmp_path / "one.gpkg") == contents(tmp_path / "two.gpkg")
    surveys = [_surveys(tmp_path / name) for name in ("one.gpkg", "two.gpkg")]
    assert surveys[0] == surveys[1]
    assert sorted(surveys[0]) == [(0, 0), (1, 0)], "a coarse pass of one tile needs none"


def _surveys(path):
    with sqlite3.connect(path) as connection:
        rows = Journal(connection, path).surveys()
    connection.close()
    return rows


# -- the embedded engine --------------------------------------------------------------------------


def test_the_embedded_engine_finds_in_tiles_what_it_finds_in_one(tmp_path, monkeypatch):
    shared = [_shared_by_tiles_and_whole(seed, tmp_path, monkeypatch) for seed in (11, 12, 13)]
    same, found = np.sum(shared, axis=0)
    assert found > 200
    assert 2 * same >= 0.98 * found


def _shared_by_tiles_and_whole(seed, folder, monkeypatch):
    """How many objects of a scene are found both ways, and how many were found one way and the other."""
    path = folder / f"{seed}.tif"
    write_geotiff(generate(seed, size_px=(720, 720), gsd_m=0.3, theme="residential", expressions=0), path)
    found = {}
    for name, core_px in (("one", 10_000), ("tiles", 240)):
        monkeypatch.setattr(
            scene_module,
            "tiles_of",
            lambda *size, core_px=core_px, **options: tiles_of(*size, core_px=core_px, **options),
        )
        result = folder / f"{seed}_{name}.gpkg"
        run(path, ["buildings", "cars"], result, make=Registry, engine="default")
        _, _, shapes, _ = pyogrio.raw.read(result, layer="masks")
        found[name] = shapely.make_valid(shapely.from_wkb(shapes))
    one, tiles = found["one"], found["tiles"]
    assert len(one) > 20
    i, j = shapely.STRtree(tiles).query(one, predicate="intersects")
    shared = shapely.area(shapely.intersection(one[i], tiles[j]))
    is_same = shared >= 0.5 * shapely.area(shapely.union(one[i], tiles[j]))
    return min(len(set(i[is_same])), len(set(j[is_same]))), len(one) + len(tiles)
