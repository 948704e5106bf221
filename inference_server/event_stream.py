"""The stream of events that answers a query: JSON lines, sent as they come from the inference thread."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from inference_server.errors import Cancelled
from inference_server.worker import InferenceThread
from rsground_plugin.protocol import (
    BatchEndEvent,
    BatchEvent,
    ErrorEvent,
    Event,
    ProgressEvent,
    ResultEvent,
    WireError,
    event_to_line,
)

logger = logging.getLogger(__name__)

AnyEvent = Event | BatchEvent
#: Progress comes at most so often: an engine may report thousands of steps.
_PROGRESS_INTERVAL_S = 0.05
_LAST = (ResultEvent, BatchEndEvent, ErrorEvent)


class EventStream(Response):
    """Runs one query on the inference thread and sends its events as they come.

    When the asker closes the connection, the query's next event raises Cancelled in it.
    """

    media_type = "application/x-ndjson"

    def __init__(
        self,
        inference: InferenceThread,
        query: Callable[[Callable[[AnyEvent], None]], AnyEvent],
        wire_error: Callable[[BaseException], WireError],
        *,
        is_long: bool = False,
    ) -> None:
        """Submits the query.

        Args:
            inference: the thread.
            query: is given what sends an event; returns the last one.
            wire_error: what the asker is told of an exception.
            is_long: whether the query gives way to others.

        Raises:
            Busy: too many queries wait.
        """
        self._loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[AnyEvent] = asyncio.Queue()
        self._is_cancelled = threading.Event()
        self._wire_error = wire_error
        self._last_stage = ""
        self._last_time = 0.0
        self.status_code = 200
        self.background = None
        self.init_headers({"Cache-Control": "no-store"})
        # Submitting may raise Busy, which still gets a status of its own.
        future = inference.submit(lambda: query(self._send), self._is_cancelled, is_long=is_long)
        future.add_done_callback(self._ended)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        leaving = asyncio.create_task(_gone(receive))
        sending = asyncio.create_task(self._send_events(send))
        try:
            await asyncio.wait((leaving, sending), return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
        except OSError:  # the asker went away while a line was sent
            logger.debug("the asker has gone")
        finally:
            self._is_cancelled.set()
            leaving.cancel()
            sending.cancel()

    async def _send_events(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        is_last = False
        while not is_last:
            event = await self._events.get()
            is_last = isinstance(event, _LAST)
            is_small = isinstance(event, ProgressEvent)
            line = event_to_line(event) if is_small else await asyncio.to_thread(event_to_line, event)
            await send({"type": "http.response.body", "body": line, "more_body": not is_last})

    # -- on the inference thread --------------------------------------------------------------------

    def _send(self, event: AnyEvent) -> None:
        if self._is_cancelled.is_set():
            raise Cancelled("The query was cancelled.")
        if isinstance(event, ProgressEvent):
            now = self._loop.time()
            if event.stage == self._last_stage and now - self._last_time < _PROGRESS_INTERVAL_S:
                return
            self._last_stage, self._last_time = event.stage, now
        self._put(event)

    def _ended(self, future: Future[AnyEvent]) -> None:
        error = future.exception()
        self._put(future.result() if error is None else ErrorEvent(self._wire_error(error)))

    def _put(self, event: AnyEvent) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended: the server is leaving
            self._loop.call_soon_threadsafe(self._events.put_nowait, event)


async def _gone(receive: Receive) -> None:
    while True:
        message: Any = await receive()
        if message["type"] == "http.disconnect":
            return
