"""What a theme is put together from: halls with yards, tank farms, container stacks, farms, ponds, courts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from shapely.geometry import Polygon

from inference_server.evaluation.scene_buildings import draw_building
from inference_server.evaluation.scene_canvas import Color, Frame
from inference_server.evaluation.scene_facilities import (
    COURTS_M,
    draw_court,
    draw_tank,
)
from inference_server.evaluation.scene_ground import (
    draw_slab,
    draw_water,
)
from inference_server.evaluation.scene_palette import pick_name
from inference_server.evaluation.scene_site import Road, Site, along
from inference_server.evaluation.scene_vehicles import (
    draw_container,
    draw_truck,
)

Option = TypeVar("Option")

WATERS: tuple[Color, ...] = ((0.17, 0.26, 0.27), (0.21, 0.31, 0.33), (0.27, 0.33, 0.27), (0.14, 0.22, 0.30))


def one_of(site: Site, options: Sequence[Option]) -> Option:
    """Any of them, each as likely."""
    return options[int(site.rng.integers(len(options)))]


def water_tone(site: Site) -> Color:
    return one_of(site, WATERS)


def _pixel(site: Site, frame: Frame) -> tuple[int, int]:
    rows, cols = site.canvas.shape
    return (
        int(np.clip(frame.cy / site.canvas.gsd_m, 0, rows - 1)),
        int(np.clip(frame.cx / site.canvas.gsd_m, 0, cols - 1)),
    )


def build_hall(site: Site, turn: float) -> None:
    rng = site.rng
    length, width = float(rng.uniform(18, 60)), float(rng.uniform(12, 30))
    angle = turn + (math.pi / 2 if rng.random() < 0.4 else 0.0)
    yard = (length + float(rng.uniform(4, 16)), width + float(rng.uniform(6, 22)))
    frame = site.find(*yard, angle=angle, tries=15, inside=bool(rng.random() < 0.7))
    if frame is None:
        return
    site.take(frame, *yard)
    draw_slab(site.canvas, frame, *yard, tone=float(rng.uniform(0.5, 0.68)), joints_m=float(rng.choice([0.0, 6.0])))
    roof = one_of(site, ("metal", "metal", "flat"))
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


def build_tanks(site: Site, count: int, turn: float) -> None:
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


def stack_containers(site: Site, turn: float, *, rows: int, columns: int) -> None:
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


def dig_pond(site: Site, radius: float) -> None:
    rng = site.rng
    frame = site.find(radius * 2.6, radius * 2.2)
    if frame is None:
        return
    t = np.linspace(0, 2 * math.pi, 48, endpoint=False)
    r = radius * (
        1 + sum(float(rng.uniform(0.03, 0.12)) * np.sin(k * t + float(rng.uniform(0, 6.3))) for k in (1, 2, 3))
    )
    outline = Polygon(frame.to_scene(np.stack([r * np.cos(t) * 1.15, r * np.sin(t) * 0.9], axis=1)))
    draw_water(site.canvas, outline, bank_m=2.0, tone=water_tone(site), shape="irregular")
    site.take_shape(outline.buffer(2.5))


def build_court(site: Site, kind: str, *, angle: float | None = None, color: str = "") -> bool:
    length, width = COURTS_M[kind]
    frame = site.find(length + 4, width + 4, angle=angle)
    if frame is None:
        return False
    site.take(frame, length + 3, width + 3)
    draw_court(site.canvas, frame, kind, color=color or pick_name(kind, site.rng))
    return True


def build_farm(site: Site, road: Road) -> None:
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
