"""Surfaces: open ground, grass, fields, water, roads, bridges, and the trees that stand on them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from shapely.geometry import LineString, Polygon, box
from shapely.geometry.base import BaseGeometry

from inference_server.evaluation.scene_canvas import Canvas, Color, Frame, Patch

#: Pairs of colours that open ground is mixed from.
GROUNDS: dict[str, tuple[tuple[Color, Color], ...]] = {
    "grass": (
        ((0.36, 0.43, 0.24), (0.47, 0.49, 0.30)),
        ((0.30, 0.38, 0.21), (0.44, 0.43, 0.28)),
        ((0.41, 0.46, 0.28), (0.55, 0.51, 0.36)),
    ),
    "dry": (((0.60, 0.54, 0.42), (0.46, 0.46, 0.31)), ((0.66, 0.58, 0.46), (0.56, 0.50, 0.38))),
    "soil": (((0.55, 0.43, 0.33), (0.64, 0.52, 0.41)), ((0.58, 0.50, 0.42), (0.49, 0.43, 0.36))),
    "paved": (((0.56, 0.555, 0.54), (0.63, 0.62, 0.60)), ((0.50, 0.50, 0.49), (0.60, 0.58, 0.55))),
}

FIELD_COLORS: dict[str, tuple[Color, ...]] = {
    "green": ((0.28, 0.42, 0.20), (0.36, 0.47, 0.22), (0.25, 0.37, 0.22)),
    "brown": ((0.46, 0.35, 0.27), (0.40, 0.31, 0.25), (0.51, 0.40, 0.31)),
    "tan": ((0.69, 0.61, 0.46), (0.64, 0.57, 0.43)),
    "yellow": ((0.78, 0.70, 0.32), (0.80, 0.74, 0.38)),
}


def draw_ground(canvas: Canvas, kind: str) -> None:
    """Fills the canvas with open ground of a kind in ``GROUNDS``: two colours mixed in patches, worn and dotted."""
    rng = canvas.rng
    pairs = GROUNDS[kind]
    one, two = pairs[int(rng.integers(len(pairs)))]
    whole = canvas.rect(Frame(canvas.width_m / 2, canvas.height_m / 2, 0), canvas.width_m, canvas.height_m)
    if whole is None:
        return
    noise = canvas.noise
    mix = 1 / (1 + np.exp(-1.8 * (noise.field(40.0) * 0.8 + noise.field(12.0) * 0.5 + noise.field(3.5) * 0.35)))
    gain = canvas.texture(whole, (0.25, 0.9, 3.5), (0.06, 0.05, 0.03))
    tint = np.asarray(one, np.float32) + mix[..., None].astype(np.float32) * (
        np.asarray(two, np.float32) - np.asarray(one, np.float32)
    )
    canvas.albedo[:] = tint * gain[..., None]
    if kind != "paved":
        bare = np.clip((noise.field(12.0) + 0.5 * noise.field(0.9) - 1.6) * 0.6, 0, 0.7)
        canvas.paint(whole, (0.6, 0.53, 0.43), opacity=bare.astype(np.float32))
        bush = np.clip((noise.field(3.5) + 0.6 * noise.field(0.9) - 2.3) * 1.2, 0, 0.75)
        canvas.paint(whole, (0.2, 0.26, 0.15), opacity=bush.astype(np.float32))
    else:
        stain = np.clip((noise.field(12.0) + 0.3 * noise.field(3.5) - 1.0) * 0.3, 0, 0.3)
        canvas.paint(whole, (0.36, 0.35, 0.34), opacity=stain.astype(np.float32))


def draw_slab(canvas: Canvas, frame: Frame, length: float, width: float, *, tone: float, joints_m: float = 0.0) -> None:
    """A paved yard, deck or apron that is no object of its own."""
    patch = canvas.rect(frame, length, width)
    if patch is None:
        return
    gain = canvas.texture(patch, (0.9, 3.5, 12.0), (0.025, 0.03, 0.03))
    if joints_m > 0:
        for at in (patch.u, patch.v):
            phase = np.abs(np.mod(at, joints_m) - joints_m / 2)
            seam = np.clip(1.2 - (joints_m / 2 - phase) / max(canvas.gsd_m, 0.15), 0, 1)
            gain = (gain * (1 - 0.12 * seam)).astype(np.float32)
    canvas.paint(patch, (tone, tone * 0.985, tone * 0.955), gain=gain.astype(np.float32), owner=0)


def draw_grass(canvas: Canvas, outline: Polygon) -> int:
    """A lawn or a park on ground that is not grass."""
    patch = canvas.area(outline)
    owner = canvas.register(
        "grass",
        "green",
        np.array(outline.exterior.coords),
        area_m2=outline.area,
        size_m=sides_of(outline),
        shape="irregular",
    )
    if patch is not None:
        gain = canvas.texture(patch, (0.25, 0.9, 3.5, 12.0), (0.06, 0.05, 0.05, 0.05))
        base = np.array([0.35, 0.45, 0.24]) * (1 + canvas.rng.normal(0, 0.06, 3))
        canvas.paint(patch, _color(base), gain=gain, owner=owner)
    return owner


def draw_field(canvas: Canvas, frame: Frame, length: float, width: float, *, color: str) -> int:
    """A field with furrows along the frame's x axis."""
    rng = canvas.rng
    outline = frame.rectangle(length, width)
    owner = canvas.register("field", color, outline, area_m2=length * width, size_m=(length, width))
    patch = canvas.rect(frame, length, width)
    if patch is None:
        return owner
    shades = FIELD_COLORS[color]
    base = np.array(shades[int(rng.integers(len(shades)))]) * (1 + rng.normal(0, 0.03, 3))
    gain = canvas.texture(patch, (0.25, 0.9, 3.5, 40.0), (0.05, 0.05, 0.04, 0.07))
    for period in (float(rng.uniform(0.8, 1.6)), float(rng.uniform(4, 12))):
        fade = np.clip(period / canvas.gsd_m / 3 - 0.6, 0, 1)
        wander = canvas.noise.window(12.0, patch.window, 11) * 0.15
        gain = gain * (1 + 0.07 * fade * np.sin((patch.v + wander) * (2 * math.pi / period)))
    canvas.paint(patch, _color(base), gain=gain.astype(np.float32), owner=owner)
    bare = np.clip((canvas.noise.window(12.0, patch.window, 17) - 1.5) * 0.5, 0, 0.5)
    canvas.paint(patch, (0.56, 0.48, 0.38), opacity=bare)
    return owner


def draw_water(canvas: Canvas, outline: BaseGeometry, *, bank_m: float, tone: Color, shape: str) -> int:
    """A river, a lake or a basin, with a bank (``bank_m`` 0 for a quay)."""
    inside = outline.intersection(box(0, 0, canvas.width_m, canvas.height_m))
    if bank_m > 0:
        bank = canvas.area(outline.buffer(bank_m))
        if bank is not None:
            gain = canvas.texture(bank, (0.9, 3.5), (0.08, 0.08))
            canvas.paint(bank, (0.45, 0.41, 0.31), gain=gain, owner=0, opacity=0.9)
    owner = canvas.register(
        "water",
        "blue",
        np.array(inside.envelope.exterior.coords),
        area_m2=inside.area,
        size_m=sides_of(inside),
        shape=shape,
    )
    patch = canvas.area(outline)
    if patch is None:
        return owner
    gain = canvas.texture(patch, (0.9, 3.5, 12.0, 40.0), (0.05, 0.05, 0.03, 0.06))
    canvas.paint(patch, tone, gain=gain, owner=owner, height=-1.0)
    shallow = np.clip((canvas.noise.window(40.0, patch.window, 23) - 0.6) * 0.25, 0, 0.3)
    canvas.paint(patch, (0.36, 0.40, 0.33), opacity=shallow)
    return owner


def draw_roads(canvas: Canvas, roads: Sequence[tuple[LineString, float, str]]) -> list[int]:
    """Draws roads together, so that crossings join; returns an owner number each.

    Args:
        roads: centre line in scene metres, width in metres, "asphalt" or "dirt".
    """
    owners = []
    for line, width, _ in roads:
        shape = line.buffer(width / 2, cap_style="flat").intersection(box(0, 0, canvas.width_m, canvas.height_m))
        points = np.array(shape.envelope.exterior.coords) if not shape.is_empty else np.zeros((4, 2)) - 9
        owners.append(
            canvas.register(
                "road", "gray", points, area_m2=max(shape.area, 1e-6), size_m=(line.length, width), shape="irregular"
            )
        )
    tone = 0.40 + float(canvas.rng.uniform(-0.07, 0.1))
    for line, width, kind in roads:
        if kind == "asphalt":
            _strip(canvas, line, width + 3.6, (0.62, 0.61, 0.58), None)
            _strip(canvas, line, width + 0.5, (0.72, 0.71, 0.69), None)
    for (line, width, kind), owner in zip(roads, owners, strict=True):
        if kind == "asphalt":
            _strip(canvas, line, width, (tone, tone, tone * 1.01), owner)
        else:
            _strip(canvas, line, width, (0.66, 0.57, 0.45), owner, grain=2.2)
            for side in (-0.22, 0.22):
                track = line.parallel_offset(abs(side) * width, "left" if side < 0 else "right")
                _strip(canvas, track, width * 0.16, (0.73, 0.65, 0.53), None)
    others = [LineString(line).buffer(width / 2 + 2.5) for line, width, _ in roads]
    for i, (line, width, kind) in enumerate(roads):
        if kind == "asphalt" and width >= 5.5:
            free = line
            for j, other in enumerate(others):
                if j != i:
                    free = free.difference(other)
            _markings(canvas, free, width)
    return owners


def _strip(
    canvas: Canvas, line: BaseGeometry, width: float, color: Color, owner: int | None, *, grain: float = 1.0
) -> None:
    patch = canvas.area(line.buffer(width / 2, cap_style="flat"))
    if patch is not None:
        spreads = tuple(grain * s for s in (0.03, 0.03, 0.03, 0.025))
        gain = canvas.texture(patch, (0.25, 0.9, 3.5, 12.0), spreads)
        canvas.paint(patch, color, gain=gain, owner=owner)


def _markings(canvas: Canvas, line: BaseGeometry, width: float) -> None:
    parts = getattr(line, "geoms", [line])
    dash, gap = (3.0, 4.0) if width < 9 else (4.0, 6.0)
    lanes = [0.0] if width < 11 else [-width / 4, 0.0, width / 4]
    for part in parts:
        at = 1.0
        while at + dash < part.length:
            p, q = part.interpolate(at), part.interpolate(at + dash)
            angle = math.atan2(q.y - p.y, q.x - p.x)
            frame = Frame((p.x + q.x) / 2, (p.y + q.y) / 2, angle)
            if 0 <= frame.cx <= canvas.width_m and 0 <= frame.cy <= canvas.height_m:
                for lane in lanes:
                    canvas.paint(canvas.rect(frame.shifted(0, lane), dash, 0.16), (0.86, 0.85, 0.82), opacity=0.85)
            at += dash + gap
        if width >= 7:
            for edge in (-1, 1):
                side = part.parallel_offset(width / 2 - 0.35, "left" if edge < 0 else "right")
                patch = canvas.area(side.buffer(0.1)) if not side.is_empty else None
                canvas.paint(patch, (0.84, 0.83, 0.8), opacity=0.6)


def draw_bridge(canvas: Canvas, frame: Frame, length: float, width: float, *, road: int) -> int:
    """A bridge along the frame's x axis that carries the road of that owner number."""
    owner = canvas.register(
        "bridge",
        "gray",
        frame.rectangle(length, width),
        area_m2=length * width,
        size_m=(length, width),
        height_m=5.0,
        host=road,
    )
    tone = 0.6 + float(canvas.rng.uniform(-0.05, 0.12))
    patch = canvas.rect(frame, length, width)
    if patch is None:
        return owner
    gain = canvas.texture(patch, (0.9, 3.5), (0.025, 0.03))
    canvas.paint(patch, (tone, tone, tone * 0.98), gain=gain, owner=owner, height=5.8)
    deck = canvas.rect(frame, length, width - 2.4)
    canvas.paint(deck, (0.43, 0.43, 0.44), height=5.0)
    at = -length / 2 + 2
    while at < length / 2 - 2:
        canvas.paint(canvas.rect(frame.shifted(at, 0), 3.0, 0.16), (0.86, 0.85, 0.82), opacity=0.85)
        at += 7.0
    return owner


def draw_tree(canvas: Canvas, x: float, y: float, radius: float) -> int:
    """A tree crown of lobes, lit from the sun's side."""
    rng = canvas.rng
    frame = Frame(x, y, float(rng.uniform(0, 2 * math.pi)))
    ring = frame.to_scene([(radius * math.cos(t), radius * math.sin(t)) for t in np.linspace(0, 5.5, 8)])
    owner = canvas.register(
        "tree",
        "green",
        ring,
        area_m2=math.pi * radius**2 * 0.9,
        size_m=(2 * radius, 2 * radius),
        height_m=radius * 2.2,
        shape="round",
    )
    patch = canvas.ellipse(frame, radius * 2.5, radius * 2.5)
    if patch is None:
        return owner
    canvas.paint(*_crown(canvas, patch, radius), owner=owner, height=None)
    seen = canvas.owner[patch.window] == owner
    dome = radius * (1.0 + 1.2 * np.sqrt(np.clip(1 - (patch.u**2 + patch.v**2) / radius**2, 0, 1)))
    heights = canvas.height[patch.window]
    heights[seen] = dome[seen]
    return owner


def _crown(
    canvas: Canvas, patch: Patch, radius: float
) -> tuple[Patch, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    rng = canvas.rng
    angle = np.arctan2(patch.v, patch.u)
    lobes = sum(float(rng.uniform(0.03, 0.09)) * np.sin(k * angle + float(rng.uniform(0, 6.3))) for k in (2, 3, 5, 8))
    salt = int(rng.integers(1 << 16))
    grain = canvas.noise.window(0.9, patch.window, salt)
    far = np.hypot(patch.u, patch.v) / (radius * (1 + lobes)) + 0.05 * grain
    alpha = np.clip((1 - far) * radius / canvas.gsd_m * 0.8 + 0.5, 0, 1).astype(np.float32)
    sx, sy = canvas.sun.direction
    x = (np.arange(patch.window[1].start, patch.window[1].stop) + 0.5) * canvas.gsd_m
    y = ((np.arange(patch.window[0].start, patch.window[0].stop) + 0.5) * canvas.gsd_m)[:, None]
    centre_x, centre_y = float(x.mean()), float(y.mean())
    towards = ((x - centre_x) * sx + (y - centre_y) * sy) / radius
    detail = (
        0.16 * grain
        + 0.10 * canvas.noise.window(3.5, patch.window, salt)
        + 0.1 * canvas.noise.window(0.25, patch.window, salt) * min(1.0, 0.25 / canvas.gsd_m)
    )
    gain = np.clip(0.86 + 0.34 * towards + detail, 0.3, 1.7)
    bases = ((0.25, 0.33, 0.17), (0.29, 0.37, 0.19), (0.21, 0.29, 0.17), (0.33, 0.38, 0.20), (0.37, 0.35, 0.2))
    base = np.array(bases[int(rng.choice(5, p=[0.3, 0.27, 0.22, 0.15, 0.06]))]) * (1 + rng.normal(0, 0.06, 3))
    color = (base.astype(np.float32) * gain[..., None]).astype(np.float32)
    return Patch(patch.window, alpha, patch.u, patch.v), color


def sides_of(shape: BaseGeometry) -> tuple[float, float]:
    """Metres along the canvas's axes."""
    x0, y0, x1, y1 = shape.bounds if not shape.is_empty else (0, 0, 1, 1)
    return float(x1 - x0), float(y1 - y0)


def _color(base: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Color:
    r, g, b = np.clip(base, 0.03, 0.97)
    return float(r), float(g), float(b)
