"""What to search: the visible extent, a rectangle drawn on the map, the selected polygons, or a whole layer."""

from __future__ import annotations

from typing import Optional

from qgis.core import (
    QgsApplication,
    QgsCoordinateReferenceSystem,
    QgsGeometry,
    QgsMapLayerProxyModel,
    QgsPointXY,
    QgsProject,
    QgsVectorLayer,
    QgsWkbTypes,
)
from qgis.gui import QgsMapCanvas, QgsMapLayerComboBox, QgsMapMouseEvent, QgsMapTool, QgsRubberBand
from qgis.PyQt.QtCore import QPoint, QRect, QSize, Qt, pyqtSignal
from qgis.PyQt.QtGui import QColor, QKeyEvent
from qgis.PyQt.QtWidgets import QButtonGroup, QGridLayout, QLabel, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from ..core.raster_tile import TileArea
from .messages import secondary_text

VISIBLE, RECTANGLE, SELECTION, WHOLE = "visible", "rectangle", "selection", "whole"
_MIN_DRAG_PX = 5
_BAND_COLOUR = QColor(255, 196, 0)


class RectangleTool(QgsMapTool):
    """Drags a rectangle along the screen, so that it is a rotated one on a rotated map."""

    drawn = pyqtSignal(QgsGeometry)
    cancelled = pyqtSignal()

    def __init__(self, canvas: QgsMapCanvas) -> None:
        super().__init__(canvas)
        self._canvas = canvas
        self._start: Optional[QPoint] = None
        self._band = QgsRubberBand(canvas, QgsWkbTypes.GeometryType.PolygonGeometry)
        self._band.setStrokeColor(_BAND_COLOUR)
        self._band.setFillColor(QColor(255, 196, 0, 30))
        self._band.setWidth(2)
        self._band.setLineStyle(Qt.PenStyle.DashLine)
        self.setCursor(Qt.CursorShape.CrossCursor)

    def canvasPressEvent(self, event: QgsMapMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._start = event.pos()

    def canvasMoveEvent(self, event: QgsMapMouseEvent) -> None:
        if self._start is not None:
            self.show_polygon(self._polygon(event.pos()))

    def canvasReleaseEvent(self, event: QgsMapMouseEvent) -> None:
        start, self._start = self._start, None
        if start is None or event.button() != Qt.MouseButton.LeftButton:
            return
        size = QRect(start, event.pos()).normalized().size()
        if min(size.width(), size.height()) < _MIN_DRAG_PX:
            self.clear()
            return
        self._start = start
        polygon = self._polygon(event.pos())
        self._start = None
        self.show_polygon(polygon)
        self.drawn.emit(polygon)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self._start = None
            self.clear()
            self.cancelled.emit()
            event.accept()

    def show_polygon(self, polygon: QgsGeometry) -> None:
        self._band.setToGeometry(polygon, None)

    def clear(self) -> None:
        self._band.reset(QgsWkbTypes.GeometryType.PolygonGeometry)

    def dispose(self) -> None:
        """Takes the band off the canvas for good."""
        scene = self._canvas.scene()
        if scene is not None:
            scene.removeItem(self._band)

    def _polygon(self, end: QPoint) -> QgsGeometry:
        start = self._start or end
        corners = (start, QPoint(end.x(), start.y()), end, QPoint(start.x(), end.y()))
        ring = [QgsPointXY(self.toMapCoordinates(c)) for c in corners]
        return QgsGeometry.fromPolygonXY([[*ring, ring[0]]])


class AreaChooser(QWidget):
    """Four buttons, and below them what belongs to the last.

    ``hint`` says what is missing, "" when the area can be searched.
    """

    changed = pyqtSignal()

    def __init__(self, canvas: QgsMapCanvas, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self._canvas = canvas
        self._polygon: Optional[QgsGeometry] = None
        self._polygon_crs = QgsCoordinateReferenceSystem()
        self._tool = RectangleTool(canvas)
        self._tool.drawn.connect(self._rectangle_drawn)
        self._tool.cancelled.connect(self._rectangle_cancelled)
        self._earlier_tool: Optional[QgsMapTool] = None

        self._group = QButtonGroup(self)
        self._buttons = {
            VISIBLE: self._button(
                self.tr("&Visible"), "/mActionViewExtentInCanvas.svg", self.tr("Search what the map shows")
            ),
            RECTANGLE: self._button(
                self.tr("&Rectangle"),
                "/mActionRectangleExtent.svg",
                self.tr("Draw a rectangle on the map and search it"),
            ),
            SELECTION: self._button(
                self.tr("&Selection"),
                "/mActionSelectPolygon.svg",
                self.tr("Search inside the selected polygons of any polygon layer"),
            ),
            WHOLE: self._button(
                self.tr("&Whole layer"),
                "/mActionZoomToLayer.svg",
                self.tr("Search all of the layer at its own resolution, tile by tile"),
            ),
        }
        buttons = QGridLayout()
        buttons.setSpacing(2)
        for i, button in enumerate(self._buttons.values()):
            buttons.addWidget(button, i // 2, i % 2)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(buttons)
        layout.addWidget(self._whole_options())
        self._buttons[VISIBLE].setChecked(True)
        self._buttons[RECTANGLE].clicked.connect(self._draw)
        for kind in (VISIBLE, SELECTION, WHOLE):
            self._buttons[kind].clicked.connect(self._leave_tool)
        self.setFocusProxy(self._buttons[VISIBLE])

    @property
    def kind(self) -> str:
        return next(kind for kind, button in self._buttons.items() if button.isChecked())

    def choose(self, kind: str) -> None:
        """As if the button had been clicked."""
        self._buttons[kind].click()

    def button(self, kind: str) -> QToolButton:
        return self._buttons[kind]

    def area(self) -> Optional[TileArea]:
        """The area chosen; None when nothing is drawn or selected yet."""
        if self.kind == VISIBLE:
            return TileArea.visible(self._canvas.mapSettings())
        if self.kind == RECTANGLE:
            return None if self._polygon is None else TileArea.rectangle(self._polygon, self._polygon_crs)
        layer = self._selected_layer()
        if layer is None:
            return None
        return TileArea.polygons([f.geometry() for f in layer.selectedFeatures()], layer.crs())

    def polygons(self) -> Optional[TileArea]:
        """All polygons of the layer chosen to search in; None when none is chosen."""
        layer = self.within.currentLayer()
        if layer is None:
            return None
        return TileArea.polygons([f.geometry() for f in layer.getFeatures() if f.hasGeometry()], layer.crs())

    def show_estimate(self, text: str) -> None:
        """What a search of the whole layer would take."""
        self.estimate.setText(text)

    def hint(self) -> str:
        if (
            self.kind == WHOLE
            and self.within.currentLayer() is not None
            and not self.within.currentLayer().featureCount()
        ):
            return self.tr("The layer “{name}” has no polygons.").format(name=self.within.currentLayer().name())
        if self.kind == RECTANGLE and self._polygon is None:
            return self.tr("Draw a rectangle on the map first.")
        if self.kind == SELECTION and self._selected_layer() is None:
            return self.tr("Select one or more polygons on the map first.")
        return ""

    def dispose(self) -> None:
        """Gives the map back as it was."""
        self._leave_tool()
        self._tool.dispose()

    def _selected_layer(self) -> Optional[QgsVectorLayer]:
        layers = [
            layer
            for layer in QgsProject.instance().mapLayers().values()
            if isinstance(layer, QgsVectorLayer)
            and layer.geometryType() == QgsWkbTypes.GeometryType.PolygonGeometry
            and layer.selectedFeatureCount()
        ]
        # The layer that is current in the layer tree speaks first, then any.
        current = self._canvas.currentLayer()
        return current if current in layers else next(iter(layers), None)

    def _draw(self) -> None:
        if self._canvas.mapTool() is not self._tool:
            self._earlier_tool = self._canvas.mapTool()
        self._canvas.setMapTool(self._tool)
        self._canvas.setFocus()
        self.changed.emit()

    def _leave_tool(self) -> None:
        self._tool.clear()
        self._polygon = None
        self._give_tool_back()
        self.changed.emit()

    def _give_tool_back(self) -> None:
        if self._canvas.mapTool() is self._tool:
            if self._earlier_tool is not None:
                self._canvas.setMapTool(self._earlier_tool)
            else:
                self._canvas.unsetMapTool(self._tool)

    def _rectangle_drawn(self, polygon: QgsGeometry) -> None:
        self._polygon = QgsGeometry(polygon)
        self._polygon_crs = self._canvas.mapSettings().destinationCrs()
        self._give_tool_back()
        self.changed.emit()

    def _rectangle_cancelled(self) -> None:
        self._polygon = None
        self._buttons[VISIBLE].setChecked(True)
        self._give_tool_back()
        self.changed.emit()

    def _whole_options(self) -> QWidget:
        """The polygon layer to search in, and what the search will take; shown for the whole layer only."""
        self.within = QgsMapLayerComboBox()
        self.within.setFilters(
            getattr(QgsMapLayerProxyModel, "PolygonLayer", None) or QgsMapLayerProxyModel.Filter.PolygonLayer
        )
        self.within.setAllowEmptyLayer(True, self.tr("everywhere"))
        self.within.setLayer(None)
        self.within.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.within.setAccessibleName(self.tr("Polygon layer to search in"))
        self.within.layerChanged.connect(self.changed)
        label = QLabel(self.tr("W&ithin"))
        label.setBuddy(self.within)
        self.estimate = QLabel()
        self.estimate.setWordWrap(True)
        self.estimate.setTextFormat(Qt.TextFormat.PlainText)
        secondary_text(self.estimate)
        options = QWidget()
        layout = QGridLayout(options)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(label, 0, 0)
        layout.addWidget(self.within, 0, 1)
        layout.addWidget(self.estimate, 1, 0, 1, 2)
        layout.setColumnStretch(1, 1)
        self._buttons[WHOLE].toggled.connect(options.setVisible)
        options.hide()
        return options

    def _button(self, text: str, icon: str, tip: str) -> QToolButton:
        button = QToolButton()
        button.setText(text)
        button.setIcon(QgsApplication.getThemeIcon(icon))
        button.setIconSize(QSize(16, 16))
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        button.setToolTip(tip)
        button.setCheckable(True)
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._group.addButton(button)
        return button
