"""How roads, houses, cars and trees find their places on a site."""

from __future__ import annotations

import math

import numpy as np
from shapely.geometry import LineString, Polygon

from inference_server.evaluation.scene_buildings import draw_building
from inference_server.evaluation.scene_canvas import Frame
from inference_server.evaluation.scene_clutter import lay_parcel, scatter
from inference_server.evaluation.scene_facilities import draw_parking, draw_pool
from inference_server.evaluation.scene_ground import draw_bridge, draw_roads, draw_tree
from inference_server.evaluation.scene_palette import pick_name
from inference_server.evaluation.scene_site import Road, Site, along
from inference_server.evaluation.scene_vehicles import draw_bus, draw_car, draw_truck


def lay_roads(site: Site, plans: list[tuple[LineString, float, str]]) -> None:
    """Draws roads, takes their ground and makes the rest uneven."""
    owners = draw_roads(site.canvas, plans)
    for (line, width, kind), owner in zip(plans, owners, strict=True):
        site.roads.append(Road(line, width, owner))
        site.take_shape(line.buffer(width / 2 + (2.2 if kind == "asphalt" else 0.8)))
    scatter(site, is_paved=site.is_paved)


def build_bridge(site: Site, frame: Frame, length: float, width: float, *, road: Road) -> None:
    """A bridge that carries the road; what drives there stands on the bridge."""
    owner = draw_bridge(site.canvas, frame, length, width, road=road.owner)
    site.bridges.append((Polygon(frame.rectangle(length, width)), owner))


def build_houses(site: Site, road: Road, *, chance: float, pools: float, setback: float = 7.0) -> None:
    """Lots on both sides of a road: house, drive, car, sometimes a shed or a pool behind."""
    rng = site.rng
    for side in (-1, 1):
        at = float(rng.uniform(0, 15))
        while at < road.line.length - 5:
            lot = float(rng.uniform(17, 30))
            if rng.random() < chance:
                _lot(site, road, at + lot / 2, side, pools=pools, setback=setback * float(rng.uniform(0.7, 1.5)))
            at += lot


def _lot(site: Site, road: Road, at: float, side: int, *, pools: float, setback: float) -> None:
    rng, canvas = site.rng, site.canvas
    length, width = float(rng.uniform(10, 17)), float(rng.uniform(7.5, 11))
    across = rng.random() < 0.25
    deep = length if across else width
    front = along(road.line, at, side * (road.width / 2 + 3 + setback))
    center = front.shifted(0, side * deep / 2, math.pi / 2 if across else 0.0)
    center = Frame(center.cx, center.cy, center.angle + float(rng.normal(0, 0.04)))
    wing = (float(rng.uniform(4, 7)), width * 0.85) if rng.random() < 0.28 and not across else None
    room = (length + 2.5, width + 2.5 + (wing[0] * 2 if wing else 0))
    if not site.is_free(center, *room):
        return
    site.take(center, *room)
    roof = str(rng.choice(["gable", "hip", "flat"], p=[0.5, 0.37, 0.13]))
    color = site.house_color() if roof != "flat" else pick_name("flat", rng)
    parcel = front.shifted(0, side * (deep - setback + 14) / 2)
    lay_parcel(site, parcel, float(rng.uniform(15, 24)), deep + setback + 14)
    if rng.random() < 0.65:
        _drive(site, road, front, side, setback, length if not across else width)
    draw_building(canvas, center, length, width, roof=roof, color=color, height=float(rng.uniform(3, 6)), wing=wing)
    if rng.random() < pools:
        pool_l = float(rng.uniform(7, 11))
        pool_w = pool_l * float(rng.uniform(0.42, 0.6))
        shape = str(rng.choice(["rectangular", "kidney-shaped", "round"], p=[0.6, 0.3, 0.1]))
        if shape == "round":
            pool_w = pool_l = pool_l * 0.7
        spot = front.shifted(float(rng.uniform(-4, 4)), side * (deep + 5 + pool_w + (wing[0] * 2 if wing else 0)))
        if site.is_free(spot, pool_l + 5, pool_w + 5):
            site.take(spot, pool_l + 5, pool_w + 5)
            draw_pool(canvas, spot, pool_l, pool_w, shape=shape)
    elif rng.random() < 0.25:
        shed = front.shifted(float(rng.uniform(-6, 6)), side * (deep + 10), float(rng.normal(0, 0.2)))
        if site.is_free(shed, 6, 5):
            site.take(shed, 6, 5)
            draw_building(canvas, shed, 4.5, 3.4, roof="gable", color=pick_name("metal", rng), height=2.3)


def _drive(site: Site, road: Road, front: Frame, side: int, setback: float, face: float) -> None:
    rng, canvas = site.rng, site.canvas
    u = float(rng.choice([-1, 1])) * face * float(rng.uniform(0.1, 0.4))
    drive = front.shifted(u, -side * (setback + 2.2) / 2)
    tone = float(rng.uniform(0.5, 0.72))
    patch = canvas.rect(drive, 3.4, setback + 2.6)
    if patch is not None:
        canvas.paint(patch, (tone, tone, tone * 0.96), gain=canvas.texture(patch, (0.9, 3.5), (0.03, 0.03)))
    site.take(drive, 3.4, setback + 2)
    if setback > 5.5 and rng.random() < 0.5:
        turn = math.pi / 2 * (1 if rng.random() < 0.5 else -1)
        draw_car(
            canvas,
            drive.shifted(0, side * (setback - 5) / 2, turn + float(rng.normal(0, 0.04))),
            color=pick_name("car", rng),
        )


def drive_traffic(site: Site, road: Road, *, spacing_m: float, heavy: float) -> None:
    """Cars, buses and trucks in the lanes; ``heavy`` is the share of buses and trucks."""
    rng = site.rng
    for side in (-1, 1):
        at = float(rng.exponential(spacing_m))
        while at < road.line.length - 8:
            place = along(road.line, at, side * road.width / 4)
            frame = Frame(place.cx, place.cy, place.angle + (0.0 if side > 0 else math.pi))
            host = next((o for deck, o in site.bridges if deck.intersects(_point(frame))), road.owner)
            if rng.random() < heavy:
                if rng.random() < 0.5:
                    draw_bus(site.canvas, frame, color=pick_name("bus", rng), host=host)
                else:
                    draw_truck(site.canvas, frame, color=pick_name("truck", rng), host=host)
            else:
                draw_car(site.canvas, frame, color=pick_name("car", rng), host=host)
            at += 16 + float(rng.exponential(spacing_m))


def park_along(site: Site, road: Road, *, chance: float) -> None:
    """Cars parked at the kerb."""
    rng = site.rng
    for side in (-1, 1):
        at = float(rng.uniform(3, 12))
        while at < road.line.length - 5:
            if rng.random() < chance:
                place = along(road.line, at, side * (road.width / 2 - 1.1))
                others = [r for r in site.roads if r is not road]
                if all(r.line.distance(_point(place)) > r.width / 2 + 5 for r in others):
                    turn = 0.0 if side > 0 else math.pi
                    draw_car(
                        site.canvas,
                        Frame(place.cx, place.cy, place.angle + turn),
                        color=pick_name("car", rng),
                        host=road.owner,
                    )
            at += float(rng.uniform(6.5, 9))


def _point(frame: Frame) -> LineString:
    return LineString([(frame.cx, frame.cy), (frame.cx + 0.01, frame.cy)])


def build_parking(
    site: Site,
    *,
    angle: float | None = None,
    fill: float | None = None,
    aisles: int = 1,
    bays: int | None = None,
    share: tuple[float, float] = (0.2, 0.8),
) -> bool:
    """A parking lot with cars somewhere free; False when there is no room."""
    rng = site.rng
    count = bays or int(rng.integers(8, 20))
    length, width = count * 2.5 + 7, aisles * 16 + 1.5
    frame = site.find(length + 3, width + 3, angle=angle)
    if frame is None:
        return False
    site.take(frame, length + 2, width + 2)
    lot, spots = draw_parking(site.canvas, frame, aisles, count)
    full = fill if fill is not None else float(rng.uniform(*share))
    for spot in spots:
        if rng.random() < full:
            draw_car(site.canvas, spot, color=pick_name("car", rng), host=lot)
    return True


def plant_trees(site: Site, density_ha: float, *, clumps: float = 0.4) -> None:
    """Trees on free ground, some in clumps; ``density_ha`` trees a hectare."""
    rng = site.rng
    wide, high = site.extent
    wanted = min(int(wide * high / 1e4 * density_ha), 900)
    planted = 0
    for _ in range(wanted * 2):
        if planted >= wanted:
            break
        x, y = float(rng.uniform(0, wide)), float(rng.uniform(0, high))
        group = int(rng.integers(3, 9)) if rng.random() < clumps * 0.4 else 1
        for _ in range(group):
            radius = float(np.clip(site.tree_size * rng.lognormal(0, 0.3), 0.9, 7))
            trunk = Frame(x, y, 0.0)
            if site.is_free(trunk, radius * 1.1, radius * 1.1):
                draw_tree(site.canvas, x, y, radius)
                site.take(trunk, radius * 1.3, radius * 1.3)
                planted += 1
            x += float(rng.normal(0, radius * 1.5))
            y += float(rng.normal(0, radius * 1.5))


def plant_row(site: Site, road: Road, *, spacing_m: float, offset_m: float) -> None:
    """Street trees along a road."""
    for side in (-1, 1):
        at = float(site.rng.uniform(0, spacing_m))
        while at < road.line.length:
            if site.rng.random() < 0.75:
                spot = along(road.line, at, side * (road.width / 2 + offset_m))
                radius = float(np.clip(site.tree_size * site.rng.lognormal(-0.1, 0.2), 1.2, 5))
                if site.is_free(spot, 1.2, 1.2):
                    draw_tree(site.canvas, spot.cx, spot.cy, radius)
                    site.take(spot, radius, radius)
            at += spacing_m * float(site.rng.uniform(0.8, 1.3))
