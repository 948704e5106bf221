"""A small engine for the server's tests: it finds bright rectangles, and misbehaves when told to."""

from __future__ import annotations

import threading
import time

import numpy as np
from rasterio.crs import CRS
from rasterio.io import MemoryFile
from rasterio.transform import Affine
from scipy.ndimage import find_objects, label

from inference_server.geometry import Mask
from inference_server.models.base import Prediction, Predictions
from inference_server.models.registry import EngineSource, Registry
from rsground_plugin.protocol import EngineInfo

AFFINE = Affine(0.5, 0, 500_000, 0, -0.5, 5_500_000)


class FakeEngine:
    """Every bright 4-connected patch is whatever is asked for, larger ones with a higher score.

    Some words make it misbehave: "crash", "memory", "slow" (works until it is cancelled), "nothing".
    """

    info = EngineInfo("fake", "Fake", ("hbb", "obb", "mask"), "nothing", "everything", "none", "1")

    def __init__(self):
        self.encoded = 0
        self.unloaded = 0
        self.asked = []
        self.is_slow = threading.Event()
        self.was_stopped = threading.Event()
        self.threads = set()

    def encode(self, tile, progress):
        self.encoded += 1
        progress("patches", 0, 1)
        return label((tile.rgb[0] > 200) & tile.valid)

    def find(self, encoding, phrase, progress):
        self.asked.append(phrase.text)
        self.threads.add(threading.get_ident())
        if "crash" in phrase.text:
            raise KeyError("the secret of the engine")
        if "memory" in phrase.text:
            raise MemoryError
        if "slow" in phrase.text:
            self._be_slow(progress)
        labels, count = encoding
        if "nothing" in phrase.text or count == 0:
            return Predictions(why_empty="There is none.", failed_part="target", notes=("A note.",))
        items = []
        for i, window in enumerate(find_objects(labels), start=1):
            mask = Mask(labels[window] == i, window[0].start, window[1].start)
            items.append(Prediction(round(min(0.9, 0.3 + mask.area / 1000), 3), phrase.category, mask))
        return Predictions(tuple(sorted(items, key=lambda p: -p.score)))

    def _be_slow(self, progress):
        self.is_slow.set()
        try:
            for i in range(2000):
                progress("waiting", i, 2000)
                time.sleep(0.01)
        finally:
            self.was_stopped.set()

    def unload(self):
        self.unloaded += 1


def registry(engine):
    return Registry({"fake": EngineSource(lambda: engine, "Fake")}, default="fake")


def patches(*boxes, height=60, width=80):
    """(3, row, col) uint8 with bright patches; a box is row, col, height, width."""
    pixels = np.full((3, height, width), 40, np.uint8)
    for row, col, rows, cols in boxes:
        pixels[:, row : row + rows, col : col + cols] = 250
    return pixels


def tile_bytes(pixels, *, affine=AFFINE, crs="EPSG:32631", nodata=None):
    count, height, width = pixels.shape
    profile = {"driver": "GTiff", "count": count, "height": height, "width": width, "dtype": "uint8", "nodata": nodata}
    with MemoryFile() as memory:
        with memory.open(**profile, transform=affine, crs=CRS.from_string(crs) if crs else None) as dataset:
            dataset.write(pixels)
        return bytes(memory.read())
