"""The one long-lived thread on which all inference runs; queries queue for it, long ones give way to short ones."""

from __future__ import annotations

import threading
import time
from collections import deque
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
    is_long: bool


class InferenceThread:
    """Runs jobs one after the other. Models stay on one thread, which some libraries need and all like."""

    def __init__(self, *, max_waiting: int = MAX_WAITING) -> None:
        self._max_waiting = max_waiting
        self._jobs: deque[_Job] = deque()
        self._is_changed = threading.Condition()
        self._is_running = False
        self._last_use = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="inference", daemon=True)
        self._thread.start()

    @property
    def is_busy(self) -> bool:
        return self._is_running or bool(self._jobs)

    @property
    def idle_s(self) -> float:
        """Seconds since the last query ended; 0 while one runs."""
        return 0.0 if self.is_busy else time.monotonic() - self._last_use

    def submit(
        self, job: Callable[[], T], is_cancelled: threading.Event, *, is_use: bool = True, is_long: bool = False
    ) -> Future[T]:
        """The job's result, some time. A job cancelled while it waits is never started.

        Args:
            job: what to run.
            is_cancelled: looked at once, before the job begins.
            is_use: whether it counts as use by someone, for ``idle_s``.
            is_long: whether it calls :meth:`give_way` now and then; it is not run within another one.

        Raises:
            Busy: too many jobs wait.
        """
        future: Future[T] = Future()
        with self._is_changed:
            if len(self._jobs) >= self._max_waiting:
                raise Busy(f"{self._max_waiting} queries are waiting already. Cancel some, or try again in a while.")
            self._jobs.append(_Job(future, job, is_cancelled, is_use, is_long))
            self._is_changed.notify()
        return future

    def give_way(self) -> None:
        """Runs the short jobs that wait; to be called by a long job, on this thread."""
        while (job := self._next_short()) is not None:
            self._answer(job)

    def _next_short(self) -> _Job | None:
        with self._is_changed:
            job = next((job for job in self._jobs if not job.is_long), None)
            if job is not None:
                self._jobs.remove(job)
        return job

    def _run(self) -> None:
        while True:
            with self._is_changed:
                self._is_changed.wait_for(lambda: self._jobs)
                job = self._jobs.popleft()
                self._is_running = True
            self._answer(job, self._ended)
            # Nothing of the last query (its tile, its traceback) may stay in memory while waiting.
            del job

    def _ended(self) -> None:
        self._is_running = False

    def _answer(self, job: _Job, ended: Callable[[], None] = lambda: None) -> None:
        result, error = None, None
        try:
            if job.is_cancelled.is_set():
                raise Cancelled("The query was cancelled before it began.")
            result = job.run()
        except BaseException as caught:  # whatever it is, it belongs to the asker; this thread lives on
            error = caught
        if job.is_use:
            self._last_use = time.monotonic()
        # Before the asker hears of it, who may look whether this thread is busy.
        ended()
        if error is None:
            job.future.set_result(result)
        else:
            job.future.set_exception(error)
