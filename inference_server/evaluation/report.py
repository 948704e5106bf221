"""A run's answers as a Markdown and an HTML page: scores with intervals, breakdowns, faults, a gallery."""

from __future__ import annotations

import base64
import html
import io
import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from inference_server.evaluation.metrics import (
    THRESHOLDS,
    Convention,
    Overlap,
    bootstrap_interval,
    referring_scores,
)
from inference_server.evaluation.runner import Answer
from inference_server.raster import RasterTile

_SIZES_PX = ((32, "small (< 32 px)"), (96, "medium (< 96 px)"), (math.inf, "large"))
_PICTURE_PX = 560


def markdown(header: Mapping[str, Any], answers: Sequence[Answer], convention: Convention) -> str:
    """The whole report but its pictures."""
    faults = [a for a in answers if a.error]
    parts = [
        f"# {header.get('data')} by {header.get('engine')}",
        "\n".join(f"- {name}: {value}" for name, value in header.items()),
        _scores(answers, convention),
        _breakdown("kind", answers, lambda a: a.kind or "-"),
        _breakdown("class", [a for a in answers if not a.is_negative], lambda a: a.category or "-"),
        _breakdown("size", [a for a in answers if a.truths], _size),
    ]
    if faults:
        lines = "\n".join(f"- {a.id}: {a.error}" for a in faults)
        parts.append(f"## {len(faults)} without an answer (each scores 0)\n\n{lines}")
    return "\n\n".join(parts) + "\n"


def _scores(answers: Sequence[Answer], convention: Convention) -> str:
    rows = ["| measure | n | mIoU | oIoU | " + " | ".join(f"Pr@{t}" for t in THRESHOLDS) + " |"]
    rows.append("|---" * (4 + len(THRESHOLDS)) + "|")
    measured: list[tuple[str, list[Answer], Callable[[Answer], tuple[float, float] | None]]] = [
        ("box", [a for a in answers if a.box or (a.error and len(a.truths) < 2)], lambda a: a.box),
        ("mask", [a for a in answers if a.error or (a.truths and a.mask)], lambda a: a.mask),
    ]
    for name, items, overlap in measured:
        overlaps = [overlap(a) for a in items]
        if any(overlaps):
            made = referring_scores([Overlap(*o) if o else None for o in overlaps], convention)
            shares = " | ".join(f"{made.precision[t]:.3f}" for t in THRESHOLDS)
            rows.append(f"| {name} | {made.count} | {made.miou:.3f} | {made.oiou:.3f} | {shares} |")
    several = [a for a in answers if len(a.truths) > 1]
    negatives = [a for a in answers if a.is_negative]
    positives = [a for a in answers if not a.is_negative]
    lines = [
        f"- right (one target: box IoU >= 0.5; several: F1 >= 0.5): {_share(positives)}",
        f"- several targets, mean F1 at IoU 0.5: {np.mean([a.f1 for a in several]):.3f} of {len(several)}"
        if several else "",
        f"- negatives answered with nothing: {_share(negatives)}" if negatives else "",
        f"- seconds: median {np.median([a.seconds for a in answers]):.2f}",
    ]  # fmt: skip
    return "\n".join([*rows, "", *(line for line in lines if line)])


def _share(items: Sequence[Answer]) -> str:
    """The share that is right with its 95 % bootstrap interval."""
    if not items:
        return "-"
    right = np.array([a.is_right for a in items], float)
    low, high = bootstrap_interval(len(right), lambda i: float(right[i].mean()))
    return f"{right.mean():.3f} ({low:.3f} to {high:.3f}) of {len(items)}"


def _size(answer: Answer) -> str:
    side = np.mean([math.sqrt(max(0.0, (b[2] - b[0]) * (b[3] - b[1]))) for b in answer.truths])
    return next(name for limit, name in _SIZES_PX if side < limit)


def _breakdown(title: str, answers: Sequence[Answer], key: Callable[[Answer], str]) -> str:
    groups: dict[str, list[Answer]] = defaultdict(list)
    for answer in answers:
        groups[key(answer)].append(answer)
    rows = [f"| {title} | right (95 %) | nothing answered |", "|---|---|---|"]
    for name, items in sorted(groups.items(), key=lambda g: (-len(g[1]), g[0])):
        rows.append(f"| {name} | {_share(items)} | {sum(not a.boxes for a in items)} |")
    return f"## By {title}\n\n" + "\n".join(rows)


def picked(answers: Sequence[Answer], count: int = 8) -> dict[str, list[Answer]]:
    """Best, worst and random answers for the gallery, by ``count`` each."""
    ranked = sorted(answers, key=lambda a: (a.is_right, Overlap(*a.box).iou() if a.box else a.f1))
    random = np.random.default_rng(0).permutation(len(answers))[:count]
    return {"Best": ranked[::-1][:count], "Worst": ranked[:count], "Random": [answers[int(i)] for i in random]}


def page(report: str, groups: Mapping[str, Sequence[Answer]], tiles: Mapping[str, RasterTile]) -> str:
    """The HTML page.

    Args:
        report: from :func:`markdown`.
        groups: from :func:`picked`.
        tiles: by the answers' ids; an answer without one is shown without a picture.
    """
    cards = "".join(
        f"<h2>{title}</h2><div class='grid'>{''.join(_card(a, tiles.get(a.id)) for a in items)}</div>"
        for title, items in groups.items()
    )
    return f"{_HEAD}<pre>{html.escape(report)}</pre>{cards}"


def _card(answer: Answer, tile: RasterTile | None) -> str:
    verdict = "right" if answer.is_right else "wrong"
    image = f'<img src="data:image/jpeg;base64,{_picture(answer, tile)}">' if tile is not None else ""
    iou = f", IoU {Overlap(*answer.box).iou():.2f}" if answer.box else ""
    lines = [answer.image, f"{answer.kind} · {verdict}{iou} · {len(answer.boxes)} found", answer.understood,
             answer.remarks, answer.error]  # fmt: skip
    shown = "<br>".join(html.escape(line) for line in lines if line)
    return f'<div class="card {verdict}">{image}<p><b>{html.escape(answer.expression)}</b><br>{shown}</p></div>'


def _picture(answer: Answer, tile: RasterTile) -> str:
    """Truth green, answers yellow, on the tile; base64 of a JPEG."""
    scale = _PICTURE_PX / max(tile.width, tile.height)
    size = (max(1, round(tile.width * scale)), max(1, round(tile.height * scale)))
    image = Image.fromarray(tile.rgb.transpose(1, 2, 0)).resize(size, Image.Resampling.LANCZOS)
    draw = ImageDraw.Draw(image)
    for boxes, color, grow in ((answer.truths, (60, 230, 90), 3), (answer.boxes, (255, 225, 40), 0)):
        for x0, y0, x1, y1 in boxes:
            corners = (x0 * scale - grow, y0 * scale - grow, x1 * scale + grow, y1 * scale + grow)
            draw.rectangle(corners, outline=color, width=2)
    memory = io.BytesIO()
    image.save(memory, "JPEG", quality=82)
    return base64.b64encode(memory.getvalue()).decode("ascii")


_HEAD = """<!doctype html><meta charset="utf-8"><title>RSGround evaluation</title><style>
body{font:14px sans-serif;margin:16px;background:#f4f4f2}.grid{display:flex;flex-wrap:wrap;gap:12px}
.card{background:#fff;border-top:5px solid #999;width:400px}.card img{width:100%}.card p{margin:8px}
.right{border-color:#2a9d4a}.wrong{border-color:#d03030}</style>
<p>Green: the truth. Yellow: the answers.</p>"""
