"""The routes, the one table from exceptions to error codes, and the stream of events that answers a query.

GET  /v1/health     no token     Health
GET  /v1/engines    token        {"engines": [EngineInfo]}   (also as /v1/models)
POST /v1/ground     token        multipart request + tile -> JSON lines: ProgressEvent*, ResultEvent | ErrorEvent
POST /v1/shutdown   token        the server leaves
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from inference_server.body import read_parts
from inference_server.errors import Cancelled, InvalidRequest, ProtocolMismatch, ServerError
from inference_server.guard import Guard, error_response
from inference_server.pipeline import GroundingPipeline
from inference_server.raster import RasterTile, read_tile
from inference_server.version import VERSION
from inference_server.worker import InferenceThread
from rsground_plugin.protocol import (
    MAX_BODY_BYTES,
    PROTOCOL_VERSION,
    ErrorEvent,
    Event,
    GroundingRequest,
    GroundingResult,
    Health,
    ProgressEvent,
    ProtocolError,
    ResultEvent,
    WireError,
    event_to_line,
)

logger = logging.getLogger(__name__)

_MAX_REQUEST_BYTES = 64 * 1024
#: Progress comes at most so often: an engine may report thousands of steps.
_PROGRESS_INTERVAL_S = 0.05


def wire_error(error: BaseException) -> WireError:
    """What the asker is told of an exception; of an unknown one the log gets the traceback."""
    if isinstance(error, ServerError):
        return WireError(error.code, str(error), error.field)
    if isinstance(error, ProtocolError):
        return WireError("invalid_request", str(error), error.field)
    if isinstance(error, MemoryError):
        return WireError("out_of_memory", "There is too little memory for this tile. Choose a smaller area.", "tile")
    logger.error("a query failed", exc_info=error)
    return WireError("internal", f"The server failed on this query ({type(error).__name__}). Its log says where.")


class Server:
    """The routes' common state: the pipeline, its thread, and how to leave.

    Attributes:
        pipeline: answers the queries.
        inference: the thread they run on.
        leave: called once to make the server stop; does nothing until the process sets it.
    """

    def __init__(
        self,
        pipeline: GroundingPipeline,
        *,
        max_tile_bytes: int = MAX_BODY_BYTES,
        idle_unload_s: float | None = None,
    ) -> None:
        self.pipeline = pipeline
        self.inference = InferenceThread()
        self.leave: Callable[[], None] = lambda: None
        self._limits = {"request": _MAX_REQUEST_BYTES, "tile": max_tile_bytes}
        self._idle_unload_s = idle_unload_s

    async def health(self, _: Request) -> Response:
        inference = self.inference
        return JSONResponse(Health("ok", VERSION, PROTOCOL_VERSION, inference.is_busy, inference.idle_s).to_dict())

    async def engines(self, _: Request) -> Response:
        # Importing an engine takes a second the first time: not on the event loop.
        infos = await asyncio.to_thread(self.pipeline.registry.infos)
        return JSONResponse({"engines": [info.to_dict() for info in infos]})

    async def shutdown(self, _: Request) -> Response:
        logger.info("asked to leave")
        asyncio.get_running_loop().call_later(0.05, self.leave)
        return JSONResponse({"status": "leaving"})

    async def ground(self, request: Request) -> Response:
        """Everything that can be refused is refused here, with a status; then the events begin."""
        try:
            query, tile = await self._validated(request)
            await asyncio.to_thread(self.pipeline.registry.get, query.engine)
            return _EventStream(self.inference, lambda progress: self.pipeline.ground(query, tile, progress))
        except ClientDisconnect:
            return Response(status_code=400)  # nobody is there to read it
        except (ServerError, ProtocolError, MemoryError) as error:
            return error_response(wire_error(error))

    async def _validated(self, request: Request) -> tuple[GroundingRequest, RasterTile]:
        headers = request.headers
        parts = await read_parts(
            headers.get("content-type", ""), headers.get("content-length"), request.stream(), limits=self._limits
        )
        try:
            data = json.loads(parts["request"])
        except ValueError as error:  # not UTF-8, or not JSON
            raise InvalidRequest(f"request: expected JSON, got something else: {error}", field="request") from error
        protocol = data.get("protocol", PROTOCOL_VERSION) if isinstance(data, dict) else PROTOCOL_VERSION
        if isinstance(protocol, int) and protocol != PROTOCOL_VERSION:
            raise ProtocolMismatch(
                f"request.protocol: this server speaks protocol {PROTOCOL_VERSION}, the request {protocol}. "
                "Update the plugin and the server to the same version.",
                field="request.protocol",
            )
        query = GroundingRequest.from_dict(data)
        self.pipeline.registry.name_of(query.engine)
        tile = await asyncio.to_thread(read_tile, parts["tile"])
        return query, tile

    @contextlib.asynccontextmanager
    async def lifespan(self, _: Starlette) -> AsyncIterator[None]:
        watch = asyncio.create_task(self._unload_when_idle())
        try:
            yield
        finally:
            watch.cancel()

    async def _unload_when_idle(self) -> None:
        """Idle means without a query; a panel that asks for the health now and then keeps nothing loaded."""
        if self._idle_unload_s is None:
            return
        is_unloaded = False
        while True:
            await asyncio.sleep(min(5.0, self._idle_unload_s / 4))
            is_idle = self.inference.idle_s >= self._idle_unload_s
            if is_idle and not is_unloaded:
                # On the inference thread, so that never while a query runs; it counts as no use.
                await asyncio.wrap_future(self.inference.submit(self.pipeline.unload, threading.Event(), is_use=False))
                logger.info("idle for %.0f s: models and encodings are unloaded", self._idle_unload_s)
            is_unloaded = is_idle


def make_app(server: Server, *, token: str, port: int) -> ASGIApp:
    """The whole application behind its guard.

    Args:
        server: the routes' state.
        token: what every request but liveness must carry.
        port: the one it listens on, which Host must name.
    """
    app = Starlette(
        routes=[
            Route("/v1/health", server.health),
            Route("/v1/engines", server.engines),
            Route("/v1/models", server.engines),
            Route("/v1/ground", server.ground, methods=["POST"]),
            Route("/v1/shutdown", server.shutdown, methods=["POST"]),
        ],
        exception_handlers={HTTPException: _no_route, Exception: _failed},
        lifespan=server.lifespan,
    )
    return Guard(app, token=token, port=port)


async def _no_route(request: Request, _: Exception) -> Response:
    return error_response(WireError("not_found", f"There is no {request.method} {request.url.path[:100]} here."))


async def _failed(_: Request, error: Exception) -> Response:
    return error_response(wire_error(error))


class _EventStream(Response):
    """Runs one query on the inference thread and sends its events as JSON lines as they come.

    When the asker closes the connection, the query's next report of progress raises Cancelled in it.
    """

    media_type = "application/x-ndjson"

    def __init__(
        self, inference: InferenceThread, query: Callable[[Callable[[str, int, int], None]], GroundingResult]
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._is_cancelled = threading.Event()
        self._last_stage = ""
        self._last_time = 0.0
        self.status_code = 200
        self.background = None
        self.init_headers({"Cache-Control": "no-store"})
        # Submitting may raise Busy, which still gets a status of its own.
        future = inference.submit(lambda: query(self._progress), self._is_cancelled)
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
            is_last = not isinstance(event, ProgressEvent)
            line = await asyncio.to_thread(event_to_line, event) if is_last else event_to_line(event)
            await send({"type": "http.response.body", "body": line, "more_body": not is_last})

    # -- on the inference thread --------------------------------------------------------------------

    def _progress(self, stage: str, done: int, total: int) -> None:
        if self._is_cancelled.is_set():
            raise Cancelled("The query was cancelled.")
        now = self._loop.time()
        if stage != self._last_stage or now - self._last_time >= _PROGRESS_INTERVAL_S:
            self._last_stage, self._last_time = stage, now
            self._put(ProgressEvent(stage, max(0, int(done)), max(0, int(total))))

    def _ended(self, future: Future[GroundingResult]) -> None:
        error = future.exception()
        self._put(ResultEvent(future.result()) if error is None else ErrorEvent(wire_error(error)))

    def _put(self, event: Event) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended: the server is leaving
            self._loop.call_soon_threadsafe(self._events.put_nowait, event)


async def _gone(receive: Receive) -> None:
    while True:
        message: Any = await receive()
        if message["type"] == "http.disconnect":
            return
