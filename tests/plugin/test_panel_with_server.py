"""The panel with the real server: killed in mid-query, asked anything, and never blocking the interface."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from osgeo import gdal, osr
from panel_window import LagProbe, PanelWindow, window_on
from qgis.core import QgsProject, QgsVectorLayer
from test_server_process import INTERPRETER, wait_until_dead

from rsground_plugin.core.errors import ServerGone
from rsground_plugin.core.grounding_task import Outcome
from rsground_plugin.core.server_process import LocalServer

pytestmark = pytest.mark.skipif(not INTERPRETER.is_file(), reason=f"no server environment at {INTERPRETER}")

SIZE = 1024
EXPRESSIONS = (
    "the blue roofs",
    "the largest white roof",
    "the red roof left of the blue roof",
    "the white roofs",
    "the leftmost red roof",
)


def write_town(path: Path) -> Path:
    """Grass with red, white and blue roofs in rows: 1024 x 1024 pixels of 0.3 m."""
    rng = np.random.default_rng(1)
    rgb = np.empty((3, SIZE, SIZE), np.uint8)
    for band, grey in enumerate((70, 105, 55)):
        rgb[band] = np.clip(rng.normal(grey, 7, (SIZE, SIZE)), 0, 255)
    colours = ((190, 50, 40), (235, 235, 230), (50, 80, 190))
    for i, row in enumerate(range(60, SIZE - 100, 160)):
        for j, col in enumerate(range(60, SIZE - 120, 170)):
            for band, grey in enumerate(colours[(i + j) % 3]):
                patch = rng.normal(grey, 5, (60, 90))
                rgb[band, row : row + 60, col : col + 90] = np.clip(patch, 0, 255)
    dataset = gdal.GetDriverByName("GTiff").Create(str(path), SIZE, SIZE, 3, options=["PHOTOMETRIC=RGB"])
    dataset.SetGeoTransform((500000, 0.3, 0, 5300000, 0, -0.3))
    reference = osr.SpatialReference()
    reference.ImportFromEPSG(32632)
    dataset.SetProjection(reference.ExportToWkt())
    for band in range(3):
        dataset.GetRasterBand(band + 1).WriteArray(rgb[band])
    dataset = None
    return path


@pytest.fixture
def window(source: LocalServer, tmp_path: Path) -> Iterator[PanelWindow]:
    # The whole raster at its own resolution: a tile of 1024 x 1024 pixels.
    with window_on(source, write_town(tmp_path / "town.tif"), tmp_path, canvas_px=SIZE) as window:
        yield window


def test_a_query_is_answered_in_layers(window: PanelWindow) -> None:
    window.ask("the white roofs")
    outcome = window.answer(60)
    assert isinstance(outcome, Outcome), outcome
    assert outcome.result.detections, window.dock.message.text()
    layers = [la for la in QgsProject.instance().mapLayers().values() if isinstance(la, QgsVectorLayer)]
    assert {la.featureCount() for la in layers} == {len(outcome.result.detections)}
    assert window.dock.results.understood()


def test_a_server_killed_in_mid_query_is_told_and_the_next_query_works(
    window: PanelWindow, source: LocalServer
) -> None:
    def kill_once(stage: str, done: int, total: int) -> None:
        if stage not in ("tile", "server", "send") and not killed:
            killed.append(source.pid)
            os.kill(source.pid, signal.SIGKILL)

    killed: list[int] = []
    window.dock.form.expression.setText("the red roofs")
    window.dock.run()
    window.dock._task.stage_changed.connect(kill_once)
    error = window.answer(60)
    assert killed
    assert isinstance(error, ServerGone), error
    assert "Run the query again" in window.dock.message.text()
    window.ask("the red roofs")  # at once
    outcome = window.answer(60)
    assert isinstance(outcome, Outcome), outcome
    assert source.pid not in killed
    wait_until_dead(killed[0], 2)


@pytest.mark.parametrize(
    "expression",
    ["!?…;", "東京の赤い屋根", "красная крыша", "\u202eroofs", "a" * 1999],
    ids=["punctuation", "ja", "ru", "rtl", "long"],
)
def test_any_words_end_in_a_clear_message(window: PanelWindow, expression: str) -> None:
    window.dock.form.expression.setText(expression)
    window.dock.run()
    end = window.answer(60)
    assert not window.dock.is_running
    if not (isinstance(end, Outcome) and end.result.detections):
        assert len(window.dock.message.text()) > 10
        assert "unexpected" not in window.dock.message.text()
        assert "failed on this query" not in window.dock.message.text()


def test_the_interface_never_waits_for_the_engine(window: PanelWindow) -> None:
    """How much is added in milliseconds is benchmarks/panel.py's to say."""
    with LagProbe() as probe:
        window.ask("the red roofs")
        outcome = window.answer(60)
    assert isinstance(outcome, Outcome), outcome
    engine_ms = 1000 * outcome.result.timings_s["total"]
    # A panel that waits is gone for all of the engine's time, in one gap or, where it polls, in some.
    assert engine_ms > 100
    assert probe.worst_ms < 0.5 * engine_ms
    assert sum(gap for gap in probe.gaps_ms if gap > 20) < 0.5 * engine_ms
