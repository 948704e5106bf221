"""Label maps of real pictures, from which the evidence network learns."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import find_objects, label

from inference_server.geometry import iou_hbb
from inference_server.models.evidence.classes import BIT
from inference_server.training.evidence_data import real_map
from inference_server.training.geobia_labels import LabelledObject, LabelledTile


def test_a_box_becomes_the_region_that_fills_it() -> None:
    rng = np.random.default_rng(0)
    rgb = rng.integers(70, 80, (3, 200, 240)).astype(np.uint8)
    boxes = []
    for row, col in ((30, 40), (30, 150), (120, 90)):
        # Each half is liker to the ground than to the other: only the trees of what stands out hold both as one.
        rgb[:, row : row + 12, col : col + 13] = 145
        rgb[:, row : row + 12, col + 13 : col + 26] = 12
        boxes.append((float(col), float(row), col + 26.0, row + 12.0))
    objects = tuple(LabelledObject("car", box, None) for box in boxes)
    drawn = real_map(LabelledTile("cars", "planted", rgb, np.ones(rgb.shape[1:], bool), 0.15, objects))
    is_car = (drawn.on >> np.uint32(BIT["car"]) & 1) == 1
    pieces, count = label(is_car, np.ones((3, 3)))
    assert count == len(boxes)
    found = [(c.start, r.start, c.stop, r.stop) for r, c in find_objects(pieces)]
    assert iou_hbb(np.array(found, float), np.array(boxes)).max(axis=0).min() >= 0.65
