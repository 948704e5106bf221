"""The lower half of the panel: how the expression was understood, the score slider, the list, the exports."""

from __future__ import annotations

from typing import Optional

from qgis.core import QgsApplication
from qgis.PyQt.QtCore import QSize, Qt, pyqtSignal
from qgis.PyQt.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QMenu,
    QSizePolicy,
    QSlider,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ..core.export import FORMATS
from ..protocol import GroundingResult
from .messages import secondary_text
from .results_list import ResultsList


class ResultsPane(QWidget):
    """Shows one result.

    Signals:
        min_score_changed: the slider moved; 0 to 1.
        export_requested: a format's name was chosen.
    """

    min_score_changed = pyqtSignal(float)
    export_requested = pyqtSignal(str)

    def __init__(self, min_score: float, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self._result: Optional[GroundingResult] = None
        self._understood = QLabel()
        self._understood.setWordWrap(True)
        self._understood.setTextFormat(Qt.TextFormat.PlainText)
        self._understood.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._understood.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        secondary_text(self._understood)
        self._count = QLabel()
        font = self._count.font()
        font.setBold(True)
        self._count.setFont(font)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, 100)
        self.slider.setPageStep(10)
        self.slider.setAccessibleName(self.tr("Minimum score"))
        self.slider.setToolTip(self.tr("Hide what scores less, in the list and on the map"))
        self.slider.setMinimumWidth(60)
        slider_label = QLabel(self.tr("Sc&ore ≥"))
        slider_label.setBuddy(self.slider)
        self._slider_value = QLabel()
        self._slider_value.setMinimumWidth(self._slider_value.fontMetrics().horizontalAdvance("0.00"))
        self.list = ResultsList()
        self._export = QToolButton()
        self._export.setText(self.tr("E&xport"))
        self._export.setIcon(QgsApplication.getThemeIcon("/mActionFileSaveAs.svg"))
        self._export.setIconSize(QSize(16, 16))
        self._export.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._export.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._export.setToolTip(self.tr("Save what the list shows to a file"))
        self._export.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        menu = QMenu(self._export)
        self.export_actions = {}
        for name, wanted in FORMATS.items():
            action = menu.addAction(wanted.title + " …")
            action.triggered.connect(lambda _=False, n=name: self.export_requested.emit(n))
            self.export_actions[name] = action
        self._export.setMenu(menu)
        self._timing = QLabel()
        self._timing.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        secondary_text(self._timing)

        top = QHBoxLayout()
        top.addWidget(self._count, 1)
        top.addWidget(slider_label)
        top.addWidget(self.slider, 1)
        top.addWidget(self._slider_value)
        self._bottom = bottom = QHBoxLayout()
        bottom.addWidget(self._timing, 1)
        bottom.addWidget(self._export)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addWidget(self._understood)
        layout.addLayout(top)
        layout.addWidget(self.list, 1)
        layout.addLayout(bottom)
        self.slider.valueChanged.connect(self._moved)
        self.slider.setValue(round(100 * min_score))
        self._moved()
        self.show_result(None)

    def add_corner_widget(self, widget: QWidget) -> None:
        """Puts a small widget at the end of the last row."""
        self._bottom.addWidget(widget)

    @property
    def min_score(self) -> float:
        return self.slider.value() / 100.0

    @property
    def result(self) -> Optional[GroundingResult]:
        return self._result

    def understood(self) -> str:
        """The line that says how the expression was read."""
        return self._understood.text()

    def count_text(self) -> str:
        """The line that says how many there are."""
        return self._count.text()

    def show_result(self, result: Optional[GroundingResult], seconds: float = 0.0) -> None:
        """Shows a result, or nothing."""
        self._result = result
        self.list.set_result(result)
        has_found = result is not None and bool(result.detections)
        self._understood.setVisible(result is not None and bool(result.understood))
        self._export.setEnabled(has_found)
        self.slider.setEnabled(has_found)
        self._timing.setText("")
        if result is not None:
            self._understood.setText(self.tr("Understood as: {words}").format(words=result.understood))
            self._timing.setText(self.tr("{seconds:.1f} s, {engine}").format(seconds=seconds, engine=result.engine))
            self._timing.setToolTip("\n".join(f"{k}: {v:.3f} s" for k, v in result.timings_s.items()))
        self._show_count()

    def _moved(self) -> None:
        self._slider_value.setText(f"{self.min_score:.2f}")
        self.list.set_min_score(self.min_score)
        self._show_count()
        self.min_score_changed.emit(self.min_score)

    def _show_count(self) -> None:
        if self._result is None:
            self._count.setText(self.tr("No results yet"))
            return
        shown, found = self.list.n_shown(), len(self._result.detections)
        text = self.tr("{n} found").format(n=found)
        if shown != found:
            text = self.tr("{shown} of {n} shown").format(shown=shown, n=found)
        self._count.setText(text)
