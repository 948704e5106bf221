"""Kinds of places: residential, urban, industrial, harbour, airport, rural, sports, mixed."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from shapely.geometry import LineString, Point, Polygon, box

from inference_server.evaluation.scene_buildings import draw_building
from inference_server.evaluation.scene_canvas import Color, Frame
from inference_server.evaluation.scene_facilities import (
    draw_court,
    draw_pitch,
    draw_pool,
    draw_runway,
    draw_tank,
    draw_track,
)
from inference_server.evaluation.scene_ground import (
    draw_bridge,
    draw_field,
    draw_grass,
    draw_ground,
    draw_slab,
    draw_water,
)
from inference_server.evaluation.scene_palette import pick_name
from inference_server.evaluation.scene_site import (
    Road,
    Site,
    along,
    build_houses,
    build_parking,
    crossing,
    curve,
    drive_traffic,
    lay_roads,
    park_along,
    plant_row,
    plant_trees,
)
from inference_server.evaluation.scene_vehicles import (
    draw_airplane,
    draw_bus,
    draw_container,
    draw_ship,
    draw_truck,
)

WATERS: tuple[Color, ...] = ((0.17, 0.26, 0.27), (0.21, 0.31, 0.33), (0.27, 0.33, 0.27), (0.14, 0.22, 0.30))


def _one(site: Site, options: tuple[str, ...]) -> str:
    return str(options[int(site.rng.integers(len(options)))])


def _water_tone(site: Site) -> Color:
    return WATERS[int(site.rng.integers(len(WATERS)))]


def residential(site: Site) -> frozenset[str]:
    rng = site.rng
    ground = _one(site, ("grass", "grass", "dry"))
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
            _court(site, _one(site, ("tennis court", "basketball court")))
        if rng.random() < 0.25:
            build_parking(site)
        if rng.random() < 0.25:
            _pond(site, float(rng.uniform(12, 30)))
    pools = float(rng.choice([0.08, 0.25, 0.45]))
    for road in site.roads:
        build_houses(site, road, chance=0.35 + 0.6 * site.crowding, pools=pools)
    for road in site.roads:
        park_along(site, road, chance=0.05 + 0.18 * site.crowding)
        drive_traffic(site, road, spacing_m=120, heavy=0.08)
    plant_trees(site, float(rng.uniform(6, 40)))
    return frozenset({"grass", "field"}) if ground == "grass" else frozenset({"field", "grass"})


def urban(site: Site) -> frozenset[str]:
    rng = site.rng
    draw_ground(site.canvas, "paved")
    wide, high = site.extent
    turn = float(rng.uniform(-0.06, 0.06))
    plans: list[tuple[LineString, float, str]] = []
    for horizontal, size in ((True, high), (False, wide)):
        block = float(rng.uniform(85, 130))
        for k in range(max(1, round(size / block))):
            at = (k + 0.5) * block / size + float(rng.uniform(-0.03, 0.03))
            if at < 1:
                sign = 1.0 if horizontal else -1.0
                tilt = math.tan(turn) * sign * (wide / high if horizontal else high / wide) / 2
                plans.append(
                    (
                        crossing(site, horizontal=horizontal, at=at, bend=0.0, tilt=tilt),
                        float(rng.choice([8.0, 9.0, 12.0])),
                        "asphalt",
                    )
                )
    lay_roads(site, plans)
    for _ in range(int(rng.integers(0, 3))):
        frame = site.find(30, 25, angle=turn)
        if frame is not None:
            site.take(frame, 30, 25)
            park = draw_grass(site.canvas, Polygon(frame.to_scene([(-14, -11), (14, -11), (14, 11), (-14, 11)])))
            del park
            _grove(site, frame, 28, 22)
    if rng.random() < 0.6:
        build_parking(site, angle=turn, aisles=int(rng.integers(1, 3)))
    if rng.random() < 0.3:
        _court(site, "basketball court", angle=turn)
    for road in site.roads:
        _blocks(site, road)
    for road in site.roads:
        drive_traffic(site, road, spacing_m=float(rng.uniform(25, 90)), heavy=0.15)
        if road.width < 10:
            park_along(site, road, chance=0.25)
        if rng.random() < 0.6:
            plant_row(site, road, spacing_m=11, offset_m=2.4)
    plant_trees(site, float(rng.uniform(2, 12)), clumps=0.2)
    return frozenset({"field"})


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
                    roof = _one(site, ("flat", "flat", "gable", "hip"))
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


def _grove(site: Site, frame: Frame, length: float, width: float) -> None:
    from inference_server.evaluation.scene_ground import draw_tree

    for _ in range(int(site.rng.integers(2, 9))):
        spot = frame.shifted(
            float(site.rng.uniform(-0.45, 0.45)) * length, float(site.rng.uniform(-0.45, 0.45)) * width
        )
        draw_tree(site.canvas, spot.cx, spot.cy, float(site.rng.uniform(1.5, 3.5)))


def industrial(site: Site) -> frozenset[str]:
    rng = site.rng
    ground = _one(site, ("dry", "grass", "soil"))
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
    _tanks(site, int(rng.integers(0, 7)), turn)
    if rng.random() < 0.7:
        build_parking(site, angle=turn, aisles=1)
    if rng.random() < 0.7:
        _container_yard(site, turn, rows=int(rng.integers(1, 4)), columns=int(rng.integers(2, 7)))
    for _ in range(int(3 + 14 * site.crowding)):
        _hall(site, turn)
    for road in site.roads:
        drive_traffic(site, road, spacing_m=60, heavy=0.4)
    plant_trees(site, float(rng.uniform(2, 15)), clumps=0.7)
    return frozenset({"grass", "field"})


def _hall(site: Site, turn: float) -> None:
    rng = site.rng
    length, width = float(rng.uniform(18, 60)), float(rng.uniform(12, 30))
    angle = turn + (math.pi / 2 if rng.random() < 0.4 else 0.0)
    yard = (length + float(rng.uniform(4, 16)), width + float(rng.uniform(6, 22)))
    frame = site.find(*yard, angle=angle, tries=15, inside=bool(rng.random() < 0.7))
    if frame is None:
        return
    site.take(frame, *yard)
    draw_slab(site.canvas, frame, *yard, tone=float(rng.uniform(0.5, 0.68)), joints_m=float(rng.choice([0.0, 6.0])))
    roof = _one(site, ("metal", "metal", "flat"))
    spot = frame.shifted(0, (yard[1] - width) / 2 * float(rng.choice([-0.8, 0.8])))
    draw_building(
        site.canvas,
        spot,
        length,
        width,
        roof=roof,
        color=site.big_color("metal" if roof == "metal" else "flat"),
        height=float(rng.uniform(6, 11)),
    )
    gate = (yard[1] - width) * 0.5
    for _ in range(int(rng.integers(0, 4))):
        side = -1.0 if spot.shifted(0, 0) != frame and (spot.cy - frame.cy) * math.cos(frame.angle) > 0 else 1.0
        place = frame.shifted(float(rng.uniform(-0.4, 0.4)) * length, side * (yard[1] / 2 - gate / 2 - 1))
        if gate > 5 and site.canvas.owner[_pixel(site, place)] == 0:
            angle_in = float(rng.choice([0.0, math.pi])) + float(rng.normal(0, 0.1))
            draw_truck(site.canvas, place.shifted(0, 0, angle_in), color=pick_name("truck", rng))
            break


def _pixel(site: Site, frame: Frame) -> tuple[int, int]:
    rows, cols = site.canvas.shape
    return (
        int(np.clip(frame.cy / site.canvas.gsd_m, 0, rows - 1)),
        int(np.clip(frame.cx / site.canvas.gsd_m, 0, cols - 1)),
    )


def _tanks(site: Site, count: int, turn: float) -> None:
    """A tank farm: equal tanks in rows, or a few of different size."""
    rng = site.rng
    if count == 0:
        return
    columns = 1 if count < 3 else 2 + (count > 4)
    rows = math.ceil(count / columns)
    radius = float(rng.uniform(5, 14))
    pitch = radius * 2.9
    frame = site.find(columns * pitch, rows * pitch, angle=turn, tries=60)
    if frame is None:
        return
    site.take(frame, columns * pitch, rows * pitch)
    draw_slab(site.canvas, frame, columns * pitch, rows * pitch, tone=float(rng.uniform(0.5, 0.66)))
    usual = pick_name("tank", rng)
    for k in range(count):
        u = (k % columns - (columns - 1) / 2) * pitch
        v = (k // columns - (rows - 1) / 2) * pitch
        spot = frame.shifted(u, v)
        size = radius * float(rng.choice([1.0, 1.0, 0.7, 1.2]))
        color = usual if rng.random() < 0.75 else pick_name("tank", rng)
        draw_tank(site.canvas, spot.cx, spot.cy, size, color=color, height=float(rng.uniform(6, 13)))


def _container_yard(site: Site, turn: float, *, rows: int, columns: int) -> None:
    rng = site.rng
    long = bool(rng.random() < 0.6)
    length, width = (12.19 if long else 6.06) + 0.7, 2.44
    gap = float(rng.choice([0.4, 1.6, 4.0]))
    size = (rows * (length + 3), columns * (width + gap) + 4)
    frame = site.find(*size, angle=turn, tries=60)
    if frame is None:
        return
    site.take(frame, *size)
    draw_slab(site.canvas, frame, size[0] + 4, size[1] + 4, tone=float(rng.uniform(0.48, 0.62)), joints_m=8.0)
    for r in range(rows):
        for k in range(columns):
            if rng.random() < 0.8:
                spot = frame.shifted(
                    (r - (rows - 1) / 2) * (length + 3),
                    (k - (columns - 1) / 2) * (width + gap),
                    float(rng.normal(0, 0.015)),
                )
                draw_container(site.canvas, spot, color=pick_name("container", rng), long=long)


def harbour(site: Site) -> frozenset[str]:
    rng = site.rng
    draw_ground(site.canvas, "paved")
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
    water = draw_water(site.canvas, basin, bank_m=0.0, tone=_water_tone(site), shape="irregular")
    site.take_shape(basin)
    turn = math.atan2(2 * tilt, wide + 100)
    inland = quay + (high - quay) * 0.5 if top else quay * 0.5
    lay_roads(site, [(curve(site, (-30, inland - tilt), (wide + 30, inland + tilt), 0), 8.0, "asphalt")])
    _container_yard(site, turn, rows=int(rng.integers(1, 5)), columns=int(rng.integers(3, 9)))
    if rng.random() < 0.5:
        _container_yard(site, turn + math.pi / 2, rows=int(rng.integers(1, 3)), columns=int(rng.integers(2, 6)))
    if rng.random() < 0.6:
        _tanks(site, int(rng.integers(1, 5)), turn)
    for _ in range(int(2 + 8 * site.crowding)):
        _hall(site, turn)
    if rng.random() < 0.4:
        build_parking(site, angle=turn)
    _moored(site, basin, water, quay, tilt, top, turn)
    for road in site.roads:
        drive_traffic(site, road, spacing_m=60, heavy=0.4)
    plant_trees(site, 2)
    return frozenset({"field"})


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
                x0, y0, x1, y1 = basin.bounds
                frame = Frame(x, float(rng.uniform(y0, y1)), float(rng.uniform(0, 2 * math.pi)))
                del x0, x1
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


def airport(site: Site) -> frozenset[str]:
    rng = site.rng
    draw_ground(site.canvas, _one(site, ("grass", "dry")))
    wide, high = site.extent
    large = min(wide, high) > 260
    tilt = float(rng.uniform(-0.05, 0.05))
    if large:
        strip = Frame(wide / 2, high * 0.12, tilt)
        draw_runway(site.canvas, strip, max(wide * 1.6, 900), 45)
        site.take(strip, wide * 1.6, 60)
        taxi = strip.shifted(0, 62)
        draw_slab(site.canvas, taxi, wide * 1.5, 20, tone=0.5)
        site.take(taxi, wide * 1.5, 22)
        for u in (-0.3, 0.25):
            draw_slab(site.canvas, strip.shifted(u * wide, 38), 18, 40, tone=0.5)
    apron_h = high * float(rng.uniform(0.3, 0.42))
    apron = Frame(wide / 2, high * (0.55 if large else 0.4), tilt)
    draw_slab(site.canvas, apron, wide * 0.92, apron_h, tone=float(rng.uniform(0.58, 0.7)), joints_m=9.0)
    size = float(np.clip(apron_h * 0.42, 9, 60))
    count = max(2, min(int(wide * 0.85 / (size * 1.15)), 9))
    if rng.random() < 0.5:
        count = max(2, count // 2)
    for k in range(count):
        if rng.random() < 0.8:
            length = size * float(rng.choice([1.0, 0.95, 0.6, 0.75]))
            u = (k + 0.5) / count * wide * 0.86 - wide * 0.43
            spot = apron.shifted(
                u,
                apron_h * float(rng.uniform(-0.12, 0.12)),
                -math.pi / 2 * float(rng.choice([1, 1, -1])) + float(rng.normal(0, 0.15)),
            )
            draw_airplane(site.canvas, spot, color=pick_name("airplane", rng), length=length)
    site.take(apron, wide * 0.92, apron_h)
    hall = apron.shifted(float(rng.uniform(-0.15, 0.15)) * wide, apron_h / 2 + 14)
    terminal = (min(wide * float(rng.uniform(0.3, 0.55)), 140), min(24.0, high * 0.1))
    if site.is_free(hall, *terminal):
        site.take(hall, terminal[0] + 4, terminal[1] + 4)
        draw_building(site.canvas, hall, *terminal, roof="flat", color=site.big_color("flat"), height=10)
    rest = high * 0.9
    lay_roads(site, [(curve(site, (-30, rest), (wide + 30, rest + tilt * wide), 0), 8.0, "asphalt")])
    for _ in range(int(rng.integers(1, 3))):
        build_parking(site, angle=tilt)
    for _ in range(int(1 + 4 * site.crowding)):
        _hall(site, tilt)
    for road in site.roads:
        drive_traffic(site, road, spacing_m=70, heavy=0.25)
    plant_trees(site, 3)
    return frozenset({"grass", "field"})


def rural(site: Site) -> frozenset[str]:
    rng = site.rng
    draw_ground(site.canvas, _one(site, ("grass", "dry")))
    wide, high = site.extent
    turn = float(rng.uniform(-0.5, 0.5))
    river: LineString | None = None
    if rng.random() < 0.5:
        river = crossing(site, horizontal=False, at=float(rng.uniform(0.25, 0.75)), bend=wide * 0.07)
    cell = float(rng.uniform(60, 130))
    reach = math.hypot(wide, high)
    for i in range(-int(reach / cell), int(reach / cell) + 1):
        for j in range(-int(reach / cell), int(reach / cell) + 1):
            middle = Frame(wide / 2, high / 2, turn).shifted(i * cell * 1.3, j * cell)
            if rng.random() < 0.5:
                size = (cell * 1.3 - float(rng.uniform(4, 14)), cell - float(rng.uniform(4, 14)))
                outline = Polygon(
                    middle.to_scene(
                        [
                            (-size[0] / 2, -size[1] / 2),
                            (size[0] / 2, -size[1] / 2),
                            (size[0] / 2, size[1] / 2),
                            (-size[0] / 2, size[1] / 2),
                        ]
                    )
                )
                if outline.intersects(box(0, 0, wide, high)) and (river is None or outline.distance(river) > 14):
                    draw_field(site.canvas, middle, *size, color=pick_name("field", rng))
                    site.take(middle, *size)
    half = float(rng.uniform(5, 11))
    if river is not None:
        draw_water(site.canvas, river.buffer(half), bank_m=3.0, tone=_water_tone(site), shape="irregular")
        site.take_shape(river.buffer(half + 3))
    kind = _one(site, ("asphalt", "dirt"))
    road_line = crossing(site, horizontal=True, at=float(rng.uniform(0.3, 0.7)), bend=high * 0.03)
    lay_roads(site, [(road_line, 6.5 if kind == "asphalt" else 4.5, kind)])
    road = site.roads[0]
    if river is not None:
        meet = road_line.intersection(river)
        if meet.geom_type == "Point":
            at = road_line.project(meet)
            draw_bridge(site.canvas, along(road_line, at, 0), half * 2 + 14, road.width + 3.0)
    _pond(site, float(rng.uniform(10, 28))) if river is None and rng.random() < 0.5 else None
    for _ in range(int(rng.integers(1, 5))):
        _farm(site, road)
    drive_traffic(site, road, spacing_m=110, heavy=0.2)
    plant_trees(site, float(rng.uniform(5, 30)), clumps=0.9)
    if rng.random() < 0.4:
        plant_row(site, road, spacing_m=14, offset_m=3)
    return frozenset({"grass"})


def _farm(site: Site, road: Road) -> None:
    rng = site.rng
    side = float(rng.choice([-1, 1]))
    spot = along(road.line, float(rng.uniform(0.12, 0.88)) * road.line.length, side * (road.width / 2 + 26))
    wide, high = site.extent
    if not (10 < spot.cx < wide - 10 and 10 < spot.cy < high - 10 and site.is_free(spot, 40, 34)):
        return
    draw_slab(site.canvas, spot, 40, 34, tone=0.6)
    for u, v, length, width, roof in ((-12, -6, 13, 9, "gable"), (9, 5, 24, 12, "metal"), (-11, 10, 10, 7, "metal")):
        place = spot.shifted(u + float(rng.normal(0, 1)), v, float(rng.normal(0, 0.06)))
        if rng.random() < 0.75:
            color = site.house_color() if roof == "gable" else site.big_color("metal")
            draw_building(site.canvas, place, length, width, roof=roof, color=color, height=float(rng.uniform(3, 6)))
    site.take(spot, 40, 34)


def _pond(site: Site, radius: float) -> None:
    rng = site.rng
    frame = site.find(radius * 2.6, radius * 2.2)
    if frame is None:
        return
    t = np.linspace(0, 2 * math.pi, 48, endpoint=False)
    r = radius * (
        1 + sum(float(rng.uniform(0.03, 0.12)) * np.sin(k * t + float(rng.uniform(0, 6.3))) for k in (1, 2, 3))
    )
    outline = Polygon(frame.to_scene(np.stack([r * np.cos(t) * 1.15, r * np.sin(t) * 0.9], axis=1)))
    draw_water(site.canvas, outline, bank_m=2.0, tone=_water_tone(site), shape="irregular")
    site.take_shape(outline.buffer(2.5))


def _court(site: Site, kind: str, *, angle: float | None = None, color: str = "") -> bool:
    length, width = (35.0, 17.5) if kind == "tennis court" else (30.0, 17.0)
    frame = site.find(length + 4, width + 4, angle=angle)
    if frame is None:
        return False
    site.take(frame, length + 3, width + 3)
    draw_court(site.canvas, frame, kind, color=color or pick_name(kind, site.rng))
    return True


def sports(site: Site) -> frozenset[str]:
    rng = site.rng
    draw_ground(site.canvas, _one(site, ("grass", "dry")))
    wide, high = site.extent
    turn = float(rng.uniform(-0.4, 0.4))
    lay_roads(
        site,
        [
            (
                crossing(site, horizontal=bool(rng.random() < 0.5), at=float(rng.choice([0.12, 0.88])), bend=4),
                7.0,
                "asphalt",
            )
        ],
    )
    if min(wide, high) > 200 and rng.random() < 0.5:
        length = float(rng.uniform(140, 175))
        frame = site.find(length, length * 0.55, angle=turn, tries=80)
        if frame is not None:
            site.take(frame, length + 4, length * 0.53 + 4)
            draw_track(site.canvas, frame, length)
    for _ in range(int(rng.integers(0, 3))):
        scale = float(rng.uniform(0.55, 1.0))
        frame = site.find(105 * scale + 6, 66 * scale + 6, angle=turn)
        if frame is not None:
            site.take(frame, 105 * scale + 4, 66 * scale + 4)
            draw_pitch(site.canvas, frame, 105 * scale, 66 * scale)
    usual = pick_name("tennis court", rng)
    for _ in range(int(rng.integers(0, 5))):
        _court(site, "tennis court", angle=turn + math.pi / 2, color=usual if rng.random() < 0.7 else "")
    for _ in range(int(rng.integers(0, 3))):
        _court(site, "basketball court", angle=turn)
    if rng.random() < 0.5:
        frame = site.find(36, 22, angle=turn)
        if frame is not None:
            site.take(frame, 36, 22)
            draw_pool(site.canvas, frame, 25, 12.5, shape="rectangular")
    build_parking(site, angle=turn, aisles=int(rng.integers(1, 3)))
    for _ in range(int(rng.integers(1, 5))):
        _hall(site, turn)
    for road in site.roads:
        drive_traffic(site, road, spacing_m=70, heavy=0.15)
    plant_trees(site, float(rng.uniform(5, 25)))
    return frozenset({"grass", "field"})


def mixed(site: Site) -> frozenset[str]:
    """A town's edge by a river: houses, a bridge, halls, tanks, a bus depot, a court."""
    rng = site.rng
    draw_ground(site.canvas, _one(site, ("grass", "dry", "soil")))
    wide, high = site.extent
    flip = bool(rng.random() < 0.5)
    river = crossing(site, horizontal=flip, at=float(rng.uniform(0.3, 0.7)), bend=min(wide, high) * 0.05)
    half = float(np.clip(min(wide, high) * rng.uniform(0.04, 0.08), 4, 25))
    draw_water(site.canvas, river.buffer(half), bank_m=3.0, tone=_water_tone(site), shape="irregular")
    site.take_shape(river.buffer(half + 4))
    main = crossing(site, horizontal=not flip, at=float(rng.uniform(0.3, 0.7)), bend=3)
    lay_roads(site, [(main, 8.0, "asphalt")])
    meet = main.intersection(river)
    if meet.geom_type == "Point":
        draw_bridge(site.canvas, along(main, main.project(meet), 0), half * 2 + 16, 11.5)
    _tanks(site, int(rng.integers(0, 4)), 0.0)
    if rng.random() < 0.5:
        _court(site, _one(site, ("tennis court", "basketball court")))
    if rng.random() < 0.6:
        build_parking(site)
    if rng.random() < 0.5:
        _container_yard(site, 0.1, rows=1, columns=int(rng.integers(2, 6)))
    for _ in range(int(1 + 3 * site.crowding)):
        _hall(site, float(rng.choice([0.0, 0.1])))
    build_houses(site, site.roads[0], chance=0.2 + 0.6 * site.crowding, pools=0.25)
    if rng.random() < 0.4:
        frame = site.find(16, 14)
        if frame is not None:
            site.take(frame, 16, 14)
            draw_slab(site.canvas, frame, 16, 14, tone=0.5)
            for k in range(int(rng.integers(1, 4))):
                draw_bus(site.canvas, frame.shifted(0, (k - 1) * 4.2), color=pick_name("bus", rng))
    drive_traffic(site, site.roads[0], spacing_m=60, heavy=0.2)
    for _ in range(int(rng.integers(0, 4))):
        length = float(rng.uniform(6, max(half * 1.2, 7)))
        spot = along(river, float(rng.uniform(0.1, 0.9)) * river.length, float(rng.uniform(-0.4, 0.4)) * half)
        if main.distance(Point(spot.cx, spot.cy)) > 16 + length / 2:
            draw_ship(site.canvas, spot, color=pick_name("ship", rng), length=length, moving=bool(rng.random() < 0.5))
    plant_trees(site, float(rng.uniform(5, 30)), clumps=0.6)
    return frozenset({"grass", "field"})


#: What each theme builds; it returns the categories its bare ground may be taken for.
THEMES: dict[str, Callable[[Site], frozenset[str]]] = {
    "residential": residential,
    "urban": urban,
    "industrial": industrial,
    "harbour": harbour,
    "airport": airport,
    "rural": rural,
    "sports": sports,
    "mixed": mixed,
}
