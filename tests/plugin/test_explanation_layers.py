"""Where the engine looked, on the map: asked for with a check box, drawn in the result's group, kept as GeoTIFFs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from osgeo import gdal
from panel_window import ORIGIN, PanelWindow, application, spin_until, use_settings_in, window_on, write_raster
from qgis.core import QgsLayerTreeLayer, QgsProject, QgsRasterLayer, QgsRectangle
from scripted_server import ENGINE, ScriptedServer, ScriptedSource, detection, found
from test_panel_with_server import EXPRESSIONS, INTERPRETER, write_town

from rsground_plugin.core.errors import ResultsError
from rsground_plugin.core.explanation_layers import WrittenMap, add_to_project
from rsground_plugin.core.server_process import LocalServer
from rsground_plugin.core.settings import Settings
from rsground_plugin.protocol import EmptyReason, MapImage

X, Y = ORIGIN
#: 2 x 2 cells, and a second map of them.
MAPS = (
    MapImage.of("A_C", "white thing", 2, 2, bytes([0, 255, 128, 64])),
    MapImage.of("A_E", "white thing", 2, 2, bytes([0, 255, 0, 0])),
)


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    server = ScriptedServer(found(detection("a", X + 50, Y - 50), maps=MAPS))
    server.engine = replace(ENGINE, explains=True)
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


def map_layers() -> dict[str, QgsRasterLayer]:
    layers = QgsProject.instance().mapLayers().values()
    kinds = {layer.customProperty("rsground/kind"): layer for layer in layers if isinstance(layer, QgsRasterLayer)}
    return {str(kind): layer for kind, layer in kinds.items() if kind}


def test_maps_are_asked_for_only_when_wanted_and_the_choice_is_kept(
    window: PanelWindow, server: ScriptedServer
) -> None:
    window.ask("the white thing")
    window.answer()
    assert [r.explain for r in server.requests] == [False]
    window.dock.form.why.click()
    window.ask("the white thing")
    window.answer()
    assert server.requests[-1].explain
    assert Settings.load().show_why == 1


def test_maps_lie_below_the_result_in_its_group_over_the_whole_tile(window: PanelWindow) -> None:
    window.dock.form.why.setChecked(True)
    window.ask("the white thing")
    outcome = window.answer()
    layers = map_layers()
    assert set(layers) == {"map:A_C", "map:A_E"}
    root = QgsProject.instance().layerTreeRoot()
    group = root.findLayer(layers["map:A_C"].id()).parent()
    assert group.name() == "the white thing"
    names = [node.name() for node in group.findLayers()]
    assert names[-2:] == ["1 Where the words point (A_C): white thing", "3 What grew from it (A_E): white thing"]
    assert len(names) > 2
    # The last of a phrase is shown, the steps to it wait.
    assert [root.findLayer(layers[k].id()).itemVisibilityChecked() for k in ("map:A_C", "map:A_E")] == [False, True]
    extent = layers["map:A_C"].extent()
    box = outcome.tile.extent.boundingBox()
    for ours, theirs in zip(
        (extent.xMinimum(), extent.yMinimum(), extent.xMaximum(), extent.yMaximum()),
        (box.xMinimum(), box.yMinimum(), box.xMaximum(), box.yMaximum()),
    ):
        assert ours == pytest.approx(theirs, abs=1e-6)
    assert layers["map:A_C"].crs() == outcome.tile.crs
    assert {path.parent for path in (m.path for m in outcome.maps)} == {outcome.written.path.parent}


def test_of_two_phrases_only_what_was_looked_for_is_shown(window: PanelWindow, server: ScriptedServer) -> None:
    beside = tuple(replace(each, phrase="road") for each in MAPS)
    server.script = found(detection("a", X + 50, Y - 50), maps=(*MAPS, *beside))
    window.dock.form.why.setChecked(True)
    window.ask("the white thing beside the road")
    window.answer()
    assert shown_maps() == ["3 What grew from it (A_E): white thing"]


def test_the_next_query_hides_the_maps_of_the_one_before(window: PanelWindow, server: ScriptedServer) -> None:
    window.dock.form.why.setChecked(True)
    for expression in ("the white thing", "the grey thing"):
        window.ask(expression)
        window.answer()
        assert len(shown_maps()) == 1
    root = QgsProject.instance().layerTreeRoot()
    newest = root.findGroup("the grey thing")
    assert [node.layer().name() for node in newest.findLayers() if is_map(node) and node.isVisible()] == shown_maps()
    assert sum(map(is_map, root.findLayers())) == 2 * len(MAPS)
    server.script = found(detection("a", X + 50, Y - 50))
    window.ask("the white thing")
    window.answer()
    assert shown_maps() == []


def is_map(node: QgsLayerTreeLayer) -> bool:
    return str(node.layer().customProperty("rsground/kind")).startswith("map:")


def shown_maps() -> list[str]:
    nodes = QgsProject.instance().layerTreeRoot().findLayers()
    return [node.layer().name() for node in nodes if is_map(node) and node.isVisible()]


def test_where_nobody_looked_the_imagery_shows_and_where_most_it_is_covered(window: PanelWindow) -> None:
    window.dock.form.why.setChecked(True)
    window.ask("the white thing")
    window.answer()
    layer = map_layers()["map:A_C"]
    assert layer.dataProvider().sample(layer.extent().center() + _offset(layer, 0.25, 0.25), 1)[0] == 255
    block = layer.renderer().block(1, layer.extent(), 2, 2)
    alphas = [block.color(row, col) >> 24 & 255 for row in (0, 1) for col in (0, 1)]
    assert alphas == [0, 180, 110, 40]


def _offset(layer: QgsRasterLayer, right: float, up: float):
    from qgis.core import QgsVector

    return QgsVector(right * layer.extent().width(), up * layer.extent().height())


def test_a_rotated_canvas_gives_a_rotated_map(window: PanelWindow) -> None:
    window.canvas.setRotation(30)
    window.canvas.setExtent(QgsRectangle(X + 60, Y - 140, X + 140, Y - 60))
    window.dock.form.why.setChecked(True)
    window.ask("the white thing")
    outcome = window.answer()
    dataset = gdal.Open(str(outcome.maps[0].path))
    x0, a, b, y0, d, e = dataset.GetGeoTransform()
    tx0, ta, tb, ty0, td, te = outcome.tile.geotransform
    width, height = outcome.tile.width, outcome.tile.height
    assert abs(b) > 1
    # Both affines take their last corner to the same place.
    assert x0 + 2 * a + 2 * b == pytest.approx(tx0 + width * ta + height * tb)
    assert y0 + 2 * d + 2 * e == pytest.approx(ty0 + width * td + height * te)
    assert dataset.GetMetadata()["phrase"] == "white thing"
    assert dataset.GetRasterBand(1).ReadRaster() == bytes([0, 255, 128, 64])


def test_maps_say_why_nothing_was_found(window: PanelWindow, server: ScriptedServer) -> None:
    server.script = found(maps=MAPS, empty_reason=EmptyReason("target", "thing", "There is none."))
    window.dock.form.why.setChecked(True)
    window.ask("the white thing")
    outcome = window.answer()
    assert outcome.written is None
    group = QgsProject.instance().layerTreeRoot().findGroup("the white thing")
    assert [node.layer() for node in group.findLayers()] == list(map_layers().values())


def test_an_engine_without_maps_is_told_about(window: PanelWindow, server: ScriptedServer) -> None:
    server.script = found(detection("a", X + 50, Y - 50))
    window.dock.form.why.setChecked(True)
    window.ask("the white thing")
    window.answer()
    assert "no maps" in window.dock.message.text()


def test_the_box_is_off_for_an_engine_that_has_no_maps(window: PanelWindow, server: ScriptedServer) -> None:
    # The panel asks once as it opens; while that is under way a second time is not asked.
    assert spin_until(lambda: window.dock.form.engine.is_known, 30)
    server.engine = ENGINE
    window.dock.connect_to_server()
    assert spin_until(lambda: not window.dock.form.why.isEnabled())
    window.dock.form.why.setChecked(True)
    assert not window.dock.form.wants_why


def test_a_map_that_is_gone_adds_nothing(window: PanelWindow, tmp_path: Path) -> None:
    gone = WrittenMap(tmp_path / "gone.tif", "A_C", "thing", window.layer.crs())
    before = len(QgsProject.instance().mapLayers())
    with pytest.raises(ResultsError, match="no longer there"):
        add_to_project([gone], "thing", QgsProject.instance())
    assert len(QgsProject.instance().mapLayers()) == before


@pytest.mark.skipif(not INTERPRETER.is_file(), reason=f"no server environment at {INTERPRETER}")
def test_the_embedded_engine_shows_what_fits(source: LocalServer, tmp_path: Path) -> None:
    with window_on(source, write_town(tmp_path / "town.tif"), tmp_path) as window:
        window.dock.form.engine.choose("geobia")
        assert window.dock.form.why.isEnabled()
        window.dock.form.why.setChecked(True)
        window.ask(EXPRESSIONS[0])
        outcome = window.answer(60)
        assert outcome.result.detections
        assert len(outcome.maps) == 1
        layer = map_layers()["map:score"]
        inside = outcome.result.detections[0].hbb
        x, y = (sum(p[i] for p in inside[:4]) / 4 for i in (0, 1))
        sampled, is_there = layer.dataProvider().sample(QgsRectangle(x, y, x, y).center(), 1)
        assert is_there
        assert sampled > 100
