"""Objects on a raster as COCO JSON: boxes and run-length masks in the raster's pixels.

    RasterFrame   the raster's size and how coordinates become its pixels
    annotation    one object as a COCO annotation
    run_lengths   a mask as COCO's uncompressed run-length encoding
    document      the whole file

The format is that of https://cocodataset.org/#format-data ("object detection"), which pycocotools reads.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Sequence

import numpy as np
from osgeo import gdal, ogr
from qgis.core import QgsGeometry, QgsRasterLayer
from qgis.PyQt.QtGui import QTransform

from .errors import ResultsError
from .tile_grid import Affine


@dataclass(frozen=True)
class RasterFrame:
    """A raster's pixels.

    Attributes:
        file_name: as annotations name the image.
        width, height: in pixels.
        affine: pixel edges -> coordinates.
    """

    file_name: str
    width: int
    height: int
    affine: Affine

    @classmethod
    def of(cls, layer: QgsRasterLayer) -> RasterFrame:
        """The frame of a layer with pixels of its own. Main thread.

        Raises:
            ResultsError: the layer has none (a web map).
        """
        provider = layer.dataProvider()
        if provider is None or provider.xSize() <= 0 or provider.ySize() <= 0:
            raise ResultsError(
                f"COCO needs the pixels of an image, and the layer “{layer.name()}” has none of its own. "
                "Save it as a GeoTIFF first (Export - Save As)."
            )
        dataset = gdal.Open(layer.source()) if provider.name() == "gdal" else None
        if dataset is not None:
            affine = Affine(*dataset.GetGeoTransform())
            return cls(layer.source(), dataset.RasterXSize, dataset.RasterYSize, affine)
        extent, width, height = layer.extent(), provider.xSize(), provider.ySize()
        steps = (extent.width() / width, extent.height() / height)
        affine = Affine(extent.xMinimum(), steps[0], 0.0, extent.yMaximum(), 0.0, -steps[1])
        return cls(layer.name(), width, height, affine)

    def in_pixels(self, geometry: QgsGeometry) -> QgsGeometry:
        """A geometry in the raster's CRS as (column, row) on pixel edges."""
        a, det = self.affine, self.affine.determinant
        moved = QgsGeometry(geometry)
        # First to the raster's origin: large coordinates lose digits in Qt's matrix.
        moved.translate(-a.c0, -a.c3)
        moved.transform(QTransform(a.c5 / det, -a.c4 / det, -a.c2 / det, a.c1 / det, 0.0, 0.0))
        return moved


def run_lengths(mask: Any, first_col: int, first_row: int, width: int, height: int) -> List[int]:
    """COCO's uncompressed run lengths of a mask that is a window of an image.

    Args:
        mask: (row, col) bool.
        first_col, first_row: where the window lies.
        width, height: of the image.

    Returns:
        Lengths of runs down the columns, the first one of zeros; their sum is width * height.
    """
    # A row of zeros on both sides turns every run's ends into steps; columns come first, as COCO counts them.
    padded = np.zeros((mask.shape[1], mask.shape[0] + 2), np.int8)
    padded[:, 1:-1] = mask.T
    steps = np.diff(padded, axis=1)
    base = (first_col + np.arange(mask.shape[1], dtype=np.int64))[:, None] * height + first_row
    places = base + np.arange(steps.shape[1], dtype=np.int64)
    starts, ends = places[steps == 1], places[steps == -1]
    if not len(starts):
        return [width * height]
    # A run that reaches the bottom goes on at the top of the next column.
    is_joined = starts[1:] == ends[:-1]
    starts = np.concatenate([starts[:1], starts[1:][~is_joined]])
    ends = np.concatenate([ends[:-1][~is_joined], ends[-1:]])
    borders = np.concatenate([[0], np.stack([starts, ends], axis=1).ravel(), [width * height]])
    counts = np.diff(borders).tolist()
    return counts if counts[-1] else counts[:-1]


def annotation(
    geometry: QgsGeometry, frame: RasterFrame, *, number: int, category: int, score: Optional[float]
) -> Optional[Dict[str, Any]]:
    """One object; None when it covers no pixel's centre.

    Args:
        geometry: polygons in the raster's CRS.
        frame: the raster.
        number: the annotation's id.
        category: its category's id.
        score: 0 to 1, None for ground truth.
    """
    pixels = frame.in_pixels(geometry)
    box = pixels.boundingBox()
    first_col, first_row = max(0, math.floor(box.xMinimum())), max(0, math.floor(box.yMinimum()))
    last_col, last_row = min(frame.width, math.ceil(box.xMaximum())), min(frame.height, math.ceil(box.yMaximum()))
    if last_col <= first_col or last_row <= first_row:
        return None
    mask = _rasterized(pixels, first_col, first_row, last_col - first_col, last_row - first_row)
    area = int(np.count_nonzero(mask))
    if not area:
        return None
    x_min, y_min = max(0.0, box.xMinimum()), max(0.0, box.yMinimum())
    x_max, y_max = min(float(frame.width), box.xMaximum()), min(float(frame.height), box.yMaximum())
    found: Dict[str, Any] = {
        "id": number,
        "image_id": 1,
        "category_id": category,
        "bbox": [round(v, 3) for v in (x_min, y_min, x_max - x_min, y_max - y_min)],
        "area": area,
        "segmentation": {
            "size": [frame.height, frame.width],
            "counts": run_lengths(mask, first_col, first_row, frame.width, frame.height),
        },
        "iscrowd": 0,
    }
    return found if score is None else {**found, "score": score}


def document(frame: RasterFrame, categories: Sequence[str], annotations: Sequence[Dict[str, Any]]) -> Dict[str, Any]:
    """The whole file; category ids count from 1 in the given order."""
    return {
        "info": {"description": "RSGround", "version": "1.0"},
        "licenses": [],
        "images": [{"id": 1, "file_name": frame.file_name, "width": frame.width, "height": frame.height}],
        "categories": [{"id": i, "name": name, "supercategory": ""} for i, name in enumerate(categories, start=1)],
        "annotations": list(annotations),
    }


def _rasterized(pixels: QgsGeometry, col: int, row: int, width: int, height: int) -> Any:
    """(row, col) bool: pixels whose centre lies in the polygons."""
    raster = gdal.GetDriverByName("MEM").Create("", width, height, 1, gdal.GDT_Byte)
    raster.SetGeoTransform((col, 1, 0, row, 0, 1))
    vector = ogr.GetDriverByName("Memory").CreateDataSource("")
    layer = vector.CreateLayer("mask", None, ogr.wkbUnknown)
    feature = ogr.Feature(layer.GetLayerDefn())
    feature.SetGeometryDirectly(ogr.CreateGeometryFromWkb(bytes(pixels.asWkb())))
    layer.CreateFeature(feature)
    if gdal.RasterizeLayer(raster, [1], layer, burn_values=[1]):
        raise ResultsError(f"GDAL could not draw an object's mask: {gdal.GetLastErrorMsg()}")
    return raster.ReadAsArray().astype(bool)
