"""The server over real sockets: who may ask, what is refused, the stream of events, cancelling."""

from __future__ import annotations

import contextlib
import http.client
import json
import logging
import socket
import threading
import time

import httpx
import pytest
import uvicorn
from fake_engine import FakeEngine, patches, registry, tile_bytes

from inference_server.app import Server, make_app, wire_error
from inference_server.errors import ServerError
from inference_server.pipeline import GroundingPipeline
from rsground_plugin.protocol import (
    ERROR_STATUS,
    PROTOCOL_VERSION,
    EngineInfo,
    ErrorEvent,
    Health,
    ProgressEvent,
    ResultEvent,
    event_from_line,
)

TOKEN = "a-token-for-tests"
AUTH = {"Authorization": f"Bearer {TOKEN}"}
TILE = tile_bytes(patches((10, 20, 8, 16), (40, 60, 6, 4)))


class Running:
    """A server in a thread of this process, for one engine."""

    def __init__(self, engine, **options):
        self.engine = engine
        self.server = Server(GroundingPipeline(registry(engine)), **options)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        app = make_app(self.server, token=TOKEN, port=self.port)
        self._uvicorn = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="on", timeout_graceful_shutdown=1))
        self.server.leave = lambda: setattr(self._uvicorn, "should_exit", True)
        self._thread = threading.Thread(target=self._uvicorn.run, kwargs={"sockets": [self.listener]}, daemon=True)
        self._thread.start()
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", headers=AUTH, timeout=20)

    def ground(self, request=None, tile=TILE, **options):
        request = {"expression": "all tanks"} if request is None else request
        text = request if isinstance(request, (str, bytes)) else json.dumps(request)
        return self.client.post("/v1/ground", files={"request": (None, text), "tile": ("tile.tif", tile)}, **options)

    def has_left(self):
        self._thread.join(5)
        return not self._thread.is_alive()

    def close(self):
        self.client.close()
        self._uvicorn.should_exit = True
        assert self.has_left()


@pytest.fixture
def serve():
    """Starts servers that are stopped at the end of the test."""
    with contextlib.ExitStack() as stack:

        def start(engine=None, **options):
            running = Running(engine or FakeEngine(), **options)
            stack.callback(running.close)
            return running

        yield start


@pytest.fixture
def running(serve):
    return serve()


@pytest.fixture(scope="module")
def steady():
    """One server for all requests that it refuses: starting one takes a moment."""
    running = Running(FakeEngine())
    yield running
    running.close()


def events(response):
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/x-ndjson"
    return [event_from_line(line) for line in response.content.splitlines()]


def error(response, status):
    """The error of a refused request, after checking the status that its code stands for."""
    assert response.status_code == status, response.text
    event = event_from_line(response.content)
    assert isinstance(event, ErrorEvent)
    assert ERROR_STATUS[event.error.code] == status
    return event.error


def eventually(condition, within_s=5.0):
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


# -- answers ----------------------------------------------------------------------------------------


def test_health_needs_no_token(running):
    response = httpx.get(f"http://127.0.0.1:{running.port}/v1/health")
    health = Health.from_dict(response.json())
    assert health.status == "ok"
    assert health.protocol == PROTOCOL_VERSION
    assert not health.busy


@pytest.mark.parametrize("path", ["/v1/engines", "/v1/models"])
def test_engines_say_what_they_give(running, path):
    infos = [EngineInfo.from_dict(item) for item in running.client.get(path).json()["engines"]]
    assert [info.name for info in infos] == ["fake"]
    assert infos[0].is_default


def test_a_query_streams_progress_and_then_its_result(running):
    *progress, last = events(running.ground())
    assert progress
    assert all(isinstance(event, ProgressEvent) for event in progress)
    assert progress[0].stage == "encoding"
    assert isinstance(last, ResultEvent)
    assert len(last.result.detections) == 2


def test_one_thread_answers_all_queries(running):
    for words in ("tanks", "sheds", "boats"):
        events(running.ground({"expression": words}))
    assert len(running.engine.threads) == 1
    assert running.engine.encoded == 1


def test_nothing_found_is_a_result(running):
    (*_, last) = events(running.ground({"expression": "the nothing"}))
    assert last.result.empty_reason.message == "There is none."


# -- refusals ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": TOKEN}, {"Authorization": "Bearer"}]
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/engines"),
        ("GET", "/v1/models"),
        ("POST", "/v1/ground"),
        ("POST", "/v1/shutdown"),
        ("GET", "/nowhere"),
    ],
)
def test_without_the_token_every_route_is_401(steady, method, path, header):
    response = httpx.request(method, f"http://127.0.0.1:{steady.port}{path}", headers=header)
    assert error(response, 401).field == "Authorization"


def test_a_refused_body_is_read_so_that_the_refusal_arrives(steady):
    client = http.client.HTTPConnection("127.0.0.1", steady.port, timeout=10)
    client.request("POST", "/v1/ground", body=b"x" * 30_000_000, headers={"Authorization": "Bearer wrong"})
    assert client.getresponse().status == 401
    client.close()


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "10.0.0.1:{port}", "", "[:"]
)
@pytest.mark.parametrize("path", ["/v1/health", "/v1/engines"])
def test_a_foreign_host_is_403(steady, host, path):
    response = steady.client.get(path, headers={"Host": host.format(port=steady.port)})
    if host == "[:" and response.status_code == 400:
        return  # refused by the HTTP parser already
    assert error(response, 403).field == "Host"


@pytest.mark.parametrize("host", ["127.0.0.1:{port}", "localhost:{port}", "LOCALHOST:{port}", "[::1]:{port}"])
def test_loopback_by_any_name_is_welcome(steady, host):
    assert steady.client.get("/v1/engines", headers={"Host": host.format(port=steady.port)}).status_code == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1.evil.example", "file://"])
def test_a_foreign_origin_is_403(steady, origin):
    assert error(steady.client.get("/v1/health", headers={"Origin": origin}), 403).field == "Origin"


def test_a_loopback_origin_is_welcome(steady):
    assert steady.client.get("/v1/health", headers={"Origin": "http://localhost:8080"}).status_code == 200


def test_an_unknown_route_is_404(steady):
    assert "/v1/nothing" in error(steady.client.get("/v1/nothing"), 404).message


def test_a_body_that_says_it_is_too_large_is_413(serve):
    running = serve(max_tile_bytes=10_000)
    assert error(running.ground(tile=b"x" * 200_000), 413).field == "body"


def test_a_tile_just_above_its_limit_is_413(serve):
    running = serve(max_tile_bytes=10_000)
    assert error(running.ground(tile=b"x" * 10_001), 413).field == "tile"
    assert error(running.ground(tile=b"x" * 10_000), 422).field == "tile"


def test_a_body_in_chunks_is_counted_as_it_comes(serve):
    running = serve(max_tile_bytes=10_000)
    sent = 0

    def body():
        nonlocal sent
        yield b'--b\r\nContent-Disposition: form-data; name="tile"; filename="t"\r\n\r\n'
        for _ in range(2000):
            sent += 1000
            yield b"x" * 1000

    response = running.client.post(
        "/v1/ground", content=body(), headers={"Content-Type": "multipart/form-data; boundary=b"}
    )
    assert error(response, 413).field == "tile"


def form(*parts):
    pieces = [
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + data + b"\r\n"
        for name, data in parts
    ]
    return b"".join(pieces) + b"--b--\r\n"


REQUEST = b'{"expression": "tanks"}'


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "request"),
        (b"not a form at all", "body"),
        (form(("tile", TILE)), "request"),
        (form(("request", REQUEST)), "tile"),
        (form(("request", REQUEST), ("tile", TILE), ("more", b"")), "more"),
        (form(("request", REQUEST), ("request", REQUEST), ("tile", TILE)), "request"),
        (form(("request", b"{"), ("tile", TILE)), "request"),
        (form(("request", b"\xff\xfe"), ("tile", TILE)), "request"),
        (form(("request", b"[]"), ("tile", TILE)), "request"),
        (form(("request", b"{}"), ("tile", TILE)), "request.expression"),
        (form(("request", REQUEST), ("tile", TILE))[:-30], "body"),
        (form(("request", REQUEST), ("tile", b"")), "tile"),
    ],
)
def test_a_malformed_body_is_422_and_names_the_field(steady, body, field):
    response = steady.client.post(
        "/v1/ground", content=body, headers={"Content-Type": "multipart/form-data; boundary=b"}
    )
    assert error(response, 422).field == field


@pytest.mark.parametrize("content_type", ["", "application/json", "multipart/form-data", "multipart/mixed; boundary=b"])
def test_another_content_type_is_422(steady, content_type):
    response = steady.client.post(
        "/v1/ground", content=form(("request", REQUEST)), headers={"Content-Type": content_type}
    )
    assert error(response, 422).field == "body"


@pytest.mark.parametrize(
    ("request_", "field", "code"),
    [
        ({"expression": ""}, "request.expression", "invalid_request"),
        ({"expression": "x" * 10_000}, "request.expression", "invalid_request"),
        ({"expression": 7}, "request.expression", "invalid_request"),
        ({"expression": "tanks", "min_score": 2}, "request.min_score", "invalid_request"),
        ({"expression": "tanks", "outputs": ["dots"]}, "request.outputs[0]", "invalid_request"),
        ({"expression": "tanks", "surprise": 1}, "request.surprise", "invalid_request"),
        ({"expression": "tanks", "engine": "sam9"}, "request.engine", "unknown_engine"),
        ({"expression": "tanks", "protocol": 99, "new": 1}, "request.protocol", "protocol_mismatch"),
    ],
)
def test_a_wrong_request_is_422_and_names_the_field(steady, request_, field, code):
    found = error(steady.ground(request_), 422)
    assert (found.field, found.code) == (field, code)
    assert len(found.message) < 500


@pytest.mark.parametrize(
    ("tile", "code"),
    [
        (b"not a tiff", "invalid_tile"),
        (TILE[: len(TILE) // 2], "invalid_tile"),
        (TILE[:8], "invalid_tile"),
        (tile_bytes(patches() * 0, nodata=0), "empty_tile"),
    ],
)
def test_a_malformed_tile_is_422_before_anything_runs(steady, tile, code):
    found = error(steady.ground(tile=tile), 422)
    assert (found.field, found.code) == ("tile", code)
    assert steady.engine.encoded == 0


@pytest.mark.parametrize("words", ["?!…", "красный дом", "赤い屋根の家", "   x   ", "a" * 2000])
def test_strange_expressions_end_in_a_result(steady, words):
    (*_, last) = events(steady.ground({"expression": words}))
    assert isinstance(last, ResultEvent)


# -- faults in a query ------------------------------------------------------------------------------


def test_an_unforeseen_fault_is_internal_and_its_traceback_is_in_the_log(running, caplog):
    with caplog.at_level(logging.ERROR):
        (*_, last) = events(running.ground({"expression": "the crash"}))
    assert last.error.code == "internal"
    assert "KeyError" in last.error.message
    assert "secret" not in last.error.message
    assert "the secret of the engine" in caplog.text
    assert isinstance(events(running.ground())[-1], ResultEvent), "the next query works"


def test_too_little_memory_is_said(running):
    (*_, last) = events(running.ground({"expression": "the memory"}))
    assert last.error.code == "out_of_memory"
    assert isinstance(events(running.ground())[-1], ResultEvent)


def leaves(cls):
    return [cls] if not cls.__subclasses__() else [leaf for sub in cls.__subclasses__() for leaf in leaves(sub)]


def test_every_error_has_a_code_of_the_protocol():
    for leaf in leaves(ServerError):
        found = wire_error(leaf("so it is", field="x"))
        assert found.code in ERROR_STATUS
        assert found.field == "x"


# -- cancelling -------------------------------------------------------------------------------------


@contextlib.contextmanager
def asked_slowly(running, words="the slow tank"):
    """A query that runs until it is cancelled, by closing its connection."""
    with running.client.stream(
        "POST", "/v1/ground", files={"request": (None, json.dumps({"expression": words})), "tile": ("t", TILE)}
    ) as response:
        yield response.iter_lines()


def test_closing_the_connection_cancels_and_the_next_query_works(running):
    with asked_slowly(running) as lines:
        while "waiting" not in next(lines):
            pass
        assert running.engine.is_slow.is_set()
        closed_at = time.monotonic()
    assert running.engine.was_stopped.wait(5)
    assert time.monotonic() - closed_at < 1
    assert isinstance(events(running.ground())[-1], ResultEvent)
    eventually(lambda: not running.server.inference.is_busy)


def test_health_answers_and_other_queries_wait_while_one_runs(running):
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(running.ground()))
    with asked_slowly(running) as lines:
        next(lines)
        assert running.engine.is_slow.wait(5)
        waiting.start()
        start = time.monotonic()
        health = Health.from_dict(running.client.get("/v1/health").json())
        assert time.monotonic() - start < 0.5
        assert health.busy
        assert health.idle_s == 0
        assert running.client.get("/v1/engines").status_code == 200
        assert not answers
    waiting.join(10)
    assert isinstance(events(answers[0])[-1], ResultEvent)


def test_a_query_cancelled_while_it_waits_is_never_run(running):
    with asked_slowly(running):
        assert running.engine.is_slow.wait(5)
        with contextlib.suppress(httpx.ReadTimeout):
            running.ground({"expression": "the unwanted tank"}, timeout=0.3)
        time.sleep(0.2)
    eventually(lambda: not running.server.inference.is_busy)
    assert not any("unwanted" in text for text in running.engine.asked)


def test_too_many_waiting_queries_are_503(running):
    with asked_slowly(running):
        assert running.engine.is_slow.wait(5)
        for _ in range(16):
            running.server.inference.submit(lambda: None, threading.Event())
        assert error(running.ground(), 503).code == "busy"


# -- the rest of its life ---------------------------------------------------------------------------


def test_models_are_unloaded_when_idle_and_come_back(serve):
    running = serve(idle_unload_s=0.4)
    events(running.ground())
    eventually(lambda: running.engine.unloaded == 1)
    running.client.get("/v1/health")
    time.sleep(0.5)
    assert running.engine.unloaded == 1, "once is enough; asking for the health is no use"
    (*_, last) = events(running.ground())
    assert not last.result.cached
    eventually(lambda: running.engine.unloaded == 2)


def test_two_servers_side_by_side(serve):
    one, other = serve(), serve()
    assert one.port != other.port
    for running in (one, other):
        assert isinstance(events(running.ground())[-1], ResultEvent)
    assert error(one.client.get("/v1/health", headers={"Host": f"127.0.0.1:{other.port}"}), 403).code == "forbidden"


def test_shutdown_leaves(running):
    assert running.client.post("/v1/shutdown").status_code == 200
    assert running.has_left()


def test_a_batch_is_not_imported_while_an_engine_is(monkeypatch):
    pytest.importorskip("inference_server.batch.run")
    monkeypatch.setattr("inference_server.batch.run.Batch.prepare", lambda query, source: query)
    pipeline = GroundingPipeline(registry(FakeEngine()))
    server = Server(pipeline)
    prepared = []
    with pipeline.registry.importing:
        thread = threading.Thread(target=lambda: prepared.append(server._prepared("asked")))
        thread.start()
        thread.join(0.2)
        assert not prepared
    thread.join(10)
    assert prepared == ["asked"]
