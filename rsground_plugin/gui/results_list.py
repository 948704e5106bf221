"""The results list: one row for each object, sortable, filtered by the score slider."""

from __future__ import annotations

from typing import Any, List, Optional, Tuple

from qgis.core import QgsApplication
from qgis.PyQt.QtCore import (
    QAbstractTableModel,
    QItemSelectionModel,
    QModelIndex,
    QRectF,
    QSortFilterProxyModel,
    Qt,
    pyqtSignal,
)
from qgis.PyQt.QtGui import QBrush, QPainter, QPalette
from qgis.PyQt.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTreeView,
    QWidget,
)

from ..protocol import Detection, GroundingResult
from .messages import mixed

SCORE, LABEL, AREA, LENGTH, AZIMUTH = range(5)
_SORT_ROLE = Qt.ItemDataRole.UserRole
_DETECTION_ROLE = Qt.ItemDataRole.UserRole + 1
_ANCHOR_ROLE = Qt.ItemDataRole.UserRole + 2


class DetectionsModel(QAbstractTableModel):
    """Detections, then the anchors of relations."""

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self._rows: List[Tuple[Detection, bool]] = []
        self._titles = (self.tr("Score"), self.tr("Label"), self.tr("Area"), self.tr("Length"), self.tr("Azim."))

    def set_result(self, result: Optional[GroundingResult]) -> None:
        self.beginResetModel()
        self._rows = []
        if result is not None:
            self._rows = [(d, False) for d in result.detections] + [(d, True) for d in result.anchors]
        self.endResetModel()

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        return 0 if parent.isValid() else len(self._titles)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation == Qt.Orientation.Horizontal:
            if role == Qt.ItemDataRole.DisplayRole:
                return self._titles[section]
            if role == Qt.ItemDataRole.ToolTipRole and section == AZIMUTH:
                return self.tr("Azimuth: direction of the long axis, clockwise from true north")
            if role == Qt.ItemDataRole.ToolTipRole and section == LENGTH:
                return self.tr("Length of the long side of the oriented box")
        return None

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid() or index.row() >= len(self._rows):
            return None
        detection, is_anchor = self._rows[index.row()]
        column = index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return self._shown(detection, is_anchor, column)
        if role == _SORT_ROLE:
            return self._value(detection, column)
        if role == _DETECTION_ROLE:
            return detection
        if role == _ANCHOR_ROLE:
            return is_anchor
        if role == Qt.ItemDataRole.TextAlignmentRole and column in (AREA, LENGTH, AZIMUTH):
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        if role == Qt.ItemDataRole.FontRole and is_anchor:
            font = QgsApplication.font()
            font.setItalic(True)
            return font
        if role == Qt.ItemDataRole.ForegroundRole and is_anchor:
            palette = QgsApplication.palette()
            text, base = palette.color(QPalette.ColorRole.Text), palette.color(QPalette.ColorRole.Base)
            return QBrush(mixed(text, base, 0.4))
        if role == Qt.ItemDataRole.ToolTipRole:
            if is_anchor:
                return self.tr("A reference of the expression: relations were checked against it")
            return self.tr("Click: show on the map. Double click: open its attributes")
        return None

    def _shown(self, detection: Detection, is_anchor: bool, column: int) -> str:
        if column == SCORE:
            return self.tr("ref.") if is_anchor else f"{detection.score:.2f}"
        if column == LABEL:
            return detection.label
        if column == AREA:
            if detection.area_m2 is None:
                return f"{detection.pixel_area:,.0f} px" if detection.pixel_area else "–"
            return _area_text(detection.area_m2)
        if column == LENGTH:
            return "–" if detection.length_m is None else _length_text(detection.length_m)
        return "–" if detection.azimuth_deg is None else f"{detection.azimuth_deg:.0f}°"

    @staticmethod
    def _value(detection: Detection, column: int) -> Any:
        if column == SCORE:
            return detection.score
        if column == LABEL:
            return detection.label.casefold()
        if column == AREA:
            return detection.pixel_area if detection.area_m2 is None else detection.area_m2
        value = detection.length_m if column == LENGTH else detection.azimuth_deg
        return -1.0 if value is None else value


class _ScoreFilter(QSortFilterProxyModel):
    """Hides what is below the slider; anchors stay, and stay at the end."""

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self.min_score = 0.0
        self.setSortRole(_SORT_ROLE)

    def filterAcceptsRow(self, row: int, parent: QModelIndex) -> bool:
        index = self.sourceModel().index(row, SCORE, parent)
        # Half of a last shown digit, so that a score shown as 0.50 passes a slider that shows 0.50.
        return bool(index.data(_ANCHOR_ROLE)) or index.data(_DETECTION_ROLE).score >= self.min_score - 1e-9

    def lessThan(self, left: QModelIndex, right: QModelIndex) -> bool:
        left_is_anchor, right_is_anchor = bool(left.data(_ANCHOR_ROLE)), bool(right.data(_ANCHOR_ROLE))
        if left_is_anchor != right_is_anchor:
            ascending = self.sortOrder() == Qt.SortOrder.AscendingOrder
            return right_is_anchor if ascending else left_is_anchor
        return bool(left.data(_SORT_ROLE) < right.data(_SORT_ROLE))


class _ScoreBar(QStyledItemDelegate):
    """A quiet bar behind the score."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        if not index.data(_ANCHOR_ROLE):
            score = float(index.data(_SORT_ROLE) or 0.0)
            highlight = option.palette.color(QPalette.ColorRole.Highlight)
            highlight.setAlpha(70)
            rect = QRectF(option.rect).adjusted(1, 2, -3, -2)
            rect.setWidth(max(1.0, rect.width() * score))
            painter.save()
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(highlight)
            painter.drawRoundedRect(rect, 2, 2)
            painter.restore()
        super().paint(painter, option, index)


class ResultsList(QTreeView):
    """The list.

    Signals:
        chosen: a Detection was clicked, or reached with the arrow keys.
        opened: a Detection was double-clicked, or Return was pressed on it.
    """

    chosen = pyqtSignal(object)
    opened = pyqtSignal(object)

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self._source = DetectionsModel(self)
        self._filter = _ScoreFilter(self)
        self._filter.setSourceModel(self._source)
        self.setModel(self._filter)
        self.setItemDelegateForColumn(SCORE, _ScoreBar(self))
        self.setRootIsDecorated(False)
        self.setUniformRowHeights(True)
        self.setAlternatingRowColors(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setAllColumnsShowFocus(True)
        self.setSortingEnabled(True)
        self.sortByColumn(SCORE, Qt.SortOrder.DescendingOrder)
        self.setAccessibleName(self.tr("Results"))
        self.setMinimumHeight(self.fontMetrics().height() * 6)
        header = self.header()
        header.setStretchLastSection(False)
        header.setMinimumSectionSize(40)
        # Fixed by what they hold, so that the label gets the rest also in a narrow panel.
        widest = {SCORE: self.tr("Score") + "  ", AREA: "12,345 m²", LENGTH: "12.3 km", AZIMUTH: "Azim."}
        for column, text in widest.items():
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Interactive)
            header.resizeSection(column, header.fontMetrics().horizontalAdvance(text) + 14)
        header.setSectionResizeMode(LABEL, QHeaderView.ResizeMode.Stretch)
        self.clicked.connect(lambda index: self._emit(self.chosen, index))
        self.doubleClicked.connect(lambda index: self._emit(self.opened, index))

    def set_result(self, result: Optional[GroundingResult]) -> None:
        self._source.set_result(result)

    def set_min_score(self, min_score: float) -> None:
        self._filter.min_score = min_score
        self._filter.invalidateFilter()

    def n_shown(self) -> int:
        """How many detections pass the slider, without the anchors."""
        rows = range(self._filter.rowCount())
        return sum(1 for row in rows if not self._filter.index(row, SCORE).data(_ANCHOR_ROLE))

    def detection_at(self, row: int) -> Detection:
        """The detection of a shown row."""
        detection: Detection = self._filter.index(row, SCORE).data(_DETECTION_ROLE)
        return detection

    def choose_row(self, row: int) -> None:
        """As if the row had been clicked."""
        index = self._filter.index(row, LABEL)
        self.setCurrentIndex(index)
        self.clicked.emit(index)

    def keyPressEvent(self, event: Any) -> None:  # Qt's name
        before = self.currentIndex()
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and before.isValid():
            self._emit(self.opened, before)
            return
        super().keyPressEvent(event)
        after = self.currentIndex()
        if after.isValid() and after.row() != before.row():
            self.selectionModel().select(
                after, QItemSelectionModel.SelectionFlag.ClearAndSelect | QItemSelectionModel.SelectionFlag.Rows
            )
            self._emit(self.chosen, after)

    @staticmethod
    def _emit(signal: Any, index: QModelIndex) -> None:
        detection = index.sibling(index.row(), SCORE).data(_DETECTION_ROLE)
        if detection is not None:
            signal.emit(detection)


def _area_text(area_m2: float) -> str:
    if area_m2 >= 1e6:
        return f"{area_m2 / 1e6:,.2f} km²"
    if area_m2 >= 1e5:
        return f"{area_m2 / 1e4:,.1f} ha"
    return f"{area_m2:,.0f} m²" if area_m2 >= 10 else f"{area_m2:.1f} m²"


def _length_text(length_m: float) -> str:
    if length_m >= 10_000:
        return f"{length_m / 1000:,.1f} km"
    return f"{length_m:,.0f} m" if length_m >= 100 else f"{length_m:.1f} m"
