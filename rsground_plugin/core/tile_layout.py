"""Where a tile lies: an area of the map and the canvas's directions, carried into a layer's CRS.

TileArea        what to look at: the visible extent, a rectangle, polygons
area_in_layer   the part of it that the layer covers
screen_axes     the screen's right and down there, then ground_square and resolution
inside          which pixels of a grid lie in polygons
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Optional, Sequence, Tuple, Union

import numpy as np
from qgis.core import (
    Qgis,
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsCsException,
    QgsGeometry,
    QgsMapSettings,
    QgsPointXY,
    QgsRasterLayer,
    QgsRectangle,
    QgsWkbTypes,
)
from qgis.PyQt.QtCore import QPointF, QRectF, Qt
from qgis.PyQt.QtGui import QColor, QImage, QPainter, QPainterPath, QPolygonF, QTransform

from .errors import EmptyExtent, OutsideLayer
from .tile_grid import SQUARE_ENOUGH, NativeGrid, Point, TileGrid, not_finer_than, scaled
from .tile_reader import LayerSnapshot

#: Vertices added to the edges of an area before it is transformed, so that they may bend.
EDGE_STEPS = 8
WGS84_A = 6378137.0
WGS84_E2 = 0.0066943799901413165


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


def area_in_layer(area: TileArea, layer: QgsRasterLayer, map_settings: QgsMapSettings) -> QgsGeometry:
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
                raise OutsideLayer(outside(layer, area))
        try:
            geometry.transform(transform)
        except QgsCsException as error:
            raise OutsideLayer(
                f"The {area.title or 'area'} has no coordinates in the layer's CRS "
                f"({layer.crs().authid() or 'custom'}). Zoom the map to the layer.",
                details=str(error),
            ) from error
        if layer.crs().isGeographic() and has_end:
            geometry = _unwrapped(geometry, covered.center().x())
    if has_end:
        geometry = geometry.intersection(QgsGeometry.fromRect(covered))
    # Where edges merely touch, an intersection has lines and points beside its polygons.
    is_collection = geometry.convertGeometryCollectionToSubclass(QgsWkbTypes.GeometryType.PolygonGeometry)
    if not is_collection and geometry.type() != QgsWkbTypes.GeometryType.PolygonGeometry:
        raise OutsideLayer(outside(layer, area))
    if geometry.isNull() or geometry.isEmpty() or geometry.area() <= 0:
        raise OutsideLayer(outside(layer, area))
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
    if transform.sourceCrs().isGeographic() and box.width() > 180.0:
        return geometry  # the layer lies across the antimeridian, and this outline goes round the wrong way
    return geometry.intersection(outline_of_layer.buffer(0.01 * max(box.width(), box.height()), 4))


def _unwrapped(geometry: QgsGeometry, near: float) -> QgsGeometry:
    """The geometry with every longitude moved by whole turns to the one next to ``near``.

    A layer across the antimeridian goes on past 180 degrees, where transforms start again at -180.
    """
    polygons = geometry.asMultiPolygon() if geometry.isMultipart() else [geometry.asPolygon()]
    moved = [[[QgsPointXY(_turned(p.x(), near), p.y()) for p in ring] for ring in rings] for rings in polygons]
    return QgsGeometry.fromMultiPolygonXY(moved)


def _turned(longitude: float, near: float) -> float:
    return longitude + 360.0 * round((near - longitude) / 360.0)


def outside(layer: QgsRasterLayer, area: TileArea) -> str:
    return (
        f"The {area.title or 'area'} lies outside of the layer “{layer.name()}”. "
        "Zoom to the layer, or choose another layer or area."
    )


def screen_axes(center: QgsPointXY, layer: QgsRasterLayer, map_settings: QgsMapSettings) -> Tuple[Point, Point]:
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
            point = transform.transform(to_screen.toMapCoordinatesF(on_screen.x() + dx, on_screen.y() + dy))
            if layer.crs().isGeographic() and not transform.isShortCircuited():
                point.setX(_turned(point.x(), center.x()))
            return point

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


def _ground_length(center: QgsPointXY, vector: Point, to_wgs84: QgsCoordinateTransform) -> Optional[float]:
    """Metres on the ellipsoid of one step along ``vector`` at ``center``; None where that has no coordinates.

    By the ellipsoid's radii of curvature, exact for lengths of a few pixels. QgsDistanceArea does it too, but
    its first use reads every ellipsoid there is, which takes 40 ms of the main thread.
    """
    n = 2.0  # steps each way: far above rounding, far below the curvature
    try:
        ahead, behind = (
            to_wgs84.transform(QgsPointXY(center.x() + k * vector[0], center.y() + k * vector[1])) for k in (n, -n)
        )
    except QgsCsException:
        return None
    latitude = math.radians((ahead.y() + behind.y()) / 2)
    curvature = 1.0 - WGS84_E2 * math.sin(latitude) ** 2
    east = WGS84_A / math.sqrt(curvature) * math.cos(latitude)  # metres per radian
    north = WGS84_A * (1.0 - WGS84_E2) / curvature**1.5
    longitudes = _turned(ahead.x(), behind.x()) - behind.x()
    metres = math.hypot(east * math.radians(longitudes), north * math.radians(ahead.y() - behind.y())) / (2 * n)
    return metres if math.isfinite(metres) and metres > 0 else None


def _to_wgs84(layer: QgsRasterLayer, map_settings: QgsMapSettings) -> Optional[QgsCoordinateTransform]:
    if not layer.crs().isValid():
        return None
    return QgsCoordinateTransform(
        layer.crs(), QgsCoordinateReferenceSystem("EPSG:4326"), map_settings.transformContext()
    )


def ground_square(
    right: Point, down: Point, center: QgsPointXY, layer: QgsRasterLayer, map_settings: QgsMapSettings
) -> Tuple[Point, Point]:
    """The axes in their directions, made as long on the ground as each other where a map stretches them.

    Directions stay the screen's. Only lengths change, and only where they differ by more than a few per cent:
    a degree of longitude and one of latitude, not the distortion of a national grid.
    """
    to_wgs84 = _to_wgs84(layer, map_settings)
    if to_wgs84 is None:
        return right, down
    across, along = _ground_length(center, right, to_wgs84), _ground_length(center, down, to_wgs84)
    if across is None or along is None or abs(across / along - 1.0) < SQUARE_ENOUGH:
        return right, down
    size = math.sqrt(across * along)
    return scaled(right, size / across), scaled(down, size / along)


def resolution(right: Point, down: Point, snapshot: LayerSnapshot, native: Optional[NativeGrid]) -> Tuple[Point, Point]:
    if snapshot.has_size:
        return not_finer_than(right, down, native)
    resolutions = [r for r in snapshot.provider.nativeResolutions() if r > 0]
    if not resolutions:
        return right, down
    finest = min(resolutions)
    return not_finer_than(right, down, NativeGrid(0.0, 0.0, finest, finest))


def own_grid(grid: TileGrid) -> NativeGrid:
    """For services that draw any grid (WMS): upright pixels of the tile's size, on the tile's origin."""
    a = grid.affine
    dx, dy = math.hypot(a.c1, a.c2), math.hypot(a.c4, a.c5)
    return NativeGrid(a.c0, a.c3, dx, dy)


def gsd(grid: TileGrid, layer: QgsRasterLayer, map_settings: QgsMapSettings) -> Optional[float]:
    to_wgs84 = _to_wgs84(layer, map_settings)
    if to_wgs84 is None:
        return None
    center = QgsPointXY(*grid.affine.apply(grid.width / 2, grid.height / 2))
    across = _ground_length(center, grid.affine.right, to_wgs84)
    along = _ground_length(center, grid.affine.down, to_wgs84)
    return None if across is None or along is None else math.sqrt(across * along)


def told_gsd(grid: TileGrid, layer: QgsRasterLayer, pixel_size_m: float) -> Optional[float]:
    """Ground length of the grid's pixels where the user says that of the layer's, which has no CRS to tell it.

    None where a CRS tells it or nobody does (0).
    """
    if pixel_size_m <= 0 or layer.crs().isValid():
        return None
    own = layer.rasterUnitsPerPixelX() * layer.rasterUnitsPerPixelY()
    return pixel_size_m * math.sqrt(abs(grid.affine.determinant) / own) if own > 0 else None


def outline(grid: TileGrid) -> QgsGeometry:
    """The tile's outline as a polygon."""
    return QgsGeometry.fromPolygonXY([[QgsPointXY(x, y) for x, y in grid.corners()]])


def inside(mask: QgsGeometry, grid: TileGrid) -> Any:
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
