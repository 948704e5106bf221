"""The whole layer with the real server's /v1/batch: tiles, seams and tables as the plugin expects them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from panel_window import application, use_settings_in
from processing_town import INTERPRETER, Log, red_roof_centres, write_town
from qgis.core import QgsApplication, QgsPointXY, QgsProcessingContext
from test_server_process import launch

from rsground_plugin.core.errors import ServerRefused
from rsground_plugin.core.server_process import LocalServer
from rsground_plugin.core.settings import Settings
from rsground_plugin.core.shared_server import SharedServer
from rsground_plugin.processing.provider import RSGroundProvider
from rsground_plugin.protocol import BatchEvent, BatchRequest, PlanEvent

pytestmark = pytest.mark.skipif(not INTERPRETER.is_file(), reason=f"no server environment at {INTERPRETER}")


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_town(tmp_path_factory.mktemp("town") / "town.tif")


@pytest.fixture(scope="module")
def source(town: Path) -> Iterator[LocalServer]:
    source = LocalServer(launch)
    request = BatchRequest((str(town),), ("red roofs",), str(town.with_name("none.gpkg")), plan_only=True)
    events: list[BatchEvent] = []
    try:
        source.ensure().batch(request, on_event=events.append)
    except ServerRefused as error:
        source.stop(wait_s=10)
        if error.code != "not_found":
            raise
        pytest.skip("this server has no /v1/batch yet")
    assert isinstance(events[0], PlanEvent)
    assert not Path(request.output).exists(), "a plan writes nothing"
    yield source
    source.stop(wait_s=10)


def test_ground_in_tiles_finds_what_one_tile_finds(source: LocalServer, town: Path, tmp_path: Path) -> None:
    application()
    use_settings_in(tmp_path)
    Settings.load().save(max_tile_px=256)
    provider = RSGroundProvider(SharedServer(source))
    QgsApplication.processingRegistry().addProvider(provider)
    try:
        algorithm = QgsApplication.processingRegistry().createAlgorithmById("rsground:ground")
        log, context = Log(), QgsProcessingContext()
        inputs = {"INPUT": str(town), "EXPRESSION": "the red roofs", "MASKS": "memory:"}
        outputs, is_ok = algorithm.run(inputs, context, log)
    finally:
        QgsApplication.processingRegistry().removeProvider(provider)
    assert is_ok, log.errors
    assert outputs["COUNT"] == 4
    shapes = [feature.geometry() for feature in context.takeResultLayer(outputs["MASKS"]).getFeatures()]
    assert len(shapes) == 4
    for centre in red_roof_centres():
        assert sum(shape.contains(QgsPointXY(*centre)) for shape in shapes) == 1
    assert log.progresses[-1] == 100
