"""A loopback server that speaks the wire as a script tells it: for faults that the real one never commits."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Callable, Union

from rsground_plugin.core.client import GroundingClient
from rsground_plugin.core.server_process import ServerSource
from rsground_plugin.protocol import (
    PROTOCOL_VERSION,
    BatchEvent,
    BatchRequest,
    Detection,
    EngineInfo,
    ErrorEvent,
    Event,
    GroundingRequest,
    GroundingResult,
    Health,
    ProgressEvent,
    ResultEvent,
    WireError,
    event_to_line,
)

#: A script gives the events of an answer; bytes go out as they are, a float is a pause in seconds, and
#: None breaks the connection off.
Step = Union[Event, bytes, float, None]
Script = Callable[[GroundingRequest, bytes], Iterator[Step]]
BatchScript = Callable[[BatchRequest], Iterator[Union[BatchEvent, float]]]

ENGINE = EngineInfo(
    name="scripted",
    title="Scripted engine",
    gives=("hbb", "obb", "mask"),
    needs="Nothing.",
    limits="Finds what its script says.",
    licence="GPL-2.0-or-later",
    revision="1",
    is_default=True,
)


def square(x: float, y: float, size: float = 10.0) -> tuple:
    """A closed ring around a centre."""
    h = size / 2
    return ((x - h, y - h), (x + h, y - h), (x + h, y + h), (x - h, y + h), (x - h, y - h))


def detection(name: str, x: float, y: float, score: float = 0.9, size: float = 10.0) -> Detection:
    """One object with its three geometries alike."""
    ring = square(x, y, size)
    return Detection(
        name, score, "thing", ring, ring, ((ring,),), area_m2=size**2, length_m=size, width_m=size, azimuth_deg=0.0
    )


def found(*detections: Detection, crs: str = "EPSG:32633", **more: Any) -> Script:
    """The script of a plain success."""

    def script(request: GroundingRequest, tile: bytes) -> Iterator[Step]:
        yield ProgressEvent("encode", 0, 1)
        yield ProgressEvent("find", 1, 2)
        yield ResultEvent(GroundingResult(request.expression, "scripted", "1", detections, crs=crs, gsd_m=1.0, **more))

    return script


def slow(seconds: float, after: Script) -> Script:
    """The same, after a wait with progress every 50 ms."""

    def script(request: GroundingRequest, tile: bytes) -> Iterator[Step]:
        n = max(1, round(seconds / 0.05))
        for i in range(n):
            yield ProgressEvent("encode", i, n)
            yield 0.05
        yield from after(request, tile)

    return script


def refused(code: str, message: str, field: str | None = None) -> Script:
    """The script of an error in the stream."""

    def script(request: GroundingRequest, tile: bytes) -> Iterator[Step]:
        yield ErrorEvent(WireError(code, message, field))

    return script


class ScriptedServer:
    """Serves until ``close``. ``requests`` holds what was asked, ``broken_off_at`` when a client left."""

    def __init__(self, script: Script, *, token: str = "secret", status: int = 200) -> None:
        self.script = script
        self.token = token
        self.status = status
        self.body: bytes | None = None
        self.protocol = PROTOCOL_VERSION
        self.engine = ENGINE
        self.batch_script: BatchScript = lambda request: iter(())
        self.batch_requests: list[BatchRequest] = []
        self.requests: list[GroundingRequest] = []
        self.tiles: list[bytes] = []
        self.broken_off_at: list[float] = []
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self.port = self._http.server_address[1]
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()

    def client(self, **more: Any) -> GroundingClient:
        return GroundingClient("127.0.0.1", self.port, self.token, **more)

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


class ScriptedSource(ServerSource):
    """A source that gives the scripted server, after a pause."""

    def __init__(self, server: ScriptedServer, *, pause_s: float = 0.0) -> None:
        self.server = server
        self.pause_s = pause_s

    def ensure(self, is_cancelled: Callable[[], bool] = lambda: False) -> GroundingClient:
        time.sleep(self.pause_s)
        return self.server.client()


def _handler(server: ScriptedServer) -> type:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:
            if self.path == "/v1/health":
                self._json(Health("ok", "0", server.protocol, False, 0.0).to_dict())
            elif self.path == "/v1/engines" and self._is_known():
                self._json({"engines": [server.engine.to_dict()]})

        def do_POST(self) -> None:
            if not self._is_known():
                return
            if server.status != 200:
                self._json(server.body if server.body is not None else {}, server.status)
                return
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/v1/batch":
                request = BatchRequest.from_dict(json.loads(body))
                server.batch_requests.append(request)
                self._stream(server.batch_script(request), event_to_line)
                return
            head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
            message = BytesParser(policy=HTTP).parsebytes(head + body)
            parts = {p.get_param("name", header="content-disposition"): p for p in message.iter_parts()}
            request = GroundingRequest.from_dict(json.loads(parts["request"].get_payload(decode=True)))
            server.requests.append(request)
            server.tiles.append(parts["tile"].get_payload(decode=True))
            self._stream(server.script(request, server.tiles[-1]), event_to_line)

        def _stream(self, steps: Iterator[Any], to_line: Callable[[Any], bytes]) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/x-ndjson")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            try:
                for step in steps:
                    if isinstance(step, float):
                        time.sleep(step)
                        continue
                    if step is None:
                        self.close_connection = True
                        self.connection.close()
                        return
                    line = step if isinstance(step, bytes) else to_line(step)
                    self.wfile.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")
                    self.wfile.flush()
                self.wfile.write(b"0\r\n\r\n")
            except OSError:
                server.broken_off_at.append(time.monotonic())
                self.close_connection = True

        def _is_known(self) -> bool:
            if self.headers.get("Authorization") == f"Bearer {server.token}":
                return True
            self.close_connection = True
            self._json(ErrorEvent(WireError("unauthorized", "The token is wrong.")).to_dict(), 401)
            return False

        def _json(self, data: Any, status: int = 200) -> None:
            body = data if isinstance(data, bytes) else json.dumps(data).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler
