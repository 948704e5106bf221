"""What nobody asks for but every orthophoto shows: odd patches of ground, paths, hedges, fences, heaps, stains."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from inference_server.evaluation.scene_canvas import Canvas, Color, Frame, Patch
from inference_server.evaluation.scene_site import Site, curve

GRASS: tuple[Color, ...] = ((0.36, 0.45, 0.25), (0.41, 0.46, 0.28), (0.30, 0.40, 0.23), (0.48, 0.49, 0.32))
BARE: tuple[Color, ...] = ((0.62, 0.55, 0.44), (0.55, 0.47, 0.38), (0.50, 0.44, 0.37), (0.66, 0.61, 0.52))
PAVED: tuple[Color, ...] = ((0.60, 0.59, 0.57), (0.52, 0.52, 0.51), (0.68, 0.66, 0.62), (0.45, 0.45, 0.45))


def scatter(site: Site, *, is_paved: bool) -> None:
    """Makes the open ground uneven; takes no ground and owns no pixel."""
    rng = site.rng
    wide, high = site.extent
    hectares = wide * high / 1e4
    for _ in range(min(int(hectares * rng.uniform(4, 10)) + 2, 150)):
        _patch(site, is_paved=is_paved)
    for _ in range(min(int(hectares * rng.uniform(0.2, 0.8)) + 1, 12)):
        _path(site, is_paved=is_paved)
    turn = float(rng.uniform(0, math.pi / 2))
    for _ in range(min(int(hectares * rng.uniform(0.5, 3)), 50)):
        _fence(site, turn)
    for _ in range(min(int(hectares * rng.uniform(5, 25)), 300)):
        _heap(site)


def lay_parcel(site: Site, frame: Frame, length: float, width: float, *, is_paved: bool = False) -> None:
    """A garden or a yard: a lawn, earth or paving of its own tone, a hedge or a fence around some sides."""
    rng, canvas = site.rng, site.canvas
    patch = ground_only(canvas, canvas.rect(frame, length, width))
    if patch is None:
        return
    tones = PAVED if is_paved and rng.random() < 0.7 else GRASS if rng.random() < 0.7 else BARE
    tone = tones[int(rng.integers(len(tones)))]
    gain = canvas.texture(patch, (0.25, 0.9, 3.5), (0.05, 0.05, 0.04))
    canvas.paint(patch, tone, gain=gain, opacity=float(rng.uniform(0.25, 0.75)))
    kind = rng.random()
    if kind < 0.55:
        for u, v, run, across in (
            (-length / 2, 0, width, True),
            (length / 2, 0, width, True),
            (0, width / 2, length, False),
        ):
            if rng.random() < 0.7:
                side = frame.shifted(u, v, math.pi / 2 if across else 0.0)
                _wall(canvas, side, run, hedge=kind < 0.25)


def ground_only(canvas: Canvas, patch: Patch | None) -> Patch | None:
    """The patch without the pixels that belong to something."""
    if patch is None:
        return None
    return replace(patch, alpha=patch.alpha * (canvas.owner[patch.window] == 0))


def _patch(site: Site, *, is_paved: bool) -> None:
    rng, canvas = site.rng, site.canvas
    length, width = float(rng.uniform(4, 26)), float(rng.uniform(3, 15))
    frame = site.find(length * 0.7, width * 0.7, tries=4, inside=False)
    if frame is None:
        return
    families = (PAVED, PAVED, BARE, GRASS) if is_paved else (BARE, GRASS, GRASS, PAVED)
    tones = families[int(rng.integers(4))]
    tone = tones[int(rng.integers(len(tones)))]
    sharp = tones is PAVED and rng.random() < 0.7
    patch = ground_only(canvas, canvas.rect(frame, length, width) if sharp else canvas.ellipse(frame, length, width))
    if patch is None:
        return
    opacity = np.full(patch.alpha.shape, rng.uniform(0.35, 0.85), np.float32)
    if not sharp:
        salt = int(rng.integers(1 << 16))
        ragged = canvas.noise.window(3.5, patch.window, salt) + 0.7 * canvas.noise.window(0.9, patch.window, salt)
        middle = 1 - np.hypot(patch.u / length, patch.v / width) * 2
        opacity *= np.clip(middle * 2.2 + 0.5 * ragged, 0, 1).astype(np.float32)
    canvas.paint(patch, tone, gain=canvas.texture(patch, (0.25, 0.9, 3.5), (0.05, 0.04, 0.04)), opacity=opacity)


def _path(site: Site, *, is_paved: bool) -> None:
    rng, canvas = site.rng, site.canvas
    wide, high = site.extent
    ends = [(float(rng.uniform(0, wide)), float(rng.uniform(0, high))) for _ in range(2)]
    line = curve(site, ends[0], ends[1], float(rng.uniform(2, 12)))
    patch = ground_only(canvas, canvas.area(line.buffer(float(rng.uniform(0.3, 0.9)))))
    if patch is not None:
        patch = replace(patch, alpha=patch.alpha * ~site.taken_pixels(patch.window))
        tone = BARE[int(rng.integers(len(BARE)))] if not is_paved else (0.42, 0.42, 0.41)
        worn = 0.55 + 0.25 * canvas.noise.window(12.0, patch.window, int(rng.integers(1 << 16)))
        canvas.paint(
            patch,
            tone,
            gain=canvas.texture(patch, (0.9,), (0.05,)),
            opacity=np.clip(worn, 0, 0.85) * (0.5 if is_paved else 1.0),
        )


def _fence(site: Site, turn: float) -> None:
    rng = site.rng
    run = float(rng.uniform(6, 28))
    angle = turn + (math.pi / 2 if rng.random() < 0.5 else 0.0)
    frame = site.find(run, 0.6, angle=angle, tries=3, inside=False)
    if frame is not None:
        _wall(site.canvas, frame, run, hedge=bool(rng.random() < 0.3) and not site.is_paved)


def _wall(canvas: Canvas, frame: Frame, run: float, *, hedge: bool) -> None:
    """A fence, a wall or a hedge along the frame's x axis, with its height for the shadow."""
    rng = canvas.rng
    patch = ground_only(canvas, canvas.rect(frame, run, 1.1 if hedge else 0.3))
    if patch is None:
        return
    if hedge:
        gain = canvas.texture(patch, (0.25, 0.9), (0.15, 0.15))
        canvas.paint(patch, (0.23, 0.31, 0.16), gain=gain, height=1.4)
    else:
        tone = float(rng.uniform(0.4, 0.75))
        canvas.paint(patch, (tone, tone * 0.97, tone * 0.92), opacity=0.8, height=1.3)


def _heap(site: Site) -> None:
    """A crate, a bin, a boulder, a bush: too small to be asked for."""
    rng, canvas = site.rng, site.canvas
    size = float(rng.uniform(0.4, 1.6))
    frame = site.find(size, size, tries=2)
    if frame is None:
        return
    tone = float(rng.uniform(0.25, 0.85))
    tints: tuple[Color, ...] = ((1, 1, 1), (1, 0.9, 0.78), (0.85, 0.93, 1), (0.75, 0.95, 0.65))
    tint = tints[int(rng.integers(len(tints)))]
    shape = canvas.rect(frame, size, size * 0.7) if rng.random() < 0.5 else canvas.ellipse(frame, size, size * 0.8)
    canvas.paint(ground_only(canvas, shape), (tone * tint[0], tone * tint[1], tone * tint[2]), height=size * 0.6)
