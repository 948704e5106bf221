"""Places that only the training draws: wooded housing estates by the water and patchworks of fields.

The themes of ``inference_server.evaluation.scene_themes`` are open and tidy, and what counts is measured on them: they
stay as they are. Real towns are crowded with trees, their roofs long, bent or built around a yard, gravelled, greened
or dark, and seen a little from the side; real fields have any shape.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from shapely.geometry import LineString, MultiPoint, Polygon, box
from shapely.geometry.base import BaseGeometry
from shapely.ops import unary_union, voronoi_diagram

from inference_server.evaluation.scene_buildings import draw_building
from inference_server.evaluation.scene_canvas import Color, Frame
from inference_server.evaluation.scene_clutter import ground_only, lay_parcel
from inference_server.evaluation.scene_ensembles import build_court, build_tanks, one_of, stack_containers
from inference_server.evaluation.scene_facilities import draw_pool, draw_tank
from inference_server.evaluation.scene_ground import (
    FIELD_COLORS,
    draw_grass,
    draw_ground,
    draw_slab,
    draw_water,
    sides_of,
)
from inference_server.evaluation.scene_palette import pick_name
from inference_server.evaluation.scene_placing import build_parking, drive_traffic, lay_roads, plant_row
from inference_server.evaluation.scene_site import Site, along, crossing
from inference_server.evaluation.scene_themes import Theme
from inference_server.evaluation.scene_vehicles import draw_ship
from inference_server.training.evidence_blocks import (
    Lean,
    build_block,
    draw_walls,
    furnish_streets,
    plant_woods,
    roof_color,
    some_covers,
    some_lean,
    top,
    wavy,
)
from inference_server.training.evidence_places_built import city, stands
from inference_server.training.evidence_places_sites import grounds, works

#: Beside those of ``scene_ensembles.WATERS``: brown, green and dark.
MURKY: tuple[Color, ...] = (
    (0.15, 0.20, 0.24), (0.20, 0.27, 0.28), (0.26, 0.31, 0.24), (0.36, 0.33, 0.25), (0.12, 0.16, 0.15),
)  # fmt: skip


#: Scenes of these seeds show works and sports grounds.
SITES = range(21_200, 30_000)


def place_of(seed: int) -> Theme:
    """The place that the scene of that seed shows."""
    places = (works, grounds) if seed in SITES else (wooded, city, patchwork, wooded, stands)
    return places[seed % len(places)]


def wooded(site: Site) -> frozenset[str]:
    """An estate among trees: slabs, bent blocks, yards, cottages, allotments, now and then works; often at a bank."""
    rng = site.rng
    draw_ground(site.canvas, one_of(site, ("grass", "grass", "grass", "grass", "dry", "dry", "paved")))
    wide, high = site.extent
    lean = some_lean(site)
    water = _bank(site) if rng.random() < 0.45 else None
    flip = bool(rng.random() < 0.5)
    bend = min(wide, high) * float(rng.uniform(0.0, 0.12))
    plans = [
        (
            crossing(site, horizontal=flip != (k % 2 == 1), at=float(rng.uniform(0.1, 0.9)), bend=bend,
                     tilt=float(rng.uniform(-0.25, 0.25))),
            float(rng.choice([4.5, 6.0, 8.0, 12.0])),
            "dirt" if rng.random() < 0.12 else "asphalt",
        )
        for k in range(int(rng.integers(1, 4)))
    ]  # fmt: skip
    _lay_ashore(site, plans, water)
    for _ in range(int(rng.integers(0, 3))):
        build_parking(site, aisles=int(rng.integers(1, 3)), share=(0.1, 0.95))
    if rng.random() < 0.25:
        build_court(site, one_of(site, ("tennis court", "basketball court")))
    is_works = rng.random() < 0.3
    if is_works:
        _works(site, lean)
    turns = [float(rng.uniform(0, math.pi)) for _ in range(int(rng.integers(1, 4)))]
    hectares = min(wide * high / 1e4, 16.0)
    covers = some_covers(site)
    for _ in range(int(hectares * rng.uniform(1.5, 7))):
        build_block(site, float(rng.choice(turns)) + float(rng.normal(0, 0.08)), lean, covers)
    for _ in range(int(hectares * rng.uniform(0, 8))):
        _cottage(site, float(rng.choice(turns)) + math.pi / 2 * int(rng.integers(2)) + float(rng.normal(0, 0.15)), lean)
    if rng.random() < 0.35:
        _allotments(site, float(rng.choice(turns)))
    furnish_streets(site, planted=0.5, apart_m=(6, 12), offset_m=2.4, parked=0.6, traffic_m=(30, 150), heavy=0.12)
    if water is not None:
        _moor(site, water)
    for _ in range(int(rng.integers(1, 5))):
        _lawn(site)
    plant_woods(site, per_ha=float(rng.choice([10, 40, 90, 160])), belts=int(rng.integers(0, 4)), water=water)
    return frozenset({"grass", "field"})


def patchwork(site: Site) -> frozenset[str]:
    """Fields of any shape with banks between them, lanes, sheds and woods."""
    rng = site.rng
    draw_ground(site.canvas, one_of(site, ("grass", "dry", "soil")))
    wide, high = site.extent
    lean = some_lean(site)
    turn, cell = float(rng.uniform(0, math.pi)), float(rng.choice([18, 35, 60, 110]))
    water = _bank(site) if rng.random() < 0.4 else None
    bend = min(wide, high) * float(rng.uniform(0.0, 0.1))
    plans = [
        (crossing(site, horizontal=bool(rng.random() < 0.5), at=float(rng.uniform(0.1, 0.9)), bend=bend),
         float(rng.choice([3.0, 4.5, 6.5])), one_of(site, ("asphalt", "dirt", "dirt")))
        for _ in range(int(rng.integers(1, 3)))
    ]  # fmt: skip
    _lay_ashore(site, plans, water)
    for _ in range(int(rng.integers(1, 8))):
        _cottage(site, turn + float(rng.normal(0, 0.3)), lean, near_road=True)
    lanes = unary_union([road.line.buffer(road.width / 2 + 1.5) for road in site.roads])
    usual = [pick_name("field", rng) for _ in range(2)]
    bank = float(rng.uniform(0.4, 2.5))
    for shape in _cells(site, cell, turn):
        inner = shape.buffer(-bank / 2 - float(rng.uniform(0, 0.8))).difference(lanes)
        parts = [part for part in getattr(inner, "geoms", [inner]) if part.area > 60]
        if parts and rng.random() < 0.85:
            color = usual[int(rng.integers(2))] if rng.random() < 0.75 else pick_name("field", rng)
            _field(site, max(parts, key=lambda part: part.area), color, turn)
    for road in site.roads:
        drive_traffic(site, road, spacing_m=150, heavy=0.2)
        if rng.random() < 0.4:
            plant_row(site, road, spacing_m=10, offset_m=3)
    plant_woods(site, per_ha=float(rng.uniform(0, 25)), belts=int(rng.integers(0, 4)), water=None)
    return frozenset({"grass"})


def _bank(site: Site) -> BaseGeometry:
    """A lake or a river at or across the place; takes its ground."""
    rng = site.rng
    wide, high = site.extent
    line = crossing(site, horizontal=bool(rng.random() < 0.5), at=float(rng.uniform(0.0, 1.0)), bend=wide * 0.1,
                    tilt=float(rng.uniform(-0.3, 0.3)))  # fmt: skip
    half = min(float(rng.choice([4.0, 12.0, 30.0, 70.0])) * float(rng.uniform(0.7, 1.3)), 0.35 * wide)
    outline = line.buffer(half)
    for _ in range(int(rng.integers(0, 4))):
        at = line.interpolate(float(rng.uniform(0, 1)), normalized=True)
        outline = outline.union(at.buffer(float(rng.uniform(0.1, 0.3)) * min(wide, high)))
    tone = one_of(site, MURKY)
    shape = outline.intersection(box(-60, -60, wide + 60, high + 60))
    draw_water(site.canvas, shape, bank_m=float(rng.uniform(0, 2)), tone=tone, shape="irregular")
    patch = site.canvas.area(shape)
    if patch is not None and rng.random() < 0.4:
        # The sun on ripples, or birds.
        grain = site.canvas.noise.window(0.25, patch.window, 3)
        far = site.canvas.noise.window(40.0, patch.window, 5)
        glints = np.clip((grain - 2.3) * 2, 0, 1) * np.clip(far - 0.2, 0, 1)
        site.canvas.paint(patch, (0.9, 0.92, 0.92), opacity=glints.astype(np.float32))
    site.take_shape(shape.buffer(1.5))
    return shape


def _lay_ashore(site: Site, plans: list[tuple[LineString, float, str]], water: BaseGeometry | None) -> None:
    """Lays the roads that keep clear of the water."""
    lay_roads(site, [plan for plan in plans if water is None or not plan[0].buffer(plan[1]).intersects(water)])


def _moor(site: Site, water: BaseGeometry) -> None:
    """Boats along the bank."""
    rng = site.rng
    shore = water.buffer(-3.0).boundary.intersection(box(0, 0, *site.extent))
    for _ in range(int(rng.integers(0, 9))):
        if shore.is_empty:
            return
        away = float(rng.uniform(0, shore.length))
        at, ahead = shore.interpolate(away), shore.interpolate(away + 1.0)
        angle = math.atan2(ahead.y - at.y, ahead.x - at.x) + float(rng.choice([0.0, math.pi]))
        length = float(np.clip(rng.lognormal(2.1, 0.4), 4, 30))
        draw_ship(site.canvas, Frame(at.x, at.y, angle + float(rng.normal(0, 0.1))), color=pick_name("ship", rng),
                  length=length, moving=False)  # fmt: skip


def _cottage(site: Site, turn: float, lean: Lean, *, near_road: bool = False) -> None:
    """A house, a shed or a garage of any colour, with a garden."""
    rng, canvas = site.rng, site.canvas
    length, width = float(rng.uniform(4, 18)), float(rng.uniform(3.5, 11))
    if near_road and site.roads:
        road = one_of(site, site.roads)
        side = float(rng.choice([-1, 1])) * (road.width / 2 + float(rng.uniform(4, 14)) + width / 2)
        frame: Frame | None = along(road.line, float(rng.uniform(0, road.line.length)), side)
        if frame is not None and not site.is_free(frame, length + 1, width + 1):
            return
    else:
        frame = site.find(length + 1, width + 1, angle=turn, tries=8, inside=False)
    if frame is None:
        return
    lay_parcel(site, frame, length + float(rng.uniform(2, 14)), width + float(rng.uniform(2, 14)))
    site.take(frame, length + 1, width + 1)
    roof = str(rng.choice(["gable", "hip", "metal", "flat"], p=[0.45, 0.2, 0.2, 0.15]))
    # A plain red roof on a lawn is no court.
    _, color = roof_color(rng, roof, painted=0.5)
    height = float(rng.uniform(2.2, 6.5))
    owner = draw_building(canvas, frame, length, width, roof=roof, color=color, height=height)
    draw_walls(site, Polygon(frame.rectangle(length, width)), owner, height, lean)
    if rng.random() < 0.12:
        spot = frame.shifted(0, width / 2 + 6)
        if site.is_free(spot, 11, 7):
            site.take(spot, 11, 7)
            draw_pool(canvas, spot, 8, 4, shape=str(rng.choice(["rectangular", "kidney-shaped", "round"])))


def _works(site: Site, lean: Lean) -> None:
    """Halls with strips of light, silos of every size, sheds and heaps on a yard."""
    rng, canvas = site.rng, site.canvas
    turn = float(rng.uniform(0, math.pi))
    yard = (float(rng.uniform(50, 130)), float(rng.uniform(40, 90)))
    frame = site.find(*yard, angle=turn, tries=20, inside=False)
    if frame is None:
        return
    draw_slab(canvas, frame, *yard, tone=float(rng.uniform(0.4, 0.72)), joints_m=float(rng.choice([0.0, 5.0])))
    for _ in range(int(rng.integers(2, 7))):
        length, width = float(rng.uniform(12, 70)), float(rng.uniform(8, 35))
        spot = frame.shifted(float(rng.uniform(-0.5, 0.5)) * yard[0], float(rng.uniform(-0.5, 0.5)) * yard[1],
                             math.pi / 2 * int(rng.integers(2)))  # fmt: skip
        if not site.is_free(spot, length + 1, width + 1):
            continue
        site.take(spot, length + 1, width + 1)
        roof = one_of(site, ("metal", "metal", "flat"))
        height = float(rng.uniform(5, 12))
        owner = draw_building(canvas, spot, length, width, roof=roof, color=pick_name(roof, rng), height=height)
        if rng.random() < 0.5:
            top(site, spot, length, width)
        draw_walls(site, Polygon(spot.rectangle(length, width)), owner, height, lean)
    for _ in range(int(rng.integers(0, 7))):
        radius = float(rng.uniform(2, 14))
        spot = frame.shifted(float(rng.uniform(-0.5, 0.5)) * yard[0], float(rng.uniform(-0.5, 0.5)) * yard[1])
        if site.is_free(spot, 2 * radius + 1, 2 * radius + 1):
            site.take(spot, 2 * radius + 1, 2 * radius + 1)
            draw_tank(canvas, spot.cx, spot.cy, radius, color=pick_name("tank", rng), height=float(rng.uniform(3, 16)))
    if rng.random() < 0.4:
        stack_containers(site, turn, rows=1, columns=int(rng.integers(2, 6)))
    if rng.random() < 0.3:
        build_tanks(site, int(rng.integers(1, 5)), turn)


def _allotments(site: Site, turn: float) -> None:
    """Gardens in rows: beds of earth and green, a hut each."""
    rng, canvas = site.rng, site.canvas
    columns, rows = int(rng.integers(2, 5)), int(rng.integers(2, 6))
    frame = site.find(columns * 14, rows * 10, angle=turn, tries=20, inside=False)
    if frame is None:
        return
    site.take(frame, columns * 14, rows * 10)
    for k in range(columns * rows):
        plot = frame.shifted((k % columns - (columns - 1) / 2) * 14, (k // columns - (rows - 1) / 2) * 10)
        for v in np.arange(-4, 4, 1.3):
            green = rng.random() < 0.5
            tone: Color = (0.3, 0.4, 0.22) if green else (0.45, 0.37, 0.3)
            canvas.paint(ground_only(canvas, canvas.rect(plot.shifted(2, float(v)), 9, 1.0)), tone, opacity=0.8)
        hut = plot.shifted(-4.5, float(rng.uniform(-2, 2)), float(rng.normal(0, 0.2)))
        draw_building(canvas, hut, float(rng.uniform(2.5, 5)), float(rng.uniform(2, 3.5)), roof="gable",
                      color=pick_name("house", rng), height=2.3)  # fmt: skip


def _lawn(site: Site) -> None:
    """A meadow of any shape, mown or not, on ground that is free."""
    rng = site.rng
    wide, high = site.extent
    x, y, radius = float(rng.uniform(0, wide)), float(rng.uniform(0, high)), float(rng.uniform(8, 40))
    shape = Polygon(np.array([x, y]) + wavy(site, radius, ovalness=0.25, dent=0.15, corners=24)).buffer(0)
    patch = site.canvas.area(shape)
    if shape.is_empty or patch is None or not isinstance(shape, Polygon):
        return
    # What stands there stays: the lawn is painted below it.
    kept = site.canvas.owner[patch.window].copy()
    colors, heights = site.canvas.albedo[patch.window].copy(), site.canvas.height[patch.window].copy()
    draw_grass(site.canvas, shape)
    there = kept > 0
    site.canvas.owner[patch.window][there] = kept[there]
    site.canvas.albedo[patch.window][there] = colors[there]
    site.canvas.height[patch.window][there] = heights[there]


def _cells(site: Site, cell: float, turn: float) -> list[Polygon]:
    """The ground cut into convex pieces of about that size, longer along ``turn``."""
    rng = site.rng
    wide, high = site.extent
    middle, reach = Frame(wide / 2, high / 2, turn), math.hypot(wide, high) / 2
    count = int(reach / cell) + 1
    spots = [
        ((i + rng.uniform(-0.4, 0.4)) * cell * 1.6, (j + rng.uniform(-0.4, 0.4)) * cell)
        for i in range(-count, count + 1)
        for j in range(-count, count + 1)
    ]
    frame = box(0, 0, wide, high)
    pieces = voronoi_diagram(MultiPoint(middle.to_scene(spots)), envelope=frame.buffer(cell))
    inside = [piece.intersection(frame) for piece in pieces.geoms]
    return [piece for piece in inside if isinstance(piece, Polygon) and piece.area > 60]


def _field(site: Site, shape: Polygon, color: str, turn: float) -> None:
    rng, canvas = site.rng, site.canvas
    patch = canvas.area(shape, Frame(0, 0, turn + math.pi / 2 * int(rng.integers(2))))
    if patch is None:
        return
    patch = replace(patch, alpha=patch.alpha * ~site.taken_pixels(patch.window))
    owner = canvas.register("field", color, np.array(shape.exterior.coords), area_m2=shape.area, size_m=sides_of(shape),
                            shape="irregular")  # fmt: skip
    shades = FIELD_COLORS[color]
    base = np.array(shades[int(rng.integers(len(shades)))]) * (1 + rng.normal(0, 0.06, 3))
    gain = canvas.texture(patch, (0.25, 0.9, 3.5, 40.0), (0.05, 0.05, 0.05, 0.07))
    period = float(rng.uniform(0.8, 9))
    strength = 0.08 * float(np.clip(period / canvas.gsd_m / 3 - 0.6, 0, 1)) * float(rng.choice([0.0, 1.0, 2.0]))
    gain = gain * (1 + strength * np.sin(patch.v * (2 * math.pi / period)))
    r, g, b = np.clip(base, 0.05, 0.95)
    canvas.paint(patch, (float(r), float(g), float(b)), gain=gain.astype(np.float32), owner=owner)
