"""Placement: a planted marker comes back where it lies, whatever the raster, the canvas and the project's CRS."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import rasters
from qgis.core import (
    QgsContrastEnhancement,
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsFeedback,
    QgsGeometry,
    QgsMapSettings,
    QgsPointXY,
    QgsProject,
    QgsRasterLayer,
    QgsRasterMinMaxOrigin,
    QgsRectangle,
)
from qgis.PyQt.QtCore import QSize

from rsground_plugin.core.errors import BlankTile, EmptyExtent, LayerGone, OutsideLayer, TileCancelled
from rsground_plugin.core.raster_tile import RasterTileData, TileArea, TileRequest, render

ROTATIONS = (0.0, 30.0, 90.0, -137.0)
#: The acceptance: a quarter of a tile pixel.
TOLERANCE_PX = 0.25


def settings(layer, *, crs=None, rotation=0.0, size=(500, 400), margin=1.0) -> QgsMapSettings:
    """A canvas that shows the layer."""
    result = QgsMapSettings()
    result.setDestinationCrs(layer.crs() if crs is None else QgsCoordinateReferenceSystem(crs))
    result.setOutputSize(QSize(*size))
    extent = layer.extent()
    if crs is not None:
        transform = QgsCoordinateTransform(layer.crs(), result.destinationCrs(), QgsProject.instance())
        extent = transform.transformBoundingBox(extent)
    extent.scale(margin)
    result.setExtent(extent)
    result.setRotation(rotation)
    return result


def tile_of(layer, map_settings, area=None, **more) -> RasterTileData:
    area = TileArea.visible(map_settings) if area is None else area
    return render(TileRequest.from_canvas(layer, area, map_settings, **more))


def marker_error_px(tile: RasterTileData, x: float, y: float) -> float:
    """How far the marker's centroid in the tile is from where it truly lies, in tile pixels."""
    pixels, geotransform, _ = rasters.read_tile(tile.geotiff)
    assert pixels.shape == (4, tile.height, tile.width)
    assert np.allclose(geotransform, tile.geotransform, rtol=0, atol=1e-9 * abs(geotransform[3]) + 1e-12)
    col, row = rasters.marker_in_tile(pixels)
    true_col, true_row = tile.affine.to_pixel(x, y)
    return float(np.hypot(col - true_col, row - true_row))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """kind -> layer, made once."""
    folder = tmp_path_factory.mktemp("rasters")
    layers = {}

    def layer(kind: str) -> QgsRasterLayer:
        if kind not in layers:
            layers[kind] = QgsRasterLayer(str(rasters.make(kind, folder / f"{kind}.tif")), kind)
            assert layers[kind].isValid()
            if kind == "rgbnir_16":
                # The usual cut of 2 % at both ends would cut the blob off: it is smaller than that.
                layers[kind].setContrastEnhancement(
                    QgsContrastEnhancement.ContrastEnhancementAlgorithm.StretchToMinimumMaximum,
                    QgsRasterMinMaxOrigin.Limits.MinMax,
                )
        return layers[kind]

    return layer


@pytest.mark.parametrize("rotation", ROTATIONS)
@pytest.mark.parametrize("kind", list(rasters.KINDS))
def test_a_planted_marker_comes_back_where_it_lies(made, record_property, kind, rotation):
    layer = made(kind)
    tile = tile_of(layer, settings(layer, rotation=rotation))
    error = marker_error_px(tile, *rasters.marker_position(kind))
    record_property("placement_error_px", round(error, 4))
    assert error < TOLERANCE_PX


@pytest.mark.parametrize("zoom", [0.37, 1.0, 1.6, 2.3, 3.1, 4.7])
@pytest.mark.parametrize("rotation", [0.0, 30.0])
def test_placement_holds_at_every_zoom(made, record_property, zoom, rotation):
    layer = made("utm")
    pixels = (round(rasters.SIZE / zoom), round(rasters.SIZE / zoom))
    tile = tile_of(layer, settings(layer, rotation=rotation, size=pixels))
    error = marker_error_px(tile, *rasters.marker_position("utm"))
    record_property("placement_error_px", round(error, 4))
    assert error < TOLERANCE_PX
    assert tile.gsd_m == pytest.approx(0.5 * max(1.0, zoom), rel=0.02)


@pytest.mark.parametrize(
    ("kind", "crs"),
    [
        ("utm", "EPSG:3857"),
        ("utm", "EPSG:4326"),
        ("lonlat", "EPSG:32633"),
        ("lonlat", "EPSG:3857"),
        ("web_mercator", "EPSG:4326"),
        ("web_mercator", "EPSG:32632"),
        ("south_up", "EPSG:3857"),
        ("rotated_sheared", "EPSG:3857"),
        ("antimeridian", "EPSG:3832"),
        ("no_crs", "EPSG:3857"),
    ],
)
@pytest.mark.parametrize("rotation", [0.0, 30.0, -137.0])
def test_the_project_may_have_another_crs(made, record_property, kind, crs, rotation):
    layer = made(kind)
    map_settings = settings(layer, crs=crs, rotation=rotation)
    tile = tile_of(layer, map_settings)
    assert tile.crs == layer.crs()
    error = marker_error_px(tile, *rasters.marker_position(kind))
    record_property("placement_error_px", round(error, 4))
    assert error < TOLERANCE_PX
    right, down = screen_directions(tile, layer, map_settings)
    assert right == pytest.approx(0.0, abs=0.2), "the tile's x axis is not the screen's right"
    if not (kind == "utm" and crs == "EPSG:4326" and rotation):
        assert down == pytest.approx(90.0, abs=0.2), "the tile's y axis is not the screen's bottom"


def screen_directions(tile, layer, map_settings):
    """Angles on the screen, in degrees clockwise from its right, of the tile's x and y axes at its centre."""
    transform = QgsCoordinateTransform(layer.crs(), map_settings.destinationCrs(), QgsProject.instance())
    to_screen = map_settings.mapToPixel()

    def on_screen(col, row):
        return to_screen.transform(transform.transform(QgsPointXY(*tile.affine.apply(col, row))))

    c, r = tile.width / 2, tile.height / 2
    middle = on_screen(c, r)
    angles = []
    for point in (on_screen(c + 5, r), on_screen(c, r + 5)):
        angles.append(float(np.degrees(np.arctan2(point.y() - middle.y(), point.x() - middle.x()))))
    return angles


def test_a_north_up_file_at_native_resolution_passes_pixel_for_pixel(made):
    layer = made("utm")
    pixels, geotransform, _ = rasters.read_tile(tile_of(layer, settings(layer)).geotiff)
    source = rasters.KINDS["utm"].make(rasters.blob())
    assert geotransform == rasters.KINDS["utm"].geotransform
    assert np.array_equal(pixels[:3], source)
    assert (pixels[3] == 255).all()


def test_a_virtual_raster_is_a_raster(made, tmp_path):
    from osgeo import gdal

    path = str(tmp_path / "virtual.vrt")
    gdal.BuildVRT(path, [made("utm").source()]).FlushCache()
    layer = QgsRasterLayer(path, "virtual")
    tile = tile_of(layer, settings(layer, rotation=30.0))
    assert marker_error_px(tile, *rasters.marker_position("utm")) < TOLERANCE_PX


def test_overviews_do_not_move_anything(made, tmp_path, record_property):
    from osgeo import gdal

    path = rasters.make("utm", tmp_path / "with_overviews.tif")
    dataset = gdal.Open(str(path), gdal.GA_Update)
    dataset.BuildOverviews("AVERAGE", [2, 4])
    dataset = None
    layer = QgsRasterLayer(str(path), "with overviews")
    for zoom in (2.0, 3.3, 4.0, 5.0):
        tile = tile_of(layer, settings(layer, size=(round(rasters.SIZE / zoom),) * 2))
        error = marker_error_px(tile, *rasters.marker_position("utm"))
        record_property(f"placement_error_px_{zoom}", round(error, 4))
        assert error < TOLERANCE_PX


def test_ground_pixels_are_square_where_degrees_are_not(made):
    layer = made("lonlat")
    tile = tile_of(layer, settings(layer))
    _, dx, _, _, _, dy = tile.geotransform
    assert dx / -dy == pytest.approx(1 / np.cos(np.radians(52.0)), rel=0.01)
    assert tile.gsd_m == pytest.approx(4e-6 * 111_320 * np.cos(np.radians(52.0)), rel=0.01)


def test_a_screen_of_twice_the_density_is_sampled_twice_as_fine(made):
    layer = made("utm")
    map_settings = settings(layer, size=(60, 60))
    assert tile_of(layer, map_settings).width == 60
    map_settings.setDevicePixelRatio(2.0)
    assert tile_of(layer, map_settings).width == 120


def test_stretch_opacity_and_filters(made):
    layer = made("uint16").clone()
    plain = rasters.read_tile(tile_of(layer, settings(layer)).geotiff)[0]
    assert plain[0].max() > 240, "16 bits are shown through the layer's stretch"
    assert plain[0].min() < 10
    layer.setOpacity(0.2)
    faint = rasters.read_tile(tile_of(layer, settings(layer)).geotiff)[0]
    assert np.array_equal(plain, faint), "opacity is for the map, the engine sees full colours"
    layer.brightnessFilter().setBrightness(80)
    brighter = rasters.read_tile(tile_of(layer, settings(layer)).geotiff)[0]
    assert brighter[0].mean() > plain[0].mean() + 30


def test_nodata_and_alpha_become_the_valid_band(made):
    layer = made("float_nodata")
    pixels, *_ = rasters.read_tile(tile_of(layer, settings(layer)).geotiff)
    assert (pixels[3][:, :30] == 0).all()
    assert (pixels[3][:, 30:] == 255).all()
    layer = made("rgba")
    pixels, *_ = rasters.read_tile(tile_of(layer, settings(layer)).geotiff)
    assert (pixels[3][-40:] == 0).all()
    assert (pixels[3][:-40] == 255).all()


def test_near_infrared_that_is_flagged_as_alpha_hides_nothing(made):
    layer = made("nir_as_alpha")
    assert layer.renderer().alphaBand() == 4, "the trap is set"
    tile = tile_of(layer, settings(layer))
    pixels, *_ = rasters.read_tile(tile.geotiff)
    assert (pixels[3] == 255).all()
    assert np.array_equal(pixels[:3], rasters.KINDS["utm"].make(rasters.blob()))
    assert any("alpha" in note for note in tile.notes)


def test_palette_colours_are_never_mixed(made):
    layer = made("paletted")
    pixels, *_ = rasters.read_tile(tile_of(layer, settings(layer, rotation=30.0)).geotiff)
    assert set(np.unique(pixels[0][pixels[3] > 0])) <= {17 * i for i in range(16)}


def test_the_tile_carries_its_crs(made):
    from osgeo import osr

    for kind, epsg in (("utm", "32633"), ("lonlat", "4326"), ("web_mercator", "3857")):
        wkt = rasters.read_tile(tile_of(made(kind), settings(made(kind))).geotiff)[2]
        assert osr.SpatialReference(wkt).GetAuthorityCode(None) == epsg
    tile = tile_of(made("no_crs"), settings(made("no_crs")))
    assert not tile.crs.isValid()
    assert tile.gsd_m is None
    assert rasters.read_tile(tile.geotiff)[2] == ""


def test_polygons_mask_what_lies_outside(made):
    layer = made("utm")
    centre = layer.extent().center()
    disc = QgsGeometry.fromPointXY(centre).buffer(20.0, 32)
    far = QgsGeometry.fromRect(QgsRectangle(500_005, 5_799_985, 500_015, 5_799_995))
    for rotation in (0.0, 30.0):
        map_settings = settings(layer, rotation=rotation)
        tile = tile_of(layer, map_settings, TileArea.polygons([disc, far], layer.crs()))
        pixels, *_ = rasters.read_tile(tile.geotiff)
        area = (pixels[3] > 0).sum() * tile.affine.determinant
        assert abs(area) == pytest.approx(disc.area() + far.area(), rel=0.01)
        col, row = tile.affine.to_pixel(centre.x(), centre.y())
        assert pixels[3][int(row), int(col)] == 255


def test_a_rectangle_on_a_rotated_canvas_is_filled_by_its_tile(made):
    layer = made("utm")
    map_settings = settings(layer, rotation=30.0)
    to_map = map_settings.mapToPixel()
    corners = [to_map.toMapCoordinates(x, y) for x, y in ((200, 150), (300, 150), (300, 250), (200, 250))]
    area = TileArea.rectangle(QgsGeometry.fromPolygonXY([corners]), map_settings.destinationCrs())
    tile = tile_of(layer, map_settings, area)
    expected = QgsGeometry.fromPolygonXY([corners])
    assert tile.extent.intersection(expected).area() == pytest.approx(expected.area(), rel=1e-3)
    assert tile.extent.area() == pytest.approx(expected.area(), rel=0.05)


def test_many_pixels_are_coarsened_and_it_is_said(made):
    layer = made("utm")
    tile = tile_of(layer, settings(layer), max_pixels=10_000)
    assert tile.width * tile.height <= 10_000
    assert tile.width * tile.height > 8_000
    assert any("coarser" in note for note in tile.notes)
    assert marker_error_px(tile, *rasters.marker_position("utm")) < TOLERANCE_PX


def test_areas_that_cannot_be_are_refused(made):
    layer = made("utm")
    map_settings = settings(layer)
    with pytest.raises(EmptyExtent):
        tile_of(layer, map_settings, TileArea.rectangle(QgsRectangle(5, 5, 5, 5), layer.crs()))
    with pytest.raises(EmptyExtent):
        tile_of(layer, map_settings, TileArea.rectangle(QgsGeometry(), layer.crs()))
    with pytest.raises(EmptyExtent):
        tile_of(layer, QgsMapSettings(), TileArea.rectangle(layer.extent(), layer.crs()))
    elsewhere = QgsRectangle(600_000, 5_700_000, 600_100, 5_700_100)
    with pytest.raises(OutsideLayer, match="utm"):
        tile_of(layer, map_settings, TileArea.rectangle(elsewhere, layer.crs()))
    antipodes = QgsRectangle(-170, -53, -169, -52)
    with pytest.raises(OutsideLayer):
        tile_of(layer, map_settings, TileArea.rectangle(antipodes, QgsCoordinateReferenceSystem("EPSG:4326")))


def test_layers_that_are_gone_are_refused(made, tmp_path):
    map_settings = settings(made("utm"))
    area = TileArea.visible(map_settings)
    with pytest.raises(LayerGone):
        tile_of(None, map_settings, area)
    with pytest.raises(LayerGone):
        tile_of(QgsRasterLayer(str(tmp_path / "missing.tif"), "missing"), map_settings, area)


def test_an_area_of_nodata_is_refused_with_its_reason(made):
    layer = made("float_nodata")
    g = rasters.KINDS["float_nodata"].geotransform
    left = QgsRectangle(g[0] + 1, g[3] - 100, g[0] + 10, g[3] - 20)
    with pytest.raises(BlankTile, match="nodata"):
        tile_of(layer, settings(layer), TileArea.rectangle(left, layer.crs()))


def test_the_layer_may_be_removed_between_request_and_rendering(tmp_path):
    layer = QgsRasterLayer(str(rasters.make("utm", tmp_path / "short_lived.tif")), "short-lived")
    request = TileRequest.from_canvas(layer, TileArea.visible(settings(layer)), settings(layer))
    del layer
    assert marker_error_px(render(request), *rasters.marker_position("utm")) < TOLERANCE_PX


def test_rendering_in_a_thread_and_cancelling(made):
    layer = made("utm")
    request = TileRequest.from_canvas(layer, TileArea.visible(settings(layer)), settings(layer))
    outcome = []
    thread = threading.Thread(target=lambda: outcome.append(render(request, QgsFeedback())))
    thread.start()
    thread.join(30)
    assert marker_error_px(outcome[0], *rasters.marker_position("utm")) < TOLERANCE_PX
    cancelled = QgsFeedback()
    cancelled.cancel()
    with pytest.raises(TileCancelled):
        render(request, cancelled)


def test_cancelling_in_the_middle_stops_soon(tmp_path):
    big = np.zeros((1, 6000, 6000), np.uint8)
    big[0, ::7] = 200
    path = rasters.write(tmp_path / "big.tif", big, (500_000.0, 0.5, 0.0, 5_800_000.0, 0.0, -0.5), 32633)
    layer = QgsRasterLayer(str(path), "big")
    map_settings = settings(layer, size=(6000, 6000))
    request = TileRequest.from_canvas(layer, TileArea.visible(map_settings), map_settings, max_pixels=40_000_000)
    feedback = QgsFeedback()
    feedback.progressChanged.connect(lambda _: feedback.cancel())  # as soon as the first strip is read
    with pytest.raises(TileCancelled):
        render(request, feedback)


#: Scenes that QGIS itself shows in one colour: by its default stretch, and by what they hold.
ONE_COLOUR = ("RGBA.uint16.tif", "cog_uint8_rgb_nodata.tif")


@pytest.mark.parametrize("rotation", [0.0, 30.0])
def test_every_real_scene_renders_or_says_why_not(scenes, rotation):
    """Real edge cases: gcps only, rotated without CRS, 16-bit alpha, float64, the antimeridian..."""
    rendered = 0
    for path in sorted(scenes.glob("*.tif")):
        layer = QgsRasterLayer(str(path), path.stem)
        assert layer.isValid(), path.name
        map_settings = settings(layer, rotation=rotation, size=(300, 300))
        if path.name in ONE_COLOUR:
            with pytest.raises(BlankTile, match="contrast"):
                tile_of(layer, map_settings)
            continue
        pixels, *_ = rasters.read_tile(tile_of(layer, map_settings).geotiff)
        assert (pixels[3] > 0).mean() > 0.05, path.name
        assert np.ptp(pixels[:3][:, pixels[3] > 0]) > 10, f"{path.name} came out in one colour"
        rendered += 1
    assert rendered >= 15
