"""Relations among more things than one tile has: each finds the anchors beside it."""

from __future__ import annotations

import numpy as np
import pytest
from shapely.geometry import box

from inference_server import anchoring
from inference_server.expression import parse
from inference_server.relations import Candidate, Found, Frame, resolve

SIDE = 24  # cells along each axis: 576 anchors, more than are looked at together
CELL = 200


def scene():
    """A house in each cell; a car close to the house in two of three cells, far from all houses in the third."""
    houses, cars, near = [], [], set()
    for row in range(SIDE):
        for col in range(SIDE):
            x, y = col * CELL, row * CELL
            score = 0.9 if row < SIDE // 2 else 0.8  # the best ones all lie in one half
            houses.append(Candidate(score, box(x + 20, y + 20, x + 50, y + 50), "house", (row, col, "house")))
            is_near = (row + col) % 3 > 0
            left = x + 55 if is_near else x + 140
            cars.append(Candidate(0.9, box(left, y + 30, left + 8, y + 34), "car", (row, col)))
            if is_near:
                near.add((row, col))
    return houses, cars, near


def found(text):
    houses, cars, near = scene()
    things = {"house": houses, "car": cars}
    frame = Frame(SIDE * CELL, SIDE * CELL, None, 0.5)
    items = resolve(parse(text), lambda phrase: Found(tuple(things[phrase.category])), frame).items
    return {item.candidate.source for item in items}, near


@pytest.mark.parametrize("text", ["the cars next to a house", "the cars within 10 m of a house"])
def test_each_target_finds_the_anchor_beside_it(text):
    answered, near = found(text)
    assert answered == near


def test_parts_cover_all_targets_once_and_keep_together(monkeypatch):
    houses, _, _ = scene()
    shapes = anchoring.Shapes([house.polygon for house in houses])
    parts = anchoring._neighbourhoods(shapes, 64)
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(houses)))
    assert max(map(len, parts)) <= 64
    for part in parts:
        low, high = shapes.centers[part].min(axis=0), shapes.centers[part].max(axis=0)
        assert (high - low).max() <= SIDE * CELL / 2


def test_many_targets_are_graded_as_few_are(monkeypatch):
    before, _ = found("the cars within 10 m of a house")
    monkeypatch.setattr(anchoring, "MAX_ANCHORS", 10_000)
    monkeypatch.setattr(anchoring, "MAX_TARGETS", 50)
    assert found("the cars within 10 m of a house")[0] == before
