"""Makes the demo's scene with its question, and checks the answer against the scene's truth.

    python scripts/demo_scene.py make demo     demo/scene.tif, demo/truth.geojson, demo/question.json
    python scripts/demo_scene.py check demo    demo/results.gpkg against them; exit status 1 when it is wrong

Runs in the server's environment, beside QGIS and independent of the plugin.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
from math import dist
from pathlib import Path

import shapely
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from inference_server.evaluation.scenes import generate, write_geotiff, write_truth

SEED, THEME, SIZE_PX, GSD_M = 3, "sports", (840, 900), 0.3
EXPRESSION = "the soccer field next to the swimming pool"
#: The soccer fields of the scene; the expression names the one nearer to the one swimming pool.
FIELDS = ("soccer field-1", "soccer field-2")
MIN_IOU = 0.5


def make(folder: Path) -> None:
    """Writes the scene, its truth and the question."""
    folder.mkdir(parents=True, exist_ok=True)
    scene = generate(SEED, size_px=SIZE_PX, gsd_m=GSD_M, theme=THEME)
    fields = [o for o in scene.objects if o.category == "soccer field"]
    pools = [o for o in scene.objects if o.category == "pool"]
    if tuple(o.id for o in fields) != FIELDS or len(pools) != 1:
        came = ", ".join(o.id for o in fields + pools)
        raise SystemExit(f"the scene generator has changed: expected {', '.join(FIELDS)} and one pool, got {came}")
    target = min(fields, key=lambda field: dist(field.center, pools[0].center))
    write_geotiff(scene, folder / "scene.tif")
    write_truth(scene, folder / "truth.geojson")
    question = {"expression": EXPRESSION, "targets": [target.id]}
    (folder / "question.json").write_text(json.dumps(question), encoding="utf-8")
    print(f"scene: {folder / 'scene.tif'}, {len(scene.objects)} objects; question: “{EXPRESSION}”")


def check(folder: Path) -> bool:
    """Whether every target was found with a mask IoU of at least MIN_IOU, and nothing else was."""
    question = json.loads((folder / "question.json").read_text(encoding="utf-8"))
    truth = json.loads((folder / "truth.geojson").read_text(encoding="utf-8"))
    wanted = {
        feature["properties"]["id"]: shape(feature["geometry"])
        for feature in truth["features"]
        if feature["properties"]["geometry"] == "mask" and feature["properties"]["id"] in question["targets"]
    }
    found = _masks(folder / "results.gpkg")
    matched = set()
    is_right = True
    for name, outline in wanted.items():
        iou, number = max(((_iou(outline, mask), i) for i, (_, mask) in enumerate(found)), default=(0.0, -1))
        if iou >= MIN_IOU:
            matched.add(number)
        else:
            is_right = False
        print(f"  {name}: mask IoU {iou:.2f} {'ok' if iou >= MIN_IOU else 'MISSED'}")
    for number, (score, _) in enumerate(found):
        if number not in matched:
            is_right = False
            print(f"  a detection with score {score:.2f} is none of the wanted objects")
    verdict = "as the scene's truth has it" if is_right else "NOT what the scene's truth has"
    print(f"“{question['expression']}”: {len(found)} found, {verdict}")
    return is_right


def _iou(a: BaseGeometry, b: BaseGeometry) -> float:
    return float(a.intersection(b).area / a.union(b).area)


def _masks(geopackage: Path) -> list[tuple[float, BaseGeometry]]:
    """Score and outline of each detection, read without GDAL's vector drivers."""
    if not geopackage.is_file():
        return []
    with sqlite3.connect(f"file:{geopackage}?mode=ro", uri=True) as connection:
        rows = connection.execute('SELECT score, geom FROM "masks"').fetchall()
    return [(float(score), shapely.make_valid(shapely.from_wkb(_wkb(blob)))) for score, blob in rows]


def _wkb(blob: bytes) -> bytes:
    """The WKB in a GeoPackage's geometry: behind a header whose envelope varies (GeoPackage 1.3, 2.1.3)."""
    envelope_doubles = (0, 4, 6, 6, 8)[(blob[3] >> 1) & 7]
    return blob[8 + 8 * envelope_doubles :]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("make", "check"))
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    if arguments.what == "make":
        make(arguments.folder)
        return 0
    return 0 if check(arguments.folder) else 1


if __name__ == "__main__":
    sys.exit(main())
