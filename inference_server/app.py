"""The routes, and the one table from exceptions to error codes.

GET  /v1/health     no token     Health
GET  /v1/engines    token        {"engines": [EngineInfo]}   (also as /v1/models)
POST /v1/ground     token        multipart request + tile -> JSON lines: ProgressEvent*, ResultEvent | ErrorEvent
POST /v1/batch      token        BatchRequest as JSON -> JSON lines: PlanEvent, (TileEvent | ProgressEvent)*,
                                 BatchEndEvent | ErrorEvent
POST /v1/shutdown   token        the server leaves
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import threading
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from inference_server.body import read_bounded, read_parts
from inference_server.errors import InvalidRequest, ProtocolMismatch, ServerError
from inference_server.event_stream import EventStream
from inference_server.guard import Guard, error_response
from inference_server.pipeline import GroundingPipeline
from inference_server.raster import RasterTile, read_tile
from inference_server.version import VERSION
from inference_server.worker import InferenceThread
from rsground_plugin.protocol import (
    MAX_BODY_BYTES,
    PROTOCOL_VERSION,
    BatchEndEvent,
    BatchEvent,
    BatchRequest,
    Event,
    GroundingRequest,
    Health,
    ProgressEvent,
    ProtocolError,
    ResultEvent,
    WireError,
)

if TYPE_CHECKING:
    from inference_server.batch.run import Batch

logger = logging.getLogger(__name__)

_MAX_REQUEST_BYTES = 64 * 1024
#: Stages at whose beginning a batch holds nothing that another query could not wait beside.
_BETWEEN_TILES = ("reading", "merging", "resolving")
#: Many rasters, and an area with many corners.
MAX_BATCH_BYTES = 64 * 1024 * 1024


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
            return EventStream(self.inference, lambda send: self._grounded(query, tile, send), wire_error)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody is there to read it
        except (ServerError, ProtocolError, MemoryError) as error:
            return error_response(wire_error(error))

    def _grounded(self, query: GroundingRequest, tile: RasterTile, send: Callable[[Event], None]) -> Event:
        def progress(stage: str, done: int, total: int) -> None:
            send(ProgressEvent(stage, max(0, int(done)), max(0, int(total))))

        return ResultEvent(self.pipeline.ground(query, tile, progress))

    def _prepared(self, query: BatchRequest) -> Batch:
        # Imported here: the server announces itself without waiting for scipy. Not while the first engine is imported.
        with self.pipeline.registry.importing:
            from inference_server.batch.run import Batch

        return Batch.prepare(query, lambda: self.pipeline.registry)

    async def batch(self, request: Request) -> Response:
        """As :meth:`ground`: refused with a status, or answered by events."""
        try:
            body = await read_bounded(request.stream(), request.headers.get("content-length"), MAX_BATCH_BYTES)
            query = BatchRequest.from_dict(_checked_json(body, "batch"))
            batch = await asyncio.to_thread(self._prepared, query)
            return EventStream(self.inference, lambda send: self._run_batch(batch, send), wire_error, is_long=True)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody is there to read it
        except (ServerError, ProtocolError, MemoryError) as error:
            return error_response(wire_error(error))

    def _run_batch(self, batch: Batch, send: Callable[[BatchEvent], None]) -> BatchEvent:
        def on_event(event: BatchEvent) -> None:
            send(event)
            if isinstance(event, ProgressEvent) and event.stage in _BETWEEN_TILES:
                self.inference.give_way()

        return BatchEndEvent(batch.run(on_event))

    async def _validated(self, request: Request) -> tuple[GroundingRequest, RasterTile]:
        headers = request.headers
        parts = await read_parts(
            headers.get("content-type", ""), headers.get("content-length"), request.stream(), limits=self._limits
        )
        query = GroundingRequest.from_dict(_checked_json(parts["request"], "request"))
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
            Route("/v1/batch", server.batch, methods=["POST"]),
            Route("/v1/shutdown", server.shutdown, methods=["POST"]),
        ],
        exception_handlers={HTTPException: _no_route, Exception: _failed},
        lifespan=server.lifespan,
    )
    return Guard(app, token=token, port=port)


def _checked_json(text: bytes, name: str) -> Any:
    """The JSON of a request in our protocol's version. Raises InvalidRequest, ProtocolMismatch."""
    try:
        data = json.loads(text)
    except ValueError as error:  # not UTF-8, or not JSON
        raise InvalidRequest(f"{name}: expected JSON, got something else: {error}", field=name) from error
    protocol = data.get("protocol", PROTOCOL_VERSION) if isinstance(data, dict) else PROTOCOL_VERSION
    if isinstance(protocol, int) and protocol != PROTOCOL_VERSION:
        raise ProtocolMismatch(
            f"{name}.protocol: this server speaks protocol {PROTOCOL_VERSION}, the request {protocol}. "
            "Update the plugin and the server to the same version.",
            field=f"{name}.protocol",
        )
    return data


async def _no_route(request: Request, _: Exception) -> Response:
    return error_response(WireError("not_found", f"There is no {request.method} {request.url.path[:100]} here."))


async def _failed(_: Request, error: Exception) -> Response:
    return error_response(wire_error(error))
