"""The one long-lived thread on which all inference runs; queries queue for it."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

from inference_server.errors import Busy, Cancelled

T = TypeVar("T")
#: More queries than this do not wait: their tiles would fill the memory.
MAX_WAITING = 16


@dataclass(frozen=True)
class _Job:
    future: Future[Any]
    run: Callable[[], Any]
    is_cancelled: threading.Event
    is_use: bool


class InferenceThread:
    """Runs jobs one after the other. Models stay on one thread, which some libraries need and all like."""

    def __init__(self, *, max_waiting: int = MAX_WAITING) -> None:
        self._jobs: queue.Queue[_Job] = queue.Queue(max_waiting)
        self._is_running = False
        self._last_use = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="inference", daemon=True)
        self._thread.start()

    @property
    def is_busy(self) -> bool:
        return self._is_running or not self._jobs.empty()

    @property
    def idle_s(self) -> float:
        """Seconds since the last query ended; 0 while one runs."""
        return 0.0 if self.is_busy else time.monotonic() - self._last_use

    def submit(self, job: Callable[[], T], is_cancelled: threading.Event, *, is_use: bool = True) -> Future[T]:
        """The job's result, some time. A job cancelled while it waits is never started.

        Args:
            job: what to run.
            is_cancelled: looked at once, before the job begins.
            is_use: whether it counts as use by someone, for ``idle_s``.

        Raises:
            Busy: too many jobs wait.
        """
        future: Future[T] = Future()
        try:
            self._jobs.put_nowait(_Job(future, job, is_cancelled, is_use))
        except queue.Full as error:
            raise Busy(
                f"{self._jobs.maxsize} queries are waiting already. Cancel some, or try again in a while."
            ) from error
        return future

    def _run(self) -> None:
        while True:
            job = self._jobs.get()
            self._is_running = True
            result, error = None, None
            try:
                if job.is_cancelled.is_set():
                    raise Cancelled("The query was cancelled before it began.")
                result = job.run()
            except BaseException as caught:  # whatever it is, it belongs to the asker; this thread lives on
                error = caught
            if job.is_use:
                self._last_use = time.monotonic()
            self._is_running = False
            if error is None:
                job.future.set_result(result)
            else:
                job.future.set_exception(error)
            # Nothing of the last query (its tile, its traceback) may stay in memory while waiting.
            del job, result, error
