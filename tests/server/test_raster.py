"""Rasters of every kind: what a user would see of them, and exactly where."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.enums import ColorInterp
from rasterio.io import MemoryFile
from rasterio.transform import Affine

from inference_server.errors import EmptyTile, InvalidTile
from inference_server.placement import Placement
from inference_server.raster import read_tile, read_window

SCENES = Path(__file__).resolve().parents[3] / "shared" / "data" / "scenes"
UTM = CRS.from_epsg(32631)
NORTH_UP = Affine(0.5, 0, 500_000, 0, -0.5, 5_500_000)
needs_scenes = pytest.mark.skipif(not SCENES.is_dir(), reason=f"real imagery is missing: {SCENES}")


def tiff(pixels, *, affine=NORTH_UP, crs=UTM, colors=None, names=(), palette=None, mask=None, gcps=None, **profile):
    """The bytes of a GeoTIFF with those (band, row, col) pixels."""
    count, height, width = pixels.shape
    profile = {"driver": "GTiff", "count": count, "height": height, "width": width, "dtype": pixels.dtype, **profile}
    if gcps is None:
        profile |= {"transform": affine, "crs": crs}
    with MemoryFile() as memory:
        with memory.open(**profile) as dataset:
            if gcps is not None:
                dataset.gcps = (gcps, crs)
            if colors is not None:
                dataset.colorinterp = colors
            if palette is not None:
                dataset.write_colormap(1, palette)
            dataset.write(pixels)
            for i, name in enumerate(names, start=1):
                dataset.set_band_description(i, name)
            if mask is not None:
                dataset.write_mask(mask)
        return bytes(memory.read())


def noise(count=3, height=20, width=30, dtype=np.uint8, high=250, seed=0):
    return np.random.default_rng(seed).integers(1, high, (count, height, width)).astype(dtype)


@pytest.fixture
def raster_file(tmp_path):
    def write(data, name="raster.tif"):
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write


# -- pixels -----------------------------------------------------------------------------------------


def test_8_bit_colours_stay_as_they_are():
    pixels = noise()
    tile = read_tile(tiff(pixels))
    assert np.array_equal(tile.rgb, pixels)
    assert tile.valid.all()
    assert tile.nir is None
    assert (tile.height, tile.width) == (20, 30)


def test_bands_are_found_by_their_colour():
    pixels = noise()
    tile = read_tile(tiff(pixels, colors=[ColorInterp.blue, ColorInterp.green, ColorInterp.red]))
    assert np.array_equal(tile.rgb, pixels[::-1])


def test_bands_are_found_by_their_names():
    pixels = noise(4)
    data = tiff(pixels, names=("Blue", "Green", "Red", "NIR"), colors=[ColorInterp.gray] + [ColorInterp.undefined] * 3)
    tile = read_tile(data)
    assert np.array_equal(tile.rgb, pixels[2::-1])
    assert np.allclose(tile.nir, pixels[3] / 255)


@pytest.mark.parametrize(("dtype", "scale"), [(np.uint16, 30), (np.int16, 15), (np.float32, 1e-3), (np.float64, 1e6)])
def test_other_types_are_stretched_between_their_percentiles(dtype, scale):
    pixels = (np.arange(3 * 50 * 40).reshape(3, 50, 40) % 2000 * scale).astype(dtype)
    tile = read_tile(tiff(pixels))
    assert tile.rgb.min() == 0
    assert tile.rgb.max() == 255
    assert 0.02 <= (tile.rgb[0] == 255).mean() <= 0.04
    middle = np.median(tile.rgb[0])
    assert 120 <= middle <= 135


def test_one_band_is_shown_in_grey():
    tile = read_tile(tiff(noise(1)))
    assert np.array_equal(tile.rgb[0], tile.rgb[1])
    assert np.array_equal(tile.rgb[0], tile.rgb[2])
    assert np.ptp(tile.rgb) == 255


def test_a_constant_band_is_shown_in_the_middle():
    assert read_tile(tiff(np.full((1, 4, 4), 77, np.uint16))).rgb.max() in (127, 128)


def test_a_palette_is_shown_in_its_colours():
    palette = {0: (255, 0, 0, 255), 1: (0, 0, 255, 255)}
    tile = read_tile(tiff(np.array([[[0, 1], [1, 0]]], np.uint8), palette=palette))
    assert tile.rgb[:, 0, 0].tolist() == [255, 0, 0]
    assert tile.rgb[:, 0, 1].tolist() == [0, 0, 255]


RGBA = [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha]


@pytest.mark.parametrize(("dtype", "opaque"), [(np.uint8, 255), (np.uint16, 255), (np.uint16, 65535)])
def test_an_alpha_band_says_where_data_are(dtype, opaque):
    pixels = noise(4, dtype=dtype)
    pixels[3] = opaque
    pixels[3, :5] = 0
    tile = read_tile(tiff(pixels, colors=RGBA))
    assert not tile.valid[:5].any()
    assert tile.valid[5:].all()
    assert not tile.rgb[:, :5].any()
    assert tile.nir is None


def test_near_infrared_flagged_as_alpha_is_near_infrared():
    pixels = noise(4)
    pixels[3, :2] = 0
    tile = read_tile(tiff(pixels, colors=RGBA))
    assert tile.valid.all()
    assert np.allclose(tile.nir, pixels[3] / 255)


def test_16_bit_near_infrared_is_stretched():
    tile = read_tile(tiff(noise(4, dtype=np.uint16, high=9000), colors=RGBA))
    assert tile.nir.min() == 0
    assert tile.nir.max() == 1
    assert tile.nir.dtype == np.float32


def test_a_nodata_value_is_invalid_where_all_bands_have_it():
    pixels = noise(3, dtype=np.int16)
    pixels[:, 3, 4] = -9999
    pixels[0, 5, 6] = -9999
    tile = read_tile(tiff(pixels, nodata=-9999))
    assert not tile.valid[3, 4]
    assert tile.valid.sum() == tile.valid.size - 1


def test_an_internal_mask_says_where_data_are():
    mask = np.full((20, 30), 255, np.uint8)
    mask[:, 10:] = 0
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        data = tiff(noise(), mask=mask)
    assert np.array_equal(read_tile(data).valid, mask > 0)


def test_not_a_number_is_no_data():
    pixels = noise(1, dtype=np.float32)
    pixels[0, :10] = np.nan
    pixels[0, 11, 11] = np.inf
    tile = read_tile(tiff(pixels))
    assert not tile.valid[:10].any()
    assert not tile.valid[11, 11]
    assert tile.valid.sum() == 10 * 30 - 1


# -- faults -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"\x89PNG and so on", "not a TIFF"),
        (b"<VRTDataset><VRTRasterBand/></VRTDataset>", "not a TIFF"),
        (tiff(noise())[:60], "cut off"),
        (tiff(noise(height=300, width=300))[:-100_000], "cut off"),
        (b"II*\0" + bytes(range(200)), "cut off"),
    ],
)
def test_a_malformed_tile_is_named(data, says):
    with pytest.raises(InvalidTile, match=says) as caught:
        read_tile(data)
    assert caught.value.field == "tile"


@pytest.mark.parametrize("profile", [{"nodata": 0}, {"colors": RGBA}])
def test_a_tile_without_data_is_empty(profile):
    count = 4 if "colors" in profile else 3
    with pytest.raises(EmptyTile, match="holds no data"):
        read_tile(tiff(np.zeros((count, 9, 9), np.uint8), **profile))


def test_a_tile_with_too_many_pixels_is_refused_before_it_is_read():
    with pytest.raises(InvalidTile, match="30 x 20 pixels"):
        read_tile(tiff(noise()), max_pixels=500)


def test_a_file_that_is_no_raster(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing to see")
    for name in ("notes.txt", "missing.tif"):
        with pytest.raises(InvalidTile, match=name):
            read_window(tmp_path / name)


# -- place ------------------------------------------------------------------------------------------

steps = st.floats(-10, 10).filter(lambda v: abs(v) > 1e-3)
affines = st.builds(
    Affine, steps, st.floats(-5, 5), st.floats(-1e6, 1e6), st.floats(-5, 5), steps, st.floats(-1e7, 1e7)
).filter(lambda a: abs(a.determinant) > 1e-3)


@settings(max_examples=40)
@given(affines, st.sampled_from([None, 32631, 4326, 3857]))
def test_any_affine_survives_the_bytes_within_a_hundredth_pixel(affine, epsg):
    crs = None if epsg is None else CRS.from_epsg(epsg)
    tile = read_tile(tiff(noise(1, 4, 6), affine=affine, crs=crs))
    back = ~affine
    for corner in ((0, 0), (6, 0), (0, 4), (6, 4)):
        assert back * (tile.affine * corner) == pytest.approx(corner, abs=0.01)
    assert Placement(tile.affine, tile.crs).crs_text == (None if epsg is None else f"EPSG:{epsg}")


def test_ground_control_points_place_a_raster(raster_file):
    gcps = [
        GroundControlPoint(row, col, 10 + col * 0.1 + row * 0.02, 50 - row * 0.1)
        for row in (0, 20)
        for col in (0, 15, 30)
    ]
    path = raster_file(tiff(noise(), gcps=gcps, crs=CRS.from_epsg(4326)))
    tile = read_window(path)
    assert tile.affine * (30, 20) == pytest.approx((13.4, 48))
    assert tile.crs == CRS.from_epsg(4326)


@pytest.mark.parametrize("driver", ["PNG", "JPEG"])
def test_a_plain_picture_has_pixel_coordinates(tmp_path, driver):
    path = tmp_path / f"picture.{driver.lower()}"
    with rasterio.open(path, "w", driver=driver, width=30, height=20, count=3, dtype=np.uint8) as dataset:
        dataset.write(noise())
    tile = read_window(path)
    assert tile.affine == Affine.identity()
    assert tile.crs is None
    assert tile.rgb.shape == (3, 20, 30)


def test_an_extent_is_the_pixels_it_touches(raster_file):
    pixels = noise()
    path = raster_file(tiff(pixels))
    tile = read_window(path, (500_002.0, 5_499_995.2, 500_005.1, 5_499_998.0))
    assert tile.rgb.shape == (3, 6, 7)
    assert np.array_equal(tile.rgb, pixels[:, 4:10, 4:11])
    assert tile.affine * (0, 0) == (500_002, 5_499_998)


def test_an_extent_larger_than_the_raster_is_cut(raster_file):
    path = raster_file(tiff(noise()))
    assert read_window(path, (0, 0, 1e7, 1e7)).rgb.shape == (3, 20, 30)


def test_an_extent_in_another_crs(raster_file):
    path = raster_file(tiff(noise()))
    whole = read_window(path)
    placement = Placement(whole.affine, whole.crs)
    (west, south), (east, north) = placement.to_lonlat(np.array([(10.0, 15.0), (20.0, 5.0)]))
    tile = read_window(path, (west, south, east, north), extent_crs="EPSG:4326")
    assert abs(tile.width - 10) <= 2
    assert abs(tile.height - 10) <= 2
    assert ~whole.affine * (tile.affine * (0, 0)) == pytest.approx((10, 5), abs=1.01)


@pytest.mark.parametrize(
    ("extent", "says"),
    [((0, 0, 1, 1), "outside the raster, which covers 500000,5499990,500015,5500000"), ((5, 5, 1, 9), "x_min < x_max")],
)
def test_a_wrong_extent_is_named(raster_file, extent, says):
    with pytest.raises(InvalidTile, match=says) as caught:
        read_window(raster_file(tiff(noise())), extent)
    assert caught.value.field == "extent"


def test_a_rotated_raster_is_cut_by_the_extents_corners(raster_file):
    affine = NORTH_UP * Affine.rotation(30)
    path = raster_file(tiff(noise(height=60, width=60), affine=affine))
    x, y = affine * (30, 30)
    tile = read_window(path, (x - 2, y - 2, x + 2, y + 2))
    for corner in ((-2, -2), (-2, 2), (2, -2), (2, 2)):
        column, row = ~tile.affine * (x + corner[0], y + corner[1])
        assert 0 <= column <= tile.width
        assert 0 <= row <= tile.height
    assert ~affine * (tile.affine * (0, 0)) == pytest.approx(
        [round(v) for v in ~affine * (tile.affine * (0, 0))], abs=1e-6
    )


def test_a_large_window_is_read_coarser_and_stays_in_place(raster_file):
    path = raster_file(tiff(noise(height=200, width=310)))
    tile = read_window(path, max_pixels=10_000)
    assert tile.width * tile.height <= 10_000
    assert tile.affine * (tile.width, tile.height) == pytest.approx(NORTH_UP * (310, 200))
    assert tile.affine * (0, 0) == NORTH_UP * (0, 0)


def test_a_coarser_reading_keeps_a_marker_in_its_place(raster_file):
    pixels = np.zeros((3, 400, 400), np.uint8)
    pixels[:, 100:140, 220:260] = 255
    tile = read_window(raster_file(tiff(pixels)), max_pixels=100 * 100)
    rows, cols = np.nonzero(tile.rgb[0] > 127)
    center = tile.affine * (cols.mean() + 0.5, rows.mean() + 0.5)
    assert ~NORTH_UP * center == pytest.approx((240, 120), abs=1.0)


# -- real files -------------------------------------------------------------------------------------


@needs_scenes
@pytest.mark.parametrize("path", sorted(SCENES.glob("*.tif")) if SCENES.is_dir() else [], ids=lambda p: p.name[:24])
def test_every_real_scene_is_read(path):
    tile = read_window(path, max_pixels=500_000)
    assert tile.rgb.shape == (3, *tile.valid.shape)
    assert tile.width * tile.height <= 500_000
    assert not tile.affine.is_degenerate
    with rasterio.open(path) as dataset:
        if not dataset.transform.is_identity:
            expected = dataset.transform * (dataset.width, dataset.height)
            assert ~dataset.transform * (tile.affine * (tile.width, tile.height)) == pytest.approx(
                ~dataset.transform * expected, abs=0.01
            )


@needs_scenes
@pytest.mark.parametrize(
    ("name", "share"),
    [("pix4d_alpha_nodata.tif", 0.876), ("RGBA.uint16.tif", 0.489), ("TCI.tif", 0.74), ("B01.tif", 0.741)],
)
def test_where_real_scenes_have_data(name, share):
    assert read_window(SCENES / name).valid.mean() == pytest.approx(share, abs=0.01)


@needs_scenes
def test_a_real_scene_of_ground_control_points_is_placed():
    tile = read_window(SCENES / "cog_gcps.tif")
    lon, lat = tile.affine * (tile.width / 2, tile.height / 2)
    assert -180 <= lon <= 180
    assert -90 <= lat <= 90
    assert Placement(tile.affine, tile.crs).gsd_m(tile.width, tile.height) == pytest.approx(200, rel=0.05)


@pytest.mark.parametrize("size", [0.0, -1.0, float("nan"), float("inf")])
def test_a_pixel_size_that_is_none_is_refused(tmp_path, size):
    with pytest.raises(InvalidTile, match="expected metres above 0"):
        read_window(tmp_path / "any.tif", pixel_size_m=size)
