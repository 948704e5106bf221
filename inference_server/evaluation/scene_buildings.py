"""Roofs from above: gabled, hipped, flat, metal, L-shaped; chimneys, skylights, solar panels, air conditioners."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from inference_server.evaluation.scene_canvas import Canvas, Color, Floats, Frame, Patch
from inference_server.evaluation.scene_palette import shade_of

Points = Sequence[tuple[float, float]]


def draw_building(
    canvas: Canvas,
    frame: Frame,
    length: float,
    width: float,
    *,
    roof: str,
    color: str,
    height: float,
    wing: tuple[float, float] | None = None,
) -> int:
    """Draws a building and returns its owner number.

    Args:
        frame: centre and direction of its long side (``length`` along the frame's x axis, metres).
        roof: "gable", "hip", "flat" or "metal".
        color: canonical name.
        height: of the eaves, metres.
        wing: length and width of a wing towards +y, flush with the -x end, for an L-shaped one.
    """
    rng = canvas.rng
    a, b = length / 2, width / 2
    outline = [(-a, -b), (a, -b), (a, b), (-a, b)]
    area = length * width
    size = (length, width)
    if wing is not None:
        wing_length, wing_width = wing
        outline = [(-a, -b), (a, -b), (a, b), (-a + wing_width, b), (-a + wing_width, b + wing_length)]
        outline.append((-a, b + wing_length))
        area += wing_length * wing_width
        size = (length, width + wing_length)
    owner = canvas.register(
        "building",
        color,
        frame.to_scene(outline),
        area_m2=area,
        size_m=size,
        height_m=height,
        shape="L-shaped" if wing is not None else "rectangular",
    )
    base = weathered(shade_of(color, rng), float(rng.uniform(0.05, 0.4)))
    _apron(canvas, frame, length, width)
    if wing is not None:
        side = frame.shifted(-a + wing[1] / 2, b + wing[0] / 2 - width / 4, math.pi / 2)
        _apron(canvas, side, wing[0] + width / 2, wing[1])
        draw_roof(
            canvas,
            side,
            wing[0] + width / 2,
            wing[1],
            roof="gable" if roof == "hip" else roof,
            base=base,
            height=height - 0.1,
            owner=owner,
        )
    draw_roof(canvas, frame, length, width, roof=roof, base=base, height=height, owner=owner)
    return owner


def weathered(color: Color, share: float) -> Color:
    """The colour bleached towards its own gray."""
    gray = sum(color) / 3
    r, g, b = (c + share * (gray - c) for c in color)
    return r, g, b


def _apron(canvas: Canvas, frame: Frame, length: float, width: float) -> None:
    """A worn or paved strip around the walls."""
    tone = 0.5 + canvas.rng.normal(0, 0.06)
    patch = canvas.rect(frame, length + 1.6, width + 1.6)
    canvas.paint(patch, (tone, tone * 0.97, tone * 0.91), opacity=0.55)


def draw_roof(
    canvas: Canvas, frame: Frame, length: float, width: float, *, roof: str, base: Color, height: float, owner: int
) -> None:
    if roof == "flat":
        _flat(canvas, frame, length, width, base=base, height=height, owner=owner)
    elif roof == "hip":
        _pitched(canvas, frame, length, width, base=base, height=height, owner=owner, hip=width / 2, pitch=0.55)
        _extras(canvas, frame, length, width, height + width * 0.2, owner)
    elif roof == "gable":
        _pitched(canvas, frame, length, width, base=base, height=height, owner=owner, hip=0.0, pitch=0.65)
        _extras(canvas, frame, length, width, height + width * 0.2, owner)
    else:
        _pitched(canvas, frame, length, width, base=base, height=height, owner=owner, hip=0.0, pitch=0.16, metal=True)


def _wear(canvas: Canvas, patch: Patch, *, strength: float) -> Floats:
    return canvas.texture(patch, (0.25, 0.9, 3.5, 12.0), (0.022 * strength, 0.025 * strength, 0.035 * strength, 0.03))


def _pitched(
    canvas: Canvas,
    frame: Frame,
    length: float,
    width: float,
    *,
    base: Color,
    height: float,
    owner: int,
    hip: float,
    pitch: float,
    metal: bool = False,
) -> None:
    a, b = length / 2, width / 2
    ridge = max(a - hip, 0.0)
    faces: list[tuple[Points, tuple[float, float]]] = [
        ([(-a, -b), (a, -b), (ridge, 0.0), (-ridge, 0.0)], (0.0, -1.0)),
        ([(a, b), (-a, b), (-ridge, 0.0), (ridge, 0.0)], (0.0, 1.0)),
    ]
    if hip > 0:
        faces.append(([(a, -b), (a, b), (ridge, 0.0)], (1.0, 0.0)))
        faces.append(([(-a, b), (-a, -b), (-ridge, 0.0)], (-1.0, 0.0)))
    whole = canvas.rect(frame, length, width)
    if whole is None:
        return
    rise = np.minimum(b - np.abs(whole.v), a - np.abs(whole.u)) if hip > 0 else b - np.abs(whole.v)
    canvas.paint(whole, base, owner=owner, height=(height + pitch * np.maximum(rise, 0)).astype(np.float32))
    c, s = math.cos(frame.angle), math.sin(frame.angle)
    strength = 1.0 + float(canvas.rng.random()) * (1.2 if metal else 0.8)
    wear = _wear(canvas, whole, strength=strength)
    period = 1.0 if metal else 0.36
    for points, (du, dv) in faces:
        patch = canvas.convex(frame, points)
        if patch is None:
            continue
        nx, ny = du * c - dv * s, du * s + dv * c
        norm = math.hypot(pitch, 1.0)
        shade = canvas.sun.shade(nx * pitch / norm, ny * pitch / norm, 1 / norm)
        rows = (patch.v if du == 0 else patch.u) if not metal else patch.u
        gain = shade * _crop(wear, whole, patch)
        if period / canvas.gsd_m > 1.8:
            gain = gain * (1 + (0.07 if metal else 0.05) * np.sin(rows * (2 * math.pi / period)))
        if metal:
            gain = gain * _sheets(canvas, patch, length)
        canvas.paint(patch, base, gain=gain.astype(np.float32))
    ridge_patch = canvas.rect(frame, 2 * ridge, 0.3)
    canvas.paint(ridge_patch, base, gain=1.18, opacity=0.6)
    if metal and canvas.rng.random() < 0.4:
        _rust(canvas, whole)
    if metal and canvas.rng.random() < 0.45:
        for u in np.arange(-a + 4, a - 3, float(canvas.rng.uniform(5, 9))):
            for side in (-0.5, 0.5):
                canvas.paint(
                    canvas.rect(frame.shifted(float(u), side * b), 1.1, b * 0.7), (0.78, 0.82, 0.84), opacity=0.75
                )


def _crop(values: Floats, outer: Patch, inner: Patch) -> Floats:
    r, c = inner.window[0].start - outer.window[0].start, inner.window[1].start - outer.window[1].start
    return values[r : r + inner.alpha.shape[0], c : c + inner.alpha.shape[1]]


def _sheets(canvas: Canvas, patch: Patch, length: float) -> Floats:
    """Metal sheets of slightly different brightness, side by side along the roof."""
    count = max(int(length / 3.2), 1)
    tones = (1 + canvas.rng.normal(0, 0.035, count + 2)).astype(np.float32)
    index = np.clip(((patch.u / length + 0.5) * count).astype(int), 0, count + 1)
    return np.broadcast_to(tones[index], patch.alpha.shape)


def _rust(canvas: Canvas, patch: Patch) -> None:
    spots = canvas.noise.window(3.5, patch.window, int(canvas.rng.integers(1 << 16)))
    canvas.paint(patch, (0.42, 0.27, 0.18), opacity=np.clip((spots - 1.1) * 0.5, 0, 0.45))


def _flat(canvas: Canvas, frame: Frame, length: float, width: float, *, base: Color, height: float, owner: int) -> None:
    rng = canvas.rng
    patch = canvas.rect(frame, length, width)
    if patch is None:
        return
    rim = min(1.0, tuple(base)[1] * 1.15 + 0.06)
    canvas.paint(patch, (rim, rim * 0.99, rim * 0.97), gain=0.92, opacity=0.5, owner=owner, height=height + 0.7)
    inner = canvas.rect(frame, length - 0.8, width - 0.8)
    if inner is None:
        return
    canvas.paint(inner, base, gain=_wear(canvas, inner, strength=1.5), height=height)
    stains = canvas.noise.window(12.0, inner.window, int(rng.integers(1 << 16)))
    canvas.paint(inner, (0.32, 0.31, 0.3), opacity=np.clip((stains - 0.7) * 0.25, 0, 0.25))
    if length > 25 and rng.random() < 0.5:
        for u in np.arange(-length / 2 + 6, length / 2 - 2, 6.0):
            canvas.paint(canvas.rect(frame.shifted(float(u), 0), 0.15, width - 1), base, gain=0.8, opacity=0.7)
    if rng.random() < 0.25 and min(length, width) > 9:
        _solar(canvas, frame, length * 0.6, width * 0.5, height)
        return
    for _ in range(int(rng.integers(0, 3 + int(length * width / 120)))):
        u = float(rng.uniform(-0.4, 0.4) * (length - 3))
        v = float(rng.uniform(-0.4, 0.4) * (width - 3))
        _box(canvas, frame.shifted(u, v), float(rng.uniform(0.8, 2.6)), float(rng.uniform(0.8, 2.0)), height)


def _box(canvas: Canvas, frame: Frame, length: float, width: float, roof_m: float) -> None:
    """An air conditioner, a stair head or a skylight."""
    rng = canvas.rng
    kind = rng.random()
    patch = canvas.rect(frame, length, width)
    if kind < 0.6:
        tone = float(rng.uniform(0.55, 0.85))
        canvas.paint(patch, (tone, tone, tone), height=roof_m + 1.3)
        canvas.paint(canvas.ellipse(frame, width * 0.6, width * 0.6), (0.25, 0.25, 0.26), opacity=0.7)
    elif kind < 0.85:
        canvas.paint(patch, (0.25, 0.3, 0.36), opacity=0.8)
    else:
        canvas.paint(patch, (0.8, 0.85, 0.88), opacity=0.85)


def _solar(canvas: Canvas, frame: Frame, length: float, width: float, roof_m: float) -> None:
    for u in np.arange(-length / 2, length / 2 - 1.0, 1.9):
        for v in np.arange(-width / 2, width / 2, 3.0):
            patch = canvas.rect(frame.shifted(float(u) + 0.9, float(v) + 0.8), 1.7, 1.1)
            canvas.paint(patch, (0.1, 0.14, 0.27), opacity=0.92, height=roof_m + 0.4)


def _extras(canvas: Canvas, frame: Frame, length: float, width: float, ridge_m: float, owner: int) -> None:
    rng = canvas.rng
    for _ in range(int(rng.integers(0, 3))):
        spot = frame.shifted(float(rng.uniform(-0.32, 0.32)) * length, float(rng.uniform(-0.2, 0.2)) * width)
        tone = float(rng.uniform(0.3, 0.6))
        canvas.paint(canvas.rect(spot, 0.9, 0.7), (tone, tone * 0.8, tone * 0.72), owner=owner, height=ridge_m + 1.3)
    if rng.random() < 0.3:
        side = 0.25 if rng.random() < 0.5 else -0.25
        for k in range(int(rng.integers(1, 4))):
            spot = frame.shifted((k - 1) * length * 0.2, side * width)
            canvas.paint(canvas.rect(spot, 0.8, 1.1), (0.3, 0.36, 0.44), opacity=0.85)
    elif rng.random() < 0.25:
        side = 0.25 if rng.random() < 0.5 else -0.25
        canvas.paint(
            canvas.rect(frame.shifted(0, side * width), length * 0.5, width * 0.28), (0.1, 0.14, 0.26), opacity=0.9
        )
