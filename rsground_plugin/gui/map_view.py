"""Showing a detection on the map: the view moves to it, and it flashes."""

from __future__ import annotations

from typing import Optional

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsCsException,
    QgsGeometry,
    QgsPointXY,
    QgsProject,
    QgsRectangle,
)
from qgis.gui import QgsMapCanvas

from ..protocol import Detection, Ring

#: An object that takes less than this part of the view is zoomed to, one that takes more than the
#: second is zoomed out of; in between the view only moves.
_SMALLEST, _LARGEST = 0.06, 0.6
#: After zooming, the object takes about this part of the view.
_COMFORTABLE = 0.25


def detection_geometry(detection: Detection) -> Optional[QgsGeometry]:
    """The mask, or the oriented box, or the box: the first there is; None when it has no geometry."""
    if detection.mask is not None:
        polygons = [[_points(ring) for ring in polygon] for polygon in detection.mask]
        return QgsGeometry.fromMultiPolygonXY(polygons)
    ring = detection.obb or detection.hbb
    return None if ring is None else QgsGeometry.fromPolygonXY([_points(ring)])


def show_on_map(canvas: QgsMapCanvas, geometry: QgsGeometry, crs: QgsCoordinateReferenceSystem) -> None:
    """Moves the view to a geometry and flashes it."""
    box = _in_canvas_crs(canvas, geometry.boundingBox(), crs)
    if box is None:
        return
    view = canvas.extent()
    part = max(box.width() / max(view.width(), 1e-12), box.height() / max(view.height(), 1e-12))
    if part < _SMALLEST or part > _LARGEST:
        box.scale(1.0 / _COMFORTABLE)
        if box.width() > 0 or box.height() > 0:
            canvas.setExtent(box)
    elif not view.contains(box):
        canvas.setCenter(box.center())
    canvas.refresh()
    canvas.flashGeometries([geometry], crs, flashes=3, duration=300)


def _in_canvas_crs(
    canvas: QgsMapCanvas, box: QgsRectangle, crs: QgsCoordinateReferenceSystem
) -> Optional[QgsRectangle]:
    destination = canvas.mapSettings().destinationCrs()
    if not crs.isValid() or not destination.isValid() or crs == destination:
        return QgsRectangle(box)
    try:
        return QgsCoordinateTransform(crs, destination, QgsProject.instance()).transformBoundingBox(box)
    except QgsCsException:
        return None


def _points(ring: Ring) -> list[QgsPointXY]:
    return [QgsPointXY(x, y) for x, y in ring]
