"""The wire between the plugin and the inference server: every message, as a frozen dataclass.

Standard library only, Python 3.9 syntax: QGIS's Python and the server's both import this file.

    GroundingRequest     what is asked            POST /v1/ground, part "request" (part "tile" is a GeoTIFF)
    ProgressEvent        a stage of the work      one JSON line of the answer
    ResultEvent          the end, with a          last JSON line
      GroundingResult      detections, anchors, why nothing was found, timings
        Detection            one object in three linked geometries, with measures
        EmptyReason          which part of the expression found nothing
        MapImage             where the engine looked, when that was asked for
    ErrorEvent           the end, with an         last JSON line, or the body of a 4xx/5xx answer
      WireError            code, message, field
    BatchRequest         whole rasters            POST /v1/batch, JSON
    PlanEvent            what will be done        first JSON line of its answer
      BatchPlan            the tiles of each scene
        BatchScene           one raster
    TileEvent            a tile is in the journal one JSON line a tile, among ProgressEvents
    BatchEndEvent        the end                  last JSON line
      BatchResult          where the objects are
        BatchFinding         what one expression found
    Hello                the server's first line  one JSON line on its stdout
    Health               GET /v1/health (no token needed)
    EngineInfo           GET /v1/engines          what each engine gives and needs

``from_dict`` is the only validator: it raises :class:`ProtocolError`, which names the field, what was
expected and what came. ``to_dict`` emits what ``from_dict`` accepts, key for key.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import zlib
from dataclasses import dataclass, field, fields
from typing import Any, Dict, Mapping, Optional, Tuple, Union

PROTOCOL_VERSION = 1

#: Environment variable in which the parent passes the token to the server it starts.
TOKEN_VARIABLE = "RSGROUND_TOKEN"  # the variable's name, not a secret  # noqa: S105  # nosec B105
#: Request header that carries the token.
TOKEN_HEADER = "Authorization"  # the header's name  # noqa: S105  # nosec B105

MAX_EXPRESSION_CHARS = 2000
MAX_BODY_BYTES = 512 * 1024 * 1024
OUTPUT_KINDS = ("hbb", "obb", "mask")
#: Tables of results that are files, by what they hold, from the bottom of the map to its top.
RESULT_TABLES: Mapping[str, str] = {"anchor": "anchors", "mask": "masks", "obb": "oriented_boxes", "hbb": "boxes"}
#: Their attributes: name and type ("text", "real", "time"). "id" links the geometries of one object.
RESULT_FIELDS: Tuple[Tuple[str, str], ...] = (
    ("id", "text"),
    ("expression", "text"),
    ("score", "real"),
    ("label", "text"),
    ("area_m2", "real"),
    ("length_m", "real"),
    ("width_m", "real"),
    ("azimuth_deg", "real"),
    ("engine", "text"),
    ("revision", "text"),
    ("gsd_m", "real"),
    ("source", "text"),
    ("extent", "text"),
    ("time", "time"),
)
#: Longest edge of a map of where an engine looked, in cells.
MAX_MAP_CELLS = 4096

#: Error codes and the HTTP status that carries each when the answer has not started yet.
ERROR_STATUS = {
    "unauthorized": 401,
    "forbidden": 403,
    "not_found": 404,
    "body_too_large": 413,
    "invalid_request": 422,
    "invalid_expression": 422,
    "invalid_tile": 422,
    "empty_tile": 422,
    "unknown_engine": 422,
    "journal_mismatch": 409,
    "protocol_mismatch": 422,
    "engine_unavailable": 503,
    "busy": 503,
    "out_of_memory": 507,
    "disk_full": 507,
    "cancelled": 499,
    "internal": 500,
}

Position = Tuple[float, float]
Ring = Tuple[Position, ...]
PolygonCoords = Tuple[Ring, ...]
MultiPolygonCoords = Tuple[PolygonCoords, ...]


class ProtocolError(ValueError):
    """A message does not have the agreed form.

    Attributes:
        field: dotted path of the offending field.
        expected: what the field should hold.
        came: what it held, shortened.
    """

    def __init__(self, field_path: str, expected: str, came: Any) -> None:
        self.field = field_path
        self.expected = expected
        shown = repr(came)
        self.came = shown if len(shown) <= 120 else shown[:117] + "..."
        super().__init__(f"{field_path}: expected {expected}, got {self.came}")


# -- validation -----------------------------------------------------------------------------------


def _object(value: Any, path: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ProtocolError(path, "a JSON object", value)
    return value


def _known_keys(data: Mapping[str, Any], cls: type, path: str) -> None:
    known = {f.name for f in fields(cls)}
    for key in data:
        if key not in known:
            raise ProtocolError(f"{path}.{key}", "no such field (known: " + ", ".join(sorted(known)) + ")", data[key])


def _get(data: Mapping[str, Any], key: str, path: str) -> Any:
    if key not in data:
        raise ProtocolError(f"{path}.{key}", "a value (the field is required)", None)
    return data[key]


def _text(value: Any, path: str, *, max_chars: int = 100_000, allow_empty: bool = True) -> str:
    if not isinstance(value, str):
        raise ProtocolError(path, "text", value)
    if not allow_empty and not value.strip():
        raise ProtocolError(path, "text that is not blank", value)
    if len(value) > max_chars:
        raise ProtocolError(path, f"at most {max_chars} characters", f"{len(value)} characters")
    return value


def _number(value: Any, path: str, *, low: float = -math.inf, high: float = math.inf) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ProtocolError(path, "a finite number", value)
    if not low <= value <= high:
        raise ProtocolError(path, f"a number from {low:g} to {high:g}", value)
    return float(value)


def _integer(value: Any, path: str, *, low: int, high: int = 2**53) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ProtocolError(path, "an integer", value)
    if not low <= value <= high:
        raise ProtocolError(path, f"an integer from {low} to {high}", value)
    return value


def _flag(value: Any, path: str) -> bool:
    if not isinstance(value, bool):
        raise ProtocolError(path, "true or false", value)
    return value


def _optional_number(value: Any, path: str, *, low: float = -math.inf, high: float = math.inf) -> Optional[float]:
    return None if value is None else _number(value, path, low=low, high=high)


def _pixel_size(data: Mapping[str, Any], path: str) -> Optional[float]:
    return _optional_number(data.get("pixel_size_m"), f"{path}.pixel_size_m", low=1e-4, high=1e5)


def _optional_text(value: Any, path: str) -> Optional[str]:
    return None if value is None else _text(value, path)


def _sequence(value: Any, path: str) -> Union[list, tuple]:  # type: ignore[type-arg]
    if not isinstance(value, (list, tuple)):
        raise ProtocolError(path, "a list", value)
    return value


def _texts(value: Any, path: str) -> Tuple[str, ...]:
    return tuple(_text(v, f"{path}[{i}]") for i, v in enumerate(_sequence(value, path)))


def _ring(value: Any, path: str) -> Ring:
    points = []
    for i, item in enumerate(_sequence(value, path)):
        pair = _sequence(item, f"{path}[{i}]")
        if len(pair) != 2:
            raise ProtocolError(f"{path}[{i}]", "a pair of numbers [x, y]", item)
        points.append((_number(pair[0], f"{path}[{i}][0]"), _number(pair[1], f"{path}[{i}][1]")))
    if len(points) < 4 or points[0] != points[-1]:
        raise ProtocolError(path, "a closed ring: at least 4 positions, the last equal to the first", value)
    return tuple(points)


def _multipolygon(value: Any, path: str) -> MultiPolygonCoords:
    polygons = []
    for i, polygon in enumerate(_sequence(value, path)):
        rings = tuple(_ring(r, f"{path}[{i}][{j}]") for j, r in enumerate(_sequence(polygon, f"{path}[{i}]")))
        if not rings:
            raise ProtocolError(f"{path}[{i}]", "a polygon with at least an outer ring", polygon)
        polygons.append(rings)
    if not polygons:
        raise ProtocolError(path, "at least one polygon", value)
    return tuple(polygons)


def _lists(value: Any) -> Any:
    """Tuples become lists, as JSON has them."""
    if isinstance(value, (tuple, list)):
        return [_lists(v) for v in value]
    return value


# -- request --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class GroundingRequest:
    """One question about one tile.

    Attributes:
        expression: the referring expression, 1 to 2000 characters, not blank.
        engine: an engine's name from ``GET /v1/engines``, or "default".
        outputs: which geometries are wanted, of "hbb", "obb", "mask".
        min_score: detections below it are not sent (0 to 1).
        max_detections: at most so many, best first.
        protocol: the sender's PROTOCOL_VERSION.
        explain: the result brings maps of where the engine looked, if it has any.
        pixel_size_m: metres a pixel of the tile, as the user says; believed where the tile has no CRS that tells.
    """

    expression: str
    engine: str = "default"
    outputs: Tuple[str, ...] = OUTPUT_KINDS
    min_score: float = 0.0
    max_detections: int = 1000
    protocol: int = PROTOCOL_VERSION
    explain: bool = False
    pixel_size_m: Optional[float] = None

    def to_dict(self) -> Dict[str, Any]:
        return {
            "expression": self.expression,
            "engine": self.engine,
            "outputs": list(self.outputs),
            "min_score": self.min_score,
            "max_detections": self.max_detections,
            "explain": self.explain,
            "pixel_size_m": self.pixel_size_m,
            "protocol": self.protocol,
        }

    @classmethod
    def from_dict(cls, value: Any, path: str = "request") -> GroundingRequest:
        """Raises ProtocolError when a field is missing, unknown or out of range."""
        data = _object(value, path)
        _known_keys(data, cls, path)
        outputs = _texts(data.get("outputs", OUTPUT_KINDS), f"{path}.outputs")
        for i, kind in enumerate(outputs):
            if kind not in OUTPUT_KINDS:
                raise ProtocolError(f"{path}.outputs[{i}]", "one of " + ", ".join(OUTPUT_KINDS), kind)
        if not outputs:
            raise ProtocolError(f"{path}.outputs", "at least one of " + ", ".join(OUTPUT_KINDS), outputs)
        return cls(
            expression=_text(
                _get(data, "expression", path), f"{path}.expression", max_chars=MAX_EXPRESSION_CHARS, allow_empty=False
            ),
            engine=_text(data.get("engine", "default"), f"{path}.engine", max_chars=200, allow_empty=False),
            outputs=tuple(k for k in OUTPUT_KINDS if k in outputs),
            min_score=_number(data.get("min_score", 0.0), f"{path}.min_score", low=0.0, high=1.0),
            max_detections=_integer(data.get("max_detections", 1000), f"{path}.max_detections", low=1, high=1_000_000),
            protocol=_integer(data.get("protocol", PROTOCOL_VERSION), f"{path}.protocol", low=1),
            explain=_flag(data.get("explain", False), f"{path}.explain"),
            pixel_size_m=_pixel_size(data, path),
        )


# -- result ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Detection:
    """One object, in up to three geometries that share its id, in the result's CRS.

    Attributes:
        id: unique within the result; the three geometries of one object share it.
        score: 0 to 1.
        label: what the engine takes it for, as words.
        hbb: closed ring of the horizontal box; horizontal on the tile (the screen), so a rotated
            rectangle on the map when the tile is rotated.
        obb: closed ring of the oriented box.
        mask: polygons with holes, GeoJSON nesting.
        area_m2, length_m, width_m: ellipsoidal measures; None when the tile has no CRS.
        azimuth_deg: direction of the long axis, clockwise from true north, in [0, 180).
        pixel_area: area of the mask (or box) in tile pixels.
    """

    id: str
    score: float
    label: str
    hbb: Optional[Ring] = None
    obb: Optional[Ring] = None
    mask: Optional[MultiPolygonCoords] = None
    area_m2: Optional[float] = None
    length_m: Optional[float] = None
    width_m: Optional[float] = None
    azimuth_deg: Optional[float] = None
    pixel_area: float = 0.0

    def to_dict(self) -> Dict[str, Any]:
        return {f.name: _lists(getattr(self, f.name)) for f in fields(self)}

    @classmethod
    def from_dict(cls, value: Any, path: str = "detection") -> Detection:
        """Raises ProtocolError when a field is missing, unknown or out of range."""
        data = _object(value, path)
        _known_keys(data, cls, path)
        hbb, obb, mask = data.get("hbb"), data.get("obb"), data.get("mask")
        return cls(
            id=_text(_get(data, "id", path), f"{path}.id", allow_empty=False),
            score=_number(_get(data, "score", path), f"{path}.score", low=0.0, high=1.0),
            label=_text(_get(data, "label", path), f"{path}.label"),
            hbb=None if hbb is None else _ring(hbb, f"{path}.hbb"),
            obb=None if obb is None else _ring(obb, f"{path}.obb"),
            mask=None if mask is None else _multipolygon(mask, f"{path}.mask"),
            area_m2=_optional_number(data.get("area_m2"), f"{path}.area_m2", low=0.0),
            length_m=_optional_number(data.get("length_m"), f"{path}.length_m", low=0.0),
            width_m=_optional_number(data.get("width_m"), f"{path}.width_m", low=0.0),
            azimuth_deg=_optional_number(data.get("azimuth_deg"), f"{path}.azimuth_deg", low=0.0, high=360.0),
            pixel_area=_number(data.get("pixel_area", 0.0), f"{path}.pixel_area", low=0.0),
        )


@dataclass(frozen=True)
class EmptyReason:
    """Why nothing was found.

    Attributes:
        part: which step found nothing: "expression" (nothing to look for in the words), "target",
            "attribute", "anchor", "relation", "order", "position", "score", "engine" (what the
            engine cannot know), "overlooked" (what it often misses: there may be some all the same).
        phrase: the words of the expression that failed.
        message: a sentence for the user.
    """

    part: str
    phrase: str
    message: str

    def to_dict(self) -> Dict[str, Any]:
        return {"part": self.part, "phrase": self.phrase, "message": self.message}

    @classmethod
    def from_dict(cls, value: Any, path: str = "empty_reason") -> EmptyReason:
        """Raises ProtocolError when a field is missing, unknown or out of range."""
        data = _object(value, path)
        _known_keys(data, cls, path)
        return cls(*(_text(_get(data, f.name, path), f"{path}.{f.name}") for f in fields(cls)))


@dataclass(frozen=True)
class MapImage:
    """Where an engine looked for one phrase: a grey picture over the whole tile.

    Attributes:
        name: of the kind of map, such as "A_C"; the engine's documentation says what it means.
        phrase: the words it was looked for.
        width, height: cells; the tile divided evenly, not its pixels.
        data: base64 of the zlib-compressed cells, row by row from the upper left, 8 bits each: 0 nowhere, 255 most.
    """

    name: str
    phrase: str
    width: int
    height: int
    data: str

    @classmethod
    def of(cls, name: str, phrase: str, width: int, height: int, cells: bytes) -> MapImage:
        """The map of ``width`` times ``height`` cells, 8 bits each."""
        return cls(name, phrase, width, height, base64.b64encode(zlib.compress(cells, 6)).decode("ascii"))

    @property
    def cells(self) -> bytes:
        """The cells, row by row. Raises ProtocolError when there are not ``width`` times ``height`` of them."""
        return _cells(self.data, self.width * self.height, "map.data")

    def to_dict(self) -> Dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @classmethod
    def from_dict(cls, value: Any, path: str = "map") -> MapImage:
        """Raises ProtocolError when a field is missing, unknown or out of range."""
        data = _object(value, path)
        _known_keys(data, cls, path)
        width, height = (
            _integer(_get(data, key, path), f"{path}.{key}", low=1, high=MAX_MAP_CELLS) for key in ("width", "height")
        )
        packed = _text(_get(data, "data", path), f"{path}.data", max_chars=2 * MAX_MAP_CELLS**2)
        _cells(packed, width * height, f"{path}.data")
        return cls(
            name=_text(_get(data, "name", path), f"{path}.name", max_chars=100, allow_empty=False),
            phrase=_text(_get(data, "phrase", path), f"{path}.phrase"),
            width=width,
            height=height,
            data=packed,
        )


def _cells(packed: str, count: int, path: str) -> bytes:
    expected = f"base64 of zlib of {count} bytes"
    try:
        # One byte more than wanted is enough to see that there are too many.
        cells = zlib.decompressobj().decompress(base64.b64decode(packed, validate=True), count + 1)
    except (binascii.Error, ValueError, zlib.error) as error:
        raise ProtocolError(path, expected, str(error)) from error
    if len(cells) != count:
        raise ProtocolError(path, expected, f"{len(cells)} bytes" if len(cells) < count else "more")
    return cells


@dataclass(frozen=True)
class GroundingResult:
    """What was found, in map coordinates.

    Attributes:
        expression: as asked.
        engine: the engine that answered, and revision: of its rules or weights.
        detections: best first.
        anchors: the objects that relations were checked against.
        crs: "EPSG:n" or WKT of the tile's CRS, None when it has none (coordinates are then the
            tile's own, through its affine).
        gsd_m: ground sample distance of the tile at its centre in metres, or None.
        understood: how the expression was read, one line.
        empty_reason: set when detections is empty.
        notes: sentences the user should see (ignored words, limits).
        timings_s: seconds by stage.
        cached: the tile's encoding was reused.
        maps: where the engine looked, in the order of its work; only when the request asked for them.
    """

    expression: str
    engine: str
    revision: str
    detections: Tuple[Detection, ...] = ()
    anchors: Tuple[Detection, ...] = ()
    crs: Optional[str] = None
    gsd_m: Optional[float] = None
    understood: str = ""
    empty_reason: Optional[EmptyReason] = None
    notes: Tuple[str, ...] = ()
    timings_s: Mapping[str, float] = field(default_factory=dict)
    cached: bool = False
    maps: Tuple[MapImage, ...] = ()

    def to_dict(self) -> Dict[str, Any]:
        return {
            "expression": self.expression,
            "engine": self.engine,
            "revision": self.revision,
            "detections": [d.to_dict() for d in self.detections],
            "anchors": [d.to_dict() for d in self.anchors],
            "crs": self.crs,
            "gsd_m": self.gsd_m,
            "understood": self.understood,
            "empty_reason": None if self.empty_reason is None else self.empty_reason.to_dict(),
            "notes": list(self.notes),
            "timings_s": dict(self.timings_s),
            "cached": self.cached,
            "maps": [m.to_dict() for m in self.maps],
        }

    @classmethod
    def from_dict(cls, value: Any, path: str = "result") -> GroundingResult:
        """Raises ProtocolError when a field is missing, unknown or out of range."""
        data = _object(value, path)
        _known_keys(data, cls, path)
        reason = data.get("empty_reason")
        timings = _object(data.get("timings_s", {}), f"{path}.timings_s")
        detections, anchors = (
            tuple(
                Detection.from_dict(d, f"{path}.{key}[{i}]")
                for i, d in enumerate(_sequence(data.get(key, ()), f"{path}.{key}"))
            )
            for key in ("detections", "anchors")
        )
        return cls(
            expression=_text(_get(data, "expression", path), f"{path}.expression"),
            engine=_text(_get(data, "engine", path), f"{path}.engine"),
            revision=_text(_get(data, "revision", path), f"{path}.revision"),
            detections=detections,
            anchors=anchors,
            crs=_optional_text(data.get("crs"), f"{path}.crs"),
            gsd_m=_optional_number(data.get("gsd_m"), f"{path}.gsd_m", low=0.0),
            understood=_text(data.get("understood", ""), f"{path}.understood"),
            empty_reason=None if reason is None else EmptyReason.from_dict(reason, f"{path}.empty_reason"),
            notes=_texts(data.get("notes", ()), f"{path}.notes"),
            timings_s={str(k): _number(v, f"{path}.timings_s.{k}") for k, v in timings.items()},
            cached=_flag(data.get("cached", False), f"{path}.cached"),
            maps=tuple(
                MapImage.from_dict(m, f"{path}.maps[{i}]")
                for i, m in enumerate(_sequence(data.get("maps", ()), f"{path}.maps"))
            ),
        )


# -- errors and events ----------------------------------------------------------------------------


@dataclass(frozen=True)
class WireError:
    """What went wrong: a code from ERROR_STATUS, a sentence for the user, the field at fault."""

    code: str
    message: str
    field: Optional[str] = None

    def to_dict(self) -> Dict[str, Any]:
        return {"code": self.code, "message": self.message, "field": self.field}

    @classmethod
    def from_dict(cls, value: Any, path: str = "error") -> WireError:
        """Raises ProtocolError when a field is missing, unknown or out of range."""
        data = _object(value, path)
        _known_keys(data, cls, path)
        code = _text(_get(data, "code", path), f"{path}.code")
        if code not in ERROR_STATUS:
            raise ProtocolError(f"{path}.code", "one of " + ", ".join(ERROR_STATUS), code)
        return cls(
            code,
            _text(_get(data, "message", path), f"{path}.message"),
            _optional_text(data.get("field"), f"{path}.field"),
        )


@dataclass(frozen=True)
class ProgressEvent:
    """A stage of the work: done of total units; total 0 means unknown."""

    stage: str
    done: int
    total: int

    def to_dict(self) -> Dict[str, Any]:
        return {"event": "progress", "stage": self.stage, "done": self.done, "total": self.total}


@dataclass(frozen=True)
class ResultEvent:
    """The last line of a successful answer."""

    result: GroundingResult

    def to_dict(self) -> Dict[str, Any]:
        return {"event": "result", "result": self.result.to_dict()}


@dataclass(frozen=True)
class ErrorEvent:
    """The last line of a failed answer, or the whole body of a 4xx or 5xx one."""

    error: WireError

    def to_dict(self) -> Dict[str, Any]:
        return {"event": "error", "error": self.error.to_dict()}


Event = Union[ProgressEvent, ResultEvent, ErrorEvent]


def event_to_line(event: Union[Event, BatchEvent]) -> bytes:
    """One JSON line, UTF-8, with its line feed."""
    return json.dumps(event.to_dict(), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _event_data(line: Union[str, bytes]) -> Mapping[str, Any]:
    try:
        return _object(json.loads(line), "event")
    except ValueError as error:
        if isinstance(error, ProtocolError):
            raise
        raise ProtocolError("event", "one line of JSON", line) from error


def event_from_line(line: Union[str, bytes]) -> Event:
    """The event of one JSON line. Raises ProtocolError when it is none."""
    data = _event_data(line)
    kind = _get(data, "event", "event")
    expected = {"progress": {"stage", "done", "total"}, "result": {"result"}, "error": {"error"}}
    if kind not in expected:
        raise ProtocolError("event.event", "one of progress, result, error", kind)
    for key in data:
        if key != "event" and key not in expected[kind]:
            raise ProtocolError(f"event.{key}", f"no such field in a {kind} event", data[key])
    if kind == "progress":
        return ProgressEvent(
            _text(_get(data, "stage", "event"), "event.stage"),
            _integer(_get(data, "done", "event"), "event.done", low=0),
            _integer(_get(data, "total", "event"), "event.total", low=0),
        )
    if kind == "result":
        return ResultEvent(GroundingResult.from_dict(_get(data, "result", "event")))
    return ErrorEvent(WireError.from_dict(_get(data, "error", "event")))


# -- batch ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class BatchRequest:
    """Expressions over whole rasters, into one resumable GeoPackage.

    Attributes:
        rasters: files, absolute paths, as the server's machine sees them.
        expressions: what to find, each 1 to 2000 characters, not blank.
        output: the GeoPackage; the journal of a run that was stopped is continued.
        engine: an engine's name from ``GET /v1/engines``, or "default".
        outputs: which geometries are wanted, of "hbb", "obb", "mask".
        min_score: objects below it are left out (0 to 1).
        area: only tiles that meet it are searched, objects outside are left out; None for all.
        area_crs: "EPSG:n" or WKT of ``area``; None for the first raster's.
        gsd_m: ground sample distance to search at; None for each raster's own.
        pixel_size_m: metres a pixel of the rasters that have no CRS to tell it, as the user says.
        restart: starts anew where the output holds the journal of another run, instead of refusing.
        plan_only: ends after the plan; nothing is written.
        protocol: the sender's PROTOCOL_VERSION.
    """

    rasters: Tuple[str, ...]
    expressions: Tuple[str, ...]
    output: str
    engine: str = "default"
    outputs: Tuple[str, ...] = OUTPUT_KINDS
    min_score: float = 0.0
    area: Optional[MultiPolygonCoords] = None
    area_crs: Optional[str] = None
    gsd_m: Optional[float] = None
    pixel_size_m: Optional[float] = None
    restart: bool = False
    plan_only: bool = False
    protocol: int = PROTOCOL_VERSION

    def to_dict(self) -> Dict[str, Any]:
        return {f.name: _lists(getattr(self, f.name)) for f in fields(self)}

    @classmethod
    def from_dict(cls, value: Any, path: str = "batch") -> BatchRequest:
        """Raises ProtocolError when a field is missing, unknown or out of range."""
        data = _object(value, path)
        _known_keys(data, cls, path)
        rasters = _texts(_get(data, "rasters", path), f"{path}.rasters")
        expressions = _sequence(_get(data, "expressions", path), f"{path}.expressions")
        for name, given in (("rasters", rasters), ("expressions", expressions)):
            if not given:
                raise ProtocolError(f"{path}.{name}", "at least one", given)
        first = {"expression": "-", **{k: data[k] for k in ("engine", "outputs", "min_score", "protocol") if k in data}}
        common = GroundingRequest.from_dict(first, path)
        area = data.get("area")
        gsd_m = _optional_number(data.get("gsd_m"), f"{path}.gsd_m", low=1e-4, high=1e5)
        return cls(
            rasters=rasters,
            expressions=tuple(
                _text(e, f"{path}.expressions[{i}]", max_chars=MAX_EXPRESSION_CHARS, allow_empty=False)
                for i, e in enumerate(expressions)
            ),
            output=_text(_get(data, "output", path), f"{path}.output", allow_empty=False),
            engine=common.engine,
            outputs=common.outputs,
            min_score=common.min_score,
            area=None if area is None else _multipolygon(area, f"{path}.area"),
            area_crs=_optional_text(data.get("area_crs"), f"{path}.area_crs"),
            gsd_m=gsd_m,
            pixel_size_m=_pixel_size(data, path),
            restart=_flag(data.get("restart", False), f"{path}.restart"),
            plan_only=_flag(data.get("plan_only", False), f"{path}.plan_only"),
            protocol=common.protocol,
        )


@dataclass(frozen=True)
class BatchScene:
    """One raster's tiles.

    Attributes:
        raster: as asked.
        crs: "EPSG:n" or WKT, None when it has none.
        tiles: closed ring of each tile's outline, without overlap, in ``crs``.
        done: indices of the tiles that the journal holds already.
    """

    raster: str
    crs: Optional[str]
    tiles: Tuple[Ring, ...]
    done: Tuple[int, ...] = ()

    def to_dict(self) -> Dict[str, Any]:
        return {f.name: _lists(getattr(self, f.name)) for f in fields(self)}

    @classmethod
    def from_dict(cls, value: Any, path: str = "scene") -> BatchScene:
        """Raises ProtocolError when a field is missing, unknown or out of range."""
        data = _object(value, path)
        _known_keys(data, cls, path)
        tiles = _sequence(_get(data, "tiles", path), f"{path}.tiles")
        done = _sequence(data.get("done", ()), f"{path}.done")
        return cls(
            raster=_text(_get(data, "raster", path), f"{path}.raster"),
            crs=_optional_text(data.get("crs"), f"{path}.crs"),
            tiles=tuple(_ring(r, f"{path}.tiles[{i}]") for i, r in enumerate(tiles)),
            done=tuple(_integer(n, f"{path}.done[{i}]", low=0, high=len(tiles) - 1) for i, n in enumerate(done)),
        )


@dataclass(frozen=True)
class BatchPlan:
    """What a batch will do.

    Attributes:
        scenes: the rasters, in the order of the request.
        tile_s: seconds a tile took on this machine so far, None before any did.
    """

    scenes: Tuple[BatchScene, ...]
    tile_s: Optional[float] = None

    @property
    def total(self) -> int:
        return sum(len(scene.tiles) for scene in self.scenes)

    @property
    def done(self) -> int:
        return sum(len(scene.done) for scene in self.scenes)

    def to_dict(self) -> Dict[str, Any]:
        return {"scenes": [scene.to_dict() for scene in self.scenes], "tile_s": self.tile_s}

    @classmethod
    def from_dict(cls, value: Any, path: str = "plan") -> BatchPlan:
        """Raises ProtocolError when a field is missing, unknown or out of range."""
        data = _object(value, path)
        _known_keys(data, cls, path)
        scenes = _sequence(_get(data, "scenes", path), f"{path}.scenes")
        return cls(
            scenes=tuple(BatchScene.from_dict(s, f"{path}.scenes[{i}]") for i, s in enumerate(scenes)),
            tile_s=_optional_number(data.get("tile_s"), f"{path}.tile_s", low=0.0),
        )


@dataclass(frozen=True)
class BatchFinding:
    """What one expression found: how many objects, how it was read, and why nothing was found ("" else)."""

    expression: str
    count: int
    understood: str = ""
    reason: str = ""

    def to_dict(self) -> Dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @classmethod
    def from_dict(cls, value: Any, path: str = "finding") -> BatchFinding:
        """Raises ProtocolError when a field is missing, unknown or out of range."""
        data = _object(value, path)
        _known_keys(data, cls, path)
        return cls(
            expression=_text(_get(data, "expression", path), f"{path}.expression"),
            count=_integer(_get(data, "count", path), f"{path}.count", low=0),
            understood=_text(data.get("understood", ""), f"{path}.understood"),
            reason=_text(data.get("reason", ""), f"{path}.reason"),
        )


@dataclass(frozen=True)
class BatchResult:
    """Where the objects are.

    Attributes:
        output: the GeoPackage.
        findings: one for each expression; none when only the plan was asked for.
        notes: sentences the user should see.
        seconds: of this run.
    """

    output: str
    findings: Tuple[BatchFinding, ...] = ()
    notes: Tuple[str, ...] = ()
    seconds: float = 0.0

    def to_dict(self) -> Dict[str, Any]:
        return {
            "output": self.output,
            "findings": [finding.to_dict() for finding in self.findings],
            "notes": list(self.notes),
            "seconds": self.seconds,
        }

    @classmethod
    def from_dict(cls, value: Any, path: str = "result") -> BatchResult:
        """Raises ProtocolError when a field is missing, unknown or out of range."""
        data = _object(value, path)
        _known_keys(data, cls, path)
        findings = _sequence(data.get("findings", ()), f"{path}.findings")
        return cls(
            output=_text(_get(data, "output", path), f"{path}.output"),
            findings=tuple(BatchFinding.from_dict(f, f"{path}.findings[{i}]") for i, f in enumerate(findings)),
            notes=_texts(data.get("notes", ()), f"{path}.notes"),
            seconds=_number(data.get("seconds", 0.0), f"{path}.seconds", low=0.0),
        )


@dataclass(frozen=True)
class PlanEvent:
    """The first line of a batch's answer."""

    plan: BatchPlan

    def to_dict(self) -> Dict[str, Any]:
        return {"event": "plan", "plan": self.plan.to_dict()}


@dataclass(frozen=True)
class TileEvent:
    """A tile is in the journal.

    Attributes:
        scene, tile: its indices in the plan.
        done, total: tiles of all scenes.
        found: candidates of the targets in the journal, seams not merged yet.
        boxes: closed ring of the oriented box of each one that this tile added, in the scene's CRS.
    """

    scene: int
    tile: int
    done: int
    total: int
    found: int
    boxes: Tuple[Ring, ...] = ()

    def to_dict(self) -> Dict[str, Any]:
        return {"event": "tile", **{f.name: _lists(getattr(self, f.name)) for f in fields(self)}}


@dataclass(frozen=True)
class BatchEndEvent:
    """The last line of a successful batch's answer."""

    result: BatchResult

    def to_dict(self) -> Dict[str, Any]:
        return {"event": "end", "result": self.result.to_dict()}


BatchEvent = Union[PlanEvent, TileEvent, ProgressEvent, BatchEndEvent, ErrorEvent]


def batch_event_from_line(line: Union[str, bytes]) -> BatchEvent:
    """The event of one JSON line of a batch's answer. Raises ProtocolError when it is none."""
    data = _event_data(line)
    kind = _get(data, "event", "event")
    if kind == "plan":
        return PlanEvent(BatchPlan.from_dict(_get(data, "plan", "event")))
    if kind == "tile":
        boxes = _sequence(data.get("boxes", ()), "event.boxes")
        scene, tile, done, total, found = (
            _integer(_get(data, name, "event"), f"event.{name}", low=0)
            for name in ("scene", "tile", "done", "total", "found")
        )
        rings = tuple(_ring(ring, f"event.boxes[{i}]") for i, ring in enumerate(boxes))
        return TileEvent(scene, tile, done, total, found, rings)
    if kind == "end":
        return BatchEndEvent(BatchResult.from_dict(_get(data, "result", "event")))
    event = event_from_line(line)
    if isinstance(event, ResultEvent):
        raise ProtocolError("event.event", "one of plan, tile, progress, end, error", kind)
    return event


# -- server ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Hello:
    """The server's announcement: one JSON line, the only thing it prints on stdout."""

    host: str
    port: int
    pid: int
    version: str
    protocol: int = PROTOCOL_VERSION

    def to_dict(self) -> Dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @classmethod
    def from_dict(cls, value: Any, path: str = "hello") -> Hello:
        """Raises ProtocolError when a field is missing, unknown or out of range."""
        data = _object(value, path)
        return cls(
            host=_text(_get(data, "host", path), f"{path}.host"),
            port=_integer(_get(data, "port", path), f"{path}.port", low=1, high=65535),
            pid=_integer(_get(data, "pid", path), f"{path}.pid", low=1),
            version=_text(_get(data, "version", path), f"{path}.version"),
            protocol=_integer(_get(data, "protocol", path), f"{path}.protocol", low=1),
        )


@dataclass(frozen=True)
class Health:
    """Liveness: status is "ok"; busy while a query runs; idle_s since the last query."""

    status: str
    version: str
    protocol: int
    busy: bool
    idle_s: float

    def to_dict(self) -> Dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @classmethod
    def from_dict(cls, value: Any, path: str = "health") -> Health:
        """Raises ProtocolError when a field is missing, unknown or out of range."""
        data = _object(value, path)
        return cls(
            status=_text(_get(data, "status", path), f"{path}.status"),
            version=_text(_get(data, "version", path), f"{path}.version"),
            protocol=_integer(_get(data, "protocol", path), f"{path}.protocol", low=1),
            busy=_flag(_get(data, "busy", path), f"{path}.busy"),
            idle_s=_number(_get(data, "idle_s", path), f"{path}.idle_s", low=0.0),
        )


@dataclass(frozen=True)
class EngineInfo:
    """What an engine gives and needs, for the panel's chooser.

    Attributes:
        name: for ``GroundingRequest.engine``.
        title: for people.
        gives: of "hbb", "obb", "mask".
        needs: a sentence: download size, packages, GPU.
        limits: a sentence: what it cannot do.
        licence: of rules or weights.
        revision: of rules or weights.
        is_available: can answer now.
        why_unavailable: what to do about it, empty when available.
        is_default: what "default" means.
        explains: can bring maps of where it looked.
    """

    name: str
    title: str
    gives: Tuple[str, ...]
    needs: str
    limits: str
    licence: str
    revision: str
    is_available: bool = True
    why_unavailable: str = ""
    is_default: bool = False
    explains: bool = False

    def to_dict(self) -> Dict[str, Any]:
        return {f.name: _lists(getattr(self, f.name)) for f in fields(self)}

    @classmethod
    def from_dict(cls, value: Any, path: str = "engine") -> EngineInfo:
        """Raises ProtocolError when a field is missing, unknown or out of range."""
        data = _object(value, path)
        _known_keys(data, cls, path)
        texts = {
            key: _text(_get(data, key, path), f"{path}.{key}")
            for key in ("name", "title", "needs", "limits", "licence", "revision")
        }
        return cls(
            gives=_texts(_get(data, "gives", path), f"{path}.gives"),
            is_available=_flag(data.get("is_available", True), f"{path}.is_available"),
            why_unavailable=_text(data.get("why_unavailable", ""), f"{path}.why_unavailable"),
            is_default=_flag(data.get("is_default", False), f"{path}.is_default"),
            explains=_flag(data.get("explains", False), f"{path}.explains"),
            **texts,
        )
