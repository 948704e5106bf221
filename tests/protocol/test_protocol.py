"""Every message of the wire: golden files parsed and emitted again identically, faults named by field."""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsground_plugin import protocol
from rsground_plugin.protocol import (
    BatchPlan,
    BatchRequest,
    BatchResult,
    Detection,
    EmptyReason,
    EngineInfo,
    GroundingRequest,
    GroundingResult,
    Health,
    Hello,
    MapImage,
    ProgressEvent,
    ProtocolError,
    ResultEvent,
    WireError,
    batch_event_from_line,
    event_from_line,
    event_to_line,
)

GOLDEN = Path(__file__).parent / "golden"
TYPES = {
    "batch_plan": BatchPlan,
    "batch_request": BatchRequest,
    "batch_result": BatchResult,
    "detection": Detection,
    "empty_reason": EmptyReason,
    "engine_info": EngineInfo,
    "grounding_request": GroundingRequest,
    "grounding_result_found": GroundingResult,
    "grounding_result_nothing": GroundingResult,
    "health": Health,
    "hello": Hello,
    "map_image": MapImage,
    "wire_error": WireError,
}


def golden(name):
    return json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))


def test_every_golden_file_has_its_type():
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(TYPES)


@pytest.mark.parametrize("name", sorted(TYPES))
def test_golden_file_is_parsed_and_emitted_identically(name):
    data = golden(name)
    value = TYPES[name].from_dict(data)
    again = json.loads(json.dumps(value.to_dict()))
    assert again == data
    assert list(again) == list(data), "the order of the keys"
    assert TYPES[name].from_dict(again) == value


def test_golden_events_are_parsed_and_emitted_byte_for_byte():
    lines = (GOLDEN / "events.jsonl").read_bytes().splitlines(keepends=True)
    assert [event_to_line(event_from_line(line)) for line in lines] == lines


def test_golden_batch_events_are_parsed_and_emitted_byte_for_byte():
    lines = (GOLDEN / "batch_events.jsonl").read_bytes().splitlines(keepends=True)
    assert [event_to_line(batch_event_from_line(line)) for line in lines] == lines


@pytest.mark.parametrize(
    "line", ["", "[]", '{"event":"tile","scene":0}', '{"event":"result","result":{}}', '{"event":"x"}']
)
def test_a_line_that_is_no_batch_event_is_refused(line):
    with pytest.raises(ProtocolError):
        batch_event_from_line(line)


def test_a_plan_counts_its_tiles():
    plan = BatchPlan.from_dict(golden("batch_plan"))
    assert (plan.total, plan.done) == (2, 1)


def with_value(name, path, value):
    """The golden message with one value replaced; ``path`` is keys and indexes."""
    data = golden(name)
    inner = data
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return data


@pytest.mark.parametrize(
    ("name", "path", "value", "field"),
    [
        ("grounding_request", ["expression"], 7, "request.expression"),
        ("grounding_request", ["expression"], "  ", "request.expression"),
        ("grounding_request", ["expression"], "x" * 10_000, "request.expression"),
        ("grounding_request", ["engine"], None, "request.engine"),
        ("grounding_request", ["outputs"], [], "request.outputs"),
        ("grounding_request", ["outputs"], "hbb", "request.outputs"),
        ("grounding_request", ["outputs"], ["hbb", "polygon"], "request.outputs[1]"),
        ("grounding_request", ["min_score"], 1.5, "request.min_score"),
        ("grounding_request", ["min_score"], True, "request.min_score"),
        ("grounding_request", ["max_detections"], 0, "request.max_detections"),
        ("grounding_request", ["max_detections"], 1.0, "request.max_detections"),
        ("grounding_request", ["protocol"], "1", "request.protocol"),
        ("grounding_request", ["colour"], "red", "request.colour"),
        ("grounding_result_found", ["detections", 1, "score"], 2, "result.detections[1].score"),
        ("grounding_result_found", ["detections", 0, "hbb"], [[0, 0], [1, 1]], "result.detections[0].hbb"),
        ("grounding_result_found", ["detections", 0, "hbb", 1], [0], "result.detections[0].hbb[1]"),
        ("grounding_result_found", ["detections", 0, "mask"], [], "result.detections[0].mask"),
        ("grounding_result_found", ["detections", 0, "mask", 0, 1, 0, 1], "x", "result.detections[0].mask[0][1][0][1]"),
        ("grounding_result_found", ["timings_s", "total"], "soon", "result.timings_s.total"),
        ("grounding_result_nothing", ["empty_reason", "part"], None, "result.empty_reason.part"),
        ("wire_error", ["code"], "oops", "error.code"),
        ("hello", ["port"], 0, "hello.port"),
        ("health", ["busy"], 1, "health.busy"),
        ("engine_info", ["gives", 0], 3, "engine.gives[0]"),
        ("batch_request", ["rasters"], [], "batch.rasters"),
        ("batch_request", ["expressions"], [], "batch.expressions"),
        ("batch_request", ["expressions", 1], " ", "batch.expressions[1]"),
        ("batch_request", ["output"], "", "batch.output"),
        ("batch_request", ["outputs", 0], "polygon", "batch.outputs[0]"),
        ("batch_request", ["area", 0, 0], [[0, 0]], "batch.area[0][0]"),
        ("batch_request", ["gsd_m"], 0, "batch.gsd_m"),
        ("batch_request", ["restart"], 1, "batch.restart"),
        ("batch_plan", ["scenes", 0, "done", 0], 2, "plan.scenes[0].done[0]"),
        ("batch_plan", ["scenes", 0, "tiles", 1], [], "plan.scenes[0].tiles[1]"),
        ("batch_result", ["findings", 0, "count"], -1, "result.findings[0].count"),
    ],
)
def test_a_wrong_value_is_named(name, path, value, field):
    with pytest.raises(ProtocolError) as caught:
        TYPES[name].from_dict(with_value(name, path, value))
    assert caught.value.field == field
    assert str(caught.value).startswith(f"{field}: expected ")


@pytest.mark.parametrize(
    ("name", "key", "field"),
    [
        ("grounding_request", "expression", "request.expression"),
        ("grounding_result_found", "engine", "result.engine"),
        ("detection", "id", "detection.id"),
        ("hello", "pid", "hello.pid"),
        ("engine_info", "licence", "engine.licence"),
    ],
)
def test_a_missing_field_is_named(name, key, field):
    data = golden(name)
    del data[key]
    with pytest.raises(ProtocolError) as caught:
        TYPES[name].from_dict(data)
    assert caught.value.field == field


@pytest.mark.parametrize("cls", [Detection, EngineInfo, GroundingRequest, GroundingResult, Health, Hello, WireError])
@pytest.mark.parametrize("value", [None, [], "text", 3])
def test_what_is_no_object_is_refused(cls, value):
    with pytest.raises(ProtocolError, match="a JSON object"):
        cls.from_dict(value)


@pytest.mark.parametrize(
    ("line", "field"),
    [
        (b"", "event"),
        (b"not json", "event"),
        (b"[]", "event"),
        (b"{}", "event.event"),
        (b'{"event":"party"}', "event.event"),
        (b'{"event":"progress","stage":"x","done":-1,"total":0}', "event.done"),
        (b'{"event":"progress","stage":"x","done":1,"total":0,"result":1}', "event.result"),
        (b'{"event":"error","error":{"code":"internal"}}', "error.message"),
    ],
)
def test_a_wrong_line_is_named(line, field):
    with pytest.raises(ProtocolError) as caught:
        event_from_line(line)
    assert caught.value.field == field


def test_a_long_value_is_shortened_in_the_message():
    with pytest.raises(ProtocolError) as caught:
        GroundingRequest.from_dict({"expression": "x", "engine": ["y" * 5000]})
    assert len(str(caught.value)) < 300


numbers = st.floats(allow_nan=False, allow_infinity=False, width=64)
positions = st.tuples(numbers, numbers)
rings = st.lists(positions, min_size=3, max_size=6).map(lambda points: (*points, points[0]))
measures = st.none() | st.floats(min_value=0, max_value=1e12)
detections = st.builds(
    Detection,
    id=st.text(min_size=1).filter(str.strip),
    score=st.floats(0, 1),
    label=st.text(),
    hbb=st.none() | rings,
    obb=st.none() | rings,
    mask=st.none() | st.lists(st.lists(rings, min_size=1, max_size=2).map(tuple), min_size=1, max_size=2).map(tuple),
    area_m2=measures,
    length_m=measures,
    width_m=measures,
    azimuth_deg=st.none() | st.floats(0, 180, exclude_max=True),
    pixel_area=st.floats(0, 1e9),
)
results = st.builds(
    GroundingResult,
    expression=st.text(),
    engine=st.text(),
    revision=st.text(),
    detections=st.lists(detections, max_size=2).map(tuple),
    anchors=st.lists(detections, max_size=1).map(tuple),
    crs=st.none() | st.text(),
    gsd_m=measures,
    understood=st.text(),
    empty_reason=st.none() | st.builds(EmptyReason, st.text(), st.text(), st.text()),
    notes=st.lists(st.text(), max_size=2).map(tuple),
    timings_s=st.dictionaries(st.text(), numbers, max_size=2),
    cached=st.booleans(),
)


@given(results)
def test_any_result_survives_the_wire(result):
    line = event_to_line(ResultEvent(result))
    assert line.count(b"\n") == 1
    assert event_from_line(line) == ResultEvent(result)


@given(st.text(), st.integers(0, 2**53), st.integers(0, 2**53))
def test_any_progress_survives_the_wire(stage, done, total):
    event = ProgressEvent(stage, done, total)
    assert event_from_line(event_to_line(event)) == event


@given(
    st.recursive(st.none() | st.booleans() | numbers | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x))
)
def test_any_json_is_parsed_or_refused_with_a_field(value):
    for cls in set(TYPES.values()):
        assert refused_field(cls, value) != ""


def refused_field(cls, value):
    """The field at fault, None when there is no fault; another exception than ProtocolError fails the test."""
    try:
        cls.from_dict(value)
    except ProtocolError as error:
        return error.field
    return None


def test_the_protocol_imports_the_standard_library_only():
    tree = ast.parse(Path(protocol.__file__).read_text(encoding="utf-8"))
    modules = {a.name for node in ast.walk(tree) if isinstance(node, ast.Import) for a in node.names}
    modules |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert modules <= {"__future__", "base64", "binascii", "json", "math", "dataclasses", "typing", "zlib"}
    assert sys.version_info >= (3, 9)


def test_a_map_carries_its_cells():
    image = MapImage.of("A_C", "tank", 3, 2, bytes([0, 64, 128, 255, 32, 16]))
    assert image == MapImage.from_dict({**golden("map_image"), "phrase": "tank"})
    assert image.cells == bytes([0, 64, 128, 255, 32, 16])


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"width": 4}, "map.data"),
        ({"width": 2}, "map.data"),
        ({"data": "not base64!"}, "map.data"),
        ({"data": "AAAA"}, "map.data"),
        ({"height": 0}, "map.height"),
        ({"width": 5000}, "map.width"),
        ({"name": ""}, "map.name"),
    ],
)
def test_a_map_that_does_not_fit_is_refused(change, field):
    assert refused_field(MapImage, {**golden("map_image"), **change}) == field
