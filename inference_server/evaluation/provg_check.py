"""How well ProVG's shipped network does on a small fixed set, and what its card says: they must agree.

python -m inference_server.evaluation.provg_check provg.onnx [steps=2000 ...]    writes provg.json beside the file
"""

from __future__ import annotations

import json
import sys
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np

from inference_server.evaluation.evidence_check import digest
from inference_server.evaluation.metrics import box_overlap, mask_overlap
from inference_server.evaluation.scene_facts import Facts, Noun
from inference_server.evaluation.scene_words import NOUNS
from inference_server.evaluation.scenes import generate
from inference_server.models.base import silent
from inference_server.models.geobia.engine import PRESENT
from inference_server.models.provg.engine import SHIPPED, Network, ProVGEngine, asked_for
from inference_server.models.provg.regions import SHIPPED as SHIPPED_TREES
from inference_server.models.provg.regions import beside

#: Development scenes at 0.3 m; so many expressions of each.
FIXED_SEEDS, SIDE_PX, GSD_M, EXPRESSIONS = range(4), 480, 0.3, 8
CARD = SHIPPED.with_suffix(".json")


def fixed_set_scores(path: Path = SHIPPED, regions: Path = SHIPPED_TREES) -> dict[str, float]:
    """The network's own answers, without the region tree and without relations.

    Returns:
        "phrase_miou", mean IoU of the foreground, where it is said to be there at all, for "building", "car" ... that
        are there; "absent", how often fewer than a thousandth of the pixels are it for those that are not; "region",
        how often the region that is judged best of all is one of those that are there (box with IoU >= 0.5), without
        class rules, and "no_region", how often none is judged likely for those that are not; "rec_pr50" and "res_miou"
        of whole expressions for one thing: boxes with IoU >= 0.5, mean IoU of masks.
    """
    engine = ProVGEngine(network=Network(path), trees=regions)
    phrases, absent, boxes, masks, region, no_region = [], [], [], [], [], []
    for seed in FIXED_SEEDS:
        scene = generate(seed, size_px=(SIDE_PX, SIDE_PX), gsd_m=GSD_M, expressions=EXPRESSIONS)
        facts = Facts(scene)
        encoding = engine.encode(scene.tile, silent)
        for category in sorted(set(NOUNS) - set(scene.background)):
            sure, maybe = facts.members(Noun(category))
            answer = engine.answer(scene.rgb, category, gsd_m=GSD_M)
            on = answer.foreground * answer.presence > 0.5
            if sure:
                true = scene.covered_by(sure)
                unknown = scene.covered_by(maybe) & ~true
                phrases.append(mask_overlap(on & ~unknown, true).iou())
            elif not maybe:
                absent.append(float(on.mean() < 1e-3))
            judged, _ = engine.look(encoding, asked_for(category), silent)
            if sure:
                best = encoding.regions.forest.boxes[int(judged.argmax())]
                region.append(float(max(box_overlap(tuple(best), astuple(o.hbb)).iou() for o in sure) >= 0.5))
            elif not maybe:
                no_region.append(float(judged.max() < PRESENT))
        for expression in (e for e in scene.expressions if len(e.target_ids) == 1):
            answer = engine.answer(scene.rgb, expression.text, gsd_m=GSD_M)
            target = scene.object(expression.target_ids[0])
            masks.append(mask_overlap(answer.foreground > 0.5, scene.covered_by([target])).iou())
            boxes.append(float(box_overlap(astuple(answer.box), astuple(target.hbb)).iou() >= 0.5))
    columns = {
        "phrase_miou": phrases, "absent": absent, "region": region, "no_region": no_region,
        "rec_pr50": boxes, "res_miou": masks,
    }  # fmt: skip
    return {name: round(float(np.mean(values)), 3) for name, values in columns.items()}


def write_card(path: Path, facts: dict[str, Any]) -> Path:
    """Writes the figures beside the network: hashes, scores on the fixed set, and facts of its training.

    Of the trees that lie beside it, or of the shipped ones.
    """
    regions = beside(path)
    scores = fixed_set_scores(path, regions)
    card = {"sha256": digest(path), "regions_sha256": digest(regions), "fixed_scenes": scores, **facts}
    out = path.with_suffix(".json")
    out.write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    return out


if __name__ == "__main__":
    given = (each.split("=", 1) for each in sys.argv[2:])
    print(write_card(Path(sys.argv[1]), {name: int(value) if value.isdigit() else value for name, value in given}))
