"""A whole-layer search off the main thread: run, paused by cancelling, resumed by running it again."""

from __future__ import annotations

from typing import Optional

from qgis.core import QgsFeedback, QgsTask
from qgis.PyQt.QtCore import pyqtSignal

from ..protocol import BatchEvent, BatchResult, PlanEvent, ProgressEvent, TileEvent
from .background_tasks import as_rsground_error
from .batch_job import BatchEvents, BatchJob, run_batch
from .errors import QueryCancelled, RSGroundError, TileCancelled
from .server_process import ServerSource


class BatchTask(QgsTask):
    """Runs a job once. Exactly one of ended, failed and stopped comes, on the main thread.

    Keep a Python reference until then: QGIS deletes the C++ half of a task whose Python half is gone
    (qgis issue 37655).

    Signals:
        stage_changed: stage, done, total; total 0 means unknown.
        planned: a BatchPlan.
        tile_done: a TileEvent.
        noted: a sentence the user should see.
        ended: a BatchResult.
        failed: an RSGroundError.
        stopped: it was cancelled; finished tiles are in the journal.
    """

    stage_changed = pyqtSignal(str, int, int)
    planned = pyqtSignal(object)
    tile_done = pyqtSignal(object)
    noted = pyqtSignal(str)
    ended = pyqtSignal(object)
    failed = pyqtSignal(object)
    stopped = pyqtSignal()

    def __init__(self, job: BatchJob, source: ServerSource, title: str) -> None:
        super().__init__(title, QgsTask.Flag.CanCancel)
        self.job = job
        self._source = source
        self._feedback = QgsFeedback()
        self._result: Optional[BatchResult] = None
        self._error: Optional[RSGroundError] = None

    def cancel(self) -> None:  # Qt's name
        self._feedback.cancel()
        super().cancel()

    def run(self) -> bool:
        events = BatchEvents(self.stage_changed.emit, self._came, self.noted.emit)
        try:
            self._result = run_batch(self.job, self._source, events, self._feedback)
        except Exception as error:  # the border of a thread
            self._error = as_rsground_error(error)
            return False
        return not self.isCanceled()

    def finished(self, is_ok: bool) -> None:
        if is_ok and self._result is not None:
            self.ended.emit(self._result)
        elif self.isCanceled() or self._error is None or isinstance(self._error, (QueryCancelled, TileCancelled)):
            self.stopped.emit()
        else:
            self.failed.emit(self._error)

    def _came(self, event: BatchEvent) -> None:
        if isinstance(event, PlanEvent):
            self.planned.emit(event.plan)
        elif isinstance(event, TileEvent):
            self.setProgress(100.0 * event.done / max(event.total, 1))
            self.tile_done.emit(event)
        elif isinstance(event, ProgressEvent):
            self.stage_changed.emit(event.stage, event.done, event.total)
