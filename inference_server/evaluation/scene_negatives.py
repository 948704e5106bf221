"""Expressions that nothing in the scene fits: a class, a colour, a place or a relation that is not there."""

from __future__ import annotations

import numpy as np

from inference_server.evaluation.scene_facts import COLORED, LOOKALIKES, STUFF, UNIONS, Facts, Noun
from inference_server.evaluation.scene_palette import CONFUSED
from inference_server.evaluation.scene_types import SceneObject
from inference_server.evaluation.scene_words import begin, noun_word, phrase

#: Colours worth asking for, by class.
_ASKED: dict[str, tuple[str, ...]] = {
    "building": ("red", "blue", "green", "yellow", "turquoise"),
    "car": ("red", "blue", "green", "yellow"),
    "bus": ("red", "blue", "green", "yellow"),
    "truck": ("red", "green", "yellow", "blue"),
    "container": ("yellow", "green", "blue", "red"),
    "tank": ("green", "blue", "red", "yellow"),
    "ship": ("red", "blue", "yellow", "green"),
    "airplane": ("red", "blue", "green", "yellow"),
    "tennis court": ("blue", "red", "green"),
    "basketball court": ("blue", "red", "green"),
}
_CLASSES = (
    "airplane",
    "ship",
    "tank",
    "pool",
    "tennis court",
    "basketball court",
    "soccer field",
    "bridge",
    "container",
    "bus",
    "track",
    "runway",
    "parking lot",
    "water",
    "truck",
)
_PLACES = {
    "top left": "in the upper left",
    "top right": "in the upper right",
    "bottom left": "in the lower left",
    "bottom right": "in the lower right",
    "middle": "in the middle of the image",
}


def make_negative(facts: Facts, rng: np.random.Generator) -> tuple[str, str]:
    """An expression that nothing fits, and its category; ("", "") when this try found none."""
    makers = (_absent_class, _absent_color, _absent_color, _absent_place, _absent_relation)
    text, category = makers[int(rng.integers(len(makers)))](facts, rng)
    return (begin(text, rng), category) if text else ("", "")


def _absent_class(facts: Facts, rng: np.random.Generator) -> tuple[str, str]:
    category = str(_CLASSES[int(rng.integers(len(_CLASSES)))])
    alike = LOOKALIKES.get(category, frozenset()) | UNIONS.get(category, frozenset()) | {category}
    if category == "pool":
        alike |= {"water"}
    if category in ("parking lot", "runway") and facts.scene.theme in ("industrial", "harbour", "airport", "sports"):
        return "", ""  # bare yards there look like it
    # What is cut at the border or nearly hidden counts as there.
    if alike & facts.categories or alike & facts.scene.background:
        return "", ""
    noun = Noun(category)
    if category in _ASKED and rng.random() < 0.4:
        noun = Noun(category, _ASKED[category][int(rng.integers(len(_ASKED[category])))])
    return phrase(noun, noun_word(category, rng), rng), category


def _absent_color(facts: Facts, rng: np.random.Generator) -> tuple[str, str]:
    options = _asked_by_color(facts)
    if not options:
        return "", ""
    category = options[int(rng.integers(len(options)))]
    color = _ASKED[category][int(rng.integers(len(_ASKED[category])))]
    if _may_be_there(facts, category, color):
        return "", ""
    return phrase(Noun(category, color), noun_word(category, rng), rng), category


def _asked_by_color(facts: Facts) -> list[str]:
    """Classes that are there and are asked for by colour."""
    return sorted(c for c in facts.categories & COLORED if c in _ASKED)


def _may_be_there(facts: Facts, category: str, color: str) -> bool:
    """Whether something of a class, or what looks like it, has a colour, or one that may pass for it, or mixed ones."""
    present = {
        o.color
        for o in facts.scene.objects
        if o.category == category or o.category in LOOKALIKES.get(category, frozenset())
    }
    return any(c not in CONFUSED or color == c or color in CONFUSED[c] for c in present)


def absent_colors(facts: Facts) -> list[Noun]:
    """Classes that are there in colours that they are asked in, and that none of them has."""
    return [Noun(c, color) for c in _asked_by_color(facts) for color in _ASKED[c] if not _may_be_there(facts, c, color)]


def _present(facts: Facts) -> list[str]:
    return sorted(c for c in facts.categories - STUFF - {"tree", "road"} - facts.scene.background)


def _absent_place(facts: Facts, rng: np.random.Generator) -> tuple[str, str]:
    options = _present(facts)
    if not options:
        return "", ""
    category = options[int(rng.integers(len(options)))]
    place = list(_PLACES)[int(rng.integers(len(_PLACES)))]
    _, maybe = facts.members(Noun(category))
    if any(facts.position(o, place) >= 0 or _reaches_into(facts, o, place) for o in maybe):
        return "", ""
    return f"{noun_word(category, rng)} {_PLACES[place]}", category


def _reaches_into(facts: Facts, item: SceneObject, place: str) -> bool:
    """Part of the object lies in that part of the picture, though its centre does not."""
    x0, x1 = item.hbb.x_min / facts.width, item.hbb.x_max / facts.width
    y0, y1 = item.hbb.y_min / facts.height, item.hbb.y_max / facts.height
    spans = {
        "top left": (0, 0.5, 0, 0.5),
        "top right": (0.5, 1, 0, 0.5),
        "bottom left": (0, 0.5, 0.5, 1),
        "bottom right": (0.5, 1, 0.5, 1),
        "middle": (0.3, 0.7, 0.3, 0.7),
    }[place]
    return x0 < spans[1] and x1 > spans[0] and y0 < spans[3] and y1 > spans[2]


def _absent_relation(facts: Facts, rng: np.random.Generator) -> tuple[str, str]:
    options = _present(facts)
    if len(options) < 2:
        return "", ""
    one, two = (options[int(i)] for i in rng.choice(len(options), 2, replace=False))
    _, firsts = facts.members(Noun(one))
    _, seconds = facts.members(Noun(two))
    if len(firsts) * len(seconds) > 400:
        return "", ""
    if two in ("bridge", "parking lot") and one in ("car", "bus", "truck"):
        if all(facts.gap(a, b) > 12 for a in firsts for b in seconds):
            preposition = "on" if two == "bridge" else "in"
            return f"{noun_word(one, rng)} {preposition} the {noun_word(two, rng)}", one
        return "", ""
    if all(facts.nearness(a, b) >= 4 for a in firsts for b in seconds):
        return f"{noun_word(one, rng)} next to the {noun_word(two, rng)}", one
    return "", ""
