"""A tile as a GeoTIFF in memory: four bands of 8 bits, red, green, blue and valid."""

from __future__ import annotations

import uuid
from typing import Any, Optional, Tuple

import numpy as np
from osgeo import gdal, osr
from qgis.core import QgsCoordinateReferenceSystem

from .errors import TileError


def encode(rgba: Any, geotransform: Tuple[float, ...], crs: QgsCoordinateReferenceSystem) -> bytes:
    """The GeoTIFF's bytes.

    Args:
        rgba: (row, col, 4) uint8; band 4 is 255 where the tile shows something, else 0.
        geotransform: GDAL's six numbers, rotation and shear included.
        crs: of the geotransform; an invalid one for none.

    Raises:
        TileError: GDAL could not write it.
    """
    path = f"/vsimem/rsground_{uuid.uuid4().hex}.tif"
    try:
        _write(path, rgba, geotransform, spatial_reference(crs))
        return _content(path)
    except RuntimeError as error:  # GDAL's, when some plugin has switched its exceptions on
        raise TileError(f"GDAL could not write the tile: {error}") from error
    finally:
        for leftover in (path, path + ".aux.xml"):
            if gdal.VSIStatL(leftover) is not None:
                gdal.Unlink(leftover)


def _write(path: str, rgba: Any, geotransform: Tuple[float, ...], reference: Optional[osr.SpatialReference]) -> None:
    rgba = np.ascontiguousarray(rgba)
    height, width = rgba.shape[:2]
    # Uncompressed: it only travels over loopback, and compressing costs more than sending.
    options = ["INTERLEAVE=PIXEL", "PHOTOMETRIC=RGB", "ALPHA=NON-PREMULTIPLIED", "BIGTIFF=IF_SAFER", "BLOCKYSIZE=64"]
    dataset = gdal.GetDriverByName("GTiff").Create(path, width, height, 4, gdal.GDT_Byte, options)
    if dataset is None:
        raise TileError(f"GDAL could not make a GeoTIFF of {width} x {height} pixels: {gdal.GetLastErrorMsg()}")
    dataset.SetGeoTransform([float(v) for v in geotransform])
    if reference is not None:
        dataset.SetSpatialRef(reference)
    strip = max(1, 1024 * 1024 // max(1, width))
    for first in range(0, height, strip):
        rows = rgba[first : first + strip]
        dataset.WriteRaster(
            0,
            first,
            width,
            rows.shape[0],
            memoryview(rows),
            band_list=[1, 2, 3, 4],
            buf_pixel_space=4,
            buf_line_space=4 * width,
            buf_band_space=1,
        )
    dataset.FlushCache()


def spatial_reference(crs: QgsCoordinateReferenceSystem) -> Optional[osr.SpatialReference]:
    """A CRS of QGIS for GDAL; None for an invalid one.

    An EPSG code is looked up in GDAL's own tables, so that it is written as that code and not spelled out.
    """
    if not crs.isValid():
        return None
    reference = osr.SpatialReference()
    reference.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
    authority, _, code = crs.authid().partition(":")
    if authority == "EPSG" and code.isdigit() and reference.ImportFromEPSG(int(code)) == 0:
        return reference
    wkt = crs.toWkt(QgsCoordinateReferenceSystem.WktVariant.WKT_PREFERRED_GDAL)
    return reference if wkt and reference.ImportFromWkt(wkt) == 0 else None


def _content(path: str) -> bytes:
    size = gdal.VSIStatL(path)
    handle = gdal.VSIFOpenL(path, "rb")
    if size is None or handle is None:
        raise TileError(f"GDAL wrote no tile: {gdal.GetLastErrorMsg()}")
    try:
        content = gdal.VSIFReadL(1, size.size, handle)
    finally:
        gdal.VSIFCloseL(handle)
    return bytes(content)
