"""/v1/batch over a real socket."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from batch_scenes import contents, pixel_boxes, planted, run
from fake_engine import FakeEngine
from test_app import Running, error, eventually

from rsground_plugin.protocol import (
    BatchEndEvent,
    BatchRequest,
    ErrorEvent,
    PlanEvent,
    TileEvent,
    batch_event_from_line,
)

BOXES = [(750, 700, 40, 100), (100, 100, 30, 30)]
SIDE = 2300


@pytest.fixture(scope="module")
def raster(tmp_path_factory):
    return planted(tmp_path_factory.mktemp("raster") / "a.tif", *BOXES, height=SIDE, width=SIDE)


@pytest.fixture
def running():
    running = Running(FakeEngine())
    yield running
    running.close()


def ask(running, raster, output, *expressions, **options):
    request = BatchRequest((str(raster),), expressions or ("houses",), str(output), **options)
    return running.client.post("/v1/batch", json=request.to_dict())


def events(response):
    assert response.status_code == 200, response.text
    return [batch_event_from_line(line) for line in response.content.splitlines()]


def test_a_batch_streams_its_plan_tiles_and_end(running, raster, tmp_path):
    told = events(ask(running, raster, tmp_path / "out.gpkg"))
    assert isinstance(told[0], PlanEvent)
    assert sum(isinstance(event, TileEvent) for event in told) == told[0].plan.total == 9
    assert isinstance(told[-1], BatchEndEvent)
    assert told[-1].result.findings[0].count == 2
    assert pixel_boxes(tmp_path / "out.gpkg") == sorted(BOXES)


def test_a_plan_only_answers_and_writes_nothing(running, raster, tmp_path):
    told = events(ask(running, raster, tmp_path / "out.gpkg", plan_only=True))
    assert [type(event) for event in told] == [PlanEvent, BatchEndEvent]
    assert not (tmp_path / "out.gpkg").exists()


def test_closing_the_connection_stops_and_the_same_request_goes_on(running, raster, tmp_path):
    output = tmp_path / "out.gpkg"
    request = BatchRequest((str(raster),), ("houses",), str(output)).to_dict()
    with running.client.stream("POST", "/v1/batch", json=request) as response:
        for line in response.iter_lines():
            if isinstance(batch_event_from_line(line), TileEvent):
                break
    eventually(lambda: not running.server.inference.is_busy)
    told = events(ask(running, raster, output))
    assert told[0].plan.done >= 1
    assert isinstance(told[-1], BatchEndEvent)
    run(raster, ["houses"], tmp_path / "whole.gpkg")
    assert contents(output) == contents(tmp_path / "whole.gpkg")


class TurnTaking(FakeEngine):
    """Lets a test see a batch's tiles one by one: each is encoded when it is allowed to."""

    def __init__(self):
        super().__init__()
        self.allowed = threading.Semaphore(1)
        self.begun, self.order = 0, []

    def encode(self, tile, progress):
        if tile.width > 100:
            self.begun += 1
            assert self.allowed.acquire(timeout=20)
        return super().encode(tile, progress)

    def find(self, encoding, phrase, progress):
        self.order.append(phrase.text)
        return super().find(encoding, phrase, progress)


def test_a_query_is_answered_between_a_batch_s_tiles(raster, tmp_path):
    engine = TurnTaking()
    running = Running(engine)
    try:
        with ThreadPoolExecutor(3) as askers:
            batches = [askers.submit(ask, running, raster, tmp_path / "a.gpkg", "houses")]
            # Past the point between the first tile and the second, at which the query would have its turn.
            eventually(lambda: engine.begun == 2)
            batches.append(askers.submit(ask, running, raster, tmp_path / "b.gpkg", "ships"))
            query = askers.submit(running.ground)
            eventually(lambda: len(running.server.inference._jobs) == 2)
            # The second tile ends; then it is the query's turn, and the other batch's only after this one.
            engine.allowed.release()
            assert query.result(20).status_code == 200
            assert engine.order == ["house", "house", "tank"]
            assert not batches[0].done()
            for _ in range(30):
                engine.allowed.release()
            for batch in batches:
                assert isinstance(events(batch.result(20))[-1], BatchEndEvent)
        assert engine.order == ["house"] * 2 + ["tank"] + ["house"] * 8 + ["ship"] * 10
    finally:
        running.close()


def test_refusals_come_with_a_status(running, raster, tmp_path):
    output = tmp_path / "out.gpkg"
    assert error(ask(running, tmp_path / "none.tif", output), 422).code == "invalid_tile"
    assert error(ask(running, raster, output, "the"), 422).code == "invalid_expression"
    assert error(ask(running, raster, output, engine="none"), 422).code == "unknown_engine"
    assert error(running.client.post("/v1/batch", content=b"{"), 422).code == "invalid_request"
    assert error(running.client.post("/v1/batch", json={"rasters": []}), 422).field == "batch.expressions"
    other = json.dumps({**BatchRequest((str(raster),), ("x",), "o").to_dict(), "protocol": 999})
    assert error(running.client.post("/v1/batch", content=other), 422).code == "protocol_mismatch"
    events(ask(running, raster, output))
    mismatch = error(ask(running, raster, output, "ships"), 409)
    assert mismatch.code == "journal_mismatch"
    assert events(ask(running, raster, output, "ships", restart=True))


def test_a_fault_amid_is_the_last_line(running, raster, tmp_path):
    told = events(ask(running, raster, tmp_path / "out.gpkg", "memory houses"))
    assert isinstance(told[-1], ErrorEvent)
    assert told[-1].error.code == "out_of_memory"
