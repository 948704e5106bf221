"""Layer + area + canvas -> a GeoTIFF of what the user sees, exactly placed.

    TileArea        what to look at: the visible extent, a rectangle, polygons
    TileRequest     everything rendering needs, taken on the main thread, cheap
    render          the tile, in any thread
    RasterTileData  its bytes, affine, CRS, ground sample distance, outline and source

The tile is in the *layer's* CRS and runs along the *screen*: its x axis is the screen's right and its y axis the
screen's bottom at the area's centre, whatever the canvas's rotation and CRS. Its pixels are as long on the ground
along both axes. Resolution is the canvas's, but never finer than the layer's own (a web layer's own is its deepest
zoom level), and coarser where the tile would pass ``max_pixels``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, List, Optional, Tuple

import numpy as np
from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsFeedback,
    QgsGeometry,
    QgsMapSettings,
    QgsRasterBlockFeedback,
    QgsRasterLayer,
)
from qgis.PyQt.QtCore import Qt, QUrl

from . import geotiff_bytes, tile_resample
from .errors import BlankTile, LayerGone, OutsideLayer, TileCancelled, TileError
from .tile_grid import (
    Affine,
    ReadWindow,
    TileGrid,
    grid_over,
    length,
    read_window,
    straightened,
)
from .tile_layout import (
    TileArea,
    area_in_layer,
    ground_square,
    gsd,
    inside,
    outline,
    outside,
    own_grid,
    resolution,
    screen_axes,
)
from .tile_reader import LayerSnapshot, WebAnswers, without_secrets

#: The most pixels of a tile, unless the caller says otherwise: 2048 x 2048.
MAX_TILE_PIXELS = 4 * 1024 * 1024


@dataclass(frozen=True)
class RasterTileData:
    """A tile, ready for the wire.

    Attributes:
        geotiff: bytes of a GeoTIFF: red, green, blue, valid (0 or 255), 8 bits each.
        width, height: pixels.
        affine: pixel edges -> coordinates in ``crs``; its ``geotransform()`` is GDAL's.
        crs: the layer's; invalid when it has none.
        gsd_m: ground length of a pixel at the centre in metres; None without CRS.
        extent: the tile's outline in ``crs``.
        source: the layer's name and source, without credentials.
        notes: sentences the user should see (coarsened, ignored alpha, ...).
    """

    geotiff: bytes
    width: int
    height: int
    affine: Affine
    crs: QgsCoordinateReferenceSystem
    gsd_m: Optional[float]
    extent: QgsGeometry
    source: str
    notes: Tuple[str, ...] = ()

    @property
    def geotransform(self) -> Tuple[float, float, float, float, float, float]:
        return self.affine.geotransform()


@dataclass(frozen=True)
class TileRequest:
    """What :func:`render` needs, independent of the layer, the canvas and the project.

    Attributes:
        snapshot: clones of the layer's provider and renderer.
        grid: the tile's pixels.
        window: what to read of the layer.
        crs: the layer's.
        gsd_m: ground length of a pixel at the centre, or None.
        mask: the area in the layer's CRS where pixels outside are invalid, else None.
        layer_name, source: for people.
        notes: what the user should know about the tile.
    """

    snapshot: LayerSnapshot
    grid: TileGrid
    window: ReadWindow
    crs: QgsCoordinateReferenceSystem
    gsd_m: Optional[float]
    mask: Optional[QgsGeometry]
    layer_name: str
    source: str
    notes: Tuple[str, ...] = ()

    @classmethod
    def from_canvas(
        cls,
        layer: Optional[QgsRasterLayer],
        area: TileArea,
        map_settings: QgsMapSettings,
        *,
        max_pixels: int = MAX_TILE_PIXELS,
    ) -> TileRequest:
        """Lays the tile out and clones what is needed. Main thread only; nothing is read or fetched.

        Args:
            layer: any raster layer.
            area: where to look.
            map_settings: the canvas's (``iface.mapCanvas().mapSettings()``): CRS, rotation, resolution.
            max_pixels: the tile is coarsened to hold at most so many.

        Raises:
            LayerGone: no layer, or its source cannot be read.
            EmptyExtent: the area or the canvas has no size.
            OutsideLayer: the area does not meet the layer.
        """
        if layer is None or not isinstance(layer, QgsRasterLayer) or not layer.isValid():
            raise LayerGone("There is no raster layer to look at: it was removed, or its source cannot be read.")
        snapshot = LayerSnapshot.of(layer)
        geometry = area_in_layer(area, layer, map_settings)
        right, down = screen_axes(geometry.boundingBox().center(), layer, map_settings)
        right, down = ground_square(right, down, geometry.boundingBox().center(), layer, map_settings)
        box = geometry.boundingBox()
        span = max(box.width() / length(right), box.height() / length(down))
        right, down = straightened(right, down, pixels=span)
        native = snapshot.native_grid(length(right))
        right, down = resolution(right, down, snapshot, native)
        points = [(v.x(), v.y()) for v in geometry.vertices()]
        grid, factor = grid_over(points, right, down, native=native, max_pixels=max_pixels)
        if factor > 1.0 and not snapshot.has_size:
            native = snapshot.native_grid(length(grid.affine.right))
        window = read_window(grid, native if native is not None else own_grid(grid))
        if window is None:
            raise OutsideLayer(outside(layer, area))
        notes = []
        if factor > 1.0:
            notes.append(
                f"The area was sampled {factor:.1f} times coarser than shown, to stay within "
                f"{max_pixels / 1e6:.1f} million pixels; zoom in for small objects."
            )
        return cls(
            snapshot=snapshot,
            grid=grid,
            window=window,
            crs=layer.crs(),
            gsd_m=gsd(grid, layer, map_settings),
            mask=geometry if area.is_mask else None,
            layer_name=layer.name(),
            source=describe_source(layer),
            notes=tuple(notes),
        )


def render(request: TileRequest, feedback: Optional[QgsFeedback] = None) -> RasterTileData:
    """The tile of a request. Any thread; progress and cancel go through ``feedback``.

    Raises:
        TileCancelled: ``feedback`` was cancelled.
        BlankTile: the layer showed nothing in the area, or a web service failed for a part of it.
        LayerGone: the source can no longer be read.
        TileError: GDAL could not encode the tile.
    """
    block_feedback = QgsRasterBlockFeedback()
    if feedback is not None:
        if feedback.isCanceled():
            raise TileCancelled("Reading the layer was cancelled.")
        feedback.canceled.connect(block_feedback.cancel, Qt.ConnectionType.DirectConnection)
    notes = list(request.notes)
    try:
        rgba, answers = request.snapshot.read(request.window, block_feedback, feedback)
        if request.snapshot.alpha_band:
            shown = request.snapshot.read_alpha(request.window, block_feedback)
            if shown is None:
                notes.append("The layer's alpha band was ignored: it does not look like a mask.")
            else:
                rgba[..., 3] = np.where(shown, rgba[..., 3], 0)
    finally:
        if feedback is not None:
            feedback.canceled.disconnect(block_feedback.cancel)
    _refuse_failures(request, rgba, answers, notes)

    def check() -> None:
        if feedback is not None and feedback.isCanceled():
            raise TileCancelled("Reading the layer was cancelled.")

    tile = tile_resample.to_grid(
        rgba, request.window, request.grid, is_nearest=request.snapshot.is_classes, check=check
    )
    if request.mask is not None:
        tile = np.where(inside(request.mask, request.grid)[..., None], tile, np.uint8(0))
    _refuse_blank(request, tile, answers)
    geotiff = geotiff_bytes.encode(tile, request.grid.affine.geotransform(), request.crs)
    check()
    if feedback is not None:
        feedback.setProgress(100.0)
    return RasterTileData(
        geotiff=geotiff,
        width=request.grid.width,
        height=request.grid.height,
        affine=request.grid.affine,
        crs=request.crs,
        gsd_m=request.gsd_m,
        extent=outline(request.grid),
        source=request.source,
        notes=tuple(notes),
    )


def describe_source(layer: QgsRasterLayer) -> str:
    """The layer's name and source, without passwords and keys."""
    source = without_secrets(layer.publicSource())
    if layer.dataProvider() is not None and layer.dataProvider().name() != "gdal":
        # The URI of a web layer is a list of key=value: only address and layer names say where it came from.
        pairs = [part.partition("=") for part in layer.publicSource().split("&")]
        known = [f"{key}={_decoded(value)}" for key, _, value in pairs if key in ("type", "url", "layers")]
        source = without_secrets(" ".join(known)) or layer.dataProvider().name()
    return f"{layer.name()} ({source})"


def _decoded(value: str) -> str:
    return QUrl.fromPercentEncoding(value.encode())


# -- what came back -------------------------------------------------------------------------------


def _refuse_failures(request: TileRequest, rgba: Any, answers: WebAnswers, notes: List[str]) -> None:
    """An incomplete picture is refused; tiles that a service merely does not have are noted."""
    if not answers.failures:
        return
    if not answers.is_only_missing:
        raise BlankTile(
            f"The web layer “{request.layer_name}” could not be fetched: {answers.reason()}. "
            "Check the connection and the layer's address, then run again."
        )
    if rgba[..., 3].any():
        notes.append(f"Parts of the web layer are missing: {answers.reason()}.")


def _refuse_blank(request: TileRequest, tile: Any, answers: WebAnswers) -> None:
    # Nearly every tile shows two colours among a few of its pixels; only the others are looked at in whole.
    few = tile[::16, ::16]
    few = few[few[..., 3] > 0]
    if len(few) and (few[:, :3] != few[0, :3]).any():
        return
    valid = tile[..., 3] > 0
    is_web = not request.snapshot.has_size
    reason = answers.reason()
    if not valid.any():
        if is_web:
            raise BlankTile(
                f"The web layer “{request.layer_name}” came back blank: "
                f"{reason or 'the service has nothing here at this zoom'}. Zoom out, or look elsewhere."
            )
        raise BlankTile(
            f"The layer “{request.layer_name}” shows nothing here: every pixel is nodata or transparent"
            f"{f' ({reason})' if reason else ''}. Look elsewhere, or check the layer's nodata value."
        )
    colours = tile[valid][:, :3]
    if (colours == colours[0]).all():
        if is_web:
            raise BlankTile(
                f"The web layer “{request.layer_name}” came back in one colour: "
                f"{reason or 'the service has no imagery here at this zoom'}. Zoom out, or look elsewhere."
            )
        raise BlankTile(
            f"The layer “{request.layer_name}” shows one single colour here. Look elsewhere, or stretch its "
            "contrast (minimum and maximum) in the layer's properties."
        )


__all__ = [
    "MAX_TILE_PIXELS",
    "RasterTileData",
    "TileArea",
    "TileError",
    "TileRequest",
    "describe_source",
    "render",
]
