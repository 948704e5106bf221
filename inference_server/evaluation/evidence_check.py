"""How well the shipped evidence network does on a small fixed set, and what its card says: they must agree."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from inference_server.evaluation.scene_themes import THEMES
from inference_server.evaluation.scenes import generate
from inference_server.models.evidence.classes import EVIDENCE_CLASSES
from inference_server.models.evidence.runtime import MODEL, evidence_of

#: Development scenes, one of each theme, at 0.3 m.
FIXED_SEEDS, SIDE_PX, GSD_M = range(8), 640, 0.3
CARD = MODEL.with_suffix(".json")


def fixed_set_iou(model: Path = MODEL) -> dict[str, float]:
    """IoU at probability 0.5 of each class that the fixed scenes show, over all their pixels at half resolution.

    What a scene's bare ground may be taken for is left out there.
    """
    inter = dict.fromkeys(EVIDENCE_CLASSES, 0)
    union = dict.fromkeys(EVIDENCE_CLASSES, 0)
    shown = dict.fromkeys(EVIDENCE_CLASSES, 0)
    for seed, theme in zip(FIXED_SEEDS, THEMES, strict=True):
        scene = generate(seed, size_px=(SIDE_PX, SIDE_PX), gsd_m=GSD_M, theme=theme, expressions=0)
        evidence = evidence_of(scene.rgb, GSD_M, model=model)
        for name in set(EVIDENCE_CLASSES) - scene.background:
            true = scene.covered_by(o for o in scene.objects if o.category == name)
            wanted, found = true[::2, ::2], evidence.of(name) > 0.5
            inter[name] += int((wanted & found).sum())
            union[name] += int((wanted | found).sum())
            shown[name] += int(wanted.sum())
    return {name: round(inter[name] / union[name], 3) for name in EVIDENCE_CLASSES if shown[name]}


def digest(model: Path = MODEL) -> str:
    """SHA-256 of the model's file."""
    return hashlib.sha256(model.read_bytes()).hexdigest()


def write_card(model: Path, facts: dict[str, Any]) -> None:
    """Writes the figures beside the model: its hash, its metrics on the fixed set, and facts of its training."""
    card = {"sha256": digest(model), "iou_on_fixed_scenes": fixed_set_iou(model), **facts}
    model.with_suffix(".json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
