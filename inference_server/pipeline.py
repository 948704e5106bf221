"""The whole story of one query: a tile and an expression in, detections on the map out.

pipeline = GroundingPipeline(Registry())
tile = read_window("scene.tif")
result = pipeline.ground(GroundingRequest("the white tank left of the road"), tile)
for detection in result.detections: ...
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from inference_server.detections import candidate_of, detection_of, luminance, with_unique_ids
from inference_server.encodings import EncodingCache, tile_key
from inference_server.errors import OutOfMemory
from inference_server.explanation import map_image
from inference_server.expression import Expression, Phrase, describe, parse
from inference_server.models.base import Engine, Progress, silent
from inference_server.models.registry import Registry
from inference_server.placement import Placement
from inference_server.raster import RasterTile
from inference_server.relations import Found, Frame, Resolution, resolve
from rsground_plugin.protocol import Detection, EmptyReason, GroundingRequest, GroundingResult, MapImage

#: So many of the objects that relations were checked against are sent along, to be drawn faintly.
MAX_ANCHORS = 100


class GroundingPipeline:
    """Answers expressions about tiles. One query at a time; the encodings of the last tiles are kept."""

    def __init__(self, registry: Registry, *, encodings: EncodingCache | None = None) -> None:
        self.registry = registry
        self._encodings = EncodingCache() if encodings is None else encodings

    def ground(self, request: GroundingRequest, tile: RasterTile, progress: Progress = silent) -> GroundingResult:
        """What the expression names on the tile.

        Args:
            request: expression, engine, outputs, thresholds.
            tile: from :func:`inference_server.raster.read_tile` or ``read_window``.
            progress: called with stage, done, total; whatever it raises ends the query.

        Raises:
            UnknownEngine, EngineUnavailable: the request's engine cannot answer.
            OutOfMemory: the tile is too large for this machine.
            Cancelled: raised by ``progress``.
        """
        clock = _Clock()
        if request.pixel_size_m is not None:
            tile = replace(tile, told_gsd_m=request.pixel_size_m)
        placement = Placement(tile.affine, tile.crs, tile.told_gsd_m)
        engine = self.registry.get(request.engine)
        expression = parse(request.expression)
        if not expression.targets:
            return self._result(request, engine, placement, tile, expression, clock, empty=_no_target(request))
        try:
            with clock("encode"):
                encoding, is_cached = self._encoding(engine, tile, progress)
            search = _Search(engine, encoding, tile, progress, clock, explain=request.explain)
            with clock("relate"):
                resolution = resolve(expression, search.find, _frame(placement, tile))
            progress("measuring", 0, len(resolution.items))
            with clock("measure"):
                detections = _detections(resolution, request, placement)
                anchors = _anchors(resolution, placement)
        except MemoryError as error:
            self.unload()
            raise OutOfMemory(
                f"The tile of {tile.width} x {tile.height} pixels needs more memory than there is. "
                "Choose a smaller area or a coarser resolution.",
                field="tile",
            ) from error
        empty = None if detections else resolution.failure or _below_score(resolution, request)
        return self._result(
            request, engine, placement, tile, expression, clock,
            detections=detections, anchors=anchors, empty=empty,
            notes=(*search.notes, *resolution.notes), maps=tuple(search.maps),
            is_cached=is_cached,
        )  # fmt: skip

    def unload(self) -> None:
        """Frees the encodings and the engines' memory."""
        self._encodings.clear()
        self.registry.unload()

    def _encoding(self, engine: Engine, tile: RasterTile, progress: Progress) -> tuple[Any, bool]:
        progress("encoding", 0, 0)
        return self._encodings.get(tile_key(tile, engine.info), lambda: engine.encode(tile, progress))

    def _result(
        self,
        request: GroundingRequest,
        engine: Engine,
        placement: Placement,
        tile: RasterTile,
        expression: Expression,
        clock: _Clock,
        *,
        detections: tuple[Detection, ...] = (),
        anchors: tuple[Detection, ...] = (),
        empty: EmptyReason | None = None,
        notes: tuple[str, ...] = (),
        maps: tuple[MapImage, ...] = (),
        is_cached: bool = False,
    ) -> GroundingResult:
        if expression.ignored:
            notes = (
                *notes,
                "Not understood, so ignored: " + ", ".join(f"“{word}”" for word in expression.ignored) + ".",
            )
        return GroundingResult(
            expression=request.expression,
            engine=engine.info.name,
            revision=engine.info.revision,
            detections=detections,
            anchors=anchors,
            crs=placement.crs_text,
            gsd_m=placement.gsd_m(tile.width, tile.height),
            understood=describe(expression),
            empty_reason=empty,
            notes=tuple(dict.fromkeys(notes)),
            timings_s=clock.timings(),
            cached=is_cached,
            maps=maps,
        )


class _Search:
    """The engine's answers to the phrases of one expression, each asked once."""

    def __init__(
        self, engine: Engine, encoding: Any, tile: RasterTile, progress: Progress, clock: _Clock, *, explain: bool
    ) -> None:
        self._explain = explain
        self._engine, self._encoding, self._progress, self._clock = engine, encoding, progress, clock
        self._gray = luminance(tile.rgb)
        self._found: dict[Phrase, Found] = {}
        #: Where the engine looked, phrase after phrase; when that was asked for.
        self.maps: list[MapImage] = []

    def find(self, phrase: Phrase) -> Found:
        if phrase not in self._found:
            self._progress("finding", len(self._found), 0)
            with self._clock("find"):
                answer = self._engine.find(self._encoding, phrase, self._progress)
            with self._clock("outline"):
                candidates = tuple(candidate_of(item, self._gray) for item in answer.items)
            if self._explain:
                self.maps += [map_image(each, phrase.text) for each in answer.maps]
            self._found[phrase] = Found(candidates, answer.why_empty, answer.failed_part, answer.notes)
        return self._found[phrase]

    @property
    def notes(self) -> Iterator[str]:
        return (note for found in self._found.values() for note in found.notes)


class _Clock:
    """Seconds by stage; a stage within another counts for the inner one only."""

    def __init__(self) -> None:
        self._start = time.perf_counter()
        self._seconds: dict[str, float] = {}
        self._inner_s = 0.0

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        outer_inner_s, self._inner_s = self._inner_s, 0.0
        start = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - start
            self._seconds[stage] = self._seconds.get(stage, 0.0) + spent - self._inner_s
            self._inner_s = outer_inner_s + spent

    def timings(self) -> dict[str, float]:
        return {**self._seconds, "total": time.perf_counter() - self._start}


def _frame(placement: Placement, tile: RasterTile) -> Frame:
    gsd_m = placement.gsd_m(tile.width, tile.height)
    return Frame(tile.width, tile.height, tile.affine, gsd_m, placement.north)


def _detections(resolution: Resolution, request: GroundingRequest, placement: Placement) -> tuple[Detection, ...]:
    best_first = sorted(resolution.items, key=lambda item: -item.score)
    chosen = [item for item in best_first if item.score >= request.min_score][: request.max_detections]
    return with_unique_ids(
        [detection_of(item.candidate, item.score, placement, outputs=request.outputs) for item in chosen]
    )


def _anchors(resolution: Resolution, placement: Placement) -> tuple[Detection, ...]:
    return with_unique_ids(
        [
            detection_of(anchor, anchor.score, placement, outputs=("hbb", "obb", "mask"))
            for anchor in resolution.anchors[:MAX_ANCHORS]
        ]
    )


def _no_target(request: GroundingRequest) -> EmptyReason:
    return EmptyReason(
        "expression",
        request.expression[:200],
        "There is nothing to look for in these words. Name a thing, such as “the white building”.",
    )


def _below_score(resolution: Resolution, request: GroundingRequest) -> EmptyReason:
    best = max((item.score for item in resolution.items), default=0.0)
    return EmptyReason(
        "score",
        request.expression[:200],
        f"What was found has a score of at most {best:.2f}; the minimum is set to {request.min_score:.2f}. Lower it.",
    )
