"""What a batch costs: memory against area, time against area, against the engine alone, two processes against one.

    .venv/bin/python benchmarks/batch.py --quick        4,096 and 8,192 pixels, a fake engine for memory
    .venv/bin/python benchmarks/batch.py                8,192 and 32,768
    .venv/bin/python benchmarks/batch.py --workers 3    two processes against one, three times in turn
    .venv/bin/python benchmarks/batch.py --agreement    F1 between tiles and one tile, with the embedded engine

One run, ratios; other work on the machine shows. Memory and time by area are measured with an engine of no cost, so
that they are the batch's own, the time as the processor's; the rates with the embedded engine, its network on one
thread in each process.
"""

from __future__ import annotations

import argparse
import functools
import json
import math
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyogrio
import rasterio
import shapely
from rasterio.transform import Affine
from rasterio.windows import Window
from scipy.optimize import linear_sum_assignment

ROOT = Path(__file__).resolve().parents[1]
TOWN = ROOT.parent / "shared/data/towns/zanzibar_0.tif"
sys.path[:0] = [str(ROOT), str(ROOT / "tests/server")]

from inference_server.models.base import THREADS_VARIABLE, silent  # noqa: E402

BLOCK = 1024


def write_mosaic(path: Path, width: int, height: int, *, is_plain: bool = False) -> Path:
    """A scene of quiet or plain ground with 40 bright houses in each block, written block by block."""
    rng = np.random.default_rng(0)
    block = np.full((3, BLOCK, BLOCK), 80, np.uint8)
    if not is_plain:
        block = rng.integers(70, 90, block.shape).astype(np.uint8)
    for row in range(40, BLOCK, 128):
        for col in range(40, BLOCK - 50, 190):
            block[:, row : row + 30, col : col + 45] = 235
    profile = {"count": 3, "height": height, "width": width, "dtype": "uint8", "tiled": True, "compress": "deflate"}
    profile |= {"zlevel": 1, "interleave": "pixel"}
    affine = Affine(0.3, 0, 500_000, 0, -0.3, 5_500_000)
    with rasterio.open(path, "w", driver="GTiff", crs="EPSG:32631", transform=affine, **profile) as dataset:
        for row in range(0, height, BLOCK):
            for col in range(0, width, BLOCK):
                dataset.write(block, window=Window(col, row, BLOCK, BLOCK))
    return path


def make_fake():
    from fake_engine import FakeEngine, registry

    return registry(FakeEngine())


def make_real():
    from inference_server.models.registry import Registry

    return Registry()


def processor_s() -> float:
    """Of this process and of those that it waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def measured(raster: Path, output: Path, engine: str, workers: int) -> dict[str, float]:
    """Seconds, the processor's seconds and peak megabytes of one batch, in this process."""
    from inference_server.allocator import share_one_arena
    from inference_server.batch.run import Batch
    from rsground_plugin.protocol import BatchRequest

    share_one_arena()  # as the command line does
    make = make_fake if engine == "fake" else make_real
    batch = Batch.prepare(BatchRequest((str(raster),), ("cars",), str(output)), make, workers=workers)
    start, cpu = time.monotonic(), processor_s()
    result = batch.run(lambda event: None)
    seconds, cpu_s = time.monotonic() - start, processor_s() - cpu
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    count = result.findings[0].count
    return {"s": seconds, "cpu_s": cpu_s, "mb": megabytes, "tiles": batch.plan.total, "found": count}


def _child(arguments, pipe) -> None:
    pipe.send(measured(*arguments))


def in_child(*arguments) -> dict[str, float]:
    """The same in a process of its own, whose peak is this batch's."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    child = context.Process(target=_child, args=(arguments, theirs))
    child.start()
    theirs.close()  # so that a child's end is the end of the pipe
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
        work.ask(engine, job, tile, silent)
    return time.monotonic() - start


def outlines(raster: Path, text: str, gsd_m: float | None, core_px: int, output: Path) -> np.ndarray:
    """The masks found with cores of so many pixels, on the map."""
    from inference_server.batch import scene
    from inference_server.batch.grid import tiles_of
    from inference_server.batch.run import Batch
    from rsground_plugin.protocol import BatchRequest

    scene.tiles_of = functools.partial(tiles_of, core_px=core_px)
    try:
        Batch.prepare(BatchRequest((str(raster),), (text,), str(output), gsd_m=gsd_m), make_real).run(
            lambda event: None
        )
    finally:
        scene.tiles_of = tiles_of
    return shapely.make_valid(shapely.from_wkb(pyogrio.raw.read(output, layer="masks")[2]))


def agreement(one: np.ndarray, other: np.ndarray) -> float:
    """F1 between two sets of objects, matched one to one where their intersection over union is at least 0.5."""
    i, j = shapely.STRtree(other).query(one, predicate="intersects")
    shared = shapely.area(shapely.intersection(one[i], other[j]))
    iou = shared / (shapely.area(one)[i] + shapely.area(other)[j] - shared)
    fits = np.zeros((len(one), len(other)))
    fits[i, j] = np.where(iou >= 0.5, iou, 0.0)
    matched = fits[linear_sum_assignment(fits, maximize=True)] > 0
    return 2 * int(matched.sum()) / (len(one) + len(other))


def print_agreement(place: Path) -> None:
    from inference_server.evaluation.scenes import generate, write_geotiff

    rasters: list[tuple[Path, float | None]] = []
    for side, seed, theme in ((2048, 3, "residential"), (3072, 5, "mixed")):
        rasters.append((place / f"{theme}_{side}.tif", None))
        write_geotiff(generate(seed, size_px=(side, side), gsd_m=0.3, theme=theme, expressions=0), rasters[-1][0])
    if TOWN.is_file():
        rasters.append((TOWN, 0.3))
    for raster, gsd_m in rasters:
        for text in ("buildings", "cars"):
            one, tiles = (
                outlines(raster, text, gsd_m, core_px, place / f"{raster.stem}_{core_px}_{text}.gpkg")
                for core_px in (100_000, 1024)
            )
            f1 = f"{agreement(one, tiles):.3f}" if len(one) and len(tiles) else "-"
            print(f"{raster.stem}, {text}: one tile {len(one)}, tiles {len(tiles)}, F1 {f1}", flush=True)


def machine_s() -> float:
    """Seconds that all cores have been busy since the machine was started (Linux)."""
    user, nice, system = map(int, Path("/proc/stat").read_text().split()[1:4])
    return (user + nice + system) / os.sysconf("SC_CLK_TCK")


def print_workers(place: Path, times: int) -> None:
    """Two processes on two cores against one that has a core, in turn; what else ran beside them spoils it."""
    raster = write_mosaic(place / "wide.tif", 6144, 4096)
    os.environ[THREADS_VARIABLE] = "1"
    cores = sorted(os.sched_getaffinity(0))
    ways = {"one process": (1, cores[:1]), "two processes": (2, cores[:2])}
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for turn in range(times):
        for way, (workers, taken) in ways.items():
            os.sched_setaffinity(0, taken)
            busy = machine_s()
            run = in_child(raster, place / f"{turn}_{workers}.gpkg", "embedded", workers)
            seconds[way].append(run["s"])
            others = machine_s() - busy - run["cpu_s"]
            print(f"{way}: {run['s']:.1f} s; of the processor {run['cpu_s']:.1f} s, others {others:.1f} s", flush=True)
    os.sched_setaffinity(0, cores)
    one, two = (min(runs) for runs in seconds.values())
    print(f"two processes on two cores / one on one: {one / two:.2f} times as fast, best of {times} each")


def print_sizes(place: Path, small: int, large: int) -> None:
    sizes = {side: write_mosaic(place / f"{side}.tif", side, side, is_plain=True) for side in (small, large)}
    runs = {side: in_child(raster, place / f"{side}.gpkg", "fake", 1) for side, raster in sizes.items()}
    a, b = runs[small], runs[large]
    print(json.dumps(runs))
    print(f"peak memory {large} / {small}: {b['mb'] / a['mb']:.3f} ({b['mb']:.0f} and {a['mb']:.0f} MB)")
    exponent = math.log(b["cpu_s"] / a["cpu_s"]) / math.log((large / small) ** 2)
    print(f"exponent of the processor's time in area: {exponent:.2f}")


def print_rate(place: Path) -> None:
    """Both twice in turn, in one process, the better of each: what the first one loads is loaded for the others."""
    raster = write_mosaic(place / "rate.tif", 4096, 4096)
    os.environ[THREADS_VARIABLE] = "1"
    alone, batch = [], []
    for turn in range(2):
        alone.append(engine_alone_s(raster))
        batch.append(measured(raster, place / f"rate_{turn}.gpkg", "embedded", 1)["s"])
    kept = min(alone) / min(batch)
    print(f"rate of the engine alone that is kept: {kept:.2f} ({min(alone):.1f} of {min(batch):.1f} s)")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--workers", type=int, metavar="TIMES")
    parser.add_argument("--agreement", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        if options.agreement:
            print_agreement(place)
        elif options.workers:
            print_workers(place, options.workers)
        else:
            print_sizes(place, *((4096, 8192) if options.quick else (8192, 32768)))
            print_rate(place)
            print_workers(place, 1)


if __name__ == "__main__":
    main()
