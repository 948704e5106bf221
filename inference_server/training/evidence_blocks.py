"""Buildings as real towns have them, for the places that only the training draws.

Long, bent, stepped, around a yard; gravelled, greened, dark, with whatever stands on flat roofs; seen a little from the
side, so that their walls show.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from shapely.affinity import translate
from shapely.geometry import LineString, Polygon, box
from shapely.geometry.base import BaseGeometry
from shapely.ops import unary_union

from inference_server.evaluation.scene_buildings import draw_roof, weathered
from inference_server.evaluation.scene_canvas import Color, Frame
from inference_server.evaluation.scene_clutter import ground_only
from inference_server.evaluation.scene_ensembles import one_of
from inference_server.evaluation.scene_ground import draw_tree, sides_of
from inference_server.evaluation.scene_palette import pick_name, shade_of
from inference_server.evaluation.scene_placing import drive_traffic, park_along, plant_row
from inference_server.evaluation.scene_site import Site, curve

#: Trees of a canvas at most: more take too long to draw.
MOST_TREES = 900
#: What flat roofs are covered with beside plain sheets: gravel, sedum, dry moss, tar, brick-red chippings.
COVERS: tuple[Color, ...] = (
    (0.58, 0.57, 0.55), (0.38, 0.42, 0.27), (0.50, 0.46, 0.33), (0.27, 0.27, 0.28), (0.55, 0.44, 0.38),
)  # fmt: skip
WALLS: tuple[Color, ...] = ((0.85, 0.84, 0.8), (0.6, 0.58, 0.55), (0.72, 0.66, 0.56), (0.45, 0.4, 0.37))

#: A rectangle of a building: where it lies in the building's frame (u, v, turn) and its sides.
Part = tuple[float, float, float, float, float]
#: Metres that roofs lean away from the feet of their walls for each metre of height, to the right and down.
Lean = tuple[float, float]
#: How far they usually do, either way.
USUAL_LEAN = 0.16


def some_lean(site: Site) -> Lean:
    """One for all that stands on a site."""
    return float(site.rng.normal(0, USUAL_LEAN)), float(site.rng.normal(0, USUAL_LEAN))


def some_covers(site: Site, count: int = 2) -> list[Color]:
    """Those that a site's flat roofs have."""
    return [one_of(site, COVERS) for _ in range(count)]


def roof_color(rng: np.random.Generator, roof: str, painted: float) -> tuple[str, str]:
    """Whose palette a roof has ("house", "flat", or "metal", as that share of the flat ones), and its colour."""
    kind = roof if roof in ("flat", "metal") else "house"
    if kind == "flat" and rng.random() < painted:
        kind = "metal"
    return kind, pick_name(kind, rng)


def parts_of_block(site: Site) -> list[Part]:
    """The rectangles of a block: a slab, a bent or stepped one, an L, a U, a yard."""
    rng = site.rng
    deep = float(rng.uniform(8, 17))
    long = float(rng.uniform(18, 75))
    kind = rng.random()
    if kind < 0.45:
        return [(0, 0, 0, long, deep)]
    if kind < 0.6:
        bow = float(rng.uniform(0.1, 0.5)) * float(rng.choice([-1, 1]))
        half = long / 2
        reach = half / 2 * math.cos(bow / 2)
        return [(-reach, 0, -bow / 2, half + deep / 4, deep), (reach, 0, bow / 2, half + deep / 4, deep)]
    if kind < 0.72:
        step = float(rng.uniform(2, 6))
        third = long / 3
        return [((k - 1) * third, (k % 2) * step - step / 2, 0, third, deep) for k in range(3)]
    side = float(rng.uniform(14, 45))
    wings = [(-long / 2 + deep / 2, side / 2, math.pi / 2, side + deep, deep * float(rng.uniform(0.8, 1)))]
    if kind > 0.84:
        wings.append((long / 2 - deep / 2, side / 2, math.pi / 2, side + deep, deep))
    if kind > 0.94:
        wings.append((0, side, 0, long, deep))
    return [*wings, (0, 0, 0, long, deep)]


def build_block(site: Site, turn: float, lean: Lean, covers: list[Color]) -> None:
    """A block of flats, an office, a school, somewhere free."""
    rng = site.rng
    parts = parts_of_block(site)
    reach = [max(abs(p[k]) for p in parts) + max(p[3] for p in parts) / 2 for k in (0, 1)]
    length, width = 2 * reach[0], (2 * reach[1] if len(parts) > 1 else parts[0][4])
    frame = site.find(length * 0.8 + 4, width * 0.9 + 4, angle=turn, tries=10, inside=False)
    if frame is None:
        return
    places = [frame.shifted(u, v, t) for u, v, t, _, _ in parts]
    if not all(site.is_free(place, p[3] + 2, p[4] + 2) for place, p in zip(places, parts, strict=True)):
        return
    roof = str(rng.choice(["flat", "gable", "hip", "metal"], p=[0.5, 0.3, 0.12, 0.08]))
    height = float(rng.uniform(5, 22) if roof == "flat" else rng.uniform(5, 14))
    whole = raise_block(site, places, [p[3:] for p in parts], roof, height, lean, covers)
    if rng.random() < 0.3:
        ring = site.canvas.area(whole.buffer(float(rng.uniform(3, 12))).difference(whole))
        site.canvas.paint(ground_only(site.canvas, ring), (0.6, 0.59, 0.56), opacity=float(rng.uniform(0.3, 0.8)))


def raise_block(
    site: Site, places: list[Frame], sides: list[tuple[float, float]], roof: str, height: float, lean: Lean,
    covers: list[Color],
) -> BaseGeometry:  # fmt: skip
    """One building of several rectangles, (length, width) about their frames; takes its ground, returns its outline."""
    rng, canvas = site.rng, site.canvas
    shapes = []
    for place, (a, b) in zip(places, sides, strict=True):
        site.take(place, a + 3, b + 3)
        shapes.append(Polygon(place.rectangle(a, b)))
    whole = unary_union(shapes)
    kind, color = roof_color(rng, roof, painted=0.25)
    owner = canvas.register("building", color, np.array(whole.envelope.exterior.coords), area_m2=whole.area,
                            size_m=sides_of(whole), height_m=height)  # fmt: skip
    base = weathered(shade_of(color, rng), float(rng.uniform(0.1, 0.7)))
    if kind == "flat" and rng.random() < 0.6:
        one = one_of(site, covers)
        base = (one[0] * float(rng.normal(1, 0.06)), one[1], one[2] * float(rng.normal(1, 0.06)))
    elif kind == "house" and rng.random() < 0.5:
        dim = float(rng.uniform(0.55, 0.95))
        base = (base[0] * dim, base[1] * dim, base[2] * dim)
    for place, (a, b) in zip(places, sides, strict=True):
        draw_roof(canvas, place, a, b, roof=roof, base=base, height=height, owner=owner)
        if roof == "flat" and rng.random() < 0.5:
            top(site, place, a, b)
    draw_walls(site, whole, owner, height, lean)
    return whole


def top(site: Site, frame: Frame, length: float, width: float) -> None:
    """What stands on flat roofs: a stair head, a terrace, panels in rows, lights; the roof stays the owner."""
    rng, canvas = site.rng, site.canvas
    kind = rng.random()
    if kind < 0.4:
        tone = float(rng.uniform(0.3, 0.9))
        canvas.paint(canvas.rect(frame, length * float(rng.uniform(0.2, 0.7)), width * float(rng.uniform(0.25, 0.5))),
                     (tone, tone * 0.98, tone * 0.95))  # fmt: skip
    elif kind < 0.65:
        color = one_of(site, COVERS)
        inner = canvas.rect(frame, length * float(rng.uniform(0.5, 0.92)), width * float(rng.uniform(0.5, 0.85)))
        if inner is not None:
            canvas.paint(inner, color, gain=canvas.texture(inner, (0.25, 0.9, 3.5), (0.05, 0.06, 0.06)))
    else:
        glass: Color = (0.12, 0.15, 0.26) if rng.random() < 0.5 else (0.86, 0.88, 0.88)
        pitch = float(rng.uniform(2.5, 9))
        across = float(rng.uniform(0.6, 0.9)) * width
        for u in np.arange(-length / 2 + pitch, length / 2 - 1, pitch):
            canvas.paint(canvas.rect(frame.shifted(float(u), 0), pitch * float(rng.choice([0.25, 0.5])), across), glass,
                         opacity=0.9)  # fmt: skip


def draw_walls(site: Site, roof: BaseGeometry, owner: int, height: float, lean: tuple[float, float]) -> None:
    """The sides that are seen of a building whose roof leans over: they belong to it."""
    canvas = site.canvas
    du, dv = lean[0] * height, lean[1] * height
    reach = math.hypot(du, dv)
    if reach < 0.3:
        return
    patch = canvas.area(unary_union([translate(roof, t * du, t * dv) for t in np.linspace(0, 1, 2 + int(reach))]))
    if patch is None:
        return
    is_roof = canvas.owner[patch.window] == owner
    patch = replace(patch, alpha=patch.alpha * ~is_roof)
    wall = one_of(site, WALLS)
    sx, sy = canvas.sun.direction
    lit = 0.75 + 0.35 * (du * sx + dv * sy) / reach
    canvas.paint(patch, wall, gain=lit, owner=owner, height=height * 0.5)


def wavy(site: Site, radius: float, *, ovalness: float, dent: float, corners: int) -> NDArray[np.float64]:
    """(corner, 2) metres around a middle: a ring drawn out two ways and dented three by these shares of its radius."""
    t = np.linspace(0, 2 * math.pi, corners, endpoint=False)
    oval, dented = (float(site.rng.uniform(0, 6)) for _ in range(2))
    r = radius * (1 + ovalness * np.sin(2 * t + oval) + dent * np.sin(3 * t + dented))
    return np.stack([r * np.cos(t), r * np.sin(t)], axis=1)


def furnish_streets(
    site: Site, *, planted: float, apart_m: tuple[float, float], offset_m: float, parked: float,
    traffic_m: tuple[float, float], heavy: float,
) -> None:  # fmt: skip
    """Rows of trees, parked cars and traffic along the roads.

    Args:
        site: where.
        planted: how often a road has trees; apart_m: from and to how far apart they stand; offset_m: off the kerb.
        parked: how much of a road's sides cars stand along, at most.
        traffic_m: from and to how far apart vehicles drive; heavy: share of trucks and buses.
    """
    rng = site.rng
    for road in site.roads:
        if rng.random() < planted:
            plant_row(site, road, spacing_m=float(rng.uniform(*apart_m)), offset_m=offset_m)
        park_along(site, road, chance=float(rng.uniform(0, parked)))
        drive_traffic(site, road, spacing_m=float(rng.uniform(*traffic_m)), heavy=heavy)


def plant_woods(site: Site, *, per_ha: float, belts: int, water: BaseGeometry | None) -> None:
    """Single trees wherever there is room, belts of crowns that touch, and trees along a bank."""
    rng = site.rng
    wide, high = site.extent
    spots = [(float(rng.uniform(0, wide)), float(rng.uniform(0, high))) for _ in range(int(wide * high / 1e4 * per_ha))]
    lines = [
        curve(site, (float(rng.uniform(0, wide)), float(rng.uniform(0, high))),
              (float(rng.uniform(0, wide)), float(rng.uniform(0, high))), 10.0)
        for _ in range(belts)
    ]  # fmt: skip
    if water is not None and rng.random() < 0.7:
        shore = water.buffer(2.0).boundary.intersection(box(0, 0, wide, high))
        lines.extend(part for part in getattr(shore, "geoms", [shore]) if isinstance(part, LineString))
    spread = float(rng.uniform(1.5, 8))
    for line in lines:
        for at in np.arange(0, line.length, max(1.5, 6.0 / spread)):
            p = line.interpolate(float(at))
            spots.append((p.x + float(rng.normal(0, spread)), p.y + float(rng.normal(0, spread))))
    rng.shuffle(spots)
    taken = site.taken.copy()
    for x, y in spots[:MOST_TREES]:
        radius = float(np.clip(site.tree_size * rng.lognormal(0.1, 0.4), 0.9, 8))
        row, col = int(y / high * taken.shape[0]), int(x / wide * taken.shape[1])
        inside = 0 <= row < taken.shape[0] and 0 <= col < taken.shape[1]
        # A trunk stands on free ground; its crown may hang over a roof or a kerb.
        if inside and not taken[row, col]:
            draw_tree(site.canvas, x, y, radius)
