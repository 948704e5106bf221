"""Generated rasters with a planted marker, one for each property that placement could break on.

The marker is a bright Gaussian blob on a dark ground; its centre is known in map coordinates to a fraction of a pixel.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import numpy as np
from osgeo import gdal, osr

SIZE = 240
#: Where the blob lies, in the raster's own pixels (edges), away from the middle and between pixels.
MARKER_COL, MARKER_ROW = 141.3, 97.65
SIGMA = 4.0


@dataclass(frozen=True)
class Kind:
    """A raster to make.

    Attributes:
        geotransform: GDAL's.
        epsg: None for no CRS.
        make: (row, col) float in [0, 1] -> (band, row, col) array.
        finish: sets what the driver needs on the dataset (nodata, palette, alpha).
    """

    geotransform: tuple[float, float, float, float, float, float]
    epsg: int | None
    make: Callable[[np.ndarray], np.ndarray]
    finish: Callable[[gdal.Dataset], None] = lambda dataset: None


def blob() -> np.ndarray:
    """(row, col) float: 1 at the marker, 0 far from it."""
    rows, cols = np.mgrid[0:SIZE, 0:SIZE] + 0.5
    return np.exp(-((cols - MARKER_COL) ** 2 + (rows - MARKER_ROW) ** 2) / (2 * SIGMA**2))


def _rgb(b: np.ndarray) -> np.ndarray:
    return np.stack([20 + 220 * b] * 3).round().astype(np.uint8)


def _uint16(b: np.ndarray) -> np.ndarray:
    return (300 + 2200 * b).round().astype(np.uint16)[None]


def _float_with_nodata(b: np.ndarray) -> np.ndarray:
    values = (0.1 + 0.7 * b).astype(np.float32)
    values[:, :30] = -9999.0
    return values[None]


def _paletted(b: np.ndarray) -> np.ndarray:
    return (b * 15.99).astype(np.uint8)[None]


def _set_palette(dataset: gdal.Dataset) -> None:
    table = gdal.ColorTable()
    for i in range(16):
        table.SetColorEntry(i, (17 * i, 17 * i, 17 * i, 255))
    dataset.GetRasterBand(1).SetRasterColorTable(table)


def _rgba(b: np.ndarray) -> np.ndarray:
    alpha = np.full((SIZE, SIZE), 255, np.uint8)
    alpha[-40:] = 0
    return np.concatenate([_rgb(b), alpha[None]])


def _rgbnir(b: np.ndarray) -> np.ndarray:
    return np.concatenate([(300 + 2200 * b).round().astype(np.uint16)[None]] * 4)


def _nodata(value: float) -> Callable[[gdal.Dataset], None]:
    def finish(dataset: gdal.Dataset) -> None:
        for band in range(1, dataset.RasterCount + 1):
            dataset.GetRasterBand(band).SetNoDataValue(value)

    return finish


def _interpret(*colours: int) -> Callable[[gdal.Dataset], None]:
    def finish(dataset: gdal.Dataset) -> None:
        for band, colour in enumerate(colours, start=1):
            dataset.GetRasterBand(band).SetColorInterpretation(colour)

    return finish


_RED_GREEN_BLUE = (gdal.GCI_RedBand, gdal.GCI_GreenBand, gdal.GCI_BlueBand)
_UTM = (500_000.0, 0.5, 0.0, 5_800_000.0, 0.0, -0.5)


def _rotated(angle: float, size: float, shear: float) -> tuple[float, float, float, float, float, float]:
    a = math.radians(angle)
    return (
        500_000.0,
        size * math.cos(a),
        size * (math.sin(a) + shear * math.cos(a)),
        5_800_000.0,
        size * math.sin(a),
        -size * (math.cos(a) - shear * math.sin(a)),
    )


KINDS: dict[str, Kind] = {
    "utm": Kind(_UTM, 32633, _rgb, _interpret(*_RED_GREEN_BLUE)),
    "lonlat": Kind((13.0, 4e-6, 0.0, 52.0, 0.0, -4e-6), 4326, _rgb, _interpret(*_RED_GREEN_BLUE)),
    "web_mercator": Kind((1_500_000.0, 0.6, 0.0, 6_800_000.0, 0.0, -0.6), 3857, _rgb, _interpret(*_RED_GREEN_BLUE)),
    "no_crs": Kind((1000.0, 0.25, 0.0, 2000.0, 0.0, -0.25), None, _rgb, _interpret(*_RED_GREEN_BLUE)),
    "south_up": Kind((500_000.0, 0.5, 0.0, 5_800_000.0, 0.0, 0.5), 32633, _rgb, _interpret(*_RED_GREEN_BLUE)),
    "rotated": Kind(_rotated(25.0, 0.5, 0.0), 32633, _rgb, _interpret(*_RED_GREEN_BLUE)),
    "rotated_sheared": Kind(_rotated(-40.0, 0.5, 0.2), 32633, _rgb, _interpret(*_RED_GREEN_BLUE)),
    "rotated_no_crs": Kind(_rotated(15.0, 0.5, 0.1), None, _rgb, _interpret(*_RED_GREEN_BLUE)),
    "oblong_pixels": Kind((500_000.0, 0.5, 0.0, 5_800_000.0, 0.0, -0.8), 32633, _rgb, _interpret(*_RED_GREEN_BLUE)),
    "uint16": Kind(_UTM, 32633, _uint16),
    "paletted": Kind(_UTM, 32633, _paletted, _set_palette),
    "float_nodata": Kind(_UTM, 32633, _float_with_nodata, _nodata(-9999.0)),
    "rgba": Kind(_UTM, 32633, _rgba, _interpret(*_RED_GREEN_BLUE, gdal.GCI_AlphaBand)),
    "rgbnir_16": Kind(_UTM, 32633, _rgbnir, _interpret(*_RED_GREEN_BLUE, gdal.GCI_Undefined)),
    "nir_as_alpha": Kind(
        _UTM,
        32633,
        lambda b: np.concatenate([_rgb(b), (60 + 100 * b).astype(np.uint8)[None]]),
        _interpret(*_RED_GREEN_BLUE, gdal.GCI_AlphaBand),
    ),
    "antimeridian": Kind((179.9996, 4e-6, 0.0, -17.0, 0.0, -4e-6), 4326, _rgb, _interpret(*_RED_GREEN_BLUE)),
}


def make(kind: str, path: Path) -> Path:
    """Writes the raster of a kind as GeoTIFF."""
    spec = KINDS[kind]
    return write(path, spec.make(blob()), spec.geotransform, spec.epsg, spec.finish)


def write(
    path: Path,
    bands: np.ndarray,
    geotransform: tuple[float, ...],
    epsg: int | None,
    finish: Callable[[gdal.Dataset], None] = lambda dataset: None,
) -> Path:
    """Writes (band, row, col) as GeoTIFF."""
    types = {"uint8": gdal.GDT_Byte, "uint16": gdal.GDT_UInt16, "float32": gdal.GDT_Float32}
    count, height, width = bands.shape
    dataset = gdal.GetDriverByName("GTiff").Create(str(path), width, height, count, types[bands.dtype.name])
    dataset.SetGeoTransform(geotransform)
    if epsg is not None:
        reference = osr.SpatialReference()
        reference.ImportFromEPSG(epsg)
        dataset.SetSpatialRef(reference)
    finish(dataset)
    for i in range(count):
        dataset.GetRasterBand(i + 1).WriteArray(bands[i])
    dataset.FlushCache()
    return path


def marker_position(kind: str) -> tuple[float, float]:
    """The blob's centre in the raster's coordinates."""
    g = KINDS[kind].geotransform
    return (g[0] + g[1] * MARKER_COL + g[2] * MARKER_ROW, g[3] + g[4] * MARKER_COL + g[5] * MARKER_ROW)


def read_tile(geotiff: bytes) -> tuple[np.ndarray, tuple[float, ...], str]:
    """(band, row, col), geotransform and WKT of a tile's bytes, as any GDAL reads them."""
    path = "/vsimem/tile_under_test.tif"
    gdal.FileFromMemBuffer(path, geotiff)
    try:
        dataset = gdal.Open(path)
        return dataset.ReadAsArray(), dataset.GetGeoTransform(), dataset.GetProjection()
    finally:
        gdal.Unlink(path)


def marker_in_tile(pixels: np.ndarray) -> tuple[float, float]:
    """(col, row) on pixel edges of the blob's centroid in a tile of 4 bands.

    Bright pixels only, and weighted by how bright: what lies outside of the layer is 0 and takes no part.
    """
    grey = pixels[:3].astype(float).mean(axis=0)
    valid = pixels[3] > 0
    ground = np.median(grey[valid])
    weight = np.where(valid, np.clip(grey - ground - 0.3 * (grey.max() - ground), 0, None), 0)
    rows, cols = np.mgrid[0 : grey.shape[0], 0 : grey.shape[1]] + 0.5
    return float((weight * cols).sum() / weight.sum()), float((weight * rows).sum() / weight.sum())
