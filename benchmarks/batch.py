"""What a batch costs: memory against area, time against area, against the engine alone, two processes against one.

    .venv/bin/python benchmarks/batch.py --quick        4,096 and 8,192 pixels, a fake engine for memory
    .venv/bin/python benchmarks/batch.py                8,192 and 32,768

One run, ratios; other work on the machine shows. Memory is measured with an engine that finds nothing to speak of, so
that it is the batch's own; the rates with the embedded engine.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import rasterio
from rasterio.transform import Affine
from rasterio.windows import Window

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests/server")]

BLOCK = 1024


def write_mosaic(path: Path, side: int) -> Path:
    """A scene of quiet ground with a bright house every 128 pixels, written block by block."""
    rng = np.random.default_rng(0)
    block = rng.integers(70, 90, (3, BLOCK, BLOCK)).astype(np.uint8)
    for row in range(40, BLOCK, 128):
        for col in range(40, BLOCK, 128):
            block[:, row : row + 30, col : col + 45] = 235
    profile = {"count": 3, "height": side, "width": side, "dtype": "uint8", "tiled": True, "compress": "deflate"}
    affine = Affine(0.3, 0, 500_000, 0, -0.3, 5_500_000)
    with rasterio.open(path, "w", driver="GTiff", crs="EPSG:32631", transform=affine, **profile) as dataset:
        for row in range(0, side, BLOCK):
            for col in range(0, side, BLOCK):
                dataset.write(block, window=Window(col, row, BLOCK, BLOCK))
    return path


def make_fake():
    from fake_engine import FakeEngine, registry

    return registry(FakeEngine())


def make_real():
    from inference_server.models.registry import Registry

    return Registry()


def measured(raster: Path, output: Path, engine: str, workers: int) -> dict[str, float]:
    """Seconds and peak megabytes of one batch, in this process."""
    from inference_server.batch.run import Batch
    from rsground_plugin.protocol import BatchRequest

    make = make_fake if engine == "fake" else make_real
    batch = Batch.prepare(BatchRequest((str(raster),), ("cars",), str(output)), make, workers=workers)
    start = time.monotonic()
    result = batch.run(lambda event: None)
    seconds = time.monotonic() - start
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"s": seconds, "mb": megabytes, "tiles": batch.plan.total, "found": result.findings[0].count}


def _child(arguments, pipe) -> None:
    pipe.send(measured(*arguments))


def in_child(*arguments) -> dict[str, float]:
    """The same in a process of its own, whose peak is this batch's."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    child = context.Process(target=_child, args=(arguments, theirs))
    child.start()
    answer = ours.recv()
    child.join()
    return answer


def engine_alone_s(raster: Path) -> float:
    """Seconds that the engine takes for the same tiles, held in memory."""
    from inference_server.batch.run import Batch
    from inference_server.batch.work import Job, TileWork
    from rsground_plugin.protocol import BatchRequest

    batch = Batch.prepare(BatchRequest((str(raster),), ("cars",), str(raster.with_suffix(".none.gpkg"))), make_real)
    work = TileWork(batch.scenes, batch.phrases)
    jobs = [Job(0, 0, number) for number in range(batch.plan.total)]
    tiles = [work.read(job) for job in jobs]
    engine = make_real().get("default")
    start = time.monotonic()
    for job, tile in zip(jobs, tiles, strict=True):
        work.ask(engine, job, tile, lambda *_: None)
    return time.monotonic() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true")
    small, large = (4096, 8192) if parser.parse_args().quick else (8192, 32768)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        rasters = {side: write_mosaic(place / f"{side}.tif", side) for side in (2048, small, large)}
        runs = {side: in_child(rasters[side], place / f"{side}.gpkg", "fake", 1) for side in (small, large)}
        one = in_child(rasters[2048], place / "one.gpkg", "embedded", 1)
        two = in_child(rasters[2048], place / "two.gpkg", "embedded", 2)
        alone_s = engine_alone_s(rasters[2048])
    a, b = runs[small], runs[large]
    print(json.dumps({"fake engine": runs, "embedded, 2048": {"one": one, "two": two, "engine alone s": alone_s}}))
    print(f"peak memory {large} / {small}: {b['mb'] / a['mb']:.2f} ({b['mb']:.0f} MB)")
    print(f"time's exponent in area: {math.log(b['s'] / a['s']) / math.log((large / small) ** 2):.2f}")
    print(f"rate of the engine alone that is kept: {alone_s / one['s']:.2f}")
    print(f"two processes / one: {one['s'] / two['s']:.2f} times as fast (starting them included)")


if __name__ == "__main__":
    main()
