"""The panel in a real QGIS application, driven through its widgets, against a scripted server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from panel_window import ORIGIN, PanelWindow, application, spin_until, use_settings_in, write_raster
from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsExpressionContextUtils,
    QgsFeature,
    QgsGeometry,
    QgsProject,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QPoint, Qt
from qgis.PyQt.QtTest import QTest
from qgis.PyQt.QtWidgets import QLabel
from scripted_server import ENGINE, ScriptedServer, ScriptedSource, detection, found, refused, slow

from rsground_plugin.core.errors import RSGroundError, ServerGone, ServerRefused
from rsground_plugin.core.result_style import MIN_SCORE_VARIABLE
from rsground_plugin.core.settings import Settings
from rsground_plugin.gui.area_tools import RECTANGLE, SELECTION
from rsground_plugin.gui.history import History
from rsground_plugin.gui.map_view import detection_geometry
from rsground_plugin.protocol import EmptyReason, ProgressEvent

X, Y = ORIGIN
DETECTIONS = (
    detection("a", X + 50, Y - 50, score=0.9),
    detection("b", X + 100, Y - 100, score=0.6),
    detection("c", X + 150, Y - 150, score=0.3, size=20),
)
ANCHOR = replace(detection("road", X + 100, Y - 20, score=0.8), label="road")


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    server = ScriptedServer(found(*DETECTIONS, anchors=(ANCHOR,), understood="thing (white)"))
    yield server
    server.close()


@pytest.fixture
def window(server: ScriptedServer, tmp_path: Path) -> Iterator[PanelWindow]:
    application()
    use_settings_in(tmp_path)
    Settings.load().save(results_folder=str(tmp_path / "results"))
    window = PanelWindow(ScriptedSource(server), write_raster(tmp_path / "ortho.tif"))
    yield window
    window.close()


def result_layers() -> dict[str, QgsVectorLayer]:
    layers = [la for la in QgsProject.instance().mapLayers().values() if isinstance(la, QgsVectorLayer)]
    return {layer.customProperty("rsground/kind"): layer for layer in layers}


def drawn_from_score(layer: QgsVectorLayer) -> float:
    """The least score that a layer draws."""
    return float(QgsExpressionContextUtils.layerScope(layer).variable(MIN_SCORE_VARIABLE))


def ask_and_get(window: PanelWindow, expression: str = "the white thing") -> Any:
    window.ask(expression)
    return window.answer()


def test_enter_draws_three_linked_layers_and_the_anchors(window: PanelWindow, server: ScriptedServer) -> None:
    outcome = ask_and_get(window)
    layers = result_layers()
    assert set(layers) == {"hbb", "obb", "mask", "anchor"}
    ids = {kind: sorted(f["id"] for f in layer.getFeatures()) for kind, layer in layers.items()}
    assert ids["hbb"] == ids["obb"] == ids["mask"] == ["a", "b", "c"]
    assert outcome.written.path.is_file()
    assert server.requests[0].expression == "the white thing"
    assert window.dock.results.list.n_shown() == 3
    assert window.dock.results.list.model().rowCount() == 4  # the anchor, last
    assert "thing (white)" in window.dock.results.understood()
    assert not window.dock.is_running
    assert window.dock.message.text() == ""


def test_the_engine_line_tells_what_the_engine_cannot(window: PanelWindow) -> None:
    assert spin_until(lambda: window.dock.form.engine.is_known)
    assert "Finds what its script says." in window.dock.form.engine.about()


def test_all_lines_about_an_engine_are_seen(window: PanelWindow) -> None:
    assert spin_until(lambda: window.dock.form.engine.is_known)
    window.window.resizeDocks([window.dock], [400], Qt.Orientation.Horizontal)
    engine = window.dock.form.engine
    engines = [replace(ENGINE, name=str(n), limits="It sees few things. " * n) for n in range(1, 20)]
    engine.set_engines(engines)
    label = engine.findChild(QLabel)
    for each in engines:
        engine.choose(each.name)
        spin_until(lambda: False, 0.05)
        assert label.height() >= label.heightForWidth(label.width()), label.text()


def test_escape_cancels_and_leaves_nothing(window: PanelWindow, server: ScriptedServer) -> None:
    server.script = slow(10, found(*DETECTIONS))
    window.ask("anything")
    assert spin_until(lambda: "Looking at the image" in window.dock.progress.text())
    QTest.keyClick(window.dock.form.expression, Qt.Key.Key_Escape)
    assert window.answer(2.0) is None
    assert result_layers() == {}
    assert "Stopped" in window.dock.message.text()
    server.script = found(*DETECTIONS)
    assert len(ask_and_get(window).result.detections) == 3


def test_the_button_runs_and_cancels(window: PanelWindow, server: ScriptedServer) -> None:
    server.script = slow(10, found())
    window.dock.form.expression.setText("anything")
    button = window.dock.form.run_button
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    assert window.dock.is_running
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    assert window.answer(2.0) is None


def test_the_slider_filters_the_list_and_the_map_live(window: PanelWindow) -> None:
    ask_and_get(window)
    window.dock.results.slider.setValue(50)
    assert window.dock.results.list.n_shown() == 2
    assert spin_until(lambda: drawn_from_score(result_layers()["mask"]) == pytest.approx(0.5))
    assert drawn_from_score(result_layers()["hbb"]) == pytest.approx(0.5)
    window.dock.results.slider.setValue(0)
    assert spin_until(lambda: drawn_from_score(result_layers()["mask"]) == 0.0)
    assert Settings.load().min_score == 0.0
    window.dock.results.slider.setValue(95)
    assert "0 of 3" in window.dock.results.count_text()


@pytest.mark.parametrize(("name", "suffix"), [("GPKG", "gpkg"), ("GeoJSON", "geojson"), ("ESRI Shapefile", "shp")])
def test_export_writes_what_the_list_shows(window: PanelWindow, tmp_path: Path, name: str, suffix: str) -> None:
    ask_and_get(window)
    window.dock.drawn.export_to(tmp_path / f"out.{suffix}", name, 0.5)
    assert spin_until(lambda: "Saved to" in window.dock.message.text()), window.dock.message.text()
    written = sorted(tmp_path.glob(f"out*.{suffix}"))
    assert written
    first = next(p for p in written if "anchor" not in p.name and "reference" not in p.name)
    layer = QgsVectorLayer(str(first) + ("|layername=masks" if name == "GPKG" else ""), "exported", "ogr")
    assert layer.featureCount() == 2


def test_a_click_in_the_list_zooms_to_the_object(window: PanelWindow) -> None:
    ask_and_get(window)
    results = window.dock.results.list
    index = results.model().index(2, 1)
    QTest.mouseClick(results.viewport(), Qt.MouseButton.LeftButton, pos=results.visualRect(index).center())
    wanted = detection_geometry(results.detection_at(2)).boundingBox()
    extent = window.canvas.extent()
    assert extent.contains(wanted)
    assert 0.02 < wanted.width() / extent.width() < 0.6


def test_a_double_click_opens_the_attributes(window: PanelWindow) -> None:
    ask_and_get(window)
    results = window.dock.results.list
    QTest.mouseDClick(
        results.viewport(), Qt.MouseButton.LeftButton, pos=results.visualRect(results.model().index(0, 1)).center()
    )
    QTest.keyClick(results, Qt.Key.Key_Return)
    assert [name for _, name in window.attributes_opened][-1] == "a"


def test_sorting_keeps_the_anchors_last(window: PanelWindow) -> None:
    ask_and_get(window)
    results = window.dock.results.list
    for order in (Qt.SortOrder.AscendingOrder, Qt.SortOrder.DescendingOrder):
        for column in range(5):
            results.sortByColumn(column, order)
            assert results.detection_at(3).id == "road", (column, order)
    results.sortByColumn(2, Qt.SortOrder.DescendingOrder)
    assert results.detection_at(0).id == "c"


def test_an_empty_result_says_why(window: PanelWindow, server: ScriptedServer) -> None:
    reason = EmptyReason("relation", "left of the road", "No tank lies left of a road here.")
    server.script = found(empty_reason=reason)
    ask_and_get(window)
    assert "No tank lies left of a road here." in window.dock.message.text()
    assert result_layers() == {}


def test_an_error_of_the_server_reaches_the_message(window: PanelWindow, server: ScriptedServer) -> None:
    server.script = refused("invalid_expression", "There is nothing to look for in “!!!”.")
    assert isinstance(ask_and_get(window, "!!!"), ServerRefused)
    assert "nothing to look for" in window.dock.message.text()
    assert "invalid_expression" in window.dock.message.details()


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("engine_unavailable", 'It needs torch. Install it: "/opt/a b/python" -m pip install "torch>=2.5"'),
        ("engine_unavailable", "The weights of a/b are not on this machine. Get them with `rsground models pull a/b`."),
        ("engine_unavailable", "The weights in /a/b cannot be loaded: bad header <tag> & more. Pull them again."),
        ("out_of_memory", "There is too little memory for this even on the CPU. Choose a smaller area."),
        ("disk_full", "There is no room for it in /a: 3 MB are free. Make room."),
    ],
)
def test_what_an_engine_lacks_is_told_in_the_servers_words(
    window: PanelWindow, server: ScriptedServer, code: str, sentence: str
) -> None:
    server.script = refused(code, sentence)
    assert isinstance(ask_and_get(window), ServerRefused)
    assert sentence in window.dock.message.text()


def test_a_server_that_dies_in_mid_query_is_told_and_the_next_query_works(
    window: PanelWindow, server: ScriptedServer
) -> None:
    good = server.script
    server.script = lambda request, tile: iter([ProgressEvent("encode", 0, 0), None])
    assert isinstance(ask_and_get(window), ServerGone)
    assert "Run the query again" in window.dock.message.text()
    server.script = good
    assert len(ask_and_get(window).result.detections) == 3
    assert window.dock.message.text() == ""


@pytest.mark.parametrize(
    ("expression", "words"),
    [("   ", "Type what to find"), ("x" * 10_000, "10000 characters"), ("", "Type what to find")],
)
def test_an_impossible_expression_is_explained(window: PanelWindow, expression: str, words: str) -> None:
    window.dock.form.expression.setText(expression)
    QTest.keyClick(window.dock.form.expression, Qt.Key.Key_Return)
    assert words in window.dock.message.text()
    assert not window.dock.is_running


def test_an_extent_beside_the_raster_is_explained(window: PanelWindow) -> None:
    extent = window.canvas.extent()
    extent.setXMinimum(extent.xMinimum() + 5000)
    extent.setXMaximum(extent.xMaximum() + 5000)
    window.canvas.setExtent(extent)
    assert isinstance(ask_and_get(window), RSGroundError)
    assert window.dock.message.text()


def test_no_output_ticked_is_explained(window: PanelWindow) -> None:
    for box in window.dock.form.outputs.values():
        box.setChecked(False)
    window.ask("anything")
    assert "Tick at least one" in window.dock.message.text()


def test_outputs_ticked_are_asked_for_and_drawn(window: PanelWindow, server: ScriptedServer) -> None:
    window.dock.form.outputs["hbb"].setChecked(False)
    ask_and_get(window)
    assert server.requests[0].outputs == ("obb", "mask")
    assert "hbb" not in result_layers()


def test_history_is_kept_walked_and_run_again(window: PanelWindow, server: ScriptedServer) -> None:
    for expression in ("first thing", "second thing"):
        ask_and_get(window, expression)
    assert History().expressions() == ["second thing", "first thing"]  # from the profile
    line = window.dock.form.expression
    line.setText("being typed")
    shown = []
    for key in (Qt.Key.Key_Up, Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Down):
        QTest.keyClick(line, key)
        shown.append(line.text())
    assert shown == ["second thing", "first thing", "second thing", "being typed"]
    action = line.history_menu().actions()[1]
    assert action.text().startswith("first thing")
    action.trigger()  # one click
    window.answer()
    assert server.requests[-1].expression == "first thing"


def test_the_layer_removed_during_a_query_loses_nothing(window: PanelWindow, server: ScriptedServer) -> None:
    server.script = slow(0.4, found(*DETECTIONS))
    window.ask("the white thing")
    assert spin_until(lambda: "Looking at the image" in window.dock.progress.text())
    window.project.removeMapLayer(window.layer.id())
    window.answer()
    assert "“ortho” was removed" in window.dock.message.text()
    assert set(result_layers()) == {"hbb", "obb", "mask"}


def test_the_project_closed_during_a_query_loses_nothing(window: PanelWindow, server: ScriptedServer) -> None:
    server.script = slow(0.4, found(*DETECTIONS))
    window.ask("the white thing")
    assert spin_until(lambda: "Looking at the image" in window.dock.progress.text())
    window.project.clear()
    outcome = window.answer()
    assert result_layers() == {}
    assert "project was closed" in window.dock.message.text()
    assert str(outcome.written.path) in window.dock.message.text()
    assert QgsVectorLayer(str(outcome.written.path), "kept", "ogr").isValid()


def test_results_removed_by_the_user_are_left_alone(window: PanelWindow) -> None:
    ask_and_get(window)
    for layer in result_layers().values():
        window.project.removeMapLayer(layer.id())
    window.dock.results.slider.setValue(70)
    window.dock.results.list.choose_row(0)
    assert spin_until(lambda: False, 0.2) is False
    assert window.dock.message.text() == ""


def test_a_rectangle_is_drawn_and_searched(window: PanelWindow, server: ScriptedServer) -> None:
    window.dock.form.area.choose(RECTANGLE)
    window.ask("anything")
    assert "Draw a rectangle" in window.dock.message.text()
    viewport = window.canvas.viewport()
    centre = QPoint(window.canvas.width() // 2, window.canvas.height() // 2)
    QTest.mousePress(viewport, Qt.MouseButton.LeftButton, pos=centre - QPoint(60, 40))
    QTest.mouseMove(viewport, centre)
    QTest.mouseRelease(viewport, Qt.MouseButton.LeftButton, pos=centre + QPoint(60, 40))
    area = window.dock.form.area.area()
    scale = window.canvas.mapUnitsPerPixel()
    box = area.geometry.boundingBox()
    assert box.width() == pytest.approx(120 * scale, rel=1e-6)
    assert box.height() == pytest.approx(80 * scale, rel=1e-6)
    outcome = ask_and_get(window)
    assert outcome.tile.extent.boundingBox().width() < box.width() * 1.1


def test_selected_polygons_are_searched(window: PanelWindow) -> None:
    window.dock.form.area.choose(SELECTION)
    window.ask("anything")
    assert "Select one or more polygons" in window.dock.message.text()
    polygons = QgsVectorLayer("Polygon?crs=EPSG:32633", "parcels", "memory")
    feature = QgsFeature()
    feature.setGeometry(
        QgsGeometry.fromWkt(f"POLYGON(({X + 20} {Y - 20},{X + 80} {Y - 20},{X + 50} {Y - 80},{X + 20} {Y - 20}))")
    )
    polygons.dataProvider().addFeature(feature)
    window.project.addMapLayer(polygons)
    polygons.selectAll()
    outcome = ask_and_get(window)
    assert outcome.tile.extent.boundingBox().width() == pytest.approx(60, abs=3)
    assert outcome.tile.crs == QgsCoordinateReferenceSystem("EPSG:32633")
