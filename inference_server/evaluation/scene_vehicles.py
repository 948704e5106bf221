"""What moves: cars, buses, trucks, containers, airplanes, ships, each drawn from its outline and its parts."""

from __future__ import annotations

import math

import numpy as np

from inference_server.evaluation.scene_canvas import Canvas, Color, Frame
from inference_server.evaluation.scene_palette import shade_of

GLASS: Color = (0.11, 0.13, 0.16)


def draw_car(canvas: Canvas, frame: Frame, *, color: str, host: int = 0) -> int:
    """A car whose nose points along the frame's x axis."""
    rng = canvas.rng
    length, width = float(rng.uniform(4.0, 4.9)), float(rng.uniform(1.75, 1.95))
    tall = rng.random() < 0.25
    owner = canvas.register(
        "car",
        color,
        frame.rectangle(length, width),
        area_m2=length * width * 0.94,
        size_m=(length, width),
        height_m=1.5,
        host=host,
    )
    body = shade_of(color, rng)
    a, b, k = length / 2, width / 2, 0.35
    hull = [
        (-a, -b + k),
        (-a + k, -b),
        (a - 2 * k, -b),
        (a, -b + 1.5 * k),
        (a, b - 1.5 * k),
        (a - 2 * k, b),
        (-a + k, b),
        (-a, b - k),
    ]
    patch = canvas.convex(frame, hull)
    if patch is None:
        return owner
    canvas.paint(canvas.rect(frame, length + 0.5, width + 0.5), (0.1, 0.1, 0.1), opacity=0.28)
    across = 1 - 0.12 * (np.abs(patch.v) / b) ** 3
    canvas.paint(patch, body, gain=across.astype(np.float32), owner=owner, height=1.0)
    cabin_from = -a + (0.15 if tall else 0.55)
    cabin_to = a - length * 0.3
    cabin = canvas.rect(frame.shifted((cabin_from + cabin_to) / 2, 0), cabin_to - cabin_from, width * 0.86)
    canvas.paint(cabin, GLASS, opacity=0.85, height=1.45)
    roof_from, roof_to = cabin_from + (0.35 if tall else 0.65), cabin_to - 0.75
    roof = canvas.rect(frame.shifted((roof_from + roof_to) / 2, 0), roof_to - roof_from, width * 0.7)
    canvas.paint(roof, body, gain=1.05, height=1.5)
    return owner


def draw_bus(canvas: Canvas, frame: Frame, *, color: str, host: int = 0) -> int:
    """A bus of 11 to 13 m."""
    rng = canvas.rng
    length, width = float(rng.uniform(10.8, 13.0)), 2.6
    owner = canvas.register(
        "bus",
        color,
        frame.rectangle(length, width),
        area_m2=length * width,
        size_m=(length, width),
        height_m=3.2,
        host=host,
    )
    body = shade_of(color, rng)
    patch = canvas.rect(frame, length, width)
    if patch is None:
        return owner
    canvas.paint(canvas.rect(frame, length + 0.6, width + 0.6), (0.1, 0.1, 0.1), opacity=0.28)
    canvas.paint(patch, body, gain=canvas.texture(patch, (0.9,), (0.02,)), owner=owner, height=3.1)
    canvas.paint(canvas.rect(frame, length - 0.8, width - 0.7), body, gain=1.08)
    canvas.paint(canvas.rect(frame.shifted(length / 2 - 0.25, 0), 0.4, width * 0.85), GLASS, opacity=0.8)
    for u in (-0.28, 0.05, 0.3):
        tone = float(rng.uniform(0.6, 0.85))
        canvas.paint(canvas.rect(frame.shifted(u * length, 0), 1.6, 1.2), (tone, tone, tone), opacity=0.8, height=3.4)
    return owner


def draw_truck(canvas: Canvas, frame: Frame, *, color: str, host: int = 0) -> int:
    """A lorry: a cab and a box, 7.5 to 15 m; the box carries the colour."""
    rng = canvas.rng
    length, width = float(rng.choice([7.5, 9.0, 12.5, 15.0]) * rng.uniform(0.97, 1.03)), 2.5
    owner = canvas.register(
        "truck",
        color,
        frame.rectangle(length, width),
        area_m2=length * width * 0.96,
        size_m=(length, width),
        height_m=3.6,
        host=host,
    )
    body = shade_of(color, rng)
    cab_color = shade_of(str(rng.choice(["white", "red", "blue", color, color])), rng)
    cab = 2.1
    canvas.paint(canvas.rect(frame, length + 0.6, width + 0.6), (0.1, 0.1, 0.1), opacity=0.28)
    canvas.paint(canvas.rect(frame, length, width * 0.5), (0.2, 0.2, 0.2), owner=owner, height=1.0)
    box = canvas.rect(frame.shifted(-(cab + 0.35) / 2, 0), length - cab - 0.35, width)
    if box is not None:
        gain = canvas.texture(box, (0.9, 3.5), (0.02, 0.02))
        if canvas.gsd_m < 0.35:
            gain = gain * (1 + 0.03 * np.sin(box.u * (2 * math.pi / 1.2))).astype(np.float32)
        canvas.paint(box, body, gain=gain, owner=owner, height=3.6)
    front = frame.shifted(length / 2 - cab / 2, 0)
    canvas.paint(canvas.rect(front, cab, width * 0.96), cab_color, owner=owner, height=2.8)
    canvas.paint(canvas.rect(front.shifted(0.75, 0), 0.5, width * 0.85), GLASS, opacity=0.85)
    return owner


def draw_container(canvas: Canvas, frame: Frame, *, color: str, long: bool) -> int:
    """A shipping container of 20 or 40 feet."""
    rng = canvas.rng
    length, width = (12.19 if long else 6.06), 2.44
    owner = canvas.register(
        "container",
        color,
        frame.rectangle(length, width),
        area_m2=length * width,
        size_m=(length, width),
        height_m=2.6,
    )
    patch = canvas.rect(frame, length, width)
    if patch is None:
        return owner
    gain = canvas.texture(patch, (0.9, 3.5), (0.04, 0.05))
    if canvas.gsd_m < 0.25:
        gain = gain * (1 + 0.07 * np.sin(patch.u * (2 * math.pi / 0.55))).astype(np.float32)
    canvas.paint(patch, shade_of(color, rng), gain=gain, owner=owner, height=2.6)
    for side in (-1, 1):
        canvas.paint(
            canvas.rect(frame.shifted(0, side * (width / 2 - 0.1)), length, 0.2), (0.15, 0.15, 0.15), opacity=0.3
        )
    return owner


def draw_airplane(canvas: Canvas, frame: Frame, *, color: str, length: float, host: int = 0) -> int:
    """An airliner (or a propeller plane below 15 m) with its nose along the frame's x axis."""
    rng = canvas.rng
    small = length < 15
    span = length * (1.25 if small else float(rng.uniform(0.88, 1.0)))
    half, body = span / 2, length * (0.11 if small else 0.105)
    sweep = 0.02 * length if small else 0.22 * length
    root = length * (0.17 if small else 0.2)
    root_at = length * (0.12 if small else 0.08)
    tip = root * (0.7 if small else 0.32)
    tail_at, tail_half = -length * 0.44, span * 0.19
    wings, tails = [], []
    for side in (-1.0, 1.0):
        wings.append(
            [
                (root_at, 0.0),
                (root_at - sweep, side * half),
                (root_at - sweep - tip, side * half),
                (root_at - root, 0.0),
            ]
        )
        tails.append(
            [
                (tail_at + root * 0.42, 0.0),
                (tail_at - sweep * 0.1, side * tail_half),
                (tail_at - sweep * 0.1 - tip * 0.7, side * tail_half),
                (tail_at, 0.0),
            ]
        )
    area = length * body * 0.9 + 2 * (half - body / 2) * (root + tip) / 2 + tail_half * root * 0.7
    ends = [(length / 2, 0), (-length / 2, 0), (root_at - sweep - tip, half), (root_at - sweep - tip, -half)]
    owner = canvas.register(
        "airplane",
        color,
        frame.to_scene(ends),
        area_m2=area,
        size_m=(length, span),
        height_m=length * 0.12,
        shape="cross-shaped",
        host=host,
    )
    paint = shade_of(color, rng)
    lift = max(1.5, length * 0.09)
    gray = tuple(0.82 * c + 0.08 for c in paint) if color != "white" else (0.78, 0.79, 0.81)
    wing_paint: Color = (gray[0], gray[1], gray[2])
    for points in wings:
        canvas.paint(canvas.convex(frame, points), wing_paint, owner=owner, height=lift)
    for points in tails:
        canvas.paint(canvas.convex(frame, points), wing_paint, gain=0.95, owner=owner, height=lift + 1)
    if not small:
        for side in (-1.0, 1.0):
            for out in (0.36,) if length < 55 else (0.32, 0.62):
                pod = frame.shifted(root_at - sweep * out + length * 0.025, side * half * out)
                canvas.paint(
                    canvas.rect(pod, length * 0.085, length * 0.045), (0.6, 0.62, 0.66), owner=owner, height=lift - 0.5
                )
    nose = canvas.ellipse(frame.shifted(length * 0.2, 0), length * 0.6, body)
    tail = canvas.convex(
        frame,
        [
            (length * 0.3, -body / 2),
            (length * 0.3, body / 2),
            (-length * 0.25, body / 2),
            (-length / 2, body * 0.1),
            (-length / 2, -body * 0.1),
            (-length * 0.25, -body / 2),
        ],
    )
    for patch in (nose, tail):
        if patch is not None:
            round_gain = (1.06 - 0.28 * (2 * np.abs(patch.v) / body) ** 2).astype(np.float32)
            canvas.paint(patch, paint, gain=round_gain, owner=owner, height=lift + body / 2)
    canvas.paint(canvas.rect(frame.shifted(length * 0.46, 0), length * 0.02, body * 0.5), GLASS, opacity=0.6)
    stripe = shade_of(str(rng.choice(["blue", "red", "dark gray", "green"])), rng)
    canvas.paint(
        canvas.rect(frame.shifted(tail_at, 0), root * 0.6, body * 0.22), stripe, owner=owner, height=lift + length * 0.1
    )
    return owner


def draw_ship(canvas: Canvas, frame: Frame, *, color: str, length: float, moving: bool, host: int = 0) -> int:
    """A boat or a ship with its bow along the frame's x axis; a moving one draws a wake."""
    rng = canvas.rng
    width = length * float(rng.uniform(0.2, 0.28)) if length < 30 else length * float(rng.uniform(0.15, 0.19))
    a, b = length / 2, width / 2
    hull = [
        (-a, -b * 0.8),
        (-a * 0.6, -b),
        (a * 0.45, -b),
        (a * 0.8, -b * 0.55),
        (a, 0.0),
        (a * 0.8, b * 0.55),
        (a * 0.45, b),
        (-a * 0.6, b),
        (-a, b * 0.8),
    ]
    if moving:
        _wake(canvas, frame, length, width)
    owner = canvas.register(
        "ship",
        color,
        frame.to_scene(hull),
        area_m2=length * width * 0.86,
        size_m=(length, width),
        height_m=3 + length * 0.05,
        host=host,
    )
    lift = 1.5 + length * 0.03
    paint = shade_of(color, rng)
    patch = canvas.convex(frame, hull)
    if patch is None:
        return owner
    canvas.paint(patch, paint, gain=canvas.texture(patch, (0.9, 3.5), (0.04, 0.04)), owner=owner, height=lift)
    deck_tone = (0.62, 0.52, 0.4) if rng.random() < 0.4 else tuple(min(1.0, c * 0.85 + 0.1) for c in paint)
    inner = canvas.convex(frame, [(x * 0.9, y * 0.78) for x, y in hull])
    canvas.paint(inner, (deck_tone[0], deck_tone[1], deck_tone[2]), opacity=0.6 if color == "white" else 0.35)
    if length > 40:
        for u in np.arange(-a * 0.45, a * 0.6, length * 0.13):
            canvas.paint(
                canvas.rect(frame.shifted(float(u), 0), length * 0.1, width * 0.6), paint, gain=0.72, height=lift + 1.5
            )
        canvas.paint(
            canvas.rect(frame.shifted(-a * 0.75, 0), length * 0.13, width * 0.75), (0.9, 0.9, 0.9), height=lift + 9
        )
    else:
        canvas.paint(
            canvas.rect(frame.shifted(-a * 0.1, 0), length * 0.33, width * 0.6), (0.9, 0.9, 0.9), height=lift + 1.5
        )
        canvas.paint(canvas.rect(frame.shifted(a * 0.06, 0), length * 0.06, width * 0.5), GLASS, opacity=0.8)
    return owner


def _wake(canvas: Canvas, frame: Frame, length: float, width: float) -> None:
    reach = length * float(canvas.rng.uniform(1.5, 3.0))
    for side in (-1.0, 1.0):
        arm = [(length * 0.3, side * width * 0.4), (-reach, side * width * 2.0), (-reach, side * width * 1.3)]
        patch = canvas.convex(frame, arm)
        if patch is not None:
            foam = np.clip(0.35 + 0.3 * canvas.noise.window(0.9, patch.window, 3), 0, 0.7)
            fade = np.clip(1 + patch.u / reach, 0, 1)
            canvas.paint(patch, (0.85, 0.9, 0.9), opacity=(foam * fade * 0.8).astype(np.float32))
    trail = canvas.convex(
        frame,
        [(-length * 0.4, width * 0.3), (-length * 0.4, -width * 0.3), (-reach, -width * 0.5), (-reach, width * 0.5)],
    )
    if trail is not None:
        foam = np.clip(0.55 + 0.3 * canvas.noise.window(0.9, trail.window, 5), 0, 0.9)
        fade = np.clip(1 + trail.u / reach, 0, 1)
        canvas.paint(trail, (0.88, 0.92, 0.92), opacity=(foam * fade).astype(np.float32))
