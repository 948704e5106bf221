"""Web layers: the same placement as files, and failures that are told with their reason."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
import rasters
import web_imagery
from qgis.core import QgsFeedback, QgsMapSettings, QgsRectangle
from qgis.PyQt.QtCore import QSize

from rsground_plugin.core.errors import BlankTile, TileCancelled
from rsground_plugin.core.raster_tile import TileArea, TileRequest, render
from rsground_plugin.core.tile_reader import without_secrets

TOLERANCE_PX = 0.25


@pytest.fixture
def web_map():
    server = web_imagery.WebMap()
    yield server
    server.close()


def canvas(layer, *, mupp: float = 0.6, rotation: float = 0.0, size=(400, 300)) -> QgsMapSettings:
    """A canvas with the marker off its middle."""
    settings = QgsMapSettings()
    settings.setDestinationCrs(layer.crs())
    settings.setOutputSize(QSize(*size))
    x, y = web_imagery.MARKER[0] + 23.4 * mupp, web_imagery.MARKER[1] - 31.7 * mupp
    w, h = size[0] * mupp / 2, size[1] * mupp / 2
    settings.setExtent(QgsRectangle(x - w, y - h, x + w, y + h))
    settings.setRotation(rotation)
    return settings


def request_for(layer, settings) -> TileRequest:
    return TileRequest.from_canvas(layer, TileArea.visible(settings), settings)


def error_px(tile) -> float:
    col, row = rasters.marker_in_tile(rasters.read_tile(tile.geotiff)[0])
    true_col, true_row = tile.affine.to_pixel(*web_imagery.MARKER)
    return float(np.hypot(col - true_col, row - true_row))


@pytest.mark.parametrize("mupp", [0.29858214, 0.5971642834779395, 0.71, 1.9, 2.6])
@pytest.mark.parametrize("rotation", [0.0, 30.0, 90.0, -137.0])
@pytest.mark.parametrize("kind", ["xyz", "wms"])
def test_a_marker_on_the_web_comes_back_where_it_lies(web_map, record_property, kind, mupp, rotation):
    layer = web_map.xyz_layer() if kind == "xyz" else web_map.wms_layer()
    assert layer.isValid(), layer.error().summary()
    tile = render(request_for(layer, canvas(layer, mupp=mupp, rotation=rotation)))
    error = error_px(tile)
    record_property("placement_error_px", round(error, 4))
    assert error < TOLERANCE_PX
    # Web Mercator metres at 52.5 degrees north are 0.61 of a metre on the ground.
    deepest = 2 * web_imagery.ORIGIN / 256 / 2**18 if kind == "xyz" else 0.0
    assert tile.gsd_m == pytest.approx(max(mupp, deepest) * 0.61, rel=0.02)


def test_tiles_are_asked_for_as_the_canvas_would(web_map):
    """Politeness: the zoom level nearest to the screen's resolution, and each tile once."""
    layer = web_map.xyz_layer()
    render(request_for(layer, canvas(layer, mupp=0.71)))
    levels = {path.split("/")[2] for path in web_map.paths}
    assert levels == {"18"}
    assert len(web_map.paths) == len(set(web_map.paths)) <= 12


def test_keys_in_the_address_do_not_travel_with_results(web_map):
    layer = web_map.xyz_layer()
    tile = render(request_for(layer, canvas(layer)))
    assert "sesame" not in tile.source
    assert "127.0.0.1" in tile.source


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (web_imagery.status(404), "404"),
        (web_imagery.status(500), "500"),
        (web_imagery.status(403), "403"),
        (web_imagery.transparent, "nothing here"),
        (web_imagery.grey, "one colour"),
        (web_imagery.html, "text/html"),
    ],
)
def test_a_service_that_gives_nothing_is_an_error_with_its_reason(web_map, answer, words):
    web_map.answer = answer
    layer = web_map.xyz_layer()
    with pytest.raises(BlankTile, match=words) as caught:
        render(request_for(layer, canvas(layer)))
    assert "sesame" not in str(caught.value)


def test_a_service_that_cannot_be_reached_is_an_error_with_its_reason(web_map):
    layer = web_map.xyz_layer()
    request = request_for(layer, canvas(layer))
    web_map.close()
    with pytest.raises(BlankTile, match="refused"):
        render(request)


@pytest.mark.parametrize(
    "text",
    [
        "Tile request error (url: https://tiles.example.org/1/2/3.png?key=sesame)",
        "url=https%3A%2F%2Ftiles.example.org%2F1.png%3Fkey%3Dsesame",
        "https://user:sesame@tiles.example.org/1.png timed out",
        "url=http%3A%2F%2Fme%3Asesame%40tiles.example.org%2F1.png",
    ],
)
def test_messages_lose_their_secrets_and_keep_the_host(text):
    assert "sesame" not in without_secrets(text)
    assert "tiles.example.org" in without_secrets(text)


def _every_second(code: int):
    def answer(path: str):
        x = int(path.split("/")[3])
        return (code, "text/plain", b"no") if x % 2 else web_imagery.xyz(path)

    return answer


def test_an_incomplete_picture_is_an_error(web_map):
    web_map.answer = _every_second(500)
    layer = web_map.xyz_layer()
    with pytest.raises(BlankTile, match="HTTP 500"):
        render(request_for(layer, canvas(layer)))


def test_the_edge_of_a_service_is_noted_and_masked(web_map):
    """Services answer 404 beyond their coverage: what there is, is searched."""
    web_map.answer = _every_second(404)
    layer = web_map.xyz_layer()
    tile = render(request_for(layer, canvas(layer)))
    assert any("missing" in note for note in tile.notes)
    valid = rasters.read_tile(tile.geotiff)[0][3] > 0
    assert 0.2 < valid.mean() < 0.8


def test_cancelling_does_not_wait_for_the_network(web_map):
    web_map.delay_s = 5.0
    layer = web_map.xyz_layer()
    request = request_for(layer, canvas(layer))
    feedback = QgsFeedback()
    threading.Timer(0.3, feedback.cancel).start()
    outcome = []

    def work() -> None:
        try:
            outcome.append(render(request, feedback))
        except TileCancelled as error:
            outcome.append(error)

    started = time.monotonic()
    thread = threading.Thread(target=work)
    thread.start()
    thread.join(10)
    assert isinstance(outcome[0], TileCancelled)
    assert time.monotonic() - started < 2.0


def test_preparing_fetches_nothing(web_map):
    layer = web_map.xyz_layer()
    web_map.delay_s = 5.0
    started = time.monotonic()
    request_for(layer, canvas(layer))
    assert web_map.paths == []
    assert time.monotonic() - started < web_map.delay_s, "it waited for an answer"
