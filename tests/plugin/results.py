"""Made-up results of a query, for tests of what becomes of them."""

from __future__ import annotations

import time

from rsground_plugin.core.result_layers import Provenance
from rsground_plugin.protocol import Detection, GroundingResult

PROVENANCE = Provenance("ortho (ortho.tif)", "POLYGON((0 0,1 0,1 1,0 1,0 0))", time.time())


def square(x: float, y: float, size: float) -> tuple:
    return ((x, y), (x + size, y), (x + size, y + size), (x, y + size), (x, y))


def detection(number: int, origin: tuple, score: float) -> Detection:
    """A square of 10 with a hole of 4, and 20 from the one before."""
    x, y = origin[0] + 20 * number, origin[1]
    return Detection(
        id=f"d{number}",
        score=score,
        label="tank",
        hbb=square(x, y, 10),
        obb=((x, y + 5), (x + 5, y), (x + 10, y + 5), (x + 5, y + 10), (x, y + 5)),
        mask=((square(x, y, 10), square(x + 3, y + 3, 4)),),
        area_m2=84.0,
        length_m=10.0,
        width_m=9.0,
        azimuth_deg=45.0,
        pixel_area=336.0,
    )


def result(
    scores: tuple = (0.9, 0.5, 0.2),
    *,
    crs: str | None = "EPSG:32633",
    origin: tuple = (500_000.0, 5_800_000.0),
    n_anchors: int = 1,
) -> GroundingResult:
    anchors = tuple(detection(100 + i, origin, 0.8) for i in range(n_anchors))
    return GroundingResult(
        "the white tank left of the road",
        engine="geobia",
        revision="7",
        detections=tuple(detection(i, origin, score) for i, score in enumerate(scores)),
        anchors=anchors,
        crs=crs,
        gsd_m=None if crs is None else 0.5,
    )
