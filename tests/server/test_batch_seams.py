"""Objects on every kind of seam come back whole and once."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from batch_scenes import pixel_boxes, planted, run

from inference_server.batch.grid import Box, bare, margin_px, phrases_of, tiles_of, typical_m
from inference_server.batch.scene import open_scene
from inference_server.expression import parse

#: At 0.5 m a pixel houses make an overlap of 120; 2300 pixels are cores with seams at 767 and 1533.
SIDE, SEAMS, MARGIN = 2300, (768, 1536), 120


def test_the_numbers_above(tmp_path):
    path = planted(tmp_path / "a.tif", height=SIDE, width=SIDE)
    scene = open_scene(str(path), margin=lambda gsd: margin_px(phrases_of(parse("houses")), gsd), is_coarse_wanted=True)
    assert scene.margin == MARGIN
    assert {tile.core.col_0 for tile in scene.fine.tiles} == {0, *SEAMS}
    assert len(scene.fine.tiles) == 9
    assert scene.coarse is not None


def around(row, col, height, width):
    """A rectangle with its middle there."""
    return row - height // 2, col - width // 2, height, width


A, B = SEAMS
CASES = {
    "on a vertical seam": [around(300, A, 40, 60)],
    "on a horizontal seam": [around(A, 300, 60, 40)],
    "a pixel over the seam": [(300, A - 59, 40, 60), (400, A - 1, 40, 60)],
    "touching the seam": [(300, A - 60, 40, 60), (400, A, 40, 60)],
    "on a corner of four": [around(A, A, 61, 61)],
    "with a corner on the corner": [(A, A, 50, 50), (A - 50, B, 50, 50)],
    "at the ends of windows": [(300, A + MARGIN - 30, 40, 60), (400, A - MARGIN - 30, 40, 60)],
    "ending where a window ends": [(300, A + MARGIN - 60, 40, 60), (400, A + MARGIN, 40, 60)],
    "longer than the overlap": [around(300, A, 40, 2 * MARGIN + 101)],
    "mostly in one tile": [(300, A - 400, 40, 401 + MARGIN + 5)],
    "over three tiles": [(300, 500, 40, 1300)],
    "over nine tiles": [(500, 500, 1300, 1300)],
    "neighbours two pixels apart over a seam": [(300, A - 41, 40, 40), (300, A + 1, 40, 40)],
    "at the raster's edges": [(0, A - 20, 40, 40), (SIDE - 40, B - 20, 40, 40), (B - 20, 0, 40, 40), (0, 0, 30, 30)],
    "larger than a tile beside small ones": [(200, 100, 300, 2100), (600, A - 10, 20, 20), (600, 900, 20, 20)],
}


@pytest.mark.parametrize("boxes", CASES.values(), ids=CASES.keys())
def test_objects_on_seams_are_whole_and_once(tmp_path, boxes):
    path = planted(tmp_path / "a.tif", *boxes, height=SIDE, width=SIDE)
    output = tmp_path / "out.gpkg"
    result = run(path, ["houses"], output)
    assert pixel_boxes(output) == pixel_boxes(output, "boxes") == sorted(boxes)
    assert result.findings[0].count == len(boxes)


def test_many_objects_equal_those_of_one_tile(tmp_path):
    rng = np.random.default_rng(4)
    boxes = [
        (int(r), int(c), int(rng.integers(5, 90)), int(rng.integers(5, 90)))
        for r in range(3, SIDE - 95, 100)
        for c in range(3, SIDE - 95, 100)
    ]
    path = planted(tmp_path / "a.tif", *boxes, height=SIDE, width=SIDE)
    run(path, ["houses"], tmp_path / "out.gpkg")
    assert pixel_boxes(tmp_path / "out.gpkg") == sorted(boxes)


def test_tiles_cover_a_raster_once():
    tiles = tiles_of(2500, 1900, margin=100, core_px=600)
    seen = np.zeros((1900, 2500), np.uint8)
    for tile in tiles:
        seen[tile.core.row_0 : tile.core.row_1, tile.core.col_0 : tile.core.col_1] += 1
        assert tile.window.col_0 == max(0, tile.core.col_0 - 100)
        assert tile.window.row_1 == min(1900, tile.core.row_1 + 100)
    assert (seen == 1).all()
    assert len(tiles_of(1200, 700, margin=100, core_px=1000)) == 1  # one window holds it
    inner = [edge for tile in tiles for edge in (tile.core.col_0, tile.core.row_0, tile.window.col_0)]
    assert {edge % 4 for edge in inner} == {0}


def test_tiles_of_an_area_cover_what_it_spans():
    area = shapely.box(1301.5, 203.2, 2100, 1000)
    (tile,) = tiles_of(9000, 9000, margin=100, core_px=1000, area=area)
    assert tile.core == Box(1296, 200, 2100, 1000)
    assert tile.window == Box(1196, 100, 2200, 1100)
    two = shapely.union_all([area, shapely.box(8500, 8500, 9900, 9900)])
    tiles = tiles_of(9000, 9000, margin=100, core_px=1000, area=two)
    assert shapely.union_all([shapely.box(*t.core.bounds) for t in tiles]).covers(area)
    assert len(tiles) < 8, "those between the parts are left out"
    assert tiles_of(9000, 9000, margin=100, area=shapely.box(-50, -50, -10, -10)) == ()


def test_phrases_are_all_that_the_engine_is_asked():
    expression = parse("the largest white tank left of the road near a lake")
    assert {phrase.category for phrase in phrases_of(expression)} == {"tank", "road", "lake"}
    assert all(phrase == bare(phrase) for phrase in phrases_of(expression))


def test_overlap_follows_what_is_looked_for():
    cars, houses = (phrases_of(parse(text)) for text in ("cars", "houses"))
    assert typical_m(cars[0]) < typical_m(houses[0])
    assert margin_px(cars, 0.1) == 80
    assert margin_px(cars, 1.0) == 48  # at least
    assert margin_px(houses, 0.1) == 256  # at most
