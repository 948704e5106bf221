"""What a benchmark asks: a tile, an expression and the boxes of the truth, from scenes, towns and by hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from rasterio.enums import Resampling
from rasterio.transform import Affine
from rasterio.windows import Window

from inference_server.evaluation.scenes import Scene, generate
from inference_server.evaluation.town_expressions import town_scenes
from inference_server.expression import parse
from inference_server.raster import RasterTile

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
BY_HAND = Path(__file__).with_name("real_expressions.txt")
#: Of the second and the third only scores are looked at.
HELD_OUT_BY_HAND = {f"hand{n}": BY_HAND.with_name(f"real_expressions_{n}.txt") for n in (2, 3)}


@dataclass(frozen=True)
class Case:
    """One expression about one tile.

    Attributes:
        name: of the tile.
        tile: what the engine sees; cases of one tile share it, so that it is encoded once.
        kind: what the expression rests on; "by hand" and "by hand, negative" for written ones.
        category: class of the target as the truth names it.
        truths: (n, 4) x_min, y_min, x_max, y_max in pixels; n = 0 where nothing fits.
        targets: names of the truths.
    """

    name: str
    tile: RasterTile
    text: str
    kind: str
    category: str
    truths: np.ndarray
    targets: tuple[str, ...] = ()

    @property
    def is_negative(self) -> bool:
        return len(self.truths) == 0


def of_scene(scene: Scene) -> Iterator[Case]:
    """The scene's expressions."""
    boxes = {o.id: (o.hbb.x_min, o.hbb.y_min, o.hbb.x_max, o.hbb.y_max) for o in scene.objects}
    tile = scene.tile
    for e in scene.expressions:
        truths = np.array([boxes[i] for i in e.target_ids], float).reshape(-1, 4)
        yield Case(f"{scene.theme}/{scene.seed}", tile, e.text, e.kind, e.category, truths, e.target_ids)


def generated(
    seeds: range, *, expressions: int = 20, side_px: int = 1024, gsd_m: float = 0.3, theme: str | None = None
) -> Iterator[Case]:
    """Expressions about generated scenes, ``expressions`` a scene at most."""
    for seed in seeds:
        yield from of_scene(
            generate(seed, size_px=(side_px, side_px), gsd_m=gsd_m, theme=theme, expressions=expressions)
        )


def towns(*, gsd_m: float = 0.3, expressions: int = 20) -> Iterator[Case]:
    """Expressions about the outlined roofs of ``shared/data/towns``. Raises FileNotFoundError where it is missing."""
    for scene in town_scenes(DATA / "towns", gsd_m=gsd_m, expressions=expressions):
        yield from of_scene(scene)


def by_hand(path: Path = BY_HAND) -> Iterator[Case]:
    """The hand-written expressions on the real imagery of ``shared/data``.

    Raises:
        FileNotFoundError: an image is missing.
        ValueError: a line of the file is not understood.
    """
    tile: RasterTile | None = None
    name = ""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        if text.startswith("["):
            name, _, rest = text.strip("[]").partition(":")
            side, _, window = rest.partition(";")
            tile = _read(DATA / name, int(side), window.strip())
            continue
        words, bar, boxes = text.partition("|")
        if tile is None or not bar:
            raise ValueError(f"{path}:{number}: expected 'expression | box' below a [file], got {line!r}")
        boxes = boxes.strip()
        truths = [] if boxes == "-" else [[float(v) for v in b.split(",")] for b in boxes.split()]
        kind = "by hand" if truths else "by hand, negative"
        yield Case(name, tile, words.strip(), kind, _head(words), np.array(truths).reshape(-1, 4))


def _head(words: str) -> str:
    """The class that a written expression asks for, as the parser reads it."""
    return next((t.category for t in parse(words).targets if t.category), "thing")


def _read(path: Path, side_px: int, window: str) -> RasterTile:
    """A part of a picture at the size that its boxes were measured in."""
    with rasterio.open(path) as dataset:
        whole = Window(0, 0, dataset.width, dataset.height)
        part = whole if window == "*" else Window(*(int(v) for v in window.split(",")))
        shrink = max(part.width, part.height) / side_px
        rows, cols = round(part.height / shrink), round(part.width / shrink)
        rgb = dataset.read([1, 2, 3], window=part, out_shape=(3, rows, cols), resampling=Resampling.average)
        valid = dataset.dataset_mask(window=part, out_shape=(rows, cols)) > 0
        fine = dataset.window_transform(part)
        sx, sy = part.width / cols, part.height / rows
        affine = Affine(fine.a * sx, fine.b * sy, fine.c, fine.d * sx, fine.e * sy, fine.f)
        return RasterTile(rgb=rgb, valid=valid, affine=affine, crs=dataset.crs)
