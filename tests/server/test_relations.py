"""From candidates to answers: relations, positions, orders, numbers, and honest failures."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import MultiPolygon, Polygon, box

from inference_server.expression import Phrase, parse
from inference_server.placing import DOUBTED, rank_grades
from inference_server.relations import Candidate, Found, Frame, Resolution, resolve

SIZE = 600
FRAME = Frame(SIZE, SIZE, None, 0.5, (0.0, -1.0))


def thing(name: str, x: float, y: float, w: float = 20, h: float = 20, *, score: float = 0.8) -> Candidate:
    """A box around (x, y) under a name."""
    return Candidate(score, box(x - w / 2, y - h / 2, x + w / 2, y + h / 2), name, name)


@dataclass
class World:
    """An engine of things laid out by hand; colours are told as "red car"."""

    things: dict[str, list[Candidate]]
    asked: list[Phrase] = field(default_factory=list)

    def find(self, phrase: Phrase) -> Found:
        self.asked.append(phrase)
        colors = [a for a in phrase.attributes if a.kind == "color"]
        kinds = [
            kind
            for kind in self.things
            if kind.split()[-1] == phrase.category.split()[-1]
            and all((a.value in kind.split()) != a.negated for a in colors)
        ]
        found = tuple(c for kind in kinds for c in self.things[kind])
        return Found(found, "" if found else f"Found no {phrase.text}.", "attribute" if colors else "target")

    def ask(self, text: str, frame: Frame = FRAME) -> Resolution:
        return resolve(parse(text), self.find, frame)

    def names(self, text: str, frame: Frame = FRAME) -> list[str]:
        return [item.candidate.label for item in self.ask(text, frame).items]


@pytest.fixture
def town() -> World:
    """A road down the middle, a river across the bottom, houses, cars, a bus, trees around a pool."""
    trees = [thing(f"tree{i}", 500 + 38 * np.cos(a), 150 + 38 * np.sin(a), 22, 22) for i, a in enumerate(range(8))]
    return World(
        {
            "road": [thing("road", 300, 250, 24, 500)],
            "river": [thing("river", 300, 540, 600, 40)],
            "red house": [thing("house-nw", 220, 100, 44, 40), thing("house-ne", 380, 110, 40, 44)],
            "white house": [thing("house-sw", 210, 420, 60, 50)],
            "pool": [thing("pool", 500, 150, 24, 20)],
            "tree": trees,
            "red car": [thing("car-on", 300, 330, 8, 16)],
            "white car": [thing("car-west", 262, 180, 8, 16), thing("car-far", 80, 300, 16, 8)],
            "blue car": [thing("car-bus", 340, 300, 8, 16)],
            "bus": [thing("bus", 356, 300, 10, 36, score=0.7)],
            "bridge": [thing("bridge", 300, 540, 26, 70)],
        }
    )


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("the car next to the bus", ["car-bus"]),
        ("the car left of the bus", ["car-bus"]),
        ("the car on the road", ["car-on"]),
        ("the house left of the road at the top", ["house-nw"]),
        ("the house right of the road", ["house-ne"]),
        ("the house east of the road", ["house-ne"]),
        ("the white car left of the road near the red house", ["car-west"]),
        ("the largest house", ["house-sw"]),
        ("the smallest house left of the road", ["house-nw"]),
        ("the house closest to the river", ["house-sw"]),
        ("the house farthest from the river", ["house-nw"]),
        ("the second car from the left", ["car-west"]),
        ("the last car from the left", ["car-bus"]),
        ("the third car from the right", ["car-west"]),
        ("the rightmost car", ["car-bus"]),
        ("the northernmost house", ["house-nw"]),
        ("the house in the lower left", ["house-sw"]),
        ("the car at the left edge", []),
        ("the house in the upper right", ["house-ne"]),
        ("the left red house", ["house-nw"]),
        ("the pool surrounded by trees", ["pool"]),
        ("the car between the road and the bus", ["car-bus"]),
        ("the road between the two red houses", ["road"]),
        ("the bridge over the river", ["bridge"]),
        ("the house that is not red", ["house-sw"]),
        ("the car that is not near the road", ["car-far"]),
        ("the white house left of the bus", ["house-sw"]),
        ("the car within 5 m of the bus", ["car-bus"]),
        ("the house larger than 700 m2", ["house-sw"]),
        ("the car next to the bus that is right of the road", ["car-bus"]),
        ("the tree closest to the road", ["tree3"]),
    ],
)
def test_one(town: World, text: str, answer: list[str]) -> None:
    assert town.names(text) == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("all cars", {"car-on", "car-west", "car-far", "car-bus"}),
        ("all cars except the red one", {"car-west", "car-far", "car-bus"}),
        ("cars not on the road", {"car-west", "car-far", "car-bus"}),
        ("red houses", {"house-nw", "house-ne"}),
        ("the two houses closest to the pool", {"house-ne", "house-nw"}),
        ("trees around the pool", {f"tree{i}" for i in range(8)}),
        ("houses on the left", {"house-nw", "house-sw"}),
        ("the pool and the bridge", {"pool", "bridge"}),
        ("houses without a pool", {"house-nw", "house-ne", "house-sw"}),
        ("the red house and the white house", {"house-nw", "house-sw"}),
    ],
)
def test_many(town: World, text: str, answer: set[str]) -> None:
    assert set(town.names(text)) == answer


@pytest.mark.parametrize(
    ("text", "part", "words"),
    [
        ("the ship", "target", ""),
        ("the green car", "attribute", ""),
        ("the car next to the ship", "anchor", "ship"),
        ("the car next to the green bus", "anchor", "green bus"),
        ("the car closest to the ship", "anchor", "ship"),
        ("the house between the road and the ship", "anchor", "ship"),
        ("the bus left of the road", "relation", "left of the road"),
        ("the pool next to the river", "relation", "next to the river"),
        ("the pool on the road", "relation", "on the road"),
        ("the pool in the lower left", "position", "in the lower left"),
        ("the bus at the bottom edge", "position", "at the bottom edge"),
        ("the ninth car from the left", "order", "ninth"),
        ("the car next to the bus left of the road", "anchor", "left of the road"),
        ("the pool without trees", "relation", "without trees"),
    ],
)
def test_failure_names_the_part(town: World, text: str, part: str, words: str) -> None:
    answer = town.ask(text)
    assert answer.items == ()
    assert answer.failure is not None
    assert answer.failure.part == part
    assert words in answer.failure.phrase
    assert answer.failure.message.endswith(".")


def test_message_counts_what_was_found(town: World) -> None:
    failure = town.ask("the red house next to the bridge").failure
    assert failure is not None
    assert failure.message == "Found 2 red houses and 1 bridge, but no house next to the bridge."


def test_nothing_to_look_for(town: World) -> None:
    failure = town.ask("?!").failure
    assert failure is not None
    assert failure.part == "expression"


def test_one_of_two_targets_missing_is_a_note(town: World) -> None:
    answer = town.ask("the pool and the ship")
    assert [item.candidate.label for item in answer.items] == ["pool"]
    assert answer.failure is None
    assert any("ship" in note for note in answer.notes)


def test_anchors_are_returned_chain_and_all(town: World) -> None:
    answer = town.ask("the blue car next to the bus right of the road")
    assert {anchor.label for anchor in answer.anchors} == {"bus", "road"}
    assert town.ask("all cars").anchors == ()


def test_engine_is_asked_for_words_only(town: World) -> None:
    town.ask("the second red car from the left next to the bus in the upper left")
    assert [phrase.text for phrase in town.asked] == ["red car", "bus"]
    for phrase in town.asked:
        assert not (phrase.orders)
        assert not (phrase.positions)
        assert not (phrase.relations)
        assert not (phrase.measures)


def test_near_ties_are_told(town: World) -> None:
    assert any("about as well" in note for note in town.ask("the red house").notes)
    assert any("found 4" in note for note in town.ask("seven cars").notes)


def test_metres_need_a_georeferenced_tile(town: World) -> None:
    frame = Frame(SIZE, SIZE, None, None, (0.0, -1.0))
    for text in ("the car within 5 m of the bus", "the house larger than 700 m2"):
        failure = town.ask(text, frame).failure
        assert failure is not None
        assert "georeferenced" in failure.message


def test_north_follows_the_map_and_left_the_screen(town: World) -> None:
    turned = Frame(SIZE, SIZE, None, 0.5, (1.0, 0.0))  # north is to the right
    assert town.names("the house north of the road", turned) == ["house-ne"]
    assert town.names("the house right of the road", turned) == ["house-ne"]
    assert town.names("the northernmost house", turned) == ["house-ne"]
    assert town.names("the house in the north", turned) == ["house-ne"]


def test_junk_is_not_the_largest() -> None:
    houses = [thing(f"h{i}", 60 + 60 * i, 100, 30 + 3 * i, 30) for i in range(8)]
    junk = thing("junk", 300, 400, 400, 200, score=0.35)
    world = World({"house": [*houses, junk]})
    assert world.names("the largest house") == ["h7"]
    assert world.names("the second largest house") == ["h6"]
    assert world.names("the smallest house") == ["h0"]
    assert world.names("the two largest houses") == ["h7", "h6"]


def test_junk_does_not_count_among_the_first() -> None:
    cars = [thing(f"c{i}", 100 + 80 * i, 100) for i in range(5)]
    world = World({"car": [thing("junk", 20, 300, score=0.3), *cars]})
    assert world.names("the second car from the left") == ["c1"]
    assert world.names("the last car from the left") == ["c4"]
    assert world.names("the second to last car from the left") == ["c3"]


def test_a_lower_but_fair_score_still_wins_its_order() -> None:
    houses = [thing("small", 100, 100, 30, 30, score=0.9), thing("large", 300, 100, 60, 60, score=0.7)]
    assert World({"house": houses}).names("the largest house") == ["large"]


def test_size_words_are_relative() -> None:
    tanks = [thing(f"t{i}", 50 + 60 * i, 100, size, size) for i, size in enumerate((12, 13, 12, 40, 14, 38))]
    world = World({"tank": tanks})
    assert set(world.names("large tanks")) >= {"t3", "t5"}
    assert "t0" not in world.names("large tanks")
    assert "t3" not in world.names("small tanks")
    assert world.names("the large tank") == ["t3"]
    assert World({"tank": tanks[:1]}).names("the large tank") == ["t0"]


def test_a_thing_is_no_anchor_of_itself() -> None:
    cars = [thing("a", 100, 100), thing("b", 128, 100), thing("alone", 400, 400)]
    world = World({"car": cars})
    assert set(world.names("cars next to a car")) == {"a", "b"}
    assert set(world.names("the two cars closest to each other")) == {"a", "b"}
    assert world.names("the car that is not near another car") == ["alone"]
    lorry = World({"car": [*cars, thing("lorry", 300, 300)], "lorry": [thing("lorry", 300, 300)]})
    assert "lorry" not in lorry.names("cars not near the lorry")


def test_counted_anchors_are_all_needed() -> None:
    courts = [
        thing("court-1", 100, 100, 40, 20),
        thing("court-2", 100, 170, 40, 20),
        thing("court-3", 400, 400, 40, 20),
    ]
    fields = [thing("between", 100, 135, 40, 40), thing("single", 400, 440, 40, 40)]
    world = World({"court": courts, "field": fields})
    assert world.names("the field next to two courts") == ["between"]
    assert world.ask("the field next to four courts").failure is not None


def test_road_in_pieces_is_one_road() -> None:
    pieces = MultiPolygon([box(90, 0, 110, 190), box(90, 210, 110, 400)])
    road = [Candidate(0.8, pieces, "road", "road")]
    world = World({"road": road, "car": [thing("on", 100, 200, 8, 16), thing("off", 160, 200, 8, 16)]})
    assert world.names("the car on the road") == ["on"]
    halves = [Candidate(0.8, part, f"r{i}", f"r{i}") for i, part in enumerate(pieces.geoms)]
    world = World({"road": halves, "car": [thing("on", 100, 200, 8, 18), thing("off", 160, 200, 8, 16)]})
    assert world.names("the car on the road") == ["on"]


def test_a_relation_to_what_is_often_overlooked_is_passed_over_and_told() -> None:
    def find(phrase: Phrase) -> Found:
        if phrase.category == "car":
            return Found((thing("a", 100, 100), thing("b", 300, 300)))
        part = "overlooked" if phrase.category == "road" else "target"
        return Found((), f"No {phrase.category} is seen.", part)

    seen = resolve(parse("the cars on the road"), find, FRAME)
    assert [item.candidate.label for item in seen.items] == ["a", "b"]
    assert seen.notes == ("No road is seen. “on the road” was passed over.",)
    alone = resolve(parse("the cars"), find, FRAME)
    assert all(one.score < other.score for one, other in zip(seen.items, alone.items, strict=True))
    for words in ("the cars on the bridge", "the cars between the road and the bridge", "the car closest to the road"):
        assert not resolve(parse(words), find, FRAME).items, words
    assert resolve(parse("the cars not on the road"), find, FRAME).items


def test_relative_position_among_its_like() -> None:
    tanks = [thing("left", 400, 300), thing("right", 520, 300)]
    world = World({"tank": tanks})
    assert world.names("the left tank") == ["left"]
    assert world.names("the right tank") == ["right"]
    assert world.ask("the tank on the left side of the image").failure is not None


def test_among_likely_ones_the_place_decides() -> None:
    likelier = Candidate(0.9, box(150, SIZE - 100, 190, SIZE - 60), "likelier", "likelier")
    farther = Candidate(0.72, box(20, SIZE - 60, 60, SIZE - 20), "farther", "farther")
    doubtful = Candidate(0.3, box(0, SIZE - 30, 30, SIZE), "doubtful", "doubtful")
    world = World({"roof": [likelier, farther, doubtful]})
    assert world.names("the roof") == ["likelier"]
    assert world.names("the roof at the bottom left") == ["farther"]
    found = world.ask("the roof at the bottom left").items[0]
    assert found.score < 0.72, "the choice is the place's, the score is still the engine's"


def test_a_named_corner_is_nearer_than_its_quarter() -> None:
    """Where both lie in the upper right, a surer one that keeps away from the edges is not in the corner."""
    inner = Candidate(0.9, box(SIZE - 150, 90, SIZE - 110, 130), "inner", "inner")
    outer = Candidate(0.5, box(SIZE - 50, 20, SIZE - 10, 60), "outer", "outer")
    world = World({"roof": [inner, outer]})
    assert world.names("the roof at the top right") == ["inner"]
    assert world.names("the roof in the top right corner") == ["outer"]
    assert world.names("the roof in the bottom left corner") == []


def test_brightness_and_color_orders() -> None:
    roofs = [
        Candidate(0.8, box(i * 50, 0, i * 50 + 30, 30), f"r{i}", f"r{i}", b) for i, b in enumerate((0.4, 0.9, 0.1))
    ]
    world = World({"roof": roofs})
    assert world.names("the brightest roof") == ["r1"]
    assert world.names("the darkest roof") == ["r2"]
    assert world.names("the roof darker than the brightest roof")[0] in ("r0", "r2")


def test_unknown_brightness_is_a_note() -> None:
    world = World({"roof": [thing("a", 100, 100), thing("b", 200, 100)]})
    answer = world.ask("the brightest roof")
    assert len(answer.items) == 1
    assert any("could not be told" in note for note in answer.notes)


def test_height_is_told_to_be_unknown(town: World) -> None:
    assert any("Height" in note for note in town.ask("the tallest house").notes)


def test_broken_shapes_do_no_harm() -> None:
    bow_tie = Polygon([(0, 0), (40, 40), (40, 0), (0, 40)])
    cars = [Candidate(0.8, bow_tie, "tie", "tie"), Candidate(0.8, Polygon(), "empty", "empty")]
    world = World({"car": cars, "bus": [thing("bus", 60, 20)]})
    assert world.names("the car next to the bus") == ["tie"]


def test_missing_anchor_of_a_negation_holds(town: World) -> None:
    assert town.names("the pool without a ship") == ["pool"]


scores = st.floats(0.05, 1.0)


@given(st.lists(st.tuples(st.floats(20, 580), st.floats(20, 580), scores), min_size=1, max_size=12))
@settings(max_examples=60)
def test_scores_stay_in_range_and_fall(places: list[tuple[float, float, float]]) -> None:
    cars = [thing(f"c{i}", x, y, score=s) for i, (x, y, s) in enumerate(places)]
    world = World({"car": cars, "bus": [thing("bus", 300, 300, 40, 15)]})
    for text in ("cars near the bus", "the large cars on the left", "the second largest car", "cars between the cars"):
        items = world.ask(text).items
        assert all(0.0 <= item.score <= 1.0 for item in items)
        assert all(a.score >= b.score for a, b in zip(items, items[1:], strict=False))


@given(scores, scores)
@settings(max_examples=60)
def test_score_grows_with_the_engines(low: float, high: float) -> None:
    low, high = sorted((low, high))

    def score(value: float) -> float:
        world = World({"car": [thing("car", 270, 300, score=value)], "bus": [thing("bus", 310, 300, 40, 15)]})
        return world.ask("the car left of the bus in the middle").items[0].score

    assert score(low) <= score(high) + 1e-12


def test_rank_grades_are_probabilities() -> None:
    values, real = np.arange(6.0), np.full(6, 0.8)
    first = rank_grades(values, 0.01, real, 1)
    assert first.argmax() == 0
    assert first[0] == pytest.approx(0.98)
    exact = [rank_grades(values, 0.01, real, k).argmax() for k in range(1, 7)]
    assert exact == list(range(6))
    assert rank_grades(values, 0.01, real, -1).argmax() == 5
    assert np.argsort(-rank_grades(values, 0.01, real, 3, upto=True))[:3].tolist() == [0, 1, 2]
    doubted = np.array([DOUBTED * 0.8, *real[1:]])
    assert rank_grades(values, 0.01, doubted, 1).argmax() == 1


def test_many_candidates_are_quick_enough_to_type_by() -> None:
    """Not a timing: 300 candidates and 50 anchors are answered without exhausting memory or recursion."""
    rng = np.random.default_rng(0)
    cars = [thing(f"c{i}", *rng.uniform(20, 580, 2), 8, 8) for i in range(300)]
    trees = [thing(f"t{i}", *rng.uniform(20, 580, 2), 14, 14) for i in range(50)]
    world = World({"car": cars, "tree": trees})
    for text in ("cars next to a tree", "cars between trees", "the seventh car from the left", "cars with two trees"):
        assert world.ask(text).items or world.ask(text).failure
