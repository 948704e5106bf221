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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from rasterio.transform import rowcol

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.accuracy import answer_boxes, judge  # noqa: E402
from inference_server.evaluation.scenes import Scene, generate  # noqa: E402
from inference_server.evaluation.town_expressions import town_scenes  # noqa: E402
from inference_server.models.registry import Registry  # noqa: E402
from inference_server.pipeline import GroundingPipeline  # noqa: E402
from inference_server.raster import RasterTile, read_window  # noqa: E402
from rsground_plugin.protocol import Detection, GroundingRequest, GroundingResult  # noqa: E402

DATA = ROOT.parent / "shared" / "data"
#: Where there is no truth: a picture of ``shared/data`` and what a person would ask of it.
BY_EYE = (
    ("scenes/test_tiled.tif", "the water"),
    ("scenes/test_tiled.tif", "the white boat"),
    ("scenes/1091-322_00.tif", "the largest building"),
    ("scenes/1091-322_00.tif", "all trees"),
    ("scenes/1091-322_00.tif", "the building with a red roof in the upper half"),
    ("scenes/201404_13SED190110_201404_0x1500m_CL_1.tif", "the black car"),
    ("scenes/201404_13SED190110_201404_0x1500m_CL_1.tif", "the blue car"),
    ("scenes/201404_13SED190110_201404_0x1500m_CL_1.tif", "all cars"),
    ("scenes/201404_13SED190110_201404_0x1500m_CL_1.tif", "the airplane"),
    ("scenes/test_tiled.tif", "the tennis court"),
)


@dataclass(frozen=True)
class Case:
    """A picture and an expression, with the boxes of the truth in pixels where it is known."""

    name: str
    tile: RasterTile
    text: str
    kind: str
    truths: np.ndarray | None


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
        "Real imagery": _pick(_real(), args.count),
        "Generated scenes": _pick(_generated(first, last, args.count), args.count),
    }
    parts = [_HEAD]
    for title, cases in groups.items():
        cards = [_card(pipeline, case, args.engine) for case in cases]
        right = sum('class="card right"' in card for card in cards)
        judged = sum('class="card eye"' not in card for card in cards)
        parts.append(f"<h2>{title}</h2><p>{right} of {judged} right</p><div class='grid'>{''.join(cards)}</div>")
    args.folder.mkdir(parents=True, exist_ok=True)
    page = args.folder / "gallery.html"
    page.write_text("\n".join(parts), encoding="utf-8")
    print(page)
    return 0


def _real() -> Iterator[Case]:
    if not DATA.exists():
        print(f"{DATA} is missing: no real imagery in the gallery.", file=sys.stderr)
        return
    for path, text in BY_EYE:
        yield Case(path, read_window(DATA / path), text, "by eye", None)
    for scene in town_scenes(DATA / "towns", expressions=8):
        for expression in scene.expressions[:1]:
            truths = np.array([_xyxy(scene, i) for i in expression.target_ids])
            yield Case(scene.theme, scene.tile, expression.text, expression.kind, truths)


def _generated(first: int, last: int, count: int) -> Iterator[Case]:
    each = max(1, round(count / (last - first)))
    for seed in range(first, last):
        scene = generate(seed, size_px=(768, 768), expressions=12)
        for expression in scene.expressions[:each]:
            truths = np.array([_xyxy(scene, i) for i in expression.target_ids]).reshape(-1, 4)
            yield Case(f"{scene.theme} {seed}", scene.tile, expression.text, expression.kind, truths)


def _pick(cases: Iterator[Case], count: int) -> list[Case]:
    """Evenly over what there is, so that the page is not all of one place."""
    every = list(cases)
    by_eye = [c for c in every if c.truths is None]
    rest = [c for c in every if c.truths is not None]
    wanted = max(count - len(by_eye), 0)
    at = np.linspace(0, len(rest) - 1, min(wanted, len(rest))).round().astype(int) if rest else []
    return by_eye[:count] + [rest[i] for i in at]


def _card(pipeline: GroundingPipeline, case: Case, engine: str) -> str:
    result = pipeline.ground(GroundingRequest(case.text, engine=engine), case.tile)
    boxes = answer_boxes(result, case.tile)
    verdict, note = "eye", "to be judged by eye"
    if case.truths is not None:
        is_right, iou = judge(boxes, case.truths)
        verdict, note = ("right", "right") if is_right else ("wrong", "wrong")
        note += f", IoU {iou:.2f}" if len(case.truths) else ", nothing is there"
    score = max((d.score for d in result.detections), default=0.0)
    empty = f"<br>nothing found: {html.escape(result.empty_reason.message)}" if result.empty_reason else ""
    return (
        f'<div class="card {verdict}"><img src="data:image/jpeg;base64,{_picture(case, result)}">'
        f"<p><b>{html.escape(case.text)}</b><br>{html.escape(case.name)} &middot; {case.kind} &middot; {note}<br>"
        f"{len(result.detections)} found, score {score:.2f}; understood: {html.escape(result.understood)}{empty}</p></div>"
    )


def _picture(case: Case, result: GroundingResult) -> str:
    """The tile with truth, anchors and answer, as base64 of a JPEG of about 640 pixels."""
    tile = case.tile
    scale = 640 / max(tile.width, tile.height)
    size = (max(1, round(tile.width * scale)), max(1, round(tile.height * scale)))
    image = Image.fromarray(tile.rgb.transpose(1, 2, 0)).resize(size, Image.Resampling.LANCZOS)
    draw = ImageDraw.Draw(image)
    for box in case.truths if case.truths is not None else ():
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


def _xyxy(scene: Scene, object_id: str) -> tuple[float, float, float, float]:
    box = scene.object(object_id).hbb
    return box.x_min, box.y_min, box.x_max, box.y_max


_HEAD = """<!doctype html><meta charset="utf-8"><title>RSGround gallery</title><style>
body{font:14px sans-serif;margin:16px;background:#f4f4f2}.grid{display:flex;flex-wrap:wrap;gap:12px}
.card{background:#fff;border-top:5px solid #999;width:420px;box-shadow:0 1px 3px #0003}.card img{width:100%}
.card p{margin:8px}.right{border-color:#2a9d4a}.wrong{border-color:#d03030}.eye{border-color:#888}</style>
<h1>RSGround: answers, right and wrong</h1>
<p>Yellow: the answer. Blue: its anchors. Green: the truth, where known.</p>"""

if __name__ == "__main__":
    raise SystemExit(main())
