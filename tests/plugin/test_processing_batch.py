"""*Ground expressions in batch* against a scripted server: requests, resuming, refusals, copies of web maps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import rasters
import web_imagery
from panel_window import application, spin_until, use_settings_in
from processing_town import EPSG, QGIS_PROCESS, Log, QgisProcess, write_town
from qgis.core import (
    QgsApplication,
    QgsFeature,
    QgsGeometry,
    QgsProcessingAlgRunnerTask,
    QgsProcessingContext,
    QgsProject,
    QgsVectorLayer,
)
from scripted_batch import ScriptedBatch
from scripted_server import ScriptedServer, ScriptedSource

from rsground_plugin.core.settings import Settings
from rsground_plugin.core.shared_server import SharedServer
from rsground_plugin.processing.provider import RSGroundProvider


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ScriptedServer]:
    application()
    use_settings_in(tmp_path)
    server = ScriptedServer(lambda request, tile: iter(()))
    server.batch_script = ScriptedBatch()
    provider = RSGroundProvider(SharedServer(ScriptedSource(server)))
    QgsApplication.processingRegistry().addProvider(provider)
    yield server
    QgsApplication.processingRegistry().removeProvider(provider)
    QgsProject.instance().clear()
    server.close()


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_town(tmp_path_factory.mktemp("town") / "town.tif")


def run(log: Log, **inputs: Any) -> tuple[dict[str, Any], bool]:
    algorithm = QgsApplication.processingRegistry().createAlgorithmById("rsground:batch")
    context = QgsProcessingContext()
    context.setProject(QgsProject.instance())
    is_ok, why = algorithm.checkParameterValues(inputs, context)
    assert is_ok, why
    done = algorithm.run(inputs, context, log)
    log.loaded = set(context.layersToLoadOnCompletion())
    return done


def test_layers_and_expressions_go_out_and_progress_comes_back(
    server: ScriptedServer, town: Path, tmp_path: Path
) -> None:
    other = rasters.make("utm", tmp_path / "other.tif")
    log, output = Log(), tmp_path / "found"
    outputs, is_ok = run(
        log, INPUT=[str(town), str(other)], EXPRESSIONS="red roofs; tanks\nred roofs", OUTPUT=str(output)
    )
    assert is_ok, log.errors
    (request,) = server.batch_requests
    assert request.rasters == (str(town), str(other))
    assert request.expressions == ("red roofs", "tanks")
    assert request.output == outputs["OUTPUT"] == f"{output}.gpkg"
    assert (request.area, request.gsd_m, request.restart) == (None, None, False)
    assert outputs["COUNT"] == 36
    assert log.progresses == sorted(log.progresses)
    assert log.progresses[-1] == 100
    assert len(set(log.progresses)) > 10
    assert "18 tiles, 0 of them done already" in log.infos
    assert log.loaded == {f"{output}.gpkg|layername={table}" for table in ("boxes", "oriented_boxes", "masks")}
    assert QgsVectorLayer(f"{output}.gpkg|layername=masks", "masks", "ogr").featureCount() == 18


def test_cancelled_it_goes_on_where_it_stopped(server: ScriptedServer, town: Path, tmp_path: Path) -> None:
    batch = server.batch_script = ScriptedBatch(side=4, tile_s=0.1)
    inputs = {"INPUT": [str(town)], "EXPRESSIONS": "roofs", "OUTPUT": str(tmp_path / "found.gpkg")}
    algorithm = QgsApplication.processingRegistry().createAlgorithmById("rsground:batch")
    context, log = QgsProcessingContext(), Log()
    task = QgsProcessingAlgRunnerTask(algorithm, inputs, context, log)
    ends: list[bool] = []
    task.executed.connect(lambda is_ok, _: ends.append(is_ok))
    QgsApplication.taskManager().addTask(task)
    assert spin_until(lambda: len(batch.done) >= 3, 20)
    task.cancel()
    assert spin_until(lambda: ends, 5)
    assert spin_until(lambda: server.broken_off_at, 2), "the server was not told"
    done = len(batch.done)
    assert done < 16
    log = Log()
    outputs, is_ok = run(log, **inputs)
    assert is_ok, log.errors
    assert outputs["COUNT"] == 16
    assert batch.runs[-1] == 16 - done
    assert f"16 tiles, {done} of them done already" in log.infos


def test_the_journal_of_another_search_is_refused_with_a_choice(
    server: ScriptedServer, town: Path, tmp_path: Path
) -> None:
    inputs = {"INPUT": [str(town)], "OUTPUT": str(tmp_path / "found.gpkg")}
    assert run(Log(), EXPRESSIONS="roofs", **inputs)[1]
    log = Log()
    assert not run(log, EXPRESSIONS="tanks", **inputs)[1]
    assert "holds another search" in " ".join(log.errors)
    assert "RESTART" in " ".join(log.errors)
    assert run(Log(), EXPRESSIONS="tanks", RESTART=True, **inputs)[1]
    assert [request.restart for request in server.batch_requests] == [False, False, True]


def test_polygons_and_extent_are_sent_as_what_they_share(server: ScriptedServer, town: Path, tmp_path: Path) -> None:
    layer = QgsVectorLayer(f"Polygon?crs=EPSG:{EPSG}", "areas", "memory")
    for wkt in ("POLYGON((500000 5299900, 500050 5299900, 500050 5300000, 500000 5300000, 500000 5299900))",):
        feature = QgsFeature()
        feature.setGeometry(QgsGeometry.fromWkt(wkt))
        layer.dataProvider().addFeatures([feature])
    inputs = {"INPUT": [str(town)], "EXPRESSIONS": "roofs", "OUTPUT": str(tmp_path / "found.gpkg"), "AREA": layer}
    extent = f"500020,500200,5299950,5300000 [EPSG:{EPSG}]"
    log = Log()
    assert run(log, EXTENT=extent, **inputs)[1], log.errors
    (request,) = server.batch_requests
    assert request.area_crs == f"EPSG:{EPSG}"
    (((ring),),) = request.area
    assert (min(p[0] for p in ring), max(p[0] for p in ring)) == (500020, 500050)
    assert (min(p[1] for p in ring), max(p[1] for p in ring)) == (5299950, 5300000)
    log = Log()
    assert not run(log, EXTENT=f"600000,600010,5299950,5300000 [EPSG:{EPSG}]", **inputs)[1]
    assert "do not meet" in " ".join(log.errors)


def test_a_web_map_is_copied_once_after_a_preflight(server: ScriptedServer, tmp_path: Path) -> None:
    web_map = web_imagery.WebMap()
    try:
        layer = web_map.xyz_layer()
        QgsProject.instance().addMapLayer(layer)
        x, y = web_imagery.MARKER
        inputs = {
            "INPUT": [layer.id()],
            "EXPRESSIONS": "things",
            "EXTENT": f"{x - 90},{x + 90},{y - 90},{y + 90} [EPSG:3857]",
            "OUTPUT": str(tmp_path / "found.gpkg"),
        }
        log = Log()
        assert run(log, **inputs)[1], log.errors
        assert "tiles of the web service" in log.infos[0]
        fetched = len(web_map.paths)
        assert run(Log(), **inputs)[1]
        assert len(web_map.paths) == fetched, "it was fetched again"
    finally:
        web_map.close()
    first, second = server.batch_requests
    assert first.rasters == second.rasters
    copy = Path(first.rasters[0])
    assert copy.parent == tmp_path / "found_imagery"
    assert [path.name for path in copy.parent.iterdir()] == [copy.name]
    assert rasters.read_tile(copy.read_bytes())[0].shape[0] == 4


def test_a_stretched_raster_is_copied_as_it_is_shown(server: ScriptedServer, tmp_path: Path) -> None:
    raster = rasters.make("uint16", tmp_path / "raster.tif")
    log = Log()
    assert run(log, INPUT=[str(raster)], EXPRESSIONS="things", OUTPUT=str(tmp_path / "found.gpkg"))[1], log.errors
    pixels = rasters.read_tile(Path(server.batch_requests[0].rasters[0]).read_bytes())[0]
    assert pixels.dtype == "uint8"
    assert pixels[0].max() > 200 > 60 > pixels[0].min()
    assert 100 in log.progresses


def test_more_of_a_web_map_than_is_fair_is_refused(server: ScriptedServer, tmp_path: Path) -> None:
    web_map = web_imagery.WebMap()
    try:
        layer = web_map.xyz_layer()
        QgsProject.instance().addMapLayer(layer)
        log = Log()
        inputs = {"INPUT": [layer.id()], "EXPRESSIONS": "things", "OUTPUT": str(tmp_path / "found.gpkg")}
        assert not run(log, EXTENT="1400000,1500000,6800000,6900000 [EPSG:3857]", **inputs)[1]
        assert "tiles of its web service" in " ".join(log.errors)
        assert not web_map.paths
    finally:
        web_map.close()


def test_ground_searches_what_is_larger_than_a_tile_in_tiles(
    server: ScriptedServer, town: Path, tmp_path: Path
) -> None:
    Settings.load().save(max_tile_px=256)
    algorithm = QgsApplication.processingRegistry().createAlgorithmById("rsground:ground")
    log, context, journal = Log(), QgsProcessingContext(), tmp_path / "journal.gpkg"
    inputs = {"INPUT": str(town), "EXPRESSION": "roofs", "MASKS": "memory:", "JOURNAL": str(journal)}
    outputs, is_ok = algorithm.run(inputs, context, log)
    assert is_ok, log.errors
    (request,) = server.batch_requests
    assert (request.rasters, request.expressions, request.outputs) == ((str(town),), ("roofs",), ("mask",))
    assert request.output == str(journal)
    assert outputs["COUNT"] == 9
    assert outputs["UNDERSTOOD"] == "every roofs"
    layer = context.takeResultLayer(outputs["MASKS"])
    assert layer.featureCount() == 9
    assert {feature["id"] for feature in layer.getFeatures()} == {f"0-{i}" for i in range(9)}


@pytest.mark.skipif(not QGIS_PROCESS, reason="qgis_process is not installed")
def test_batch_by_qgis_process(server: ScriptedServer, town: Path, tmp_path: Path) -> None:
    other = rasters.make("utm", tmp_path / "other.tif")
    qgis_process = QgisProcess(tmp_path / "qgis_process")
    qgis_process.use_server(server.port, server.token)
    output = tmp_path / "found.gpkg"
    outputs = qgis_process.run("rsground:batch", INPUT=[town, other], EXPRESSIONS="blue roofs;tanks", OUTPUT=output)
    assert outputs == {"COUNT": 36, "OUTPUT": str(output)}
    (request,) = server.batch_requests
    assert request.rasters == (str(town), str(other))
    assert request.expressions == ("blue roofs", "tanks")
