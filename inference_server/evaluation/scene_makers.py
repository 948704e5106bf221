"""Makers of expressions that name a thing by itself: class, colour, size, shape, place, order."""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from inference_server.evaluation.scene_facts import STUFF, Noun
from inference_server.evaluation.scene_types import SceneExpression, SceneObject
from inference_server.evaluation.scene_writer import POSITIONS, Test, Writer

_ORDINALS = {2: "second", 3: "third", 4: "fourth"}


def make_category(w: Writer, target: SceneObject) -> SceneExpression | None:
    for noun in w.nouns(target):
        if not noun.color and w.fits_alone(noun, target, lambda _: 1):
            return w.done(w.write(noun, target), "category", target, noun)
    return None


def make_color(w: Writer, target: SceneObject) -> SceneExpression | None:
    for noun in w.nouns(target):
        sure, _ = w.facts.members(Noun(noun.category))
        if noun.color and len(sure) > 1 and w.fits_alone(noun, target, lambda _: 1):
            return w.done(w.write(noun, target), "color", target, noun)
    return None


def make_size(w: Writer, target: SceneObject) -> SceneExpression | None:
    noun = w.any_noun(target)
    big = bool(w.rng.random() < 0.6)

    def test(other: SceneObject) -> int:
        if other is target:
            return 1
        ratio = target.mask.area / other.mask.area
        if not big:
            ratio = 1 / ratio
        return -1 if ratio >= 1.9 and (not other.is_cut or not big) else 0

    rivals, maybe = w.facts.members(noun)
    if len(rivals) < 2 or len(maybe) > 7 or target.category in STUFF or not w.fits_alone(noun, target, test):
        return None
    return w.done(
        f"{w.one_of(('large', 'big') if big else ('small', 'little', 'small'))} {w.write(noun, target)}",
        "size",
        target,
        noun,
    )


def make_shape(w: Writer, target: SceneObject) -> SceneExpression | None:
    noun = w.any_noun(target)
    options = _shape_tests(w, target)
    if not options or len(w.facts.members(noun)[0]) < 2:
        return None
    word, test = options[int(w.rng.integers(len(options)))]
    if not w.fits_alone(noun, target, test):
        return None
    return w.done(f"{word} {w.write(noun, target)}", "shape", target, noun)


def _shape_tests(w: Writer, target: SceneObject) -> list[tuple[str, Test]]:
    """Shape words that fit the target, and who else they surely do not fit."""

    def same_shape(item: SceneObject) -> int:
        return 1 if item.shape == target.shape else (0 if item.is_cut else -1)

    def long(item: SceneObject) -> int:
        if item is target:
            return 1
        is_short = _elongation(item) <= max(1.9, 0.6 * _elongation(target)) and not item.is_cut
        return -1 if is_short and item.obb.width < target.obb.width else 0

    def square(item: SceneObject) -> int:
        return 1 if item is target else (-1 if _elongation(item) >= 1.33 and not item.is_cut else 0)

    out: list[tuple[str, Test]] = []
    if target.category in ("building", "pool") and target.shape in ("L-shaped", "round", "kidney-shaped"):
        out.append((target.shape, same_shape))
    if target.category == "pool" and target.shape == "rectangular":
        out.append(("rectangular", same_shape))
    if target.category in ("building", "truck", "ship", "container", "parking lot") and _elongation(target) >= 2.6:
        out.append((w.one_of(("long", "elongated", "long narrow")), long))
    if target.category == "building" and target.shape == "rectangular" and _elongation(target) <= 1.13:
        out.append(("square", square))
    return out


def _elongation(item: SceneObject) -> float:
    return item.obb.width / max(item.obb.height, 1e-6)


def make_position(w: Writer, target: SceneObject) -> SceneExpression | None:
    words = [p for p in POSITIONS if w.facts.position(target, p) == 1]
    w.rng.shuffle(words)
    for noun in w.nouns(target):
        if len(w.facts.members(noun)[0]) < 2:
            continue
        for word in words:
            if w.fits_alone(noun, target, partial(w.facts.position, word=word)):
                return w.done(f"{w.write(noun, target)} {w.one_of(POSITIONS[word])}", "position", target, noun)
    return None


def _pool_of(w: Writer, noun: Noun, target: SceneObject) -> tuple[list[SceneObject], str]:
    """The class members that an order is taken over, perhaps only those of a part of the picture."""
    items = w.facts.is_agreed(noun)
    if w.rng.random() < 0.25 and len(items) > 3:
        parts = [p for p in POSITIONS if w.facts.position(target, p) == 1 and p != "middle"]
        if parts:
            part = w.one_of(parts)
            grades = [w.facts.position(o, part) for o in items]
            if 0 not in grades:
                return [o for o, g in zip(items, grades, strict=True) if g == 1], " " + w.one_of(POSITIONS[part])
    return items, ""


def _clearly_ranked(
    values: np.ndarray[tuple[int, ...], np.dtype[np.float64]], rank: int, *, ratio: float, step: float
) -> int | None:
    """Index of the rank-th highest when its neighbours in the order keep away by a ratio and a step."""
    order = np.argsort(-values)
    if len(order) < max(2, rank):
        return None
    at = values[order[rank - 1]]
    above = values[order[rank - 2]] if rank > 1 else np.inf
    below = values[order[rank]] if rank < len(order) else -np.inf
    for high, low in ((above, at), (at, below)):
        if np.isfinite(high) and np.isfinite(low) and (high - low < step or (ratio > 1 and high < ratio * low)):
            return None
    return int(order[rank - 1])


_SUPERLATIVES = (
    ("area", 1, ("largest", "biggest", "largest")),
    ("area", -1, ("smallest", "tiniest")),
    ("length", 1, ("longest",)),
    ("x", -1, ("leftmost", "westernmost")),
    ("x", 1, ("rightmost", "easternmost")),
    ("y", -1, ("topmost", "northernmost", "uppermost")),
    ("y", 1, ("bottommost", "southernmost", "lowest")),
)


def make_superlative(w: Writer, target: SceneObject) -> SceneExpression | None:
    if target.category in STUFF:
        return None
    for key, sign, words in [_SUPERLATIVES[i] for i in w.rng.permutation(len(_SUPERLATIVES))]:
        noun = w.any_noun(target)
        items, where = _pool_of(w, noun, target)
        if len(items) < 2 or len(items) > 60 or target not in items:
            continue
        if key == "length" and target.obb.width < 1.8 * target.obb.height:
            continue
        if (
            key in ("area", "length")
            and any(o.is_cut or o.visible < 0.5 for o in items)
            and (sign < 0 or any(o.is_cut and o.mask.area > 0.4 * target.mask.area for o in items))
        ):
            continue
        values = w.facts.lengths(items, key) * sign
        plain = key in ("x", "y")
        if key == "area" and sign < 0:
            values = 1e4 / -values
        step = (
            max(0.03 * (w.facts.width if key == "x" else w.facts.height), 0.5 * w.facts.size(target), 6)
            if plain
            else 0.0
        )
        best = _clearly_ranked(values, 1, ratio=1.0 if plain else 1.25, step=step)
        if best is None or items[best] is not target or (plain and not _is_outermost(items, target, key, sign)):
            continue
        return w.done(f"{w.one_of(words)} {w.write(noun, target)}{where}", "superlative", target, noun)
    return None


def _is_outermost(items: list[SceneObject], target: SceneObject, key: str, sign: int) -> bool:
    def reach(item: SceneObject) -> float:
        low, high = (item.hbb.x_min, item.hbb.x_max) if key == "x" else (item.hbb.y_min, item.hbb.y_max)
        return high if sign > 0 else -low

    return all(reach(target) >= reach(o) for o in items)


def make_closest(w: Writer, target: SceneObject) -> SceneExpression | None:
    noun = w.any_noun(target)
    items = w.facts.is_agreed(noun)
    if target not in items or not 2 <= len(items) <= 60:
        return None
    far = len(items) <= 6 and w.rng.random() < 0.2
    for anchor, name in w.anchors(target):
        if anchor in items or target.host == anchor.id:
            continue
        gaps = np.array([w.facts.gap(o, anchor) + 2.0 for o in items])
        centers = np.array([math.dist(o.center, anchor.center) for o in items])
        step = max(8.0, 0.4 * w.facts.size(target))
        if anchor.category in STUFF or (gaps <= 4).sum() > 0 or any(o.is_cut for o in items if far):
            continue
        if far:
            best = _clearly_ranked(gaps, 1, ratio=1.25, step=step)
            agrees = best is not None and items[int(np.argmax(centers))] is target
        else:
            best = _clearly_ranked(-gaps, 1, ratio=1.0, step=step)
            rest = np.sort(gaps)
            agrees = best is not None and rest[1] >= 1.5 * rest[0] and items[int(np.argmin(centers))] is target
        if best is not None and items[best] is target and agrees:
            word = "farthest from" if far else w.one_of(("closest to", "nearest to", "closest to"))
            return w.done(f"{w.write(noun, target)} {word} the {name}", "closest", target, noun, [anchor])
    return None


def make_order(w: Writer, target: SceneObject) -> SceneExpression | None:
    noun = w.any_noun(target)
    items = w.facts.is_agreed(noun)
    if target not in items or not 3 <= len(items) <= 9 or target.category in STUFF:
        return None
    if any(o.visible < 0.5 for o in items):
        return None
    for key, sign, words in (
        ("x", -1, ("{n} {noun} from the left", "{noun} that is {n} from the left")),
        ("x", 1, ("{n} {noun} from the right",)),
        ("y", -1, ("{n} {noun} from the top",)),
        ("y", 1, ("{n} {noun} from the bottom",)),
        ("area", 1, ("{n} largest {noun}", "{n} biggest {noun}")),
    ):
        values = w.facts.lengths(items, key) * sign
        if key == "area" and any(o.is_cut for o in items):
            continue
        rank = int((values > values[items.index(target)]).sum()) + 1
        step = 0.0 if key == "area" else max(0.025 * w.facts.width, 0.5 * w.facts.size(target), 6)
        best = _clearly_ranked(values, rank, ratio=1.25 if key == "area" else 1.0, step=step) if rank <= 4 else None
        # The ones before it must be in clear order too, or counting starts at the wrong one.
        firsts = [_clearly_ranked(values, r, ratio=1.0, step=step) for r in range(1, rank)]
        if rank in _ORDINALS and best is not None and None not in firsts:
            text = w.one_of(words).format(n=_ORDINALS[rank], noun=w.write(noun, target))
            return w.done(text, "order", target, noun)
    return None
