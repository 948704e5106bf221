"""The command line: what it finds, prints, writes, and how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from fake_engine import AFFINE, tile_bytes

from inference_server.__main__ import FAULT, FOUND, NOTHING, USAGE, main
from inference_server.exports.grounding import Provenance, tables_of
from inference_server.exports.vector import write_tables
from inference_server.version import VERSION
from rsground_plugin.protocol import Detection, GroundingResult

ATTRIBUTES = [
    *("id", "expression", "score", "label", "area_m2", "length_m", "width_m", "azimuth_deg"),
    *("engine", "revision", "gsd_m", "source", "extent", "time"),
]
ROOF = "the white area"


def bright_rectangle():
    """Pixels of one bright rectangle on quiet ground."""
    pixels = np.random.default_rng(0).integers(70, 76, (3, 256, 256)).astype(np.uint8)
    pixels[:, 40:90, 60:140] = 240
    return pixels


@pytest.fixture
def scene(tmp_path):
    """A scene with one bright rectangle on quiet ground: its box is 500030..500070, 5499955..5499980."""
    path = tmp_path / "scene.tif"
    path.write_bytes(tile_bytes(bright_rectangle()))
    return path


def read(path, layer=None):
    """Field names, values by field and geometries of a vector layer, and its CRS."""
    meta, _, wkb, values = pyogrio.raw.read(path, layer=layer)
    return list(meta["fields"]), dict(zip(meta["fields"], values, strict=True)), shapely.from_wkb(wkb), meta["crs"]


@pytest.fixture
def picture(tmp_path):
    """The same as a picture without a place."""
    path = tmp_path / "picture.png"
    with rasterio.open(path, "w", driver="PNG", width=256, height=256, count=3, dtype="uint8") as file:
        file.write(bright_rectangle())
    return path


@pytest.mark.parametrize("more", [(), ("--max-pixels", "16384")], ids=["as it is", "read coarser"])
def test_a_picture_without_a_place_is_measured_by_the_pixel_size_that_is_told(picture, capsys, more):
    assert main(["ground", str(picture), ROOF, "--json", "--pixel-size", "0.5", *more]) == FOUND
    result = json.loads(capsys.readouterr().out)
    assert result["gsd_m"] == pytest.approx(0.5 * (2 if more else 1))
    found = result["detections"][0]
    assert found["area_m2"] == pytest.approx(80 * 50 * 0.25, rel=0.1)
    assert found["azimuth_deg"] is None
    assert not any("guessed" in note for note in result["notes"])


def test_a_pixel_size_that_is_none_is_refused(picture, capsys):
    assert main(["ground", str(picture), ROOF, "--pixel-size", "-1"]) == USAGE
    assert "pixel_size_m" in capsys.readouterr().err


def test_a_measure_needs_a_pixel_size(picture, capsys):
    asked = ["ground", str(picture), "the white area longer than 30 m", "--json"]
    assert main([*asked, "--pixel-size", "0.5"]) == FOUND
    assert len(json.loads(capsys.readouterr().out)["detections"]) == 1
    assert main([*asked, "--pixel-size", "0.2"]) == NOTHING


def test_a_geopackage_with_three_linked_layers(scene, tmp_path, capsys):
    out = tmp_path / "out.gpkg"
    assert main(["ground", str(scene), ROOF, "-o", str(out)]) == FOUND
    printed = capsys.readouterr().out
    assert "area" in printed
    assert f"Written: {out}" in printed
    assert {name for name, _ in pyogrio.list_layers(out)} == {"boxes", "oriented_boxes", "masks"}
    ids = []
    for layer in ("boxes", "oriented_boxes", "masks"):
        names, values, geometries, crs = read(out, layer)
        assert names == ATTRIBUTES
        assert crs == "EPSG:32631"
        assert all(shapely.is_valid(geometries))
        assert values["expression"][0] == ROOF
        assert values["engine"][0] == "geobia"
        assert values["source"][0] == str(scene)
        assert shapely.from_wkt(values["extent"][0]).bounds == (500000, 5499872, 500128, 5500000)
        assert abs(values["time"][0] - np.datetime64("now")) < np.timedelta64(60, "s"), "UTC"
        ids.append(list(values["id"]))
        best = geometries[int(np.argmax(values["score"]))]
        assert best.bounds == pytest.approx((500_030, 5_499_955, 500_070, 5_499_980), abs=3.0)
        assert values["area_m2"][0] == pytest.approx(1000, rel=0.05)
        assert values["length_m"][0] == pytest.approx(40, rel=0.05)
        assert values["azimuth_deg"][0] == pytest.approx(90, abs=3)
    assert ids[0] == ids[1] == ids[2]
    assert ids[0][0] in printed


def test_geojson_is_wgs84_and_one_file_a_layer(scene, tmp_path):
    assert main(["ground", str(scene), ROOF, "-o", str(tmp_path / "out.geojson"), "--outputs", "hbb,mask"]) == FOUND
    assert {p.name for p in tmp_path.glob("out*")} == {"out_boxes.geojson", "out_masks.geojson"}
    data = json.loads((tmp_path / "out_boxes.geojson").read_text())
    assert "crs" not in data, "RFC 7946 knows only WGS 84"
    (lon, lat) = data["features"][0]["geometry"]["coordinates"][0][0]
    assert 2.9 < lon < 3.1
    assert 49.5 < lat < 49.8
    for feature in data["features"]:
        assert shapely.LinearRing(feature["geometry"]["coordinates"][0]).is_ccw, "the right-hand rule"


def test_one_output_is_one_file_of_that_name(scene, tmp_path):
    out = tmp_path / "out.json"
    assert main(["ground", str(scene), ROOF, "-o", str(out), "--outputs", "obb"]) == FOUND
    assert [p.name for p in tmp_path.glob("out*")] == ["out.json"]


def test_anchors_are_a_table_and_other_formats_are_there(scene, tmp_path):
    ring = ((0.0, 0.0), (2.0, 0.0), (2.0, -1.0), (0.0, -1.0), (0.0, 0.0))
    found = (Detection("a", 0.5, "car", hbb=ring),)
    result = GroundingResult("the car on the road", "fake", "1", found, (Detection("b", 0.9, "road", obb=ring),))
    write_tables(tables_of(result, Provenance("s", "POLYGON EMPTY")), tmp_path / "o.gpkg", "gpkg")
    _, values, geometries, _ = read(tmp_path / "o.gpkg", "anchors")
    assert list(values["id"]) == ["b"]
    assert geometries[0].geom_type == "MultiPolygon"
    command = ["ground", str(scene), ROOF, "--outputs", "mask"]
    assert main([*command, "-o", str(tmp_path / "out.fgb")]) == FOUND
    assert len(read(tmp_path / "out.fgb")[2]) == 1
    assert main([*command, "-o", str(tmp_path / "out"), "--format", "coco"]) == FOUND
    (image,) = json.loads((tmp_path / "out.json").read_text())["images"]
    assert (image["file_name"], image["width"], image["height"]) == (str(scene), 256, 256)


def test_shapefiles_have_short_names_and_their_suffix(scene, tmp_path):
    assert (
        main(["ground", str(scene), ROOF, "-o", str(tmp_path / "out"), "--format", "shp", "--outputs", "mask"]) == FOUND
    )
    names, values, geometries, crs = read(tmp_path / "out.shp")
    assert names == [name.replace("azimuth_deg", "azimuth") for name in ATTRIBUTES]
    assert crs == "EPSG:32631"
    assert values["expression"][0] == ROOF
    assert geometries[0].area == pytest.approx(1000, rel=0.05)


def test_an_older_result_is_replaced(scene, tmp_path):
    out = tmp_path / "out.gpkg"
    for _ in range(2):
        assert main(["ground", str(scene), ROOF, "-o", str(out)]) == FOUND
    _, values, _, _ = read(out, "boxes")
    assert len(set(values["id"])) == len(values["id"])
    assert not list(tmp_path.glob(".unfinished*"))


def test_the_whole_result_as_json(scene, capsys):
    assert main(["ground", str(scene), ROOF, "--json"]) == FOUND
    result = GroundingResult.from_dict(json.loads(capsys.readouterr().out))
    assert result.detections[0].hbb is not None


def test_nothing_found_says_why_and_writes_nothing(scene, tmp_path, capsys):
    out = tmp_path / "out.gpkg"
    assert main(["ground", str(scene), "???", "-o", str(out)]) == NOTHING
    assert "Nothing found: There is nothing to look for" in capsys.readouterr().out
    assert not out.exists()


def test_a_minimum_score_is_kept(scene, capsys):
    assert main(["ground", str(scene), ROOF, "--min-score", "1.0"]) in (FOUND, NOTHING)
    assert main(["ground", str(scene), ROOF, "--min-score", "0.0"]) == FOUND


@pytest.mark.parametrize("joined", [True, False])
def test_an_extent_with_a_leading_minus(tmp_path, capsys, joined):
    affine = AFFINE.translation(-100, 50) * AFFINE.scale(0.5, -0.5)
    path = tmp_path / "west.tif"
    pixels = np.random.default_rng(0).integers(60, 90, (3, 64, 64)).astype(np.uint8)
    path.write_bytes(tile_bytes(pixels, affine=affine, crs=None))
    extent = ["--extent=-100,30,-90,40"] if joined else ["--extent", "-100,30,-90,40"]
    assert main(["ground", str(path), "the red roof", "--json", *extent]) in (FOUND, NOTHING)
    assert json.loads(capsys.readouterr().out)["crs"] is None


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["{scene}", ""], USAGE, "request.expression: expected text that is not blank"),
        (["{scene}", "x" * 10_000], USAGE, "at most 2000 characters"),
        (["{scene}", "a", "--engine", "sam9"], USAGE, "There is no engine 'sam9'"),
        (["{scene}", "a", "--outputs", "dots"], USAGE, "request.outputs[0]"),
        (["{scene}", "a", "--min-score", "7"], USAGE, "request.min_score"),
        (["{scene}", "a", "--max-pixels", "0"], USAGE, "--max-pixels"),
        (["{scene}", "a", "--extent", "0,0,1,1"], USAGE, "outside the raster"),
        (["{scene}", "a", "--extent", "9,9,1,1"], USAGE, "x_min < x_max"),
        (["{scene}", "a", "--extent", "0,0,1,1", "--extent-crs", "EPSG:0"], USAGE, "'EPSG:0'"),
        (["{scene}", "a", "-o", "{folder}/out.xyz"], USAGE, ".gpkg"),
        (["{folder}/missing.tif", "a"], FAULT, "missing.tif"),
        (["{scene}", ROOF, "-o", "{folder}/no/such/folder/out.gpkg"], FAULT, "cannot be written"),
    ],
)
def test_a_fault_is_one_clear_line(scene, tmp_path, capsys, arguments, status, says):
    filled = [a.format(scene=scene, folder=tmp_path) for a in arguments]
    assert main(["ground", *filled]) == status
    complaint = capsys.readouterr().err.strip()
    assert says in complaint
    assert len(complaint.splitlines()) == 1
    assert complaint.startswith("rsground: ")


def test_an_area_without_data_is_nothing_found(tmp_path, capsys):
    path = tmp_path / "empty.tif"
    path.write_bytes(tile_bytes(np.zeros((3, 8, 8), np.uint8), nodata=0))
    assert main(["ground", str(path), "a road"]) == NOTHING
    assert "holds no data" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["ground"], ["fly"], ["ground", "a", "b", "--extent", "1,2,3"]])
def test_wrong_usage_is_2(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == USAGE
    assert "usage: rsground" in capsys.readouterr().err


def test_engines_are_listed(capsys):
    assert main(["engines"]) == FOUND
    assert "geobia (default)" in capsys.readouterr().out
    assert main(["engines", "--json"]) == FOUND
    assert json.loads(capsys.readouterr().out)[0]["name"] == "geobia"


def test_an_expression_is_read_aloud(capsys):
    assert main(["parse", "the white tank left of the road"]) == FOUND
    printed = capsys.readouterr().out
    assert "tank" in printed
    assert "left" in printed
    assert main(["parse", "?!"]) == NOTHING


def test_as_a_program():
    done = subprocess.run(
        [sys.executable, "-m", "inference_server", "--version"], capture_output=True, text=True, check=True,
        cwd=Path(__file__).resolve().parents[2],
    )  # fmt: skip
    assert done.stdout == f"rsground {VERSION}\n"


def test_missing_measures_and_masks_are_left_out(tmp_path):
    ring = ((0.0, 0.0), (2.0, 0.0), (2.0, -1.0), (0.0, -1.0), (0.0, 0.0))
    detections = (
        Detection("a", 0.5, "дом", hbb=ring),
        Detection("b", 0.25, "x", hbb=ring, mask=((ring,),), area_m2=2.0),
    )
    result = GroundingResult("дом", "fake", "1", detections)
    written = write_tables(tables_of(result, Provenance("s", "POLYGON EMPTY")), tmp_path / "o.gpkg", "gpkg")
    assert written == [tmp_path / "o.gpkg"]
    _, values, geometries, crs = read(tmp_path / "o.gpkg", "boxes")
    assert list(values["label"]) == ["дом", "x"]
    assert np.isnan(values["area_m2"][0])
    assert values["area_m2"][1] == 2.0
    assert len(geometries) == 2
    assert crs is None or "Undefined" in crs
    _, values, _, _ = read(tmp_path / "o.gpkg", "masks")
    assert list(values["id"]) == ["b"]


def test_explain_writes_maps_of_where_the_engine_looked(scene, tmp_path, capsys):
    folder = tmp_path / "why"
    assert main(["ground", str(scene), ROOF, "--explain", str(folder)]) == FOUND
    path = folder / "white_area_score.tif"
    assert f"Written: {path}" in capsys.readouterr().out
    with rasterio.open(path) as dataset:
        cells = dataset.read(1)
        assert tuple(dataset.bounds) == (500000, 5499872, 500128, 5500000)
        assert dataset.crs == "EPSG:32631"
    roof, ground = cells[45:85, 65:135], cells[150:]
    assert roof.min() > 90
    assert ground.max() < roof.min()
