"""Progress of a query: what it is doing, for how long, and a thin bar."""

from __future__ import annotations

import time
from typing import Optional

from qgis.PyQt.QtCore import Qt, QTimer
from qgis.PyQt.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QVBoxLayout, QWidget

from .messages import secondary_text


class ProgressRow(QWidget):
    """Hidden when nothing runs. Keeps its height, so that nothing jumps when a query starts."""

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self._started_at = 0.0
        self._stages = {
            "tile": self.tr("Drawing the tile"),
            "server": self.tr("Starting the server"),
            "send": self.tr("Sending the tile"),
            # The server's own; one that is not here is shown in its own words.
            "encoding": self.tr("Looking at the image"),
            "encode": self.tr("Looking at the image"),
            "regions": self.tr("Dividing the image into regions"),
            "features": self.tr("Measuring regions"),
            "finding": self.tr("Looking for candidates"),
            "candidates": self.tr("Looking for candidates"),
            "loading": self.tr("Loading the models"),
            "overview": self.tr("Asking where the words point"),
            "focus": self.tr("Reading shapes and structure"),
            "refine": self.tr("Tracing outlines"),
            "segmenter": self.tr("Preparing the outlines"),
            "relating": self.tr("Checking relations"),
            "measuring": self.tr("Measuring what was found"),
            "write": self.tr("Writing the results"),
        }
        self._text = QLabel()
        self._elapsed = QLabel()
        for label in (self._text, self._elapsed):
            label.setTextFormat(Qt.TextFormat.PlainText)
            secondary_text(label)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(6)
        self.bar.setAccessibleName(self.tr("Progress of the query"))
        texts = QHBoxLayout()
        texts.addWidget(self._text, 1)
        texts.addWidget(self._elapsed)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addLayout(texts)
        layout.addWidget(self.bar)
        policy = self.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.setSizePolicy(policy)
        self._timer = QTimer(self)
        self._timer.setInterval(100)
        self._timer.timeout.connect(self._tick)
        self.hide()

    def start(self) -> None:
        self._started_at = time.monotonic()
        self.show_stage("tile", 0, 0)
        self._tick()
        self._timer.start()
        self.show()

    def stop(self) -> None:
        self._timer.stop()
        self.hide()

    def show_stage(self, stage: str, done: int, total: int) -> None:
        """A stage of the work; total 0 shows a busy bar."""
        text = self._stages.get(stage, stage[:1].upper() + stage[1:].replace("_", " "))
        self._text.setText(text + (f" ({done}/{total})" if total > 1 else "") + " …")
        self.bar.setRange(0, total if total > 1 else 0)
        self.bar.setValue(done)

    def text(self) -> str:
        return self._text.text()

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self._started_at

    def _tick(self) -> None:
        self._elapsed.setText(f"{self.elapsed_s:.1f} s")
