"""What measuring costs beside asking: a data set in RRSIS-D's format is read, and precomputed masks are scored.

    python benchmarks/evaluation.py
    python benchmarks/evaluation.py --samples 2000 --processes 1

The data is made first, in a temporary folder: 800 x 800 pixels, every mask another ellipse or group of rectangles,
as compressed run-length codes. An answer is the truth of the next sample but one of the same kind, moved a little.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from inference_server.evaluation.metrics import Overlap, mask_overlap, referring_scores  # noqa: E402
from inference_server.evaluation.readers.rle import RunLengthMask  # noqa: E402
from inference_server.evaluation.readers.rrsisd import RrsisD  # noqa: E402

SIDE_PX = 800
CHUNK = 50


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--scored", type=int, default=2000, help="so many masks are scored")
    parser.add_argument("--processes", type=int, default=2)
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, args.samples)
        start = time.perf_counter()
        samples = RrsisD(folder, "test").samples()
        first = next(samples)
        print(f"{args.samples} samples, {first.image_name} first: {time.perf_counter() - start:.2f} s before it")
        before = _memory_mb()
        start = time.perf_counter()
        pixels = sum(int(s.mask.mask().sum()) for s in samples)
        print(
            f"every other mask decoded ({pixels} pixels) in {time.perf_counter() - start:.1f} s; "
            f"memory {before:.0f} MB after the first, {_memory_mb():.0f} MB after the last"
        )
        masks = [s.mask for s in islice(RrsisD(folder, "test").samples(), args.scored)]
    chunks = [list(zip(masks[i:], masks[i + 1 :], strict=False))[:CHUNK] for i in range(0, len(masks) - 1, CHUNK)]
    with ProcessPoolExecutor(args.processes) as pool:
        list(pool.map(_scored, [chunks[0][:1]] * args.processes))
        start = time.perf_counter()
        overlaps = [o for part in pool.map(_scored, chunks) for o in part]
        scores = referring_scores(overlaps)
        seconds = time.perf_counter() - start
    print(
        f"{len(overlaps)} masks of {SIDE_PX} x {SIDE_PX} decoded and scored by {args.processes} processes: "
        f"{len(overlaps) / seconds:.0f} a second (mIoU {scores.miou:.3f}); load {os.getloadavg()[0]:.1f}"
    )
    return 0


def _scored(pairs: list[tuple[RunLengthMask, RunLengthMask]]) -> list[Overlap]:
    return [mask_overlap(answer.mask(), truth.mask()) for answer, truth in pairs]


def _memory_mb() -> float:
    """Resident now, where Linux tells it; else the most so far."""
    status = Path("/proc/self/statm")
    if status.exists():
        return int(status.read_text().split()[1]) * resource.getpagesize() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def write(folder: Path, count: int) -> None:
    """A data set in RRSIS-D's format, without its images."""
    (folder / "rrsisd").mkdir()
    (folder / "images" / "rrsisd" / "JPEGImages").mkdir(parents=True)
    rng = np.random.default_rng(0)
    refs, annotations = [], []
    for number in range(count):
        box, runs = _ellipse(rng) if number % 4 else _rectangles(rng)
        sentence = {"tokens": ["a", "tank"], "raw": "a tank", "sent": "a tank", "sent_id": number}
        refs.append(
            {"image_id": number, "split": "test", "file_name": f"{number}.jpg", "category_id": 1, "ann_id": number,
             "ref_id": number, "sentences": [sentence]}
        )  # fmt: skip
        code = {"size": [SIDE_PX, SIDE_PX], "counts": encoded(runs)}
        annotations.append({"id": number, "image_id": number, "bbox": box, "segmentation": [code]})
    content = {
        "images": [{"id": n, "height": SIDE_PX, "width": SIDE_PX} for n in range(count)],
        "categories": [{"id": 1, "name": "storagetank"}],
        "annotations": annotations,
    }
    (folder / "rrsisd" / "refs(unc).p").write_bytes(pickle.dumps(refs, 2))
    (folder / "rrsisd" / "instances.json").write_text(json.dumps(content), encoding="utf-8")


def _ellipse(rng: np.random.Generator) -> tuple[list[float], list[int]]:
    """Box and runs, column by column."""
    half_x, half_y = (int(v) for v in rng.integers(10, 250, 2))
    x, y = (int(v) for v in rng.integers(260, SIDE_PX - 260, 2))
    cols = np.arange(x - half_x + 1, x + half_x)
    reach = np.maximum(1, (half_y * np.sqrt(1 - ((cols - x) / half_x) ** 2)).astype(int))
    return [x - half_x, y - half_y, x + half_x, y + half_y], _runs(cols * SIDE_PX + y - reach, 2 * reach)


def _rectangles(rng: np.random.Generator) -> tuple[list[float], list[int]]:
    """Three side by side, as a group of courts."""
    left, top, width, height = (int(v) for v in (*rng.integers(20, 300, 2), *rng.integers(20, 120, 2)))
    cols = np.concatenate([np.arange(left + i * (width + 9), left + i * (width + 9) + width) for i in range(3)])
    box = [left, top, int(cols[-1]) + 1, top + height]
    return box, _runs(cols * SIDE_PX + top, np.full(len(cols), height))


def _runs(starts: np.ndarray, lengths: np.ndarray) -> list[int]:
    """Background and foreground in turn, over all pixels."""
    edges = np.concatenate([[0], np.column_stack([starts, starts + lengths]).ravel(), [SIDE_PX**2]])
    return [int(v) for v in np.diff(edges)]


def encoded(runs: Sequence[int]) -> str:
    """COCO's text of run lengths: base 32 from 48 up, low digits first, from the fourth on as differences."""
    out = []
    for at, run in enumerate(runs):
        value = run - runs[at - 2] if at > 2 else run
        more = True
        while more:
            digit, value = value & 31, value >> 5
            more = value != (-1 if digit & 16 else 0)
            out.append(chr((digit | 32 if more else digit) + 48))
    return "".join(out)


if __name__ == "__main__":
    raise SystemExit(main())
