"""A result as COCO JSON: images are the rasters, annotations have boxes and run-length masks in their pixels."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyproj
import shapely
from rasterio.errors import RasterioError

from inference_server.errors import CannotWrite, InvalidRequest
from inference_server.geometry import Mask
from inference_server.outlines import mask_of_polygon
from inference_server.placement import Placement
from inference_server.raster import open_raster, placed

if TYPE_CHECKING:
    from inference_server.exports.vector import Table


def coco_document(tables: Sequence[Table], raster: Path | None) -> dict[str, Any]:
    """The whole file as JSON has it; objects that cover no pixel's centre are left out.

    Args:
        tables: of a result; its masks are taken, else its oriented boxes, else its boxes.
        raster: the one raster, whatever the field ``source`` says.

    Raises:
        InvalidRequest: a raster cannot be opened, or there is nothing with an outline.
    """
    by_name = {table.name: table for table in tables}
    table = next((by_name[n] for n in ("masks", "oriented_boxes", "boxes") if n in by_name), None)
    if table is None:
        raise InvalidRequest("COCO: expected a result with masks or boxes, it has anchors only.")
    sources = [str(raster)] * len(table.shapes) if raster else [str(s) for s in table.columns["source"]]
    labels = [str(label) for label in table.columns["label"]]
    categories = {label: i for i, label in enumerate(sorted(set(labels)), start=1)}
    images: dict[str, _Image] = {}
    annotations: list[dict[str, Any]] = []
    for i, source in enumerate(sources):
        if source not in images:
            images[source] = _Image.open(source, table.crs, len(images) + 1)
        image = images[source]
        try:
            mask = mask_of_polygon(image.in_pixels(table.shapes[i]), (image.height, image.width))
        except ValueError:
            continue
        height, width = mask.pixels.shape
        annotations.append(
            {
                "id": len(annotations) + 1,
                "image_id": image.number,
                "category_id": categories[labels[i]],
                "bbox": [mask.col, mask.row, width, height],
                "area": mask.area,
                "segmentation": {
                    "size": [image.height, image.width],
                    "counts": run_lengths(mask, image.width, image.height),
                },
                "iscrowd": 0,
                "score": float(table.columns["score"][i]),
                "expression": str(table.columns["expression"][i]),
            }
        )
    return {
        "info": {"description": "RSGround", "version": "1.0"},
        "licenses": [],
        "images": [
            {"id": image.number, "file_name": name, "width": image.width, "height": image.height}
            for name, image in images.items()
        ],
        "categories": [{"id": number, "name": name, "supercategory": ""} for name, number in categories.items()],
        "annotations": annotations,
    }


def write_json(document: dict[str, Any], path: Path) -> Path:
    """Writes the file, complete before it gets its name. Raises CannotWrite."""
    unfinished = path.with_name(f".unfinished-{path.name}")
    try:
        unfinished.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
        os.replace(unfinished, path)
    except OSError as error:
        raise CannotWrite(f"{path} cannot be written: {error}") from error
    return path


def run_lengths(mask: Mask, width: int, height: int) -> list[int]:
    """COCO's uncompressed run lengths: down the columns of a width x height image, zeros first."""
    cols, rows = np.nonzero(mask.pixels.T)
    places = (cols + mask.col).astype(np.int64) * height + rows + mask.row
    breaks = np.flatnonzero(np.diff(places) != 1)
    starts = places[np.concatenate([[0], breaks + 1])]
    ends = places[np.concatenate([breaks, [len(places) - 1]])] + 1
    borders = np.concatenate([[0], np.stack([starts, ends], axis=1).ravel(), [width * height]])
    counts: list[int] = np.diff(borders).tolist()
    return counts if counts[-1] else counts[:-1]


class _Image:
    """A raster that annotations lie in."""

    def __init__(self, number: int, width: int, height: int, placement: Placement, table_crs: str | None) -> None:
        self.number, self.width, self.height = number, width, height
        self._back = Placement(~placement.affine, None)
        own = placement.crs_text
        is_same = own is None or table_crs is None or pyproj.CRS(own) == pyproj.CRS(table_crs)
        self._there = None if is_same else pyproj.Transformer.from_crs(table_crs, own, always_xy=True)

    @classmethod
    def open(cls, source: str, table_crs: str | None, number: int) -> _Image:
        try:
            with open_raster(source) as dataset:
                return cls(number, dataset.width, dataset.height, Placement(*placed(dataset)), table_crs)
        except RasterioError as error:
            raise InvalidRequest(
                f"COCO needs the pixels of the raster {source}, which cannot be opened: {error}. Name it with --raster."
            ) from error

    def in_pixels(self, shape: Any) -> Any:
        if self._there is not None:
            there = self._there
            shape = shapely.transform(shape, lambda xy: np.stack(there.transform(xy[:, 0], xy[:, 1]), axis=1))
        return shapely.transform(shape, self._back.to_map)
