"""How well the weights-free segmenter outlines what it is prompted with.

    python benchmarks/segmenter.py

Prompted with the true boxes and with one click at the pole of inaccessibility of (a) the building outlines of
../shared/data/towns at about 0.3 m and (b) the objects of generated scenes (seeds 0-11); prints the mean mask IoU.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio.enums import Resampling
from rasterio.features import geometry_mask
from rasterio.transform import Affine
from scipy.ndimage import distance_transform_edt
from shapely.geometry import shape
from shapely.ops import transform as transform_geometry

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from inference_server.evaluation.scenes import generate  # noqa: E402
from inference_server.geometry import HBB  # noqa: E402
from inference_server.regions import build_region_tree  # noqa: E402
from inference_server.segmenter import RegionSegmenter, Segment  # noqa: E402

TOWNS = ROOT.parent / "shared" / "data" / "towns"
Tile = tuple[NDArray[np.uint8], list[NDArray[np.bool_]]]


def towns() -> Iterator[Tile]:
    """Each town's upper left 4096 pixels at a quarter of their resolution, with its buildings' masks."""
    to_map = Transformer.from_crs(4326, 3857, always_xy=True).transform
    for path in sorted(TOWNS.glob("*.tif")):
        outlines = json.loads(path.with_name(path.stem + "_buildings.geojson").read_text(encoding="utf-8"))
        with rasterio.open(path) as src:
            window = rasterio.windows.Window(0, 0, min(src.width, 4096), min(src.height, 4096))
            size = (int(window.height) // 4, int(window.width) // 4)
            rgb = src.read([1, 2, 3], window=window, out_shape=(3, *size), resampling=Resampling.average)
            affine = src.window_transform(window) * Affine.scale(4)
        masks = []
        for feature in outlines["features"]:
            polygon = transform_geometry(to_map, shape(feature["geometry"]))
            mask = geometry_mask([polygon], size, affine, invert=True)
            if mask.sum() >= 40:
                masks.append(mask)
        yield rgb, masks


def scenes() -> Iterator[Tile]:
    for seed in range(12):
        scene = generate(seed, size_px=(768, 768), gsd_m=0.3, expressions=0)
        things = [o for o in scene.objects if o.category not in ("road", "water", "field", "grass", "tree")]
        yield scene.rgb, [m for m in (o.mask.full((768, 768)) for o in things) if m.sum() >= 40]


def measure(name: str, tiles: Iterator[Tile]) -> None:
    by_box, by_click, times = [], [], []
    for rgb, masks in tiles:
        segmenter = RegionSegmenter(build_region_tree(rgb, rgb.any(axis=0)))
        for mask in masks:
            rows, cols = np.nonzero(mask)
            box = HBB(cols.min(), rows.min(), cols.max() + 1.0, rows.max() + 1.0)
            by_box.append(_iou(segmenter.segment_box(box), mask))
            depth = distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
            row, col = np.unravel_index(int(np.argmax(depth)), mask.shape)
            start = time.perf_counter()
            answer = segmenter.segment_points([(col + 0.5, row + 0.5)])
            times.append(time.perf_counter() - start)
            by_click.append(_iou(answer, mask))
    print(
        f"{name:10} {len(by_box):5} objects: mean mask IoU {np.mean(by_box):.3f} from the true box,"
        f" {np.mean(by_click):.3f} from one click ({1000 * np.median(times):.1f} ms)"
    )


def _iou(answer: Segment | None, mask: NDArray[np.bool_]) -> float:
    if answer is None:
        return 0.0
    found = answer.mask.full((mask.shape[0], mask.shape[1]))
    return float((found & mask).sum() / (found | mask).sum())


if __name__ == "__main__":
    if TOWNS.is_dir():
        measure("towns", towns())
    else:
        print(f"towns: not measured, {TOWNS} is missing")
    measure("generated", scenes())
