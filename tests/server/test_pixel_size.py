"""Tests of pixel sizes that are not known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from affine import Affine
from PIL import Image
from rasterio.crs import CRS

from inference_server.evaluation.scene_types import Scene
from inference_server.evaluation.scenes import generate
from inference_server.expression import Phrase
from inference_server.models.base import ScenePart
from inference_server.models.evidence.scale import TRIED_M, guessed_gsd
from inference_server.models.geobia import pixel_size as pixel_size_module
from inference_server.models.geobia.engine import GeobiaEngine
from inference_server.models.geobia.pixel_size import GUESSED, PixelSize, pixel_size
from inference_server.raster import RasterTile


def quiet(stage: str, done: int, total: int) -> None:
    """Progress that nobody listens to."""


@pytest.fixture(scope="module")
def town() -> Scene:
    return generate(12, size_px=(768, 768), gsd_m=0.3, theme="urban", expressions=0)


def placed_nowhere(rgb: np.ndarray) -> RasterTile:
    return RasterTile(rgb, np.ones(rgb.shape[1:], bool), Affine.identity(), None)


@pytest.mark.parametrize("zoom", [0.5, 1.0, 2.0])
def test_the_guess_is_near_whatever_the_size(town: Scene, zoom: float) -> None:
    side = round(768 * zoom)
    picture = Image.fromarray(town.rgb.transpose(1, 2, 0)).resize((side, side), Image.Resampling.BICUBIC)
    guess = guessed_gsd(np.asarray(picture).transpose(2, 0, 1))
    assert guess in TRIED_M
    assert abs(np.log2(guess / (0.3 / zoom))) < 0.8


@pytest.mark.parametrize("shape", [(1, 1), (7, 300), (64, 64)])
def test_of_a_picture_of_nothing_the_usual_size_is_guessed(shape: tuple[int, int]) -> None:
    assert guessed_gsd(np.full((3, *shape), 90, np.uint8)) == pytest.approx(0.3)


def test_sizes_are_tried_within_the_bounds() -> None:
    guess = PixelSize.guessed(0.3)
    assert guess.finest < min(guess.tried) < 0.3 < max(guess.tried) < guess.coarsest
    assert guess.gsd_m == pytest.approx(0.3)
    assert "0.3 m was guessed" in guess.note
    known = PixelSize.known(0.5)
    assert known.is_known
    assert (known.tried, known.gsd_m, known.note) == ((0.5,), 0.5, "")


def test_where_the_user_says_it_nothing_is_guessed(town: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixel_size_module, "guessed_gsd", lambda rgb: pytest.fail("guessed"))
    told = pixel_size(replace(placed_nowhere(town.rgb), told_gsd_m=0.4))
    assert (told.gsd_m, told.is_known, told.note) == (pytest.approx(0.4), True, "")


def test_where_the_georeference_says_it_nothing_is_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixel_size_module, "guessed_gsd", lambda rgb: pytest.fail("guessed"))
    rgb = np.zeros((3, 20, 20), np.uint8)
    placed = RasterTile(rgb, np.ones((20, 20), bool), Affine(0.25, 0, 5e5, 0, -0.25, 5.5e6), CRS.from_epsg(32632))
    assert pixel_size(placed).is_known
    assert pixel_size(placed).gsd_m == pytest.approx(0.25, rel=1e-3)
    assert pixel_size(placed_nowhere(rgb), ScenePart({GUESSED: 0.6}, 0, 0, 400)).gsd_m == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("affine", "is_known"),
    [
        (Affine(0.2, 0, 3_456_789, 0, -0.2, 5_432_100), True),
        (Affine(0, 0.2, 456_789, 0.2, 0, 5_432_100), True),
        (Affine(1, 0, 512, 0, -1, -2048), False),
        (Affine(1e-6, 0, 13.4, 0, -1e-6, 52.5), False),
        (Affine(100, 0, 456_789, 0, -100, 5_432_100), False),
    ],
)
def test_a_world_file_without_a_crs_says_it_where_its_coordinates_can_be_metres(affine: Affine, is_known: bool) -> None:
    tile = RasterTile(np.zeros((3, 20, 20), np.uint8), np.ones((20, 20), bool), affine, None)
    pixel = pixel_size(tile)
    assert pixel.is_known == is_known
    if is_known:
        assert pixel.gsd_m == pytest.approx(0.2)
        assert "taken for metres" in pixel.note


def test_a_scenes_tiles_are_judged_at_the_surveys_guess(town: Scene) -> None:
    engine, sheet = GeobiaEngine(), placed_nowhere(town.rgb)
    survey = engine.survey(sheet)
    assert survey[GUESSED] == pytest.approx(guessed_gsd(town.rgb))
    assert GUESSED not in engine.survey(town.tile)
    corner = placed_nowhere(town.rgb[:, :200, :200].copy())
    encoding = engine.encode(corner, quiet, ScenePart({**survey, GUESSED: 0.42}, 0, 0, 768 * 768))
    assert encoding.nodes.pixel.gsd_m == pytest.approx(0.42)
    found = engine.find(encoding, Phrase("building", "building"), quiet)
    assert any("0.42 m was guessed" in note for note in found.notes)
