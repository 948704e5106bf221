"""The Processing provider with the real server: by qgis_process, in a model, in a thread, cancelled."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import rasters
import web_imagery
from panel_window import application, spin_until, use_settings_in
from processing_town import (
    EPSG,
    INTERPRETER,
    ORIGIN,
    QGIS_PROCESS,
    ROOF_COLS,
    ROOF_ROWS,
    Log,
    QgisProcess,
    red_roof_centres,
    write_town,
)
from qgis.analysis import QgsNativeAlgorithms
from qgis.core import (
    QgsApplication,
    QgsPointXY,
    QgsProcessingAlgRunnerTask,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingModelAlgorithm,
    QgsProcessingModelChildAlgorithm,
    QgsProcessingModelChildParameterSource,
    QgsProcessingModelOutput,
    QgsProcessingModelParameter,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
    QgsProject,
    QgsRasterLayer,
    QgsVectorLayer,
)
from scripted_server import ScriptedServer, ScriptedSource, detection, found, slow
from test_server_process import launch

from rsground_plugin.core.server_process import LocalServer
from rsground_plugin.core.shared_server import SharedServer
from rsground_plugin.processing.provider import RSGroundProvider

needs_server = pytest.mark.skipif(not INTERPRETER.is_file(), reason=f"no server environment at {INTERPRETER}")
needs_qgis_process = pytest.mark.skipif(not QGIS_PROCESS, reason="qgis_process is not installed")


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_town(tmp_path_factory.mktemp("town") / "town.tif")


@pytest.fixture(scope="module")
def qgis_process(tmp_path_factory: pytest.TempPathFactory) -> QgisProcess:
    return QgisProcess(tmp_path_factory.mktemp("qgis_process"))


@pytest.fixture(scope="module")
def source() -> Iterator[LocalServer]:
    source = LocalServer(launch)
    yield source
    source.stop(wait_s=10)


@pytest.fixture
def provider(source: LocalServer, tmp_path: Path) -> Iterator[RSGroundProvider]:
    yield from registered(SharedServer(source), tmp_path)


@pytest.fixture
def scripted(tmp_path: Path) -> Iterator[ScriptedServer]:
    server = ScriptedServer(found(detection("a", ORIGIN[0] + 50, ORIGIN[1] - 50), crs=f"EPSG:{EPSG}"))
    for _ in registered(SharedServer(ScriptedSource(server)), tmp_path):
        yield server
    server.close()


def registered(server: SharedServer, folder: Path) -> Iterator[RSGroundProvider]:
    application()
    use_settings_in(folder)
    provider = RSGroundProvider(server)
    registry = QgsApplication.processingRegistry()
    assert registry.addProvider(provider)
    yield provider
    registry.removeProvider(provider)


def run(name: str, feedback: QgsProcessingFeedback | None = None, **inputs: Any) -> dict[str, Any]:
    """Runs an algorithm in this thread; layers of temporary outputs are in the answer, by output."""
    algorithm = QgsApplication.processingRegistry().createAlgorithmById(name)
    context = QgsProcessingContext()
    context.setProject(QgsProject.instance())
    feedback = feedback or Log()
    outputs, is_ok = algorithm.run(inputs, context, feedback)
    assert is_ok, getattr(feedback, "errors", [])
    layers = {k: context.takeResultLayer(v) for k, v in outputs.items() if isinstance(v, str) and v}
    return {k: layers.get(k) or v for k, v in outputs.items()}


def roofs_hit(layer: QgsVectorLayer) -> int:
    """How many of the town's red roofs hold exactly one feature."""
    shapes = [feature.geometry() for feature in layer.getFeatures()]
    return sum(sum(s.contains(QgsPointXY(*centre)) for s in shapes) == 1 for centre in red_roof_centres())


def test_every_algorithm_has_help_and_an_icon(provider: RSGroundProvider) -> None:
    assert [a.id() for a in provider.algorithms()] == ["rsground:batch", "rsground:coco", "rsground:ground"]
    for algorithm in provider.algorithms():
        assert len(algorithm.shortHelpString()) > 200
        assert algorithm.displayName()
        assert algorithm.shortDescription()
        assert not algorithm.icon().isNull()
        assert not algorithm.icon().pixmap(16, 16).isNull()
        assert not algorithm.flags() & algorithm.Flag.FlagNoThreading


@needs_server
@needs_qgis_process
def test_ground_by_qgis_process(qgis_process: QgisProcess, town: Path, tmp_path: Path) -> None:
    files = {name: tmp_path / f"{name}.gpkg" for name in ("BOXES", "ORIENTED_BOXES", "MASKS")}
    outputs = qgis_process.run("rsground:ground", INPUT=town, EXPRESSION="the red roofs", **files)
    assert outputs["COUNT"] == 4
    layers = {name: QgsVectorLayer(str(path), name, "ogr") for name, path in files.items()}
    for layer in layers.values():
        assert layer.featureCount() == roofs_hit(layer) == 4
        assert layer.crs().authid() == f"EPSG:{EPSG}"
        assert {"id", "expression", "score", "label", "area_m2", "engine"} <= set(layer.fields().names())
    ids = [{feature["id"] for feature in layer.getFeatures()} for layer in layers.values()]
    assert ids[0] == ids[1] == ids[2]
    coco = tmp_path / "roofs.json"
    assert qgis_process.run("rsground:coco", INPUT=files["MASKS"], RASTER=town, OUTPUT=coco)["COUNT"] == 4
    document = json.loads(coco.read_text())
    assert [c["name"] for c in document["categories"]] == ["roof"]
    assert all(0.85 < a["area"] / (ROOF_ROWS * ROOF_COLS) < 1.05 for a in document["annotations"])
    assert len(ids[0]) == 4


def two_steps(path: Path) -> None:
    """A model as the designer writes it: the objects, and circles around their masks."""
    model = QgsProcessingModelAlgorithm("roofs", "tests")
    for parameter in (QgsProcessingParameterRasterLayer("image"), QgsProcessingParameterString("words")):
        model.addModelParameter(parameter, QgsProcessingModelParameter(parameter.name()))
    first = QgsProcessingModelChildAlgorithm("rsground:ground")
    first.setChildId("ground")
    from_input = QgsProcessingModelChildParameterSource.fromModelParameter
    first.addParameterSources("INPUT", [from_input("image")])
    first.addParameterSources("EXPRESSION", [from_input("words")])
    model.addChildAlgorithm(first)
    second = QgsProcessingModelChildAlgorithm("native:buffer")
    second.setChildId("buffer")
    second.addParameterSources("INPUT", [QgsProcessingModelChildParameterSource.fromChildOutput("ground", "MASKS")])
    second.addParameterSources("DISTANCE", [QgsProcessingModelChildParameterSource.fromStaticValue(5.0)])
    output = QgsProcessingModelOutput("around")
    output.setChildId("buffer")
    output.setChildOutputName("OUTPUT")
    second.setModelOutputs({"around": output})
    model.addChildAlgorithm(second)
    assert model.toFile(str(path))


@needs_server
@needs_qgis_process
def test_ground_in_a_model_of_two_steps(
    qgis_process: QgisProcess, provider: RSGroundProvider, town: Path, tmp_path: Path
) -> None:
    registry = QgsApplication.processingRegistry()
    native = QgsNativeAlgorithms()
    if registry.providerById("native") is None:
        registry.addProvider(native)
    two_steps(tmp_path / "roofs.model3")
    around = tmp_path / "around.gpkg"
    outputs = {"image": town, "words": "the red roofs", "buffer:around": around, "around": around}
    done = qgis_process("run", str(tmp_path / "roofs.model3"), "--", *(f"{k}={v}" for k, v in outputs.items()))
    assert done.returncode == 0, done.stdout + done.stderr
    layer = QgsVectorLayer(str(around), "around", "ogr")
    assert layer.featureCount() == roofs_hit(layer) == 4
    assert all(feature.geometry().area() > 28 * 19 for feature in layer.getFeatures())


@needs_server
def test_an_extent_in_another_crs_is_searched_only(provider: RSGroundProvider, town: Path) -> None:
    # The upper left quarter, in degrees: one roof and parts of none.
    layer = QgsRasterLayer(str(town), "town")
    project = QgsProject.instance()
    project.addMapLayer(layer)
    from qgis.core import QgsCoordinateReferenceSystem, QgsCoordinateTransform, QgsRectangle

    square = QgsRectangle(ORIGIN[0] + 3, ORIGIN[1] - 60, ORIGIN[0] + 60, ORIGIN[1] - 3)
    to_degrees = QgsCoordinateTransform(layer.crs(), QgsCoordinateReferenceSystem("EPSG:4326"), project)
    box = to_degrees.transformBoundingBox(square)
    extent = f"{box.xMinimum()},{box.xMaximum()},{box.yMinimum()},{box.yMaximum()} [EPSG:4326]"
    outputs = run("rsground:ground", INPUT=layer.id(), EXPRESSION="red roofs", EXTENT=extent, MASKS="memory:")
    project.clear()
    assert outputs["COUNT"] == outputs["MASKS"].featureCount() == 1
    assert "BOXES" not in outputs


@needs_server
def test_nothing_found_is_empty_layers_and_the_reason(provider: RSGroundProvider, town: Path) -> None:
    log = Log()
    outputs = run("rsground:ground", log, INPUT=str(town), EXPRESSION="the swimming pools", BOXES="memory:")
    assert outputs["COUNT"] == outputs["BOXES"].featureCount() == 0
    assert outputs["REASON"]
    assert log.warnings == [outputs["REASON"]]
    assert "score" in outputs["BOXES"].fields().names()


@needs_server
def test_a_wrong_engine_is_told_in_the_servers_words(provider: RSGroundProvider, town: Path) -> None:
    log = Log()
    algorithm = QgsApplication.processingRegistry().createAlgorithmById("rsground:ground")
    inputs = {"INPUT": str(town), "EXPRESSION": "roofs", "ENGINE": "oracle", "BOXES": "memory:"}
    _, is_ok = algorithm.run(inputs, QgsProcessingContext(), log)
    assert not is_ok
    assert "oracle" in " ".join(log.errors)


@pytest.mark.parametrize("inputs", [{"EXPRESSION": "  ", "BOXES": "memory:"}, {"EXPRESSION": "roofs"}])
def test_incomplete_parameters_are_refused(scripted: ScriptedServer, town: Path, inputs: dict[str, str]) -> None:
    algorithm = QgsApplication.processingRegistry().createAlgorithmById("rsground:ground")
    is_ok, why = algorithm.checkParameterValues({"INPUT": str(town), **inputs}, QgsProcessingContext())
    assert not is_ok
    assert "empty" in why or "output" in why


def test_it_runs_in_a_thread_with_progress(scripted: ScriptedServer, town: Path) -> None:
    _task, log, ends = in_a_thread({"INPUT": str(town), "EXPRESSION": "thing", "MASKS": "memory:"})
    assert spin_until(lambda: ends, 20)
    assert ends == [True], log.errors
    assert log.progresses[-1] == 100
    assert log.progresses == sorted(log.progresses)
    assert len(set(log.progresses)) >= 3


def test_cancelled_within_a_second(scripted: ScriptedServer, town: Path) -> None:
    scripted.script = slow(30.0, scripted.script)
    task, _, ends = in_a_thread({"INPUT": str(town), "EXPRESSION": "thing", "MASKS": "memory:"})
    assert spin_until(lambda: scripted.requests, 20)
    cancelled_at = time.monotonic()
    task.cancel()
    assert spin_until(lambda: ends, 10)
    assert time.monotonic() - cancelled_at < 1.0
    assert spin_until(lambda: scripted.broken_off_at, 2), "the server was not told"


def in_a_thread(inputs: dict[str, Any]) -> tuple[QgsProcessingAlgRunnerTask, Log, list[bool]]:
    """Starts *Ground expression* as the toolbox does."""
    algorithm = QgsApplication.processingRegistry().createAlgorithmById("rsground:ground")
    context, log = QgsProcessingContext(), Log()
    task = QgsProcessingAlgRunnerTask(algorithm, inputs, context, log)
    task.kept = (algorithm, context, log)  # QGIS holds none of them
    ends: list[bool] = []
    task.executed.connect(lambda is_ok, _: ends.append(is_ok))
    QgsApplication.taskManager().addTask(task)
    return task, log, ends


def test_a_web_map_is_searched_at_the_wanted_resolution(scripted: ScriptedServer) -> None:
    web_map = web_imagery.WebMap()
    try:
        layer = web_map.xyz_layer()
        QgsProject.instance().addMapLayer(layer)
        x, y = web_imagery.MARKER
        extent = f"{x - 100},{x + 100},{y - 80},{y + 80} [EPSG:3857]"
        run("rsground:ground", INPUT=layer.id(), EXPRESSION="thing", EXTENT=extent, GSD=1.0, BOXES="memory:")
    finally:
        QgsProject.instance().clear()
        web_map.close()
    pixels, transform, _ = rasters.read_tile(scripted.tiles[0])
    assert pixels.shape[0] == 4
    assert pixels[3].all()
    on_ground = abs(transform[1]) * 0.62  # EPSG:3857 stretches by 1 / cos(latitude), about 1.6 there
    assert 0.7 < on_ground < 1.4
    assert abs(transform[1]) * pixels.shape[2] == pytest.approx(200, rel=0.02)


def test_a_web_map_without_an_extent_is_refused(scripted: ScriptedServer) -> None:
    web_map = web_imagery.WebMap()
    try:
        layer = web_map.wms_layer()
        QgsProject.instance().addMapLayer(layer)
        algorithm, log = QgsApplication.processingRegistry().createAlgorithmById("rsground:ground"), Log()
        context = QgsProcessingContext()
        context.setProject(QgsProject.instance())
        inputs = {"INPUT": layer.id(), "EXPRESSION": "thing", "BOXES": "memory:"}
        _, is_ok = algorithm.run(inputs, context, log)
        assert not is_ok
        assert "ground sample distance" in " ".join(log.errors)
    finally:
        QgsProject.instance().clear()
        web_map.close()


@pytest.mark.parametrize(("said", "expected"), [(0.4, 0.4), (0.0, None)])
def test_the_pixel_size_of_a_layer_without_a_crs_is_told(
    scripted: ScriptedServer, tmp_path: Path, said: float, expected: float | None
) -> None:
    picture = rasters.make("no_crs", tmp_path / "picture.tif")
    run("rsground:ground", INPUT=str(picture), EXPRESSION="thing", PIXEL_SIZE=said, BOXES="memory:")
    assert scripted.requests[-1].pixel_size_m == (None if expected is None else pytest.approx(expected))
