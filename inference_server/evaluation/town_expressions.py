"""Expressions about real roofs: building outlines on real imagery, their colours measured in the pixels.

The outlines come from people and miss a building here and there, so a few of these expressions are less certain
than those of generated scenes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.features import rasterize
from rasterio.transform import Affine, array_bounds
from rasterio.warp import transform, transform_geom
from rasterio.windows import Window
from scipy import ndimage
from shapely.geometry import box, shape
from skimage.color import rgb2lab

from inference_server.evaluation.scene_expressions import express
from inference_server.evaluation.scene_types import Scene, SceneObject
from inference_server.geometry import Mask, hbb_of_mask, obb_of_mask

#: What can be said of outlines alone: no other classes, and no negatives where outlines are missing.
_KINDS = ("color", "color", "position", "position", "superlative", "superlative", "order", "size", "shape", "closest",
          "relation", "number", "chain", "between", "negation")  # fmt: skip


def town_scenes(
    folder: Path, *, gsd_m: float = 0.3, sides_px: Sequence[int] = (288, 512), expressions: int = 20
) -> Iterator[Scene]:
    """Windows of the town mosaics as scenes whose objects are the outlined buildings.

    Args:
        folder: with ``*.tif`` and, beside each, ``*_buildings.geojson`` in EPSG:4326.
        gsd_m: pixel size to read at.
        sides_px: largest sides of windows; small ones give roofs that can be named alone.
        expressions: how many at most, a window.

    Raises:
        FileNotFoundError: no mosaic with outlines in the folder.
    """
    mosaics = sorted(p for p in folder.glob("*.tif") if _outlines(p).exists())
    if not mosaics:
        raise FileNotFoundError(f"{folder}: expected *.tif with *_buildings.geojson beside, found none")
    number = 0
    for path in mosaics:
        outlines = json.loads(_outlines(path).read_text(encoding="utf-8"))["features"]
        with rasterio.open(path) as dataset:
            lat = transform(dataset.crs, "EPSG:4326", [dataset.bounds.left], [dataset.bounds.top])[1][0]
            stretch = math.cos(math.radians(lat)) if dataset.crs.to_epsg() == 3857 else 1.0
            step = gsd_m / (dataset.res[0] * stretch)
            for window in _windows(dataset.shape, [side * step for side in sides_px]):
                scene = _scene(dataset, window, outlines, step=step, gsd_m=gsd_m, name=path.stem, number=number)
                asked = express(scene, np.random.default_rng([number, 78]), expressions, kinds=_KINDS)
                yield replace(scene, expressions=asked)
                number += 1


def _windows(shape: tuple[int, int], sides: Sequence[float]) -> Iterator[Window]:
    """The mosaic cut into equal windows, once for each side."""
    for side in sides:
        down, across = (max(1, math.ceil(n / side)) for n in shape)
        rows, cols = shape[0] // down, shape[1] // across
        for r in range(down):
            for c in range(across):
                yield Window(c * cols, r * rows, cols, rows)


def _outlines(path: Path) -> Path:
    return path.with_name(f"{path.stem}_buildings.geojson")


def _scene(
    dataset: rasterio.DatasetReader,
    window: Window,
    outlines: list[dict[str, object]],
    *,
    step: float,
    gsd_m: float,
    name: str,
    number: int,
) -> Scene:
    rows, cols = round(window.height / step), round(window.width / step)
    rgb = dataset.read([1, 2, 3], window=window, out_shape=(3, rows, cols), resampling=Resampling.average)
    valid = dataset.dataset_mask(window=window, out_shape=(rows, cols)) > 0
    fine = dataset.window_transform(window)
    sx, sy = window.width / cols, window.height / rows
    affine = Affine(fine.a * sx, fine.b * sy, fine.c, fine.d * sx, fine.e * sy, fine.f)
    scene = Scene(number, f"town:{name}", gsd_m, rgb, valid, affine, dataset.crs, frozenset(), ())
    lab = rgb2lab(rgb.transpose(1, 2, 0)).astype(np.float32)
    lab[..., 1:] -= _cast(lab, outlines, scene)
    objects = []
    for index, feature in enumerate(outlines):
        made = _building(f"building-{index + 1}", feature["geometry"], scene, lab)
        if made is not None:
            objects.append(made)
    return replace(scene, objects=tuple(objects))


def _cast(lab: NDArray[np.float32], outlines: list[dict[str, object]], scene: Scene) -> NDArray[np.float32]:
    """The camera's colour cast, (a, b): that of the bright roofs, which are mostly bare metal and concrete."""
    shapes = [shape(transform_geom("EPSG:4326", scene.crs, f["geometry"])) for f in outlines]
    roofs = rasterize(shapes, out_shape=scene.valid.shape, transform=scene.affine, dtype="uint8").astype(bool)
    pixels = lab[roofs & scene.valid]
    bright = pixels[(pixels[:, 0] > 60) & (np.hypot(pixels[:, 1], pixels[:, 2]) < 20)]
    if len(bright) < 200:
        return np.zeros(2, np.float32)
    return np.asarray(np.median(bright[:, 1:], axis=0), np.float32)


def _building(name: str, outline: object, scene: Scene, lab: NDArray[np.float32]) -> SceneObject | None:
    rows, cols = scene.valid.shape
    on_map = shape(transform_geom("EPSG:4326", scene.crs, outline))
    seen = rasterize([on_map], out_shape=(rows, cols), transform=scene.affine, dtype="uint8").astype(bool) & scene.valid
    if int(seen.sum()) < 30:
        return None
    at_rows, at_cols = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    row, col = int(at_rows[0]), int(at_cols[0])
    mask = Mask(seen[row : at_rows[-1] + 1, col : at_cols[-1] + 1], row, col)
    inner = ndimage.binary_erosion(seen, iterations=2)
    core = inner if int(inner.sum()) > 20 else seen
    color = color_name(np.median(lab[core], axis=0), spread=float(lab[core].std(axis=0)[1:].max()))
    area_px = on_map.area / abs(scene.affine.a * scene.affine.e)
    x0, y0, x1, y1 = array_bounds(rows, cols, scene.affine)
    whole = box(x0, y0, x1, y1).contains(on_map)
    obb = obb_of_mask(mask)
    mean = scene.rgb[:, seen].mean(axis=1)
    return SceneObject(
        id=name,
        category="building",
        color=color,
        mask=mask,
        hbb=hbb_of_mask(mask),
        obb=obb,
        shape="irregular",
        length_m=obb.width * scene.gsd_m,
        width_m=obb.height * scene.gsd_m,
        height_m=0.0,
        visible=min(1.0, mask.area / area_px),
        is_cut=not whole,
        host="",
        mean_rgb=(float(mean[0]), float(mean[1]), float(mean[2])),
    )


def color_name(lab: NDArray[np.float32], *, spread: float = 0.0) -> str:
    """The colour word for a roof's median CIE Lab, "mixed" where people would not agree on one.

    Args:
        lab: L, a, b, without the camera's cast.
        spread: standard deviation of the chroma within the roof; a patchwork has no colour.
    """
    light, a, b = (float(v) for v in lab)
    chroma, hue = math.hypot(a, b), math.degrees(math.atan2(b, a)) % 360
    if spread > 16:
        return "mixed"
    if chroma < 7 or (chroma < 12 and 200 < hue < 300):
        for name, least in (("white", 82), ("light gray", 68), ("gray", 45), ("dark gray", 25)):
            if light >= least:
                return name
        return "black"
    if chroma < (9 if 105 <= hue < 200 else 13):
        return "mixed"
    if hue >= 345 or hue < 38:
        return "red" if chroma >= 24 else "brown" if light < 55 else "mixed"
    if hue < 68:
        return "orange" if chroma >= 36 and light >= 45 else "brown" if light < 58 else "tan"
    if hue < 105:
        return "yellow" if chroma > 45 else "tan" if light >= 60 else "brown"
    if hue < 170:
        return "green"
    if hue < 225:
        return "turquoise"
    return "blue" if hue < 300 else "mixed"
