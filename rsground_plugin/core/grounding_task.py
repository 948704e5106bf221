"""One query off the main thread: tile -> server -> GeoPackage; the layers are added on the main thread.

Query            what is asked, taken on the main thread, independent of layer, canvas and project
GroundingTask    runs it
Outcome          what came: the result and the files it was written to
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional

from qgis.core import QgsFeedback, QgsTask
from qgis.PyQt.QtCore import pyqtSignal

from ..protocol import GroundingRequest, GroundingResult, ProgressEvent
from .background_tasks import as_rsground_error
from .client import GroundingClient
from .errors import QueryCancelled, RSGroundError, TileCancelled
from .explanation_layers import WrittenMap, write_maps
from .raster_tile import RasterTileData, TileRequest, render
from .result_layers import Provenance, WrittenResult, write_result
from .server_process import ServerSource, ask_server


@dataclass(frozen=True)
class Query:
    """A question, ready to be asked from any thread.

    Attributes:
        request: what goes to the server.
        tile: what to render.
        geopackage: where the result is written.
        asked_at: seconds since 1970.
    """

    request: GroundingRequest
    tile: TileRequest
    geopackage: Path
    asked_at: float


@dataclass(frozen=True)
class Outcome:
    """The answer to a query.

    Attributes:
        query: as asked.
        result: from the server.
        tile: what the server saw.
        written: what lies in the GeoPackage; None when nothing was found.
        seconds_by_part: "tile", "server", "ground", "write": seconds of each; "total".
        maps: of where the engine looked, when the query asked for them.
    """

    query: Query
    result: GroundingResult
    tile: RasterTileData
    written: Optional[WrittenResult]
    seconds_by_part: dict[str, float]
    maps: tuple[WrittenMap, ...] = ()


class GroundingTask(QgsTask):
    """Runs one query. Exactly one of found, failed and cancelled comes, on the main thread.

    Keep a Python reference until then: QGIS deletes the C++ half of a task whose Python half is gone
    (qgis issue 37655).

    Signals:
        stage_changed: stage, done, total; total 0 means unknown.
        found: an Outcome.
        failed: an RSGroundError.
        cancelled: nothing was left behind.
    """

    stage_changed = pyqtSignal(str, int, int)
    found = pyqtSignal(object)
    failed = pyqtSignal(object)
    cancelled = pyqtSignal()

    def __init__(self, query: Query, source: ServerSource, title: str) -> None:
        super().__init__(title, QgsTask.Flag.CanCancel)
        self.query = query
        self._source = source
        self._feedback = QgsFeedback()
        self._outcome: Optional[Outcome] = None
        self._error: Optional[RSGroundError] = None

    def cancel(self) -> None:  # Qt's name
        # The feedback stops the rendering; the client polls isCanceled.
        self._feedback.cancel()
        super().cancel()

    def run(self) -> bool:
        try:
            self._outcome = self._answered()
        except Exception as error:  # the border of a thread
            self._error = as_rsground_error(error)
            return False
        return not self.isCanceled()

    def finished(self, is_ok: bool) -> None:
        if is_ok and self._outcome is not None:
            self.found.emit(self._outcome)
        elif self.isCanceled() or self._error is None or isinstance(self._error, (QueryCancelled, TileCancelled)):
            self.cancelled.emit()
        else:
            self.failed.emit(self._error)

    def _answered(self) -> Outcome:
        clock = _Clock()
        self.stage_changed.emit("tile", 0, 0)
        tile = render(self.query.tile, self._feedback)
        clock.lap("tile")
        result = self._grounded(tile, clock)
        if self.isCanceled():
            raise QueryCancelled("The query was cancelled.")
        written = None
        if result.detections or result.anchors:
            self.stage_changed.emit("write", 0, 0)
            written = write_result(
                result,
                self.query.geopackage,
                Provenance(source=tile.source, extent=tile.extent.asWkt(6), asked_at=self.query.asked_at),
                outputs=self.query.request.outputs,
                crs=tile.crs,
            )
        maps = write_maps(result, tile, written.path if written else self.query.geopackage) if result.maps else ()
        clock.lap("write")
        return Outcome(self.query, result, tile, written, clock.seconds(), maps)

    def _grounded(self, tile: RasterTileData, clock: _Clock) -> GroundingResult:
        """The server's answer; a server that died while it was idle is started anew, once."""

        def ask(client: GroundingClient, has_begun: Callable[[], None]) -> GroundingResult:
            def progressed(event: ProgressEvent) -> None:
                has_begun()
                self._progressed(event)

            clock.lap("server")
            self.stage_changed.emit("send", 0, 0)
            return client.ground(self.query.request, tile.geotiff, on_progress=progressed, is_cancelled=self.isCanceled)

        self.stage_changed.emit("server", 0, 0)
        result = ask_server(self._source, ask, is_cancelled=self.isCanceled)
        clock.lap("ground")
        return result

    def _progressed(self, event: ProgressEvent) -> None:
        self.stage_changed.emit(event.stage, event.done, event.total)
        if event.total:
            self.setProgress(100.0 * event.done / event.total)


class _Clock:
    """Seconds by part."""

    def __init__(self) -> None:
        self._started = self._last = time.perf_counter()
        self._laps: dict[str, float] = {}

    def lap(self, part: str) -> None:
        now = time.perf_counter()
        self._laps[part] = self._laps.get(part, 0.0) + now - self._last
        self._last = now

    def seconds(self) -> dict[str, float]:
        return {**self._laps, "total": self._last - self._started}
