"""What a generated scene consists of: objects with their three geometries, and expressions about them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.transform import Affine

from inference_server.geometry import HBB, OBB, Mask
from inference_server.raster import RasterTile


@dataclass(frozen=True)
class SceneObject:
    """A thing in a scene, as it is seen from above.

    Attributes:
        id: unique in the scene, "car-17".
        category: "building", "road", "car", "bus", "truck", "tree", "grass", "field", "water", "pool", "tank", "ship",
            "container", "parking lot", "bridge", "airplane", "runway", "tennis court", "basketball court",
            "soccer field", "track".
        color: canonical colour name as painted ("dark gray"); the sensor may have warmed or hazed it.
        mask: the visible pixels; a parking lot, road, bridge or runway keeps the pixels of what stands on it.
        hbb, obb: of the mask.
        shape: "rectangular", "round", "L-shaped", "kidney-shaped", "irregular", "cross-shaped" (airplanes).
        length_m, width_m: sides of the footprint, length >= width.
        height_m: above the ground.
        visible: share of the footprint that is neither hidden nor outside the tile, 0 to 1.
        is_cut: the footprint leaves the tile or its valid part.
        host: id of what it stands on ("parking lot-2"), "" for the ground.
        mean_rgb: mean displayed colour of the mask, 0 to 255.
    """

    id: str
    category: str
    color: str
    mask: Mask
    hbb: HBB
    obb: OBB
    shape: str
    length_m: float
    width_m: float
    height_m: float
    visible: float
    is_cut: bool
    host: str
    mean_rgb: tuple[float, float, float]

    @property
    def center(self) -> tuple[float, float]:
        """Centre of the box, (x, y) in pixels."""
        return (self.hbb.x_min + self.hbb.x_max) / 2, (self.hbb.y_min + self.hbb.y_max) / 2


@dataclass(frozen=True)
class SceneExpression:
    """A referring expression with its answer.

    Attributes:
        text: as an analyst would type it.
        kind: one of ``scene_expressions.KINDS``.
        target_ids: what it names; empty for "negative".
        anchor_ids: what the targets were related to.
        category: category of the target as the truth names it ("vehicle" and "court" stay as said).
    """

    text: str
    kind: str
    target_ids: tuple[str, ...]
    anchor_ids: tuple[str, ...] = ()
    category: str = ""


@dataclass(frozen=True)
class Scene:
    """An orthophoto-like picture with its truth.

    Attributes:
        seed, theme, gsd_m: what it was made from; gsd_m is the pixel size in metres.
        rgb: (3, row, col) uint8.
        valid: (row, col) bool, False where there is no data.
        affine: pixel edges (col, row) -> coordinates in ``crs``; north up.
        crs: a UTM zone; None where the picture is not placed.
        background: categories that the ground itself may be taken for ("grass"), so that nobody asks for them.
        objects, expressions: the truth.
    """

    seed: int
    theme: str
    gsd_m: float
    rgb: NDArray[np.uint8]
    valid: NDArray[np.bool_]
    affine: Affine
    crs: CRS | None
    background: frozenset[str]
    objects: tuple[SceneObject, ...]
    expressions: tuple[SceneExpression, ...] = field(default=())

    def covered_by(self, items: Iterable[SceneObject]) -> NDArray[np.bool_]:
        """(row, col) bool: the pixels of several objects."""
        out = np.zeros(self.valid.shape, bool)
        for item in items:
            mask = item.mask
            rows, cols = mask.pixels.shape
            out[mask.row : mask.row + rows, mask.col : mask.col + cols] |= mask.pixels
        return out

    @property
    def tile(self) -> RasterTile:
        """The picture as an engine takes it."""
        return RasterTile(rgb=self.rgb, valid=self.valid, affine=self.affine, crs=self.crs)

    def object(self, object_id: str) -> SceneObject:
        """The object of that id.

        Raises:
            KeyError: there is none.
        """
        for item in self.objects:
            if item.id == object_id:
                return item
        raise KeyError(object_id)
