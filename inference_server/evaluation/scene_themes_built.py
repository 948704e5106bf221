"""Built-up places: residential, urban, industrial, harbour."""

from __future__ import annotations

import math

import numpy as np
from shapely.geometry import LineString, Polygon, box

from inference_server.evaluation.scene_buildings import draw_building
from inference_server.evaluation.scene_canvas import Frame
from inference_server.evaluation.scene_clutter import lay_parcel
from inference_server.evaluation.scene_ensembles import (
    build_court,
    build_hall,
    build_tanks,
    dig_pond,
    one_of,
    stack_containers,
    water_tone,
)
from inference_server.evaluation.scene_ground import (
    draw_grass,
    draw_ground,
    draw_tree,
    draw_water,
)
from inference_server.evaluation.scene_palette import pick_name
from inference_server.evaluation.scene_placing import (
    build_houses,
    build_parking,
    drive_traffic,
    lay_roads,
    park_along,
    plant_row,
    plant_trees,
)
from inference_server.evaluation.scene_site import Road, Site, along, crossing, curve
from inference_server.evaluation.scene_vehicles import (
    draw_ship,
)


def residential(site: Site) -> frozenset[str]:
    rng = site.rng
    ground = one_of(site, ("grass", "grass", "dry"))
    draw_ground(site.canvas, ground)
    wide, high = site.extent
    flip = bool(rng.random() < 0.5)
    count = 1 if min(wide, high) < 130 else int(rng.integers(1, 4))
    slots = (np.arange(count) + 0.5) / count + rng.uniform(-0.1, 0.1, count)
    bend = min(wide, high) * 0.04
    plans = [
        (crossing(site, horizontal=flip, at=float(s), bend=bend, tilt=float(rng.uniform(-0.05, 0.05))), 6.5, "asphalt")
        for s in slots
    ]
    if rng.random() < 0.7:
        plans.append(
            (crossing(site, horizontal=not flip, at=float(rng.uniform(0.25, 0.75)), bend=bend), 7.5, "asphalt")
        )
    lay_roads(site, plans)
    if min(wide, high) > 150:
        if rng.random() < 0.35:
            build_court(site, one_of(site, ("tennis court", "basketball court")))
        if rng.random() < 0.25:
            build_parking(site)
        if rng.random() < 0.25:
            dig_pond(site, float(rng.uniform(12, 30)))
    pools = float(rng.choice([0.08, 0.25, 0.45]))
    for road in site.roads:
        build_houses(site, road, chance=0.35 + 0.6 * site.crowding, pools=pools)
    for road in site.roads:
        park_along(site, road, chance=0.05 + 0.18 * site.crowding)
        drive_traffic(site, road, spacing_m=120, heavy=0.08)
    plant_trees(site, float(rng.uniform(6, 40)))
    return frozenset({"grass", "field"})


def urban(site: Site) -> frozenset[str]:
    rng = site.rng
    draw_ground(site.canvas, "paved")
    site.is_paved = True
    wide, high = site.extent
    turn = float(rng.uniform(-0.06, 0.06))
    plans: list[tuple[LineString, float, str]] = []
    for horizontal, size in ((True, high), (False, wide)):
        block = float(rng.uniform(85, 130))
        count = max(1, round(size / block))
        tilt = math.tan(turn) * (1.0 if horizontal else -1.0) * (wide / high if horizontal else high / wide) / 2
        for k in range(count):
            at = (k + 0.5) / count + float(rng.uniform(-0.03, 0.03))
            line = crossing(site, horizontal=horizontal, at=at, bend=0.0, tilt=tilt)
            plans.append((line, float(rng.choice([8.0, 9.0, 12.0])), "asphalt"))
    lay_roads(site, plans)
    for _ in range(int(rng.integers(0, 3))):
        frame = site.find(30, 25, angle=turn)
        if frame is not None:
            site.take(frame, 30, 25)
            draw_grass(site.canvas, Polygon(frame.to_scene([(-14, -11), (14, -11), (14, 11), (-14, 11)])))
            _grove(site, frame, 28, 22)
    if rng.random() < 0.6:
        build_parking(site, angle=turn, aisles=int(rng.integers(1, 3)))
    if rng.random() < 0.3:
        build_court(site, "basketball court", angle=turn)
    for road in site.roads:
        _blocks(site, road)
    for _ in range(int(24 * site.crowding * wide * high / 9e4)):
        _courtyard(site, turn)
    for road in site.roads:
        drive_traffic(site, road, spacing_m=float(rng.uniform(25, 90)), heavy=0.15)
        if road.width < 10:
            park_along(site, road, chance=0.25)
        if rng.random() < 0.6:
            plant_row(site, road, spacing_m=11, offset_m=2.4)
    plant_trees(site, float(rng.uniform(2, 12)), clumps=0.2)
    return frozenset({"field", "grass"})


def _blocks(site: Site, road: Road) -> None:
    rng = site.rng
    for side in (-1, 1):
        at = float(rng.uniform(0, 12))
        while at < road.line.length:
            length, width = float(rng.uniform(14, 42)), float(rng.uniform(11, 20))
            if rng.random() < 0.35 + 0.6 * site.crowding:
                frame = along(road.line, at + length / 2, side * (road.width / 2 + 4.5 + width / 2))
                wing = (float(rng.uniform(6, 14)), width * 0.8) if rng.random() < 0.25 and length > 22 else None
                room = (length + 2, width + 2 + (wing[0] * 2 if wing else 0))
                if site.is_free(frame, *room):
                    site.take(frame, *room)
                    yard = frame.shifted(0, side * 8.0)
                    lay_parcel(site, yard, length + float(rng.uniform(2, 9)), width + 20, is_paved=True)
                    roof = one_of(site, ("flat", "flat", "gable", "hip"))
                    color = site.big_color("flat") if roof == "flat" else site.house_color()
                    draw_building(
                        site.canvas,
                        frame,
                        length,
                        width,
                        roof=roof,
                        color=color,
                        wing=wing,
                        height=float(rng.uniform(7, 18)),
                    )
            at += length + float(rng.choice([1.5, 4, 10]))


def _courtyard(site: Site, turn: float) -> None:
    """A house inside a block, behind those at the street."""
    rng = site.rng
    length, width = float(rng.uniform(9, 28)), float(rng.uniform(7, 15))
    frame = site.find(length + 3, width + 3, angle=turn + float(rng.choice([0, math.pi / 2])), tries=8)
    if frame is None:
        return
    site.take(frame, length + 2, width + 2)
    lay_parcel(site, frame, length + 10, width + 10, is_paved=True)
    roof = one_of(site, ("flat", "gable", "metal"))
    color = site.house_color() if roof == "gable" else site.big_color("flat" if roof == "flat" else "metal")
    draw_building(site.canvas, frame, length, width, roof=roof, color=color, height=float(rng.uniform(3, 10)))


def _grove(site: Site, frame: Frame, length: float, width: float) -> None:
    for _ in range(int(site.rng.integers(2, 9))):
        spot = frame.shifted(
            float(site.rng.uniform(-0.45, 0.45)) * length, float(site.rng.uniform(-0.45, 0.45)) * width
        )
        draw_tree(site.canvas, spot.cx, spot.cy, float(site.rng.uniform(1.5, 3.5)))


def industrial(site: Site) -> frozenset[str]:
    rng = site.rng
    ground = one_of(site, ("dry", "grass", "soil"))
    draw_ground(site.canvas, ground)
    _, high = site.extent
    turn = float(rng.uniform(-0.3, 0.3))
    plans = [
        (
            crossing(site, horizontal=True, at=float(rng.uniform(0.3, 0.7)), bend=high * 0.02, tilt=math.tan(turn) / 2),
            8.0,
            "asphalt",
        )
    ]
    if rng.random() < 0.6:
        plans.append(
            (crossing(site, horizontal=False, at=float(rng.uniform(0.2, 0.8)), bend=0, tilt=-turn / 2), 7.0, "asphalt")
        )
    lay_roads(site, plans)
    build_tanks(site, int(rng.integers(0, 7)), turn)
    if rng.random() < 0.7:
        build_parking(site, angle=turn, aisles=1)
    if rng.random() < 0.7:
        stack_containers(site, turn, rows=int(rng.integers(1, 4)), columns=int(rng.integers(2, 7)))
    for _ in range(int(3 + 14 * site.crowding)):
        build_hall(site, turn)
    for road in site.roads:
        drive_traffic(site, road, spacing_m=60, heavy=0.4)
    plant_trees(site, float(rng.uniform(2, 15)), clumps=0.7)
    return frozenset({"grass", "field"})


def harbour(site: Site) -> frozenset[str]:
    rng = site.rng
    draw_ground(site.canvas, "paved")
    site.is_paved = True
    wide, high = site.extent
    share = float(rng.uniform(0.35, 0.6))
    top = bool(rng.random() < 0.5)
    tilt = high * float(rng.uniform(-0.06, 0.06))
    quay = high * (share if top else 1 - share)
    far = -50.0 if top else high + 50
    basin = Polygon([(-50, quay - tilt), (wide + 50, quay + tilt), (wide + 50, far), (-50, far)])
    if rng.random() < 0.5 and wide > 150:
        x = wide * float(rng.uniform(0.3, 0.7))
        deep = (high * 0.18) * (-1 if top else 1)
        pier = box(x - 14, min(quay - 30, quay + deep), x + 14, max(quay + 30, quay + deep))
        basin = basin.difference(pier)
    edge = site.canvas.area(basin.buffer(1.6))
    site.canvas.paint(edge, (0.74, 0.73, 0.7))
    water = draw_water(site.canvas, basin, bank_m=0.0, tone=water_tone(site), shape="irregular")
    site.take_shape(basin)
    turn = math.atan2(2 * tilt, wide + 100)
    inland = quay + (high - quay) * 0.5 if top else quay * 0.5
    lay_roads(site, [(curve(site, (-30, inland - tilt), (wide + 30, inland + tilt), 0), 8.0, "asphalt")])
    stack_containers(site, turn, rows=int(rng.integers(1, 5)), columns=int(rng.integers(3, 9)))
    if rng.random() < 0.5:
        stack_containers(site, turn + math.pi / 2, rows=int(rng.integers(1, 3)), columns=int(rng.integers(2, 6)))
    if rng.random() < 0.6:
        build_tanks(site, int(rng.integers(1, 5)), turn)
    for _ in range(int(2 + 8 * site.crowding)):
        build_hall(site, turn)
    if rng.random() < 0.4:
        build_parking(site, angle=turn)
    _moored(site, basin, water, quay, tilt, top, turn)
    for road in site.roads:
        drive_traffic(site, road, spacing_m=60, heavy=0.4)
    plant_trees(site, 2)
    return frozenset({"field", "grass"})


def _moored(site: Site, basin: Polygon, water: int, quay: float, tilt: float, top: bool, turn: float) -> None:
    rng = site.rng
    wide, _ = site.extent
    taken: list[Polygon] = []
    for k in range(int(rng.integers(2, 9))):
        length = float(np.clip(rng.lognormal(3.2, 0.6), 8, min(120, wide * 0.5)))
        width = length * 0.28
        alongside = k < 2 and length > 20
        for _ in range(20):
            x = float(rng.uniform(length / 2, max(wide - length / 2, length / 2 + 1)))
            if alongside:
                away = (-1 if top else 1) * (width * 0.4 + 2.5)
                frame = Frame(
                    x, quay - tilt + 2 * tilt * (x + 50) / (wide + 100) + away, turn + float(rng.choice([0, math.pi]))
                )
            else:
                _, y0, _, y1 = basin.bounds
                frame = Frame(x, float(rng.uniform(y0, y1)), float(rng.uniform(0, 2 * math.pi)))
            hull = Polygon(
                frame.to_scene(
                    [
                        (-length / 2, -width / 2),
                        (length / 2, -width / 2),
                        (length / 2, width / 2),
                        (-length / 2, width / 2),
                    ]
                )
            )
            if basin.contains(hull) and all(hull.distance(t) > 3 for t in taken):
                taken.append(hull)
                draw_ship(
                    site.canvas,
                    frame,
                    color=pick_name("ship", rng),
                    length=length,
                    moving=not alongside and rng.random() < 0.4,
                    host=water,
                )
                break
