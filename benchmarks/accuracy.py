"""How often an engine is right, on generated scenes and on real roofs.

    python benchmarks/accuracy.py --seeds 0:25 --expressions 20
    python benchmarks/accuracy.py --data towns
    python benchmarks/accuracy.py --seeds 100000:100030 --out report.json     # held out: see below

Seeds 0 to 999 are for development. Seeds from 100,000 on are held out: run them to report, and never look at
what was wrong there. Right means: the best detection's box has IoU >= 0.5 with the target's (Pr@0.5); for several
targets, F1 of the boxes at IoU 0.5 is at least 0.5; for a negative, nothing is answered.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rasterio.transform import rowcol

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from inference_server.evaluation.scenes import Scene, SceneExpression, generate  # noqa: E402
from inference_server.evaluation.town_expressions import town_scenes  # noqa: E402
from inference_server.geometry import HBB, iou_hbb  # noqa: E402
from inference_server.models.registry import Registry  # noqa: E402
from inference_server.pipeline import GroundingPipeline  # noqa: E402
from inference_server.raster import RasterTile  # noqa: E402
from rsground_plugin.protocol import GroundingRequest, GroundingResult  # noqa: E402

IOU = 0.5


@dataclass(frozen=True)
class Answered:
    """One expression, asked."""

    scene: str
    gsd_m: float
    text: str
    kind: str
    category: str
    is_right: bool
    iou: float
    answers: int
    score: float
    seconds: float
    understood: str
    why_empty: str
    targets: tuple[str, ...]
    boxes: tuple[tuple[float, float, float, float], ...] = ()


def main(argv: Sequence[str] | None = None) -> int:
    """Asks, prints the tables, writes the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="scenes", choices=("scenes", "towns"))
    parser.add_argument("--folder", type=Path, default=ROOT.parent / "shared" / "data" / "towns", help="of the towns")
    parser.add_argument("--seeds", default="0:10", help="A:B, B not included")
    parser.add_argument("--expressions", type=int, default=20, help="at most, a scene")
    parser.add_argument("--size", type=int, default=1024, help="side of a generated scene in pixels")
    parser.add_argument("--gsd", type=float, default=0.3, help="pixel size in metres")
    parser.add_argument("--theme", default=None)
    parser.add_argument("--engine", default="default")
    parser.add_argument("--out", type=Path, default=None, help="every answer, as JSON")
    parser.add_argument("--wrong", action="store_true", help="print what was wrong (never for held-out seeds)")
    args = parser.parse_args(argv)
    scenes = _towns(args) if args.data == "towns" else _generated(args)
    pipeline = GroundingPipeline(Registry())
    answered: list[Answered] = []
    for scene in scenes:
        for expression in scene.expressions:
            answered.append(ask(pipeline, scene, expression, engine=args.engine))
        print(f"\r{scene.theme} {scene.seed}: {len(answered)} asked", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    if not answered:
        print("Nothing was asked: the scenes gave no expressions.", file=sys.stderr)
        return 1
    print(report(answered))
    if args.wrong:
        for a in (a for a in answered if not a.is_right):
            print(
                f"{a.scene} [{a.kind}] {a.text!r} -> {a.answers} answers, IoU {a.iou:.2f}, targets "
                f"{', '.join(a.targets)}; understood {a.understood!r} {a.why_empty}"
            )
    if args.out is not None:
        args.out.write_text(json.dumps([asdict(a) for a in answered], indent=1), encoding="utf-8")
    return 0


def _generated(args: argparse.Namespace) -> Iterator[Scene]:
    first, last = (int(part) for part in args.seeds.split(":"))
    for seed in range(first, last):
        yield generate(
            seed, size_px=(args.size, args.size), gsd_m=args.gsd, theme=args.theme, expressions=args.expressions
        )


def _towns(args: argparse.Namespace) -> Iterator[Scene]:
    if not args.folder.exists():
        raise SystemExit(f"{args.folder}: no such folder; give --folder with the towns of shared/data.")
    yield from town_scenes(args.folder, gsd_m=args.gsd, expressions=args.expressions)


def ask(pipeline: GroundingPipeline, scene: Scene, expression: SceneExpression, *, engine: str = "default") -> Answered:
    """Runs one expression through the pipeline and compares the answer with the truth."""
    start = time.perf_counter()
    request = GroundingRequest(expression.text, engine=engine, outputs=("hbb",))
    try:
        result = pipeline.ground(request, scene.tile)
    except Exception as error:  # a crash is a wrong answer, listed among them; the rest is still asked
        traceback.print_exc()
        result = GroundingResult(expression.text, engine, "", notes=(f"crashed: {error!r}",))
        has_crashed = True
    else:
        has_crashed = False
    seconds = time.perf_counter() - start
    boxes = answer_boxes(result, scene)
    truths = np.array([_xyxy(scene.object(i).hbb) for i in expression.target_ids]).reshape(-1, 4)
    is_right, iou = judge(boxes, truths)
    empty = result.empty_reason
    return Answered(
        scene=f"{scene.theme}/{scene.seed}",
        gsd_m=scene.gsd_m,
        text=expression.text,
        kind=expression.kind,
        category=expression.category,
        is_right=is_right and not has_crashed,
        iou=iou,
        answers=len(boxes),
        score=max((d.score for d in result.detections), default=0.0),
        seconds=seconds,
        understood=result.understood,
        why_empty=f"({empty.part}: {empty.message})" if empty is not None else "; ".join(result.notes),
        targets=expression.target_ids,
        boxes=tuple(tuple(round(float(v), 1) for v in b) for b in boxes[:20]),  # type: ignore[misc]
    )


def answer_boxes(result: GroundingResult, tile: Scene | RasterTile) -> np.ndarray:
    """(n, 4) boxes in pixels, best first: x_min, y_min, x_max, y_max."""
    found = sorted(result.detections, key=lambda d: -d.score)
    boxes = []
    for detection in found:
        if detection.hbb is None:
            continue
        ring = np.array(detection.hbb)
        rows, cols = rowcol(tile.affine, ring[:, 0], ring[:, 1], op=float)
        boxes.append((min(cols), min(rows), max(cols), max(rows)))
    return np.array(boxes).reshape(-1, 4)


def judge(boxes: np.ndarray, truths: np.ndarray) -> tuple[bool, float]:
    """Whether the answer is right, and the IoU that it rests on (0 for negatives)."""
    if not len(truths):
        return not len(boxes), 0.0
    if not len(boxes):
        return False, 0.0
    ious = iou_hbb(boxes, truths)
    if len(truths) == 1:
        return bool(ious[0, 0] >= IOU), float(ious[0, 0])
    return f1(ious) >= 0.5, float(ious.max(axis=0).mean())


def f1(ious: np.ndarray) -> float:
    """F1 of boxes against truths when each is matched once, best pairs first, at IoU >= 0.5."""
    left = ious.copy()
    hits = 0
    while left.size and left.max() >= IOU:
        i, j = np.unravel_index(int(left.argmax()), left.shape)
        left[i, :], left[:, j] = -1, -1
        hits += 1
    return 2 * hits / (ious.shape[0] + ious.shape[1])


def report(answered: Sequence[Answered]) -> str:
    """Tables by kind and by category, and the three figures that count."""
    positives = [a for a in answered if a.kind != "negative"]
    negatives = [a for a in answered if a.kind == "negative"]
    lines = [_table("kind", answered, lambda a: a.kind), _table("category", positives, lambda a: a.category)]
    lines.append(f"Pr@0.5 {_share(positives)} of {len(positives)} expressions that name something")
    lines.append(f"negatives answered with nothing {_share(negatives)} of {len(negatives)}")
    times = np.array([a.seconds for a in answered])
    lines.append(f"mean {times.mean():.2f} s, first on a tile {times.max():.2f} s at most")
    return "\n".join(lines)


def _share(items: Sequence[Answered]) -> str:
    return f"{sum(a.is_right for a in items) / len(items):.3f}" if items else "-"


def _table(title: str, items: Sequence[Answered], key: Callable[[Answered], str]) -> str:
    groups: dict[str, list[Answered]] = defaultdict(list)
    for item in items:
        groups[key(item)].append(item)
    rows = [f"{title:<18} right      n   empty"]
    for name, group in sorted(groups.items(), key=lambda g: -len(g[1])):
        empty = sum(a.answers == 0 for a in group)
        rows.append(f"{name:<18} {_share(group)} {len(group):>6} {empty:>7}")
    return "\n".join(rows) + "\n"


def _xyxy(box: HBB) -> tuple[float, float, float, float]:
    return box.x_min, box.y_min, box.x_max, box.y_max


if __name__ == "__main__":
    raise SystemExit(main())
