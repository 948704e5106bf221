"""A batch from request to result: tiles into the journal, merged, resolved, written. A stopped one goes on.

batch = Batch.prepare(BatchRequest(("scene.tif",), ("blue roofs",), "roofs.gpkg"), Registry)
result = batch.run(print)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from inference_server.batch.cluster import clustered_answers
from inference_server.batch.grid import bare, is_large, margin_px, phrases_of
from inference_server.batch.journal import Journal
from inference_server.batch.pool import pooled_answers
from inference_server.batch.resolving import Chosen, SceneObjects, numbered
from inference_server.batch.results import Answered, write_results
from inference_server.batch.scene import Scene, open_scene
from inference_server.batch.tiles import Piece, SurveyAnswer
from inference_server.batch.work import SURVEY, Answer, Job, TileWork, needs_survey
from inference_server.errors import InvalidExpression, InvalidRequest, OutOfMemory
from inference_server.expression import Expression, Phrase, describe, parse
from inference_server.geometry import obb_corners, obb_of_points
from inference_server.models.base import SurveyingEngine
from inference_server.models.registry import Registry
from inference_server.relations import Resolution, Resolved
from rsground_plugin.protocol import (
    BatchEvent,
    BatchFinding,
    BatchPlan,
    BatchRequest,
    BatchResult,
    EngineInfo,
    PlanEvent,
    ProgressEvent,
    Ring,
    TileEvent,
)

OnEvent = Callable[[BatchEvent], None]
#: Tiles, what outlines their answers, the engine's seconds.
Answers = Generator[tuple[Job, Callable[[], Answer], float], None, None]


@dataclass(frozen=True)
class Batch:
    """A run that was checked and laid out; :meth:`prepare` makes it.

    Attributes:
        request: as asked.
        engine: what the engine is.
        expressions: parsed.
        phrases: what the engine is asked for, each with its number.
        scenes: the rasters.
        plan: for the asker; says what the journal holds already.
        make_registry: gives the engines, here and in worker processes.
        workers: processes that ask tiles; 1 for this one.
        ray: address of the Ray cluster that asks tiles instead, "" for the one at hand; None for none.
    """

    request: BatchRequest
    engine: EngineInfo
    expressions: tuple[Expression, ...]
    phrases: dict[Phrase, int]
    scenes: tuple[Scene, ...]
    plan: BatchPlan
    make_registry: Callable[[], Registry]
    workers: int = 1
    ray: str | None = None

    @classmethod
    def prepare(
        cls,
        request: BatchRequest,
        make_registry: Callable[[], Registry] = Registry,
        *,
        workers: int = 1,
        ray: str | None = None,
    ) -> Batch:
        """Opens the rasters, lays out their tiles and looks into the output; writes nothing.

        Raises:
            InvalidExpression, InvalidRequest, InvalidTile, UnknownEngine, EngineUnavailable: as their names say.
            JournalMismatch: the output holds something else, and ``request.restart`` is not set.
            Busy: another run writes it.
        """
        registry = make_registry()
        engine = replace(registry.get(request.engine).info, name=registry.name_of(request.engine))
        expressions = tuple(parse(text) for text in request.expressions)
        for expression in expressions:
            if not expression.targets:
                raise InvalidExpression(
                    f"There is nothing to look for in “{expression.text}”. Name a thing, such as “white buildings”.",
                    field="batch.expressions",
                )
        phrases = tuple(dict.fromkeys(phrase for expression in expressions for phrase in phrases_of(expression)))
        first_crs: str | None = request.area_crs
        scenes: list[Scene] = []
        for raster in request.rasters:
            scene = open_scene(
                raster,
                margin=lambda gsd_m: margin_px(phrases, gsd_m),
                is_coarse_wanted=any(is_large(phrase) for phrase in phrases),
                gsd_m=request.gsd_m,
                pixel_size_m=request.pixel_size_m,
                area=request.area,
                area_crs=first_crs,
            )
            scenes.append(scene)
            first_crs = first_crs or scenes[0].fine.placement.crs_text
        if len({scene.fine.placement.crs is None for scene in scenes}) > 1:
            raise InvalidRequest("Some rasters have a CRS and some have none: run them apart.", field="batch.rasters")
        numbered = {phrase: number for number, phrase in enumerate(phrases)}
        batch = cls(request, engine, expressions, numbered, tuple(scenes), BatchPlan(()), make_registry, workers, ray)
        state = Journal.peek(Path(request.output), batch.fingerprint(), restart=request.restart)
        on_wire = tuple(scene.on_wire(sorted(state.done(i, 0))) for i, scene in enumerate(scenes))
        return replace(batch, plan=BatchPlan(on_wire, state.tile_s))

    def fingerprint(self) -> dict[str, Any]:
        """What a journal must be of to be continued."""
        request = self.request
        return {
            "rasters": [scene.fingerprint for scene in self.scenes],
            "engine": self.engine.name,
            "revision": self.engine.revision,
            "expressions": list(request.expressions),
            "area": request.area,
            "area_crs": request.area_crs,
            "gsd_m": request.gsd_m,
            "pixel_size_m": request.pixel_size_m,
            "tiles": [[len(grid.tiles) for grid in scene.passes()] + [scene.margin] for scene in self.scenes],
        }

    def run(self, on_event: OnEvent) -> BatchResult:
        """Does what is left to do.

        Args:
            on_event: called in this thread with the plan, each tile when it is committed, and stages; what it raises
                stops the run. What was committed stays, and the same request goes on from there.

        Raises:
            JournalMismatch, Busy, DiskFull, CannotWrite: of the output.
            InvalidTile: a raster can no longer be read.
            OutOfMemory: a tile is too large for this machine.
        """
        start = time.monotonic()
        on_event(PlanEvent(self.plan))
        if self.request.plan_only:
            return BatchResult(self.request.output, seconds=time.monotonic() - start)
        journal = Journal.open(Path(self.request.output), self.fingerprint(), restart=self.request.restart)
        try:
            self._ask_tiles(journal, on_event)
            answers, findings, notes = self._resolve(journal, on_event)
            on_event(ProgressEvent("writing", 0, 1))
            write_results(
                journal, answers, self.engine, self.request.outputs,
                progress=lambda done, total: on_event(ProgressEvent("writing", done, total)),
            )  # fmt: skip
            if count := journal.count_nodata():
                notes.append(f"{count} {'tile holds' if count == 1 else 'tiles hold'} no data and were skipped.")
        except MemoryError as error:
            raise OutOfMemory(
                "A tile needs more memory than there is. Search at a coarser resolution, or with fewer workers."
            ) from error
        finally:
            journal.close()
        return BatchResult(self.request.output, tuple(findings), tuple(dict.fromkeys(notes)), time.monotonic() - start)

    # -- tiles --------------------------------------------------------------------------------------

    def _ask_tiles(self, journal: Journal, on_event: OnEvent) -> None:
        work = TileWork(self.scenes, self.phrases)
        work.surveys.update(journal.surveys())
        jobs = self._jobs(journal, work)
        if not jobs:
            return
        counter = _Counter(self, journal, on_event)
        ask = self._here if self.workers == 1 and self.ray is None else self._spread
        answers = ask(jobs, work, on_event)
        # The journal is written beside the engine; a tile is told of once it is committed.
        with ThreadPoolExecutor(1, "journal") as writer:
            pending: tuple[Job, Future[Answer]] | None = None

            def commit(job: Job, outline: Callable[[], Answer], seconds: float) -> Answer:
                answer = outline()
                if isinstance(answer, SurveyAnswer):
                    journal.add_survey(job.scene, job.level, answer.survey)
                else:
                    journal.add_tile(job.scene, job.level, job.tile, answer, seconds)
                return answer

            try:
                for job, outline, seconds in answers:
                    if pending is not None:
                        counter.add(pending[0], pending[1].result())
                    pending = (job, writer.submit(commit, job, outline, seconds))
                if pending is not None:
                    counter.add(pending[0], pending[1].result())
            finally:
                answers.close()

    def _jobs(self, journal: Journal, work: TileWork) -> list[Job]:
        """What is left to do. Surveys come a pass ahead: no worker waits for one."""
        state = journal.state()
        is_surveying = isinstance(self.make_registry().get(self.request.engine), SurveyingEngine)
        surveys: list[list[Job]] = []
        tiles: list[list[Job]] = []
        for scene, layout in enumerate(self.scenes):
            for level, grid in enumerate(layout.passes()):
                left = [n for n in range(len(grid.tiles)) if n not in state.done(scene, level)]
                tiles.append([Job(scene, level, n) for n in left])
                is_wanted = is_surveying and left and needs_survey(grid) and (scene, level) not in work.surveys
                surveys.append([Job(scene, level, SURVEY)] if is_wanted else [])
        ahead = [*surveys[1:], []]
        return surveys[0] + [job for pair in zip(ahead, tiles, strict=True) for jobs in pair for job in jobs]

    def _here(self, jobs: list[Job], work: TileWork, on_event: OnEvent) -> Answers:
        """Each tile's answer, the next one's pixels being read meanwhile."""
        engine = self.make_registry().get(self.request.engine)

        def progress(stage: str, done: int, total: int) -> None:
            on_event(ProgressEvent(stage, max(0, int(done)), max(0, int(total))))

        with ThreadPoolExecutor(1, "reader") as reader:
            try:
                coming = reader.submit(work.read, jobs[0])
                for number, job in enumerate(jobs):
                    progress("reading", 0, 0)
                    start = time.monotonic()
                    pixels = coming.result()
                    if number + 1 < len(jobs):
                        coming = reader.submit(work.read, jobs[number + 1])
                    outline = work.ask(engine, job, pixels, progress)
                    yield job, outline, time.monotonic() - start
            finally:
                reader.submit(work.close)

    def _spread(self, jobs: list[Job], work: TileWork, on_event: OnEvent) -> Answers:
        def on_wait() -> None:
            on_event(ProgressEvent("waiting", 0, 0))

        task = (jobs, work, self.make_registry, self.request.engine)
        if self.ray is None:
            answers = pooled_answers(*task, workers=self.workers, on_wait=on_wait)
        else:
            answers = clustered_answers(*task, address=self.ray or None, on_wait=on_wait)
        try:
            for job, answer, seconds in answers:
                yield job, lambda answer=answer: answer, seconds  # type: ignore[misc]
        finally:
            answers.close()

    # -- the whole ----------------------------------------------------------------------------------

    def _resolve(self, journal: Journal, on_event: OnEvent) -> tuple[list[Answered], list[BatchFinding], list[str]]:
        total = len(self.scenes) * len(self.expressions)
        found: dict[str, list[_Found]] = {e.text: [] for e in self.expressions}
        done = 0

        def tick() -> None:
            on_event(ProgressEvent("resolving", done, total))

        for number, scene in enumerate(self.scenes):
            on_event(ProgressEvent("merging", number, len(self.scenes)))
            objects = SceneObjects(journal, number, scene, self.phrases, tick)
            for expression in self.expressions:
                tick()
                found[expression.text].append(self._found(expression, scene, objects.resolved(expression)))
                done += 1
        notes = [note for parts in found.values() for part in parts for note in part.notes]
        for expression in self.expressions:
            if expression.ignored:
                words = ", ".join(f"“{word}”" for word in expression.ignored)
                notes.append(f"Not understood, so ignored: {words}.")
        findings = [_finding(e, found[e.text], self.request.min_score) for e in self.expressions]
        answers = [answer for parts in found.values() for answer in _unique([part.answer for part in parts])]
        return answers, findings, notes

    def _found(self, expression: Expression, scene: Scene, resolution: Resolution) -> _Found:
        chosen = [item for item in resolution.items if item.score >= self.request.min_score]
        anchors = [Resolved(anchor, anchor.score) for anchor in resolution.anchors] if chosen else []
        return _Found(
            Answered(expression.text, scene, Chosen.of(chosen, scene), Chosen.of(anchors, scene)),
            max((item.score for item in resolution.items), default=None),
            resolution.failure.message if resolution.failure is not None else "",
            resolution.notes,
        )


@dataclass(frozen=True)
class _Found:
    """What one expression has in one scene: the objects, the best score before the minimum, why there is none."""

    answer: Answered
    best: float | None
    failure: str
    notes: tuple[str, ...]


class _Counter:
    """Tells of tiles as they are committed, with the running numbers."""

    def __init__(self, batch: Batch, journal: Journal, on_event: OnEvent) -> None:
        targets = dict.fromkeys(bare(target) for expression in batch.expressions for target in expression.targets)
        self._batch, self._on_event = batch, on_event
        self._targets = tuple(batch.phrases[phrase] for phrase in targets)
        self._found = journal.count(self._targets)
        state = journal.state()
        self._done = sum(len(state.done(i, 0)) for i in range(len(batch.scenes)))
        self._coarse = sum(len(state.done(i, 1)) for i in range(len(batch.scenes)))
        self._coarse_total = sum(len(scene.coarse.tiles) for scene in batch.scenes if scene.coarse is not None)

    def add(self, job: Job, answer: Answer) -> None:
        if isinstance(answer, SurveyAnswer):
            return
        if job.level:
            self._coarse += 1
            self._on_event(ProgressEvent("coarse", self._coarse, self._coarse_total))
            return
        pieces = [p for p in (answer.pieces if answer else ()) if p.phrase in self._targets]
        self._done += 1
        self._found += len(pieces)
        scene = self._batch.scenes[job.scene]
        boxes = tuple(_ring(piece, scene) for piece in pieces)
        self._on_event(TileEvent(job.scene, job.tile, self._done, self._batch.plan.total, self._found, boxes))


def _ring(piece: Piece, scene: Scene) -> Ring:
    hull = shapely.get_coordinates(piece.shape.convex_hull)[:-1]
    return scene.fine.placement.ring(obb_corners(obb_of_points(np.ascontiguousarray(hull))))


def _unique(answers: list[Answered]) -> list[Answered]:
    """The answers of one expression, their ids told apart over all scenes."""
    found, anchors = (
        numbered([part.ids for part in parts]) for parts in ([a.found for a in answers], [a.anchors for a in answers])
    )
    return [
        replace(answer, found=replace(answer.found, ids=ids), anchors=replace(answer.anchors, ids=anchor_ids))
        for answer, ids, anchor_ids in zip(answers, found, anchors, strict=True)
    ]


def _finding(expression: Expression, parts: list[_Found], min_score: float) -> BatchFinding:
    count = sum(len(part.answer.found.ids) for part in parts)
    reason = ""
    if not count:
        best = max((part.best for part in parts if part.best is not None), default=None)
        failures = [part.failure for part in parts if part.failure]
        if best is None:
            reason = failures[0] if failures else "Nothing was found."
        else:
            reason = f"What was found has a score of at most {best:.2f}; the minimum is set to {min_score:.2f}."
    return BatchFinding(expression.text, count, describe(expression), reason)
