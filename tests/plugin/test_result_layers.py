"""Results: whole in their file before they have a name, linked, styled, filtered while drawn, never overwritten."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
import results
from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsFeatureRequest,
    QgsGeometry,
    QgsMapRendererSequentialJob,
    QgsMapSettings,
    QgsRectangle,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QSize
from qgis.PyQt.QtGui import QColor

from rsground_plugin.core import result_file
from rsground_plugin.core.errors import ResultsError
from rsground_plugin.core.result_layers import (
    add_to_project,
    geopackage_name,
    group_title,
    results_folder,
    set_min_score,
    write_result,
)
from rsground_plugin.protocol import OUTPUT_KINDS

FIELDS = [
    "fid",
    *("id", "expression", "score", "label", "area_m2", "length_m", "width_m", "azimuth_deg"),
    *("engine", "revision", "gsd_m", "source", "extent", "time"),
]


def written(tmp_path, result=None, outputs=OUTPUT_KINDS, **more):
    result = results.result() if result is None else result
    return write_result(result, tmp_path / "result.gpkg", results.PROVENANCE, outputs=outputs, **more)


def test_three_linked_layers_and_the_anchors_in_one_group(tmp_path, project):
    group = add_to_project(written(tmp_path), project)
    node = project.layerTreeRoot().findGroup("the white tank left of the road")
    assert node is not None
    # From the top of the map: thin boxes above filled masks, references below everything.
    assert [child.layer().customProperty("rsground/kind") for child in node.children()] == [
        "hbb",
        "obb",
        "mask",
        "anchor",
    ]
    layers = {kind: group.layer(kind, project) for kind in ("mask", "obb", "hbb", "anchor")}
    for kind in OUTPUT_KINDS:
        assert [f["id"] for f in layers[kind].getFeatures()] == ["d0", "d1", "d2"]
    assert [f["id"] for f in layers["anchor"].getFeatures()] == ["d100"]
    assert all(layer.crs() == QgsCoordinateReferenceSystem("EPSG:32633") for layer in layers.values())


def test_geometries_are_exact_and_keep_their_holes(tmp_path, project):
    group = add_to_project(written(tmp_path), project)
    truth = results.result().detections[1]
    for kind in ("hbb", "obb"):
        geometry = next(
            group.layer(kind, project).getFeatures(QgsFeatureRequest().setFilterExpression("\"id\"='d1'"))
        ).geometry()
        ring = [(p.x(), p.y()) for p in geometry.asPolygon()[0]]
        assert ring == [tuple(p) for p in getattr(truth, kind)]
    mask = next(group.layer("mask", project).getFeatures()).geometry()
    assert mask.area() == pytest.approx(100 - 16)
    assert len(mask.asMultiPolygon()[0]) == 2


def test_each_feature_says_where_it_came_from(tmp_path, project):
    layer = add_to_project(written(tmp_path), project).layer("mask", project)
    assert [f.name() for f in layer.fields()] == FIELDS
    feature = next(layer.getFeatures())
    assert feature["expression"] == "the white tank left of the road"
    assert feature["score"] == pytest.approx(0.9)
    assert (feature["area_m2"], feature["length_m"], feature["width_m"], feature["azimuth_deg"]) == (
        84.0,
        10.0,
        9.0,
        45.0,
    )
    assert (feature["engine"], feature["revision"], feature["gsd_m"]) == ("geobia", "7", 0.5)
    assert feature["source"] == "ortho (ortho.tif)"
    assert QgsGeometry.fromWkt(feature["extent"]).area() == 1.0
    assert feature["time"].toUTC().toSecsSinceEpoch() == int(results.PROVENANCE.asked_at)


def test_only_what_was_asked_for_is_written(tmp_path, project):
    group = add_to_project(written(tmp_path, results.result(n_anchors=0), outputs=("obb",)), project)
    assert [kind for kind, _ in group.layer_ids] == ["obb"]
    assert group.layer("obb", project).labelsEnabled(), "somebody must carry the score"


def test_one_layer_carries_the_labels(tmp_path, project):
    group = add_to_project(written(tmp_path), project)
    assert [group.layer(kind, project).labelsEnabled() for kind in ("mask", "obb", "hbb")] == [True, False, False]


def test_a_raster_without_crs_gives_layers_without_one(tmp_path, project):
    group = add_to_project(written(tmp_path, results.result(crs=None, origin=(10.0, 20.0))), project)
    for layer in group.layers(project):
        assert not layer.crs().isValid()
    box = group.layer("hbb", project).extent()
    assert (box.xMinimum(), box.yMinimum()) == (10.0, 20.0)


@pytest.mark.parametrize("origin", [(13.0, 52.0), (179.0, -17.0)])
def test_longitudes_stay_longitudes(tmp_path, project, origin):
    group = add_to_project(written(tmp_path, results.result(crs="EPSG:4326", origin=origin)), project)
    box = group.layer("hbb", project).extent()
    assert (box.xMinimum(), box.yMinimum()) == origin


def test_a_crs_spelled_out_survives(tmp_path, project):
    proj = "+proj=tmerc +lat_0=1 +lon_0=14.3 +k=1 +x_0=1000 +y_0=0 +datum=WGS84 +units=m +no_defs +type=crs"
    crs = QgsCoordinateReferenceSystem.fromProj(proj)
    wkt = crs.toWkt(QgsCoordinateReferenceSystem.WktVariant.WKT_PREFERRED)
    result = written(tmp_path, results.result(crs=wkt))
    group = add_to_project(result, project)
    assert group.layer("mask", project).crs().toProj() == proj
    reopened = QgsVectorLayer(f"{result.path}|layername=masks", "again", "ogr")
    assert reopened.crs().toProj() == proj


def shown_pixels(layers, *, extent=None) -> int:
    """How many pixels of a picture the layers cover."""
    settings = QgsMapSettings()
    settings.setLayers(layers)
    settings.setDestinationCrs(QgsCoordinateReferenceSystem("EPSG:32633"))
    settings.setBackgroundColor(QColor("black"))
    settings.setOutputSize(QSize(300, 100))
    settings.setExtent(QgsRectangle(499_990, 5_799_980, 500_080, 5_800_010) if extent is None else extent)
    job = QgsMapRendererSequentialJob(settings)
    job.start()
    job.waitForFinished()
    image = job.renderedImage()
    black = QColor("black").rgb()
    return sum(image.pixel(x, y) != black for x in range(image.width()) for y in range(image.height()))


def test_the_slider_filters_what_is_drawn_and_loses_nothing(tmp_path, project):
    group = add_to_project(written(tmp_path), project)
    layers = [group.layer(kind, project) for kind in OUTPUT_KINDS]
    covered = {}
    for value in (0.0, 0.3, 0.5, 0.6, 0.95, 0.0):
        set_min_score(layers, value)
        covered[value] = shown_pixels(layers)
        assert all(layer.featureCount() == 3 for layer in layers)
    assert covered[0.0] > covered[0.3] > covered[0.6] > covered[0.95] == 0
    assert covered[0.5] == covered[0.3], "0.5 passes a slider at 0.5"


def test_the_filter_works_while_a_layer_is_edited(tmp_path, project):
    layer = add_to_project(written(tmp_path), project).layer("mask", project)
    assert layer.startEditing()
    before = shown_pixels([layer])
    set_min_score([layer], 0.6)
    assert 0 < shown_pixels([layer]) < before
    layer.rollBack()


def test_anchors_are_not_filtered(tmp_path, project):
    group = add_to_project(written(tmp_path, results.result(n_anchors=1)), project, min_score=1.0)
    anchor = group.layer("anchor", project)
    assert shown_pixels([group.layer("mask", project)]) == 0
    around = anchor.extent()
    around.grow(5)
    assert shown_pixels([anchor], extent=around) > 0


def test_the_file_keeps_its_style(tmp_path):
    result = written(tmp_path)
    for layer in result.layers:
        reopened = QgsVectorLayer(f"{result.path}|layername={layer.table}", "again", "ogr")
        symbol = reopened.renderer().rootRule().children()[0].symbol()
        assert symbol.symbolLayerCount() == 3, "fill, casing, bright line"
        assert reopened.labelsEnabled() == layer.is_labelled
        assert reopened.featureCount() == layer.count
    masks = QgsVectorLayer(f"{result.path}|layername=masks", "again", "ogr")
    assert shown_pixels([masks]) > 0, "without the slider's variable everything is drawn"


def test_a_result_never_overwrites_another(tmp_path):
    paths = [written(tmp_path).path for _ in range(3)]
    assert [p.name for p in paths] == ["result.gpkg", "result_2.gpkg", "result_3.gpkg"]
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(p.name for p in paths), "no scratch is left"


def test_results_written_at_the_same_moment_are_all_kept(tmp_path):
    paths = []
    threads = [threading.Thread(target=lambda: paths.append(written(tmp_path).path)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(paths)) == 6
    assert all(QgsVectorLayer(f"{p}|layername=masks", "m", "ogr").featureCount() == 3 for p in paths)


def test_a_folder_that_cannot_be_written_is_replaced_and_it_is_said(tmp_path):
    in_the_way = tmp_path / "file"
    in_the_way.write_text("not a folder")
    result = write_result(results.result(), in_the_way / "r.gpkg", results.PROVENANCE, outputs=OUTPUT_KINDS)
    assert result.path.is_file()
    assert results_folder() in result.path.parents
    assert any(str(in_the_way) in note for note in result.notes)


def test_no_folder_at_all_is_an_error_with_every_reason(tmp_path, monkeypatch):
    in_the_way = tmp_path / "file"
    in_the_way.write_text("not a folder")
    monkeypatch.setattr(result_file, "_folders", lambda wanted: [wanted, in_the_way])
    with pytest.raises(ResultsError, match="options") as caught:
        write_result(results.result(), in_the_way / "x" / "r.gpkg", results.PROVENANCE, outputs=OUTPUT_KINDS)
    assert str(in_the_way) in caught.value.details


def test_a_failure_while_writing_leaves_nothing_behind(tmp_path, monkeypatch):
    def fail(*_args, **_kwargs):
        raise OSError("disk full")

    monkeypatch.setattr(result_file, "_write_styles", fail)
    monkeypatch.setattr(result_file, "_folders", lambda wanted: [wanted])
    with pytest.raises(ResultsError) as caught:
        written(tmp_path)
    assert "disk full" in caught.value.details
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_vanished_adds_nothing_to_the_project(tmp_path, project):
    result = written(tmp_path)
    os.remove(result.path)
    with pytest.raises(ResultsError, match="open"):
        add_to_project(result, project)
    assert project.mapLayers() == {}
    assert project.layerTreeRoot().children() == []


def test_layers_the_user_removed_are_no_longer_ours(tmp_path, project):
    group = add_to_project(written(tmp_path), project)
    project.removeMapLayer(group.layer("obb", project).id())
    assert group.layer("obb", project) is None
    set_min_score(group.layers(project), 0.5)
    assert len(group.layers(project)) == 3


def test_where_results_go(tmp_path):
    assert results_folder("/data/harbour.qgz") == Path("/data/harbour_rsground")
    assert results_folder("/data/harbour.qgz", str(tmp_path)) == tmp_path
    assert results_folder().parts[-2:] == ("rsground", "results")
    assert geopackage_name("the white tank", 0.0) == "19700101_000000_the_white_tank.gpkg"
    assert geopackage_name("../../etc/passwd; “日本” " + "x" * 90, 0.0).startswith(
        "19700101_000000_etc_passwd_日本_xxx"
    )
    assert geopackage_name("?!…", 0.0) == "19700101_000000_result.gpkg"
    assert len(geopackage_name("y" * 10_000, 0.0)) < 80
    assert group_title("a\n b  c") == "a b c"
    assert len(group_title("z" * 500)) == 60


def test_quotes_and_scripts_survive(tmp_path, project):
    from dataclasses import replace

    expression = "l'entrepôt “blanc”; DROP TABLE masks; -- 左の白いタンク"
    group = add_to_project(written(tmp_path, replace(results.result(), expression=expression)), project)
    assert next(group.layer("mask", project).getFeatures())["expression"] == expression
