"""Class rules: how well each node fits what people ask for in overhead imagery, each a product of graded tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from inference_server.models.evidence.classes import EVIDENCE_CLASSES, OUTPUTS
from inference_server.models.geobia.additive import additive_scores, attributes
from inference_server.models.geobia.boosted import boosted_scores, verdicts
from inference_server.models.geobia.features import Column, NodeTable, ramp
from inference_server.models.geobia.pieces import VEHICLES
from inference_server.models.geobia.pixel_size import PixelSize
from inference_server.models.geobia.witness import Witness

#: Curves below this keep a node from the trees; the trees were grown on what passes.
PASSES = 0.1
#: Classes that nearly every scene has, in more guises than were labelled: what the curves alone allow counts a little.
LENIENT = frozenset(("building", "tree"))
LENIENCE = 0.35
#: What passing the hand-written tests is worth at most, for classes that were fitted on generated scenes only.
BY_TESTS = 0.5

#: The network's classes that a class goes by.
SEEN_AS: dict[str, tuple[str, ...]] = {
    **{name: (name,) for name in EVIDENCE_CLASSES},
    "vehicle": VEHICLES,
    "court": ("tennis court", "basketball court"),
    "pier": ("bridge",),
}
#: How much the network counts beside the rules and fitted trees, where it knows the class; less where these were fitted
#: on many real labels.
SEEN_WORTH = 0.5
SEEN_WORTH_OF = {"car": 0.35, "tree": 0.35, "grass": 1.0}
#: Classes that the network knows well: what it does not see at all is none of them, whatever the rules say.
TRUSTED = frozenset(
    {"pool", "airplane", "bus", "truck", "tank", "ship", "container", "parking lot", "runway", "bridge", "tennis court",
     "basketball court", "soccer field", "track", "water"}
)  # fmt: skip
SEEN_AT_LEAST = 0.1
#: Nodes that are weighed less by hand get no verdict: they are nothing of the class.
WORTH_A_VERDICT = 0.03
#: What a verdict is worth beside the weighing; less for classes whose rules were fitted on many real labels, where the
#: verdict, which generated scenes have the larger part in, says less than on these.
VERDICT_WORTH_OF = {"building": 0.6, "car": 0.5, "bus": 0.5, "tree": 0.5, "airplane": 0.5}
#: Names of several classes: the verdict on the likelier one.
EITHER = {"court": ("tennis court", "basketball court")}
#: What is cut by the tile's frame is as often a piece of something else: things are doubted up to so much.
CUT_DOUBT = 0.4
THINGS = frozenset(
    {"building", "car", "bus", "truck", "vehicle", "tree", "pool", "tank", "ship", "container", "airplane",
     "tennis court", "basketball court"}
)  # fmt: skip
#: Classes that the network confuses: half of what it sees is taken from both together, the rules tell them apart.
CONFUSED = {"truck": ("truck", "bus"), "bus": ("truck", "bus")}


def near_range(x: Column, low: float, high: float, *, soft: float = 1.5) -> Column:
    """1 within [low, high], falling to 0 a factor of ``soft`` beyond either end (logarithmic)."""
    log = np.log(np.maximum(x, 1e-9))
    margin = np.log(soft)
    return np.minimum(ramp(log, np.log(low) - margin, np.log(low)), ramp(-log, -np.log(high) - margin, -np.log(high)))


@dataclass(frozen=True, eq=False)
class Nodes:
    """A node table with its ground sample distance: the vocabulary that the rules are written in.

    Attributes:
        t: the table.
        pixel: metres a pixel; where they are guessed, sizes are tested against all within the bounds.
        tile_px: number of pixels of the tile.
        gradient_scale: typical gradient of the scene, see ``SceneTone``.
        witness: what the evidence network says of each node.
        is_part: whether the tile is one of a scene, whose neighbours show whole what its frame cuts.
    """

    t: NodeTable
    pixel: PixelSize
    tile_px: int
    gradient_scale: float
    witness: Witness
    is_part: bool = False

    def metres(self, pixels: Column, low: float, high: float, *, power: int = 1, soft: float = 1.5) -> Column:
        """Whether a length (power 1) or area (power 2) in pixels lies within a range in metres."""
        fine, coarse = self.pixel.finest**power, self.pixel.coarsest**power
        return near_range(pixels, low / coarse, high / fine, soft=soft)

    def length(self, low: float, high: float, *, soft: float = 1.5) -> Column:
        return self.metres(self.t.length, low, high, soft=soft)

    def width(self, low: float, high: float, *, soft: float = 1.5) -> Column:
        return self.metres(self.t.width, low, high, soft=soft)

    def area(self, low: float, high: float, *, soft: float = 1.8) -> Column:
        return self.metres(self.t.area, low, high, power=2, soft=soft)

    def share(self, low: float, high: float, *, soft: float = 2.0) -> Column:
        """Whether the node's share of the tile lies within a range; a size test when metres are unknown."""
        return near_range(self.t.area / self.tile_px, low, high, soft=soft)

    @cached_property
    def aspect(self) -> Column:
        return np.asarray(self.t.length / np.maximum(self.t.width, 1.0))

    @cached_property
    def ribbon_width(self) -> Column:
        """Mean width in pixels of a band of this area and perimeter."""
        half = self.t.perimeter / 2.0
        return np.asarray((half - np.sqrt(np.maximum(half**2 - 4.0 * self.t.area, 0.0))) / 2.0)

    @cached_property
    def ribbon(self) -> Column:
        """Length of the band over its width: 1 for a square, large for a road however it bends."""
        return np.asarray(self.t.area / np.maximum(self.ribbon_width, 1.0) ** 2)

    @cached_property
    def known_degrees(self) -> dict[str, Column]:
        """Degrees of the classes asked for so far: a second expression finds them here."""
        return {}

    @cached_property
    def _columns(self) -> list[dict[str, Column]]:
        return [attributes(self.t, gsd, self.gradient_scale) for gsd in self.pixel.tried]

    def curves(self, name: str) -> Column:
        """What a fitted class's curves say; where the pixel size is guessed, the best over those tried."""
        score = additive_scores()[name]
        return np.asarray(np.maximum.reduce([score(columns) for columns in self._columns]))

    def fitted(self, name: str) -> Column:
        """A fitted class's probability: the trees' for nodes that its curves let pass, 0 for all others."""
        out = np.zeros_like(self.t.area)
        curves, trees = additive_scores()[name], boosted_scores()[name]
        for columns in self._columns:
            first = curves(columns)
            passed = np.flatnonzero(first > PASSES)
            said = trees(columns, passed)
            if name in LENIENT:
                said = (1.0 - LENIENCE) * said + LENIENCE * first[passed] ** 3
            out[passed] = np.maximum(out[passed], said)
        return out

    def judged(self, name: str, found: Column, ruled: Column) -> Column:
        """The verdict on the nodes that anything speaks for, 0 for all others."""
        out = np.zeros_like(found)
        rows = np.flatnonzero(found > WORTH_A_VERDICT)
        inside = self.witness.inside(rows)
        evidence = dict(zip((f"in {output}" for output in OUTPUTS), inside.T, strict=True))
        evidence |= {
            "rules": ruled[rows],
            "outside": self.witness.outside(SEEN_AS[name])[rows],
            "piece": self.witness.agreement(SEEN_AS[name], rows),
        }
        for columns in self._columns:
            mine = {attribute: column[rows] for attribute, column in columns.items()} | evidence
            out[rows] = np.maximum(out[rows], verdicts()[name](mine, np.arange(len(rows))))
        return out

    @cached_property
    def distinct(self) -> Column:
        """How much the node is a whole thing of its own, whatever it is."""
        return self.curves("object")

    @cached_property
    def compact(self) -> Column:
        """A filled, regular outline."""
        return np.asarray(ramp(self.t.solidity, 0.55, 0.86) * ramp(self.t.rectangularity, 0.4, 0.72) ** 0.5)

    @cached_property
    def bulky(self) -> Column:
        """Not a band: neither long nor winding."""
        return np.asarray(ramp(5.5 - self.aspect, 0.0, 2.0) * ramp(self.t.solidity, 0.45, 0.65))

    @cached_property
    def not_green(self) -> Column:
        return np.asarray(ramp(0.65 - self.t.green, 0.0, 0.4))

    @cached_property
    def not_dark(self) -> Column:
        return np.asarray(ramp(0.75 - self.t.dark, 0.0, 0.4))

    @cached_property
    def not_water(self) -> Column:
        return np.asarray(ramp(0.7 - self.t.water, 0.0, 0.4))

    @cached_property
    def inside_tile(self) -> Column:
        return np.asarray(ramp(0.6 - self.t.edge_share, 0.0, 0.4))

    @cached_property
    def earth(self) -> Column:
        """Soil colours: warm, neither vegetation nor strongly coloured."""
        t = self.t
        warm = ramp(30.0 - np.abs((t.hue - 70.0 + 180.0) % 360.0 - 180.0), -15.0, 5.0)
        return np.asarray(warm * ramp(t.chroma, 4.0, 10.0) * ramp(t.lightness, 25.0, 40.0) * self.not_green)


def _building(n: Nodes) -> Column:
    return n.fitted("building")


def _road(n: Nodes) -> Column:
    t = n.t
    surface = np.maximum(ramp(t.paved, 0.2, 0.6), 0.75 * n.earth)
    wide = n.metres(n.ribbon_width, 3.0, 35.0, soft=1.7)
    return (
        ramp(n.ribbon, 4.0, 14.0) * wide * n.length(40, 1e6, soft=2.0) * surface * n.not_green * n.not_water
        * ramp(5.5 - t.texture, 0.0, 3.0) * (0.6 + 0.4 * ramp(t.edge_share, 0.0, 0.03))
        * ramp(t.closure, 0.05, 0.5) ** 0.4
    )  # fmt: skip


def _car(n: Nodes) -> Column:
    return n.fitted("car")


def _bus(n: Nodes) -> Column:
    return n.fitted("bus")


def _any_vehicle(n: Nodes) -> Column:
    return np.asarray(np.maximum.reduce([degree(name, n) for name in VEHICLES]))


def _truck(n: Nodes) -> Column:
    return n.fitted("truck")


def _tree(n: Nodes) -> Column:
    return n.fitted("tree")


def _forest(n: Nodes) -> Column:
    t = n.t
    return ramp(t.green, 0.5, 0.85) * ramp(t.texture, 2.0, 4.5) * n.area(400, 1e9) * (0.5 + 0.5 * n.distinct)


def _grass(n: Nodes) -> Column:
    t = n.t
    return ramp(t.green, 0.4, 0.8) * ramp(5.5 - t.texture, 0.0, 3.0) * n.area(30, 1e6) * (0.4 + 0.6 * n.distinct)


def _vegetation(n: Nodes) -> Column:
    return ramp(n.t.green, 0.4, 0.8) * (0.4 + 0.6 * n.distinct) * n.area(4, 1e9)


def _field(n: Nodes) -> Column:
    t = n.t
    surface = np.maximum(ramp(t.green, 0.3, 0.7), np.maximum(n.earth, 0.5 * ramp(t.chroma, 6.0, 14.0)))
    return (
        surface * n.area(250, 1e7) * n.share(0.004, 0.5) * ramp(t.solidity, 0.6, 0.88)
        * ramp(t.rectangularity, 0.4, 0.7) * ramp(6.5 - t.texture, 0.0, 3.5) * (0.35 + 0.65 * n.distinct) * n.bulky
        * ramp(16.0 - t.spread, 0.0, 8.0) ** 0.5 * n.not_water
    )  # fmt: skip


def _water(n: Nodes) -> Column:
    t = n.t
    return (
        ramp(t.water, 0.4, 0.8)
        * ramp(3.0 - t.texture, 0.0, 1.5)
        * n.area(60, 1e9)
        * n.share(0.003, 1.0)
        * (0.6 + 0.4 * ramp(t.solidity, 0.3, 0.7))
    )


def _river(n: Nodes) -> Column:
    return n.area(600, 1e9) * np.maximum(ramp(n.ribbon, 2.5, 6.0), ramp(n.t.edge_share, 0.02, 0.12))


def _lake(n: Nodes) -> Column:
    return 0.5 + 0.5 * ramp(6.0 - n.ribbon, 0.0, 3.0)


def _pool(n: Nodes) -> Column:
    t = n.t
    away = np.abs((t.hue - 225.0 + 180.0) % 360.0 - 180.0)
    cyan = ramp(52.0 - away, 0.0, 18.0) * ramp(t.chroma, 9.0, 20.0) * ramp(t.lightness, 32.0, 48.0)
    return (
        cyan * n.area(10, 1600) * n.share(2e-5, 0.06) * ramp(t.solidity, 0.6, 0.85) * n.distinct
        * ramp(4.5 - t.texture, 0.0, 2.5) * ramp(4.5 - n.aspect, 0.0, 1.5) * ramp(11.0 - t.spread, 0.0, 5.0) ** 0.5
    )  # fmt: skip


def _soil(n: Nodes) -> Column:
    t = n.t
    return n.earth * n.area(60, 1e8) * n.share(0.002, 0.7) * ramp(6.0 - t.texture, 0.0, 3.0) * (0.5 + 0.5 * n.distinct)


def _pitch(n: Nodes, area: tuple[float, float], aspect: tuple[float, float]) -> Column:
    t = n.t
    return (
        n.area(*area, soft=1.35) * near_range(n.aspect, *aspect, soft=1.25) * ramp(t.rectangularity, 0.62, 0.85)
        * ramp(t.solidity, 0.75, 0.93) * n.distinct * ramp(4.5 - t.texture, 0.0, 2.5)
        * ramp(13.0 - t.spread, 0.0, 6.0) ** 0.5 * n.inside_tile
    )  # fmt: skip


def _court(n: Nodes) -> Column:
    t = n.t
    color = 0.35 + 0.65 * ramp(t.chroma, 6.0, 15.0)
    size = n.share(0.0008, 0.12)
    return _pitch(n, (180, 900), (1.25, 2.6)) * color * ramp(55.0 - n.t.contrast, 0.0, 20.0) * size


def _soccer_field(n: Nodes) -> Column:
    t = n.t
    turf = np.maximum(ramp(t.green, 0.3, 0.7), 0.7 * n.earth)
    return _pitch(n, (1500, 12000), (1.2, 2.3)) * turf * n.share(0.01, 0.6)


def _tank(n: Nodes) -> Column:
    t = n.t
    return (
        ramp(t.roundness, 0.36, 0.62) * ramp(t.solidity, 0.78, 0.92) * n.metres(np.sqrt(t.length * t.width), 3.5, 90.0)
        * n.share(2e-5, 0.15) * n.distinct * n.not_green * n.not_dark * n.not_water * ramp(25.0 - t.chroma, 0.0, 12.0)
        * ramp(t.lightness, 35.0, 55.0) * n.inside_tile * ramp(1.45 - n.aspect, 0.0, 0.2)
    )  # fmt: skip


def _ship(n: Nodes) -> Column:
    t = n.t
    return (
        ramp(t.out_water, 0.12, 0.5) * near_range(n.aspect, 1.9, 8.0) * n.length(4.0, 400.0)
        * ramp(t.solidity, 0.65, 0.88) * n.distinct * n.not_water * n.not_green
        * ramp(t.contrast, 10.0, 25.0) * n.inside_tile * n.share(1e-6, 0.1)
    )  # fmt: skip


def _container(n: Nodes) -> Column:
    t = n.t
    return (
        n.length(5.0, 14.0, soft=1.3) * n.width(2.0, 3.4, soft=1.35) * ramp(t.rectangularity, 0.6, 0.82) * n.distinct
        * n.not_green * (0.5 + 0.5 * ramp(t.chroma, 6.0, 20.0))
    )  # fmt: skip


def _parking(n: Nodes) -> Column:
    t = n.t
    return (
        ramp(t.paved, 0.35, 0.7) * n.area(250, 60000) * n.share(0.004, 0.5) * ramp(t.solidity, 0.5, 0.8)
        * n.bulky * (0.5 + 0.5 * ramp(t.spread, 2.0, 8.0)) * (0.4 + 0.6 * n.distinct) * n.not_green
    )  # fmt: skip


def _apron(n: Nodes) -> Column:
    t = n.t
    paved = np.maximum(ramp(t.paved, 0.3, 0.7), ramp(t.lightness, 75.0, 90.0) * ramp(16.0 - t.chroma, 0.0, 8.0))
    return (
        paved
        * n.area(2000, 1e6)
        * n.share(0.01, 0.6)
        * ramp(t.solidity, 0.5, 0.8)
        * (0.4 + 0.6 * n.distinct)
        * n.not_green
    )


def _bridge(n: Nodes) -> Column:
    t = n.t
    across = ramp(t.out_water, 0.2, 0.55)
    return (
        across * ramp(n.aspect, 1.8, 4.0) * n.metres(n.ribbon_width, 2.0, 45.0) * n.length(8.0, 3000.0) * n.not_water
        * n.not_green * n.not_dark * ramp(t.solidity, 0.55, 0.85) * n.distinct * ramp(0.97 - t.out_water, 0.0, 0.12)
    )  # fmt: skip


def _airplane(n: Nodes) -> Column:
    return n.fitted("airplane")


def _runway(n: Nodes) -> Column:
    t = n.t
    return (
        ramp(n.aspect, 4.0, 9.0) * n.metres(t.width, 14.0, 90.0) * n.length(300, 1e5)
        * ramp(t.rectangularity, 0.45, 0.75) * n.not_green * n.not_water * (0.5 + 0.5 * n.distinct)
    )  # fmt: skip


def _roundabout(n: Nodes) -> Column:
    t = n.t
    return ramp(t.roundness, 0.5, 0.75) * n.metres(t.length, 8.0, 90.0) * ramp(t.out_paved, 0.4, 0.8) * n.distinct


def _solar_panel(n: Nodes) -> Column:
    t = n.t
    blue = ramp(70.0 - np.abs((t.hue - 270.0 + 180.0) % 360.0 - 180.0), 0.0, 25.0) * ramp(t.chroma, 2.0, 8.0)
    return (
        (0.3 + 0.7 * blue) * ramp(48.0 - t.lightness, 0.0, 14.0) * n.area(2, 3000) * ramp(t.rectangularity, 0.6, 0.82)
        * n.distinct * n.not_green * n.not_water
    )  # fmt: skip


def _shadow(n: Nodes) -> Column:
    return ramp(n.t.dark, 0.5, 0.85) * n.area(4, 1e5) * (0.5 + 0.5 * n.distinct)


def _pier(n: Nodes) -> Column:
    return _bridge(n)


def _thing(n: Nodes) -> Column:
    """Any distinct, compact region: what is left when a word names nothing that the rules know."""
    # A clear border around a filled outline makes a thing, too: the curves know rather what real things look like.
    outlined = ramp(n.t.closure, 0.3, 0.6) * n.compact
    return np.maximum(n.distinct, outlined) * (0.4 + 0.6 * n.compact) * n.share(2e-5, 0.35)


#: Classes whose curves were fitted on real labels: the curves alone decide.
_FITTED: dict[str, Callable[[Nodes], Column]] = {
    "building": _building, "car": _car, "vehicle": _any_vehicle, "bus": _bus, "truck": _truck, "tree": _tree,
    "airplane": _airplane,
}  # fmt: skip

#: Products of graded tests; those that also have curves, fitted on generated scenes only, must pass both.
_TESTS: dict[str, Callable[[Nodes], Column]] = {
    "road": _road, "forest": _forest, "grass": _grass, "vegetation": _vegetation, "field": _field, "water": _water,
    "pool": _pool, "soil": _soil, "court": _court, "soccer field": _soccer_field,
    "tank": _tank, "ship": _ship, "container": _container, "parking lot": _parking, "apron": _apron, "bridge": _bridge,
    "runway": _runway, "roundabout": _roundabout, "solar panel": _solar_panel, "shadow": _shadow, "pier": _pier,
    "thing": _thing,
}  # fmt: skip

#: Classes that are others of a certain form.
_FORMS: dict[str, tuple[str, Callable[[Nodes], Column]]] = {"river": ("water", _river), "lake": ("water", _lake)}

#: Classes that the rules do not tell from another.
RULES_OF = {"tennis court": "court", "basketball court": "court", "track": "soccer field"}

CLASSES = (*_FITTED, *_TESTS, *_FORMS, *RULES_OF)


def degree(name: str, nodes: Nodes) -> Column:
    """How well each node fits a class, (node,) in [0, 1].

    A product of eight tests is small even where each is nearly met: its cube root is taken, so that a clear case is
    near 1 and a doubtful one near 0.3.
    """
    if name not in nodes.known_degrees:
        found = _degree(name, nodes)
        if name in THINGS and not nodes.is_part:
            found = found * (1.0 - CUT_DOUBT * ramp(nodes.t.edge_share, 0.05, 0.3))
        nodes.known_degrees[name] = found
    return nodes.known_degrees[name]


def _degree(name: str, nodes: Nodes) -> Column:
    if name in EITHER:
        return np.asarray(np.maximum.reduce([degree(each, nodes) for each in EITHER[name]]))
    if name in _FORMS:
        whole, form = _FORMS[name]
        return np.asarray(degree(whole, nodes) * np.cbrt(form(nodes)))
    ruled = by_rules(name, nodes)
    if name not in SEEN_AS:
        return ruled
    found = weighed(name, nodes, ruled)
    if name not in verdicts():
        return found
    worth = VERDICT_WORTH_OF.get(name, 1.0)
    return worth * nodes.judged(name, found, ruled) + (1.0 - worth) * found


def weighed(name: str, nodes: Nodes, ruled: Column) -> Column:
    """What the rules and the network say of a class, weighed by hand: it tells which nodes are worth a verdict."""
    names = SEEN_AS[name]
    seen, worth = nodes.witness.seen(names), SEEN_WORTH_OF.get(name, SEEN_WORTH)
    if name in CONFUSED:
        seen = 0.5 * (seen + nodes.witness.seen(CONFUSED[name]))
    found = worth * seen + (1.0 - worth) * ruled
    return found * ramp(seen, 0.0, SEEN_AT_LEAST) if name in TRUSTED else found


def by_rules(name: str, nodes: Nodes) -> Column:
    """What the rules and the trees fitted without the network say of a class."""
    name = RULES_OF.get(name, name)
    if name in _FITTED:
        return _FITTED[name](nodes)
    tested = np.cbrt(np.clip(_TESTS[name](nodes), 0.0, 1.0))
    if name in additive_scores():
        # The fit knows generated scenes best: a real one may pass by the tests alone, if clearly.
        return np.maximum(nodes.fitted(name), BY_TESTS * tested**2)
    return np.asarray(tested)
