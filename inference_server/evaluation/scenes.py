"""Orthophoto-like scenes from a seed, with ground truth and unambiguous referring expressions.

The demo, the tests, the benchmarks and training draw from here. One seed gives the same objects, masks and
expressions on every machine; the pixels may differ by a grey level where the JPEG or maths library does.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.transform import Affine
from scipy import ndimage
from shapely.affinity import affine_transform
from shapely.geometry import Polygon, box, mapping

from inference_server.evaluation.scene_canvas import Canvas, Drawn, Sun
from inference_server.evaluation.scene_expressions import express
from inference_server.evaluation.scene_palette import pick_name
from inference_server.evaluation.scene_sensor import expose
from inference_server.evaluation.scene_site import Site
from inference_server.evaluation.scene_themes import THEMES, Theme
from inference_server.evaluation.scene_types import Scene, SceneExpression, SceneObject
from inference_server.geometry import HBB, Mask, obb_corners, obb_of_mask
from inference_server.outlines import polygon_of_mask

__all__ = ["Scene", "SceneExpression", "SceneObject", "generate", "write_geotiff", "write_truth"]

#: Classes whose mask keeps what stands on them: a full parking lot is one lot, not the asphalt between cars.
_CARRIERS = frozenset({"parking lot", "road", "bridge", "runway"})


def generate(
    seed: int,
    *,
    size_px: tuple[int, int] = (1024, 1024),
    gsd_m: float = 0.3,
    theme: str | Theme | None = None,
    expressions: int = 40,
) -> Scene:
    """A scene.

    Args:
        seed: 0 to 999 are for development; benchmarks that count use 100,000 and above.
        size_px: rows, columns.
        gsd_m: pixel size in metres, 0.1 to about 1.
        theme: one of ``THEMES``, or what builds another; None lets the seed choose.
        expressions: how many to make at most.

    Raises:
        ValueError: unknown theme, or a size or pixel size that is not positive.
    """
    if min(size_px) < 32 or not gsd_m > 0:
        raise ValueError(f"generate: expected size_px >= 32 and gsd_m > 0, got {size_px} and {gsd_m}")
    if isinstance(theme, str) and theme not in THEMES:
        raise ValueError(f"generate: expected theme to be one of {', '.join(THEMES)}, got {theme!r}")
    rng = np.random.default_rng([seed, *size_px, round(gsd_m * 1000)])
    drawn = list(THEMES)[int(rng.integers(len(THEMES)))]
    name, build = (theme.__name__, theme) if callable(theme) else (theme or drawn, THEMES[theme or drawn])
    sun = Sun(float(rng.uniform(0, 2 * np.pi)), float(rng.uniform(0.6, 1.15)))
    canvas = Canvas((size_px[0], size_px[1]), gsd_m, sun, rng)
    usual = tuple(pick_name("house", rng) for _ in range(int(rng.integers(1, 4))))
    big = tuple(pick_name(k, rng) for k in ("metal", "flat"))
    site = Site(canvas, float(rng.choice([0.1, 0.35, 0.7, 1.0])), usual, big, float(rng.uniform(1.6, 3.4)))
    background = build(site)
    rgb = expose(canvas)
    valid = _valid(canvas, rng)
    rgb[:, ~valid] = 0
    canvas.owner[~valid] = 0
    scene = Scene(
        seed=seed,
        theme=name,
        gsd_m=gsd_m,
        rgb=rgb,
        valid=valid,
        affine=Affine(gsd_m, 0, 500_000 + 10 * (seed % 1000), 0, -gsd_m, 5_300_000),
        crs=CRS.from_epsg(32632),
        background=background,
        objects=_objects(canvas, rgb, valid),
    )
    return replace(scene, expressions=express(scene, np.random.default_rng([seed, 77]), expressions))


def _valid(canvas: Canvas, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Mostly everything; one scene in fifteen has a corner without data, as mosaics do."""
    rows, cols = canvas.shape
    valid = np.ones((rows, cols), bool)
    if rng.random() < 1 / 15:
        reach = float(rng.uniform(0.1, 0.25))
        y, x = np.mgrid[0:rows, 0:cols]
        if rng.random() < 0.5:
            x = cols - 1 - x
        valid &= x / cols + 0.6 * y / rows > reach
    return valid


def _objects(canvas: Canvas, rgb: NDArray[np.uint8], valid: NDArray[np.bool_]) -> tuple[SceneObject, ...]:
    """Reads what is seen of each drawn object off the canvas; what is wholly hidden is left out."""
    windows = ndimage.find_objects(canvas.owner, max_label=len(canvas.drawn))
    carried: dict[int, list[int]] = {}
    for number, drawn in enumerate(canvas.drawn, 1):
        if drawn.host and canvas.drawn[drawn.host - 1].category in _CARRIERS:
            carried.setdefault(drawn.host, []).append(number)
    counts: dict[str, int] = {}
    names: dict[int, str] = {}
    for number, drawn in enumerate(canvas.drawn, 1):
        counts[drawn.category] = counts.get(drawn.category, 0) + 1
        names[number] = f"{drawn.category}-{counts[drawn.category]}"
    out = []
    for number, drawn in enumerate(canvas.drawn, 1):
        window = windows[number - 1]
        if window is None:
            continue
        members = [number]
        for member in members:  # grows while it is walked: a car on a bridge is on the bridge's road
            members.extend(carried.get(member, []))
        parts = [windows[m - 1] for m in members if windows[m - 1] is not None]
        rows = slice(min(p[0].start for p in parts), max(p[0].stop for p in parts))
        cols = slice(min(p[1].start for p in parts), max(p[1].stop for p in parts))
        seen = np.isin(canvas.owner[rows, cols], members) if len(members) > 1 else canvas.owner[rows, cols] == number
        if int(seen.sum()) < 4:
            continue
        own = rgb[:, rows, cols][:, canvas.owner[rows, cols] == number]
        mean = own.mean(axis=1) if own.size else np.zeros(3)
        mask = Mask(seen, rows.start, cols.start)
        out.append(
            SceneObject(
                id=names[number],
                category=drawn.category,
                color=drawn.color,
                mask=mask,
                hbb=HBB(cols.start, rows.start, cols.stop, rows.stop),
                obb=obb_of_mask(mask),
                shape=drawn.shape,
                length_m=drawn.length_m,
                width_m=drawn.width_m,
                height_m=drawn.height_m,
                visible=min(1.0, mask.area * canvas.gsd_m**2 / drawn.area_m2),
                is_cut=_is_cut(drawn, canvas, valid),
                host=names.get(drawn.host, ""),
                mean_rgb=(float(mean[0]), float(mean[1]), float(mean[2])),
            )
        )
    return tuple(out)


def _is_cut(drawn: Drawn, canvas: Canvas, valid: NDArray[np.bool_]) -> bool:
    x, y = drawn.footprint[:, 0], drawn.footprint[:, 1]
    if x.min() < 0 or y.min() < 0 or x.max() > canvas.width_m or y.max() > canvas.height_m:
        return True
    rows = np.clip((y / canvas.gsd_m).astype(int), 0, canvas.shape[0] - 1)
    cols = np.clip((x / canvas.gsd_m).astype(int), 0, canvas.shape[1] - 1)
    return not bool(valid[rows, cols].all())


def write_geotiff(scene: Scene, path: Path | str) -> None:
    """Writes the picture as a tiled, deflated GeoTIFF with its mask."""
    rows, cols = scene.valid.shape
    profile = {
        "driver": "GTiff",
        "count": 3,
        "dtype": "uint8",
        "height": rows,
        "width": cols,
        "crs": scene.crs,
        "transform": scene.affine,
        "photometric": "RGB",
        "compress": "deflate",
    }
    if min(rows, cols) >= 256:
        profile |= {"tiled": True, "blockxsize": 256, "blockysize": 256}
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "w", **profile) as out:
        out.write(scene.rgb)
        if not scene.valid.all():
            out.write_mask(scene.valid)


def write_truth(scene: Scene, path: Path | str) -> None:
    """Writes the objects as GeoJSON in the scene's CRS: a feature per object and geometry (hbb, obb, mask)."""
    features = []
    for item in scene.objects:
        shared = {
            "id": item.id,
            "class": item.category,
            "color": item.color,
            "shape": item.shape,
            "visible": round(item.visible, 3),
            "is_cut": item.is_cut,
            "host": item.host,
            "length_m": round(item.length_m, 2),
            "width_m": round(item.width_m, 2),
        }
        for name, geometry in _geometries(item, scene.affine).items():
            features.append({"type": "Feature", "properties": shared | {"geometry": name}, "geometry": geometry})
    if scene.crs is None:
        raise ValueError(f"expected a scene that is placed, got {scene.theme!r} without a CRS")
    crs = {"type": "name", "properties": {"name": f"urn:ogc:def:crs:EPSG::{scene.crs.to_epsg()}"}}
    asked = [
        {"text": e.text, "kind": e.kind, "targets": e.target_ids, "anchors": e.anchor_ids} for e in scene.expressions
    ]
    collection = {"type": "FeatureCollection", "crs": crs, "features": features, "expressions": asked}
    Path(path).write_text(json.dumps(collection), encoding="utf-8")


def _geometries(item: SceneObject, affine: Affine) -> dict[str, object]:
    in_pixels = {
        "hbb": box(item.hbb.x_min, item.hbb.y_min, item.hbb.x_max, item.hbb.y_max),
        "obb": Polygon(obb_corners(item.obb)),
        "mask": polygon_of_mask(item.mask),
    }
    coefficients = (affine.a, affine.b, affine.d, affine.e, affine.c, affine.f)
    return {name: mapping(affine_transform(geometry, coefficients)) for name, geometry in in_pixels.items()}
