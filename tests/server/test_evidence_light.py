"""The light that the evidence network sees pictures in."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from rasterio.crs import CRS
from rasterio.transform import Affine

from inference_server.models.base import ScenePart, silent
from inference_server.models.evidence.light import (
    LEAST,
    POWER,
    USUAL_SPREAD,
    Light,
    leveled,
)
from inference_server.models.evidence.runtime import Evidence, evidence_of
from inference_server.models.geobia.engine import GeobiaEngine
from inference_server.raster import RasterTile


@pytest.fixture
def picture() -> np.ndarray:
    rng = np.random.default_rng(0)
    gray = rng.normal(120, 45, (1, 64, 64))
    return np.clip(gray + np.array([12.0, 0.0, -12.0])[:, None, None], 0, 255).astype(np.uint8)


def test_light_is_mean_and_deviation_of_brightness(picture: np.ndarray) -> None:
    brightness = picture.mean(axis=0)
    light = Light.of(picture)
    assert light.mean == pytest.approx(brightness.mean())
    assert light.spread == pytest.approx(brightness.std())


def test_what_is_not_valid_has_no_light(picture: np.ndarray) -> None:
    valid = np.ones((64, 64), dtype=bool)
    valid[:, 32:] = False
    dark = np.where(valid, picture, np.uint8(0))
    assert Light.of(dark, valid) == Light.of(np.ascontiguousarray(picture[:, :, :32]))
    assert Light.of(dark, np.zeros((64, 64), dtype=bool)) == Light(0.0, 0.0)


def test_a_survey_tells_it(picture: np.ndarray) -> None:
    light = Light.of(picture)
    assert Light.surveyed({"other": 1.0, **light.told()}) == light


def test_contrast_comes_nearer_to_the_usual_and_brightness_stays(picture: np.ndarray) -> None:
    before = Light.of(picture)
    after = Light.of(leveled(picture, before))
    assert before.spread > 1.2 * USUAL_SPREAD
    assert after.mean == pytest.approx(before.mean, abs=0.5)
    assert after.spread == pytest.approx(before.spread * (USUAL_SPREAD / before.spread) ** POWER, rel=0.02)


def test_colors_stay_as_far_from_gray(picture: np.ndarray) -> None:
    out = leveled(picture, Light.of(picture)).astype(int)
    there = (out.min(axis=0) > 0) & (out.max(axis=0) < 255)
    assert there.mean() > 0.98
    np.testing.assert_array_equal((out[0] - out[2])[there], (picture[0].astype(int) - picture[2])[there])


def test_what_has_no_more_contrast_stays_as_it_is() -> None:
    water = np.random.default_rng(1).integers(60, 64, (3, 32, 32), dtype=np.uint8)
    assert leveled(water, Light.of(water)) is water


def test_black_and_white_keep_half_of_their_contrast() -> None:
    checks = np.where(np.indices((1, 32, 32)).sum(axis=0) % 2, np.uint8(255), np.uint8(0)).repeat(3, axis=0)
    before = Light.of(checks)
    assert Light.of(leveled(checks, before)).spread == pytest.approx(LEAST * before.spread, rel=0.01)


@pytest.mark.parametrize("is_part", [False, True])
def test_the_engine_sees_a_part_in_the_light_of_its_scene(picture: np.ndarray, is_part: bool) -> None:
    seen = []

    def see(rgb: np.ndarray, gsd_m: float | None, **how: Any) -> Evidence:
        seen.append(how["light"])
        return evidence_of(rgb, gsd_m, **how)

    affine, crs, valid = Affine(0.3, 0, 5e5, 0, -0.3, 5e6), CRS.from_epsg(32631), np.ones((64, 64), dtype=bool)
    engine = GeobiaEngine(see)
    scene = RasterTile(picture, valid, affine, crs)
    tile = RasterTile(np.ascontiguousarray(picture[:, :, 32:]), valid[:, 32:], affine, crs)
    part = ScenePart(engine.survey(scene), 32, 0, 64 * 64) if is_part else None
    engine.encode(tile, silent, part)
    assert seen == [Light.of(picture if is_part else tile.rgb)]
    assert Light.of(picture) != Light.of(tile.rgb)


def test_parts_of_a_scene_are_seen_in_one_light(picture: np.ndarray) -> None:
    light = Light.of(picture)
    whole = leveled(picture, light)
    np.testing.assert_array_equal(leveled(np.ascontiguousarray(picture[:, :20]), light), whole[:, :20])
