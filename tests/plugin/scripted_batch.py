"""A batch as the server runs it, with a journal in memory: for the panel and Processing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from osgeo import gdal
from scripted_server import detection

from rsground_plugin.core.result_file import Provenance, write_result
from rsground_plugin.protocol import (
    BatchEndEvent,
    BatchEvent,
    BatchFinding,
    BatchPlan,
    BatchRequest,
    BatchResult,
    BatchScene,
    ErrorEvent,
    GroundingResult,
    PlanEvent,
    ProgressEvent,
    Ring,
    TileEvent,
    WireError,
)


class ScriptedBatch:
    """The script; a tile has one object in its middle. One journal: the last output's.

    Attributes:
        side: tiles along each side of a raster.
        tile_s: how long a tile takes.
        done: (scene, tile) of the tiles in the journal.
        runs: how many tiles each call did itself.
    """

    def __init__(self, side: int = 3, tile_s: float = 0.02) -> None:
        self.side = side
        self.tile_s = tile_s
        self.done: set[tuple[int, int]] = set()
        self.expressions: tuple[str, ...] = ()
        self.runs: list[int] = []

    def __call__(self, request: BatchRequest) -> Iterator[BatchEvent | float]:
        if self.expressions and self.expressions != request.expressions and not request.restart:
            yield ErrorEvent(WireError("journal_mismatch", f"{request.output} holds another search.", "batch.output"))
            return
        if request.restart:
            self.done.clear()
        scenes = [self._scene(i, raster) for i, raster in enumerate(request.rasters)]
        plan = BatchPlan(tuple(scenes), self.tile_s)
        yield PlanEvent(plan)
        if request.plan_only:
            yield BatchEndEvent(BatchResult(request.output))
            return
        self.expressions = request.expressions
        self.runs.append(0)
        for i, scene in enumerate(scenes):
            for j, ring in enumerate(scene.tiles):
                if (i, j) in self.done:
                    continue
                yield self.tile_s
                self.done.add((i, j))
                self.runs[-1] += 1
                yield TileEvent(i, j, len(self.done), plan.total, len(self.done), (_middle(ring),))
        yield ProgressEvent("resolving", 0, 1)
        self._write(request, scenes)
        findings = tuple(BatchFinding(e, plan.total, f"every {e}") for e in request.expressions)
        yield BatchEndEvent(BatchResult(request.output, findings, (), 1.0))

    def _scene(self, number: int, raster: str) -> BatchScene:
        dataset = gdal.Open(raster)
        x, dx, _, y, _, dy = dataset.GetGeoTransform()
        w, h = dataset.RasterXSize * dx / self.side, dataset.RasterYSize * dy / self.side
        tiles = tuple(
            _rectangle(x + c * w, y + r * h, x + (c + 1) * w, y + (r + 1) * h)
            for r in range(self.side)
            for c in range(self.side)
        )
        done = tuple(sorted(j for i, j in self.done if i == number))
        code = dataset.GetSpatialRef().GetAuthorityCode(None)
        return BatchScene(raster, f"EPSG:{code}", tiles, done)

    def _write(self, request: BatchRequest, scenes: list[BatchScene]) -> None:
        output = Path(request.output)
        output.unlink(missing_ok=True)
        found = []
        for i, scene in enumerate(scenes):
            for j, ring in enumerate(scene.tiles):
                xs, ys = [p[0] for p in ring], [p[1] for p in ring]
                found.append(detection(f"{i}-{j}", sum(xs[:4]) / 4, sum(ys[:4]) / 4))
        result = GroundingResult(request.expressions[0], "scripted", "1", tuple(found), crs=scenes[0].crs)
        write_result(result, output, Provenance("scripted", "", 0.0), outputs=request.outputs)


def _rectangle(x0: float, y0: float, x1: float, y1: float) -> Ring:
    return ((x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0))


def _middle(ring: Ring) -> Ring:
    x, y = sum(p[0] for p in ring[:4]) / 4, sum(p[1] for p in ring[:4]) / 4
    return _rectangle(x - 5, y - 5, x + 5, y + 5)
