"""Where pixels lie: a tile of imagery with its valid mask, affine and CRS."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.transform import Affine


@dataclass(frozen=True)
class RasterTile:
    """What an engine sees, and where it lies.

    Attributes:
        rgb: (3, row, col) uint8, the displayed colours.
        valid: (row, col) bool, False where there is no data.
        affine: pixel edges (col, row) -> coordinates in ``crs``.
        crs: None when the source has none.
        nir: (row, col) float32 reflectance-like in [0, 1] when the source has a near-infrared band, else None.
    """

    rgb: NDArray[np.uint8]
    valid: NDArray[np.bool_]
    affine: Affine
    crs: CRS | None = None
    nir: NDArray[np.float32] | None = None

    @property
    def height(self) -> int:
        return int(self.rgb.shape[1])

    @property
    def width(self) -> int:
        return int(self.rgb.shape[2])
