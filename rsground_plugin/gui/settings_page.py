"""RSGround's page in QGIS's options."""

from __future__ import annotations

import os
from typing import Callable, Optional

from qgis.core import QgsApplication
from qgis.gui import QgsFileWidget, QgsOptionsPageWidget, QgsOptionsWidgetFactory, QgsPasswordLineEdit
from qgis.PyQt.QtCore import QUrl
from qgis.PyQt.QtGui import QDesktopServices, QIcon
from qgis.PyQt.QtWidgets import (
    QFormLayout,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from ..core.background_tasks import RemoveEnvironmentTask
from ..core.environment import INCOMPLETE, MISSING, OUTDATED, READY
from ..core.errors import RSGroundError
from ..core.launch import PLUGIN_FOLDER, environment, server_log
from ..core.server_process import RunningServer, ServerSource
from ..core.settings import INTERPRETER_VARIABLE, Settings, server_token, store_server_token
from .messages import ERROR, INFO, WARNING, MessageArea, secondary_text
from .setup_card import SetupCard
from .weights_box import WeightsBox

PAGE_KEY = "RSGround"


def plugin_icon() -> QIcon:
    """The plugin's icon."""
    return QIcon(str(PLUGIN_FOLDER / "icon.svg"))


class SettingsPage(QgsOptionsPageWidget):
    """The page. ``apply`` is called by QGIS when the user presses OK.

    Args:
        changed: called after the settings were saved.
        source: gives the server in use, so that it is stopped before its environment is removed.
    """

    def __init__(
        self,
        changed: Callable[[], None],
        source: Callable[[], Optional[ServerSource]],
        parent: Optional[QWidget] = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName(PAGE_KEY)
        self._changed = changed
        self._source = source
        self._removing: Optional[RemoveEnvironmentTask] = None
        settings = Settings.load()
        self._token_before = server_token() if settings.server_url else ""

        self.message = MessageArea()
        self.setup = SetupCard()
        self.setup.ready.connect(self._environment_ready)
        self.setup.failed.connect(lambda error: self.message.show_message(ERROR, str(error), error.details))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.message)
        layout.addWidget(self._environment_box(settings))
        layout.addWidget(self._server_box(settings))
        layout.addWidget(self._query_box(settings))
        self.weights = WeightsBox(settings.models_folder)
        # A running server looks for weights when an engine is next asked for; it is started anew to be sure.
        self.weights.pulled.connect(self._changed)
        self.weights.failed.connect(lambda error: self.message.show_message(ERROR, str(error), error.details))
        layout.addWidget(self.weights)
        layout.addStretch(1)
        self._show_state()

    def apply(self) -> None:
        """Saves what was changed."""
        before = Settings.load()
        # A developer's interpreter comes from the environment and is not to be kept.
        own = {} if self._is_overridden else {"interpreter": self.interpreter.filePath().strip()}
        after = before.save(
            **own,
            base_interpreter=self.base_interpreter.filePath().strip(),
            server_url=self.server_url.text().strip(),
            idle_unload_min=self.idle_unload_min.value(),
            max_tile_px=self.max_tile_px.value(),
            results_folder=self.results_folder.filePath().strip(),
            models_folder=self.weights.folder.filePath().strip(),
        )
        token = self.token.text()
        if token != self._token_before:
            store_server_token(token)
            self._token_before = token
        elif after == before:
            return
        self._changed()

    def isValid(self) -> bool:  # Qt's name
        """False keeps the options open: the server's address is not usable."""
        url = self.server_url.text().strip()
        if not url:
            return True
        try:
            RunningServer(url, "")
        except RSGroundError as error:
            self.message.show_message(WARNING, str(error))
            return False
        return True

    def helpKey(self) -> str:  # Qt's name
        return ""

    def _environment_box(self, settings: Settings) -> QGroupBox:
        box = QGroupBox(self.tr("Python environment of the server"))
        self._state = QLabel()
        self._state.setWordWrap(True)
        self.set_up_button = QPushButton(self.tr("Set up anew"))
        self.set_up_button.clicked.connect(self._set_up)
        self.remove_button = QPushButton(self.tr("Remove"))
        self.remove_button.clicked.connect(self._remove)
        log = QPushButton(self.tr("Open the log"))
        log.clicked.connect(self._open_log)
        buttons = QHBoxLayout()
        for button in (self.set_up_button, self.remove_button, log):
            buttons.addWidget(button)
        buttons.addStretch(1)
        self.base_interpreter = _file(
            settings.base_interpreter,
            self.tr("QGIS's own, or the newest suitable one"),
            self.tr("Python to make it from"),
        )
        self.interpreter = _file(
            settings.interpreter, self.tr("The environment above"), self.tr("Interpreter to use instead")
        )
        self._is_overridden = INTERPRETER_VARIABLE in os.environ
        self.interpreter.setEnabled(not self._is_overridden)
        form = QFormLayout(box)
        form.addRow(self._state)
        form.addRow(self.setup)
        form.addRow(buttons)
        form.addRow(self.tr("Made from Python"), self.base_interpreter)
        form.addRow(self.tr("Use instead"), self.interpreter)
        return box

    def _server_box(self, settings: Settings) -> QGroupBox:
        box = QGroupBox(self.tr("A server that is already running"))
        self.server_url = QLineEdit(settings.server_url)
        self.server_url.setPlaceholderText(self.tr("Empty: RSGround starts its own"))
        self.token = QgsPasswordLineEdit()
        self.token.setText(self._token_before)
        note = QLabel(
            self.tr(
                "The token is kept in QGIS's encrypted authentication database; without a master password it is "
                "forgotten when QGIS ends."
            )
        )
        note.setWordWrap(True)
        secondary_text(note)
        form = QFormLayout(box)
        form.addRow(self.tr("Address"), self.server_url)
        form.addRow(self.tr("Token"), self.token)
        form.addRow(note)
        return box

    def _query_box(self, settings: Settings) -> QGroupBox:
        box = QGroupBox(self.tr("Queries"))
        self.max_tile_px = QSpinBox()
        self.max_tile_px.setRange(256, 8192)
        self.max_tile_px.setSingleStep(256)
        self.max_tile_px.setSuffix(self.tr(" pixels"))
        self.max_tile_px.setValue(settings.max_tile_px)
        self.max_tile_px.setToolTip(self.tr("A larger area is sampled coarser, so that memory and time stay bounded"))
        self.idle_unload_min = QSpinBox()
        self.idle_unload_min.setRange(0, 24 * 60)
        self.idle_unload_min.setSuffix(self.tr(" minutes"))
        self.idle_unload_min.setSpecialValueText(self.tr("never"))
        self.idle_unload_min.setValue(settings.idle_unload_min)
        self.results_folder = QgsFileWidget()
        self.results_folder.setStorageMode(QgsFileWidget.StorageMode.GetDirectory)
        self.results_folder.setFilePath(settings.results_folder)
        self.results_folder.lineEdit().setPlaceholderText(self.tr("Beside the project, or in the profile"))
        form = QFormLayout(box)
        form.addRow(self.tr("Largest tile, edge"), self.max_tile_px)
        form.addRow(self.tr("Free an idle engine's memory after"), self.idle_unload_min)
        form.addRow(self.tr("Results go to"), self.results_folder)
        return box

    def _show_state(self) -> None:
        managed = environment()
        try:
            state = managed.state()
        except RSGroundError as error:
            self.message.show_message(ERROR, str(error), error.details)
            state = INCOMPLETE
        texts = {
            READY: self.tr("Ready, in {folder}"),
            MISSING: self.tr("Not set up yet; it goes to {folder}"),
            INCOMPLETE: self.tr("Its making was interrupted: set it up anew. It goes to {folder}"),
            OUTDATED: self.tr("Made for another version: set it up anew. It goes to {folder}"),
        }
        self._state.setText(texts[state].format(folder=managed.folder))
        self.set_up_button.setText(self.tr("Set up") if state == MISSING else self.tr("Set up anew"))
        self.set_up_button.setEnabled(state != READY)
        self.remove_button.setEnabled(state != MISSING and self._removing is None)

    def _set_up(self) -> None:
        self.setup.offer(self.tr("RSGround's Python environment"))
        self.setup.start()

    def _environment_ready(self) -> None:
        self._show_state()
        self._changed()

    def _remove(self) -> None:
        task = RemoveEnvironmentTask(environment(), self._source(), self.tr("RSGround: removing its environment"))
        task.removed.connect(self._removed)
        task.failed.connect(self._not_removed)
        self._removing = task
        self.remove_button.setEnabled(False)
        QgsApplication.taskManager().addTask(task)

    def _removed(self) -> None:
        self._removing = None
        self._show_state()
        self.message.show_message(INFO, self.tr("The environment was removed."))

    def _not_removed(self, error: RSGroundError) -> None:
        self._removing = None
        self._show_state()
        self.message.show_message(ERROR, str(error), error.details)

    def _open_log(self) -> None:
        for path in (server_log(), environment().log):
            if path.is_file():
                QDesktopServices.openUrl(QUrl.fromLocalFile(str(path)))
                return
        self.message.show_message(INFO, self.tr("There is no log yet: the server was not started."))


class SettingsPageFactory(QgsOptionsWidgetFactory):
    """Makes the page whenever the options open."""

    def __init__(self, changed: Callable[[], None], source: Callable[[], Optional[ServerSource]]) -> None:
        super().__init__()
        self.setTitle("RSGround")
        self.setIcon(plugin_icon())
        self._changed = changed
        self._source = source

    def icon(self) -> QIcon:
        return plugin_icon()

    def createWidget(self, parent: Optional[QWidget]) -> SettingsPage:  # Qt's name
        return SettingsPage(self._changed, self._source, parent)


def _file(value: str, placeholder: str, title: str) -> QgsFileWidget:
    widget = QgsFileWidget()
    widget.setFilePath(value)
    widget.setDialogTitle(title)
    widget.lineEdit().setPlaceholderText(placeholder)
    return widget


__all__ = ["PAGE_KEY", "SettingsPage", "SettingsPageFactory", "plugin_icon"]
