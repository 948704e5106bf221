"""A batch's result in every format: CRS, fields, geometry kinds and counts, as GDAL reads them back."""

from __future__ import annotations

import json

import numpy as np
import pyogrio
import pytest
import shapely
from batch_scenes import planted, run
from fake_engine import patches

from inference_server.__main__ import main
from inference_server.errors import CannotWrite, InvalidRequest
from inference_server.exports import FORMATS, export
from inference_server.exports import vector as vector_module

BOXES = [(10, 20, 30, 40), (50, 70, 25, 15)]
NATIVE = ("gpkg", "shp", "geojson-native", "fgb")
WGS_84 = ("geojson", "kml")


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    folder = tmp_path_factory.mktemp("result")
    raster = planted(folder / "a.tif", *BOXES, height=100, width=120)
    output = folder / "out.gpkg"
    run(raster, ["white houses"], output)
    return output


def read(path, layer=None):
    about, _, shapes, columns = pyogrio.raw.read(path, layer=layer)
    return about, shapely.from_wkb(shapes), dict(zip(about["fields"], columns, strict=True))


@pytest.mark.parametrize("name", [*NATIVE, *WGS_84, "csv"])
def test_each_format_holds_all_objects(result, tmp_path, name):
    suffix = FORMATS[name].suffix
    paths = export(result, tmp_path / f"out{suffix}", name)
    if name == "gpkg":
        assert [layer for layer, _ in pyogrio.list_layers(paths[0])] == ["masks", "oriented_boxes", "boxes"]
        paths = paths * 3
    else:
        assert [p.name for p in paths] == [f"out_{t}{suffix}" for t in ("masks", "oriented_boxes", "boxes")]
    for path, layer in zip(paths, ("masks", "oriented_boxes", "boxes"), strict=True):
        _, ours, own = read(result, layer)
        about, shapes, columns = read(path, layer if name == "gpkg" else None)
        assert len(shapes) == len(BOXES)
        if name == "csv":
            shapes = shapely.from_wkt(columns["WKT"])
        if name in WGS_84:
            assert about["crs"] in ("EPSG:4326", "OGC:CRS84")
            # 500000, 5500000 in zone 31 is 3 degrees east.
            assert shapely.total_bounds(shapes) == pytest.approx([3.0, 49.6, 3.001, 49.7], abs=0.06)
        else:
            if name != "csv":
                assert about["crs"] == "EPSG:32631"
            assert all(shapely.equals_exact(shapely.normalize(a), shapely.normalize(b), 1e-6) or a.equals(b)
                       for a, b in zip(sorted(shapes, key=str), sorted(ours, key=str), strict=True))  # fmt: skip
        assert sorted(columns["object_id" if name == "kml" else "id"]) == sorted(own["id"])
        if name != "kml":
            assert set(columns["expression"]) == {"white houses"}
            azimuths = columns["azimuth" if name == "shp" else "azimuth_deg"].astype(float)
            assert sorted(azimuths) == pytest.approx(sorted(own["azimuth_deg"]), abs=1e-6)


def test_a_shapefile_has_its_crs_and_encoding_beside_it(result, tmp_path):
    (path, *_) = export(result, tmp_path / "out.shp")
    assert {p.suffix for p in tmp_path.glob("out_masks.*")} >= {".shp", ".dbf", ".shx", ".prj", ".cpg"}
    assert max(map(len, read(path)[2])) <= 10


def test_a_table_too_large_for_a_shapefile_is_refused(result, tmp_path, monkeypatch):
    monkeypatch.setattr(vector_module, "SHAPEFILE_BYTES", 500)
    with pytest.raises(CannotWrite, match="2 GB"):
        export(result, tmp_path / "out.shp")
    assert list(tmp_path.iterdir()) == []


def test_geojson_rings_are_right_handed(result, tmp_path):
    paths = export(result, tmp_path / "out.geojson")
    document = json.loads(paths[0].read_text())
    assert "crs" not in document
    assert all(shapely.is_ccw(shapely.LinearRing(f["geometry"]["coordinates"][0][0])) for f in document["features"])


def test_geoparquet_where_gdal_has_it(result, tmp_path):
    if "Parquet" not in pyogrio.list_drivers(write=True):
        with pytest.raises(CannotWrite, match="Parquet"):
            export(result, tmp_path / "out.parquet")
        return
    assert len(read(export(result, tmp_path / "out.parquet")[0])[1]) == len(BOXES)


def test_coco_masks_are_the_planted_pixels(result, tmp_path):
    masks = pytest.importorskip("pycocotools.mask")
    (path,) = export(result, tmp_path / "out.json", "coco")
    document = json.loads(path.read_text())
    assert [(i["width"], i["height"]) for i in document["images"]] == [(120, 100)]
    assert [c["name"] for c in document["categories"]] == ["house"]
    pixels = np.zeros((100, 120), bool)
    for annotation in document["annotations"]:
        rle = masks.frPyObjects(annotation["segmentation"], 100, 120)
        mask = masks.decode(rle).astype(bool)
        assert mask.sum() == annotation["area"]
        assert masks.toBbox(rle).tolist() == annotation["bbox"]
        pixels |= mask
    assert np.array_equal(pixels, patches(*BOXES, height=100, width=120)[0] == 250)


def test_the_command_line_exports(result, tmp_path, capsys):
    assert main(["export", str(result), str(tmp_path / "out.fgb")]) == 0
    assert "Written" in capsys.readouterr().out
    assert main(["export", str(result), str(tmp_path / "out.xyz")]) == 2
    assert main(["export", str(tmp_path / "none.gpkg"), str(tmp_path / "out.fgb")]) == 2
    assert main(["export", str(result), str(tmp_path / "none" / "out.fgb")]) == 1


def test_what_is_no_result_is_refused(tmp_path):
    (tmp_path / "a.gpkg").write_text("x")
    with pytest.raises(InvalidRequest):
        export(tmp_path / "a.gpkg", tmp_path / "b.fgb")
