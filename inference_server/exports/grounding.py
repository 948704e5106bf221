"""The answer to one question as tables of a result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import numpy as np

from inference_server.detections import result_geometry, result_values
from inference_server.exports.vector import Column, Table
from rsground_plugin.protocol import RESULT_FIELDS, RESULT_TABLES, Detection, GroundingResult


@dataclass(frozen=True)
class Provenance:
    """Where a result comes from: the raster's path or name, and the outline searched, WKT in the result's CRS."""

    source: str
    extent: str


def tables_of(result: GroundingResult, provenance: Provenance) -> list[Table]:
    """A table for each geometry that the detections have, and one of the anchors where there are any."""
    tables = []
    for kind, name in RESULT_TABLES.items():
        drawn = [(d, result_geometry(d, kind)) for d in (result.anchors if kind == "anchor" else result.detections)]
        rows = [(detection, shape) for detection, shape in drawn if shape is not None]
        if rows:
            shapes = np.array([shape for _, shape in rows], dtype=object)
            columns = _columns([detection for detection, _ in rows], result, provenance)
            tables.append(Table(name, shapes, columns, result.crs))
    return tables


def _columns(found: Sequence[Detection], result: GroundingResult, provenance: Provenance) -> dict[str, Column]:
    """``RESULT_FIELDS``; missing measures are NaN, which the drivers write as NULL."""
    common = {
        "expression": result.expression, "engine": result.engine, "revision": result.revision, "gsd_m": result.gsd_m,
        "source": provenance.source, "extent": provenance.extent,
        "time": np.datetime64(datetime.now(timezone.utc).replace(tzinfo=None), "s"),
    }  # fmt: skip
    types: dict[str, Any] = {"text": object, "real": np.float64, "time": "datetime64[s]"}
    columns = zip(*(result_values(detection, common) for detection in found), strict=True)
    return {
        name: np.array(values, dtype=types[kind]) for (name, kind), values in zip(RESULT_FIELDS, columns, strict=True)
    }
