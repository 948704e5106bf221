"""One raster of a batch at the resolution searched: its grid, a tile's pixels, what tells it from another."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import shapely
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader
from rasterio.transform import Affine
from rasterio.windows import Window
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from inference_server.batch.grid import COARSE_FACTOR, Box, Tile, tiles_of
from inference_server.display import (
    DisplayBands,
    Limits,
    display_bands,
    display_limits,
    displayed,
    near_infrared,
    valid_pixels,
)
from inference_server.errors import InvalidRequest, InvalidTile
from inference_server.placement import Placement
from inference_server.raster import RasterTile, open_raster, placed
from inference_server.relations import Frame
from rsground_plugin.protocol import BatchScene, MultiPolygonCoords

#: Side of the blocks and their number along each axis whose pixels go into the fingerprint.
_BLOCK_PX, _BLOCKS = 32, 3


@dataclass(frozen=True)
class Grid:
    """The pixels of one pass over a scene.

    Attributes:
        width, height: of the scene in them.
        step: (x, y) pixels of the file that make one of them.
        placement: from them to the map.
        tiles: in the order of their numbers.
    """

    width: int
    height: int
    step: tuple[float, float]
    placement: Placement
    tiles: tuple[Tile, ...]


@dataclass(frozen=True)
class Scene:
    """A raster that was opened once; it holds no file open.

    Attributes:
        raster: path or address.
        fingerprint: what tells it from another file and from itself before a change.
        fine: the pass at the resolution searched.
        coarse: the pass for what is larger than a tile's overlap; None where one tile holds the scene.
        margin: overlap of the tiles in pixels.
        area: the part searched, pixel space of ``fine``; None for all.
    """

    raster: str
    fingerprint: dict[str, Any]
    fine: Grid
    coarse: Grid | None
    margin: int
    area: BaseGeometry | None
    bands: DisplayBands
    limits: Limits | None

    @cached_property
    def frame(self) -> Frame:
        """The whole scene's frame, for relations and positions."""
        grid = self.fine
        gsd_m = grid.placement.gsd_m(grid.width, grid.height)
        return Frame(grid.width, grid.height, grid.placement.affine, gsd_m, grid.placement.north)

    def passes(self) -> tuple[Grid, ...]:
        return (self.fine,) if self.coarse is None else (self.fine, self.coarse)

    def outline(self) -> Polygon:
        """The whole scene on the map."""
        corners = np.array([(0, 0), (1, 0), (1, 1), (0, 1)]) * [self.fine.width, self.fine.height]
        return Polygon(self.fine.placement.ring(corners.astype(np.float64)))

    def on_wire(self, done: Sequence[int]) -> BatchScene:
        rings = tuple(self.fine.placement.ring(_corners(tile.core)) for tile in self.fine.tiles)
        return BatchScene(self.raster, self.fine.placement.crs_text, rings, tuple(done))


def open_scene(
    raster: str,
    *,
    margin: Callable[[float | None], int],
    is_coarse_wanted: bool,
    gsd_m: float | None = None,
    pixel_size_m: float | None = None,
    area: MultiPolygonCoords | None = None,
    area_crs: str | None = None,
) -> Scene:
    """Lays out a raster's tiles.

    Args:
        raster: path or address.
        margin: gives the overlap in pixels for a ground sample distance.
        is_coarse_wanted: whether anything may be larger than the overlap.
        gsd_m: to search at; the raster's own when None or finer than that.
        pixel_size_m: of a raster without a CRS, as the user says.
        area: to search, in ``area_crs``, the raster's own CRS when that is None.

    Raises:
        InvalidTile: it cannot be opened.
        InvalidRequest: the resolution or the area cannot be had.
    """
    try:
        with rasterio.Env(GDAL_CACHEMAX=128), open_raster(raster) as dataset:
            affine, crs = placed(dataset)
            if affine.is_degenerate:
                raise InvalidTile(f"{raster}: its geotransform has no area: {tuple(affine)[:6]}", field="batch.rasters")
            native = Placement(affine, crs, pixel_size_m)
            own_m = native.gsd_m(dataset.width, dataset.height)
            if gsd_m is not None and own_m is None:
                raise InvalidRequest(
                    f"{raster} has no CRS, so its resolution is not known: leave the resolution out, or tell the"
                    " pixel size, too.",
                    field="batch.gsd_m",
                )
            shrink = max(1.0, gsd_m / own_m) if gsd_m is not None and own_m is not None else 1.0
            bands = display_bands(dataset)
            fingerprint = _fingerprint(raster, dataset)
            limits = display_limits(dataset, bands)
            size = (dataset.width, dataset.height)
    except (RasterioError, ValueError) as error:
        raise InvalidTile(f"{raster} could not be read as a raster: {error}", field="batch.rasters") from error
    fine = _grid(size, native, shrink)
    where = None if area is None else _area_in_pixels(area, area_crs, fine.placement, raster)
    margin_px = margin(fine.placement.gsd_m(fine.width, fine.height))
    fine = _with_tiles(fine, margin_px, where)
    if not fine.tiles:
        raise InvalidRequest(f"The area lies outside {raster}.", field="batch.area")
    coarse = None
    if is_coarse_wanted and len(fine.tiles) > 1:
        coarse = _grid(size, native, shrink * COARSE_FACTOR)
        scale = [coarse.width / fine.width, coarse.height / fine.height]
        shrunk = None if where is None else shapely.transform(where, lambda xy: xy * scale)
        coarse = _with_tiles(coarse, margin_px, shrunk)
    return Scene(raster, fingerprint, fine, coarse, margin_px, where, bands, limits)


def read_tile(scene: Scene, dataset: DatasetReader, grid: Grid, tile: Tile) -> RasterTile | None:
    """The pixels of a tile's window, as displayed; None where its core holds no data.

    Raises:
        InvalidTile: the file cannot be read there.
    """
    window = tile.window
    step_x, step_y = grid.step
    source = Window(window.col_0 * step_x, window.row_0 * step_y, window.width * step_x, window.height * step_y)
    bands, shape = scene.bands, (window.height, window.width)
    indexes = [*bands.rgb, *([bands.nir] if bands.nir else [])]
    is_same = step_x == step_y == 1.0
    resampling = Resampling.nearest if is_same or bands.is_paletted else Resampling.average
    try:
        pixels = dataset.read(indexes, window=source, out_shape=(len(indexes), *shape), resampling=resampling)
        valid = valid_pixels(dataset, bands, pixels, source)
    except RasterioError as error:
        raise InvalidTile(
            f"{scene.raster} cannot be read at column {source.col_off:.0f}, row {source.row_off:.0f}: {error}. What was"
            " done before is kept; run the same again when the file can be read.",
            field="batch.rasters",
        ) from error
    top, left = tile.core.row_0 - window.row_0, tile.core.col_0 - window.col_0
    if not valid[top : top + tile.core.height, left : left + tile.core.width].any():
        return None
    limits = scene.limits
    return RasterTile(
        rgb=displayed(dataset, bands, pixels[: len(bands.rgb)], valid, limits=limits),
        valid=valid,
        affine=grid.placement.affine * Affine.translation(window.col_0, window.row_0),
        crs=grid.placement.crs,
        nir=near_infrared(pixels[-1], valid, limits=limits[-1] if limits else None) if bands.nir else None,
        told_gsd_m=grid.placement.told_gsd_m,
    )


def _grid(size: tuple[int, int], native: Placement, shrink: float) -> Grid:
    width, height = (max(1, round(n / shrink)) for n in size)
    step = (size[0] / width, size[1] / height)
    affine = native.affine if shrink == 1.0 else native.affine * Affine.scale(*step)
    told = None if native.told_gsd_m is None else native.told_gsd_m * shrink
    return Grid(width, height, step, Placement(affine, native.crs, told), ())


def _with_tiles(grid: Grid, margin: int, area: BaseGeometry | None) -> Grid:
    tiles = tiles_of(grid.width, grid.height, margin=margin, area=area)
    return Grid(grid.width, grid.height, grid.step, grid.placement, tiles)


def _corners(box: Box) -> Any:
    x_0, y_0, x_1, y_1 = box.bounds
    return np.array([(x_0, y_0), (x_1, y_0), (x_1, y_1), (x_0, y_1)])


def _area_in_pixels(area: MultiPolygonCoords, area_crs: str | None, placement: Placement, raster: str) -> BaseGeometry:
    import pyproj
    from pyproj.exceptions import CRSError, ProjError

    shape = shapely.make_valid(MultiPolygon([(part[0], part[1:]) for part in area]))
    if area_crs is not None:
        if placement.crs is None:
            raise InvalidRequest(f"{raster} has no CRS: give the area in its pixels.", field="batch.area_crs")
        try:
            there = pyproj.Transformer.from_crs(area_crs, placement.crs_text, always_xy=True)
            # Straight edges in one CRS are curves in the other.
            side = max(shape.bounds[2] - shape.bounds[0], shape.bounds[3] - shape.bounds[1])
            dense = shapely.segmentize(shape, max(side / 64, 1e-9))
            shape = shapely.transform(
                dense, lambda xy: np.stack(there.transform(xy[:, 0], xy[:, 1], errcheck=True), axis=1)
            )
        except (CRSError, ProjError) as error:
            raise InvalidRequest(
                f"The area cannot be brought into the CRS of {raster}: {error}", field="batch.area_crs"
            ) from error
    back = Placement(~placement.affine, None)
    return shapely.make_valid(shapely.transform(shape, back.to_map))


def _fingerprint(raster: str, dataset: DatasetReader) -> dict[str, Any]:
    """Size and time of the file, its georeference, a digest of some blocks of pixels."""
    digest = hashlib.blake2b(digest_size=16)
    for i in range(_BLOCKS):
        for j in range(_BLOCKS):
            col = math.floor((dataset.width - 1) * (j + 0.5) / _BLOCKS)
            row = math.floor((dataset.height - 1) * (i + 0.5) / _BLOCKS)
            window = Window(col, row, min(_BLOCK_PX, dataset.width - col), min(_BLOCK_PX, dataset.height - row))
            digest.update(dataset.read(window=window).tobytes())
    facts: dict[str, Any] = {
        "raster": raster,
        "shape": [dataset.count, dataset.height, dataset.width],
        "types": list(dataset.dtypes),
        "affine": list(tuple(dataset.transform)[:6]),
        "crs": dataset.crs.to_wkt() if dataset.crs else None,
        "pixels": digest.hexdigest(),
    }
    if Path(raster).is_file():
        status = os.stat(raster)
        facts |= {"bytes": status.st_size, "changed_ns": status.st_mtime_ns}
    return facts
