"""Exports come back from their files as they went in, in the form each format asks for."""

from __future__ import annotations

import json
import threading

import pytest
import results
from qgis.core import QgsCoordinateReferenceSystem, QgsCoordinateTransform, QgsVectorLayer

from rsground_plugin.core.errors import ResultsError
from rsground_plugin.core.export import FORMATS, export, planned_paths, prepare
from rsground_plugin.core.result_layers import add_to_project, write_result
from rsground_plugin.protocol import OUTPUT_KINDS


@pytest.fixture
def drawn(tmp_path, project):
    def draw(result=None, outputs=OUTPUT_KINDS):
        result = results.result() if result is None else result
        written = write_result(result, tmp_path / "result.gpkg", results.PROVENANCE, outputs=outputs)
        return add_to_project(written, project).layers(project)

    return draw


def context(project):
    return {"transform_context": project.transformContext()}


def test_geopackage(tmp_path, project, drawn):
    paths = export(drawn(), tmp_path / "out", "GPKG", **context(project))
    assert paths == [tmp_path / "out.gpkg"]
    for table, count in (("masks", 3), ("oriented_boxes", 3), ("boxes", 3), ("anchors", 1)):
        layer = QgsVectorLayer(f"{paths[0]}|layername={table}", table, "ogr")
        assert layer.featureCount() == count
        assert layer.crs().authid() == "EPSG:32633"
        assert layer.renderer().rootRule().children()[0].symbol().symbolLayerCount() == 3, "style travels along"
    masks = QgsVectorLayer(f"{paths[0]}|layername=masks", "masks", "ogr")
    assert next(masks.getFeatures()).geometry().area() == pytest.approx(84.0)


def test_shapefile(tmp_path, project, drawn):
    paths = export(drawn(), tmp_path / "out.shp", "ESRI Shapefile", **context(project))
    assert [p.name for p in paths] == ["out_anchors.shp", "out_masks.shp", "out_oriented_boxes.shp", "out_boxes.shp"]
    masks = tmp_path / "out_masks.shp"
    assert masks.with_suffix(".prj").read_text().startswith("PROJCS")
    assert masks.with_suffix(".cpg").read_text().strip() == "UTF-8"
    layer = QgsVectorLayer(str(masks), "masks", "ogr")
    names = [f.name() for f in layer.fields()]
    assert "azimuth" in names
    assert "expression" in names
    assert all(len(name) <= 10 for name in names)
    assert len(set(names)) == len(names)
    feature = next(layer.getFeatures())
    assert feature["expression"] == "the white tank left of the road"
    assert feature["azimuth"] == 45.0
    assert feature.geometry().area() == pytest.approx(84.0), "the hole is kept"
    assert layer.crs() == QgsCoordinateReferenceSystem("EPSG:32633")


def test_geojson_follows_rfc_7946(tmp_path, project, drawn):
    paths = export(drawn(), tmp_path / "out.geojson", "GeoJSON", **context(project))
    data = json.loads((tmp_path / "out_masks.geojson").read_text(encoding="utf-8"))
    assert len(paths) == 4
    assert data["type"] == "FeatureCollection"
    assert "crs" not in data, "RFC 7946 knows WGS 84 only"
    polygons = [f["geometry"]["coordinates"] for f in data["features"]]
    wgs84 = QgsCoordinateReferenceSystem("EPSG:4326")
    back = QgsCoordinateTransform(wgs84, QgsCoordinateReferenceSystem("EPSG:32633"), project)
    geometry = QgsVectorLayer(str(tmp_path / "out_masks.geojson"), "m", "ogr")
    first = next(geometry.getFeatures()).geometry()
    first.transform(back)
    assert first.area() == pytest.approx(84.0, rel=1e-3)
    assert first.boundingBox().xMinimum() == pytest.approx(500_000.0, abs=0.001)
    for coordinates in polygons:
        rings = coordinates if isinstance(coordinates[0][0][0], float) else coordinates[0]
        lon, lat = rings[0][0]
        assert lon == pytest.approx(15.0, abs=0.01), "longitude first"
        assert lat == pytest.approx(52.35, abs=0.01)
        area = sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in zip(rings[0], rings[0][1:]))
        assert area > 0, "outer rings turn to the left"


@pytest.mark.parametrize("name", list(FORMATS))
def test_the_score_filter_goes_into_the_file(tmp_path, project, drawn, name):
    paths = export(drawn(), tmp_path / "out", name, min_score=0.5, **context(project))
    source = f"{paths[0]}|layername=masks" if name == "GPKG" else str(next(p for p in paths if "masks" in p.name))
    assert QgsVectorLayer(source, "m", "ogr").featureCount() == 2
    source = f"{paths[0]}|layername=anchors" if name == "GPKG" else str(next(p for p in paths if "anchors" in p.name))
    assert QgsVectorLayer(source, "a", "ogr").featureCount() == 1


@pytest.mark.parametrize("name", list(FORMATS))
def test_a_single_layer_takes_the_very_name(tmp_path, project, drawn, name):
    layers = drawn(results.result(n_anchors=0), outputs=("hbb",))
    path = tmp_path / f"chosen.{FORMATS[name].suffix}"
    assert planned_paths(layers, path, name) == [path]
    assert export(layers, path, name, **context(project)) == [path]
    assert path.is_file()


@pytest.mark.parametrize("name", list(FORMATS))
def test_exporting_again_replaces(tmp_path, project, drawn, name):
    layers = drawn()
    first = export(layers, tmp_path / "out", name, **context(project))
    again = export(layers, tmp_path / "out", name, min_score=0.8, **context(project))
    assert first == again
    source = f"{again[0]}|layername=masks" if name == "GPKG" else str(again[1])
    assert QgsVectorLayer(source, "m", "ogr").featureCount() == 1


def test_writing_in_a_thread(tmp_path, project, drawn):
    prepared = prepare(drawn(), tmp_path / "out", "GPKG", **context(project))
    outcome = []
    thread = threading.Thread(target=lambda: outcome.append(prepared.write()))
    thread.start()
    thread.join(30)
    assert outcome == [[tmp_path / "out.gpkg"]]
    assert QgsVectorLayer(f"{outcome[0][0]}|layername=boxes", "b", "ogr").featureCount() == 3


def test_what_cannot_be_is_refused(tmp_path, project, drawn):
    layers = drawn()
    with pytest.raises(ResultsError, match="folder"):
        export(layers, tmp_path / "nowhere" / "out.gpkg", "GPKG", **context(project))
    with pytest.raises(ResultsError, match="nothing"):
        export([], tmp_path / "out.gpkg", "GPKG", **context(project))
    with pytest.raises(ResultsError, match="format"):
        export(layers, tmp_path / "out.kml", "KML", **context(project))
    with pytest.raises(ResultsError, match="lives in"):
        export(layers, tmp_path / "result.gpkg", "GPKG", **context(project))
    (tmp_path / "folder.gpkg").mkdir()
    with pytest.raises(ResultsError, match="replaced"):
        export(layers, tmp_path / "folder.gpkg", "GPKG", **context(project))


def test_without_crs_there_is_no_geojson(tmp_path, project, drawn):
    layers = drawn(results.result(crs=None))
    with pytest.raises(ResultsError, match="CRS"):
        export(layers, tmp_path / "out.geojson", "GeoJSON", **context(project))
    assert export(layers, tmp_path / "out.shp", "ESRI Shapefile", **context(project))
