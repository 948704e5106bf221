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

import math
from dataclasses import dataclass
from typing import Any, List, Optional, Sequence, Tuple, Union

import numpy as np
from qgis.core import (
    Qgis,
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsCsException,
    QgsDistanceArea,
    QgsFeedback,
    QgsGeometry,
    QgsMapSettings,
    QgsPointXY,
    QgsRasterBlockFeedback,
    QgsRasterLayer,
    QgsRectangle,
)
from qgis.PyQt.QtCore import QPointF, QRectF, Qt, QUrl
from qgis.PyQt.QtGui import QColor, QImage, QPainter, QPainterPath, QPolygonF, QTransform

from . import geotiff_bytes, tile_resample
from .errors import BlankTile, EmptyExtent, LayerGone, OutsideLayer, TileCancelled, TileError
from .tile_grid import (
    SQUARE_ENOUGH,
    Affine,
    NativeGrid,
    Point,
    ReadWindow,
    TileGrid,
    grid_over,
    length,
    not_finer_than,
    read_window,
    scaled,
    straightened,
)
from .tile_reader import LayerSnapshot, WebAnswers, without_secrets

#: The most pixels of a tile, unless the caller says otherwise: 2048 x 2048.
MAX_TILE_PIXELS = 4 * 1024 * 1024
#: Vertices added to the edges of an area before it is transformed, so that they may bend.
EDGE_STEPS = 8


@dataclass(frozen=True)
class TileArea:
    """Where to look.

    Attributes:
        geometry: a polygon or multipolygon.
        crs: of the geometry; an invalid one means the canvas's.
        is_mask: pixels outside the geometry are masked as invalid (polygons), instead of only framed by it.
        title: for people.
    """

    geometry: QgsGeometry
    crs: QgsCoordinateReferenceSystem
    is_mask: bool = False
    title: str = ""

    @classmethod
    def visible(cls, map_settings: QgsMapSettings) -> TileArea:
        """What the canvas shows, rotation included."""
        corners = [QgsPointXY(p.x(), p.y()) for p in map_settings.visiblePolygon()]
        return cls(QgsGeometry.fromPolygonXY([corners]), map_settings.destinationCrs(), title="visible extent")

    @classmethod
    def rectangle(cls, rectangle: Union[QgsRectangle, QgsGeometry], crs: QgsCoordinateReferenceSystem) -> TileArea:
        """A rectangle; give a polygon for one that is rotated (drawn on a rotated canvas)."""
        if isinstance(rectangle, QgsRectangle):
            rectangle = QgsGeometry.fromRect(rectangle)
        return cls(QgsGeometry(rectangle), crs, title="rectangle")

    @classmethod
    def polygons(cls, geometries: Sequence[QgsGeometry], crs: QgsCoordinateReferenceSystem) -> TileArea:
        """Polygons: ONE tile over all of them, pixels outside of every polygon masked as invalid.

        One tile, not one for each: relations ("the nearest to ...") then hold across the polygons.
        """
        return cls(QgsGeometry.unaryUnion(list(geometries)), crs, is_mask=True, title="selected polygons")


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
        geometry = _area_in_layer(area, layer, map_settings)
        right, down = _screen_axes(geometry.boundingBox().center(), layer, map_settings)
        right, down = _ground_square(right, down, geometry.boundingBox().center(), layer, map_settings)
        box = geometry.boundingBox()
        span = max(box.width() / length(right), box.height() / length(down))
        right, down = straightened(right, down, pixels=span)
        native = snapshot.native_grid(length(right))
        right, down = _resolution(right, down, snapshot, native)
        points = [(v.x(), v.y()) for v in geometry.vertices()]
        grid, factor = grid_over(points, right, down, native=native, max_pixels=max_pixels)
        if factor > 1.0 and not snapshot.has_size:
            native = snapshot.native_grid(length(grid.affine.right))
        window = read_window(grid, native if native is not None else _own_grid(grid))
        if window is None:
            raise OutsideLayer(_outside(layer, area))
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
            gsd_m=_gsd(grid, layer, map_settings),
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
        tile = np.where(_inside(request.mask, request.grid)[..., None], tile, np.uint8(0))
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


# -- where the tile lies --------------------------------------------------------------------------


def _area_in_layer(area: TileArea, layer: QgsRasterLayer, map_settings: QgsMapSettings) -> QgsGeometry:
    """The part of the area that the layer covers, in the layer's CRS."""
    geometry = QgsGeometry(area.geometry)
    box = geometry.boundingBox()
    if geometry.isNull() or geometry.isEmpty() or box.width() <= 0 or box.height() <= 0:
        raise EmptyExtent(f"The {area.title or 'area'} has no size. Draw a larger one, or zoom the map.")
    if not all(math.isfinite(v) for v in (box.xMinimum(), box.yMinimum(), box.xMaximum(), box.yMaximum())):
        raise EmptyExtent(f"The {area.title or 'area'} has no finite coordinates. Zoom the map to the layer.")
    area_crs = area.crs if area.crs.isValid() else map_settings.destinationCrs()
    covered = layer.extent()
    has_end = not covered.isEmpty() and covered.isFinite()
    transform = QgsCoordinateTransform(area_crs, layer.crs(), map_settings.transformContext())
    if not transform.isShortCircuited():
        geometry = geometry.densifyByCount(EDGE_STEPS)
        if has_end:
            # First cut in the area's CRS: what lies beyond the layer may have no coordinates in the layer's.
            geometry = _cut_before_transform(geometry, covered, transform)
            if geometry.isEmpty():
                raise OutsideLayer(_outside(layer, area))
        try:
            geometry.transform(transform)
        except QgsCsException as error:
            raise OutsideLayer(
                f"The {area.title or 'area'} has no coordinates in the layer's CRS "
                f"({layer.crs().authid() or 'custom'}). Zoom the map to the layer.",
                details=str(error),
            ) from error
    if has_end:
        geometry = geometry.intersection(QgsGeometry.fromRect(covered))
    if geometry.isNull() or geometry.isEmpty() or geometry.area() <= 0:
        raise OutsideLayer(_outside(layer, area))
    return geometry


def _cut_before_transform(
    geometry: QgsGeometry, covered: QgsRectangle, transform: QgsCoordinateTransform
) -> QgsGeometry:
    outline_of_layer = QgsGeometry.fromRect(covered).densifyByCount(4 * EDGE_STEPS)
    try:
        outline_of_layer.transform(transform, Qgis.TransformDirection.Reverse)
    except QgsCsException:
        return geometry  # the layer reaches beyond the area's CRS (the world in UTM): nothing to cut with
    if not outline_of_layer.isGeosValid():
        return geometry
    # A margin, as the layer's edge is only as exact as its vertices are dense.
    box = outline_of_layer.boundingBox()
    return geometry.intersection(outline_of_layer.buffer(0.01 * max(box.width(), box.height()), 4))


def _outside(layer: QgsRasterLayer, area: TileArea) -> str:
    return (
        f"The {area.title or 'area'} lies outside of the layer “{layer.name()}”. "
        "Zoom to the layer, or choose another layer or area."
    )


def _screen_axes(center: QgsPointXY, layer: QgsRasterLayer, map_settings: QgsMapSettings) -> Tuple[Point, Point]:
    """Steps of one screen pixel to the right and down, in the layer's CRS, at ``center`` (in that CRS too)."""
    if not map_settings.hasValidSettings():
        raise EmptyExtent("The map canvas has no size. Zoom to the layer first.")
    transform = QgsCoordinateTransform(map_settings.destinationCrs(), layer.crs(), map_settings.transformContext())
    to_screen = map_settings.mapToPixel()
    try:
        on_map = transform.transform(center, Qgis.TransformDirection.Reverse)
        on_screen = to_screen.transform(on_map)
        step = 8.0  # pixels each way: far above rounding, far below a projection's curvature

        def at(dx: float, dy: float) -> QgsPointXY:
            return transform.transform(to_screen.toMapCoordinatesF(on_screen.x() + dx, on_screen.y() + dy))

        east, west, south, north = at(step, 0), at(-step, 0), at(0, step), at(0, -step)
    except QgsCsException as error:
        raise OutsideLayer(
            "The map's CRS has no coordinates where the layer lies. Choose the layer's CRS for the map.",
            details=str(error),
        ) from error
    ratio = map_settings.devicePixelRatio() if hasattr(map_settings, "devicePixelRatio") else 1.0
    unit = 1.0 / (2 * step * max(ratio, 1.0))
    right = ((east.x() - west.x()) * unit, (east.y() - west.y()) * unit)
    down = ((south.x() - north.x()) * unit, (south.y() - north.y()) * unit)
    determinant = right[0] * down[1] - right[1] * down[0]
    if not math.isfinite(determinant) or determinant == 0.0:
        raise EmptyExtent("The map canvas has no usable scale here. Zoom to the layer first.")
    return right, down


def _measure(layer: QgsRasterLayer, map_settings: QgsMapSettings) -> Optional[QgsDistanceArea]:
    if not layer.crs().isValid():
        return None
    measure = QgsDistanceArea()
    measure.setSourceCrs(layer.crs(), map_settings.transformContext())
    measure.setEllipsoid(layer.crs().ellipsoidAcronym() or "EPSG:7030")
    return measure


def _ground_length(measure: QgsDistanceArea, center: QgsPointXY, vector: Point) -> Optional[float]:
    """Metres of one step along ``vector`` at ``center``; measured over 64 steps, as short lines lose digits."""
    n = 32.0
    try:
        metres = measure.measureLine(
            QgsPointXY(center.x() - n * vector[0], center.y() - n * vector[1]),
            QgsPointXY(center.x() + n * vector[0], center.y() + n * vector[1]),
        ) / (2 * n)
    except QgsCsException:
        return None
    return metres if math.isfinite(metres) and metres > 0 else None


def _ground_square(
    right: Point, down: Point, center: QgsPointXY, layer: QgsRasterLayer, map_settings: QgsMapSettings
) -> Tuple[Point, Point]:
    """The axes in their directions, made as long on the ground as each other where a map stretches them.

    Directions stay the screen's. Only lengths change, and only where they differ by more than a few per cent:
    a degree of longitude and one of latitude, not the distortion of a national grid.
    """
    measure = _measure(layer, map_settings)
    if measure is None:
        return right, down
    across, along = _ground_length(measure, center, right), _ground_length(measure, center, down)
    if across is None or along is None or abs(across / along - 1.0) < SQUARE_ENOUGH:
        return right, down
    size = math.sqrt(across * along)
    return scaled(right, size / across), scaled(down, size / along)


def _resolution(
    right: Point, down: Point, snapshot: LayerSnapshot, native: Optional[NativeGrid]
) -> Tuple[Point, Point]:
    if snapshot.has_size:
        return not_finer_than(right, down, native)
    resolutions = [r for r in snapshot.provider.nativeResolutions() if r > 0]
    if not resolutions:
        return right, down
    finest = min(resolutions)
    return not_finer_than(right, down, NativeGrid(0.0, 0.0, finest, finest))


def _own_grid(grid: TileGrid) -> NativeGrid:
    """For services that draw any grid (WMS): upright pixels of the tile's size, on the tile's origin."""
    a = grid.affine
    dx, dy = math.hypot(a.c1, a.c2), math.hypot(a.c4, a.c5)
    return NativeGrid(a.c0, a.c3, dx, dy)


def _gsd(grid: TileGrid, layer: QgsRasterLayer, map_settings: QgsMapSettings) -> Optional[float]:
    measure = _measure(layer, map_settings)
    if measure is None:
        return None
    center = QgsPointXY(*grid.affine.apply(grid.width / 2, grid.height / 2))
    across = _ground_length(measure, center, grid.affine.right)
    along = _ground_length(measure, center, grid.affine.down)
    return None if across is None or along is None else math.sqrt(across * along)


def outline(grid: TileGrid) -> QgsGeometry:
    """The tile's outline as a polygon."""
    return QgsGeometry.fromPolygonXY([[QgsPointXY(x, y) for x, y in grid.corners()]])


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
    if is_web:
        colours = tile[valid][:, :3]
        if (colours == colours[0]).all():
            raise BlankTile(
                f"The web layer “{request.layer_name}” came back in one colour: "
                f"{reason or 'the service has no imagery here at this zoom'}. Zoom out, or look elsewhere."
            )


def _inside(mask: QgsGeometry, grid: TileGrid) -> Any:
    """(row, col) bool: pixels of the grid whose centre lies in the polygons."""
    a = grid.affine
    det = a.determinant
    # Coordinates relative to the tile's origin keep all their digits in Qt's transform.
    to_pixel = QTransform(a.c5 / det, -a.c4 / det, -a.c2 / det, a.c1 / det, 0.0, 0.0)
    path = QPainterPath()
    path.setFillRule(Qt.FillRule.OddEvenFill)
    polygons = mask.asMultiPolygon() if mask.isMultipart() else [mask.asPolygon()]
    for rings in polygons:
        for ring in rings:
            path.addPolygon(to_pixel.map(QPolygonF([QPointF(p.x() - a.c0, p.y() - a.c3) for p in ring])))
            path.closeSubpath()
    image = QImage(grid.width, grid.height, QImage.Format.Format_Grayscale8)
    image.fill(0)
    painter = QPainter(image)
    painter.setClipRect(QRectF(0, 0, grid.width, grid.height))
    painter.fillPath(path, QColor(255, 255, 255))
    painter.end()
    bits = image.constBits()
    bits.setsize(image.sizeInBytes())
    pixels = np.frombuffer(bits, np.uint8).reshape(grid.height, image.bytesPerLine())
    return pixels[:, : grid.width] > 127


__all__ = [
    "MAX_TILE_PIXELS",
    "RasterTileData",
    "TileArea",
    "TileError",
    "TileRequest",
    "describe_source",
    "render",
]
