"""Twenty answers on real imagery and twenty on generated scenes, drawn on one HTML page, to be looked at.

    python benchmarks/gallery.py /tmp/gallery
    python benchmarks/gallery.py /tmp/gallery --seeds 0:40 --count 20

Each picture shows the answer (mask outline and box, yellow), its anchors (blue) and the truth (green where
known). Real imagery: roofs of the towns, whose truth is known, and the expressions below, to be judged by eye.
"""

from __future__ import annotations

import argparse
import base64
import html
import io
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from rasterio.transform import rowcol

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks import cases  # noqa: E402
from benchmarks.accuracy import ask  # noqa: E402
from benchmarks.cases import Case  # noqa: E402
from inference_server.models.registry import Registry  # noqa: E402
from inference_server.pipeline import GroundingPipeline  # noqa: E402
from inference_server.raster import RasterTile  # noqa: E402
from rsground_plugin.protocol import Detection, GroundingResult  # noqa: E402


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where gallery.html goes")
    parser.add_argument("--seeds", default="0:20", help="A:B of development scenes, B not included")
    parser.add_argument("--count", type=int, default=20, help="answers on real imagery, and as many on scenes")
    parser.add_argument("--engine", default="default")
    args = parser.parse_args(argv)
    first, last = (int(part) for part in args.seeds.split(":"))
    pipeline = GroundingPipeline(Registry())
    groups = {
        "Real imagery": _evenly(_real(), args.count),
        "Generated scenes": _evenly(list(cases.generated(range(first, last), expressions=13)), args.count),
    }
    parts = [_HEAD]
    for title, picked in groups.items():
        cards = [_card(pipeline, case, args.engine) for case in picked]
        right = sum('class="card right"' in card for card in cards)
        parts.append(f"<h2>{title}</h2><p>{right} of {len(cards)} right</p><div class='grid'>{''.join(cards)}</div>")
    args.folder.mkdir(parents=True, exist_ok=True)
    page = args.folder / "gallery.html"
    page.write_text("\n".join(parts), encoding="utf-8")
    print(page)
    return 0


def _real() -> list[Case]:
    if not cases.DATA.exists():
        print(f"{cases.DATA} is missing: no real imagery in the gallery.", file=sys.stderr)
        return []
    return list(cases.by_hand())


def _evenly(every: list[Case], count: int) -> list[Case]:
    """Some of them, over all tiles, with another kind of expression each time where there is a choice."""
    if not every:
        return []
    at = np.linspace(0, len(every) - 1, min(count, len(every))).round().astype(int)
    return [every[i] for i in at]


def _card(pipeline: GroundingPipeline, case: Case, engine: str) -> str:
    answered, result = ask(pipeline, case, engine=engine, outputs=("hbb", "mask"))
    verdict = "right" if answered.is_right else "wrong"
    note = f"{verdict}, nothing is there" if case.is_negative else f"{verdict}, IoU {answered.iou:.2f}"
    empty = f"<br>nothing found: {html.escape(result.empty_reason.message)}" if result.empty_reason else ""
    return (
        f'<div class="card {verdict}"><img src="data:image/jpeg;base64,{_picture(case, result)}">'
        f"<p><b>{html.escape(case.text)}</b><br>{html.escape(case.name)} &middot; {case.kind} &middot; {note}<br>"
        f"{answered.answers} found, score {answered.score:.2f}; "
        f"understood: {html.escape(result.understood)}{empty}</p></div>"
    )


def _picture(case: Case, result: GroundingResult) -> str:
    """The tile with truth, anchors and answer, as base64 of a JPEG of about 640 pixels."""
    tile = case.tile
    scale = 640 / max(tile.width, tile.height)
    size = (max(1, round(tile.width * scale)), max(1, round(tile.height * scale)))
    image = Image.fromarray(tile.rgb.transpose(1, 2, 0)).resize(size, Image.Resampling.LANCZOS)
    draw = ImageDraw.Draw(image)
    for box in case.truths:
        x0, y0, x1, y1 = (float(v) * scale for v in box)
        draw.rectangle((x0 - 3, y0 - 3, x1 + 3, y1 + 3), outline=(60, 230, 90), width=2)
    for anchor in result.anchors[:12]:
        _outline(draw, tile, anchor, scale, (90, 170, 255), 1)
    for detection in sorted(result.detections, key=lambda d: d.score)[-60:]:
        _outline(draw, tile, detection, scale, (255, 225, 40), 2)
    memory = io.BytesIO()
    image.save(memory, "JPEG", quality=82)
    return base64.b64encode(memory.getvalue()).decode("ascii")


def _outline(
    draw: ImageDraw.ImageDraw, tile: RasterTile, item: Detection, scale: float, color: tuple[int, int, int], width: int
) -> None:
    rings = [ring for polygon in item.mask or () for ring in polygon[:1]]
    if item.hbb is not None:
        rings.append(item.hbb)
    for ring in rings:
        at = np.array(ring)
        rows, cols = rowcol(tile.affine, at[:, 0], at[:, 1], op=float)
        draw.line([(c * scale, r * scale) for r, c in zip(rows, cols, strict=True)], fill=color, width=width)


_HEAD = """<!doctype html><meta charset="utf-8"><title>RSGround gallery</title><style>
body{font:14px sans-serif;margin:16px;background:#f4f4f2}.grid{display:flex;flex-wrap:wrap;gap:12px}
.card{background:#fff;border-top:5px solid #999;width:420px;box-shadow:0 1px 3px #0003}.card img{width:100%}
.card p{margin:8px}.right{border-color:#2a9d4a}.wrong{border-color:#d03030}</style>
<h1>RSGround: answers, right and wrong</h1>
<p>Yellow: the answer. Blue: its anchors. Green: the truth, where known.</p>"""

if __name__ == "__main__":
    raise SystemExit(main())
