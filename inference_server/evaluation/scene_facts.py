"""What holds in a scene, in three values: surely, surely not, or open to argument.

Expressions are made from facts that are sure, against rivals that surely fail; what a person could argue about
is never asked. Each predicate returns 1 (sure), 0 (arguable) or -1 (surely not).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from skimage.color import rgb2lab

from inference_server.evaluation.scene_palette import CONFUSED
from inference_server.evaluation.scene_types import Scene, SceneObject

#: Words that stand for several classes.
UNIONS: dict[str, frozenset[str]] = {
    "vehicle": frozenset({"car", "bus", "truck"}),
    "court": frozenset({"tennis court", "basketball court"}),
    "water": frozenset({"water"}),
}
#: Classes that a person may take for the named one, so that their presence makes the name arguable.
LOOKALIKES: dict[str, frozenset[str]] = {
    "water": frozenset({"pool"}),
    "truck": frozenset({"container", "bus"}),
    "bus": frozenset({"truck"}),
    "container": frozenset({"truck"}),
    "court": frozenset({"soccer field"}),
    "soccer field": frozenset({"field", "grass"}),
    "field": frozenset({"grass", "soccer field"}),
    "grass": frozenset({"field", "soccer field"}),
    "vehicle": frozenset({"container", "airplane", "ship"}),
}
#: Long or spread-out things: directions and distances go by their pixels, not by their centre.
STUFF = frozenset({"road", "water", "runway", "field", "grass"})
COLORED = frozenset(
    {"building", "car", "bus", "truck", "container", "tank", "ship", "airplane", "tennis court", "basketball court"}
)
_SECTORS = {
    "right": 0.0,
    "below": 90.0,
    "left": 180.0,
    "above": -90.0,
    "east": 0.0,
    "south": 90.0,
    "west": 180.0,
    "north": -90.0,
    "north-east": -45.0,
    "south-east": 45.0,
    "south-west": 135.0,
    "north-west": -135.0,
}


@dataclass(frozen=True)
class Noun:
    """A class word with an optional colour, as asked for."""

    category: str
    color: str = ""


class Facts:
    """The facts of one scene."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.seen = [o for o in scene.objects if o.visible >= 0.15]
        rows, cols = scene.valid.shape
        self.width, self.height = float(cols), float(rows)
        colors = np.array([o.mean_rgb for o in self.seen]).reshape(-1, 1, 3) / 255
        lab = rgb2lab(colors).reshape(-1, 3) if self.seen else np.zeros((0, 3))
        self._lab = {o.id: value for o, value in zip(self.seen, lab, strict=True)}
        self._trees: dict[str, cKDTree] = {}
        self._gaps: dict[tuple[str, str], float] = {}
        self._named: dict[Noun, tuple[list[SceneObject], list[SceneObject]]] = {}

    @cached_property
    def categories(self) -> frozenset[str]:
        return frozenset(o.category for o in self.scene.objects)

    def is_referable(self, item: SceneObject) -> bool:
        """Large enough, visible and whole, so that its box is no matter of taste."""
        if item.category in ("water", "road", "runway"):
            return item.visible >= 0.6 and math.sqrt(item.mask.area) >= 20
        return not item.is_cut and item.visible >= 0.68 and math.sqrt(item.mask.area) >= 8 and item.obb.height >= 4.5

    # Nouns ---------------------------------------------------------------------------------------------------

    def members(self, noun: Noun) -> tuple[list[SceneObject], list[SceneObject]]:
        """What the noun surely names, and all that it may name."""
        if noun not in self._named:
            self._named[noun] = self._members(noun)
        return self._named[noun]

    def _members(self, noun: Noun) -> tuple[list[SceneObject], list[SceneObject]]:
        named = UNIONS.get(noun.category, frozenset({noun.category}))
        looks = LOOKALIKES.get(noun.category, frozenset())
        sure, maybe = [], []
        colored = [o for o in self.seen if o.category in named and o.color == noun.color]
        for item in self.seen:
            if item.category not in named and item.category not in looks:
                continue
            if noun.color and item.color != noun.color and noun.color not in CONFUSED.get(item.color, frozenset()):
                if item.category in named and any(
                    self.color_distance(item, other) < 13 for other in colored if other.category == item.category
                ):
                    maybe.append(item)
                continue
            maybe.append(item)
            if item.category in named and (not noun.color or item.color == noun.color):
                sure.append(item)
        return sure, maybe

    def color_distance(self, one: SceneObject, two: SceneObject) -> float:
        """CIE76 distance of the mean displayed colours."""
        return float(np.linalg.norm(self._lab[one.id] - self._lab[two.id]))

    def is_agreed(self, noun: Noun) -> list[SceneObject]:
        """The members when nobody can argue about them, else nothing."""
        sure, maybe = self.members(noun)
        return sure if len(sure) == len(maybe) else []

    # Measures ------------------------------------------------------------------------------------------------

    def size(self, item: SceneObject) -> float:
        """Side of a square of the box's area, pixels."""
        return math.sqrt((item.hbb.x_max - item.hbb.x_min) * (item.hbb.y_max - item.hbb.y_min))

    def _edge(self, item: SceneObject) -> cKDTree:
        if item.id not in self._trees:
            pixels = np.pad(item.mask.pixels, 1)
            inner = pixels[1:-1, 1:-1] & pixels[:-2, 1:-1] & pixels[2:, 1:-1] & pixels[1:-1, :-2] & pixels[1:-1, 2:]
            rows, cols = np.nonzero(pixels[1:-1, 1:-1] & ~inner)
            step = max(1, len(rows) // 600)
            points = np.stack([cols[::step] + item.mask.col, rows[::step] + item.mask.row], axis=1)
            self._trees[item.id] = cKDTree(points)
        return self._trees[item.id]

    def gap(self, one: SceneObject, two: SceneObject) -> float:
        """Pixels between the nearest edges; the boxes' distance (a lower bound) where they are far apart."""
        a, b = one.hbb, two.hbb
        dx = max(b.x_min - a.x_max, a.x_min - b.x_max, 0.0)
        dy = max(b.y_min - a.y_max, a.y_min - b.y_max, 0.0)
        far = math.hypot(dx, dy)
        if far > 3 * (self._reach(one) + self._reach(two)):
            return far
        key = (one.id, two.id) if one.id < two.id else (two.id, one.id)
        if key not in self._gaps:
            small, large = sorted((self._edge(one), self._edge(two)), key=lambda t: int(t.n))
            self._gaps[key] = float(large.query(small.data)[0].min())
        return self._gaps[key]

    def _reach(self, item: SceneObject) -> float:
        return 40.0 if item.category in STUFF else self.size(item)

    def nearness(self, one: SceneObject, two: SceneObject) -> float:
        """Gap in units of the mean size of both; of the compact one alone where the other is stuff."""
        sizes = [self.size(o) for o in (one, two) if o.category not in STUFF] or [40.0]
        return self.gap(one, two) / max(sum(sizes) / len(sizes), 8.0)

    # Predicates ----------------------------------------------------------------------------------------------

    def next_to(self, one: SceneObject, two: SceneObject) -> int:
        return _graded(self.nearness(one, two), 0.45, 1.1)

    def near(self, one: SceneObject, two: SceneObject) -> int:
        return _graded(self.nearness(one, two), 1.1, 2.6)

    def on(self, one: SceneObject, two: SceneObject) -> int:
        if one.host == two.id:
            return 1
        return -1 if self.gap(one, two) > max(4.0, 1.0 / self.scene.gsd_m) else 0

    def along(self, one: SceneObject, two: SceneObject) -> int:
        return _graded(self.gap(one, two) * self.scene.gsd_m, 9.0, 22.0)

    def direction(self, one: SceneObject, two: SceneObject, word: str) -> int:
        """Whether ``one`` lies to that side of ``two``, at any distance."""
        if two.category in ("road", "water", "runway"):
            return self._beside(one, two, word)
        (ax, ay), (bx, by) = one.center, two.center
        angle = math.degrees(math.atan2(ay - by, ax - bx))
        off = abs((angle - _SECTORS[word] + 180) % 360 - 180)
        if "-" in word:
            return 1 if off <= 20 else (-1 if off >= 52 else 0)
        a, b = one.hbb, two.hbb
        clear = {
            "left": b.x_min - a.x_max,
            "west": b.x_min - a.x_max,
            "right": a.x_min - b.x_max,
            "east": a.x_min - b.x_max,
            "above": b.y_min - a.y_max,
            "north": b.y_min - a.y_max,
            "below": a.y_min - b.y_max,
            "south": a.y_min - b.y_max,
        }[word]
        beside_it = b.y_min <= ay <= b.y_max if word in ("left", "right", "east", "west") else b.x_min <= ax <= b.x_max
        if clear >= -1 and (off <= 33 or (beside_it and off <= 50)):
            return 1
        return -1 if off >= 64 else 0

    def _beside(self, one: SceneObject, two: SceneObject, word: str) -> int:
        """Sides of something long: by its pixels in the rows or columns that ``one`` spans."""
        if "-" in word:
            return 0
        a = one.hbb
        points = np.asarray(self._edge(two).data)
        if word in ("above", "below", "north", "south"):
            at = points[(points[:, 0] >= a.x_min) & (points[:, 0] <= a.x_max), 1]
            low, high = a.y_min, a.y_max
        else:
            at = points[(points[:, 1] >= a.y_min) & (points[:, 1] <= a.y_max), 0]
            low, high = a.x_min, a.x_max
        if not len(at):
            return 0
        before, after = bool((at >= high - 1).all()), bool((at <= low + 1).all())
        wanted, other = (before, after) if word in ("above", "north", "left", "west") else (after, before)
        across = two.obb.height / max(two.obb.width, 1) < 0.5 and self._runs_across(two, word)
        return (1 if across else 0) if wanted else (-1 if other else 0)

    def _runs_across(self, item: SceneObject, word: str) -> bool:
        """A road that runs left to right has an above and a below, but no left and right."""
        flat = abs(item.obb.angle) < 30
        steep = abs(item.obb.angle) > 60
        return flat if word in ("above", "below", "north", "south") else steep

    def position(self, item: SceneObject, word: str) -> int:
        """Whether the object lies in that part of the picture."""
        x, y = item.center[0] / self.width, item.center[1] / self.height
        votes = []
        for part in word.split():
            if part in ("left", "right", "top", "bottom"):
                t = {"left": x, "right": 1 - x, "top": y, "bottom": 1 - y}[part]
                votes.append(_graded(t, 0.36, 0.58))
            elif part == "middle":
                votes.append(_graded(max(abs(x - 0.5), abs(y - 0.5)), 0.14, 0.27))
        return min(votes)

    def between(self, item: SceneObject, one: SceneObject, two: SceneObject) -> int:
        p, q, c = np.array(one.center), np.array(two.center), np.array(item.center)
        span = q - p
        length = float(np.hypot(*span))
        if length < 1:
            return -1
        t = float((c - p) @ span) / length**2
        off = abs(float(span[0] * (c - p)[1] - span[1] * (c - p)[0])) / length
        slack = max(0.5 * (self.size(one) + self.size(two)) / 2, 0.12 * length)
        if 0.22 <= t <= 0.78 and off <= slack * 0.8:
            return 1
        return -1 if not (-0.02 <= t <= 1.02) or off > max(2.2 * slack, 0.45 * length) else 0

    def has(self, owner: SceneObject, kind: str) -> int:
        """Whether a pool (or another thing of ``kind``) belongs to the building: it is the nearest to it."""
        best = -1
        for thing in self.seen:
            if thing.category != kind:
                continue
            gap_m = self.gap(owner, thing) * self.scene.gsd_m
            if gap_m > 24:
                continue
            rivals = [self.gap(o, thing) for o in self.seen if o.category == owner.category and o is not owner]
            nearest = min(rivals, default=math.inf) * self.scene.gsd_m
            if gap_m <= 11 and nearest >= 1.6 * gap_m + 2:
                return 1
            if gap_m <= 2.0 * nearest:
                best = 0
        return best

    def surrounded(self, item: SceneObject, kind: str) -> int:
        """Things of ``kind`` close by on nearly all sides."""
        sides: set[int] = set()
        wide: set[int] = set()
        reach = max(12 / self.scene.gsd_m, 10.0)
        for thing in self.seen:
            if thing.category == kind:
                dx, dy = thing.center[0] - item.center[0], thing.center[1] - item.center[1]
                if math.hypot(dx, dy) < self.size(item) + 3 * reach:
                    gap = self.gap(item, thing)
                    sector = int((math.degrees(math.atan2(dy, dx)) + 180) // 45) % 8
                    if gap <= reach:
                        sides.add(sector)
                    if gap <= 1.6 * reach:
                        wide.add(sector)
        return 1 if len(sides) >= 6 else (-1 if len(wide) <= 3 else 0)

    def lengths(self, items: list[SceneObject], key: str) -> NDArray[np.float64]:
        """The values that an order goes by."""
        if key == "area":
            return np.array([float(o.mask.area) for o in items])
        if key == "length":
            return np.array([o.obb.width for o in items])
        return np.array([o.center[0 if key == "x" else 1] for o in items])


def _graded(value: float, yes: float, no: float) -> int:
    return 1 if value <= yes else (-1 if value >= no else 0)
