"""The search of a whole layer in the panel: estimate, tiles on the map, pause, resume, cancel, result."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import web_imagery
from osgeo import gdal
from panel_window import ORIGIN, PanelWindow, application, spin_until, use_settings_in, write_raster
from qgis.core import QgsFeature, QgsGeometry, QgsProject, QgsRectangle, QgsVectorLayer
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtTest import QTest
from scripted_batch import ScriptedBatch
from scripted_server import ScriptedServer, ScriptedSource, detection, found

from rsground_plugin.core.errors import ServerRefused
from rsground_plugin.core.settings import Settings
from rsground_plugin.gui.area_tools import VISIBLE, WHOLE
from rsground_plugin.gui.batch_row import BatchRow, duration
from rsground_plugin.protocol import BatchResult


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    server = ScriptedServer(found(detection("a", ORIGIN[0] + 50, ORIGIN[1] - 50)))
    server.batch_script = ScriptedBatch(side=4, tile_s=0.02)
    yield server
    server.close()


@pytest.fixture
def window(server: ScriptedServer, tmp_path: Path) -> Iterator[PanelWindow]:
    application()
    use_settings_in(tmp_path)
    Settings.load().save(results_folder=str(tmp_path / "results"))
    window = PanelWindow(ScriptedSource(server), write_raster(tmp_path / "ortho.tif"))
    window.dock.form.area.choose(WHOLE)
    yield window
    window.close()


def layers() -> dict[str, QgsVectorLayer]:
    return {
        layer.name(): layer for layer in QgsProject.instance().mapLayers().values() if isinstance(layer, QgsVectorLayer)
    }


def found_so_far() -> QgsVectorLayer:
    (layer,) = (layer for name, layer in layers().items() if name.startswith("Found so far"))
    return layer


def test_the_estimate_tells_tiles_and_time(window: PanelWindow, server: ScriptedServer) -> None:
    server.batch_script = ScriptedBatch(side=20, tile_s=1.5)
    window.dock.form.expression.setText("tanks")
    area = window.dock.form.area
    assert spin_until(lambda: area.estimate.text(), 5)
    assert area.estimate.text() == "400 tiles, about 10 min"
    assert all(request.plan_only for request in server.batch_requests)
    assert area.within.isVisible()
    area.choose(VISIBLE)
    assert not area.within.isVisible()


def test_tiles_fill_and_the_result_comes_into_list_and_map(window: PanelWindow, server: ScriptedServer) -> None:
    window.ask("white tanks")
    assert spin_until(lambda: window.dock.whole.search.map.n_done >= 3, 10)
    assert window.dock.whole.search.map.n_waiting == 16
    assert 0 < found_so_far().featureCount() <= 16
    assert window.dock.is_running
    assert not window.dock.form.run_button.isEnabled()
    assert "of 16 tiles" in window.dock.whole.row.text()
    end = window.answer()
    assert isinstance(end, BatchResult), end
    assert not window.dock.whole.row.isVisible()
    assert window.dock.form.run_button.isEnabled()
    assert (window.dock.whole.search.map.n_done, window.dock.whole.search.map.n_waiting) == (0, 0)
    assert set(layers()) == {"Boxes", "Oriented boxes", "Masks"}
    assert {layer.featureCount() for layer in layers().values()} == {16}
    assert {layer.source().split("|")[0] for layer in layers().values()} == {end.output}
    assert window.dock.results.list.n_shown() == 16
    assert window.dock.results.understood() == "Understood as: every white tanks"
    assert end.output in window.dock.message.text()
    (request,) = (r for r in server.batch_requests if not r.plan_only)
    assert request.rasters == (window.layer.source(),)
    assert Path(request.output).name.startswith("ortho_white_tanks_")


def test_paused_it_rests_and_resumed_it_goes_on(window: PanelWindow, server: ScriptedServer) -> None:
    batch = server.batch_script = ScriptedBatch(side=4, tile_s=0.08)
    row = window.dock.whole.row
    window.ask("tanks")
    assert spin_until(lambda: window.dock.whole.search.map.n_done >= 2, 10)
    QTest.mouseClick(row.pause_button, Qt.MouseButton.LeftButton)
    assert spin_until(lambda: window.dock.whole.search.is_paused, 5)
    assert spin_until(lambda: server.broken_off_at, 2), "the server was not told"
    assert not window.dock.is_running
    assert row.isVisible()
    assert row.pause_button.text() == "Resume"
    assert row.text().startswith("Paused after")
    rested, so_far = len(batch.done), found_so_far().featureCount()
    assert rested < 16
    QTest.mouseClick(row.pause_button, Qt.MouseButton.LeftButton)
    assert row.pause_button.text() == "Pause"
    assert isinstance(window.answer(), BatchResult)
    assert batch.runs == [rested, 16 - rested]
    assert so_far >= 2


def test_a_query_of_the_visible_runs_while_a_search_is_paused(window: PanelWindow, server: ScriptedServer) -> None:
    server.batch_script = ScriptedBatch(side=4, tile_s=0.08)
    window.ask("tanks")
    assert spin_until(lambda: window.dock.whole.search.map.n_done >= 1, 10)
    QTest.keyClick(window.dock, Qt.Key.Key_Escape)
    assert spin_until(lambda: window.dock.whole.search.is_paused, 5)
    window.dock.form.area.choose(VISIBLE)
    window.ask("one thing")
    assert len(window.answer().result.detections) == 1
    assert window.dock.whole.search.is_paused
    window.dock.whole.search.resume()
    assert isinstance(window.answer(), BatchResult)


def test_cancelled_its_traces_go_and_the_same_question_continues(window: PanelWindow, server: ScriptedServer) -> None:
    batch = server.batch_script = ScriptedBatch(side=4, tile_s=0.08)
    window.ask("tanks")
    assert spin_until(lambda: window.dock.whole.search.map.n_done >= 2, 10)
    QTest.mouseClick(window.dock.whole.row.cancel_button, Qt.MouseButton.LeftButton)
    assert window.answer(5) is None
    assert not layers()
    assert window.dock.whole.search.map.n_waiting == 0
    assert not window.dock.whole.row.isVisible()
    assert "continue" in window.dock.message.text()
    assert spin_until(lambda: server.broken_off_at, 2), "the server was not told"
    rested = len(batch.done)
    window.ask("tanks")
    assert isinstance(window.answer(), BatchResult)
    assert batch.runs == [rested, 16 - rested]


@pytest.mark.parametrize("is_yes", [True, False])
def test_the_journal_of_another_raster_is_replaced_only_when_asked(
    window: PanelWindow, server: ScriptedServer, is_yes: bool
) -> None:
    server.batch_script.expressions = ("something else",)
    questions: list[str] = []
    window.dock.whole.ask_yes = lambda question: questions.append(question) or is_yes
    window.ask("tanks")
    end = window.answer()
    assert len(questions) == 1
    assert "holds another search" in questions[0]
    assert isinstance(end, BatchResult if is_yes else ServerRefused)
    assert server.batch_requests[-1].restart == is_yes


def test_polygons_limit_the_search(window: PanelWindow, server: ScriptedServer) -> None:
    areas = QgsVectorLayer("Polygon?crs=EPSG:32633", "areas", "memory")
    for i in range(2):
        feature = QgsFeature()
        x = ORIGIN[0] + 100 * i
        feature.setGeometry(QgsGeometry.fromWkt(f"POLYGON(({x} 4999900, {x + 20} 4999900, {x} 4999950, {x} 4999900))"))
        areas.dataProvider().addFeatures([feature])
    QgsProject.instance().addMapLayer(areas)
    window.dock.form.area.within.setLayer(areas)
    window.ask("tanks")
    assert isinstance(window.answer(), BatchResult)
    request = server.batch_requests[-1]
    assert len(request.area) == 2
    assert request.area_crs == "EPSG:32633"


def test_a_project_closed_in_mid_search_ends_in_a_message(window: PanelWindow, server: ScriptedServer) -> None:
    server.batch_script = ScriptedBatch(side=3, tile_s=0.08)
    window.ask("tanks")
    assert spin_until(lambda: window.dock.whole.search.map.n_done >= 1, 10)
    QgsProject.instance().clear()
    end = window.answer()
    assert isinstance(end, BatchResult)
    assert not layers()
    assert end.output in window.dock.message.text()


def test_the_time_left_follows_the_pace() -> None:
    application()
    row = BatchRow()
    row.start()
    assert row.seconds_left(now=0.0) is None
    row.show_tiles(0, 100, 0, now=0.0)
    row.show_tiles(10, 100, 3, now=20.0)
    assert row.seconds_left(now=20.0) == pytest.approx(180.0)
    assert row.seconds_left(now=30.0) == pytest.approx(170.0)
    assert row.left_text() == "3 min left"
    row.stop()


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "1 s"), (45, "45 s"), (200, "3 min"), (5400, "1 h 30 min"), (36300, "10 h 05 min")]
)
def test_durations_are_as_exact_as_estimates(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_web_map_is_searched_within_polygons_at_the_screens_resolution(
    window: PanelWindow, server: ScriptedServer
) -> None:
    web_map = web_imagery.WebMap()
    try:
        layer = web_map.xyz_layer()
        QgsProject.instance().addMapLayer(layer)
        areas = QgsVectorLayer("Polygon?crs=EPSG:3857", "areas", "memory")
        x, y = web_imagery.MARKER
        feature = QgsFeature()
        feature.setGeometry(QgsGeometry.fromRect(QgsRectangle(x - 100, y - 60, x + 100, y + 60)))
        areas.dataProvider().addFeatures([feature])
        QgsProject.instance().addMapLayer(areas)
        window.canvas.setDestinationCrs(layer.crs())
        window.canvas.setExtent(QgsRectangle(x - 300, y - 300, x + 300, y + 300))
        per_pixel = window.canvas.mapSettings().mapUnitsPerPixel()
        window.dock.form.layers.setLayer(layer)
        window.dock.form.area.within.setLayer(areas)
        assert spin_until(lambda: "tiles of the web service" in window.dock.form.area.estimate.text(), 5)
        assert not web_map.paths
        window.ask("tanks")
        assert isinstance(window.answer(), BatchResult), window.dock.message.text()
    finally:
        web_map.close()
    copy = gdal.Open(server.batch_requests[-1].rasters[0])
    assert 0.5 < copy.GetGeoTransform()[1] / per_pixel < 2
    assert copy.RasterXSize * copy.GetGeoTransform()[1] == pytest.approx(200, rel=0.05)
