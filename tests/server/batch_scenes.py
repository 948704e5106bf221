"""Rasters with planted rectangles, and batches over them by the fake engine, for the batch's tests."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import numpy as np
import pyogrio
import rasterio
import shapely
from fake_engine import AFFINE, FakeEngine, patches, registry

from inference_server.batch.run import Batch
from rsground_plugin.protocol import BatchRequest

TABLES = ("boxes", "oriented_boxes", "masks", "anchors")


def write_raster(path, pixels, *, crs="EPSG:32631", affine=AFFINE, nodata=None, **options):
    count, height, width = pixels.shape
    profile = {"count": count, "height": height, "width": width, "dtype": pixels.dtype, "nodata": nodata, **options}
    with rasterio.open(path, "w", driver="GTiff", crs=crs, transform=affine, **profile) as dataset:
        dataset.write(pixels)
    return Path(path)


def planted(path, *boxes, height, width, **options):
    """A raster with bright rectangles; a box is row, col, height, width."""
    return write_raster(path, patches(*boxes, height=height, width=width), **options)


def make_registry():
    return registry(FakeEngine())


class SlowEngine(FakeEngine):
    """Takes a while for each tile, so that a run can be killed amid."""

    def encode(self, tile, progress):
        time.sleep(0.05)
        return super().encode(tile, progress)


def make_slow_registry():
    return registry(SlowEngine())


def run(rasters, expressions, output, *, on_event=lambda event: None, make=make_registry, workers=1, **options):
    rasters = [rasters] if isinstance(rasters, (str, Path)) else rasters
    request = BatchRequest(tuple(map(str, rasters)), tuple(expressions), str(output), **options)
    return Batch.prepare(request, make, workers=workers).run(on_event)


def pixel_boxes(output, table="masks", *, affine=AFFINE, expression=None):
    """Each feature as row, col, height, width in the raster's pixels, sorted; the plant's form."""
    about, _, shapes, fields = pyogrio.raw.read(output, layer=table)
    names = list(about["fields"])
    told = fields[names.index("expression")]
    shapes = [s for s, e in zip(shapely.from_wkb(shapes), told, strict=True) if expression in (None, e)]
    back = ~affine
    moved = [shapely.transform(s, lambda xy: np.stack(back * (xy[:, 0], xy[:, 1]), axis=1)) for s in shapes]
    bounds = [[round(v, 6) for v in shape.bounds] for shape in moved]
    return sorted((y_0, x_0, y_1 - y_0, x_1 - x_0) for x_0, y_0, x_1, y_1 in bounds)


def contents(output):
    """All rows of all result tables but their time, byte for byte."""
    with sqlite3.connect(output) as connection:
        connection.execute("PRAGMA query_only = 1")
        rows = {}
        for table in TABLES:
            names = [row[1] for row in connection.execute(f"PRAGMA table_info({table})") if row[1] != "time"]
            rows[table] = connection.execute(f"SELECT {', '.join(names)} FROM {table} ORDER BY fid").fetchall()
    connection.close()
    return rows
