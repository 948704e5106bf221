"""A whole layer, from the form to the result: what is searched, the search, and what the panel shows of its end."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Optional

from qgis.core import QgsProject, QgsRasterLayer
from qgis.gui import QgsMapCanvas
from qgis.PyQt.QtCore import QObject, pyqtSignal
from qgis.PyQt.QtWidgets import QMessageBox, QWidget

from ..core import batch_layers
from ..core.background_tasks import as_rsground_error
from ..core.batch_job import BatchJob
from ..core.errors import LayerGone, RSGroundError, ServerRefused
from ..core.raster_tile import TileArea, TileRequest
from ..core.result_file import results_folder
from ..core.settings import Settings
from ..core.shared_server import SharedServer
from ..protocol import BatchResult
from .area_tools import WHOLE
from .batch_row import BatchRow
from .batch_search import BatchSearch
from .drawn_results import DrawnResults
from .history import Entry, History
from .messages import INFO, WARNING, MessageArea
from .query_form import QueryForm
from .results_pane import ResultsPane


class WholeLayer(QObject):
    """Sits between the panel's widgets and :class:`BatchSearch`.

    Signals:
        finished: the BatchResult, or the RSGroundError, or None when cancelled; after everything is drawn.
        failed: an RSGroundError to be shown.

    Attributes:
        row: the widget of its progress.
        search: the search itself.
        ask_yes: puts a question to the user, and says whether it was answered with yes.
    """

    finished = pyqtSignal(object)
    failed = pyqtSignal(object)

    def __init__(
        self,
        canvas: QgsMapCanvas,
        *,
        form: QueryForm,
        results: ResultsPane,
        drawn: DrawnResults,
        message: MessageArea,
        history: History,
        server: SharedServer,
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self._form, self._results, self._drawn = form, results, drawn
        self._message, self._history, self._server = message, history, server
        self._canvas, self._window = canvas, parent
        self._job: Optional[BatchJob] = None
        self._project_was_closed = False
        self.row = BatchRow()
        self.search = BatchSearch(canvas, self.row, self)
        self.ask_yes: Callable[[str], bool] = self._ask_yes
        self.search.estimated.connect(form.area.show_estimate)
        self.search.running_changed.connect(form.set_blocked)
        self.search.noted.connect(lambda text: message.show_message(INFO, text))
        self.search.ended.connect(self._ended)
        form.changed.connect(self._estimate)
        canvas.scaleChanged.connect(self._zoomed)

    @property
    def is_asked(self) -> bool:
        """The form asks for a whole layer."""
        return self._form.area.kind == WHOLE

    def start(self) -> None:
        """Searches what the form holds, or continues the same search of earlier."""
        try:
            job, source = self._form_job(), self._server.source()
            Path(job.request.output).parent.mkdir(parents=True, exist_ok=True)
        except (RSGroundError, OSError) as error:
            self._ended(as_rsground_error(error))
            return
        self._project_was_closed = False
        self._job = job
        self.search.start(job, source)

    def project_closed(self) -> None:
        """What is found is no longer drawn; the search goes on."""
        self._project_was_closed = True
        self.search.forget_layers()

    def _form_job(self) -> BatchJob:
        """The search of the form. Raises TileError, RSGroundError."""
        layer = self._form.layer
        if layer is None:  # removed since the estimate was asked for
            raise LayerGone(self._form.why_not())
        job = BatchJob.of(
            [layer],
            [self._form.checked_expression() or "object"],  # tiles can be counted before anything is typed
            Path("whole.gpkg"),
            area=self._form.area.polygons(),
            gsd_m=self._gsd_m(layer),
            pixel_size_m=self._form.pixel_size_m,
            engine=self._form.engine.engine,
            outputs=self._form.output_kinds,
        )
        folder = results_folder(QgsProject.instance().absoluteFilePath(), Settings.load().results_folder)
        return job.in_folder(folder, layer.name())

    def _gsd_m(self, layer: QgsRasterLayer) -> float:
        """The screen's for a web layer, whose own would be its deepest zoom level; 0, the layer's, for others."""
        provider, settings = layer.dataProvider(), self._canvas.mapSettings()
        if provider is None or provider.xSize() > 0:
            return 0.0
        return TileRequest.from_canvas(layer, TileArea.visible(settings), settings).gsd_m or 0.0

    def _zoomed(self) -> None:
        layer = self._form.layer
        if layer is not None and layer.dataProvider() is not None and layer.dataProvider().xSize() <= 0:
            self._estimate()

    def _estimate(self) -> None:
        if self.is_asked and self._form.layer is not None and self._form.output_kinds and not self.search.is_running:
            self.search.ask_estimate(self._form_job, self._server.source)

    def _ended(self, end: object) -> None:
        if isinstance(end, ServerRefused) and end.code == "journal_mismatch" and self._job is not None:
            question = str(end) + "\n\n" + self.tr("Start anew? What that file holds is replaced.")
            if self.ask_yes(question):
                self._job = self._job.restarted()
                self.search.start(self._job, self._server.source())
                return
        if isinstance(end, BatchResult):
            self._show(end)
        elif isinstance(end, RSGroundError):
            self.failed.emit(end)
        else:
            text = self.tr("Stopped. What was searched is kept: ask the same again to continue.")
            self._message.show_message(INFO, text)
        self.finished.emit(end)

    def _show(self, end: BatchResult) -> None:
        asked = self._job.request if self._job is not None else None
        engine = asked.engine if asked is not None else ""
        try:
            written = batch_layers.written_result(end)
            result = batch_layers.best_objects(written, end, engine)
            if not self._project_was_closed and written.layers:
                self._drawn.draw_written(written, self._results.min_score)
        except RSGroundError as error:
            self.failed.emit(error)
            return
        count = sum(finding.count for finding in end.findings)
        self._history.add(Entry(result.expression, engine, asked.outputs if asked is not None else (), count))
        self._form.expression.refresh()
        self._results.show_result(result, end.seconds)
        texts = [result.empty_reason.message] if result.empty_reason is not None else []
        texts += [*result.notes, self.tr("The result is kept in {path}").format(path=end.output)]
        self._message.show_message(INFO if count else WARNING, "\n".join(texts))

    def _ask_yes(self, question: str) -> bool:
        return QMessageBox.question(self._window, "RSGround", question) == QMessageBox.StandardButton.Yes
