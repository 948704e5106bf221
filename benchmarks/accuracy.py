"""How often an engine is right: on generated scenes, on real roofs, on expressions written by hand.

    python benchmarks/accuracy.py --seeds 0:25 --expressions 20
    python benchmarks/accuracy.py --data towns
    python benchmarks/accuracy.py --data hand --wrong
    python benchmarks/accuracy.py --data hand3                                # held out, too; hand2 nearly
    for n in -2 -1 0 1 2; do python benchmarks/accuracy.py --data hand --shift $n; done   # how much of it is chance
    python benchmarks/accuracy.py --seeds 100000:100030 --out report.json     # held out: see below

Seeds 0 to 999 are for development. Seeds from 100,000 on are held out: run them to report, and never look at
what was wrong there. What is right is judged by `rsground eval` too (inference_server/evaluation/judging.py), which
keeps the answers and writes a page with intervals and pictures.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks import cases  # noqa: E402
from benchmarks.cases import Case  # noqa: E402
from inference_server.evaluation.judging import answer_boxes, judge  # noqa: E402
from inference_server.models.registry import Registry  # noqa: E402
from inference_server.pipeline import GroundingPipeline  # noqa: E402
from rsground_plugin.protocol import GroundingRequest, GroundingResult  # noqa: E402

HELD_OUT = 100_000


@dataclass(frozen=True)
class Answered:
    """One expression, asked."""

    name: str
    text: str
    kind: str
    category: str
    is_negative: bool
    is_right: bool
    iou: float
    answers: int
    score: float
    seconds: float
    understood: str
    remarks: str
    targets: tuple[str, ...]
    boxes: tuple[tuple[float, ...], ...]


def main(argv: Sequence[str] | None = None) -> int:
    """Asks, prints the tables, writes the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="scenes", choices=("scenes", "towns", "hand", *cases.HELD_OUT_BY_HAND))
    parser.add_argument("--seeds", default="0:10", help="A:B, B not included")
    parser.add_argument("--expressions", type=int, default=20, help="at most, a scene")
    parser.add_argument("--size", type=int, default=1024, help="side of a generated scene in pixels")
    parser.add_argument("--gsd", type=float, default=0.3, help="pixel size of scenes and towns in metres")
    parser.add_argument("--theme", default=None, help="of the scenes; by seed when not given")
    parser.add_argument("--engine", default="default")
    parser.add_argument(
        "--shift", type=int, default=0,
        help="gray levels by which the pictures are made brighter: nobody sees one or two; figures change by chance",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, default=None, help="every answer, as JSON")
    parser.add_argument("--wrong", action="store_true", help="print what was wrong (never for held-out seeds)")
    args = parser.parse_args(argv)
    seeds = range(*(int(part) for part in args.seeds.split(":")))
    if args.wrong and args.data == "scenes" and seeds.stop > HELD_OUT:
        parser.error(f"seeds from {HELD_OUT} on are held out: nobody looks at what was wrong there")
    if args.wrong and args.data in cases.HELD_OUT_BY_HAND:
        parser.error("that set by hand is held out: nobody looks at what was wrong there")
    pipeline = GroundingPipeline(Registry())
    answered: list[Answered] = []
    for case in map(partial(_shifted, levels=args.shift), _cases(args, seeds)):
        answered.append(ask(pipeline, case, engine=args.engine)[0])
        print(f"\r{case.name}: {len(answered)} asked ", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    if not answered:
        print("Nothing was asked: the data gave no expressions.", file=sys.stderr)
        return 1
    print(report(answered))
    if args.wrong:
        print("\n".join(_line(a) for a in answered if not a.is_right))
    if args.out is not None:
        args.out.write_text(json.dumps([asdict(a) for a in answered], indent=1), encoding="utf-8")
    return 0


def _cases(args: argparse.Namespace, seeds: range) -> Iterator[Case]:
    if args.data == "towns":
        return cases.towns(gsd_m=args.gsd, expressions=args.expressions)
    if args.data == "hand":
        return cases.by_hand(cases.BY_HAND)
    if args.data in cases.HELD_OUT_BY_HAND:
        return cases.by_hand(cases.HELD_OUT_BY_HAND[args.data])
    return cases.generated(seeds, expressions=args.expressions, side_px=args.size, gsd_m=args.gsd, theme=args.theme)


def _shifted(case: Case, levels: int) -> Case:
    """The same expression about a picture so many gray levels brighter."""
    if levels == 0:
        return case
    tile = case.tile
    rgb = np.clip(tile.rgb.astype(np.int16) + levels * tile.valid, 0, 255).astype(np.uint8)
    return replace(case, tile=replace(tile, rgb=rgb))


def ask(
    pipeline: GroundingPipeline, case: Case, *, engine: str = "default", outputs: tuple[str, ...] = ("hbb",)
) -> tuple[Answered, GroundingResult]:
    """Runs one expression through the pipeline and compares the answer with the truth."""
    start = time.perf_counter()
    request = GroundingRequest(case.text, engine=engine, outputs=outputs)
    has_crashed = False
    try:
        result = pipeline.ground(request, case.tile)
    except Exception as error:  # a crash is a wrong answer, listed among them; the rest is still asked
        traceback.print_exc()
        result = GroundingResult(case.text, engine, "", notes=(f"crashed: {error!r}",))
        has_crashed = True
    seconds = time.perf_counter() - start
    boxes = answer_boxes(result, case.tile)
    is_right, iou = judge(boxes, case.truths)
    empty = result.empty_reason
    remarks = [f"{empty.part}: {empty.message}"] if empty is not None else []
    answered = Answered(
        name=case.name,
        text=case.text,
        kind=case.kind,
        category=case.category,
        is_negative=case.is_negative,
        is_right=is_right and not has_crashed,
        iou=iou,
        answers=len(boxes),
        score=max((d.score for d in result.detections), default=0.0),
        seconds=seconds,
        understood=result.understood,
        remarks="; ".join([*remarks, *result.notes]),
        targets=case.targets,
        boxes=tuple(tuple(round(float(v), 1) for v in b) for b in boxes[:20]),
    )
    return answered, result


def report(answered: Sequence[Answered]) -> str:
    """Tables by kind and by category, and the figures that count."""
    positives = [a for a in answered if not a.is_negative]
    negatives = [a for a in answered if a.is_negative]
    times = np.array([a.seconds for a in answered])
    return "\n".join(
        [
            _table("kind", answered, lambda a: a.kind),
            _table("category", positives, lambda a: a.category),
            f"Pr@0.5 {_share(positives)} of {len(positives)} expressions that name something",
            f"negatives answered with nothing {_share(negatives)} of {len(negatives)}",
            f"time mean {times.mean():.2f} s, median {np.median(times):.2f} s, longest {times.max():.2f} s",
        ]
    )


def _share(items: Sequence[Answered]) -> str:
    return f"{sum(a.is_right for a in items) / len(items):.3f}" if items else "-"


def _table(title: str, items: Sequence[Answered], key: Callable[[Answered], str]) -> str:
    groups: dict[str, list[Answered]] = defaultdict(list)
    for item in items:
        groups[key(item)].append(item)
    rows = [f"{title:<18} right      n   empty"]
    for name, group in sorted(groups.items(), key=lambda g: (-len(g[1]), g[0])):
        rows.append(f"{name:<18} {_share(group)} {len(group):>6} {sum(a.answers == 0 for a in group):>7}")
    return "\n".join(rows) + "\n"


def _line(a: Answered) -> str:
    return (
        f"{a.name} [{a.kind}] {a.text!r}: {a.answers} answers, score {a.score:.2f}, IoU {a.iou:.2f}; wanted "
        f"{', '.join(a.targets) or '-'}; understood {a.understood!r}; {a.remarks}"
    )


if __name__ == "__main__":
    raise SystemExit(main())
