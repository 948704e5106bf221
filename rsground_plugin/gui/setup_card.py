"""The first-run card: says that an environment is needed, makes it, shows progress, can be cancelled."""

from __future__ import annotations

from typing import Optional

from qgis.core import QgsApplication
from qgis.PyQt.QtCore import Qt, pyqtSignal
from qgis.PyQt.QtWidgets import QFrame, QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from ..core.background_tasks import EnvironmentTask
from ..core.environment import SIZE_MB
from ..core.errors import RSGroundError
from ..core.launch import environment
from ..core.settings import Settings
from .messages import secondary_text


class SetupCard(QFrame):
    """Shown instead of nothing happening.

    Signals:
        ready: the environment is there.
        failed: it could not be made; an RSGroundError.
    """

    ready = pyqtSignal()
    failed = pyqtSignal(object)

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self._task: Optional[EnvironmentTask] = None
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self._title = QLabel()
        self._title.setWordWrap(True)
        font = self._title.font()
        font.setBold(True)
        self._title.setFont(font)
        self._about = QLabel(
            self.tr(
                "It is made once, about {size} MB on disk, downloaded from the Python package index. "
                "QGIS's own Python is left alone."
            ).format(size=SIZE_MB)
        )
        self._about.setWordWrap(True)
        secondary_text(self._about)
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setMaximumHeight(8)
        self._bar.setRange(0, 1000)
        self._step = QLabel()
        self._step.setTextFormat(Qt.TextFormat.PlainText)
        secondary_text(self._step)
        self.start_button = QPushButton(self.tr("&Set up"))
        self.start_button.setDefault(True)
        self.start_button.clicked.connect(self.start)
        self.cancel_button = QPushButton(self.tr("Cancel"))
        self.cancel_button.clicked.connect(self.cancel)
        buttons = QHBoxLayout()
        buttons.addWidget(self.start_button)
        buttons.addWidget(self.cancel_button)
        buttons.addStretch(1)
        layout = QVBoxLayout(self)
        for widget in (self._title, self._about, self._bar, self._step):
            layout.addWidget(widget)
        layout.addLayout(buttons)
        self._show_idle()
        self.hide()

    def offer(self, why: str) -> None:
        """Shows the card."""
        self._title.setText(why)
        self.show()

    def title(self) -> str:
        """Why an environment is needed."""
        return self._title.text()

    def start(self) -> None:
        """Begins to make the environment."""
        task = EnvironmentTask(
            environment(), Settings.load().base_interpreter, self.tr("RSGround: setting up its Python environment")
        )
        task.reported.connect(self._reported)
        task.made.connect(self._made)
        task.failed.connect(self._failed)
        task.cancelled.connect(self._show_idle)
        self._task = task
        self._bar.setValue(0)
        self._bar.show()
        self._step.show()
        self._step.setText(self.tr("Starting"))
        self.start_button.hide()
        self.cancel_button.setEnabled(True)
        self.cancel_button.show()
        QgsApplication.taskManager().addTask(task)

    def cancel(self) -> None:
        """Stops the making; what was made is removed."""
        if self._task is not None:
            self.cancel_button.setEnabled(False)
            self._step.setText(self.tr("Cancelling"))
            self._task.cancel()

    def _reported(self, what: str, fraction: float) -> None:
        if self._task is not None and not self._task.isCanceled():
            self._step.setText(what)
            self._bar.setValue(round(1000 * fraction))

    def _made(self) -> None:
        self._show_idle()
        self.hide()
        self.ready.emit()

    def _failed(self, error: RSGroundError) -> None:
        self._show_idle()
        self.failed.emit(error)

    def _show_idle(self) -> None:
        self._task = None
        self._bar.hide()
        self._step.hide()
        self.cancel_button.hide()
        self.start_button.show()
