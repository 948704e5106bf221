"""The work on one tile in its two steps, reading and asking; what it needs fits through a pickle."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import rasterio
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader

from inference_server.allocator import give_back
from inference_server.batch.grid import is_large
from inference_server.batch.scene import Grid, Scene, read_tile
from inference_server.batch.survey import survey_sheet
from inference_server.batch.tiles import SurveyAnswer, TileAnswer, ask_tile, outlined
from inference_server.errors import InvalidTile
from inference_server.expression import Phrase
from inference_server.models.base import Engine, Progress, ScenePart, SurveyingEngine, silent
from inference_server.raster import RasterTile, open_raster

#: GDAL's own cache of blocks; neighbouring tiles share some.
_CACHE_MB = 128
#: In place of a tile's number: the survey of the whole pass.
SURVEY = -1
#: What engines take for the whole picture's size where they judge by shares of it: the panel's largest tile.
NOMINAL_PX = 2048 * 2048

Survey = Mapping[str, float] | None
Answer = TileAnswer | SurveyAnswer | None


@dataclass(frozen=True)
class Job:
    """Numbers of scene, pass (0 fine, 1 coarse) and tile, or ``SURVEY``."""

    scene: int
    level: int
    tile: int

    @property
    def survey(self) -> Job:
        """The survey of the same pass: while it is being made, the pass's tiles are early."""
        return Job(self.scene, self.level, SURVEY)


class TileWork:
    """Reads tiles and asks an engine of them. ``read`` and ``close`` belong to one thread.

    Attributes:
        surveys: what is known of passes, by scene and pass; a pass's tiles are asked after its survey.
    """

    def __init__(self, scenes: tuple[Scene, ...], phrases: Mapping[Phrase, int]) -> None:
        self.surveys: dict[tuple[int, int], Survey] = {}
        self._scenes = scenes
        self._phrases = dict(phrases)
        self._open: tuple[int, DatasetReader] | None = None

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_open": None}

    def read(self, job: Job) -> RasterTile | None:
        """The tile's pixels, or the survey's sheet; None without data. Raises InvalidTile."""
        scene = self._scenes[job.scene]
        with rasterio.Env(GDAL_CACHEMAX=_CACHE_MB):
            if self._open is None or self._open[0] != job.scene:
                self.close()
                try:
                    self._open = (job.scene, open_raster(scene.raster))
                except RasterioError as error:
                    raise InvalidTile(
                        f"{scene.raster} can no longer be opened: {error}", field="batch.rasters"
                    ) from error
            grid = scene.passes()[job.level]
            if job.tile == SURVEY:
                return survey_sheet(scene, self._open[1], grid)
            return read_tile(scene, self._open[1], grid, grid.tiles[job.tile])

    def close(self) -> None:
        if self._open is not None:
            self._open[1].close()
            self._open = None

    def ask(self, engine: Engine, job: Job, pixels: RasterTile | None, progress: Progress) -> Callable[[], Answer]:
        """Asks the engine now; what comes back outlines its answer, in whatever thread calls it."""
        if job.tile == SURVEY:
            return self._surveyed(engine, job, pixels)
        if pixels is None:
            return lambda: None
        grid = self._scenes[job.scene].passes()[job.level]
        # The coarse pass is for what may be larger than the overlap.
        phrases = [(n, phrase) for phrase, n in self._phrases.items() if job.level == 0 or is_large(phrase)]
        findings = ask_tile(engine, pixels, phrases, self._part(job, pixels), progress)
        # A tile's arrays are gone now: without this their pages would stay, more with every tile.
        give_back()
        return lambda: outlined(findings, grid.tiles[job.tile], (grid.width, grid.height))

    def answer(self, engine: Engine, job: Job, survey: Survey) -> tuple[Answer, float]:
        """One tile in a worker, which is asked to end between tiles only, and the seconds it took.

        Args:
            engine: the worker's own.
            job: the tile, or a pass's survey.
            survey: what is known of its pass.
        """
        start = time.monotonic()
        self.surveys[job.scene, job.level] = survey
        answer = self.ask(engine, job, self.read(job), silent)()
        return answer, time.monotonic() - start

    def _surveyed(self, engine: Engine, job: Job, sheet: RasterTile | None) -> Callable[[], SurveyAnswer]:
        answer = SurveyAnswer(
            engine.survey(sheet) if sheet is not None and isinstance(engine, SurveyingEngine) else None
        )
        self.surveys[job.scene, job.level] = answer.survey
        return lambda: answer

    def _part(self, job: Job, pixels: RasterTile) -> ScenePart:
        grid = self._scenes[job.scene].passes()[job.level]
        if not needs_survey(grid):
            return ScenePart(None, 0, 0, min(NOMINAL_PX, int(np.count_nonzero(pixels.valid))))
        window = grid.tiles[job.tile].window
        nominal_px = min(NOMINAL_PX, grid.width * grid.height)
        return ScenePart(self.surveys.get((job.scene, job.level)), window.col_0, window.row_0, nominal_px)


def needs_survey(grid: Grid) -> bool:
    """Whether the pass has more than its one tile shows."""
    window = grid.tiles[0].window
    return window.width < grid.width or window.height < grid.height
