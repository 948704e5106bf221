"""A report as an HTML page with a gallery of best, worst and random answers."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw

from inference_server.evaluation.judging import Answer, judge
from inference_server.evaluation.report import mask_of
from inference_server.geometry import FloatArray
from inference_server.raster import RasterTile

_PICTURE_PX = 560


def _boxes(boxes: tuple[tuple[float, ...], ...]) -> FloatArray:
    return np.array(boxes, float).reshape(-1, 4)


def rank(answer: Answer) -> float:
    """What the gallery goes by, in [0, 1]: IoU of the masks where they are known, else of the boxes."""
    over = mask_of(answer)
    if over is not None:
        return over.iou()
    if answer.is_negative:
        return float(answer.is_right)
    return judge(_boxes(answer.boxes), _boxes(answer.truths))[1]


def picked(answers: Sequence[Answer], count: int = 8) -> dict[str, list[Answer]]:
    """Best, worst and random answers for the gallery, by ``count`` each; among the best none that found nothing."""
    ranked = sorted(answers, key=rank)
    best = [a for a in ranked[::-1] if a.boxes][:count]
    random = np.random.default_rng(0).permutation(len(answers))[:count]
    return {"Best": best, "Worst": ranked[:count], "Random": [answers[int(i)] for i in random]}


def page(report: str, cards: Mapping[str, Sequence[str]], legend: str) -> str:
    """The HTML page.

    Args:
        report: Markdown.
        cards: HTML by heading, see :func:`card`.
        legend: what the colours mean.
    """
    shown = "".join(f"<h2>{title}</h2><div class='grid'>{''.join(items)}</div>" for title, items in cards.items())
    return f"{_HEAD}<pre>{html.escape(report)}</pre><p>{html.escape(legend)}</p>{shown}"


LEGEND = "Green: the truth. Yellow: the answers."


def card(answer: Answer, tile: RasterTile | None) -> str:
    """One answer; without a picture where the tile is missing."""
    image = _element(_drawn(answer, tile)) if tile is not None else ""
    verdict = "right" if answer.is_right else "wrong"
    lines = [answer.image, f"{answer.kind} · {verdict}, IoU {rank(answer):.2f} · {len(answer.boxes)} found",
             answer.understood, answer.remarks, *answer.notes, answer.error]  # fmt: skip
    return _card(verdict, image, answer.expression, lines)


def segmented_card(name: str, pictures: Sequence[Image.Image], figure: float) -> str:
    """A picture, its true and its answered classes side by side."""
    images = "".join(_element(p) for p in pictures)
    return _card("right" if figure >= 0.5 else "wrong", images, name, [f"{figure:.2f}"])


def _card(verdict: str, images: str, title: str, lines: Sequence[str]) -> str:
    shown = "<br>".join(html.escape(line) for line in lines if line)
    return f'<div class="card {verdict}">{images}<p><b>{html.escape(title)}</b><br>{shown}</p></div>'


def _element(image: Image.Image) -> str:
    memory = io.BytesIO()
    image.save(memory, "JPEG", quality=82)
    return f'<img src="data:image/jpeg;base64,{base64.b64encode(memory.getvalue()).decode("ascii")}">'


def shrunk(rgb: Image.Image) -> tuple[Image.Image, float]:
    """The picture at the gallery's size, and by what factor it was scaled."""
    scale = _PICTURE_PX / max(rgb.size)
    size = (max(1, round(rgb.width * scale)), max(1, round(rgb.height * scale)))
    return rgb.resize(size, Image.Resampling.LANCZOS), scale


def _drawn(answer: Answer, tile: RasterTile) -> Image.Image:
    """Truth green, answers yellow, on the tile."""
    image, scale = shrunk(Image.fromarray(tile.rgb.transpose(1, 2, 0)))
    draw = ImageDraw.Draw(image)
    for boxes, color, grow in ((answer.truths, (60, 230, 90), 3), (answer.boxes, (255, 225, 40), 0)):
        for x0, y0, x1, y1 in boxes:
            corners = (x0 * scale - grow, y0 * scale - grow, x1 * scale + grow, y1 * scale + grow)
            draw.rectangle(corners, outline=color, width=2)
    return image


_HEAD = """<!doctype html><meta charset="utf-8"><title>RSGround evaluation</title><style>
body{font:14px sans-serif;margin:16px;background:#f4f4f2}.grid{display:flex;flex-wrap:wrap;gap:12px}
.card{background:#fff;border-top:5px solid #999;width:400px}.card img{width:100%}.card p{margin:8px}
.right{border-color:#2a9d4a}.wrong{border-color:#d03030}</style>"""
