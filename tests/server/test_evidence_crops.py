"""Crops for the evidence network: roofs and vehicles in other colours, at the scales that a picture can be shown at."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is for training only: pip install torch")

from inference_server.models.evidence.classes import bits_of
from inference_server.training import evidence_crops
from inference_server.training.evidence_crops import Crops, _paste, _reground, _repaint


def test_a_roof_gets_another_colour_and_keeps_its_light_and_shadow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence_crops, "REPAINT_EACH", 1.0)
    rgb = np.full((3, 60, 60), 90, np.uint8)
    rgb[:, 10:30, 10:50], rgb[:, 30:50, 10:50] = 180, 120
    on = np.zeros((60, 60), np.uint32)
    on[10:50, 10:50] = bits_of(["building"])
    before = rgb.copy()
    colors = []
    for seed in range(4):
        rgb = before.copy()
        _repaint(rgb, on, np.random.default_rng(seed))
        np.testing.assert_array_equal(rgb[:, on == 0], before[:, on == 0])
        lit, shaded = rgb[:, 20, 30].astype(float), rgb[:, 40, 30].astype(float)
        assert lit.sum() > 1.2 * shaded.sum()
        colors.append(tuple(lit))
    assert len(set(colors)) == 4


def test_ground_is_not_painted() -> None:
    rgb = np.random.default_rng(0).integers(0, 255, (3, 40, 40)).astype(np.uint8)
    before = rgb.copy()
    _repaint(rgb, np.full((40, 40), bits_of(["road"]), np.uint32), np.random.default_rng(0))
    np.testing.assert_array_equal(rgb, before)


def test_a_road_gets_another_colour_and_what_stands_on_it_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence_crops, "REGROUND_EACH", 1.0)
    before = np.random.default_rng(0).integers(80, 100, (3, 60, 60)).astype(np.uint8)
    on = np.zeros((60, 60), np.uint32)
    on[20:40] = bits_of(["road"])
    on[25:30, 10:20] |= np.uint32(bits_of(["car"]))
    is_road = on == bits_of(["road"])
    tones = []
    for seed in range(4):
        rgb = before.copy()
        _reground(rgb, on, np.random.default_rng(seed))
        np.testing.assert_array_equal(rgb[:, ~is_road], before[:, ~is_road])
        inner = rgb[:, 33:37].astype(float)
        tones.append(float(inner.mean()))
        assert np.corrcoef(inner.mean(axis=0).ravel(), before[:, 33:37].mean(axis=0).ravel())[0, 1] > 0.9
    assert np.ptp(tones) > 40


def test_a_roof_of_one_picture_stands_on_the_ground_of_another() -> None:
    core = np.uint32(bits_of(["core"]))
    donor_on = np.full((60, 60), bits_of(["road"]), np.uint32)
    donor_on[20:40, 20:40] = bits_of(["building", "car"])
    donor_unknown = np.full((60, 60), core, np.uint32)
    rgb, on = np.full((3, 60, 60), 60, np.uint8), np.full((60, 60), bits_of(["grass"]), np.uint32)
    unknown = np.full((60, 60), bits_of(["field"]), np.uint32)
    donor = (np.full((3, 60, 60), 200, np.uint8), donor_on, donor_unknown, 0.3)
    _paste(rgb, on, unknown, donor, ("building",), np.random.default_rng(0))
    is_roof = donor_on == bits_of(["building", "car"])
    assert (on[is_roof] == bits_of(["building"])).all()
    assert (unknown[is_roof] == core).all()
    assert (on[~is_roof] == bits_of(["grass"])).all()
    assert (unknown[~is_roof] == bits_of(["field"])).all()
    assert (rgb[0, 30, 30], rgb[0, 5, 5]) == (200, 60)


@pytest.mark.parametrize(("gsd", "finest", "coarsest"), [(0.3, 0.15, 0.75), (1.0, 0.5, 1.0), (2.0, 1.0, 2.0)])
def test_a_coarse_picture_is_shown_as_it_is_and_enlarged_no_more_than_twice(tmp_path, gsd, finest, coarsest) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "planes_one.npz"
    blank = np.zeros((600, 600), np.uint32)
    np.savez(path, rgb=np.zeros((3, 600, 600), np.uint8), on=blank, unknown=blank, gsd_m=gsd, source="planes")
    crops, rng = Crops([path], 0, crop_px=128), np.random.default_rng(0)
    shown = [crops._crop(path, rng, None)[3] for _ in range(60)]
    assert finest * 0.99 <= min(shown) < 1.35 * finest
    assert 0.7 * coarsest < max(shown) <= coarsest * 1.01
