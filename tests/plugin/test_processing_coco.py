"""COCO export: boxes, areas and run lengths against pixels that are known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasters
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from processing_town import Log
from qgis.core import QgsFeature, QgsGeometry, QgsProcessingContext, QgsProcessingFeedback, QgsVectorLayer

from rsground_plugin.core.coco import RasterFrame, annotation, run_lengths
from rsground_plugin.core.shared_server import SharedServer
from rsground_plugin.core.tile_grid import Affine
from rsground_plugin.processing.coco import CocoAlgorithm
from rsground_plugin.processing.sinks import result_fields

FRAME = RasterFrame("image.tif", 40, 30, Affine(1000.0, 0.5, 0.0, 2000.0, 0.0, -0.5))


def decoded(segmentation: dict[str, Any]) -> np.ndarray:
    """(row, col) bool of an uncompressed run-length encoding, as pycocotools decodes it."""
    height, width = segmentation["size"]
    flat, place, value = np.zeros(width * height, bool), 0, False
    for count in segmentation["counts"]:
        flat[place : place + count] = value
        place, value = place + count, not value
    assert place == width * height
    return flat.reshape(width, height).T


@given(
    mask=arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=7)),
    before=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    after=st.tuples(st.integers(0, 3), st.integers(0, 3)),
)
def test_run_lengths_give_the_mask_back(mask: np.ndarray, before: tuple[int, int], after: tuple[int, int]) -> None:
    rows, cols = mask.shape
    height, width = before[0] + rows + after[0], before[1] + cols + after[1]
    whole = np.zeros((height, width), bool)
    whole[before[0] : before[0] + rows, before[1] : before[1] + cols] = mask
    counts = run_lengths(mask, before[1], before[0], width, height)
    assert all(count > 0 for count in counts[1:])
    assert (decoded({"size": [height, width], "counts": counts}) == whole).all()


def test_an_object_is_where_its_pixels_are() -> None:
    # Columns 4 to 10, rows 6 to 9, with a hole of one pixel at column 5, row 7.
    wkt = "POLYGON((1002 1997, 1005 1997, 1005 1995.5, 1002 1995.5, 1002 1997),"
    wkt += "(1002.5 1996.5, 1003 1996.5, 1003 1996, 1002.5 1996, 1002.5 1996.5))"
    found = annotation(QgsGeometry.fromWkt(wkt), FRAME, number=7, category=2, score=0.5)
    assert found is not None
    assert found["bbox"] == [4, 6, 6, 3]
    assert (found["id"], found["category_id"], found["score"], found["area"]) == (7, 2, 0.5, 17)
    expected = np.zeros((30, 40), bool)
    expected[6:9, 4:10] = True
    expected[7, 5] = False
    assert (decoded(found["segmentation"]) == expected).all()


def test_what_lies_over_the_edge_is_cut_and_what_lies_outside_is_none() -> None:
    over = annotation(QgsGeometry.fromWkt("POLYGON((995 1999, 1002 1999, 1002 2010, 995 2010, 995 1999))"), FRAME,
                      number=1, category=1, score=None)  # fmt: skip
    assert over is not None
    assert over["bbox"] == [0, 0, 4, 2]
    assert over["area"] == 8
    assert "score" not in over
    outside = QgsGeometry.fromWkt("POLYGON((0 0, 5 0, 5 5, 0 0))")
    assert annotation(outside, FRAME, number=1, category=1, score=None) is None


@pytest.mark.parametrize("kind", ["utm", "rotated_sheared", "south_up", "no_crs"])
def test_the_marker_is_found_again_on_any_raster(kind: str, tmp_path: Path) -> None:
    raster = rasters.make(kind, tmp_path / "raster.tif")
    x, y = rasters.marker_position(kind)
    epsg = rasters.KINDS[kind].epsg
    layer = QgsVectorLayer(f"Polygon{f'?crs=EPSG:{epsg}' if epsg else ''}", "objects", "memory")
    layer.dataProvider().addAttributes(result_fields().toList())
    layer.updateFields()
    feature = QgsFeature(layer.fields())
    feature["label"], feature["score"] = "blob", 0.75
    feature.setGeometry(QgsGeometry.fromWkt(f"POINT({x} {y})").buffer(3.0, 32))
    layer.dataProvider().addFeatures([feature])
    output = tmp_path / "coco.json"
    inputs = {"INPUT": layer, "RASTER": str(raster), "CATEGORY": "label", "OUTPUT": str(output)}
    outputs, is_ok = CocoAlgorithm(SharedServer()).create().run(inputs, QgsProcessingContext(), QgsProcessingFeedback())
    assert is_ok
    assert outputs["COUNT"] == 1
    data = json.loads(output.read_text())
    assert [c["name"] for c in data["categories"]] == ["blob"]
    assert data["images"][0]["width"] == data["images"][0]["height"] == rasters.SIZE
    (found,) = data["annotations"]
    assert found["score"] == 0.75
    rows, cols = np.nonzero(decoded(found["segmentation"]))
    assert abs(cols.mean() + 0.5 - rasters.MARKER_COL) < 0.3
    assert abs(rows.mean() + 0.5 - rasters.MARKER_ROW) < 0.3


def test_a_field_that_is_not_there_is_refused(tmp_path: Path) -> None:
    layer = QgsVectorLayer("Polygon?crs=EPSG:32633&field=kind:string", "objects", "memory")
    raster = rasters.make("utm", tmp_path / "raster.tif")
    inputs = {"INPUT": layer, "RASTER": str(raster), "CATEGORY": "label", "OUTPUT": str(tmp_path / "coco.json")}
    log = Log()
    _, is_ok = CocoAlgorithm(SharedServer()).create().run(inputs, QgsProcessingContext(), log)
    assert not is_ok
    assert "kind" in " ".join(log.errors)
    assert not (tmp_path / "coco.json").exists()
