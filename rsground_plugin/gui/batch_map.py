"""Progress on the map: the grid of tiles, those that are done filled."""

from __future__ import annotations

from typing import Iterable, List

from qgis.core import QgsCoordinateReferenceSystem, QgsGeometry, QgsWkbTypes
from qgis.gui import QgsMapCanvas, QgsRubberBand
from qgis.PyQt.QtGui import QColor

_WAITING_LINE, _DONE_LINE, _DONE_FILL = QColor(255, 255, 255, 110), QColor(255, 196, 0, 170), QColor(255, 196, 0, 38)


class BatchMap:
    """Two rubber bands over the canvas: tiles that wait and tiles that are done."""

    def __init__(self, canvas: QgsMapCanvas) -> None:
        self._canvas = canvas
        self._waiting = self._band(_WAITING_LINE, QColor(0, 0, 0, 0))
        self._done = self._band(_DONE_LINE, _DONE_FILL)
        self.n_waiting = self.n_done = 0

    def add_waiting(self, tiles: Iterable[QgsGeometry], crs: QgsCoordinateReferenceSystem) -> None:
        """Draws the outlines of tiles."""
        self.n_waiting += self._add(self._waiting, list(tiles), crs)

    def add_done(self, tiles: Iterable[QgsGeometry], crs: QgsCoordinateReferenceSystem) -> None:
        """Fills tiles."""
        self.n_done += self._add(self._done, list(tiles), crs)

    def clear(self) -> None:
        for band in (self._waiting, self._done):
            band.reset(QgsWkbTypes.GeometryType.PolygonGeometry)
        self.n_waiting = self.n_done = 0

    def dispose(self) -> None:
        """Takes the bands off the canvas for good."""
        scene = self._canvas.scene()
        if scene is not None:
            for band in (self._waiting, self._done):
                scene.removeItem(band)

    @staticmethod
    def _add(band: QgsRubberBand, tiles: List[QgsGeometry], crs: QgsCoordinateReferenceSystem) -> int:
        for tile in tiles[:-1]:
            band.addGeometry(tile, crs, False)
        if tiles:
            band.addGeometry(tiles[-1], crs, True)
        return len(tiles)

    def _band(self, line: QColor, fill: QColor) -> QgsRubberBand:
        band = QgsRubberBand(self._canvas, QgsWkbTypes.GeometryType.PolygonGeometry)
        band.setStrokeColor(line)
        band.setFillColor(fill)
        band.setWidth(1)
        return band
