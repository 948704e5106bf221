"""The objects of all expressions into the output's tables, in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import numpy as np
import pyproj
import shapely
from shapely.geometry.base import BaseGeometry

from inference_server.batch.geopackage import FeatureTable, add_crs, drop_feature_table
from inference_server.batch.journal import Journal
from inference_server.batch.resolving import Chosen
from inference_server.batch.scene import Scene
from inference_server.detections import result_geometry, result_values
from rsground_plugin.protocol import RESULT_FIELDS, RESULT_TABLES, Detection, EngineInfo

_SQL_TYPES = {"text": "TEXT", "real": "REAL", "time": "DATETIME"}
#: Anchors are drawn by their mask, or by a box where the engine gives no masks.
_GEOMETRY_TYPES = {"hbb": "POLYGON", "obb": "POLYGON", "mask": "MULTIPOLYGON", "anchor": "MULTIPOLYGON"}
Move = Callable[[BaseGeometry], BaseGeometry]
#: Features written between two looks whether the run was stopped.
_STEP = 256


@dataclass(frozen=True)
class Answered:
    """One expression's objects in one scene."""

    expression: str
    scene: Scene
    found: Chosen
    anchors: Chosen


def write_results(
    journal: Journal,
    answers: Sequence[Answered],
    engine: EngineInfo,
    outputs: Sequence[str],
    *,
    progress: Callable[[int, int], None],
) -> None:
    """Replaces the output's tables by these; all of them or none.

    Features are in the CRS of the first answer's scene, those of other scenes are transformed. Raises DiskFull,
    CannotWrite, and what ``progress`` raises, which is told of objects done and all.
    """
    crs_text = answers[0].scene.fine.placement.crs_text
    done, total = 0, sum(len(chosen.scores) for answer in answers for chosen in (answer.found, answer.anchors))
    with journal.transaction() as connection:
        srs_id = add_crs(connection, crs_text)
        tables: dict[str, FeatureTable] = {}
        fields = [(name, _SQL_TYPES[kind]) for name, kind in RESULT_FIELDS]
        for kind, table in RESULT_TABLES.items():
            if kind in outputs or kind == "anchor":
                tables[kind] = FeatureTable(connection, table, _GEOMETRY_TYPES[kind], srs_id, fields)
            else:
                drop_feature_table(connection, table)
        for kinds, detection, move, values in _features(answers, outputs, engine, crs_text):
            for kind in kinds:
                geometry = result_geometry(detection, kind)
                if geometry is not None:
                    tables[kind].add(move(geometry), values)
            done += 1
            if done % _STEP == 0:
                progress(done, total)
        for written in tables.values():
            written.finish()
    progress(total, total)


def _features(
    answers: Sequence[Answered], outputs: Sequence[str], engine: EngineInfo, crs_text: str | None
) -> Iterator[tuple[Sequence[str], Detection, Move, tuple[Any, ...]]]:
    """Each object: the tables' kinds that it goes into, itself, its way into their CRS, its attributes."""
    time = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    for answer in answers:
        scene = answer.scene
        move = _mover(scene.fine.placement.crs_text, crs_text)
        common = {
            "expression": answer.expression, "engine": engine.name, "revision": engine.revision,
            "gsd_m": scene.frame.gsd_m, "source": scene.raster,
            "extent": shapely.to_wkt(move(scene.outline()), rounding_precision=-1), "time": time,
        }  # fmt: skip
        for chosen, kinds, drawn in (
            (answer.found, outputs, outputs),
            (answer.anchors, ("anchor",), ("hbb", "obb", "mask")),
        ):
            for detection in chosen.detections(scene, drawn):
                yield kinds, detection, move, result_values(detection, common)


def _mover(src_crs: str | None, dst_crs: str | None) -> Move:
    if src_crs == dst_crs or src_crs is None or dst_crs is None:
        return lambda geometry: geometry
    there = pyproj.Transformer.from_crs(src_crs, dst_crs, always_xy=True)

    def move(geometry: BaseGeometry) -> BaseGeometry:
        return shapely.transform(geometry, lambda xy: np.stack(there.transform(xy[:, 0], xy[:, 1]), axis=1))

    return move
