"""Which classes an engine finds, before relations: recall and precision of its candidates on generated scenes.

    python benchmarks/detection.py --seeds 0:10

Asks the engine for each class that a scene has, and for each that it has not. Recall is over objects that are
whole, seen and at least 8 pixels wide; precision counts a candidate as right when it is any object of the class.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from inference_server.evaluation.scene_facts import Facts  # noqa: E402
from inference_server.evaluation.scenes import generate  # noqa: E402
from inference_server.expression import parse  # noqa: E402
from inference_server.geometry import hbb_of_mask, iou_hbb  # noqa: E402
from inference_server.models.base import silent  # noqa: E402
from inference_server.models.registry import Registry  # noqa: E402

CLASSES = ("building", "car", "bus", "truck", "tree", "pool", "tank", "container", "ship", "airplane", "parking lot",
           "tennis court", "basketball court", "soccer field", "track", "road", "water", "field", "bridge",
           "runway")  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="0:10", help="A:B of development scenes, B not included")
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--gsd", type=float, default=0.3)
    parser.add_argument("--engine", default="geobia")
    args = parser.parse_args(argv)
    engine = Registry().get(args.engine)
    counts: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for seed in range(*(int(part) for part in args.seeds.split(":"))):
        scene = generate(seed, size_px=(args.size, args.size), gsd_m=args.gsd, expressions=0)
        facts = Facts(scene)
        encoding = engine.encode(scene.tile, silent)
        for name in CLASSES:
            found = engine.find(encoding, parse(name).targets[0], silent).items
            boxes = [p.hbb if p.hbb is not None else hbb_of_mask(p.mask) for p in found if p.hbb or p.mask is not None]
            objects = [o for o in scene.objects if o.category == name and o.visible >= 0.3]
            row = counts[name]
            row["answers"] += len(boxes)
            if not objects:
                row["absent"] += 1
                row["false alarm"] += bool(boxes)
                continue
            wanted = np.array([facts.is_referable(o) for o in objects])
            row["objects"] += wanted.sum()
            if boxes:
                ious = iou_hbb(_array(boxes), _array([o.hbb for o in objects]))
                row["found"] += (ious.max(axis=0) >= 0.5)[wanted].sum()
                row["right"] += (ious.max(axis=1) >= 0.5).sum()
                row["first right"] += ious[0].max() >= 0.5
            row["present"] += 1
            row["answers where present"] += len(boxes)
        print(f"\r{seed}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    print(f"{'class':<18} recall  of    precision  of     best right  of   false alarm  of")
    for name, row in counts.items():
        print(
            f"{name:<18} {_ratio(row['found'], row['objects'])} {row['objects']:>5.0f}     "
            f"{_ratio(row['right'], row['answers where present'])} {row['answers where present']:>6.0f}       "
            f"{_ratio(row['first right'], row['present'])} {row['present']:>4.0f}        "
            f"{_ratio(row['false alarm'], row['absent'])} {row['absent']:>4.0f}"
        )
    return 0


def _ratio(part: float, whole: float) -> str:
    return f"{part / whole:6.2f}" if whole else "     -"


def _array(boxes: Sequence[object]) -> np.ndarray:
    return np.array([(b.x_min, b.y_min, b.x_max, b.y_max) for b in boxes], float).reshape(-1, 4)  # type: ignore[attr-defined]


if __name__ == "__main__":
    raise SystemExit(main())
