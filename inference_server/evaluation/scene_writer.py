"""Finds words for a scene's objects and keeps only those that leave no room for argument."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from inference_server.evaluation.scene_facts import COLORED, STUFF, Facts, Noun
from inference_server.evaluation.scene_palette import PALETTE
from inference_server.evaluation.scene_types import Scene, SceneExpression, SceneObject
from inference_server.evaluation.scene_words import begin, noun_word, phrase, specific_word

#: 1 surely, 0 arguable, -1 surely not.
Test = Callable[[SceneObject], int]

POSITIONS = {
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
DIRECTIONS = {
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
HOSTS = {"parking lot": "in", "water": "on", "road": "on", "bridge": "on", "runway": "on"}


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
        if item.category in COLORED and item.color in PALETTE:
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


def relate(w: Writer, target: SceneObject, anchor: SceneObject, noun: Noun) -> str:
    """Words that tie the target to the anchor and no rival, "" when there are none."""
    f = w.facts
    options: list[tuple[str, Callable[[SceneObject], int]]] = []
    if target.host == anchor.id and anchor.category in HOSTS and target.category != "bridge":
        options.append((HOSTS[anchor.category], lambda o: f.on(o, anchor)))
    elif anchor.category in ("road", "runway"):
        options.append((w.one_of(("along", "next to", "beside")), lambda o: f.along(o, anchor)))
    elif anchor.category == "water":
        options.append((w.one_of(("along", "next to", "near")), lambda o: f.along(o, anchor)))
    else:
        options.append((w.one_of(("next to", "beside", "adjacent to")), lambda o: f.next_to(o, anchor)))
        options.append((w.one_of(("near", "close to")), lambda o: f.near(o, anchor)))
    if target.host != anchor.id:
        reach = 4 * f.gap(target, anchor) + 2.5 * f.size(anchor)

        def sided(item: SceneObject, anchor: SceneObject, word: str) -> int:
            """A rival on that side but much farther off than the target does not count."""
            if item is not target and anchor.category not in STUFF and f.gap(item, anchor) > reach:
                return -1
            return f.direction(item, anchor, word)

        for word, forms in DIRECTIONS.items():
            if anchor.category in STUFF or f.gap(target, anchor) <= 3 * (f.size(target) + f.size(anchor)):
                options.append((w.one_of(forms), partial(sided, anchor=anchor, word=word)))
    for i in w.rng.permutation(len(options)):
        words, test = options[int(i)]
        if w.fits_alone(noun, target, other_than([anchor], test)):
            return words
    return ""


def other_than(items: Sequence[SceneObject], test: Test) -> Test:
    """The test, failed by ``items``: nothing is related to itself."""
    return lambda item: -1 if any(item is each for each in items) else test(item)


def no(test: Test) -> Test:
    """The contrary."""
    return lambda item: -test(item)
