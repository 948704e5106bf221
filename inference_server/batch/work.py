"""The work on one tile in its two steps, reading and asking; what it needs fits through a pickle."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import rasterio
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader

from inference_server.batch.grid import is_large
from inference_server.batch.scene import Scene, read_tile
from inference_server.batch.tiles import TileAnswer, ask_tile, outlined
from inference_server.errors import InvalidTile
from inference_server.expression import Phrase
from inference_server.models.base import Engine, Progress
from inference_server.raster import RasterTile, open_raster

#: GDAL's own cache of blocks; neighbouring tiles share some.
_CACHE_MB = 128


@dataclass(frozen=True)
class Job:
    """Numbers of scene, pass (0 fine, 1 coarse) and tile."""

    scene: int
    level: int
    tile: int


class TileWork:
    """Reads tiles and asks an engine of them. ``read`` and ``close`` belong to one thread."""

    def __init__(self, scenes: tuple[Scene, ...], phrases: Mapping[Phrase, int]) -> None:
        self._scenes = scenes
        self._phrases = dict(phrases)
        self._open: tuple[int, DatasetReader] | None = None

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_open": None}

    def read(self, job: Job) -> RasterTile | None:
        """The tile's pixels; None without data. Raises InvalidTile."""
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
            return read_tile(scene, self._open[1], grid, grid.tiles[job.tile])

    def close(self) -> None:
        if self._open is not None:
            self._open[1].close()
            self._open = None

    def ask(
        self, engine: Engine, job: Job, pixels: RasterTile | None, progress: Progress
    ) -> Callable[[], TileAnswer | None]:
        """Asks the engine now; what comes back outlines its answer, in whatever thread calls it."""
        if pixels is None:
            return lambda: None
        grid = self._scenes[job.scene].passes()[job.level]
        # The coarse pass is for what may be larger than the overlap.
        phrases = [(n, phrase) for phrase, n in self._phrases.items() if job.level == 0 or is_large(phrase)]
        findings = ask_tile(engine, pixels, phrases, progress)
        return lambda: outlined(findings, grid.tiles[job.tile], (grid.width, grid.height))
