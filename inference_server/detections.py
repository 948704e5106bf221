"""What an engine returns in tile pixels, as candidates for relations and as detections on the map."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from shapely.geometry import MultiPolygon, Polygon

from inference_server.geometry import (
    HBB,
    OBB,
    FloatArray,
    hbb_corners,
    hbb_of_mask,
    mask_hull,
    obb_corners,
    obb_of_points,
)
from inference_server.models.base import Prediction
from inference_server.outlines import polygon_of_mask, rough_polygon, simplified
from inference_server.placement import Placement
from inference_server.relations import Candidate
from rsground_plugin.protocol import RESULT_FIELDS, Detection


def luminance(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(3, row, col) uint8 to (row, col) uint8, Rec. 601."""
    weighted = rgb[0].astype(np.uint16) * 77 + rgb[1].astype(np.uint16) * 150 + rgb[2].astype(np.uint16) * 29
    gray: NDArray[np.uint8] = (weighted >> 8).astype(np.uint8)
    return gray


def candidate_of(prediction: Prediction, gray: NDArray[np.uint8]) -> Candidate:
    """A prediction as relations see it: its shape roughly, its brightness in [0, 1]."""
    mask = prediction.mask
    if mask is None:
        return Candidate(prediction.score, Polygon(_box_corners(prediction)), prediction.label, prediction)
    height, width = mask.pixels.shape
    window = gray[mask.row : mask.row + height, mask.col : mask.col + width]
    brightness = float(window[mask.pixels].mean()) / 255
    return Candidate(prediction.score, rough_polygon(mask), prediction.label, prediction, brightness)


def detection_of(
    candidate: Candidate, score: float, placement: Placement, *, outputs: Sequence[str], detection_id: str = ""
) -> Detection:
    """A candidate on the map, with the geometries wanted and its measures.

    Args:
        candidate: from :func:`candidate_of`, whose prediction is drawn, not its rough shape.
        score: the final one, relations included.
        placement: of the tile.
        outputs: of "hbb", "obb", "mask".
        detection_id: the id; made from label and place when empty.
    """
    prediction = candidate.source
    if not isinstance(prediction, Prediction):
        raise TypeError(f"Candidate.source: expected a Prediction, got {type(prediction).__name__}")
    mask = prediction.mask
    if mask is not None:
        outline = simplified(polygon_of_mask(mask))
        hull, pixel_area = mask_hull(mask), float(mask.area)
    else:
        outline = MultiPolygon([Polygon(_box_corners(prediction))])
        hull, pixel_area = _box_corners(prediction), outline.area
    hbb, obb = _boxes(prediction, hull)
    return outlined_detection(
        outline, hull, placement,
        score=score, label=prediction.label, hbb=hbb, obb=obb, pixel_area=pixel_area,
        outputs=outputs if mask is not None else [kind for kind in outputs if kind != "mask"],
        detection_id=detection_id,
    )  # fmt: skip


def outlined_detection(
    outline: MultiPolygon,
    hull: FloatArray,
    placement: Placement,
    *,
    score: float,
    label: str,
    hbb: HBB,
    obb: OBB,
    pixel_area: float,
    outputs: Sequence[str],
    detection_id: str = "",
) -> Detection:
    """An outline in pixel space, and the corners (n, 2) of its convex hull, on the map; the rest as they come."""
    measures = placement.measures(outline, hull)
    box = placement.ring(hbb_corners(hbb))
    return Detection(
        id=detection_id or id_of(label, box),
        score=min(max(float(score), 0.0), 1.0),
        label=label,
        hbb=box if "hbb" in outputs else None,
        obb=placement.ring(obb_corners(obb)) if "obb" in outputs else None,
        mask=placement.rings(outline) if "mask" in outputs else None,
        area_m2=None if measures is None else measures.area_m2,
        length_m=None if measures is None else measures.length_m,
        width_m=None if measures is None else measures.width_m,
        azimuth_deg=None if measures is None else measures.azimuth_deg,
        pixel_area=pixel_area,
    )


def _boxes(prediction: Prediction, hull: FloatArray) -> tuple[HBB, OBB]:
    hbb = prediction.hbb
    if hbb is None:
        x_min, y_min = hull.min(axis=0)
        x_max, y_max = hull.max(axis=0)
        hbb = hbb_of_mask(prediction.mask) if prediction.mask is not None else HBB(x_min, y_min, x_max, y_max)
    return hbb, prediction.obb or obb_of_points(hull)


def _box_corners(prediction: Prediction) -> FloatArray:
    if prediction.obb is not None:
        return obb_corners(prediction.obb)
    if prediction.hbb is not None:
        return hbb_corners(prediction.hbb)
    raise ValueError(f"Prediction {prediction.label!r}: expected a mask, an hbb or an obb, got none of them")


def id_of(label: str, box: Sequence[tuple[float, float]]) -> str:
    """The same for the same thing at the same place, whenever it is found."""
    place = ",".join(f"{value:.9g}" for point in box[:4] for value in point)
    return hashlib.blake2b(f"{label}|{place}".encode(), digest_size=5).hexdigest()


def result_geometry(detection: Detection, kind: str) -> Polygon | MultiPolygon | None:
    """What a result's table holds of a detection; None where it has none.

    Args:
        detection: on the map.
        kind: of ``RESULT_TABLES``. An anchor is drawn by its mask, or by a box where the engine gives no masks.
    """
    if kind in ("mask", "anchor") and detection.mask is not None:
        return MultiPolygon([(part[0], part[1:]) for part in detection.mask])
    if kind == "anchor":
        box = detection.obb or detection.hbb
        return None if box is None else MultiPolygon([Polygon(box)])
    ring = {"hbb": detection.hbb, "obb": detection.obb}.get(kind)
    return None if ring is None else Polygon(ring)


def result_values(detection: Detection, common: Mapping[str, Any]) -> tuple[Any, ...]:
    """The attributes ``RESULT_FIELDS``: those that all detections of an answer share, else the detection's own."""
    return tuple(common[name] if name in common else getattr(detection, name) for name, _ in RESULT_FIELDS)


def with_unique_ids(detections: Sequence[Detection]) -> tuple[Detection, ...]:
    """The same detections; of those that share an id all but the first get a number behind it."""
    seen: dict[str, int] = {}
    out = []
    for detection in detections:
        count = seen[detection.id] = seen.get(detection.id, 0) + 1
        out.append(detection if count == 1 else replace(detection, id=f"{detection.id}-{count}"))
    return tuple(out)
