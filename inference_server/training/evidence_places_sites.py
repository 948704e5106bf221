"""Further places that only the training draws: works with tanks and depots, and grounds for sports and bathing.

Tanks, courts, pools, buses and bridges as the open themes draw them are clean and alone; real ones stand in rows, lean
with the camera, carry letters and stairs, are worn, half in the shade, and cut by the picture's edge.
"""

from __future__ import annotations

import math

import numpy as np
from shapely.geometry import LineString, Point, Polygon, box
from shapely.geometry.base import BaseGeometry

from inference_server.evaluation.scene_canvas import Color, Frame, Patch
from inference_server.evaluation.scene_clutter import ground_only
from inference_server.evaluation.scene_ensembles import one_of, stack_containers
from inference_server.evaluation.scene_facilities import (
    COURTS_M,
    draw_court,
    draw_pitch,
    draw_pool,
    draw_track,
    register_tank,
)
from inference_server.evaluation.scene_ground import draw_ground, draw_slab, draw_water
from inference_server.evaluation.scene_palette import pick_name, shade_of
from inference_server.evaluation.scene_placing import build_bridge, build_parking, lay_roads
from inference_server.evaluation.scene_site import Road, Site, crossing
from inference_server.evaluation.scene_vehicles import draw_bus, draw_car, draw_truck
from inference_server.training.evidence_blocks import (
    Lean,
    build_block,
    draw_walls,
    furnish_streets,
    plant_woods,
    raise_block,
    some_covers,
    some_lean,
    wavy,
)

#: Of a tank: white, cream, silver, green-gray, rust, sky blue, tar; how often, and what one would call it.
COATS: tuple[tuple[Color, float, str], ...] = (
    ((0.93, 0.93, 0.91), 0.38, "white"), ((0.86, 0.83, 0.74), 0.16, "tan"), ((0.72, 0.74, 0.75), 0.16, "light gray"),
    ((0.58, 0.66, 0.60), 0.10, "green"), ((0.52, 0.36, 0.28), 0.08, "brown"), ((0.52, 0.64, 0.74), 0.06, "blue"),
    ((0.30, 0.30, 0.31), 0.06, "dark gray"),
)  # fmt: skip
#: How their tops are, and how often.
FORMS = {"cone": 0.35, "dome": 0.2, "floating": 0.2, "flat": 0.15, "open": 0.1}
#: What stands in open basins.
LIQUIDS: tuple[Color, ...] = ((0.28, 0.26, 0.18), (0.22, 0.28, 0.22), (0.42, 0.36, 0.26), (0.20, 0.25, 0.28))
#: Water of canals and rivers.
STREAMS: tuple[Color, ...] = ((0.17, 0.24, 0.28), (0.28, 0.32, 0.24), (0.38, 0.36, 0.27), (0.14, 0.18, 0.17))
#: What covers bridges beside their concrete: asphalt, old asphalt, planks, red and green steel.
DECKS: tuple[Color, ...] = (
    (0.36, 0.36, 0.37), (0.52, 0.51, 0.50), (0.50, 0.40, 0.31), (0.52, 0.24, 0.20), (0.34, 0.46, 0.40),
)  # fmt: skip

#: Around tanks inside a bund; what lies on worn courts and shows through worn turf.
FLOORS: tuple[Color, ...] = ((0.62, 0.60, 0.56), (0.46, 0.42, 0.34), (0.34, 0.40, 0.25))
DUSTS: tuple[Color, ...] = ((0.62, 0.58, 0.52), (0.4, 0.42, 0.36), (0.66, 0.42, 0.3))
EARTHS: tuple[Color, ...] = ((0.56, 0.46, 0.35), (0.66, 0.58, 0.45), (0.5, 0.42, 0.3))
#: Wood and stone around pools; the water in them: deep, dark, pale, green, blue.
TERRACES: tuple[Color, ...] = ((0.55, 0.43, 0.32), (0.76, 0.72, 0.64), (0.62, 0.5, 0.44))
BASINS: tuple[Color, ...] = (
    (0.16, 0.42, 0.66), (0.10, 0.28, 0.48), (0.62, 0.80, 0.84), (0.26, 0.46, 0.40), (0.30, 0.62, 0.86),
)  # fmt: skip
#: Of playgrounds: sand, red, blue and green rubber, chips of wood.
SOFT_GROUNDS: tuple[Color, ...] = (
    (0.78, 0.72, 0.58), (0.72, 0.36, 0.28), (0.35, 0.55, 0.75), (0.4, 0.6, 0.4), (0.62, 0.5, 0.4),
)  # fmt: skip


def works(site: Site) -> frozenset[str]:
    """Yards with tanks of every kind, halls, pipes, containers, a depot; often by a canal with bridges."""
    rng = site.rng
    draw_ground(site.canvas, one_of(site, ("paved", "soil", "grass", "dry")))
    lean = some_lean(site)
    water = _cross_water(site) if rng.random() < 0.5 else None
    if water is None:
        _roads(site)
    turn = float(rng.uniform(0, math.pi))
    wide, high = site.extent
    hectares = wide * high / 1e4
    for _ in range(int(rng.integers(1, 3)) + int(hectares > 2)):
        _yard(site, turn, lean)
    for _ in range(int(rng.integers(1, 6))):
        spot = site.find(16, 16, angle=turn, tries=10, inside=False)
        if spot is not None:
            _cluster(site, spot, lean)
    for _ in range(int(rng.integers(0, 3))):
        depot(site, turn)
    covers = some_covers(site)
    for _ in range(int(min(hectares, 9) * rng.uniform(0.5, 3))):
        build_block(site, turn + math.pi / 2 * int(rng.integers(2)), lean, covers)
    if rng.random() < 0.5:
        stack_containers(site, turn, rows=int(rng.integers(1, 3)), columns=int(rng.integers(2, 7)))
    _finish(site, water, heavy=0.4)
    return frozenset({"field", "grass"})


def grounds(site: Site) -> frozenset[str]:
    """Courts side by side, worn pitches, pools of every size with decks, houses between trees, sometimes a bridge."""
    rng = site.rng
    draw_ground(site.canvas, one_of(site, ("grass", "grass", "dry", "paved", "soil")))
    lean = some_lean(site)
    water = _cross_water(site) if rng.random() < 0.4 else None
    if water is None:
        _roads(site)
    turn = float(rng.uniform(0, math.pi))
    for _ in range(int(rng.integers(1, 4))):
        _courts(site, turn + math.pi / 2 * int(rng.integers(2)))
    for _ in range(int(rng.integers(0, 3))):
        _pitch(site, turn + math.pi / 2 * int(rng.integers(2)))
    covers = some_covers(site)
    wide, high = site.extent
    for _ in range(int(min(wide * high / 1e4, 9) * rng.uniform(0.5, 4))):
        build_block(site, turn + math.pi / 2 * int(rng.integers(2)), lean, covers)
    for _ in range(int(rng.integers(2, 12))):
        _bathing(site, turn + math.pi / 2 * int(rng.integers(2)) + float(rng.normal(0, 0.1)))
    for _ in range(int(rng.integers(0, 4))):
        _playground(site)
    if rng.random() < 0.4:
        depot(site, turn)
    for _ in range(int(rng.integers(0, 3))):
        build_parking(site, angle=turn, aisles=int(rng.integers(1, 3)), share=(0.1, 0.95))
    _finish(site, water, heavy=0.15)
    return frozenset({"grass", "field"})


def _finish(site: Site, water: BaseGeometry | None, *, heavy: float) -> None:
    """Traffic, parked cars and trees."""
    rng = site.rng
    furnish_streets(site, planted=0.4, apart_m=(6, 12), offset_m=2.4, parked=0.4, traffic_m=(25, 120), heavy=heavy)
    plant_woods(site, per_ha=float(rng.choice([0, 8, 30, 80])), belts=int(rng.integers(0, 3)), water=water)


def _roads(site: Site) -> None:
    rng = site.rng
    flip = bool(rng.random() < 0.5)
    plans = [
        (crossing(site, horizontal=flip != (k % 2 == 1), at=float(rng.uniform(0.1, 0.9)), bend=8.0,
                  tilt=float(rng.uniform(-0.15, 0.15))), float(rng.choice([5.0, 7.0, 10.0])), "asphalt")
        for k in range(int(rng.integers(1, 3)))
    ]  # fmt: skip
    lay_roads(site, plans)


def _cross_water(site: Site) -> BaseGeometry:
    """A canal or a river, roads and footpaths over it, each on its bridge."""
    rng = site.rng
    wide, high = site.extent
    flip = bool(rng.random() < 0.5)
    bend = wide * float(rng.choice([0.0, 0.06]))
    stream = crossing(site, horizontal=flip, at=float(rng.uniform(0.25, 0.75)), bend=bend,
                      tilt=float(rng.uniform(-0.2, 0.2)))  # fmt: skip
    half = min(float(rng.choice([4.0, 8.0, 18.0, 35.0])) * float(rng.uniform(0.7, 1.3)), 0.22 * min(wide, high))
    water = stream.buffer(half).intersection(box(-60, -60, wide + 60, high + 60))
    tone = one_of(site, STREAMS)
    draw_water(site.canvas, water, bank_m=float(rng.choice([0.0, 1.5, 4.0])), tone=tone, shape="irregular")
    plans: list[tuple[LineString, float, str]] = []
    last = -1.0
    for at in np.sort(rng.uniform(0.08, 0.92, int(rng.integers(1, 4)))):
        if at - last < 0.15:
            continue
        last = at
        line = crossing(site, horizontal=not flip, at=float(at), bend=0.0, tilt=float(rng.uniform(-0.12, 0.12)))
        width = float(rng.choice([2.6, 5.0, 7.0, 10.0, 16.0], p=[0.2, 0.2, 0.3, 0.2, 0.1]))
        plans.append((line, width, "dirt" if width < 3 else "asphalt"))
    lay_roads(site, plans)
    for road in site.roads:
        over = road.line.intersection(water)
        if over.is_empty or not isinstance(over, LineString):
            continue
        (x0, y0), (x1, y1) = over.coords[0], over.coords[-1]
        frame = Frame((x0 + x1) / 2, (y0 + y1) / 2, math.atan2(y1 - y0, x1 - x0))
        length = over.length + float(rng.uniform(2, 14))
        _span(site, frame, length, road.width + float(rng.uniform(0.6, 3.5)), road=road)
    site.take_shape(water.buffer(1.5))
    return water


def _span(site: Site, frame: Frame, length: float, width: float, *, road: Road) -> None:
    """A bridge of concrete, asphalt, planks or steel, with parapets or arches."""
    rng, canvas = site.rng, site.canvas
    build_bridge(site, frame, length, width, road=road)
    if rng.random() < 0.65:
        deck = one_of(site, DECKS)
        patch = canvas.rect(frame, length, width * float(rng.uniform(0.8, 1.0)))
        if patch is not None:
            canvas.paint(patch, deck, gain=canvas.texture(patch, (0.9, 3.5), (0.04, 0.04)), opacity=0.95)
    if rng.random() < 0.3:
        tone = float(rng.uniform(0.3, 0.95))
        for side in (-1, 1):
            rail = frame.shifted(0, side * (width / 2 - 0.4))
            canvas.paint(canvas.rect(rail, length * 0.9, 0.8), (tone, tone, tone), height=9.0)
        for u in np.arange(-length * 0.4, length * 0.4, 6.0):
            canvas.paint(canvas.rect(frame.shifted(float(u), 0), 0.4, width), (tone, tone, tone), opacity=0.8)


def _yard(site: Site, turn: float, lean: Lean) -> None:
    """A plot of hard or bare ground with vessels, halls and pipes between them."""
    rng, canvas = site.rng, site.canvas
    wide, high = site.extent
    sides = (float(rng.uniform(0.3, 0.8)) * min(wide, high), float(rng.uniform(0.2, 0.6)) * min(wide, high))
    frame = site.find(*sides, angle=turn + math.pi / 2 * int(rng.integers(2)), tries=30, inside=False)
    if frame is None:
        return
    draw_slab(canvas, frame, *sides, tone=float(rng.uniform(0.38, 0.75)), joints_m=float(rng.choice([0.0, 0.0, 6.0])))
    covers = some_covers(site)
    for _ in range(int(rng.integers(0, 4))):
        size = (float(rng.uniform(10, 45)), float(rng.uniform(7, 24)))
        spot = _within(site, frame, sides, 0.35)
        if site.is_free(spot, size[0] + 2, size[1] + 2):
            kind = one_of(site, ("metal", "metal", "flat"))
            raise_block(site, [spot], [size], kind, float(rng.uniform(4, 13)), lean, covers)
    for _ in range(int(rng.integers(2, 7))):
        _cluster(site, _within(site, frame, sides, 0.45), lean)
    for _ in range(int(rng.integers(0, 5))):
        _pipes(site, _within(site, frame, sides, 0.4), float(rng.uniform(10, 60)))
    for _ in range(int(rng.integers(0, 14))):
        spot = _within(site, frame, sides, 0.48)
        if site.is_free(spot, 9, 3.4):
            if rng.random() < 0.3:
                tone = shade_of(pick_name("container", rng), rng)
                canvas.paint(canvas.rect(spot, *rng.uniform(1, 5, 2)), tone, height=1.5)
            else:
                draw, kind = one_of(site, ((draw_car, "car"), (draw_truck, "truck")))
                draw(canvas, spot, color=pick_name(kind, rng))
            site.take(spot, 9, 3.4)
    site.take(frame, *sides)


def _within(site: Site, frame: Frame, sides: tuple[float, float], share: float) -> Frame:
    u, v = (float(w) for w in site.rng.uniform(-share, share, 2))
    return frame.shifted(u * sides[0], v * sides[1], math.pi / 2 * int(site.rng.integers(2)))


def _cluster(site: Site, frame: Frame, lean: Lean) -> None:
    """Tanks alike in a row or a block, silos wall to wall, or one great tank; on gravel, in a bund, or just there."""
    rng, canvas = site.rng, site.canvas
    kind = rng.random()
    if kind < 0.35:
        radius, count, gap = float(rng.uniform(1.2, 4.0)), int(rng.integers(1, 10)), float(rng.uniform(0.0, 0.6))
        height = radius * float(rng.uniform(2, 7))
    elif kind < 0.75:
        radius, count, gap = float(rng.uniform(3.5, 11)), int(rng.integers(1, 7)), float(rng.uniform(0.8, 6.0))
        height = float(rng.uniform(4, 16))
    else:
        radius, count, gap = float(rng.uniform(9, 28)), int(rng.integers(1, 3)), float(rng.uniform(4, 14))
        height = float(rng.uniform(6, 18))
    columns = int(rng.integers(1, 1 + min(count, 4)))
    pitch = 2 * radius + gap
    rows = math.ceil(count / columns)
    if rng.random() < 0.4:
        bund = (columns * pitch + 4.0, rows * pitch + 4.0)
        floor = one_of(site, FLOORS)
        canvas.paint(ground_only(canvas, canvas.rect(frame, bund[0] + 1.2, bund[1] + 1.2)), (0.72, 0.71, 0.68))
        canvas.paint(ground_only(canvas, canvas.rect(frame, *bund)), floor)
    form, coat = _look(rng)
    for k in range(count):
        spot = frame.shifted((k % columns - (columns - 1) / 2) * pitch, (k // columns - (rows - 1) / 2) * pitch)
        own = radius * float(rng.choice([1.0, 1.0, 1.0, 0.8, 0.6]))
        if not site.is_free(spot, 2 * own, 2 * own):
            continue
        if rng.random() < 0.12:
            form, coat = _look(rng)
        raise_vessel(site, spot, own, height, form=form, coat=coat, lean=lean)
        site.take(spot, 2 * own, 2 * own)


def _look(rng: np.random.Generator) -> tuple[str, int]:
    """A form and a number of ``COATS``."""
    form = str(rng.choice(list(FORMS), p=list(FORMS.values())))
    return form, int(rng.choice(len(COATS), p=[share for _, share, _ in COATS]))


def raise_vessel(site: Site, at: Frame, radius: float, height: float, *, form: str, coat: int, lean: Lean) -> None:
    """A tank or silo with its wall where it leans, and what is written, riveted, built and spilt on its top."""
    rng, canvas = site.rng, site.canvas
    frame = Frame(at.cx, at.cy, float(rng.uniform(0, 2 * math.pi)))
    paint, _, name = COATS[coat]
    owner = register_tank(canvas, frame, radius, color=name, height=height)
    patch = canvas.ellipse(frame, 2 * radius, 2 * radius)
    if patch is None:
        return
    base = np.clip(np.array(paint) * (1 + rng.normal(0, 0.04, 3)), 0.05, 0.97)
    color: Color = (float(base[0]), float(base[1]), float(base[2]))
    far = np.hypot(patch.u, patch.v) / radius
    sun = canvas.sunward(frame, patch) / radius
    steep = {"cone": float(rng.uniform(0.08, 0.28)), "dome": float(rng.uniform(0.15, 0.4))}.get(form, 0.0)
    slope = sun * (far if form == "dome" else 1.0 / np.maximum(far, 0.05)) * steep
    gain = canvas.texture(patch, (0.9, 3.5, 12.0), (0.02, 0.03, 0.03)) * (1 + np.clip(slope, -0.45, 0.35))
    canvas.paint(patch, color, gain=gain.astype(np.float32), owner=owner,
                 height=np.full_like(patch.alpha, height))  # fmt: skip
    if form in ("floating", "open"):
        inner = canvas.ellipse(frame, 2 * radius * 0.93, 2 * radius * 0.93)
        liquid = one_of(site, LIQUIDS)
        canvas.paint(inner, liquid if form == "open" else color, gain=float(rng.uniform(0.75, 0.97)))
        # The rim's shadow: a crescent on the side of the sun.
        depth = float(rng.uniform(0.05, 0.5)) * radius
        shade = (far < 0.93) & (sun > 1 - 1.6 * depth / radius)
        canvas.paint(patch, (0.12, 0.13, 0.15), opacity=(0.5 * shade).astype(np.float32))
        if form == "open":
            canvas.paint(canvas.rect(frame, 2 * radius, max(0.6, 0.07 * radius)), (0.6, 0.6, 0.6), opacity=0.9)
    _adorn(site, frame, patch, radius, far)
    draw_walls(site, Point(frame.cx, frame.cy).buffer(radius), owner, height, lean)


def _adorn(site: Site, frame: Frame, patch: Patch, radius: float, far: np.ndarray) -> None:
    rng, canvas = site.rng, site.canvas
    if rng.random() < 0.6:
        rim = np.clip(1 - np.abs(far - 0.98) * radius / max(0.35, canvas.gsd_m), 0, 0.6).astype(np.float32)
        tone = float(rng.choice([0.3, 0.9]))
        canvas.paint(patch, (tone, tone, tone), opacity=rim)
    if rng.random() < 0.4:
        for share in rng.uniform(0.25, 0.85, int(rng.integers(1, 3))):
            ring = np.clip(1 - np.abs(far - share) * radius / max(0.3, canvas.gsd_m), 0, 0.4).astype(np.float32)
            canvas.paint(patch, (0.4, 0.42, 0.45), opacity=ring)
    if rng.random() < 0.5:
        canvas.paint(canvas.rect(frame.shifted(radius * 0.5, 0), radius, 0.8), (0.45, 0.46, 0.48), opacity=0.7)
    if rng.random() < 0.45:
        size = float(rng.uniform(0.08, 0.35)) * 2 * radius
        canvas.paint(canvas.ellipse(frame, size, size), (0.5, 0.52, 0.55), opacity=0.7)
    if radius > 5 and rng.random() < 0.25:
        ink = (0.25, 0.4, 0.6) if rng.random() < 0.5 else (0.4, 0.45, 0.42)
        letter = radius * float(rng.uniform(0.15, 0.3))
        for k in range(int(rng.integers(3, 7))):
            spot = frame.shifted((k - 2) * letter * 1.1, radius * 0.3)
            canvas.paint(canvas.rect(spot, letter * 0.25, letter), ink, opacity=0.8)
            canvas.paint(canvas.rect(spot.shifted(letter * 0.2, float(rng.uniform(-0.4, 0.4)) * letter), letter * 0.6,
                                     letter * 0.22), ink, opacity=0.8)  # fmt: skip
    if rng.random() < 0.4:
        stain = canvas.noise.window(3.5, patch.window, int(rng.integers(1 << 16)))
        canvas.paint(patch, (0.42, 0.3, 0.22), opacity=np.clip((stain - 0.9) * 0.3, 0, 0.45))


def _pipes(site: Site, frame: Frame, length: float) -> None:
    """Pipes side by side on a rack, with a bend."""
    rng, canvas = site.rng, site.canvas
    height = float(rng.uniform(1, 5))
    for part in (frame, frame.shifted(length / 2, length / 4, math.pi / 2)):
        for k in range(int(rng.integers(1, 7))):
            tone = float(rng.uniform(0.3, 0.85))
            pipe = canvas.rect(part.shifted(0, k * 0.9), length, 0.5)
            canvas.paint(ground_only(canvas, pipe), (tone, tone, tone * 0.97), opacity=0.9, height=height)


def depot(site: Site, turn: float) -> None:
    """Buses or trucks side by side, nearly touching, in one row or two."""
    rng, canvas = site.rng, site.canvas
    rows, places = int(rng.integers(1, 3)), int(rng.integers(3, 12))
    pitch, deep = float(rng.uniform(2.9, 4.2)), 15.0
    frame = site.find(places * pitch + 4, rows * deep + 8, angle=turn, tries=20, inside=False)
    if frame is None:
        return
    tone = float(rng.uniform(0.32, 0.62))
    draw_slab(canvas, frame, places * pitch + 4, rows * deep + 8, tone=tone)
    draw, kind = one_of(site, ((draw_bus, "bus"), (draw_bus, "bus"), (draw_truck, "truck")))
    usual, slant = pick_name(kind, rng), float(rng.choice([0.0, 0.0, 0.5]))
    for row in range(rows):
        for k in range(places):
            if rng.random() < 0.8:
                color = usual if rng.random() < 0.75 else pick_name(kind, rng)
                spot = frame.shifted((k - (places - 1) / 2) * pitch, (row - (rows - 1) / 2) * deep,
                                     math.pi / 2 + slant + float(rng.normal(0, 0.015)))  # fmt: skip
                draw(canvas, spot, color=color)
    site.take(frame, places * pitch + 4, rows * deep + 8)


def _courts(site: Site, turn: float) -> None:
    """One to five courts side by side on one ground, of one paint, new or worn, fenced by trees or not at all."""
    rng, canvas = site.rng, site.canvas
    kind = one_of(site, ("tennis court", "tennis court", "basketball court"))
    count = int(rng.integers(1, 6))
    length, width = COURTS_M[kind]
    frame = site.find(length + 4, count * width + 4, angle=turn, tries=20, inside=False)
    if frame is None:
        return
    color, worn = pick_name(kind, rng), float(rng.uniform(0, 0.45)) * float(rng.random() < 0.6)
    draw_slab(canvas, frame, length + 4, count * width + 4, tone=float(rng.uniform(0.35, 0.7)))
    dust = one_of(site, DUSTS)
    for k in range(count):
        spot = frame.shifted(0, (k - (count - 1) / 2) * width)
        draw_court(canvas, spot, kind, color=color)
        patch = canvas.rect(spot, length, width)
        if patch is not None and worn:
            spots = canvas.noise.window(3.5, patch.window, int(rng.integers(1 << 16)))
            canvas.paint(patch, dust, opacity=(worn + np.clip(spots * 0.12, -0.1, 0.3)).astype(np.float32))
    site.take(frame, length + 4, count * width + 4)


def _pitch(site: Site, turn: float) -> None:
    """A pitch of grass or bare earth, with what the players wore away; sometimes inside a track."""
    rng, canvas = site.rng, site.canvas
    if rng.random() < 0.25:
        length = float(rng.uniform(150, 178))
        frame = site.find(length * 0.8, length * 0.42, angle=turn, tries=10, inside=False)
        if frame is not None:
            site.take(frame, length + 2, length * 0.55)
            draw_track(canvas, frame, length)
        return
    length = float(rng.uniform(40, 108))
    width = length * float(rng.uniform(0.5, 0.72))
    frame = site.find(length * 0.8, width * 0.8, angle=turn, tries=15, inside=False)
    if frame is None:
        return
    draw_pitch(canvas, frame, length, width)
    patch = canvas.rect(frame, length, width)
    bare = float(rng.uniform(-0.2, 0.9)) if rng.random() < 0.6 else -1.0
    if patch is not None and bare > -1:
        earth = one_of(site, EARTHS)
        spots = canvas.noise.window(12.0, patch.window, int(rng.integers(1 << 16)))
        worn = np.clip(bare + 0.35 * spots + 0.4 * np.exp(-((np.abs(patch.u) - length / 2) ** 2) / 60.0), 0, 0.92)
        canvas.paint(patch, earth, opacity=worn.astype(np.float32))
    site.take(frame, length + 3, width + 3)


def _bathing(site: Site, turn: float) -> None:
    """A pool from a tub to fifty metres: turquoise, deep blue, pale or green, with a deck of stone or wood or none."""
    rng, canvas = site.rng, site.canvas
    length = float(np.clip(rng.lognormal(2.1, 0.55), 3.0, 50))
    width = length * float(rng.uniform(0.35, 0.75))
    margin = float(rng.uniform(1, 6))
    frame = site.find(length + margin, width + margin, angle=turn, tries=8, inside=False)
    if frame is None:
        return
    if rng.random() < 0.4:
        canvas.paint(canvas.rect(frame, length + margin, width + margin), one_of(site, TERRACES))
    shape = str(rng.choice(["rectangular", "kidney-shaped", "round"], p=[0.6, 0.28, 0.12]))
    if shape == "round":
        length = width = min(length, 12.0)
    owner = draw_pool(canvas, frame, length, width, shape=shape)
    patch = canvas.rect(frame, length + 1, width + 1)
    if patch is not None and rng.random() < 0.6:
        wet = canvas.owner[patch.window] == owner
        canvas.paint(patch, one_of(site, BASINS), opacity=(wet * float(rng.uniform(0.4, 0.95))).astype(np.float32))
        if length > 20:
            for v in np.arange(-width / 2 + 2, width / 2 - 1, 2.5):
                canvas.paint(canvas.rect(frame.shifted(0, float(v)), length - 1, 0.3), (0.85, 0.9, 0.9), opacity=0.4)
    for _ in range(int(rng.integers(0, 9))):
        side = frame.shifted(float(rng.uniform(-0.6, 0.6)) * length, float(rng.choice([-1, 1])) * (width / 2 + 1.3))
        tone = float(rng.uniform(0.5, 0.98))
        canvas.paint(ground_only(canvas, canvas.rect(side, 0.8, 1.8)), (tone, tone, tone * 0.95), height=0.5)
    site.take(frame, length + margin, width + margin)


def _playground(site: Site) -> None:
    """Soft ground in loud colours with small things on it, or sand: no court and no pool."""
    rng, canvas = site.rng, site.canvas
    radius = float(rng.uniform(4, 14))
    frame = site.find(2 * radius, 2 * radius, tries=8)
    if frame is None:
        return
    outline = Polygon(frame.to_scene(wavy(site, radius, ovalness=0.2, dent=0.12, corners=20)))
    paint = one_of(site, SOFT_GROUNDS)
    patch = canvas.area(outline)
    if patch is None:
        return
    canvas.paint(patch, paint, gain=canvas.texture(patch, (0.9, 3.5), (0.04, 0.04)), owner=0)
    for _ in range(int(rng.integers(2, 10))):
        u, v = (float(w) for w in rng.uniform(-0.6, 0.6, 2) * radius)
        spot = frame.shifted(u, v, float(rng.uniform(0, 3)))
        tone = shade_of(pick_name("container", rng), rng)
        canvas.paint(canvas.rect(spot, *rng.uniform(0.8, 3.5, 2)), tone, height=1.8)
    site.take(frame, 2 * radius, 2 * radius)
