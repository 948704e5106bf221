"""Objects of a scene as columns: what they cost in memory, their ids, their shapes by key."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import rasterio
import shapely
from fake_engine import AFFINE
from shapely.geometry import MultiPolygon

from inference_server.batch.grid import margin_px, phrases_of
from inference_server.batch.journal import Journal
from inference_server.batch.objects import Shelf
from inference_server.batch.resolving import Chosen, SceneObjects, numbered
from inference_server.batch.scene import open_scene
from inference_server.batch.tiles import Piece, TileAnswer
from inference_server.expression import parse

EXPRESSION = parse("white houses")
PHRASES = {phrase: number for number, phrase in enumerate(phrases_of(EXPRESSION))}
#: Corners of an outline: shapes that are kept would show.
CORNERS = 80


def journal_of(path, side, a_tile):
    """A scene of that side, and a journal with so many round things in each of its tiles."""
    profile = {"count": 3, "height": side, "width": side, "dtype": "uint8", "tiled": True, "SPARSE_OK": True}
    profile["transform"] = AFFINE
    with rasterio.open(path / f"{side}.tif", "w", driver="GTiff", crs="EPSG:32631", **profile):
        pass
    scene = open_scene(str(path / f"{side}.tif"), margin=lambda gsd: margin_px(PHRASES, gsd), is_coarse_wanted=False)
    journal = Journal.open(path / f"{side}.gpkg", {})
    rng = np.random.default_rng(0)
    for number, tile in enumerate(scene.fine.tiles):
        low, high = np.array(tile.core.bounds[:2]) + 20, np.array(tile.core.bounds[2:]) - 20
        pieces = [
            Piece(0, 0.5, "house", 0.9, "mask", MultiPolygon([shapely.Point(xy).buffer(8, CORNERS // 4)]), False)
            for xy in rng.uniform(low, high, (a_tile, 2))
        ]
        journal.add_tile(0, 0, number, TileAnswer(tuple(pieces)), 1.0)
    return scene, journal


def peak_bytes(scene, journal):
    """What resolving takes at most, and how many objects it finds."""
    tracemalloc.start()
    try:
        resolution = SceneObjects(journal, 0, scene, PHRASES).resolved(EXPRESSION)
        chosen = Chosen.of(resolution.items, scene)
        return tracemalloc.get_traced_memory()[1], len(chosen.ids)
    finally:
        tracemalloc.stop()
        journal.close()


def test_an_object_costs_far_less_memory_than_its_outline(tmp_path):
    small, few = peak_bytes(*journal_of(tmp_path, 3072, 150))
    large, many = peak_bytes(*journal_of(tmp_path, 7168, 150))
    assert few == 9 * 150
    assert many == 49 * 150
    assert (large - small) / (many - few) < 500 < CORNERS * 16


def test_ids_given_twice_are_told_apart_over_all_scenes():
    first, second = np.array([b"a", b"b", b"a"], "S24"), np.array([b"a", b"c"], "S24")
    assert [part.tolist() for part in numbered([first, second])] == [[b"a", b"b", b"a-2"], [b"a-3", b"c"]]
    assert [part.tolist() for part in numbered([first[:0]])] == [[]]


def test_shapes_come_in_the_order_asked_whoever_made_them(tmp_path):
    _, journal = journal_of(tmp_path, 1024, 5)
    shelf = Shelf(journal, 0)
    ((objects, shapes),) = shelf.pieces(0, 0)
    box = MultiPolygon([shapely.box(0, 0, 1, 1)])
    key = shelf.put(box)
    assert key < 0
    asked = [*objects["key"][[3, 1]].tolist(), key, int(objects["key"][3])]
    assert shelf.shapes(asked).tolist() == [shapes[3], shapes[1], box, shapes[3]]
    assert objects["area"] == pytest.approx(shapely.area(shapes))
    journal.close()
