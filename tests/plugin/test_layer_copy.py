"""Copies of layers as they are displayed: their pixels in place, and what a preflight says of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import rasters
import web_imagery
from osgeo import gdal
from qgis.core import QgsCoordinateReferenceSystem, QgsFeedback, QgsRasterLayer, QgsRectangle

from rsground_plugin.core import layer_copy
from rsground_plugin.core.errors import BlankTile, EmptyExtent, TileCancelled
from rsground_plugin.core.raster_tile import TileArea


@pytest.fixture
def web_map() -> Iterator[web_imagery.WebMap]:
    server = web_imagery.WebMap()
    yield server
    server.close()


def around_marker(metres: float) -> TileArea:
    x, y = web_imagery.MARKER
    rectangle = QgsRectangle(x - metres, y - metres / 2, x + metres, y + metres / 2)
    return TileArea.rectangle(rectangle, QgsCoordinateReferenceSystem("EPSG:3857"))


def marker_error_px(path: Path, marker: tuple[float, float]) -> float:
    """How far the marker in a copy lies from where it should, in the copy's pixels."""
    pixels, transform, _ = rasters.read_tile(path.read_bytes())
    col, row = rasters.marker_in_tile(pixels)
    a, b, c, d, e, f = transform
    det = b * f - c * e
    dx, dy = marker[0] - a, marker[1] - d
    return float(np.hypot(col - (f * dx - c * dy) / det, row - (b * dy - e * dx) / det))


@pytest.mark.parametrize(
    "kind", ["utm", "lonlat", "no_crs", "south_up", "rotated", "uint16", "float_nodata", "rgba", "oblong_pixels"]
)
def test_a_copy_of_a_file_is_what_it_shows_where_it_is(kind: str, tmp_path: Path) -> None:
    layer = QgsRasterLayer(str(rasters.make(kind, tmp_path / "raster.tif")), kind)
    plan = layer_copy.CopyPlan.of(layer, layer_copy.native_request(layer, None))
    assert plan.web_tiles == 0
    assert plan.pixels >= rasters.SIZE**2
    layer_copy.write_copy(plan, tmp_path / "copy.tif", QgsFeedback())
    assert marker_error_px(tmp_path / "copy.tif", rasters.marker_position(kind)) < 0.25
    pixels = rasters.read_tile((tmp_path / "copy.tif").read_bytes())[0]
    if kind != "rotated":  # QGIS 3.22 shows its corners black, 3.40 not at all
        assert (pixels[3] == 0).any() == (kind in ("float_nodata", "rgba"))


@pytest.mark.parametrize("kind", ["xyz", "wms"])
def test_a_copy_of_a_web_map_has_the_tiles_that_were_announced(
    kind: str, web_map: web_imagery.WebMap, tmp_path: Path
) -> None:
    layer = web_map.xyz_layer() if kind == "xyz" else web_map.wms_layer()
    plan = layer_copy.CopyPlan.of(layer, layer_copy.native_request(layer, around_marker(150), gsd_m=0.4))
    assert str(plan.web_tiles) in plan.sentence()
    web_map.paths.clear()
    layer_copy.write_copy(plan, tmp_path / "copy.tif", QgsFeedback())
    assert marker_error_px(tmp_path / "copy.tif", web_imagery.MARKER) < 0.25
    assert 0 < len(web_map.paths) <= plan.web_tiles


def test_a_copy_larger_than_a_block_has_no_seams(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    bands = rng.integers(0, 256, (3, 300, 4100), np.uint8)
    transform = (500_000.0, 0.5, 0.0, 5_800_000.0, 0.0, -0.5)
    layer = QgsRasterLayer(str(rasters.write(tmp_path / "wide.tif", bands, transform, 32633)), "wide")
    layer.renderer().setRedBand(3)
    layer.renderer().setBlueBand(1)
    assert not layer_copy.is_plain_file(layer)
    feedback, progresses = QgsFeedback(), []
    feedback.progressChanged.connect(progresses.append)
    layer_copy.write_copy(
        layer_copy.CopyPlan.of(layer, layer_copy.native_request(layer, None)), tmp_path / "c.tif", feedback
    )
    pixels = gdal.Open(str(tmp_path / "c.tif")).ReadAsArray()
    assert (pixels[:3] == bands[::-1]).all()
    assert (pixels[3] == 255).all()
    assert progresses == sorted(progresses)
    assert len(progresses) == 3


def test_cancelling_leaves_no_file(tmp_path: Path) -> None:
    layer = QgsRasterLayer(str(rasters.make("utm", tmp_path / "raster.tif")), "utm")
    feedback = QgsFeedback()
    feedback.cancel()
    with pytest.raises(TileCancelled):
        layer_copy.write_copy(
            layer_copy.CopyPlan.of(layer, layer_copy.native_request(layer, None)), tmp_path / "copy.tif", feedback
        )
    assert not (tmp_path / "copy.tif").exists()


def test_a_service_that_fails_is_told_and_leaves_no_file(web_map: web_imagery.WebMap, tmp_path: Path) -> None:
    layer = web_map.xyz_layer()
    web_map.answer = lambda path: (500, "text/plain", b"no")
    plan = layer_copy.CopyPlan.of(layer, layer_copy.native_request(layer, around_marker(100), gsd_m=1.0))
    with pytest.raises(BlankTile, match="500"):
        layer_copy.write_copy(plan, tmp_path / "copy.tif", QgsFeedback())
    assert not (tmp_path / "copy.tif").exists()


def test_a_wanted_ground_sample_distance_is_met(tmp_path: Path) -> None:
    layer = QgsRasterLayer(str(rasters.make("lonlat", tmp_path / "raster.tif")), "lonlat")
    own = layer_copy.native_request(layer, None)
    assert (own.window.width, own.window.height) == (rasters.SIZE, rasters.SIZE)
    coarse = layer_copy.native_request(layer, None, gsd_m=2.0)
    assert coarse.gsd_m == pytest.approx(2.0, rel=0.02)
    assert layer_copy.native_request(layer, None, gsd_m=0.01).grid == own.grid  # never finer than the layer


def test_only_bytes_drawn_as_they_are_count_as_plain(tmp_path: Path) -> None:
    def layer(kind: str) -> QgsRasterLayer:
        return QgsRasterLayer(str(rasters.make(kind, tmp_path / f"{kind}.tif")), kind)

    assert layer_copy.is_plain_file(layer("utm"))
    assert not any(layer_copy.is_plain_file(layer(kind)) for kind in ("uint16", "paletted", "float_nodata"))


def test_a_layer_without_an_end_needs_an_extent(web_map: web_imagery.WebMap) -> None:
    with pytest.raises(EmptyExtent, match="ground sample distance"):
        layer_copy.native_request(
            web_map.wms_layer(), TileArea.rectangle(QgsRectangle(0, 0, 9, 9), QgsCoordinateReferenceSystem("EPSG:3857"))
        )


def test_a_copys_name_tells_its_display_apart(tmp_path: Path) -> None:
    layer = QgsRasterLayer(str(rasters.make("utm", tmp_path / "raster.tif")), "an ortho")
    request = layer_copy.native_request(layer, None)
    name = layer_copy.CopyPlan.of(layer, request).name
    assert name.startswith("an_ortho_")
    assert layer_copy.CopyPlan.of(layer, request).name == name
    layer.renderer().setRedBand(2)
    assert layer_copy.CopyPlan.of(layer, request).name != name
