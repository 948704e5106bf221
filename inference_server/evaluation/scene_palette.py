"""Colours by name, as roofs, cars and paints look from above before haze and white balance."""

from __future__ import annotations

import numpy as np

from inference_server.evaluation.scene_canvas import Color

#: sRGB in 0..255; several bases a name, so that a name is a family and not one colour.
PALETTE: dict[str, tuple[tuple[int, int, int], ...]] = {
    "white": ((236, 236, 234), (226, 229, 232), (240, 238, 230)),
    "light gray": ((196, 198, 198), (188, 190, 194)),
    "gray": ((148, 149, 150), (138, 140, 144), (156, 154, 150)),
    "dark gray": ((84, 86, 90), (76, 76, 80), (92, 90, 90)),
    "black": ((38, 38, 42), (30, 32, 36)),
    "red": ((178, 48, 44), (190, 58, 52), (160, 42, 44)),
    "orange": ((206, 118, 70), (198, 110, 66), (214, 126, 78)),
    "brown": ((122, 86, 66), (110, 78, 62), (132, 96, 74)),
    "tan": ((196, 176, 144), (186, 166, 132)),
    "yellow": ((222, 190, 62), (230, 202, 84)),
    "green": ((70, 128, 88), (84, 140, 96), (62, 116, 84)),
    "blue": ((56, 98, 172), (70, 116, 186), (48, 86, 154)),
    "turquoise": ((86, 176, 192), (104, 190, 204)),
}

#: Names that a person (or a camera) may take for one another; an expression never rests on such a difference.
CONFUSED: dict[str, frozenset[str]] = {
    "white": frozenset({"light gray", "tan"}),
    "light gray": frozenset({"white", "gray", "tan"}),
    "gray": frozenset({"light gray", "dark gray"}),
    "dark gray": frozenset({"gray", "black", "brown"}),
    "black": frozenset({"dark gray"}),
    "red": frozenset({"orange", "brown"}),
    "orange": frozenset({"red", "brown", "tan", "yellow"}),
    "brown": frozenset({"red", "orange", "tan", "dark gray"}),
    "tan": frozenset({"brown", "yellow", "light gray", "white", "orange"}),
    "yellow": frozenset({"tan", "orange"}),
    "green": frozenset({"turquoise"}),
    "blue": frozenset({"turquoise"}),
    "turquoise": frozenset({"blue", "green"}),
}

#: How often a class has a colour.
WEIGHTS: dict[str, dict[str, float]] = {
    "house": {"red": 4, "orange": 5, "brown": 5, "gray": 4, "dark gray": 4, "white": 1, "blue": 1, "green": 0.6},
    "metal": {"light gray": 4, "white": 4, "blue": 2, "red": 2, "green": 1.2, "brown": 1, "gray": 2, "turquoise": 0.6},
    "flat": {"gray": 5, "light gray": 3, "white": 3, "dark gray": 3, "tan": 2, "brown": 1},
    "car": {
        "white": 5,
        "black": 3,
        "light gray": 4,
        "gray": 2,
        "dark gray": 2,
        "red": 2,
        "blue": 2,
        "yellow": 0.4,
        "green": 0.4,
        "brown": 0.3,
    },
    "bus": {"white": 4, "yellow": 3, "red": 3, "blue": 2, "green": 1},
    "truck": {"white": 5, "blue": 1.5, "red": 1.5, "gray": 1, "green": 0.7, "yellow": 0.7, "orange": 0.5},
    "container": {"red": 3, "blue": 4, "green": 2, "orange": 2.5, "white": 2, "gray": 1.5, "yellow": 1, "brown": 2},
    "tank": {"white": 7, "light gray": 3, "gray": 1.5, "brown": 1, "green": 0.7, "tan": 0.7},
    "ship": {"white": 4, "red": 1.5, "blue": 2, "black": 1, "brown": 1, "gray": 2},
    "airplane": {"white": 8, "light gray": 3, "gray": 1, "blue": 0.6, "red": 0.4, "yellow": 0.3},
    "tennis court": {"green": 3, "blue": 3, "red": 2, "orange": 2},
    "basketball court": {"gray": 2, "green": 2, "blue": 2, "red": 2, "orange": 1},
    "field": {"green": 4, "brown": 3, "tan": 3, "yellow": 2},
}


def pick_name(kind: str, rng: np.random.Generator, only: tuple[str, ...] = ()) -> str:
    """A colour name for a class in ``WEIGHTS``, by frequency; among ``only`` when given."""
    weights = {k: w for k, w in WEIGHTS[kind].items() if not only or k in only} or dict.fromkeys(only, 1.0)
    share = np.array(list(weights.values()))
    return str(list(weights)[int(rng.choice(len(share), p=share / share.sum()))])


def shade_of(name: str, rng: np.random.Generator, *, spread: float = 0.025) -> Color:
    """One colour of that name, sRGB in [0, 1]."""
    bases = PALETTE[name]
    base = np.array(bases[int(rng.integers(len(bases)))]) / 255
    shade = base * (1 + rng.normal(0, spread * 1.6)) + rng.normal(0, spread * 0.5, 3)
    r, g, b = np.clip(shade, 0.04, 0.97)
    return float(r), float(g), float(b)
