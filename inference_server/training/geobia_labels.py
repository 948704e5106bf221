"""Labelled tiles for the embedded engine's curves: generated scenes, and the real sets that may be shipped on."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio.enums import Resampling
from rasterio.transform import Affine
from rasterio.windows import Window
from shapely.affinity import affine_transform
from shapely.geometry import MultiPolygon, Polygon, box, shape
from shapely.ops import transform as transform_geometry

from inference_server.evaluation.scene_themes import Theme
from inference_server.evaluation.scenes import generate

#: Typical sizes by which the pixel size of pictures without georeference is told.
CAR_LENGTH_M = 4.6
AIRLINER_LENGTH_M = 38.0
#: The only two things read of a Pascal VOC annotation: a whole XML parser is not needed for them.
_VOC_BOX = re.compile(r"<bndbox>(.*?)</bndbox>", re.DOTALL)
_VOC_SIDE = re.compile(r"<(xmin|ymin|xmax|ymax)>\s*([-+.\deE]+)\s*<")


@dataclass(frozen=True)
class LabelledObject:
    """One object of a tile: class, box in pixels (x_min, y_min, x_max, y_max), area and outline where known."""

    name: str
    box: tuple[float, float, float, float]
    area: float | None
    outline: Polygon | MultiPolygon | None = None


@dataclass(frozen=True, eq=False)
class LabelledTile:
    """A tile with all objects of the classes that its source labels.

    Attributes:
        source: "generated", "towns", "cars", "planes", "trees" or "surfaces"; name: of the tile in it.
        rgb: (3, row, col) uint8; valid: (row, col) bool; gsd_m: metres a pixel.
        objects: the labelled ones.
        known: (row, col) where anything is known, None for everywhere.
    """

    source: str
    name: str
    rgb: NDArray[np.uint8]
    valid: NDArray[np.bool_]
    gsd_m: float
    objects: tuple[LabelledObject, ...]
    known: NDArray[np.bool_] | None = None


def generated_tile(seed: int) -> LabelledTile:
    """One scene of the project's generator; seeds from 10 000 on are for fitting, 0-999 for looking at."""
    gsd = float(np.random.default_rng(seed).choice([0.15, 0.2, 0.3, 0.3, 0.3, 0.4, 0.5]))
    return labelled_scene(seed, side_px=768, gsd_m=gsd, smallest_px=30)


def labelled_scene(
    seed: int, *, side_px: int, gsd_m: float, smallest_px: int, theme: Theme | None = None
) -> LabelledTile:
    """A generated scene with its objects of at least so many pixels."""
    scene = generate(seed, size_px=(side_px, side_px), gsd_m=gsd_m, theme=theme, expressions=0)
    objects = tuple(
        LabelledObject(o.category, (o.hbb.x_min, o.hbb.y_min, o.hbb.x_max, o.hbb.y_max), float(o.mask.area))
        for o in scene.objects
        if o.mask.area >= smallest_px
    )
    return LabelledTile("generated", str(seed), scene.rgb, scene.valid, gsd_m, objects)


def towns(folder: Path) -> Iterator[LabelledTile]:
    """Drone mosaics with building outlines, at three pixel sizes, in tiles of at most 1024 pixels."""
    to_map = Transformer.from_crs(4326, 3857, always_xy=True).transform
    for path in sorted(folder.glob("*.tif")):
        outlines = json.loads(path.with_name(path.stem + "_buildings.geojson").read_text(encoding="utf-8"))
        polygons = [transform_geometry(to_map, shape(f["geometry"])) for f in outlines["features"]]
        with rasterio.open(path) as src:
            middle = src.transform * (src.width / 2, src.height / 2)
            latitude = Transformer.from_crs(3857, 4326, always_xy=True).transform(*middle)[1]
            for factor in (2, 4, 8):
                side = 1024 * factor
                for row in range(0, src.height, side):
                    for col in range(0, src.width, side):
                        window = Window(col, row, min(side, src.width - col), min(side, src.height - row))
                        height, width = int(window.height) // factor, int(window.width) // factor
                        if min(height, width) < 256:
                            continue
                        rgb = src.read(
                            [1, 2, 3], window=window, out_shape=(3, height, width), resampling=Resampling.average
                        )
                        to_tile = ~(src.window_transform(window) * Affine.scale(factor))
                        gsd = abs(src.transform.a) * factor * math.cos(math.radians(latitude))
                        objects = []
                        for polygon in polygons:
                            whole = affine_transform(
                                polygon, [to_tile.a, to_tile.b, to_tile.d, to_tile.e, to_tile.c, to_tile.f]
                            )
                            seen = whole.intersection(box(0, 0, width, height))
                            if not seen.is_empty and seen.area > 0.7 * whole.area and seen.area > 40:
                                objects.append(LabelledObject("building", seen.bounds, seen.area, seen))
                        if objects:
                            yield LabelledTile(
                                "towns", f"{path.stem}/{factor}/{row}/{col}", rgb, rgb.any(axis=0), gsd, tuple(objects)
                            )


def cars(folder: Path, picked: slice = slice(None, None, 2)) -> Iterator[LabelledTile]:
    """Street scenes with vehicles, brought to about 0.12 m; every second picture, the others are for looking at."""
    names = {0: "car", 1: "truck", 2: "bus", 3: "car"}
    for path in sorted(folder.glob("*.jpg"))[picked]:
        lines = [[float(v) for v in line.split()] for line in path.with_suffix(".txt").read_text().splitlines() if line]
        with rasterio.open(path) as src:
            lengths = [max(w * src.width, h * src.height) for kind, _, _, w, h in lines if kind == 0]
            if len(lengths) < 3:
                continue
            gsd = CAR_LENGTH_M / float(np.median(lengths))
            scale = min(1.0, gsd / 0.12)
            height, width = round(src.height * scale), round(src.width * scale)
            rgb = src.read([1, 2, 3], out_shape=(3, height, width), resampling=Resampling.average)
        rgb = np.ascontiguousarray(rgb[:, :1400, :1400])
        objects = []
        for kind, cx, cy, w, h in lines:
            corners = ((cx - w / 2) * width, (cy - h / 2) * height, (cx + w / 2) * width, (cy + h / 2) * height)
            if corners[2] <= rgb.shape[2] and corners[3] <= rgb.shape[1]:
                objects.append(LabelledObject(names[int(kind)], corners, None))
        yield LabelledTile("cars", path.stem, rgb, _all(rgb), gsd / scale, tuple(objects))


def planes(folder: Path, picked: slice = slice(None, None, 3)) -> Iterator[LabelledTile]:
    """Airports from above; every third picture, the others are for looking at."""
    for path in sorted(folder.glob("*.jpg"))[picked]:
        objects = []
        for line in path.with_suffix(".txt").read_text().splitlines():
            fields = line.split()
            if len(fields) >= 9:
                v = [float(x) for x in fields[:8]]
                objects.append(LabelledObject("airplane", (min(v[::2]), min(v[1::2]), max(v[::2]), max(v[1::2])), None))
        if len(objects) < 2:
            continue
        span = float(np.median([max(o.box[2] - o.box[0], o.box[3] - o.box[1]) for o in objects]))
        with rasterio.open(path) as src:
            rgb = src.read([1, 2, 3])
            yield LabelledTile("planes", path.stem, rgb, _all(rgb), AIRLINER_LENGTH_M / span, tuple(objects))


def trees(folder: Path) -> Iterator[LabelledTile]:
    """Forest plots with tree crowns at 0.1 m."""
    for path in sorted(folder.glob("*.tif")):
        objects = []
        for corners in _VOC_BOX.findall(path.with_suffix(".xml").read_text(encoding="utf-8")):
            side = {name: float(value) for name, value in _VOC_SIDE.findall(corners)}
            objects.append(LabelledObject("tree", (side["xmin"], side["ymin"], side["xmax"], side["ymax"]), None))
        with rasterio.open(path) as src:
            rgb = src.read([1, 2, 3])
            yield LabelledTile("trees", path.stem, rgb, _all(rgb), 0.1, tuple(objects))


def _all(rgb: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return np.ones(rgb.shape[1:], dtype=bool)


def real(folder: Path) -> Iterator[LabelledTile]:
    """All real sources under ``../shared/data``."""
    for reader in (towns, cars, planes, trees):
        yield from reader(folder / reader.__name__)
