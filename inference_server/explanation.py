"""Where an engine looked: its maps for the wire, and as georeferenced rasters."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import rasterio
from rasterio.errors import RasterioError
from rasterio.transform import Affine

from inference_server.errors import CannotWrite
from inference_server.models.base import ExplanationMap
from inference_server.raster import RasterTile
from rsground_plugin.protocol import MAX_MAP_CELLS, GroundingResult, MapImage


def map_image(found: ExplanationMap, phrase: str) -> MapImage:
    """A map for the wire: 8 bits a cell, values outside [0, 1] clipped; a very fine one is thinned out."""
    step = -(-max(found.values.shape) // MAX_MAP_CELLS)
    values = np.nan_to_num(found.values[::step, ::step], nan=0.0)
    cells = np.rint(255 * np.clip(values, 0.0, 1.0)).astype(np.uint8)
    rows, cols = cells.shape
    return MapImage.of(found.name, phrase, cols, rows, cells.tobytes())


def write_maps(result: GroundingResult, tile: RasterTile, folder: Path) -> list[Path]:
    """Writes each map of a result as a GeoTIFF with one band of 8 bits over the tile, and returns the files.

    Raises:
        CannotWrite: the folder cannot be written.
    """
    paths = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for image in result.maps:
            path = _free(folder, f"{_plain(image.phrase)}_{_plain(image.name)}")
            scale = Affine.scale(tile.width / image.width, tile.height / image.height)
            with rasterio.open(
                path, "w", driver="GTiff", width=image.width, height=image.height, count=1, dtype="uint8",
                crs=tile.crs, transform=tile.affine * scale, compress="deflate",
            ) as dataset:  # fmt: skip
                cells = np.frombuffer(image.cells, np.uint8).reshape(image.height, image.width)
                dataset.write(cells, 1)
                dataset.update_tags(
                    expression=result.expression, phrase=image.phrase, map=image.name, engine=result.engine,
                    revision=result.revision,
                )  # fmt: skip
            paths.append(path)
    except (OSError, RasterioError) as error:
        raise CannotWrite(f"The maps cannot be written to {folder}: {error}. Choose another folder.") from error
    return paths


def _plain(text: str) -> str:
    return re.sub(r"[^\w]+", "_", text).strip("_")[:40] or "map"


def _free(folder: Path, stem: str) -> Path:
    """A name in the folder that nothing has yet."""
    number = 1
    while (path := folder / (f"{stem}.tif" if number == 1 else f"{stem}_{number}.tif")).exists():
        number += 1
    return path
