"""A batch's events as Processing's progress."""

from __future__ import annotations

import time
from typing import Optional

from qgis.core import QgsProcessingFeedback

from ..core.batch_job import BatchEvents, BatchJob, run_batch
from ..core.server_process import ServerSource
from ..protocol import BatchEvent, BatchResult, PlanEvent, ProgressEvent, TileEvent
from .algorithm import tr

#: Per cent at which the tiles begin, where layers are copied first, and at which they end.
_COPIED_AT, _TILES_END_AT = 25.0, 95.0
_SAID_EVERY_S = 10.0


def run(job: BatchJob, source: ServerSource, feedback: QgsProcessingFeedback) -> BatchResult:
    """Runs a batch with progress and log, and says what it found. Raises as :func:`run_batch`."""
    progress = _Progress(feedback, _COPIED_AT if job.copies else 1.0)
    result = run_batch(job, source, BatchEvents(progress.staged, progress.came, feedback.pushInfo), feedback)
    for note in result.notes:
        feedback.pushInfo(note)
    for finding in result.findings:
        text = tr("“{expression}”: {n} objects").format(expression=finding.expression, n=finding.count)
        if finding.understood:
            text += " - " + tr("Understood as: {words}").format(words=finding.understood)
        feedback.pushInfo(text)
        if not finding.count:
            feedback.pushWarning(finding.reason or tr("Nothing was found."))
    feedback.setProgress(100)
    return result


class _Progress:
    """Only ever forward; a line in the log now and then."""

    def __init__(self, feedback: QgsProcessingFeedback, tiles_begin_at: float) -> None:
        self._feedback = feedback
        self._tiles_begin_at = tiles_begin_at
        self._said_at: Optional[float] = None

    def staged(self, stage: str, done: int, total: int) -> None:
        titles = {"copy": tr("Copying the layer as displayed"), "server": tr("Starting the server")}
        if stage in titles:
            self._feedback.setProgressText(titles[stage])
        if stage == "copy":
            self._to(self._tiles_begin_at * done / max(total, 1))

    def came(self, event: BatchEvent) -> None:
        if isinstance(event, PlanEvent):
            text = tr("{total} tiles, {done} of them done already").format(total=event.plan.total, done=event.plan.done)
            self._feedback.pushInfo(text)
            self._tiles(event.plan.done, event.plan.total)
        elif isinstance(event, TileEvent):
            self._tiles(event.done, event.total)
            now = time.monotonic()
            if self._said_at is None or now - self._said_at >= _SAID_EVERY_S:
                self._said_at = now
                self._feedback.setProgressText(
                    tr("{done} of {total} tiles, {n} candidates").format(
                        done=event.done, total=event.total, n=event.found
                    )
                )
        elif isinstance(event, ProgressEvent) and event.stage in ("merging", "resolving", "writing"):
            self._to(_TILES_END_AT)
            self._feedback.setProgressText(tr("Putting the tiles' objects together"))

    def _tiles(self, done: int, total: int) -> None:
        self._to(self._tiles_begin_at + (_TILES_END_AT - self._tiles_begin_at) * done / max(total, 1))

    def _to(self, per_cent: float) -> None:
        if per_cent > self._feedback.progress():
            self._feedback.setProgress(per_cent)
