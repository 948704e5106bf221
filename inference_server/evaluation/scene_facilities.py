"""Things people build outdoors: pools, courts, pitches, tracks, storage tanks, parking lots, runways."""

from __future__ import annotations

import math

import numpy as np

from inference_server.evaluation.scene_canvas import Canvas, Color, Frame
from inference_server.evaluation.scene_ground import draw_slab
from inference_server.evaluation.scene_palette import shade_of

LINE: Color = (0.93, 0.93, 0.91)


def _line(canvas: Canvas, frame: Frame, u: float, v: float, length: float, width: float) -> None:
    canvas.paint(canvas.rect(frame.shifted(u, v), length, width), LINE, opacity=0.9)


def _border(canvas: Canvas, frame: Frame, length: float, width: float, stroke: float) -> None:
    for v in (-width / 2, width / 2):
        _line(canvas, frame, 0, v, length + stroke, stroke)
    for u in (-length / 2, length / 2):
        _line(canvas, frame, u, 0, stroke, width + stroke)


def _ring(canvas: Canvas, frame: Frame, radius: float, stroke: float) -> None:
    patch = canvas.ellipse(frame, 2 * radius + stroke, 2 * radius + stroke)
    if patch is not None:
        off = np.abs(np.hypot(patch.u, patch.v) - radius)
        canvas.paint(
            patch,
            LINE,
            opacity=np.clip((stroke / 2 - off) / canvas.gsd_m + 0.5, 0, 0.9).astype(np.float32)
            * min(1.0, stroke / canvas.gsd_m * 1.3),
        )


def draw_pool(canvas: Canvas, frame: Frame, length: float, width: float, *, shape: str) -> int:
    """A swimming pool with its coping: "rectangular", "round" or "kidney-shaped"."""
    rng = canvas.rng
    tone = float(rng.uniform(0.62, 0.85))
    draw_slab(
        canvas, frame, length + float(rng.uniform(2, 6)), width + float(rng.uniform(2, 5)), tone=tone, joints_m=1.2
    )
    area = length * width * (1.0 if shape == "rectangular" else math.pi / 4)
    owner = canvas.register(
        "pool", "blue", frame.rectangle(length, width), area_m2=area, size_m=(length, width), shape=shape
    )
    water = np.array([(0.36, 0.70, 0.80), (0.28, 0.62, 0.78), (0.42, 0.76, 0.78)][int(rng.integers(3))])
    base = tuple(float(c) for c in np.clip(water * (1 + rng.normal(0, 0.05, 3)), 0, 1))
    color: Color = (base[0], base[1], base[2])
    for grow, paint, who in ((0.7, (0.9, 0.89, 0.86), 0), (0.0, color, owner)):
        if shape == "rectangular":
            patches = [canvas.rect(frame, length + grow, width + grow)]
        elif shape == "round":
            patches = [canvas.ellipse(frame, length + grow, width + grow)]
        else:
            patches = [
                canvas.ellipse(frame.shifted(-length * 0.18, 0), length * 0.64 + grow, width + grow),
                canvas.ellipse(frame.shifted(length * 0.2, width * 0.08), length * 0.6 + grow, width * 0.7 + grow),
            ]
        for patch in patches:
            if patch is not None:
                gain = canvas.texture(patch, (0.25, 0.9, 3.5), (0.02, 0.03, 0.03))
                if who:
                    gain = gain * (1 - 0.08 * patch.u / length).astype(np.float32)
                canvas.paint(patch, paint, gain=gain, owner=who)
    return owner


#: Length and width with the run-off.
COURTS_M = {"tennis court": (35.0, 17.5), "basketball court": (30.0, 17.0)}


def draw_court(canvas: Canvas, frame: Frame, kind: str, *, color: str) -> int:
    """A "tennis court" or a "basketball court"."""
    rng = canvas.rng
    length, width = COURTS_M[kind]
    inner_l, inner_w = (23.8, 11.0) if kind == "tennis court" else (28.0, 15.0)
    owner = canvas.register(kind, color, frame.rectangle(length, width), area_m2=length * width, size_m=(length, width))
    inner = np.array(shade_of(color, rng))
    outer = np.array(shade_of("green" if color != "green" and rng.random() < 0.5 else color, rng)) * 0.86
    if kind == "basketball court":
        outer = inner * 0.9
    for patch, paint in ((canvas.rect(frame, length, width), outer), (canvas.rect(frame, inner_l, inner_w), inner)):
        if patch is not None:
            gain = canvas.texture(patch, (0.9, 3.5, 12.0), (0.015, 0.02, 0.02))
            canvas.paint(patch, (float(paint[0]), float(paint[1]), float(paint[2])), gain=gain, owner=owner)
    stroke = 0.12
    _border(canvas, frame, inner_l, inner_w, stroke)
    if kind == "tennis court":
        for v in (-4.115, 4.115):
            _line(canvas, frame, 0, v, inner_l, stroke)
        for u in (-6.4, 6.4):
            _line(canvas, frame, u, 0, stroke, 8.23)
        _line(canvas, frame, 0, 0, 12.8, stroke)
        canvas.paint(canvas.rect(frame, 0.18, 12.6), (0.25, 0.25, 0.25), opacity=0.6, height=0.9)
    else:
        _line(canvas, frame, 0, 0, stroke, inner_w)
        _ring(canvas, frame, 1.8, stroke)
        for side in (-1.0, 1.0):
            key = frame.shifted(side * (inner_l / 2 - 2.9), 0)
            _border(canvas, key, 5.8, 4.9, stroke)
            _ring(canvas, frame.shifted(side * (inner_l / 2 - 5.8), 0), 1.8, stroke)
    return owner


def draw_pitch(canvas: Canvas, frame: Frame, length: float, width: float, *, host: int = 0) -> int:
    """A soccer field with mowing stripes and lines."""
    owner = canvas.register(
        "soccer field",
        "green",
        frame.rectangle(length, width),
        area_m2=length * width,
        size_m=(length, width),
        host=host,
    )
    patch = canvas.rect(frame, length, width)
    if patch is None:
        return owner
    gain = canvas.texture(patch, (0.25, 0.9, 3.5, 12.0), (0.04, 0.04, 0.03, 0.04))
    gain = gain * (1 + 0.05 * np.sign(np.sin(patch.u * (2 * math.pi / (length / 6)))))
    grass = np.array([0.33, 0.48, 0.24]) * (1 + canvas.rng.normal(0, 0.05, 3))
    canvas.paint(patch, (float(grass[0]), float(grass[1]), float(grass[2])), gain=gain.astype(np.float32), owner=owner)
    inner_l, inner_w, stroke = length - 5, width - 4, 0.16
    _border(canvas, frame, inner_l, inner_w, stroke)
    _line(canvas, frame, 0, 0, stroke, inner_w)
    _ring(canvas, frame, 9.15 * length / 105, stroke)
    for side in (-1.0, 1.0):
        deep, wide = inner_l * 0.157, inner_w * 0.59
        _border(canvas, frame.shifted(side * (inner_l / 2 - deep / 2), 0), deep, wide, stroke)
        _border(canvas, frame.shifted(side * (inner_l / 2 - deep / 6), 0), deep / 3, wide * 0.45, stroke)
        worn = canvas.ellipse(frame.shifted(side * (inner_l / 2 - 2), 0), 6, 8)
        canvas.paint(worn, (0.55, 0.48, 0.36), opacity=0.45)
    return owner


def draw_track(canvas: Canvas, frame: Frame, length: float) -> tuple[int, int]:
    """An athletics track with a soccer field inside; returns both owner numbers."""
    rng = canvas.rng
    width = length * 0.53
    lane = length * 0.055
    owner = canvas.register(
        "track",
        "red",
        frame.rectangle(length, width),
        area_m2=length * width * 0.35,
        size_m=(length, width),
        shape="round",
    )
    red = np.array([0.62, 0.30, 0.24]) * (1 + rng.normal(0, 0.06, 3))
    _stadium(canvas, frame, length, width, (float(red[0]), float(red[1]), float(red[2])), owner)
    for k in range(1, 6):
        off = lane * k / 6
        _stadium_line(canvas, frame, length - 2 * off, width - 2 * off)
    _stadium(canvas, frame, length - 2 * lane, width - 2 * lane, (0.36, 0.46, 0.26), 0)
    field = draw_pitch(canvas, frame, (length - width) * 1.08, (width - 2 * lane) * 0.82)
    return owner, field


def _stadium(canvas: Canvas, frame: Frame, length: float, width: float, color: Color, owner: int) -> None:
    radius = width / 2
    straight = length / 2 - radius
    for patch in (
        canvas.rect(frame, 2 * straight, width),
        canvas.ellipse(frame.shifted(straight, 0), width, width),
        canvas.ellipse(frame.shifted(-straight, 0), width, width),
    ):
        if patch is not None:
            canvas.paint(patch, color, gain=canvas.texture(patch, (0.9, 12.0), (0.02, 0.03)), owner=owner)


def _stadium_line(canvas: Canvas, frame: Frame, length: float, width: float) -> None:
    patch = canvas.rect(frame, length + 1, width + 1)
    if patch is None:
        return
    straight = length / 2 - width / 2
    off = np.abs(np.hypot(np.maximum(np.abs(patch.u) - straight, 0), patch.v) - width / 2)
    stroke = np.clip(1 - off / canvas.gsd_m, 0, 1) * min(0.8, 0.1 / canvas.gsd_m)
    canvas.paint(patch, LINE, opacity=stroke.astype(np.float32))


def register_tank(canvas: Canvas, frame: Frame, radius: float, *, color: str, height: float) -> int:
    """Notes a tank of any kind; its owner number."""
    ring = [(radius * math.cos(t), radius * math.sin(t)) for t in np.linspace(0, 2 * math.pi, 16)]
    return canvas.register("tank", color, frame.to_scene(ring), area_m2=math.pi * radius**2,
                           size_m=(2 * radius, 2 * radius), height_m=height, shape="round")  # fmt: skip


def draw_tank(canvas: Canvas, x: float, y: float, radius: float, *, color: str, height: float) -> int:
    """A storage tank: a round roof with a rim, a stair, plates and stains, inside a bund."""
    rng = canvas.rng
    frame = Frame(x, y, float(rng.uniform(0, 2 * math.pi)))
    owner = register_tank(canvas, frame, radius, color=color, height=height)
    base = np.array(shade_of(color, rng))
    patch = canvas.ellipse(frame, 2 * radius, 2 * radius)
    if patch is None:
        return owner
    towards = canvas.sunward(frame, patch) / radius
    far = np.hypot(patch.u, patch.v) / radius
    floating = rng.random() < 0.35
    gain = canvas.texture(patch, (0.9, 3.5, 12.0), (0.02, 0.03, 0.02)) * (1 + (0.0 if floating else 0.09) * towards)
    canvas.paint(
        patch,
        (float(base[0]), float(base[1]), float(base[2])),
        gain=gain.astype(np.float32),
        owner=owner,
        height=np.broadcast_to(np.float32(height), patch.alpha.shape) * np.ones_like(patch.alpha),
    )
    stain = canvas.noise.window(3.5, patch.window, int(rng.integers(1 << 16)))
    canvas.paint(patch, (0.4, 0.32, 0.25), opacity=np.clip((stain - 1.2) * 0.25, 0, 0.3))
    if floating:
        inner = canvas.ellipse(frame, 2 * radius - 1.6, 2 * radius - 1.6)
        canvas.paint(inner, (float(base[0]), float(base[1]), float(base[2])), gain=0.82, height=height - 2.5)
    rim = np.clip(1 - np.abs(far - 1) * radius / max(0.4, canvas.gsd_m), 0, 0.5).astype(np.float32)
    canvas.paint(patch, (0.9, 0.9, 0.88), opacity=rim)
    spokes = 12 if radius > 8 else 8
    seam = np.abs(np.sin(np.arctan2(patch.v, patch.u) * spokes / 2)) * far * radius
    canvas.paint(patch, (0.35, 0.35, 0.35), opacity=(np.clip(1 - seam / canvas.gsd_m, 0, 1) * 0.12).astype(np.float32))
    canvas.paint(canvas.rect(frame.shifted(radius * 0.55, 0), radius * 0.9, 0.7), (0.45, 0.45, 0.45), opacity=0.55)
    canvas.paint(canvas.ellipse(frame.shifted(0.1 * radius, 0.2), 1.2, 1.2), (0.35, 0.35, 0.36), opacity=0.7)
    return owner


def draw_parking(canvas: Canvas, frame: Frame, aisles: int, bays: int) -> tuple[int, list[Frame]]:
    """A parking lot of double rows; returns its owner number and the bays where cars may stand."""
    rng = canvas.rng
    bay_w, bay_l, aisle = 2.5, 5.0, 6.0
    length, width = bays * bay_w + 7, aisles * (2 * bay_l + aisle) + 1.5
    owner = canvas.register(
        "parking lot", "gray", frame.rectangle(length, width), area_m2=length * width, size_m=(length, width)
    )
    tone = float(rng.uniform(0.33, 0.5))
    canvas.paint(canvas.rect(frame, length + 0.6, width + 0.6), (0.7, 0.69, 0.67), owner=None)
    patch = canvas.rect(frame, length, width)
    spots: list[Frame] = []
    if patch is None:
        return owner, spots
    gain = canvas.texture(patch, (0.25, 0.9, 3.5, 12.0), (0.03, 0.03, 0.03, 0.04))
    canvas.paint(patch, (tone, tone, tone * 1.01), gain=gain, owner=owner)
    for k in range(aisles):
        middle = -width / 2 + 0.75 + (k + 0.5) * (2 * bay_l + aisle)
        for side in (-1, 1):
            row = middle + side * (aisle + bay_l) / 2
            for i in range(bays + 1):
                u = -bays * bay_w / 2 + i * bay_w
                _line(canvas, frame, u, row, 0.12, bay_l)
                if i < bays:
                    turn = side * math.pi / 2 + (math.pi if rng.random() < 0.3 else 0.0)
                    spots.append(frame.shifted(u + bay_w / 2, row, turn + float(rng.normal(0, 0.02))))
    return owner, spots


def draw_runway(canvas: Canvas, frame: Frame, length: float, width: float) -> int:
    """A runway with threshold bars, a dashed centre line and rubber marks."""
    owner = canvas.register(
        "runway", "gray", frame.rectangle(length, width), area_m2=length * width, size_m=(length, width)
    )
    patch = canvas.rect(frame, length, width)
    if patch is None:
        return owner
    tone = float(canvas.rng.uniform(0.36, 0.48))
    gain = canvas.texture(patch, (0.9, 3.5, 12.0), (0.02, 0.02, 0.03))
    rubber = np.exp(-((patch.v / (width * 0.14)) ** 2)) * 0.3
    canvas.paint(patch, (tone, tone, tone * 1.02), gain=(gain * (1 - rubber)).astype(np.float32), owner=owner)
    for v in (-width / 2 + 1, width / 2 - 1):
        _line(canvas, frame, 0, v, length, 0.9)
    for u in np.arange(-length / 2 + 60, length / 2 - 60, 50.0):
        _line(canvas, frame, float(u), 0, 30, 0.9)
    for side in (-1.0, 1.0):
        for v in np.arange(-width / 2 + 3.5, width / 2 - 2, 3.4):
            _line(canvas, frame, side * (length / 2 - 21), float(v), 30, 1.7)
    return owner
