"""The panel: puts the form, the progress, the messages and the results together, and runs queries."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Callable, Optional

from qgis.core import QgsApplication, QgsProject
from qgis.gui import QgsDockWidget, QgsMapCanvas
from qgis.PyQt.QtCore import QSize, Qt, pyqtSignal
from qgis.PyQt.QtGui import QKeyEvent
from qgis.PyQt.QtWidgets import QHBoxLayout, QToolButton, QVBoxLayout, QWidget

from ..core.background_tasks import ConnectTask
from ..core.errors import EnvironmentMissing, RSGroundError
from ..core.grounding_task import GroundingTask, Outcome, Query
from ..core.raster_tile import TileRequest
from ..core.settings import Settings
from ..core.shared_server import SharedServer
from ..core.tile_layout import told_gsd
from ..protocol import GroundingRequest
from .drawn_results import DrawnResults
from .history import Entry, History
from .messages import ERROR, INFO, WARNING, MessageArea
from .progress_row import ProgressRow
from .query_form import QueryForm
from .results_pane import ResultsPane
from .setup_card import SetupCard
from .whole_layer import WholeLayer


class RSGroundDock(QgsDockWidget):
    """The panel.

    Args:
        canvas: the map.
        server: where queries get their server from, shared with Processing; its owner stops it.
        open_options: shows the plugin's page in QGIS's options.
        open_attributes: shows the attribute table of a layer at an object (layer, id).

    Signals:
        query_finished: the Outcome (of a whole layer, the BatchResult), or the RSGroundError, or None when
            cancelled; after everything is drawn.
    """

    query_finished = pyqtSignal(object)

    def __init__(
        self,
        canvas: QgsMapCanvas,
        *,
        server: SharedServer,
        open_options: Optional[Callable[[], None]] = None,
        open_attributes: Optional[Callable[[object, str], None]] = None,
        parent: Optional[QWidget] = None,
    ) -> None:
        super().__init__("RSGround", parent)
        self.setObjectName("RSGroundDock")
        self._canvas = canvas
        self._settings = Settings.load()
        self._server = server
        self._history = History()
        self._task: Optional[GroundingTask] = None
        self._connecting: Optional[ConnectTask] = None
        self._project_was_closed = False
        self._removed_layer_name = ""
        self._asked_layer_id = ""

        self.form = QueryForm(canvas, self._history, self._settings)
        self.progress = ProgressRow()
        self.message = MessageArea()
        self.setup = SetupCard()
        self.results = ResultsPane(self._settings.min_score)
        self.drawn = DrawnResults(canvas, open_attributes)
        self.whole = WholeLayer(
            canvas,
            form=self.form,
            results=self.results,
            drawn=self.drawn,
            message=self.message,
            history=self._history,
            server=server,
            parent=self,
        )
        self._lay_out(open_options)

        self.form.run_requested.connect(self.run)
        self.form.cancel_requested.connect(self.cancel)
        self.form.changed.connect(self._remember_choices)
        self.whole.failed.connect(self._show_error)
        self.whole.finished.connect(self.query_finished)
        self.form.expression.rerun_requested.connect(self.run_again)
        self.setup.ready.connect(self.connect_to_server)
        self.setup.failed.connect(self._show_error)
        self.results.min_score_changed.connect(self._min_score_changed)
        self.results.export_requested.connect(self._export)
        self.results.list.chosen.connect(self.drawn.show_detection)
        self.results.list.opened.connect(self.drawn.open_attributes)
        self.drawn.failed.connect(self._show_error)
        self.drawn.exported.connect(
            lambda path: self.message.show_message(INFO, self.tr("Saved to {path}").format(path=path))
        )
        project = QgsProject.instance()
        project.cleared.connect(self._project_closed)
        project.layersWillBeRemoved.connect(self._layers_going)
        self.opened.connect(self._opened)

    # -- what a user does --------------------------------------------------------------------------

    def run(self) -> None:
        """Asks what the form holds."""
        if self.is_running:
            return
        self.message.clear()
        why_not = self.form.why_not()
        if why_not:
            self.message.show_message(WARNING, why_not)
            return
        if self.whole.is_asked:
            self.whole.start()
            return
        try:
            query = self._query()
            source = self._server.source()
        except RSGroundError as error:
            self._show_error(error)
            self.query_finished.emit(error)
            return
        self._project_was_closed = False
        self._removed_layer_name = ""
        self._asked_layer_id = self.form.layer.id()
        task = GroundingTask(
            query, source, self.tr("RSGround: {expression}").format(expression=query.request.expression)
        )
        task.stage_changed.connect(self.progress.show_stage)
        task.found.connect(self._found)
        task.failed.connect(self._failed)
        task.cancelled.connect(self._cancelled)
        self._task = task
        self.form.expression.home(False)  # a long expression shows its beginning
        self.form.set_running(True)
        self.progress.start()
        QgsApplication.taskManager().addTask(task)

    def run_again(self, entry: Entry) -> None:
        """Asks a query of the history again, on the layer and area chosen now."""
        self.form.expression.setText(entry.expression)
        self.form.engine.choose(entry.engine)
        for kind, box in self.form.outputs.items():
            box.setChecked(not entry.outputs or kind in entry.outputs)
        self.run()

    def cancel(self) -> None:
        """Stops the running query, or pauses the search of a whole layer; nothing happens when there is none."""
        self.whole.search.pause()
        if self._task is not None and not self._task.isCanceled():
            self.form.set_cancelling()
            self._task.cancel()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # Qt's name
        # Every widget of the panel leaves Escape to its parent when it has no use for it.
        if event.key() == Qt.Key.Key_Escape and self.is_running:
            self.cancel()
            event.accept()
            return
        super().keyPressEvent(event)

    @property
    def is_running(self) -> bool:
        return self._task is not None or self.whole.search.is_running

    # -- the server --------------------------------------------------------------------------------

    def connect_to_server(self) -> None:
        """Warms the server up and learns its engines; offers to set the environment up when missing."""
        if self._connecting is not None:
            return
        try:
            source = self._server.source()
        except RSGroundError as error:
            self._show_error(error)
            return
        task = ConnectTask(source, self.tr("RSGround: starting its server"))
        task.connected.connect(self._connected)
        task.failed.connect(self._not_connected)
        task.cancelled.connect(self._connecting_ended)
        self._connecting = task
        QgsApplication.taskManager().addTask(task)

    def settings_changed(self) -> None:
        """Takes up what the options page has saved."""
        self._settings = Settings.load()
        if self.is_running:
            return
        is_renewed = self._server.renew()
        if is_renewed or not self.form.engine.is_known:
            self.setup.hide()
            if self.isVisible():
                self.connect_to_server()

    def dispose(self) -> None:
        """Undoes everything: tasks, map tool, connections. Does not wait."""
        project = QgsProject.instance()
        project.cleared.disconnect(self._project_closed)
        project.layersWillBeRemoved.disconnect(self._layers_going)
        for task in (self._task, self._connecting):
            if task is not None:
                task.cancel()
        self.whole.search.dispose()
        self.setup.cancel()
        self.progress.stop()
        self.form.area.dispose()
        self.drawn.dispose()

    # -- inside ------------------------------------------------------------------------------------

    def _query(self) -> Query:
        """The query of the form. Raises TileError, RSGroundError."""
        expression = self.form.checked_expression()
        tile = TileRequest.from_canvas(
            self.form.layer,
            self.form.area.area(),
            self._canvas.mapSettings(),
            max_pixels=self._settings.max_tile_px**2,
        )
        request = GroundingRequest(
            expression,
            engine=self.form.engine.engine,
            outputs=self.form.output_kinds,
            explain=self.form.wants_why,
            pixel_size_m=told_gsd(tile.grid, self.form.layer, self.form.pixel_size_m),
        )
        asked_at = time.time()
        return Query(
            request, tile, self.drawn.geopackage(expression, asked_at, self._settings.results_folder), asked_at
        )

    def _opened(self) -> None:
        self.form.expression.setFocus()
        if not self.form.engine.is_known:
            self.connect_to_server()

    def _connected(self, engines: object) -> None:
        self._connecting = None
        self.setup.hide()
        self.form.engine.set_engines(engines)

    def _not_connected(self, error: RSGroundError) -> None:
        self._connecting = None
        if self._task is None:
            self._show_error(error)

    def _connecting_ended(self) -> None:
        self._connecting = None

    def _ended(self) -> None:
        self._task = None
        self.progress.stop()
        self.form.run_button.setEnabled(True)
        self.form.set_running(False)

    def _found(self, outcome: Outcome) -> None:
        seconds = self.progress.elapsed_s
        self._ended()
        result = outcome.result
        self._history.add(
            Entry(
                result.expression, outcome.query.request.engine, outcome.query.request.outputs, len(result.detections)
            )
        )
        self.form.expression.refresh()
        self.results.show_result(result, seconds)
        if self._project_was_closed:
            self.drawn.look_at(outcome)
            self._say_project_was_closed(outcome)
        else:
            try:
                self.drawn.draw(outcome, self.results.min_score)
                self._say_what_was_found(outcome)
            except RSGroundError as error:
                self._show_error(error)
        if not self.form.engine.is_known:
            self.connect_to_server()
        self.query_finished.emit(outcome)

    def _failed(self, error: RSGroundError) -> None:
        self._ended()
        self._show_error(error)
        self.query_finished.emit(error)

    def _cancelled(self) -> None:
        self._ended()
        self.message.show_message(INFO, self.tr("Stopped. Nothing was drawn."))
        self.query_finished.emit(None)

    def _say_what_was_found(self, outcome: Outcome) -> None:
        result = outcome.result
        sentences = [*result.notes, *outcome.tile.notes]
        if outcome.written is not None:
            sentences += outcome.written.notes
        if outcome.query.request.explain and not outcome.maps:
            sentences.append(self.tr("The engine brought no maps of where it looked."))
        if self._removed_layer_name:
            sentences.append(
                self.tr("The layer “{name}” was removed while the query ran; the result was kept.").format(
                    name=self._removed_layer_name
                )
            )
        if not result.detections:
            reason = result.empty_reason
            sentences.insert(0, reason.message if reason is not None else self.tr("Nothing was found."))
            self.message.show_message(WARNING, "\n".join(sentences))
            return
        if not self.results.list.n_shown():
            sentences.insert(0, self.tr("All that was found scores below the slider: move it to the left to see it."))
        if sentences:
            self.message.show_message(INFO, "\n".join(sentences))

    def _say_project_was_closed(self, outcome: Outcome) -> None:
        text = self.tr("The project was closed while the query ran, so nothing was drawn.")
        if outcome.written is not None:
            text += " " + self.tr("The result is kept in {path}").format(path=outcome.written.path)
        self.message.show_message(WARNING, text)

    def _show_error(self, error: RSGroundError) -> None:
        if isinstance(error, EnvironmentMissing):
            self.setup.offer(str(error))
            return
        self.message.show_message(ERROR, str(error), error.details)

    def _min_score_changed(self, min_score: float) -> None:
        self.drawn.set_min_score(min_score)
        self._settings = self._settings.save(min_score=min_score)

    def _remember_choices(self) -> None:
        outputs = ",".join(self.form.output_kinds)
        changed = replace(
            self._settings,
            outputs=outputs or self._settings.outputs,
            engine=self.form.engine.wanted,
            show_why=int(self.form.why.isChecked()),
        )
        if changed != self._settings:
            self._settings = self._settings.save(
                outputs=changed.outputs, engine=changed.engine, show_why=changed.show_why
            )

    def _export(self, format_name: str) -> None:
        self.drawn.ask_and_export(format_name, self.results.min_score, self)

    def _project_closed(self) -> None:
        self._project_was_closed = True
        self.drawn.forget()
        self.whole.project_closed()
        if self._task is None:
            self.results.show_result(None)
            self.message.clear()

    def _layers_going(self, layer_ids: list[str]) -> None:
        if self._task is not None and self._asked_layer_id in layer_ids:
            layer = QgsProject.instance().mapLayer(self._asked_layer_id)
            self._removed_layer_name = layer.name() if layer is not None else self._asked_layer_id

    def _lay_out(self, open_options: Optional[Callable[[], None]]) -> None:
        content = QWidget()
        layout = QVBoxLayout(content)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.setSpacing(8)
        action = QHBoxLayout()
        action.addWidget(self.progress, 1)
        action.addWidget(self.form.run_button)
        layout.addWidget(self.form)
        layout.addLayout(action)
        layout.addWidget(self.whole.row)
        layout.addWidget(self.setup)
        layout.addWidget(self.message)
        layout.addWidget(self.results, 1)
        if open_options is not None:
            button = QToolButton()
            button.setIcon(QgsApplication.getThemeIcon("/mActionOptions.svg"))
            button.setIconSize(QSize(16, 16))
            button.setAutoRaise(True)
            button.setToolTip(self.tr("RSGround's options"))
            button.setAccessibleName(self.tr("RSGround's options"))
            button.clicked.connect(lambda: open_options())
            self.results.add_corner_widget(button)
        self.setWidget(content)
        self.form.order_tabs()
