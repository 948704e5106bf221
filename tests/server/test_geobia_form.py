"""Surfaces that nothing is recognised as: with a colour, form is evidence enough."""

from __future__ import annotations

import numpy as np
import pytest
from affine import Affine
from rasterio.crs import CRS

from inference_server.expression import Attribute, Phrase
from inference_server.models.base import ScenePart
from inference_server.models.geobia.engine import GeobiaEngine
from inference_server.models.geobia.form import WORTH, by_form
from inference_server.raster import RasterTile

SIDE = 200
PLOT = (slice(60, 130), slice(70, 150))


def quiet(stage: str, done: int, total: int) -> None:
    """No progress wanted."""


@pytest.fixture(scope="module")
def tile() -> RasterTile:
    """An orange plot among gray."""
    rgb = np.random.default_rng(0).normal(110, 6, (3, SIDE, SIDE))
    rgb[(slice(None), *PLOT)] += np.array([110, 10, -75])[:, None, None]
    affine = Affine(0.3, 0, 5e5, 0, -0.3, 5e6)
    return RasterTile(rgb.clip(0, 255).astype(np.uint8), np.ones((SIDE, SIDE), bool), affine, CRS.from_epsg(32633))


def orange(noun: str) -> Phrase:
    return Phrase(f"orange {noun}", noun, (Attribute("color", "orange", "orange"),))


def test_a_field_of_the_colour_is_found_by_its_form_and_the_answer_says_so(tile: RasterTile) -> None:
    engine = GeobiaEngine()
    encoding = engine.encode(tile, quiet)
    assert not engine.find(encoding, Phrase("field", "field"), quiet).items
    found = engine.find(encoding, orange("field"), quiet)
    assert any("form and colour" in note for note in found.notes)
    best = found.items[0].mask
    assert best is not None
    mask, plot = best.full((SIDE, SIDE)), np.zeros((SIDE, SIDE), bool)
    plot[PLOT] = True
    assert (mask & plot).sum() / (mask | plot).sum() > 0.8
    green = engine.find(encoding, Phrase("green field", "field", (Attribute("color", "green", "green"),)), quiet)
    assert not green.items
    assert not any("form and colour" in note for note in green.notes)


def test_things_and_parts_of_a_scene_are_not_found_by_form(tile: RasterTile) -> None:
    engine = GeobiaEngine()
    encoding = engine.encode(tile, quiet)
    assert by_form("storage tank", encoding.nodes) is None
    field = by_form("field", encoding.nodes)
    assert field is not None
    assert 0 <= field.min() <= field.max() <= WORTH
    part = engine.encode(tile, quiet, ScenePart(None, 0, 0, SIDE * SIDE))
    assert not engine.find(part, orange("field"), quiet).items
