"""Small pieces of work off the main thread: connecting to the server, making the environment.

Each emits its end on the main thread. Whoever starts one keeps a Python reference until then: QGIS
deletes the C++ half of a task whose Python half is gone (qgis issue 37655).
"""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import List, Optional, Tuple

from qgis.core import QgsTask
from qgis.PyQt.QtCore import pyqtSignal

from ..protocol import EngineInfo
from .environment import Environment
from .errors import QueryCancelled, RSGroundError
from .export import PreparedExport
from .launch import proxy_environment
from .server_process import Launch, ServerSource
from .weights import PublishedWeights, list_weights, pull_weights


def as_rsground_error(error: BaseException) -> RSGroundError:
    """The error itself, or, for one nobody expected, an RSGroundError with its trace as details."""
    if isinstance(error, RSGroundError):
        return error
    trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    return RSGroundError(f"Something unexpected went wrong: {error}. Please report it with the details.", details=trace)


class _Task(QgsTask):
    """Runs ``work`` in a thread; exactly one of the signals comes, on the main thread."""

    failed = pyqtSignal(object)  # RSGroundError
    cancelled = pyqtSignal()

    def __init__(self, title: str, flags: Optional[object] = None) -> None:
        super().__init__(title, QgsTask.Flag.CanCancel if flags is None else flags)
        self._error: Optional[RSGroundError] = None

    def work(self) -> None:
        raise NotImplementedError

    def succeed(self) -> None:
        raise NotImplementedError

    def run(self) -> bool:
        try:
            self.work()
        except Exception as error:  # the border of a thread
            self._error = as_rsground_error(error)
            return False
        return True

    def finished(self, is_ok: bool) -> None:
        if is_ok and not self.isCanceled():
            self.succeed()
        elif self._error is None or isinstance(self._error, QueryCancelled) or self.isCanceled():
            self.cancelled.emit()
        else:
            self.failed.emit(self._error)


class ConnectTask(_Task):
    """Starts the server, or finds it, and asks for its engines."""

    connected = pyqtSignal(object)  # tuple of EngineInfo

    def __init__(self, source: ServerSource, title: str) -> None:
        super().__init__(title)
        self._source = source
        self._engines: Tuple[EngineInfo, ...] = ()

    def work(self) -> None:
        self._engines = self._source.ensure(self.isCanceled).engines()

    def succeed(self) -> None:
        self.connected.emit(self._engines)


class EnvironmentTask(_Task):
    """Makes the server's environment."""

    reported = pyqtSignal(str, float)  # what is being done, fraction
    made = pyqtSignal()

    def __init__(self, environment: Environment, base_interpreter: str, title: str) -> None:
        super().__init__(title)
        self._environment = environment
        self._base_interpreter = base_interpreter
        self._proxy = proxy_environment()

    def work(self) -> None:
        self._environment.make(
            base_interpreter=self._base_interpreter,
            extra_environment=self._proxy,
            report=self._report,
            is_cancelled=self.isCanceled,
        )

    def succeed(self) -> None:
        self.made.emit()

    def _report(self, what: str, fraction: float) -> None:
        self.setProgress(100.0 * fraction)
        self.reported.emit(what, fraction)


class ListWeightsTask(_Task):
    """Asks which weights there are."""

    listed = pyqtSignal(object)  # tuple of PublishedWeights

    def __init__(self, launch: Launch, title: str) -> None:
        super().__init__(title)
        self._launch = launch
        self._weights: Tuple[PublishedWeights, ...] = ()

    def work(self) -> None:
        self._weights = list_weights(self._launch, self.isCanceled)

    def succeed(self) -> None:
        self.listed.emit(self._weights)


class PullWeightsTask(_Task):
    """Downloads weights."""

    reported = pyqtSignal(str, float)  # how far, fraction
    pulled = pyqtSignal()

    def __init__(self, launch: Launch, name: str, title: str) -> None:
        super().__init__(title)
        self._launch = launch
        self._name = name
        self._proxy = proxy_environment()

    def work(self) -> None:
        pull_weights(self._launch, self._name, self._proxy, self._report, self.isCanceled)

    def succeed(self) -> None:
        self.pulled.emit()

    def _report(self, how_far: str, fraction: float) -> None:
        self.setProgress(100.0 * fraction)
        self.reported.emit(how_far, fraction)


class ExportTask(_Task):
    """Writes files."""

    written = pyqtSignal(object)  # list of Path

    def __init__(self, prepared: PreparedExport, title: str) -> None:
        super().__init__(title, QgsTask.Flags())
        self._prepared = prepared
        self._paths: List[Path] = []

    def work(self) -> None:
        self._paths = self._prepared.write()

    def succeed(self) -> None:
        self.written.emit(self._paths)


class RemoveEnvironmentTask(_Task):
    """Deletes the server's environment."""

    removed = pyqtSignal()

    def __init__(self, environment: Environment, source: Optional[ServerSource], title: str) -> None:
        super().__init__(title)
        self._environment = environment
        self._source = source

    def work(self) -> None:
        if self._source is not None:
            self._source.stop(wait_s=8.0)  # its files are in use as long as it runs
        self._environment.remove()

    def succeed(self) -> None:
        self.removed.emit()
