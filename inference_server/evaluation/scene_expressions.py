"""Referring expressions for a scene, unambiguous by construction, and negatives that nothing fits.

A maker proposes words for a target and keeps them only when the facts say that the target surely fits and every
rival surely does not. Kinds, see ``KINDS``, follow the constructions that the parser knows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from inference_server.evaluation.scene_facts import COLORED, STUFF, Facts, Noun
from inference_server.evaluation.scene_negatives import make_negative
from inference_server.evaluation.scene_types import Scene, SceneExpression, SceneObject
from inference_server.evaluation.scene_words import begin, noun_word, phrase, specific_word

#: What an expression rests on.
KINDS = (
    "category",
    "color",
    "size",
    "shape",
    "position",
    "superlative",
    "closest",
    "order",
    "relation",
    "chain",
    "between",
    "negation",
    "number",
    "negative",
)

_POSITIONS = {
    "left": ("on the left", "on the left side", "on the left side of the image", "at the left"),
    "right": ("on the right", "on the right side", "in the right part of the image"),
    "top": ("at the top", "in the upper part of the image", "in the upper half"),
    "bottom": ("at the bottom", "in the lower part of the image", "in the lower half"),
    "top left": ("in the upper left", "in the top left corner", "at the top left", "in the north-west"),
    "top right": ("in the upper right", "in the top right corner", "in the north-east of the image"),
    "bottom left": ("in the lower left", "in the bottom left corner", "at the lower left of the image"),
    "bottom right": ("in the lower right", "in the bottom right corner", "in the south-east"),
    "middle": ("in the middle", "in the center", "in the middle of the image", "in the centre of the image"),
}
_DIRECTIONS = {
    "left": ("left of", "to the left of", "on the left of"),
    "right": ("right of", "to the right of", "on the right side of"),
    "above": ("above",),
    "below": ("below",),
    "north": ("north of", "to the north of"),
    "south": ("south of", "to the south of"),
    "east": ("east of", "to the east of"),
    "west": ("west of", "to the west of"),
    "north-east": ("north-east of", "northeast of"),
    "north-west": ("north-west of", "to the northwest of"),
    "south-east": ("south-east of", "to the southeast of"),
    "south-west": ("south-west of", "southwest of"),
}
#: What may stand on or in what, and the preposition.
_HOSTS = {"parking lot": "in", "water": "on", "road": "on", "bridge": "on", "runway": "on"}
_ORDINALS = {2: "second", 3: "third", 4: "fourth"}

Maker = Callable[["Writer", SceneObject], "SceneExpression | None"]


class Writer:
    """Proposes and checks expressions for one scene."""

    def __init__(self, scene: Scene, rng: np.random.Generator) -> None:
        self.facts = Facts(scene)
        self.rng = rng
        self.targets = [
            o
            for o in self.facts.seen
            if self.facts.is_referable(o) and o.category not in (scene.background - {"water"})
        ]

    # Parts ---------------------------------------------------------------------------------------------------

    def one_of(self, options: Sequence[str]) -> str:
        return options[int(self.rng.integers(len(options)))]

    def nouns(self, item: SceneObject) -> list[Noun]:
        """Ways to name the object's kind, plain before coloured, with the union words now and then."""
        out = [Noun(item.category)]
        if item.category in COLORED:
            out.append(Noun(item.category, item.color))
        if item.category in ("car", "bus", "truck") and self.rng.random() < 0.2:
            out.append(Noun("vehicle", item.color))
        if item.category.endswith(" court") and self.rng.random() < 0.3:
            out.append(Noun("court"))
        return out

    def any_noun(self, item: SceneObject) -> Noun:
        options = self.nouns(item)
        return options[int(self.rng.integers(len(options)))]

    def write(self, noun: Noun, item: SceneObject) -> str:
        word = (
            specific_word(self.facts, item, self.rng)
            if noun.category == item.category
            else noun_word(noun.category, self.rng)
        )
        return phrase(noun, word, self.rng)

    def unique_name(self, item: SceneObject) -> str:
        """A definite phrase that names this object alone, "" when class and colour do not suffice."""
        for noun in self.nouns(item):
            agreed = self.facts.is_agreed(noun)
            if len(agreed) == 1 and agreed[0] is item:
                return self.write(noun, item)
        return ""

    def anchors(self, target: SceneObject) -> list[tuple[SceneObject, str]]:
        """Objects that can be named alone, nearest first."""
        out = []
        for item in self._nameable():
            if item is not target and item.id != target.host:
                out.append(item)
        out.sort(key=lambda o: math.dist(o.center, target.center))
        return [(o, self.unique_name(o)) for o in out[:6]]

    def _nameable(self) -> list[SceneObject]:
        if not hasattr(self, "_names"):
            self._names = [
                o
                for o in self.facts.seen
                if o.visible >= 0.5
                and o.mask.area >= 60
                and o.category != "tree"
                and o.category not in self.facts.scene.background
                and self.unique_name(o)
            ]
        return self._names

    def fits_alone(self, noun: Noun, target: SceneObject, test: Callable[[SceneObject], int]) -> bool:
        """The target surely is what the noun says and passes the test, and no other might."""
        sure, maybe = self.facts.members(noun)
        if target not in sure or test(target) != 1:
            return False
        return all(other is target or test(other) == -1 for other in maybe)

    def done(
        self,
        text: str,
        kind: str,
        target: SceneObject | Sequence[SceneObject],
        noun: Noun,
        anchors: Sequence[SceneObject] = (),
    ) -> SceneExpression:
        many = not isinstance(target, SceneObject)
        targets = [target] if isinstance(target, SceneObject) else list(target)
        return SceneExpression(
            begin(text, self.rng, many=many),
            kind,
            tuple(o.id for o in targets),
            tuple(o.id for o in anchors),
            noun.category,
        )


# Makers, one a kind -------------------------------------------------------------------------------------------


def _category(w: Writer, target: SceneObject) -> SceneExpression | None:
    for noun in w.nouns(target):
        if not noun.color and w.fits_alone(noun, target, lambda _: 1):
            return w.done(w.write(noun, target), "category", target, noun)
    return None


def _color(w: Writer, target: SceneObject) -> SceneExpression | None:
    for noun in w.nouns(target):
        sure, _ = w.facts.members(Noun(noun.category))
        if noun.color and len(sure) > 1 and w.fits_alone(noun, target, lambda _: 1):
            return w.done(w.write(noun, target), "color", target, noun)
    return None


def _size(w: Writer, target: SceneObject) -> SceneExpression | None:
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


def _shape(w: Writer, target: SceneObject) -> SceneExpression | None:
    noun = w.any_noun(target)
    ratio = target.obb.width / target.obb.height
    words: list[tuple[str, Callable[[SceneObject], int]]] = []
    if target.category in ("building", "pool"):
        if target.shape in ("L-shaped", "round", "kidney-shaped"):
            words.append((target.shape, lambda o: 1 if o.shape == target.shape else (0 if o.is_cut else -1)))
        if target.shape == "rectangular" and target.category == "pool":
            words.append(("rectangular", lambda o: 1 if o.shape == "rectangular" else (0 if o.is_cut else -1)))
    if target.category in ("building", "truck", "ship", "container", "parking lot") and ratio >= 2.7:
        words.append(
            (
                w.one_of(("long", "elongated", "long narrow")),
                lambda o: (
                    1
                    if o is target
                    else (
                        -1
                        if o.obb.width / o.obb.height <= 1.9 and not o.is_cut and o.obb.width < target.obb.width
                        else 0
                    )
                ),
            )
        )
    if target.category == "building" and target.shape == "rectangular" and ratio <= 1.12:
        words.append(
            (
                "square",
                lambda o: 1 if o is target else (-1 if o.obb.width / o.obb.height >= 1.35 and not o.is_cut else 0),
            )
        )
    if not words or len(w.facts.members(noun)[0]) < 2:
        return None
    word, test = words[int(w.rng.integers(len(words)))]
    if not w.fits_alone(noun, target, test):
        return None
    return w.done(f"{word} {w.write(noun, target)}", "shape", target, noun)


def _position(w: Writer, target: SceneObject) -> SceneExpression | None:
    words = [p for p in _POSITIONS if w.facts.position(target, p) == 1]
    w.rng.shuffle(words)
    for noun in w.nouns(target):
        if len(w.facts.members(noun)[0]) < 2:
            continue
        for word in words:
            if w.fits_alone(noun, target, lambda o, p=word: w.facts.position(o, p)):
                return w.done(f"{w.write(noun, target)} {w.one_of(_POSITIONS[word])}", "position", target, noun)
    return None


def _pool_of(w: Writer, noun: Noun, target: SceneObject) -> tuple[list[SceneObject], str]:
    """The class members that an order is taken over, perhaps only those of a part of the picture."""
    items = w.facts.is_agreed(noun)
    if w.rng.random() < 0.25 and len(items) > 3:
        parts = [p for p in _POSITIONS if w.facts.position(target, p) == 1 and p != "middle"]
        if parts:
            part = w.one_of(parts)
            grades = [w.facts.position(o, part) for o in items]
            if 0 not in grades:
                return [o for o, g in zip(items, grades, strict=True) if g == 1], " " + w.one_of(_POSITIONS[part])
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


def _superlative(w: Writer, target: SceneObject) -> SceneExpression | None:
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
    edges = {
        ("x", -1): lambda o: -o.hbb.x_min,
        ("x", 1): lambda o: o.hbb.x_max,
        ("y", -1): lambda o: -o.hbb.y_min,
        ("y", 1): lambda o: o.hbb.y_max,
    }[key, sign]
    return all(edges(target) >= edges(o) for o in items)


def _closest(w: Writer, target: SceneObject) -> SceneExpression | None:
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


def _order(w: Writer, target: SceneObject) -> SceneExpression | None:
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


def relate(w: Writer, target: SceneObject, anchor: SceneObject, noun: Noun) -> str:
    """Words that tie the target to the anchor and no rival, "" when there are none."""
    f = w.facts
    options: list[tuple[str, Callable[[SceneObject], int]]] = []
    if target.host == anchor.id and anchor.category in _HOSTS:
        options.append((_HOSTS[anchor.category], lambda o: f.on(o, anchor)))
    elif anchor.category in ("road", "runway"):
        options.append((w.one_of(("along", "next to", "beside")), lambda o: f.along(o, anchor)))
    elif anchor.category == "water":
        options.append((w.one_of(("along", "next to", "near")), lambda o: f.along(o, anchor)))
    else:
        options.append((w.one_of(("next to", "beside", "adjacent to")), lambda o: f.next_to(o, anchor)))
        options.append((w.one_of(("near", "close to")), lambda o: f.near(o, anchor)))
    if target.host != anchor.id:
        reach = 4 * f.gap(target, anchor) + 2.5 * f.size(anchor)
        for word, forms in _DIRECTIONS.items():
            if anchor.category in STUFF or f.gap(target, anchor) <= 3 * (f.size(target) + f.size(anchor)):
                options.append(
                    (
                        w.one_of(forms),
                        lambda o, d=word: (
                            -1
                            if o is not target and f.gap(o, anchor) > reach and anchor.category not in STUFF
                            else f.direction(o, anchor, d)
                        ),
                    )
                )
    for i in w.rng.permutation(len(options)):
        words, test = options[int(i)]
        if w.fits_alone(noun, target, lambda o, t=test: -1 if o is anchor else t(o)):
            return words
    return ""


def _relation(w: Writer, target: SceneObject) -> SceneExpression | None:
    noun = w.any_noun(target)
    if len(w.facts.members(noun)[0]) < 2:
        return None
    if target.category == "building" and w.rng.random() < 0.35 and "pool" in w.facts.categories:
        if w.fits_alone(noun, target, lambda o: w.facts.has(o, "pool")):
            return w.done(f"{w.write(noun, target)} with a {noun_word('pool', w.rng)}", "relation", target, noun)
    if target.category in ("building", "tank", "parking lot", "pool", "water") and w.rng.random() < 0.2:
        if w.fits_alone(noun, target, lambda o: w.facts.surrounded(o, "tree")):
            return w.done(f"{w.write(noun, target)} surrounded by trees", "relation", target, noun)
    for anchor, name in w.anchors(target):
        words = relate(w, target, anchor, noun)
        if words:
            return w.done(f"{w.write(noun, target)} {words} the {name}", "relation", target, noun, [anchor])
    return None


def _chain(w: Writer, target: SceneObject) -> SceneExpression | None:
    near = [
        o
        for o in w.facts.seen
        if o is not target
        and o.category not in ("tree", "road")
        and o.visible >= 0.5
        and o.category not in w.facts.scene.background
        and math.dist(o.center, target.center) < 3 * (w.facts.size(o) + w.facts.size(target))
        and o.id != target.host
    ]
    w.rng.shuffle(near)
    noun = w.any_noun(target)
    if len(w.facts.members(noun)[0]) < 2:
        return None
    for middle in near[:3]:
        middle_noun = w.any_noun(middle)
        if len(w.facts.members(middle_noun)[0]) < 2:
            continue
        first = relate(w, target, middle, noun)
        if not first:
            continue
        for anchor, name in w.anchors(middle)[:3]:
            second = relate(w, middle, anchor, middle_noun) if anchor is not target else ""
            if second:
                link = " that is" if w.rng.random() < 0.6 else ""
                text = f"{w.write(noun, target)} {first} the {w.write(middle_noun, middle)}{link} {second} the {name}"
                return w.done(text, "chain", target, noun, [middle, anchor])
    return None


def _between(w: Writer, target: SceneObject) -> SceneExpression | None:
    noun = w.any_noun(target)
    if target.category in STUFF or len(w.facts.members(noun)[0]) < 2:
        return None
    pairs: list[tuple[SceneObject, SceneObject, str]] = []
    named = [(a, n) for a, n in w.anchors(target) if a.category not in STUFF]
    for i, (one, first) in enumerate(named):
        for two, second in named[:i]:
            pairs.append((one, two, f"the {first} and the {second}"))
    for category in sorted(w.facts.categories - STUFF - {"tree"} - w.facts.scene.background):
        items = w.facts.is_agreed(Noun(category))
        if len(items) == 2 and target not in items:
            pairs.append((items[0], items[1], f"the two {noun_word(category, w.rng, many=True)}"))
    w.rng.shuffle(pairs)
    for one, two, words in pairs[:8]:
        if math.dist(one.center, two.center) > 0.6 * max(w.facts.width, w.facts.height):
            continue
        if w.fits_alone(noun, target, lambda o, a=one, b=two: -1 if o in (a, b) else w.facts.between(o, a, b)):
            return w.done(f"{w.write(noun, target)} between {words}", "between", target, noun, [one, two])
    return None


def _negation(w: Writer, target: SceneObject) -> SceneExpression | None:
    noun = Noun(target.category)
    items = w.facts.is_agreed(noun)
    f = w.facts
    if target not in items or len(items) < 2:
        return None
    others = [o for o in items if o is not target]
    if target.category in COLORED:
        color = others[0].color
        sure, maybe = f.members(Noun(target.category, color))
        if len(sure) == len(others) and target not in maybe:
            forms = ("{noun} that is not {color}", "{noun} which is not {color}", "non-{color} {noun}")
            text = w.one_of(forms[:2] if " " in color else forms)
            return w.done(text.format(noun=w.write(noun, target), color=color), "negation", target, noun)
    if target.category == "building":
        for option in w.nouns(target):
            if len(f.members(option)[0]) >= 2 and w.fits_alone(option, target, lambda o: -f.has(o, "pool")):
                return w.done(
                    f"{w.write(option, target)} without a {noun_word('pool', w.rng)}", "negation", target, option
                )
    for option in w.nouns(target):
        if len(f.members(option)[0]) < 2:
            continue
        for anchor, name in w.anchors(others[0]):
            if anchor is target or anchor in items:
                continue
            if w.fits_alone(option, target, lambda o, a=anchor: -f.near(o, a)):
                return w.done(
                    f"{w.write(option, target)} that is not near the {name}", "negation", target, option, [anchor]
                )
        for host_category, preposition in _HOSTS.items():
            hosts = f.is_agreed(Noun(host_category))
            if (
                len(hosts) == 1
                and host_category not in f.scene.background
                and w.fits_alone(option, target, lambda o, h=hosts[0]: -f.on(o, h))
            ):
                word = noun_word(host_category, w.rng)
                return w.done(
                    f"{w.write(option, target)} not {preposition} the {word}", "negation", target, option, hosts
                )
    return None


_COUNTS = {2: "two", 3: "three", 4: "four", 5: "five", 6: "six"}


def _number(w: Writer, target: SceneObject) -> SceneExpression | None:
    noun = w.any_noun(target)
    f = w.facts
    sure, maybe = f.members(noun)
    if target not in sure or target.category in STUFF or target.category == "tree":
        return None
    tests: list[tuple[str, Callable[[SceneObject], int], list[SceneObject]]] = [("", lambda _: 1, [])]
    for part in _POSITIONS:
        if f.position(target, part) == 1:
            tests.append((" " + w.one_of(_POSITIONS[part]), lambda o, p=part: f.position(o, p), []))
    for host in f.seen:
        if host.id == target.host and host.category in _HOSTS and f.is_agreed(Noun(host.category)) == [host]:
            word = f" {_HOSTS[host.category]} the {noun_word(host.category, w.rng)}"
            tests.append((word, lambda o, h=host: f.on(o, h), [host]))
    for i in w.rng.permutation(len(tests)):
        where, test, anchors = tests[int(i)]
        grades = {o.id: test(o) for o in maybe}
        group = [o for o in sure if grades[o.id] == 1]
        if not 2 <= len(group) <= 12 or any(g >= 0 for k, g in grades.items() if k not in {o.id for o in group}):
            continue
        if not all(f.is_referable(o) for o in group):
            continue
        many = (
            phrase(noun, noun_word(noun.category, w.rng, many=True), w.rng).replace(" roof", " roofs")
            if noun.category == "building" and noun.color
            else phrase(noun, noun_word(noun.category, w.rng, many=True), w.rng)
        )
        if " that is " in many or "roofss" in many:
            continue
        many = many.replace("with a ", "with ").replace("with an ", "with ")
        if len(group) in _COUNTS and w.rng.random() < 0.5:
            text = f"{_COUNTS[len(group)]} {many}{where}"
            return w.done(text, "number", group, noun, anchors)
        text = w.one_of(("all {}", "all the {}", "every one of the {}", "all {}")).format(many + where)
        made = w.done(text, "number", group, noun, anchors)
        return SceneExpression(text, made.kind, made.target_ids, made.anchor_ids, made.category)
    return None


_MAKERS: dict[str, Maker] = {
    "category": _category,
    "color": _color,
    "size": _size,
    "shape": _shape,
    "position": _position,
    "superlative": _superlative,
    "closest": _closest,
    "order": _order,
    "relation": _relation,
    "chain": _chain,
    "between": _between,
    "negation": _negation,
    "number": _number,
}
#: How often a kind is tried, a round.
_SHARES = {
    "relation": 3,
    "superlative": 2,
    "color": 2,
    "position": 3,
    "size": 2,
    "shape": 2,
    "negation": 2,
    "closest": 2,
}
#: How many targets are tried before a kind is passed over; rare kinds look harder.
_TRIES = {"size": 30, "shape": 40, "negation": 25, "position": 20, "color": 20, "order": 20}


def express(scene: Scene, rng: np.random.Generator, count: int) -> tuple[SceneExpression, ...]:
    """Up to ``count`` different expressions over all kinds that the scene gives rise to.

    Args:
        scene: with its objects; its own expressions are ignored.
        rng: decides what is asked and in which words.
        count: how many at most; sparse scenes give fewer.
    """
    writer = Writer(scene, rng)
    by_category: dict[str, list[SceneObject]] = {}
    for item in writer.targets:
        by_category.setdefault(item.category, []).append(item)
    for items in by_category.values():
        rng.shuffle(items)
    made: list[SceneExpression] = []
    used: dict[str, int] = {}
    plan = [k for k in KINDS for _ in range(_SHARES.get(k, 1))]
    idle = 0
    while len(made) < count and idle < 2 and (by_category or scene.objects):
        before = len(made)
        for kind in [plan[i] for i in rng.permutation(len(plan))]:
            if len(made) >= count:
                break
            found = _attempt(writer, kind, by_category, used, made)
            if found is not None:
                made.append(found)
                for target_id in found.target_ids:
                    used[target_id] = used.get(target_id, 0) + 1
        idle = idle + 1 if len(made) == before else 0
    return tuple(made)


def _attempt(
    writer: Writer,
    kind: str,
    by_category: dict[str, list[SceneObject]],
    used: dict[str, int],
    made: list[SceneExpression],
) -> SceneExpression | None:
    texts = {e.text.lower() for e in made}
    if kind == "negative":
        if sum(e.kind == "negative" for e in made) > 0.15 * len(made):
            return None
        text, category = make_negative(writer.facts, writer.rng)
        return SceneExpression(text, kind, (), (), category) if text and text.lower() not in texts else None
    categories = sorted(by_category)
    for _ in range(_TRIES.get(kind, 12)):
        if not categories:
            return None
        items = by_category[categories[int(writer.rng.integers(len(categories)))]]
        target = items[int(writer.rng.integers(len(items)))]
        if used.get(target.id, 0) >= (3 if kind in ("number", "relation", "chain", "between", "order") else 2):
            continue
        if target.category == "tree" and kind not in ("closest", "relation"):
            continue  # bushes are no trees, but who is to say?
        found = _MAKERS[kind](writer, target)
        if found is not None and found.text.lower() not in texts:
            same = [e for e in made if e.kind == kind and e.target_ids == found.target_ids]
            if not same:
                return found
    return None
