"""Where pixels lie: a tile of imagery with its valid mask, affine and CRS, from bytes or from a file."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.errors import CRSError, NotGeoreferencedWarning, RasterioError
from rasterio.io import DatasetReader, MemoryFile
from rasterio.transform import Affine, from_gcps
from rasterio.warp import transform_bounds
from rasterio.windows import Window

from inference_server.display import display_bands, displayed, near_infrared, valid_pixels
from inference_server.errors import EmptyTile, InvalidTile

#: A tile with more pixels is refused: an engine's memory grows with it.
MAX_TILE_PIXELS = 64_000_000
#: What the command line reads of a file at once; a larger extent is read coarser.
MAX_WINDOW_PIXELS = 2048 * 2048
_TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
#: Nothing beside the bytes or the file named is looked at, and nothing remote.
_GDAL_OPTIONS = {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR", "GDAL_CACHEMAX": 128}


@dataclass(frozen=True)
class RasterTile:
    """What an engine sees, and where it lies.

    Attributes:
        rgb: (3, row, col) uint8, the displayed colours.
        valid: (row, col) bool, False where there is no data.
        affine: pixel edges (col, row) -> coordinates in ``crs``.
        crs: None when the source has none.
        nir: (row, col) float32 reflectance-like in [0, 1] when the source has a near-infrared band, else None.
        told_gsd_m: metres a pixel as the user says, for where the CRS does not.
    """

    rgb: NDArray[np.uint8]
    valid: NDArray[np.bool_]
    affine: Affine
    crs: CRS | None = None
    nir: NDArray[np.float32] | None = None
    told_gsd_m: float | None = None

    @property
    def height(self) -> int:
        return int(self.rgb.shape[1])

    @property
    def width(self) -> int:
        return int(self.rgb.shape[2])


def read_tile(data: bytes, *, max_pixels: int = MAX_TILE_PIXELS) -> RasterTile:
    """The tile in a GeoTIFF's bytes, as the plugin sends it.

    Args:
        data: a whole GeoTIFF; 8-bit RGB with an alpha band, a mask or a nodata value as it is, others stretched.
        max_pixels: a larger tile is refused.

    Raises:
        InvalidTile: the bytes are no GeoTIFF, are cut off, or hold too many pixels.
        EmptyTile: no pixel of it is valid.
    """
    if not data:
        raise InvalidTile("The tile is empty: expected the bytes of a GeoTIFF, got none.", field="tile")
    if data[:4] not in _TIFF_MAGIC:
        raise InvalidTile(f"The tile is not a TIFF: it starts with {data[:4]!r}. Send a GeoTIFF.", field="tile")
    try:
        # Only the GTiff driver: a VRT in the bytes could name any file of this machine.
        with rasterio.Env(**_GDAL_OPTIONS), MemoryFile(data) as memory, open_raster(memory) as dataset:
            if dataset.width * dataset.height > max_pixels:
                raise InvalidTile(
                    f"The tile has {dataset.width} x {dataset.height} pixels; at most {max_pixels} are taken. "
                    "Choose a smaller area.",
                    field="tile",
                )
            return _read(dataset, Window(0, 0, dataset.width, dataset.height), max_pixels=max_pixels)
    except (RasterioError, ValueError) as error:
        raise InvalidTile(f"The tile could not be read, it may be cut off: {error}", field="tile") from error


def read_window(
    path: str | Path,
    extent: Sequence[float] | None = None,
    *,
    extent_crs: str | None = None,
    max_pixels: int = MAX_WINDOW_PIXELS,
    pixel_size_m: float | None = None,
) -> RasterTile:
    """What a user would see of a raster file, or of a part of it.

    Args:
        path: anything that rasterio opens.
        extent: x_min, y_min, x_max, y_max; the whole raster when None. Of a rotated raster the pixels that touch it.
        extent_crs: the extent's CRS, such as "EPSG:4326"; the raster's own when None.
        max_pixels: a larger window is read coarser, through the overviews where there are any.
        pixel_size_m: metres a pixel of the raster, as the user says; believed where it has no CRS.

    Raises:
        InvalidTile: the file is no raster, the extent lies outside it, or the pixel size is none.
        EmptyTile: no pixel there is valid.
    """
    if pixel_size_m is not None and not (math.isfinite(pixel_size_m) and pixel_size_m > 0):
        raise InvalidTile(f"pixel size: expected metres above 0, got {pixel_size_m}", field="pixel_size_m")
    try:
        with rasterio.Env(GDAL_CACHEMAX=128), open_raster(path) as dataset:
            affine, crs = placed(dataset)
            window = Window(0, 0, dataset.width, dataset.height)
            if extent is not None:
                window = _window(dataset, affine, _in_crs(extent, extent_crs, crs))
            return _read(dataset, window, max_pixels=max_pixels, pixel_size_m=pixel_size_m)
    except (RasterioError, ValueError) as error:
        raise InvalidTile(f"{path} could not be read as a raster: {error}", field="tile") from error


def open_raster(source: str | Path | MemoryFile) -> DatasetReader:
    """An open raster, with or without a place; the caller closes it."""
    with warnings.catch_warnings():
        # A raster without a place is welcome: its results are in pixels.
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        if isinstance(source, MemoryFile):
            return source.open(driver="GTiff")
        return rasterio.open(source)


def _read(dataset: DatasetReader, window: Window, *, max_pixels: int, pixel_size_m: float | None = None) -> RasterTile:
    shrink = max(1.0, math.sqrt(window.width * window.height / max_pixels))
    height, width = max(1, int(window.height / shrink)), max(1, int(window.width / shrink))
    affine, crs = placed(dataset)
    if affine.is_degenerate:
        raise InvalidTile(f"The raster's geotransform has no area: {tuple(affine)[:6]}", field="tile")
    bands = display_bands(dataset)
    shape = (height, width)
    resampling = Resampling.average if shrink > 1 and not bands.is_paletted else Resampling.nearest
    indexes = [*bands.rgb, *([bands.nir] if bands.nir else [])]
    pixels = dataset.read(indexes, window=window, out_shape=(len(indexes), *shape), resampling=resampling)
    valid = valid_pixels(dataset, bands, pixels, window)
    if not valid.any():
        raise EmptyTile(
            "The area holds no data: every pixel is nodata or transparent. Move to where the raster has pixels.",
            field="tile",
        )
    return RasterTile(
        rgb=displayed(dataset, bands, pixels[: len(bands.rgb)], valid),
        valid=valid,
        affine=affine * Affine.translation(window.col_off, window.row_off) * _scale(window, width, height),
        crs=crs,
        nir=near_infrared(pixels[-1], valid) if bands.nir else None,
        told_gsd_m=pixel_size_m and pixel_size_m * math.sqrt(window.width * window.height / (width * height)),
    )


def _scale(window: Window, width: int, height: int) -> Affine:
    # An exact identity where nothing is decimated.
    return Affine.scale(window.width / width, window.height / height)


def placed(dataset: DatasetReader) -> tuple[Affine, CRS | None]:
    """Affine and CRS; from the ground control points (least squares) where there is no geotransform."""
    points, points_crs = dataset.gcps
    if points and dataset.transform.is_identity:
        return from_gcps(points), points_crs
    # Without any georeference GDAL gives the identity up to the sign of y: x is the column, y the row.
    affine = dataset.transform
    if dataset.crs is None and tuple(affine)[:6] == (1.0, 0.0, 0.0, 0.0, 1.0, 0.0):
        affine = Affine.identity()
    return affine, dataset.crs


def _in_crs(extent: Sequence[float], extent_crs: str | None, crs: CRS | None) -> Sequence[float]:
    x_min, y_min, x_max, y_max = extent
    if not (all(map(math.isfinite, extent)) and x_min < x_max and y_min < y_max):
        raise InvalidTile(f"extent: expected x_min < x_max and y_min < y_max, got {tuple(extent)}", field="extent")
    if extent_crs is None:
        return extent
    if crs is None:
        raise InvalidTile("The raster has no CRS: give the extent in its own coordinates.", field="extent")
    try:
        source = CRS.from_user_input(extent_crs)
    except CRSError as error:
        raise InvalidTile(
            f"extent CRS: expected one such as EPSG:4326, got {extent_crs!r}: {error}", field="extent"
        ) from error
    return extent if source == crs else transform_bounds(source, crs, *extent, densify_pts=21)


def _window(dataset: DatasetReader, affine: Affine, extent: Sequence[float]) -> Window:
    """The pixels that the extent touches, at least one, within the raster."""
    x_min, y_min, x_max, y_max = extent
    back = ~affine
    corners = [back * corner for corner in ((x_min, y_min), (x_min, y_max), (x_max, y_min), (x_max, y_max))]
    # A millionth of a pixel beyond an edge is a rounding error, not another pixel.
    left, top = (max(0, math.floor(min(c[i] for c in corners) + 1e-6)) for i in (0, 1))
    right = min(dataset.width, math.ceil(max(c[0] for c in corners) - 1e-6))
    bottom = min(dataset.height, math.ceil(max(c[1] for c in corners) - 1e-6))
    if left >= right or top >= bottom:
        width, height = dataset.width, dataset.height
        xs, ys = zip(*(affine * corner for corner in ((0, 0), (0, height), (width, 0), (width, height))), strict=True)
        raise InvalidTile(
            f"The extent {tuple(extent)} lies outside the raster, which covers "
            f"{min(xs):.10g},{min(ys):.10g},{max(xs):.10g},{max(ys):.10g}.",
            field="extent",
        )
    return Window(left, top, right - left, bottom - top)
