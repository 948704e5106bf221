"""Generated scenes: the same from the same seed, truth that fits the pixels, expressions that name one thing."""

from __future__ import annotations

import json
import math
from collections import Counter

import numpy as np
import pytest
import rasterio
from rasterio import transform

from inference_server.evaluation.scene_expressions import KINDS
from inference_server.evaluation.scene_palette import CONFUSED, PALETTE, WEIGHTS
from inference_server.evaluation.scene_themes import THEMES
from inference_server.evaluation.scene_words import COLOR_WORDS
from inference_server.evaluation.scenes import Scene, SceneObject, generate, write_geotiff, write_truth
from inference_server.geometry import obb_corners

#: Seeds of the scenes that the tests share; small ones, so that twenty take seconds.
SEEDS = range(20)


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [generate(seed, size_px=(512, 640), gsd_m=0.35) for seed in SEEDS]


def test_a_seed_gives_the_same_scene_again() -> None:
    one, two = (generate(5, size_px=(200, 260), gsd_m=0.5) for _ in range(2))
    assert np.array_equal(one.rgb, two.rgb)
    assert [o.id for o in one.objects] == [o.id for o in two.objects]
    assert all(np.array_equal(a.mask.pixels, b.mask.pixels) for a, b in zip(one.objects, two.objects, strict=True))
    assert one.expressions == two.expressions


def test_seeds_differ() -> None:
    one, two = (generate(seed, size_px=(160, 160), gsd_m=0.5) for seed in (1, 2))
    assert not np.array_equal(one.rgb, two.rgb)


@pytest.mark.parametrize(
    ("size_px", "gsd_m"), [((300, 517), 0.8), ((256, 256), 0.1), ((128, 700), 1.2), ((64, 64), 0.5)]
)
@pytest.mark.parametrize("theme", list(THEMES))
def test_any_size_and_pixel_size(theme: str, size_px: tuple[int, int], gsd_m: float) -> None:
    scene = generate(3, size_px=size_px, gsd_m=gsd_m, theme=theme)
    assert scene.rgb.shape == (3, *size_px)
    assert scene.rgb.dtype == np.uint8
    assert scene.theme == theme
    assert scene.affine.a == pytest.approx(gsd_m)
    assert scene.objects
    assert float(scene.rgb.std()) > 5


@pytest.mark.parametrize("wrong", [{"theme": "lunar"}, {"size_px": (10, 500)}, {"gsd_m": 0.0}, {"gsd_m": float("nan")}])
def test_wrong_arguments_say_what_was_expected(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="expected"):
        generate(1, **wrong)  # type: ignore[arg-type]


def test_boxes_enclose_masks(scenes: list[Scene]) -> None:
    for scene in scenes[:6]:
        for item in scene.objects:
            rows, cols = np.nonzero(item.mask.pixels)
            assert (item.hbb.y_min, item.hbb.y_max) == (item.mask.row + rows.min(), item.mask.row + rows.max() + 1)
            assert (item.hbb.x_min, item.hbb.x_max) == (item.mask.col + cols.min(), item.mask.col + cols.max() + 1)
            turn = math.radians(item.obb.angle)
            x = cols + 0.5 + item.mask.col - item.obb.cx
            y = rows + 0.5 + item.mask.row - item.obb.cy
            along = x * math.cos(turn) + y * math.sin(turn)
            across = y * math.cos(turn) - x * math.sin(turn)
            assert np.abs(along).max() <= item.obb.width / 2 + 1e-6
            assert np.abs(across).max() <= item.obb.height / 2 + 1e-6


def test_a_pixel_belongs_to_one_thing_but_for_what_carries_others(scenes: list[Scene]) -> None:
    carriers = {"parking lot", "road", "bridge", "runway"}
    for scene in scenes[:6]:
        count = np.zeros(scene.valid.shape, int)
        for item in scene.objects:
            if item.category not in carriers:
                count += item.mask.full(scene.valid.shape)
        assert count.max() == 1


def test_what_is_under_a_tree_is_cut() -> None:
    for seed in range(30):
        scene = generate(seed, size_px=(400, 400), gsd_m=0.3, theme="residential")
        hidden = [o for o in scene.objects if o.category in ("building", "car") and not o.is_cut and o.visible < 0.9]
        trees = np.zeros(scene.valid.shape, bool)
        for item in scene.objects:
            if item.category == "tree":
                trees |= item.mask.full(scene.valid.shape)
        for item in hidden:
            assert not (item.mask.full(scene.valid.shape) & trees).any()
        if hidden:
            return
    pytest.fail("expected something to be partly hidden in thirty residential scenes")


def test_pixels_show_the_colour_that_the_truth_names(scenes: list[Scene]) -> None:
    """Among large roofs, the painted colour's own channel order survives haze and white balance."""
    seen = Counter()
    for scene in scenes:
        for item in scene.objects:
            if item.category in ("building", "container", "tank") and item.visible > 0.9 and item.mask.area > 150:
                red, green, blue = item.mean_rgb
                if item.color == "red":
                    seen["red", red > green and red > blue] += 1
                elif item.color == "blue":
                    seen["blue", blue > red] += 1
                elif item.color == "white":
                    seen["white", min(item.mean_rgb) > 95] += 1
    for color in ("red", "blue", "white"):
        assert seen[color, True] >= 3
        assert seen[color, True] >= 0.95 * (seen[color, True] + seen[color, False])


def test_themes_have_what_they_are_named_for() -> None:
    wanted = {"residential": "building", "urban": "building", "industrial": "building", "harbour": "ship",
              "airport": "airplane", "rural": "road", "sports": "parking lot", "mixed": "water"}  # fmt: skip
    for theme, category in wanted.items():
        found = [category in {o.category for o in generate(s, size_px=(500, 500), gsd_m=0.6, theme=theme,
                                                           expressions=0).objects} for s in range(3)]  # fmt: skip
        assert sum(found) >= 2, theme


def test_palette_is_symmetric_and_complete() -> None:
    assert set(CONFUSED) == set(PALETTE)
    for name, others in CONFUSED.items():
        assert name not in others
        assert all(name in CONFUSED[other] for other in others), name
    assert all(color in PALETTE for weights in WEIGHTS.values() for color in weights)


# Expressions ------------------------------------------------------------------------------------------------------


def _of(scene: Scene, category: str) -> list[SceneObject]:
    group = {"vehicle": {"car", "bus", "truck"}, "court": {"tennis court", "basketball court"}}
    return [o for o in scene.objects if o.category in group.get(category, {category})]


def test_all_kinds_occur(scenes: list[Scene]) -> None:
    kinds = Counter(e.kind for s in scenes for e in s.expressions)
    assert set(kinds) == set(KINDS)
    assert sum(kinds.values()) >= 300
    assert 0.08 <= kinds["negative"] / sum(kinds.values()) <= 0.25


def test_targets_are_large_enough_and_seen(scenes: list[Scene]) -> None:
    for scene in scenes:
        for expression in scene.expressions:
            for item in map(scene.object, expression.target_ids):
                assert math.sqrt(item.mask.area) >= 8
                assert item.visible >= 0.6
                assert not item.is_cut or item.category in ("water", "road", "runway")


def test_texts_are_different_and_plain(scenes: list[Scene]) -> None:
    for scene in scenes:
        texts = [e.text.lower() for e in scene.expressions]
        assert len(set(texts)) == len(texts)
        assert all(t.strip() == t and "  " not in t and "{" not in t for t in texts)


def test_categories_alone_name_the_only_one(scenes: list[Scene]) -> None:
    for scene in scenes:
        for e in (e for e in scene.expressions if e.kind == "category"):
            alive = [o for o in _of(scene, e.category) if o.visible >= 0.15]
            assert [o.id for o in alive] == list(e.target_ids), e.text


def test_colours_name_the_only_one(scenes: list[Scene]) -> None:
    for scene in scenes:
        for e in (e for e in scene.expressions if e.kind == "color"):
            target = scene.object(e.target_ids[0])
            rivals = [o for o in _of(scene, e.category) if o is not target and o.visible >= 0.15]
            assert rivals
            assert all(o.color != target.color and o.color not in CONFUSED[target.color] for o in rivals), e.text


def _named_by(scene: Scene, expression_text: str, category: str, target: SceneObject) -> list[SceneObject]:
    """The class, or those of the target's colour where the text names a colour."""
    words = {"gray": ("gray", "grey"), "light gray": ("light gray", "light grey", "silver"), "tan": ("tan", "beige"),
             "dark gray": ("dark gray", "dark grey"), "orange": ("orange", "terracotta"),
             "turquoise": ("turquoise", "cyan")}.get(target.color, (target.color,))  # fmt: skip
    items = [o for o in _of(scene, category) if o.visible >= 0.15]
    return [o for o in items if o.color == target.color] if any(w in expression_text for w in words) else items


def test_extremes_lead_by_a_margin(scenes: list[Scene]) -> None:
    checked = Counter()
    for scene in scenes:
        for e in (e for e in scene.expressions if e.kind == "superlative"):
            if any(f" {p} " in f" {e.text} " for p in ("in", "on", "at")):
                continue  # restricted to a part of the picture
            target = scene.object(e.target_ids[0])
            rivals = [o for o in _named_by(scene, e.text, e.category, target) if o is not target]
            if any(w in e.text for w in ("largest", "biggest")):
                assert all(target.mask.area >= 1.25 * o.mask.area for o in rivals), e.text
                checked["largest"] += 1
            elif any(w in e.text for w in ("leftmost", "westernmost")):
                assert all(target.hbb.x_min <= o.hbb.x_min and target.center[0] < o.center[0] - 5 for o in rivals), (
                    e.text
                )
                checked["leftmost"] += 1
            elif any(w in e.text for w in ("topmost", "northernmost", "uppermost")):
                assert all(target.hbb.y_min <= o.hbb.y_min and target.center[1] < o.center[1] - 5 for o in rivals), (
                    e.text
                )
                checked["topmost"] += 1
    assert min(checked["largest"], checked["leftmost"], checked["topmost"]) >= 1
    assert checked.total() >= 6


def test_ordinals_count_from_the_left(scenes: list[Scene]) -> None:
    checked = 0
    ranks = {"second": 1, "third": 2, "fourth": 3}
    for scene in scenes:
        for e in (e for e in scene.expressions if e.kind == "order" and "from the left" in e.text):
            target = scene.object(e.target_ids[0])
            items = sorted(_named_by(scene, e.text, e.category, target), key=lambda o: o.center[0])
            rank = next(r for w, r in ranks.items() if w in e.text)
            assert items[rank] is target, e.text
            checked += 1
    assert checked >= 3


@pytest.mark.parametrize(("words", "axis", "sign"), [
    (("left of", "on the left of"), 0, -1), (("right of",), 0, 1), (("above ",), 1, -1), (("below ",), 1, 1),
])  # fmt: skip
def test_directions_hold_for_the_target_alone(
    scenes: list[Scene], words: tuple[str, ...], axis: int, sign: int
) -> None:
    checked = 0
    for scene in scenes:
        for e in scene.expressions:
            if e.kind != "relation" or not any(w in e.text for w in words) or not e.anchor_ids:
                continue
            target, anchor = scene.object(e.target_ids[0]), scene.object(e.anchor_ids[0])
            if anchor.category in ("road", "water", "runway", "field"):
                continue
            assert sign * (target.center[axis] - anchor.center[axis]) > 0, e.text
            for rival in _named_by(scene, e.text.split(words[0])[0], e.category, target):
                if rival is target or rival is anchor:
                    continue
                dx, dy = (rival.center[k] - anchor.center[k] for k in (0, 1))
                main, cross = (dx, dy) if axis == 0 else (dy, dx)
                straight = sign * main > 0 and abs(cross) < 0.6 * abs(main)
                nearer = math.dist(rival.center, anchor.center) <= math.dist(target.center, anchor.center)
                assert not (straight and nearer), e.text
            checked += 1
    assert checked >= 1


def test_groups_are_complete(scenes: list[Scene]) -> None:
    checked = 0
    for scene in scenes:
        for e in (e for e in scene.expressions if e.kind == "number"):
            assert len(e.target_ids) >= 2
            for word, count in (("two", 2), ("three", 3), ("four", 4)):
                if f"{word} " in e.text:
                    assert len(e.target_ids) == count, e.text
            first = scene.object(e.target_ids[0])
            if not any(f" {p} " in f" {e.text} " for p in ("in", "on", "at")):
                named = _named_by(scene, e.text, e.category, first)
                assert {o.id for o in named} == set(e.target_ids), e.text
                checked += 1
    assert checked >= 5


def test_between_lies_between(scenes: list[Scene]) -> None:
    found = [(s, e) for s in scenes for e in s.expressions if e.kind == "between"]
    assert found
    for scene, e in found:
        target, (one, two) = scene.object(e.target_ids[0]), map(scene.object, e.anchor_ids)
        span = np.array(two.center) - one.center
        share = float((np.array(target.center) - one.center) @ span / (span @ span))
        assert 0.2 < share < 0.8, e.text


def test_negatives_name_nothing(scenes: list[Scene]) -> None:
    """By class and colour; places and relations are checked by distance."""
    found = [(s, e) for s in scenes for e in s.expressions if e.kind == "negative"]
    assert len(found) >= 20
    for scene, e in found:
        assert e.target_ids == ()
        items = _of(scene, e.category)
        words = f" {e.text} ".replace("?", " ").replace(".", " ")
        colors = [c for c in PALETTE if any(f" {w} " in words for w in COLOR_WORDS.get(c, (c,)))]
        placed = any(f" {p} " in f" {e.text} " for p in ("in", "on", "next"))
        if not items or placed:
            continue
        assert colors, e.text
        assert all(o.color not in colors and not (set(colors) & CONFUSED[o.color]) for o in items), e.text


def test_negative_places_are_empty(scenes: list[Scene]) -> None:
    for scene in scenes:
        rows, cols = scene.valid.shape
        for e in (e for e in scene.expressions if e.kind == "negative" and "in the upper left" in e.text):
            assert not [o for o in _of(scene, e.category) if o.center[0] < cols / 2 and o.center[1] < rows / 2], e.text


# Files ------------------------------------------------------------------------------------------------------------


def test_files_hold_the_scene(tmp_path, scenes: list[Scene]) -> None:  # type: ignore[no-untyped-def]
    scene = scenes[0]
    write_geotiff(scene, tmp_path / "scene.tif")
    write_truth(scene, tmp_path / "scene.geojson")
    with rasterio.open(tmp_path / "scene.tif") as dataset:
        assert np.array_equal(dataset.read(), scene.rgb)
        assert dataset.crs == scene.crs
        assert dataset.transform == scene.affine
        assert np.array_equal(dataset.dataset_mask() > 0, scene.valid)
    truth = json.loads((tmp_path / "scene.geojson").read_text())
    features = truth["features"]
    assert len(features) == 3 * len(scene.objects)
    item = scene.objects[0]
    mine = {f["properties"]["geometry"]: f for f in features if f["properties"]["id"] == item.id}
    assert set(mine) == {"hbb", "obb", "mask"}
    assert mine["mask"]["properties"]["class"] == item.category
    item_x, item_y = obb_corners(item.obb)[0]
    corner = transform.xy(scene.affine, item_y, item_x, offset="ul")
    assert mine["obb"]["geometry"]["coordinates"][0][0] == pytest.approx(corner)
    assert len(truth["expressions"]) == len(scene.expressions)


def test_missing_corner_is_written_as_mask(tmp_path) -> None:  # type: ignore[no-untyped-def]
    for seed in range(60):
        scene = generate(seed, size_px=(96, 96), gsd_m=1.0, expressions=0)
        if not scene.valid.all():
            break
    else:
        pytest.fail("expected one of sixty scenes to lack a corner")
    assert not any((o.mask.full(scene.valid.shape) & ~scene.valid).any() for o in scene.objects)
    write_geotiff(scene, tmp_path / "corner.tif")
    with rasterio.open(tmp_path / "corner.tif") as dataset:
        assert np.array_equal(dataset.dataset_mask() > 0, scene.valid)


def test_a_road_goes_on_over_its_bridge() -> None:
    checked = 0
    for seed in range(12):
        scene = generate(seed, size_px=(300, 300), gsd_m=0.8, theme="mixed", expressions=0)
        for bridge in (o for o in scene.objects if o.category == "bridge"):
            road = scene.object(bridge.host)
            on_road = road.mask.full(scene.valid.shape)
            assert not (bridge.mask.full(scene.valid.shape) & ~on_road).any()
            checked += 1
    assert checked >= 3
