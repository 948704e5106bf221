"""A sample of a whole scene for engines that judge by its tones: patches from all over it on one sheet."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from rasterio.io import DatasetReader

from inference_server.batch.grid import Box, Tile
from inference_server.batch.scene import Grid, Scene, read_tile
from inference_server.raster import RasterTile

#: Side of a patch, and how many make a sheet.
PATCH_PX, PATCHES = 64, 256
#: A scene of no more pixels than these patches is its own sheet.
WHOLE_PX = PATCHES * PATCH_PX**2
#: Of fewer patches with data a closer lattice is tried, so many times as dense along each axis.
FEW, CLOSER = 64, 4
#: A patch is mirrored so far beyond its sides, without data: filters do not see the next patch.
GUTTER_PX = 4


def survey_sheet(scene: Scene, dataset: DatasetReader, grid: Grid) -> RasterTile | None:
    """Patches of a pass over a scene, evenly spread, or all of a small one; None where none of them has data.

    Args:
        scene: the scene.
        dataset: its open file.
        grid: the pass. Patches come from all of it, whatever part is searched: that has no say in what is found there.

    Raises:
        InvalidTile: the file cannot be read.
    """
    if grid.width * grid.height <= WHOLE_PX:
        whole = Box(0, 0, grid.width, grid.height)
        return read_tile(scene, dataset, grid, Tile(whole, whole))
    patches: list[RasterTile] = []
    for count in (PATCHES, PATCHES * CLOSER**2):
        for place in _places(grid, count):
            patch = read_tile(scene, dataset, grid, Tile(place, place))
            if patch is not None:
                patches.append(patch)
            if len(patches) == PATCHES:
                break
        if len(patches) >= FEW:
            break
    return _sheet(patches) if patches else None


def _places(grid: Grid, count: int) -> Iterator[Box]:
    """About so many places of patches on a lattice over the pass."""
    width, height = min(PATCH_PX, grid.width), min(PATCH_PX, grid.height)
    cell = max(float(PATCH_PX), math.sqrt(grid.width * grid.height / count))
    cols, rows = (max(1, round(size / cell)) for size in (grid.width, grid.height))
    for i in range(rows):
        for j in range(cols):
            # In the middle of its cell, so that the scene's rim has its share.
            row = min(max(0, round(grid.height * (i + 0.5) / rows - height / 2)), grid.height - height)
            col = min(max(0, round(grid.width * (j + 0.5) / cols - width / 2)), grid.width - width)
            yield Box(col, row, col + width, row + height)


def _sheet(patches: list[RasterTile]) -> RasterTile:
    side = math.ceil(math.sqrt(len(patches)))
    height, width = (n + 2 * GUTTER_PX for n in patches[0].valid.shape)
    shape = (math.ceil(len(patches) / side) * height, side * width)
    rgb, valid = np.zeros((3, *shape), np.uint8), np.zeros(shape, bool)
    has_nir = patches[0].nir is not None
    nir = np.zeros(shape, np.float32) if has_nir else None
    around = ((GUTTER_PX, GUTTER_PX), (GUTTER_PX, GUTTER_PX))
    for number, patch in enumerate(patches):
        row, col = number // side * height, number % side * width
        here = np.s_[row : row + height, col : col + width]
        rgb[:, here[0], here[1]] = np.pad(patch.rgb, ((0, 0), *around), mode="symmetric")
        valid[here] = np.pad(patch.valid, around)
        if nir is not None and patch.nir is not None:
            nir[here] = np.pad(patch.nir, around, mode="symmetric")
    first = patches[0]
    return RasterTile(rgb, valid, first.affine, first.crs, nir, first.told_gsd_m)
