"""Open places: airport, rural, sports, and a mixed town's edge."""

from __future__ import annotations

import math

import numpy as np
from shapely.geometry import LineString, Point, Polygon, box

from inference_server.evaluation.scene_buildings import draw_building
from inference_server.evaluation.scene_canvas import Frame
from inference_server.evaluation.scene_ensembles import (
    build_court,
    build_farm,
    build_hall,
    build_tanks,
    dig_pond,
    one_of,
    stack_containers,
    water_tone,
)
from inference_server.evaluation.scene_facilities import (
    draw_pitch,
    draw_pool,
    draw_runway,
    draw_track,
)
from inference_server.evaluation.scene_ground import (
    draw_field,
    draw_ground,
    draw_slab,
    draw_water,
)
from inference_server.evaluation.scene_palette import pick_name
from inference_server.evaluation.scene_placing import (
    build_bridge,
    build_houses,
    build_parking,
    drive_traffic,
    lay_roads,
    plant_row,
    plant_trees,
)
from inference_server.evaluation.scene_site import Site, along, crossing, curve
from inference_server.evaluation.scene_vehicles import (
    draw_airplane,
    draw_bus,
    draw_ship,
)


def airport(site: Site) -> frozenset[str]:
    rng = site.rng
    draw_ground(site.canvas, one_of(site, ("grass", "dry")))
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
        build_hall(site, tilt)
    for road in site.roads:
        drive_traffic(site, road, spacing_m=70, heavy=0.25)
    plant_trees(site, 3)
    return frozenset({"grass", "field"})


def rural(site: Site) -> frozenset[str]:
    rng = site.rng
    draw_ground(site.canvas, one_of(site, ("grass", "dry")))
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
        draw_water(site.canvas, river.buffer(half), bank_m=3.0, tone=water_tone(site), shape="irregular")
        site.take_shape(river.buffer(half + 3))
    kind = one_of(site, ("asphalt", "dirt"))
    road_line = crossing(site, horizontal=True, at=float(rng.uniform(0.3, 0.7)), bend=high * 0.03)
    lay_roads(site, [(road_line, 6.5 if kind == "asphalt" else 4.5, kind)])
    road = site.roads[0]
    if river is not None:
        meet = road_line.intersection(river)
        if meet.geom_type == "Point":
            at = road_line.project(meet)
            build_bridge(site, along(road_line, at, 0), half * 2 + 14, road.width + 3.0, road=road)
    dig_pond(site, float(rng.uniform(10, 28))) if river is None and rng.random() < 0.5 else None
    for _ in range(int(rng.integers(1, 5))):
        build_farm(site, road)
    drive_traffic(site, road, spacing_m=110, heavy=0.2)
    plant_trees(site, float(rng.uniform(5, 30)), clumps=0.9)
    if rng.random() < 0.4:
        plant_row(site, road, spacing_m=14, offset_m=3)
    return frozenset({"grass"})


def sports(site: Site) -> frozenset[str]:
    rng = site.rng
    draw_ground(site.canvas, one_of(site, ("grass", "dry")))
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
        build_court(site, "tennis court", angle=turn + math.pi / 2, color=usual if rng.random() < 0.7 else "")
    for _ in range(int(rng.integers(0, 3))):
        build_court(site, "basketball court", angle=turn)
    if rng.random() < 0.5:
        frame = site.find(36, 22, angle=turn)
        if frame is not None:
            site.take(frame, 36, 22)
            draw_pool(site.canvas, frame, 25, 12.5, shape="rectangular")
    build_parking(site, angle=turn, aisles=int(rng.integers(1, 3)))
    for _ in range(int(rng.integers(1, 5))):
        build_hall(site, turn)
    for road in site.roads:
        drive_traffic(site, road, spacing_m=70, heavy=0.15)
    plant_trees(site, float(rng.uniform(5, 25)))
    return frozenset({"grass", "field"})


def mixed(site: Site) -> frozenset[str]:
    """A town's edge by a river: houses, a bridge, halls, tanks, a bus depot, a court."""
    rng = site.rng
    draw_ground(site.canvas, one_of(site, ("grass", "dry", "soil")))
    wide, high = site.extent
    flip = bool(rng.random() < 0.5)
    river = crossing(site, horizontal=flip, at=float(rng.uniform(0.3, 0.7)), bend=min(wide, high) * 0.05)
    half = float(np.clip(min(wide, high) * rng.uniform(0.04, 0.08), 4, 25))
    draw_water(site.canvas, river.buffer(half), bank_m=3.0, tone=water_tone(site), shape="irregular")
    site.take_shape(river.buffer(half + 4))
    main = crossing(site, horizontal=not flip, at=float(rng.uniform(0.3, 0.7)), bend=3)
    lay_roads(site, [(main, 8.0, "asphalt")])
    meet = main.intersection(river)
    if meet.geom_type == "Point":
        build_bridge(site, along(main, main.project(meet), 0), half * 2 + 16, 11.5, road=site.roads[0])
    build_tanks(site, int(rng.integers(0, 4)), 0.0)
    if rng.random() < 0.5:
        build_court(site, one_of(site, ("tennis court", "basketball court")))
    if rng.random() < 0.6:
        build_parking(site)
    if rng.random() < 0.5:
        stack_containers(site, 0.1, rows=1, columns=int(rng.integers(2, 6)))
    for _ in range(int(1 + 3 * site.crowding)):
        build_hall(site, float(rng.choice([0.0, 0.1])))
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
