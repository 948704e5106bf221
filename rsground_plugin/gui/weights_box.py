"""Weights of large models, in the options: which there are, which are missing, and a button that gets them."""

from __future__ import annotations

from typing import Callable, List, Optional, Tuple

from qgis.core import QgsApplication
from qgis.gui import QgsFileWidget
from qgis.PyQt.QtCore import Qt, pyqtSignal
from qgis.PyQt.QtGui import QShowEvent
from qgis.PyQt.QtWidgets import (
    QComboBox,
    QFormLayout,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QMessageBox,
    QProgressBar,
    QPushButton,
    QWidget,
)

from ..core.background_tasks import ListWeightsTask, PullWeightsTask
from ..core.errors import RSGroundError
from ..core.launch import launch
from ..core.server_process import Launch
from ..core.settings import Settings
from ..core.weights import PublishedWeights
from .messages import secondary_text

#: The download that runs, kept here because it outlives the options in which it was begun.
_running: List[PullWeightsTask] = []


def stop_downloads() -> None:
    """Stops the download that runs, if any; what came is kept."""
    for task in _running:
        task.cancel()


class WeightsBox(QGroupBox):
    """Lists weights when it is first shown; downloads one at a time, after the user has agreed to its licence.

    A download goes on when the options are closed; the next box shows it again.

    Args:
        models_folder: where weights are kept, "" for the server's own place.
        make_launch: how the server's program is started now; may raise RSGroundError.

    Signals:
        pulled: weights have come; engines that lacked them can answer now.
        failed: an RSGroundError.
    """

    pulled = pyqtSignal()
    failed = pyqtSignal(object)

    def __init__(
        self, models_folder: str, make_launch: Callable[[], Launch] = launch, parent: Optional[QWidget] = None
    ) -> None:
        super().__init__(parent)
        self.setTitle(self.tr("Weights of large models"))
        self._make_launch = make_launch
        self._weights: Tuple[PublishedWeights, ...] = ()
        self._listing: Optional[ListWeightsTask] = None
        self._pulling: Optional[PullWeightsTask] = None
        self.folder = QgsFileWidget()
        self.folder.setStorageMode(QgsFileWidget.StorageMode.GetDirectory)
        self.folder.setFilePath(models_folder)
        self.folder.lineEdit().setPlaceholderText(self.tr("In the user's cache folder"))
        self.combo = QComboBox()
        self.combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.combo.setMinimumContentsLength(24)
        self.combo.setAccessibleName(self.tr("Weights of large models"))
        self.about = QLabel(self.tr("The built-in engine needs none."))
        self.about.setWordWrap(True)
        self.about.setTextFormat(Qt.TextFormat.PlainText)
        secondary_text(self.about)
        self.get_button = QPushButton(self.tr("Get"))
        self.stop_button = QPushButton(self.tr("Stop"))
        self.bar = QProgressBar()
        self.bar.setRange(0, 100)
        self.bar.setMaximumHeight(8)
        self.bar.setTextVisible(False)
        buttons = QHBoxLayout()
        buttons.addWidget(self.get_button)
        buttons.addWidget(self.stop_button)
        buttons.addWidget(self.bar, 1)
        buttons.addStretch()
        form = QFormLayout(self)
        form.addRow(self.tr("Kept in"), self.folder)
        form.addRow(self.tr("Weights"), self.combo)
        form.addRow(self.about)
        form.addRow(buttons)
        self.combo.currentIndexChanged.connect(self._show_chosen)
        self.get_button.clicked.connect(self.get)
        self.stop_button.clicked.connect(self.stop)
        if _running:
            self._follow(_running[0])
        self._show_chosen()

    def showEvent(self, event: QShowEvent) -> None:  # Qt's name
        super().showEvent(event)
        if not self._weights:
            self.refresh()

    @property
    def is_busy(self) -> bool:
        """A download runs."""
        return self._pulling is not None

    def refresh(self) -> None:
        """Asks the server's program which weights there are."""
        if self._listing is not None:
            return
        try:
            task = ListWeightsTask(self._make_launch(), self.tr("RSGround: listing weights"))
        except RSGroundError as error:
            # There is no environment yet; the box above says so and offers to make it.
            self.about.setText(str(error))
            return
        task.listed.connect(self._listed)
        task.failed.connect(self._not_listed)
        task.cancelled.connect(self._listing_ended)
        self._listing = task
        QgsApplication.taskManager().addTask(task)

    def choose(self, name: str) -> None:
        """Chooses weights by their id."""
        self.combo.setCurrentIndex(self.combo.findData(name))

    def get(self) -> None:
        """Downloads what is chosen, after asking."""
        chosen = self._chosen()
        if chosen is None or self.is_busy or _running or not self._agrees(chosen):
            return
        # Where they go now is where the server must look for them, whether the options are applied or not.
        Settings.load().save(models_folder=self.folder.filePath().strip())
        try:
            task = PullWeightsTask(
                self._make_launch(), chosen.id, self.tr("RSGround: downloading {name}").format(name=chosen.id)
            )
        except RSGroundError as error:
            self.failed.emit(error)
            return
        _running.append(task)
        for end in (task.pulled, task.failed, task.cancelled):
            end.connect(lambda *_: _running.remove(task))
        self._follow(task)
        QgsApplication.taskManager().addTask(task)

    def stop(self) -> None:
        """Stops the download; what came is kept, and gone on with the next time."""
        if self._pulling is not None:
            self.stop_button.setEnabled(False)
            self._pulling.cancel()

    def _follow(self, task: PullWeightsTask) -> None:
        task.reported.connect(self._reported)
        task.pulled.connect(self._pulled)
        task.failed.connect(self._not_pulled)
        task.cancelled.connect(self._ended)
        self._pulling = task
        self._show_chosen()
        self.about.setText(self.tr("Starting"))

    def _agrees(self, chosen: PublishedWeights) -> bool:
        question = self.tr(
            "Download {name}, {size}?\n\nLicence: {licence}. By downloading you agree to it; read it at"
            " https://huggingface.co/{name} first."
        ).format(name=chosen.id, size=_size(chosen.n_bytes), licence=chosen.licence)
        return QMessageBox.question(self, "RSGround", question) == QMessageBox.StandardButton.Yes

    def _chosen(self) -> Optional[PublishedWeights]:
        return next((w for w in self._weights if w.id == self.combo.currentData()), None)

    def _show_chosen(self) -> None:
        chosen = self._chosen()
        self.get_button.setEnabled(chosen is not None and not chosen.is_here and not self.is_busy)
        self.stop_button.setVisible(self.is_busy)
        self.stop_button.setEnabled(self.is_busy)
        self.bar.setVisible(self.is_busy)
        self.combo.setEnabled(not self.is_busy)
        self.folder.setEnabled(not self.is_busy)
        if chosen is None or self.is_busy:
            return
        state = self.tr("It is here.") if chosen.is_here else self.tr("It is missing.")
        if chosen.is_partly_here:
            state = self.tr("A part of it is here; the download goes on from there.")
        facts = self.tr("{state} {size}, licence {licence}, for {engines}.").format(
            state=state, size=_size(chosen.n_bytes), licence=chosen.licence, engines=", ".join(chosen.engines)
        )
        self.about.setText(facts)

    def _listed(self, weights: Tuple[PublishedWeights, ...]) -> None:
        self._listing = None
        self._weights = weights
        before = self.combo.currentData()
        self.combo.blockSignals(True)
        self.combo.clear()
        for each in weights:
            mark = "✓ " if each.is_here else ""
            default = self.tr(" (default)") if each.is_default else ""
            self.combo.addItem(f"{mark}{each.id}{default}", each.id)
        self.combo.setCurrentIndex(max(0, self.combo.findData(before)))
        self.combo.blockSignals(False)
        self._show_chosen()

    def _not_listed(self, error: RSGroundError) -> None:
        self._listing = None
        self.failed.emit(error)

    def _listing_ended(self) -> None:
        self._listing = None

    def _reported(self, how_far: str, fraction: float) -> None:
        if self.is_busy:
            self.about.setText(how_far)
            self.bar.setValue(round(100 * fraction))

    def _ended(self) -> None:
        self._pulling = None
        self.bar.setValue(0)
        self._show_chosen()
        self.refresh()

    def _pulled(self) -> None:
        self._ended()
        self.pulled.emit()

    def _not_pulled(self, error: RSGroundError) -> None:
        self._ended()
        self.failed.emit(error)


def _size(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.0f} MB"
