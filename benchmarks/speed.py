"""Speed and memory of the embedded engine, as ratios in one run.

    python benchmarks/speed.py [--sizes 512,1024,2048] [--repeat 3]

Prints, per tile size: seconds of the first expression on a tile and of a second one, their ratio, seconds a megapixel,
and the process's peak memory; the exponent of time in pixels; milliseconds to parse an expression; milliseconds of a
further click of the region segmenter. Tiles are generated (seed 1).
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import time
from math import log

FIRST, SECOND = "the red car next to the largest building", "the white building left of the road"


def measure(size: int, repeat: int) -> tuple[float, float, float]:
    """Medians of the first and the second expression's seconds, and peak memory in MiB, in this process."""
    from inference_server.allocator import share_one_arena
    from inference_server.evaluation.scenes import generate
    from inference_server.models.registry import Registry
    from inference_server.pipeline import GroundingPipeline
    from inference_server.raster import RasterTile
    from rsground_plugin.protocol import GroundingRequest

    # As the server does.
    share_one_arena()
    scene = generate(1, size_px=(size, size), gsd_m=0.3)
    tile = RasterTile(scene.rgb, scene.valid, scene.affine, scene.crs)
    before = peak_mib()
    firsts, seconds = [], []
    GroundingPipeline(Registry()).ground(GroundingRequest(FIRST), _corner(tile))
    for _ in range(repeat):
        pipeline = GroundingPipeline(Registry())
        for question, times in ((FIRST, firsts), (SECOND, seconds)):
            start = time.perf_counter()
            pipeline.ground(GroundingRequest(question), tile)
            times.append(time.perf_counter() - start)
    return statistics.median(firsts), statistics.median(seconds), max(peak_mib(), before)


def _corner(tile):  # type: ignore[no-untyped-def]
    """A small tile, to load everything before the clock runs."""
    from inference_server.raster import RasterTile

    return RasterTile(tile.rgb[:, :200, :200].copy(), tile.valid[:200, :200].copy(), tile.affine, tile.crs)


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def parsing_ms() -> float:
    from inference_server.expression import parse

    text = "the second largest white storage tank from the left next to the red building between the road and the river"
    parse(text)
    start = time.perf_counter()
    for _ in range(100):
        parse(text)
    return (time.perf_counter() - start) * 10


def click_ms() -> tuple[float, float]:
    from inference_server.allocator import share_one_arena
    from inference_server.evaluation.scenes import generate
    from inference_server.regions import build_region_tree
    from inference_server.segmenter import RegionSegmenter

    # As the server does.
    share_one_arena()
    scene = generate(1, size_px=(1024, 1024), gsd_m=0.3)
    start = time.perf_counter()
    segmenter = RegionSegmenter(build_region_tree(scene.rgb, scene.valid))
    built = time.perf_counter() - start
    times = []
    for i in range(50):
        start = time.perf_counter()
        segmenter.segment_points([(100.0 + 10 * i, 300.0)], [(900.0, 900.0)])
        times.append(time.perf_counter() - start)
    return built * 1000, statistics.median(times) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="512,1024,2048")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        # A process for each size: peak memory is the process's.
        print(*measure(arguments.one, arguments.repeat))
        return
    print(f"{'tile':>12} {'first s':>8} {'second s':>9} {'second/first':>13} {'s/Mpx':>6} {'peak MiB':>9}")
    rows = []
    for size in (int(s) for s in arguments.sizes.split(",")):
        command = [sys.executable, __file__, "--one", str(size), "--repeat", str(arguments.repeat)]
        first, second, peak = map(
            float, subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        )
        rows.append((size * size, first))
        print(
            f"{size:>5} x {size:<4} {first:8.2f} {second:9.2f} {second / first:13.2f}"
            f" {first / (size * size / 1e6):6.2f} {peak:9.0f}"
        )
    if len(rows) > 1:
        exponent = log(rows[-1][1] / rows[0][1]) / log(rows[-1][0] / rows[0][0])
        print(f"time grows as pixels^{exponent:.2f}")
    print(f"parsing a long expression: {parsing_ms():.2f} ms")
    built, click = click_ms()
    print(f"region segmenter, 1024 x 1024: built in {built:.0f} ms, a click {click:.1f} ms")


if __name__ == "__main__":
    main()
