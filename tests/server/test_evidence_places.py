"""The places that only the training draws."""

import numpy as np
import pytest
from scipy.ndimage import label
from shapely.geometry import box

from inference_server.evaluation.scene_canvas import Canvas, Frame, Sun
from inference_server.evaluation.scene_ground import draw_ground
from inference_server.evaluation.scene_site import Site
from inference_server.evaluation.scene_themes import THEMES
from inference_server.evaluation.scenes import generate
from inference_server.training.evidence_blocks import draw_walls, parts_of_block, raise_block
from inference_server.training.evidence_data import FIRST_PLACE, generated_map
from inference_server.training.evidence_places import SITES, patchwork, place_of, wooded
from inference_server.training.evidence_places_built import city, stands
from inference_server.training.evidence_places_sites import FORMS, grounds, raise_vessel, works

SEEDS = range(FIRST_PLACE, FIRST_PLACE + 4)
PLACES = sorted({place_of(seed) for seed in (*range(20), *SITES[:20])}, key=lambda build: build.__name__)
COVER = ((0.5, 0.5, 0.5),)


def place(build, seed, gsd_m=0.4):
    return generate(seed, size_px=(256, 256), gsd_m=gsd_m, theme=build, expressions=0)


def site(side_px=200, gsd_m=0.5) -> Site:
    canvas = Canvas((side_px, side_px), gsd_m, Sun(0.3, 0.9), np.random.default_rng(0))
    draw_ground(canvas, "grass")
    return Site(canvas, 0.5, ("red",), ("gray",), 2.0)


@pytest.mark.parametrize(
    ("build", "shown"),
    [
        (wooded, {"building", "tree", "road", "grass"}),
        (patchwork, {"field", "road"}),
        (city, {"building", "road", "car"}),
        (stands, {"building", "airplane", "road"}),
        (works, {"tank", "building", "road", "bus", "bridge", "water"}),
        (grounds, {"pool", "road", "soccer field"}),
    ],
)
def test_each_place_shows_what_it_is_for(build, shown):
    scenes = [place(build, seed) for seed in SEEDS]
    assert shown <= {item.category for scene in scenes for item in scene.objects}
    assert all(scene.theme == build.__name__ for scene in scenes)


@pytest.mark.parametrize("build", PLACES)
def test_a_seed_is_a_picture_at_any_pixel_size(build):
    one, same, other = place(build, 1), place(build, 1), place(build, 2)
    assert np.array_equal(one.rgb, same.rgb)
    assert not np.array_equal(one.rgb, other.rgb)
    for gsd_m in (0.12, 0.6):
        assert place(build, 3, gsd_m).rgb.std() > 5


def test_none_of_them_is_drawn_where_the_seed_chooses():
    assert not {build.__name__ for build in PLACES} & set(THEMES)
    assert {generate(s, size_px=(64, 64), expressions=0).theme for s in range(12)} <= set(THEMES)


def test_the_maps_of_later_seeds_are_of_these_places(monkeypatch):
    asked = []

    def noted(seed, **options):
        asked.append(options["theme"])
        return generate(seed, **{**options, "size_px": (128, 128)})

    monkeypatch.setattr("inference_server.training.evidence_data.generate", noted)
    found = generated_map(FIRST_PLACE)
    assert found.on.shape == (128, 128)
    generated_map(FIRST_PLACE - 1)
    assert asked == [place_of(FIRST_PLACE), None]


@pytest.mark.parametrize("seed", range(12))
def test_a_block_of_several_parts_is_one_building_in_one_piece(seed):
    ground = site()
    ground.canvas.rng = np.random.default_rng(seed)
    parts = parts_of_block(ground)
    places = [Frame(50, 50, 0.4).shifted(u, v, turn) for u, v, turn, _, _ in parts]
    whole = raise_block(ground, places, [(a, b) for *_, a, b in parts], "gable", 8.0, (0.0, 0.0), COVER)
    assert [drawn.category for drawn in ground.canvas.drawn] == ["building"]
    seen = ground.canvas.owner == 1
    assert label(seen, np.ones((3, 3)))[1] == 1
    inside = whole.intersection(box(0, 0, 100, 100)).area
    assert seen.sum() * 0.25 == pytest.approx(inside, rel=0.06)


def test_walls_show_on_the_side_that_the_roof_leans_away_from():
    ground = site()
    owner = ground.canvas.register("building", "gray", np.zeros((4, 2)), area_m2=100, size_m=(10, 10))
    roof = ground.canvas.rect(Frame(50, 50, 0), 10, 10)
    ground.canvas.paint(roof, (0.5, 0.5, 0.5), owner=owner, height=10.0)
    before = ground.canvas.owner == owner
    draw_walls(ground, box(45, 45, 55, 55), owner, 10.0, (0.3, 0.0))
    added = (ground.canvas.owner == owner) & ~before
    rows, cols = np.nonzero(added)
    assert added.sum() * 0.25 == pytest.approx(30, rel=0.1)  # 10 m long, 10 m x 0.3 wide
    assert cols.min() * 0.5 >= 54.5
    assert rows.min() * 0.5 >= 44.5


def test_without_a_lean_no_wall_is_seen():
    ground = site()
    draw_walls(ground, box(45, 45, 55, 55), 1, 10.0, (0.01, 0.0))
    assert not ground.canvas.owner.any()


@pytest.mark.parametrize("form", FORMS)
def test_a_vessel_is_a_disc_with_its_wall_where_it_leans(form):
    ground = site()
    raise_vessel(ground, Frame(50, 50, 0), 8.0, 10.0, form=form, coat=0, lean=(0.0, 0.0))
    assert [drawn.category for drawn in ground.canvas.drawn] == ["tank"]
    seen = ground.canvas.owner == 1
    assert seen.sum() * 0.25 == pytest.approx(np.pi * 64, rel=0.03)
    leaning = site()
    raise_vessel(leaning, Frame(50, 50, 0), 8.0, 10.0, form=form, coat=0, lean=(0.5, 0.0))
    wall = (leaning.canvas.owner == 1) & ~seen
    assert wall.sum() * 0.25 == pytest.approx(5 * 16, rel=0.1)  # 10 m x 0.5 to the right, a diameter high
    assert np.nonzero(wall)[1].mean() * 0.5 > 54


def test_a_bridge_lies_over_the_water_and_carries_its_road():
    met = 0
    for seed in range(12):
        scene = place(works, seed)
        water = [item for item in scene.objects if item.category == "water"]
        for bridge in (item for item in scene.objects if item.category == "bridge"):
            x, y = bridge.hbb.x_min / 2 + bridge.hbb.x_max / 2, bridge.hbb.y_min / 2 + bridge.hbb.y_max / 2
            assert any(w.hbb.x_min <= x <= w.hbb.x_max and w.hbb.y_min <= y <= w.hbb.y_max for w in water)
            met += 1
    assert met >= 4
