"""Further places that only the training draws: cities of whole blocks, and airports with piers and stands."""

from __future__ import annotations

import math

import numpy as np
from shapely.geometry import LineString, Polygon, box
from shapely.ops import unary_union

from inference_server.evaluation.scene_canvas import Color, Frame
from inference_server.evaluation.scene_clutter import ground_only
from inference_server.evaluation.scene_ensembles import build_hall, build_tanks, one_of
from inference_server.evaluation.scene_facilities import draw_parking, draw_runway
from inference_server.evaluation.scene_ground import draw_grass, draw_ground, draw_slab, draw_tree
from inference_server.evaluation.scene_palette import pick_name
from inference_server.evaluation.scene_placing import build_parking, drive_traffic, lay_roads
from inference_server.evaluation.scene_site import Site, along, crossing
from inference_server.evaluation.scene_vehicles import draw_airplane, draw_bus, draw_car, draw_truck
from inference_server.training.evidence_blocks import (
    Lean,
    furnish_streets,
    plant_woods,
    raise_block,
    some_covers,
    some_lean,
)

#: Metres between the street and what stands beside it.
SIDEWALK = (2.5, 5.0)


def city(site: Site) -> frozenset[str]:
    """Blocks between streets: houses wall to wall around yards, towers, big halls, parking lots, squares, parks."""
    rng = site.rng
    draw_ground(site.canvas, "paved")
    site.is_paved = True
    wide, high = site.extent
    turn, lean = float(rng.uniform(0, math.pi / 2)), some_lean(site)
    middle, reach = Frame(wide / 2, high / 2, turn), math.hypot(wide, high) / 2 + 20
    steps = (float(rng.uniform(45, 120)), float(rng.uniform(45, 120)))
    cuts = []
    plans: list[tuple[LineString, float, str]] = []
    for axis, step in enumerate(steps):
        at = -reach + float(rng.uniform(0, step))
        places = []
        while at < reach:
            width = float(rng.choice([6.0, 9.0, 12.0, 18.0], p=[0.3, 0.4, 0.2, 0.1]))
            ends = [(at, -reach), (at, reach)] if axis == 0 else [(-reach, at), (reach, at)]
            plans.append((LineString(middle.to_scene(ends)), width, "asphalt"))
            places.append((at, width))
            at += step * float(rng.uniform(0.6, 1.4))
        cuts.append(places)
    lay_roads(site, plans)
    _crosswalks(site)
    covers = some_covers(site, 3)
    for (u0, w0), (u1, w1) in zip(cuts[0], cuts[0][1:], strict=False):
        for (v0, h0), (v1, h1) in zip(cuts[1], cuts[1][1:], strict=False):
            aside = float(rng.uniform(*SIDEWALK))
            length, depth = u1 - u0 - (w0 + w1) / 2 - 2 * aside, v1 - v0 - (h0 + h1) / 2 - 2 * aside
            if min(length, depth) < 12:
                continue
            plot = middle.shifted((u0 + u1 + (w0 - w1) / 2) / 2, (v0 + v1 + (h0 - h1) / 2) / 2)
            if -60 < plot.cx < wide + 60 and -60 < plot.cy < high + 60:
                _plot(site, plot, length, depth, lean, covers)
    furnish_streets(site, planted=0.5, apart_m=(6, 14), offset_m=2.0, parked=0.7, traffic_m=(20, 90), heavy=0.15)
    plant_woods(site, per_ha=float(rng.choice([0, 8, 30])), belts=0, water=None)
    return frozenset({"grass", "field"})


def _crosswalks(site: Site) -> None:
    """White bars over the streets."""
    rng, canvas = site.rng, site.canvas
    for road in site.roads:
        for at in np.arange(float(rng.uniform(10, 60)), road.line.length, float(rng.uniform(40, 110))):
            if rng.random() < 0.6:
                place = along(road.line, float(at), 0.0)
                for v in np.arange(-road.width / 2 + 0.6, road.width / 2 - 0.3, 1.1):
                    canvas.paint(canvas.rect(place.shifted(0, float(v)), 3.2, 0.5), (0.86, 0.86, 0.84), opacity=0.85)


def _plot(site: Site, plot: Frame, length: float, depth: float, lean: Lean, covers: list[Color]) -> None:
    rng = site.rng
    kind = rng.random()
    if kind < 0.5:
        _rows(site, plot, length, depth, lean, covers)
    elif kind < 0.68:
        _towers(site, plot, length, depth, lean, covers)
    elif kind < 0.8:
        share = float(rng.uniform(0.5, 0.9))
        raise_block(site, [plot.shifted(length * (1 - share) / 2, 0)], [(length * share, depth * share)],
                    one_of(site, ("flat", "flat", "metal")), float(rng.uniform(6, 14)), lean, covers)  # fmt: skip
    elif kind < 0.9:
        aisles, bays = int((depth - 2) // 16), int((length - 8) // 2.5)
        if aisles > 0 and bays > 3:
            lot, spots = draw_parking(site.canvas, plot, aisles, bays)
            site.take(plot, length, depth)
            full = float(rng.uniform(0.1, 1))
            for spot in spots:
                if rng.random() < full:
                    draw_car(site.canvas, spot, color=pick_name("car", rng), host=lot)
    else:
        draw_grass(site.canvas, Polygon(plot.rectangle(length, depth)))
        for _ in range(int(length * depth / float(rng.choice([60, 150, 500])))):
            at = plot.shifted(float(rng.uniform(-0.45, 0.45)) * length, float(rng.uniform(-0.45, 0.45)) * depth)
            draw_tree(site.canvas, at.cx, at.cy, float(np.clip(site.tree_size * rng.lognormal(0, 0.3), 1, 6)))
        site.take(plot, length, depth)


def _rows(site: Site, plot: Frame, length: float, depth: float, lean: Lean, covers: list[Color]) -> None:
    """Houses wall to wall along the four sides, the yard behind them green, paved or built over."""
    rng, canvas = site.rng, site.canvas
    deep = min(float(rng.uniform(9, 16)), depth * 0.45, length * 0.45)
    yard = canvas.rect(plot, length - 2 * deep, depth - 2 * deep)
    green = rng.random() < 0.5
    canvas.paint(ground_only(canvas, yard), (0.33, 0.41, 0.24) if green else (0.52, 0.51, 0.49), opacity=0.85)
    usual = str(rng.choice(["flat", "gable", "hip"]))
    tall = float(rng.uniform(6, 20))
    for side in range(4):
        along_side, across = (length, depth) if side % 2 == 0 else (depth - 2 * deep, length)
        row = plot.shifted(0, 0, side * math.pi / 2).shifted(0, across / 2 - deep / 2)
        at = -along_side / 2
        while at < along_side / 2 - 5:
            wide = min(float(rng.uniform(8, 32)), along_side / 2 - at)
            if rng.random() < 0.9:
                roof = usual if rng.random() < 0.8 else one_of(site, ("flat", "gable"))
                own = deep * float(rng.uniform(0.8, 1.0))
                place = row.shifted(at + wide / 2, (deep - own) / 2)
                raise_block(site, [place], [(wide, own)], roof, tall * float(rng.uniform(0.8, 1.2)), lean, covers)
            at += wide
    if min(length, depth) - 2 * deep > 14 and rng.random() < 0.5:
        for _ in range(int(rng.integers(1, 4))):
            at_u, at_v = rng.uniform(-0.3, 0.3, 2)
            shed = plot.shifted(float(at_u) * (length - 2 * deep), float(at_v) * (depth - 2 * deep))
            size = (float(rng.uniform(4, 12)), float(rng.uniform(4, 9)))
            if site.is_free(shed, *size):
                raise_block(site, [shed], [size], "flat", float(rng.uniform(3, 6)), lean, covers)


def _towers(site: Site, plot: Frame, length: float, depth: float, lean: Lean, covers: list[Color]) -> None:
    """One to three high houses on open ground."""
    rng = site.rng
    count = int(rng.integers(1, 4))
    for k in range(count):
        size = (min(length / count - 4, float(rng.uniform(14, 40))), min(depth - 4, float(rng.uniform(12, 30))))
        if min(size) < 8:
            continue
        place = plot.shifted((k - (count - 1) / 2) * length / count, float(rng.uniform(-0.15, 0.15)) * depth)
        raise_block(site, [place], [size], "flat", float(rng.uniform(15, 60)), lean, covers)
    if rng.random() < 0.5:
        site.canvas.paint(ground_only(site.canvas, site.canvas.rect(plot, length, depth)), (0.34, 0.42, 0.25),
                          opacity=0.8)  # fmt: skip


def stands(site: Site) -> frozenset[str]:
    """An airport: a terminal with piers, airplanes at its bridges and far out, taxiways, lawns, lots behind."""
    rng, canvas = site.rng, site.canvas
    draw_ground(canvas, one_of(site, ("grass", "grass", "dry", "soil")))
    wide, high = site.extent
    lean = (0.5 * some_lean(site)[0], 0.5 * some_lean(site)[1])
    size = float(np.clip(min(wide, high) * rng.uniform(0.1, 0.3), 12, 62))
    turn = float(rng.choice([0.0, math.pi / 2, math.pi, -math.pi / 2])) + float(rng.normal(0, 0.25))
    middle = Frame(wide / 2, high / 2, turn)
    reach = math.hypot(wide, high)
    tone = float(rng.uniform(0.38, 0.82))
    front = -float(rng.uniform(0.1, 0.35)) * min(wide, high)
    out = float(rng.uniform(0.35, 0.75)) * min(wide, high)
    apron = middle.shifted(0, front + out / 2)
    draw_slab(canvas, apron, reach * 1.2, out, tone=tone, joints_m=float(rng.choice([0.0, 6.0, 9.0])))
    _taxiways(site, middle, front + out, reach, tone)
    covers = [*some_covers(site), (0.82, 0.82, 0.82)]
    hall = float(rng.uniform(18, 45)) * min(1.0, size / 30)
    span = float(rng.uniform(0.4, 1.1)) * min(wide, high)
    places, sides = [middle.shifted(0, front - hall / 2)], [(span, hall)]
    thick, length = max(8.0, size * 0.4), out * float(rng.uniform(0.35, 0.75))
    piers = [middle.shifted(u, front + length / 2 - 1, math.pi / 2) for u in _spread(site, span, 2.7 * size + thick)]
    if rng.random() < 0.25:
        piers = []
    places += piers
    sides += [(length + 2, thick)] * len(piers)
    raise_block(site, places, sides, one_of(site, ("flat", "flat", "metal")), float(rng.uniform(8, 15)), lean, covers)
    gates: list[Frame] = []
    for pier in piers:
        for side in (-1, 1):
            for u in np.arange(-length / 2 + size * 0.7, length / 2, size * 1.15):
                gates.append(pier.shifted(float(u), side * thick / 2, math.pi / 2 if side < 0 else -math.pi / 2))
    if not piers:
        gates = [middle.shifted(float(u), front, -math.pi / 2)
                 for u in np.arange(-span / 2 + size / 2, span / 2, size * 1.2)]  # fmt: skip
    for gate in gates:
        if rng.random() < 0.75:
            _dock(site, gate, size * float(rng.choice([1.0, 0.9, 0.75])))
    for _ in range(int(rng.integers(0, 12))):
        own = size * float(rng.choice([1.0, 0.8, 0.5, 0.3]))
        spot = middle.shifted(float(rng.uniform(-0.5, 0.5)) * reach, front + out * float(rng.uniform(0.1, 1.1)),
                              float(rng.choice([0, 1, 2, 3])) * math.pi / 2 + float(rng.normal(0, 0.2)))  # fmt: skip
        if own > 8 and site.is_free(spot, own * 1.1, own * 1.1):
            site.take(spot, own, own)
            draw_airplane(canvas, spot, color=pick_name("airplane", rng), length=own)
    _service(site, middle, front, out, reach)
    site.take(apron, reach * 1.2, out)
    _landside(site, middle, front - hall, reach)
    return frozenset({"grass", "field"})


def _spread(site: Site, span: float, apart: float) -> list[float]:
    """Places along a front, at least so far apart."""
    count = max(1, min(int(span / apart), 4))
    if count == 1:
        return [float(site.rng.uniform(-0.4, 0.4)) * span]
    return [float(u) for u in np.linspace(-0.45, 0.45, count) * span]


def _taxiways(site: Site, middle: Frame, edge: float, reach: float, tone: float) -> None:
    """Lanes beyond the apron with lawns between them, now and then the runway."""
    rng, canvas = site.rng, site.canvas
    gap = float(rng.uniform(25, 90))
    for k in range(int(rng.integers(1, 3))):
        v = edge + gap * (k + 0.5)
        lane = middle.shifted(0, v)
        width = float(rng.uniform(15, 26))
        if k == 1 or rng.random() < 0.3:
            draw_runway(canvas, lane, max(reach * 1.5, 900), 45)
            site.take(lane, reach * 1.5, 50)
            continue
        owner = canvas.register("runway", "gray", lane.rectangle(reach * 1.5, width),
                                area_m2=reach * width, size_m=(reach * 1.5, width))  # fmt: skip
        parts = [LineString(lane.to_scene([(-reach, 0), (reach, 0)])).buffer(width / 2)]
        for u in rng.uniform(-0.5, 0.5, int(rng.integers(1, 4))) * reach:
            slant = float(rng.uniform(-25, 25))
            parts.append(LineString(lane.to_scene([(u, 0), (u + slant, -gap)])).buffer(width / 2))
        shape = unary_union(parts).buffer(12).buffer(-12).intersection(box(-20, -20, *(s + 20 for s in site.extent)))
        patch = canvas.area(shape)
        if patch is not None:
            gray = min(0.8, tone * float(rng.uniform(0.7, 1.05)))
            canvas.paint(patch, (gray, gray, gray * 0.97), gain=canvas.texture(patch, (0.9, 12.0), (0.03, 0.04)),
                         owner=owner)  # fmt: skip
            line = canvas.rect(lane, reach * 1.5, 0.4)
            canvas.paint(line, (0.72, 0.6, 0.25), opacity=0.7)
        site.take_shape(shape)


def _dock(site: Site, gate: Frame, size: float) -> None:
    """An airplane with its nose to the building, a bridge to its door; the gate's x axis points at the building."""
    rng, canvas = site.rng, site.canvas
    away = float(rng.uniform(3, 9))
    spot = gate.shifted(-(size / 2 + away), 0, float(rng.normal(0, 0.04)))
    if not site.is_free(spot, size * 0.9, size * 0.8):
        return
    site.take(spot, size, size * 0.95)
    draw_airplane(canvas, spot, color=pick_name("airplane", rng), length=size)
    if size > 18:
        door = spot.shifted(size * 0.3, -size * 0.05 - 1.5)
        root = gate.shifted(0, -size * float(rng.uniform(0.2, 0.35)))
        tone = float(rng.uniform(0.5, 0.85))
        bridge = LineString([(door.cx, door.cy), (root.cx, root.cy)]).buffer(1.7, cap_style="flat")
        canvas.paint(canvas.area(bridge), (tone, tone, tone), height=5.0)


def _service(site: Site, middle: Frame, front: float, out: float, reach: float) -> None:
    """Trucks, cars and buses on the apron."""
    rng = site.rng
    for _ in range(int(rng.integers(2, 25))):
        spot = middle.shifted(float(rng.uniform(-0.5, 0.5)) * reach, front + out * float(rng.uniform(0.02, 0.95)),
                              float(rng.choice([0, 1, 2, 3])) * math.pi / 2 + float(rng.normal(0, 0.1)))  # fmt: skip
        if site.is_free(spot, 14, 4):
            draw = (draw_car, draw_car, draw_truck, draw_bus)[int(rng.integers(4))]
            kind = {draw_car: "car", draw_truck: "truck", draw_bus: "bus"}[draw]
            draw(site.canvas, spot, color=pick_name(kind, rng))
            site.take(spot, 5, 3)


def _landside(site: Site, middle: Frame, back: float, reach: float) -> None:
    """Roads, parking lots, halls and trees behind the terminal."""
    rng = site.rng
    ends = [(-reach, back - float(rng.uniform(10, 30))), (reach, back - float(rng.uniform(10, 30)))]
    plans = [(LineString(middle.to_scene(ends)), float(rng.choice([8.0, 12.0])), "asphalt")]
    if rng.random() < 0.4:
        plans.append((crossing(site, horizontal=bool(rng.random() < 0.5), at=0.1, bend=8.0), 7.0, "asphalt"))
    plans = [plan for plan in plans if not (site.taken.any() and _is_built(site, plan[0]))]
    lay_roads(site, plans)
    for _ in range(int(rng.integers(0, 4))):
        build_parking(site, angle=middle.angle, aisles=int(rng.integers(1, 4)), share=(0.3, 1.0))
    for _ in range(int(rng.integers(0, 5))):
        build_hall(site, middle.angle)
    if rng.random() < 0.3:
        build_tanks(site, int(rng.integers(1, 6)), middle.angle)
    for road in site.roads:
        drive_traffic(site, road, spacing_m=50, heavy=0.2)
    plant_woods(site, per_ha=float(rng.choice([0, 3, 15])), belts=0, water=None)


def _is_built(site: Site, line: LineString) -> bool:
    """Whether more than a little of the line runs over what stands there already."""
    inside = [line.interpolate(t, normalized=True) for t in np.linspace(0, 1, 60)]
    spots = [Frame(p.x, p.y, 0.0) for p in inside if 0 < p.x < site.extent[0] and 0 < p.y < site.extent[1]]
    return sum(not site.is_free(spot, 3, 3) for spot in spots) > 0.1 * len(spots)
