"""The objects of all expressions into the output's tables, in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import numpy as np
import pyproj
import shapely
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from inference_server.batch.geopackage import add_crs, drop_feature_table, replace_feature_table
from inference_server.batch.journal import Journal
from inference_server.batch.scene import Scene
from rsground_plugin.protocol import Detection, EngineInfo

#: Table and geometry of each output; anchors are drawn by their mask, or by a box where the engine gives no masks.
TABLES = {
    "hbb": ("boxes", "POLYGON"),
    "obb": ("oriented_boxes", "POLYGON"),
    "mask": ("masks", "MULTIPOLYGON"),
    "anchor": ("anchors", "MULTIPOLYGON"),
}
FIELDS = (
    ("id", "TEXT"), ("expression", "TEXT"), ("score", "REAL"), ("label", "TEXT"), ("area_m2", "REAL"),
    ("length_m", "REAL"), ("width_m", "REAL"), ("azimuth_deg", "REAL"), ("engine", "TEXT"), ("revision", "TEXT"),
    ("gsd_m", "REAL"), ("source", "TEXT"), ("extent", "TEXT"), ("time", "DATETIME"),
)  # fmt: skip


@dataclass(frozen=True)
class Answered:
    """One expression's objects in one scene."""

    expression: str
    scene: Scene
    found: tuple[Detection, ...]
    anchors: tuple[Detection, ...]


def write_results(journal: Journal, answers: Sequence[Answered], engine: EngineInfo, outputs: Sequence[str]) -> None:
    """Replaces the output's tables by these; all of them or none.

    Features are in the CRS of the first answer's scene, those of other scenes are transformed. Raises DiskFull,
    CannotWrite.
    """
    crs_text = answers[0].scene.fine.placement.crs_text
    time = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    with journal.transaction() as connection:
        srs_id = add_crs(connection, crs_text)
        for kind, (table, geometry_type) in TABLES.items():
            if kind not in outputs and kind != "anchor":
                drop_feature_table(connection, table)
                continue
            rows = _rows(answers, kind, engine, crs_text, time)
            replace_feature_table(connection, table, geometry_type, srs_id, fields=FIELDS, rows=rows)


def _rows(
    answers: Sequence[Answered], kind: str, engine: EngineInfo, crs_text: str | None, time: str
) -> Iterator[tuple[BaseGeometry, tuple[Any, ...]]]:
    for answer in answers:
        move = _mover(answer.scene.fine.placement.crs_text, crs_text)
        extent = shapely.to_wkt(move(answer.scene.outline()), rounding_precision=-1)
        for detection in answer.anchors if kind == "anchor" else answer.found:
            geometry = _geometry(detection, kind)
            if geometry is None:
                continue
            d = detection
            yield move(geometry), (
                d.id, answer.expression, d.score, d.label, d.area_m2, d.length_m, d.width_m, d.azimuth_deg,
                engine.name, engine.revision, answer.scene.frame.gsd_m, answer.scene.raster, extent, time,
            )  # fmt: skip


def _geometry(detection: Detection, kind: str) -> BaseGeometry | None:
    if kind == "hbb":
        return None if detection.hbb is None else Polygon(detection.hbb)
    if kind == "obb":
        return None if detection.obb is None else Polygon(detection.obb)
    if detection.mask is not None:
        return MultiPolygon([(part[0], part[1:]) for part in detection.mask])
    box = detection.obb or detection.hbb
    return MultiPolygon([Polygon(box)]) if kind == "anchor" and box is not None else None


def _mover(src_crs: str | None, dst_crs: str | None) -> Callable[[BaseGeometry], BaseGeometry]:
    if src_crs == dst_crs or src_crs is None or dst_crs is None:
        return lambda geometry: geometry
    there = pyproj.Transformer.from_crs(src_crs, dst_crs, always_xy=True)

    def move(geometry: BaseGeometry) -> BaseGeometry:
        return shapely.transform(geometry, lambda xy: np.stack(there.transform(xy[:, 0], xy[:, 1]), axis=1))

    return move
