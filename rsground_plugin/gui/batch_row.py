"""Progress of a whole-layer search: tiles done, time left, pause, resume and cancel."""

from __future__ import annotations

import time
from typing import List, Optional, Tuple

from qgis.core import QgsApplication
from qgis.PyQt.QtCore import QSize, Qt, QTimer, pyqtSignal
from qgis.PyQt.QtWidgets import QFrame, QHBoxLayout, QLabel, QProgressBar, QToolButton, QVBoxLayout, QWidget

from .messages import secondary_text

#: The time left is worked out from the tiles of so many last seconds: the first ones load the engine.
_WINDOW_S = 120.0


class BatchRow(QFrame):
    """Hidden when nothing runs and nothing is paused.

    Signals:
        pause_requested, resume_requested, cancel_requested: the buttons.
    """

    pause_requested = pyqtSignal()
    resume_requested = pyqtSignal()
    cancel_requested = pyqtSignal()

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self._is_paused = False
        self._done_at: List[Tuple[float, int]] = []
        self._done = self._total = self._found = 0
        self._text = QLabel()
        self._text.setTextFormat(Qt.TextFormat.PlainText)
        self._text.setWordWrap(True)
        self._left = QLabel()
        self._left.setTextFormat(Qt.TextFormat.PlainText)
        secondary_text(self._left)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(6)
        self.bar.setAccessibleName(self.tr("Progress of the whole-layer search"))
        self.pause_button = self._button("/mActionStop.svg")
        self.pause_button.clicked.connect(self._pause_or_resume)
        self.cancel_button = self._button("/mTaskCancel.svg")
        self.cancel_button.setText(self.tr("Cancel"))
        self.cancel_button.setToolTip(self.tr("End the search; what was found so far stays, and can be continued"))
        self.cancel_button.clicked.connect(self.cancel_requested)
        buttons = QHBoxLayout()
        buttons.addWidget(self._left, 1)
        buttons.addWidget(self.pause_button)
        buttons.addWidget(self.cancel_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 6, 8, 6)
        layout.setSpacing(4)
        layout.addWidget(self._text)
        layout.addWidget(self.bar)
        layout.addLayout(buttons)
        self._timer = QTimer(self)
        self._timer.setInterval(1000)
        self._timer.timeout.connect(self._show_left)
        self.hide()

    def start(self) -> None:
        """Shows a search that begins or goes on."""
        self._done_at = []
        if not self._is_paused:
            self._done = self._total = self._found = 0
        self._set_paused(False)
        self.show_stage(self.tr("Starting"))
        self._timer.start()
        self.show()

    def stop(self) -> None:
        self._timer.stop()
        self._is_paused = False
        self.hide()

    def pause(self) -> None:
        """Shows a search that has come to rest and can go on."""
        self._timer.stop()
        self._set_paused(True)
        self._text.setText(
            self.tr("Paused after {done} of {total} tiles, {n} found").format(
                done=self._done, total=self._total, n=self._found
            )
        )
        self._left.setText("")

    def wait_for_end(self) -> None:
        """A button was pressed, and the work is on its way to a stop."""
        self.pause_button.setEnabled(False)
        self.cancel_button.setEnabled(False)
        self._left.setText(self.tr("Stopping …"))

    def show_stage(self, text: str, done: int = 0, total: int = 0) -> None:
        """Work beside the tiles: starting, copying, resolving."""
        self._text.setText(text + " …")
        self.bar.setRange(0, total)
        self.bar.setValue(done)

    def show_tiles(self, done: int, total: int, found: int, now: Optional[float] = None) -> None:
        """How many of the tiles are done, and how many objects (or candidates) they hold."""
        now = time.monotonic() if now is None else now
        self._done, self._total, self._found = done, total, found
        self._done_at = [(t, n) for t, n in self._done_at if now - t <= _WINDOW_S] + [(now, done)]
        self._text.setText(self.tr("{done} of {total} tiles, {n} found").format(done=done, total=total, n=found))
        self.bar.setRange(0, max(total, 1))
        self.bar.setValue(done)
        self._show_left(now)

    def seconds_left(self, now: Optional[float] = None) -> Optional[float]:
        """From the pace of the last tiles; None before two of them are done."""
        if len(self._done_at) < 2:
            return None
        (first_at, first), (last_at, last) = self._done_at[0], self._done_at[-1]
        if last <= first or last_at <= first_at:
            return None
        now = time.monotonic() if now is None else now
        return max(0.0, (self._total - last) * (last_at - first_at) / (last - first) - (now - last_at))

    @property
    def found(self) -> int:
        """As shown last."""
        return self._found

    @property
    def is_paused(self) -> bool:
        return self._is_paused

    def text(self) -> str:
        return self._text.text()

    def left_text(self) -> str:
        return self._left.text()

    def _show_left(self, now: Optional[float] = None) -> None:
        seconds = self.seconds_left(now)
        if seconds is not None and self.pause_button.isEnabled():
            self._left.setText(self.tr("{time} left").format(time=duration(seconds)))

    def _pause_or_resume(self) -> None:
        (self.resume_requested if self._is_paused else self.pause_requested).emit()

    def _set_paused(self, is_paused: bool) -> None:
        self._is_paused = is_paused
        self.pause_button.setEnabled(True)
        self.cancel_button.setEnabled(True)
        self.pause_button.setText(self.tr("Resume") if is_paused else self.tr("Pause"))
        self.pause_button.setIcon(
            QgsApplication.getThemeIcon("/mActionPlay.svg" if is_paused else "/temporal_navigation/pause.svg")
        )
        self.pause_button.setToolTip(
            self.tr("Go on where it stopped") if is_paused else self.tr("Stop for now; nothing done is lost")
        )

    def _button(self, icon: str) -> QToolButton:
        button = QToolButton()
        button.setIcon(QgsApplication.getThemeIcon(icon))
        button.setIconSize(QSize(16, 16))
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        return button


def duration(seconds: float) -> str:
    """ "45 s", "12 min", "3 h 05 min": as exact as an estimate is."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
