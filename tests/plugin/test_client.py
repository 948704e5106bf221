"""The client against a scripted server: answers, cancelling, and every fault translated."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from scripted_server import ENGINE, ScriptedServer, detection, found, refused, slow

from rsground_plugin.core.client import GroundingClient
from rsground_plugin.core.errors import ProtocolMismatch, QueryCancelled, ServerGone, ServerRefused, ServerTimeout
from rsground_plugin.protocol import ErrorEvent, GroundingRequest, ProgressEvent, WireError

REQUEST = GroundingRequest("the white tank, naïve 東京")


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    server = ScriptedServer(found(detection("a", 5, 5)))
    yield server
    server.close()


def ground(server: ScriptedServer, **more: Any) -> Any:
    options = {k: more.pop(k) for k in ("on_progress", "is_cancelled") if k in more}
    return server.client(**more).ground(REQUEST, b"\x00tile\r\n--", **options)


def test_the_result_comes_with_its_progress(server: ScriptedServer) -> None:
    events: list[ProgressEvent] = []
    result = ground(server, on_progress=events.append)
    assert [d.id for d in result.detections] == ["a"]
    assert [(e.stage, e.done, e.total) for e in events] == [("encode", 0, 1), ("find", 1, 2)]
    assert server.requests == [REQUEST]
    assert server.tiles == [b"\x00tile\r\n--"]


def test_health_and_engines(server: ScriptedServer) -> None:
    assert server.client().health().status == "ok"
    assert server.client().engines() == (ENGINE,)


def test_cancel_breaks_a_silent_answer_off_within_150_ms(server: ScriptedServer) -> None:
    def silent(request: Any, tile: bytes) -> Iterator[Any]:
        yield ProgressEvent("encode", 0, 0)
        for _ in range(100):
            yield 0.05
            yield b" "  # keeps the line open without ending it

    server.script = silent
    waits = []
    for _ in range(5):  # other work on the machine may hold one of them up, not all
        is_cancelled = threading.Event()
        threading.Timer(0.3, is_cancelled.set).start()
        started = time.monotonic()
        with pytest.raises(QueryCancelled):
            ground(server, is_cancelled=is_cancelled.is_set)
        waits.append(time.monotonic() - started - 0.3)
        if waits[-1] < 0.15:
            break
    assert min(waits) < 0.15
    deadline = time.monotonic() + 2
    while not server.broken_off_at and time.monotonic() < deadline:
        time.sleep(0.01)
    assert server.broken_off_at, "the server never noticed that the client had left"


def test_cancel_before_anything_was_answered(server: ScriptedServer) -> None:
    server.script = slow(5, found())
    with pytest.raises(QueryCancelled):
        ground(server, is_cancelled=lambda: True)


def test_an_error_in_the_stream_keeps_its_code_and_field(server: ScriptedServer) -> None:
    server.script = refused("invalid_expression", "Nothing to look for.", "request.expression")
    with pytest.raises(ServerRefused, match="Nothing to look for") as caught:
        ground(server)
    assert (caught.value.code, caught.value.field) == ("invalid_expression", "request.expression")


def test_an_error_before_the_stream_keeps_its_code(server: ScriptedServer) -> None:
    server.status = 413
    server.body = json.dumps(ErrorEvent(WireError("body_too_large", "Too large.")).to_dict()).encode()
    with pytest.raises(ServerRefused, match="Too large") as caught:
        ground(server)
    assert caught.value.code == "body_too_large"


def test_a_refusal_before_the_body_was_read_is_understood(server: ScriptedServer) -> None:
    # The server answers 401 and closes while 64 MB are still to be sent.
    client = GroundingClient("127.0.0.1", server.port, "wrong")
    with pytest.raises((ServerRefused, ServerGone)) as caught:
        client.ground(REQUEST, bytes(64_000_000))
    assert isinstance(caught.value, ServerGone) or caught.value.code == "unauthorized"


def test_a_wrong_token_is_named_and_never_shown(server: ScriptedServer) -> None:
    client = GroundingClient("127.0.0.1", server.port, "wrong-token")
    with pytest.raises(ServerRefused) as caught:
        client.engines()
    assert caught.value.code == "unauthorized"
    assert "wrong-token" not in str(caught.value) + caught.value.details + repr(client)


def test_a_page_of_something_else_is_a_mismatch(server: ScriptedServer) -> None:
    server.status, server.body = 502, b"<html>Bad gateway</html>"
    with pytest.raises(ProtocolMismatch) as caught:
        ground(server)
    assert "Bad gateway" in caught.value.details


def test_another_protocol_is_a_mismatch(server: ScriptedServer) -> None:
    server.protocol += 1
    with pytest.raises(ProtocolMismatch):
        server.client().health()


@pytest.mark.parametrize(
    "line", [b"not json\n", b"{}\n", b'{"event":"result","result":{"expression":1}}\n', b"\xff\xfe\n", b"[]\n"]
)
def test_a_malformed_line_is_a_mismatch(server: ScriptedServer, line: bytes) -> None:
    server.script = lambda request, tile: iter([line])
    with pytest.raises(ProtocolMismatch):
        ground(server)


@pytest.mark.parametrize("last", [None, b'{"event":"progress"'], ids=["broken off", "half a line"])
def test_a_server_that_leaves_in_the_middle_is_gone(server: ScriptedServer, last: Any) -> None:
    server.script = lambda request, tile: iter([ProgressEvent("encode", 0, 0), last])
    with pytest.raises(ServerGone, match="again"):
        ground(server)


def test_an_answer_without_an_end_is_gone(server: ScriptedServer) -> None:
    server.script = lambda request, tile: iter([ProgressEvent("encode", 0, 0)])
    with pytest.raises(ServerGone):
        ground(server)


def test_nobody_there_is_gone() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(ServerGone, match="No server answers"):
        GroundingClient("127.0.0.1", port, "t").health()


def test_a_silent_server_times_out(server: ScriptedServer) -> None:
    server.script = lambda request, tile: iter([5.0])
    with pytest.raises(ServerTimeout):
        ground(server, silence_timeout_s=0.2)


def test_a_proxy_in_the_environment_is_bypassed(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert server.client().health().status == "ok"
