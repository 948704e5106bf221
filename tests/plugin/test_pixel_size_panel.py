"""The pixel size of a layer without a CRS: asked for, kept with the layer, told to the server for the tile it sees."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from panel_window import PanelWindow, spin_until, window_on, write_raster
from qgis.core import QgsProject, QgsRasterLayer, QgsRectangle
from rasters import read_tile
from scripted_server import ScriptedServer, ScriptedSource, detection, found

from rsground_plugin.gui.area_tools import WHOLE
from rsground_plugin.gui.query_form import PIXEL_SIZE_PROPERTY


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    server = ScriptedServer(found(detection("a", 50, -50, score=0.9)))
    yield server
    server.close()


@pytest.fixture
def unplaced(server: ScriptedServer, tmp_path: Path) -> Iterator[PanelWindow]:
    with window_on(ScriptedSource(server), write_raster(tmp_path / "picture.tif", is_placed=False), tmp_path) as window:
        yield window


@pytest.fixture
def placed(server: ScriptedServer, tmp_path: Path) -> Iterator[PanelWindow]:
    with window_on(ScriptedSource(server), write_raster(tmp_path / "ortho.tif"), tmp_path) as window:
        yield window


def tile_step(server: ScriptedServer) -> float:
    """Layer pixels a pixel of the tile that the server got last."""
    _, transform, _ = read_tile(server.tiles[-1])
    return abs(transform[1])


def test_it_is_told_for_the_pixels_that_the_server_sees(unplaced: PanelWindow, server: ScriptedServer) -> None:
    assert unplaced.dock.form.pixel_size.isVisible()
    unplaced.dock.form.pixel_size.setValue(0.5)
    unplaced.ask("the white thing")
    unplaced.answer()
    assert server.requests[-1].pixel_size_m == pytest.approx(0.5 * tile_step(server), rel=1e-6)
    # Far out the tile is coarser than the layer.
    unplaced.canvas.setFixedSize(100, 100)
    unplaced.canvas.setExtent(QgsRectangle(unplaced.layer.extent()))
    assert spin_until(lambda: unplaced.canvas.mapUnitsPerPixel() > 1.5)
    unplaced.ask("the white thing")
    unplaced.answer()
    assert tile_step(server) > 1.5
    assert server.requests[-1].pixel_size_m == pytest.approx(0.5 * tile_step(server), rel=1e-6)


def test_unsaid_it_is_the_engine_that_guesses(unplaced: PanelWindow, server: ScriptedServer) -> None:
    unplaced.ask("the white thing")
    unplaced.answer()
    assert server.requests[-1].pixel_size_m is None


def test_it_stays_with_its_layer(unplaced: PanelWindow, tmp_path: Path) -> None:
    form = unplaced.dock.form
    form.pixel_size.setValue(0.25)
    other = QgsRasterLayer(str(write_raster(tmp_path / "other.tif", is_placed=False)), "other")
    QgsProject.instance().addMapLayer(other)
    form.layers.setLayer(other)
    assert form.pixel_size.value() == 0.0
    assert other.customProperty(PIXEL_SIZE_PROPERTY) in (None, 0.0)
    form.layers.setLayer(unplaced.layer)
    assert form.pixel_size.value() == pytest.approx(0.25)
    project = tmp_path / "kept.qgs"
    assert QgsProject.instance().write(str(project))
    assert "rsground/pixel_size_m" in project.read_text(encoding="utf-8")


def test_a_layer_that_says_it_is_not_asked_about(placed: PanelWindow, server: ScriptedServer, tmp_path: Path) -> None:
    assert placed.dock.form.pixel_size.isHidden()
    placed.ask("the white thing")
    placed.answer()
    assert server.requests[-1].pixel_size_m is None
    picture = QgsRasterLayer(str(write_raster(tmp_path / "picture.tif", is_placed=False)), "picture")
    QgsProject.instance().addMapLayer(picture)
    placed.dock.form.layers.setLayer(picture)
    assert placed.dock.form.pixel_size.isVisible()


def test_a_search_of_the_whole_layer_gets_it(unplaced: PanelWindow) -> None:
    form = unplaced.dock.form
    form.expression.setText("the white things")
    form.area.button(WHOLE).click()
    form.pixel_size.setValue(0.4)
    assert unplaced.dock.whole._form_job().request.pixel_size_m == pytest.approx(0.4)
