"""The panel's search of a whole layer: its estimate, its run with pause and resume, its traces on the map."""

from __future__ import annotations

from typing import Callable, List, Optional

from qgis.core import QgsApplication, QgsCoordinateReferenceSystem, QgsProject
from qgis.gui import QgsMapCanvas
from qgis.PyQt.QtCore import QObject, QTimer, pyqtSignal

from ..core.batch_job import BatchJob
from ..core.batch_layers import FoundSoFar, ring_geometry
from ..core.batch_task import BatchTask
from ..core.errors import RSGroundError, ServerRefused
from ..core.result_file import crs_from_text
from ..core.result_layers import group_title
from ..core.server_process import ServerSource
from ..protocol import BatchPlan, TileEvent
from .batch_map import BatchMap
from .batch_row import BatchRow, duration

#: The estimate waits until the choices have rested for so long.
_ESTIMATE_DELAY_MS = 400


class BatchSearch(QObject):
    """One search at a time; paused, it can be resumed or cancelled.

    Signals:
        running_changed: whether a search runs now (not while it is paused).
        ended: the BatchResult, or the RSGroundError, or None when cancelled; after the map is cleared.
        estimated: what the search would take, in words.
        noted: a sentence the user should see.
    """

    running_changed = pyqtSignal(bool)
    ended = pyqtSignal(object)
    estimated = pyqtSignal(str)
    noted = pyqtSignal(str)

    def __init__(self, canvas: QgsMapCanvas, row: BatchRow, parent: Optional[QObject] = None) -> None:
        super().__init__(parent)
        self.row = row
        self.map = BatchMap(canvas)
        self.found: Optional[FoundSoFar] = None
        self._source: Optional[ServerSource] = None
        self._job: Optional[BatchJob] = None
        self._task: Optional[BatchTask] = None
        self._is_pausing = False
        self._tiles: List[list] = []
        self._crs: List[QgsCoordinateReferenceSystem] = []
        self._planning: Optional[BatchTask] = None
        # Those that were cancelled too, until they have ended: see BatchTask.
        self._planners: List[BatchTask] = []
        self._asked: Callable[[], Optional[BatchJob]] = lambda: None
        self._ask_source: Optional[Callable[[], ServerSource]] = None
        self._estimate_timer = QTimer(self)
        self._estimate_timer.setSingleShot(True)
        self._estimate_timer.setInterval(_ESTIMATE_DELAY_MS)
        self._estimate_timer.timeout.connect(self._estimate)
        self._stages = {
            "copy": self.tr("Copying the layer as displayed"),
            "server": self.tr("Starting the server"),
            "merging": self.tr("Putting the tiles' objects together"),
            "resolving": self.tr("Checking relations"),
            "writing": self.tr("Writing the results"),
        }
        row.pause_requested.connect(self.pause)
        row.resume_requested.connect(self.resume)
        row.cancel_requested.connect(self.cancel)

    @property
    def is_running(self) -> bool:
        return self._task is not None

    @property
    def is_paused(self) -> bool:
        return self._task is None and self._job is not None

    @property
    def job(self) -> Optional[BatchJob]:
        """The search that runs or is paused."""
        return self._job

    # -- the run -----------------------------------------------------------------------------------

    def start(self, job: BatchJob, source: ServerSource) -> None:
        """Begins a search, or continues the journal in its output."""
        if self._task is not None:
            return
        self._forget_traces()
        self._job, self._source = job, source
        self._run()

    def pause(self) -> None:
        """Stops for now."""
        if self._task is not None:
            self._is_pausing = True
            self.row.wait_for_end()
            self._task.cancel()

    def resume(self) -> None:
        """Goes on where it stopped."""
        if self.is_paused:
            self._run()

    def cancel(self) -> None:
        """Ends the search; its journal stays."""
        if self._task is not None:
            self._is_pausing = False
            self.row.wait_for_end()
            self._task.cancel()
        elif self.is_paused:
            self._end(None)

    def dispose(self) -> None:
        """Undoes everything; does not wait."""
        self._estimate_timer.stop()
        for task in (self._task, self._planning):
            if task is not None:
                task.cancel()
        self._forget_traces()
        self.map.dispose()

    def forget_layers(self) -> None:
        """The project was closed: the layer of what was found so far went with it."""
        self.found = None

    def _run(self) -> None:
        if self._job is None or self._source is None:
            return
        title = self.tr("RSGround: {expression}").format(expression="; ".join(self._job.request.expressions))
        task = BatchTask(self._job, self._source, title)
        task.stage_changed.connect(self._staged)
        task.planned.connect(self._planned)
        task.tile_done.connect(self._tile_done)
        task.noted.connect(self.noted)
        task.ended.connect(self._end)
        task.failed.connect(self._end)
        task.stopped.connect(self._stopped)
        self._is_pausing = False
        self._task = task
        self.row.start()
        self.running_changed.emit(True)
        QgsApplication.taskManager().addTask(task)

    def _staged(self, stage: str, done: int, total: int) -> None:
        if stage in self._stages:
            self.row.show_stage(self._stages[stage], done, total)

    def _planned(self, plan: BatchPlan) -> None:
        self._crs = [crs_from_text(scene.crs) for scene in plan.scenes]
        self._tiles = [[ring_geometry(ring) for ring in scene.tiles] for scene in plan.scenes]
        self.map.clear()
        for scene, tiles, crs in zip(plan.scenes, self._tiles, self._crs):
            self.map.add_waiting(tiles, crs)
            self.map.add_done([tiles[i] for i in scene.done], crs)
        if self.found is None and self._job is not None and self._crs:
            words = group_title("; ".join(self._job.request.expressions))
            title = self.tr("Found so far: {expression}").format(expression=words)
            self.found = FoundSoFar(title, self._crs[0], QgsProject.instance())
        self.row.show_tiles(plan.done, plan.total, self.row.found)

    def _tile_done(self, event: TileEvent) -> None:
        self.map.add_done([self._tiles[event.scene][event.tile]], self._crs[event.scene])
        if self.found is not None:
            self.found.add(event.boxes)
        if not self._is_pausing:
            self.row.show_tiles(event.done, event.total, event.found)

    def _stopped(self) -> None:
        if self._is_pausing:
            self._task = None
            self.row.pause()
            self.running_changed.emit(False)
        else:
            self._end(None)

    def _end(self, end: object) -> None:
        """A BatchResult, an RSGroundError, or None."""
        was_running = self._task is not None
        self._task = None
        self._forget_traces()
        self._job = None
        self.row.stop()
        if was_running:
            self.running_changed.emit(False)
        self.ended.emit(end)

    def _forget_traces(self) -> None:
        self.map.clear()
        if self.found is not None:
            self.found.remove()
            self.found = None

    # -- the estimate ------------------------------------------------------------------------------

    def ask_estimate(self, job: Callable[[], Optional[BatchJob]], source: Callable[[], ServerSource]) -> None:
        """Works out in the background what a search would take; ``estimated`` says it.

        Args:
            job: made when the choices have rested; None when they are not complete.
            source: of the server that plans it.
        """
        self._asked, self._ask_source = job, source
        self.estimated.emit("")
        self._estimate_timer.start()

    def _estimate(self) -> None:
        if self._ask_source is None or self.is_running:
            return
        if self._planning is not None:
            self._planning.cancel()
            self._planning = None
        try:
            job = self._asked()
            if job is None:
                return
            if job.copies:
                self.estimated.emit("\n".join(job.preflight()))
                return
            task = BatchTask(job.planned_only(), self._ask_source(), self.tr("RSGround: planning a search"))
        except RSGroundError as error:
            self.estimated.emit(str(error))
            return
        task.planned.connect(self._say_estimate)
        task.failed.connect(self._say_no_estimate)
        for end in (task.ended, task.failed, task.stopped):
            end.connect(self._planner_ended)
        self._planning = task
        self._planners.append(task)
        QgsApplication.taskManager().addTask(task)

    def _planner_ended(self) -> None:
        self._planners.remove(self.sender())
        if self.sender() is self._planning:
            self._planning = None  # QGIS deletes it

    def _say_estimate(self, plan: BatchPlan) -> None:
        if self.sender() is not self._planning:
            return
        text = self.tr("{n} tiles").format(n=plan.total)
        if plan.done:
            text += self.tr(", {n} of them done already").format(n=plan.done)
        if plan.tile_s:
            left = duration(plan.tile_s * (plan.total - plan.done))
            text += self.tr(", about {time}").format(time=left)
        self.estimated.emit(text)

    def _say_no_estimate(self, error: RSGroundError) -> None:
        is_busy = isinstance(error, ServerRefused) and error.code == "busy"
        if self.sender() is self._planning and not is_busy:
            self.estimated.emit(str(error))
