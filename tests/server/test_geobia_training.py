"""What the verdicts learn from: doubts about the network, and pictures whose land cover was labelled by eye."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from inference_server.evaluation.scenes import generate
from inference_server.models.evidence.runtime import ONE, evidence_of
from inference_server.training import geobia_doubting
from inference_server.training.evidence_surfaces import LABELS
from inference_server.training.geobia_doubting import Doubting
from inference_server.training.geobia_labels import LabelledObject, LabelledTile
from inference_server.training.geobia_surfaces import by_eye


@pytest.fixture(scope="module")
def rgb() -> np.ndarray:
    return generate(3, size_px=(192, 192), gsd_m=0.3, expressions=0).rgb


def test_doubts_flatten_what_is_seen_and_stay_probabilities(rgb, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(geobia_doubting, "SURE", 0.0)
    seen = evidence_of(rgb, 0.3)
    doubted = Doubting(np.random.default_rng(0))(rgb, 0.3)
    assert doubted.parts.shape == seen.parts.shape
    assert doubted.scale == seen.scale
    assert doubted.parts[:21].sum(axis=0, dtype=np.int64).max() <= 1.01 * ONE
    assert doubted.parts[:21].max(axis=0).mean() < seen.parts[:21].max(axis=0).mean()
    np.testing.assert_array_equal(doubted.of("core"), seen.of("core"))
    again = Doubting(np.random.default_rng(0))(rgb, 0.3)
    np.testing.assert_array_equal(again.parts, doubted.parts)


def test_now_and_then_there_is_no_doubt(rgb, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(geobia_doubting, "SURE", 1.0)
    np.testing.assert_array_equal(Doubting(np.random.default_rng(0))(rgb, 0.3).parts, evidence_of(rgb, 0.3).parts)


def test_patches_of_a_label_are_objects_and_the_rest_is_unknown(rgb) -> None:  # type: ignore[no-untyped-def]
    labels = np.zeros((192, 192), np.uint8)
    labels[10:30, 20:60] = labels[100:130, 20:60] = LABELS.index("building")
    labels[60:80] = LABELS.index("runway")
    labels[150:154, 0:5] = LABELS.index("tank")
    labels[160:190] = LABELS.index("other")
    box = LabelledObject("airplane", (5, 5, 20, 20), None)
    tile = LabelledTile("planes", "one/two", rgb, np.ones((192, 192), bool), 0.5, (box,))
    made = by_eye(tile, labels)
    assert (made.source, made.name) == ("surfaces", "planes-one-two")
    assert sorted((o.name, o.box, o.area) for o in made.objects) == [
        ("building", (20.0, 10.0, 60.0, 30.0), 800.0),
        ("building", (20.0, 100.0, 60.0, 130.0), 1200.0),
        ("runway", (0.0, 60.0, 192.0, 80.0), 3840.0),
    ]
    assert made.known is not None
    np.testing.assert_array_equal(made.known, labels > 0)


def test_the_verdicts_learn_only_where_something_is_known(rgb) -> None:  # type: ignore[no-untyped-def]
    verdicts = pytest.importorskip("inference_server.training.geobia_verdicts", reason="needs scikit-learn")
    labels = np.zeros((192, 192), np.uint8)
    labels[:, :96] = LABELS.index("grass")
    tile = by_eye(LabelledTile("planes", "half", rgb, np.ones((192, 192), bool), 0.3, ()), labels)
    taken = verdicts.sample(tile)
    whole = verdicts.sample(LabelledTile("planes", "half", rgb, np.ones((192, 192), bool), 0.3, ()))
    assert 0 < taken.weight.sum() < 0.75 * whole.weight.sum()
    assert not taken.iou.any()
    assert "surfaces" in verdicts.recipe_of("road").labelled_in
    assert "surfaces" not in verdicts.recipe_of("car").labelled_in


def test_works_and_sports_grounds_teach_only_what_they_are_drawn_for(rgb, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    verdicts = pytest.importorskip("inference_server.training.geobia_verdicts", reason="needs scikit-learn")
    monkeypatch.setattr(verdicts, "WORTH_A_VERDICT", -1.0)
    tile = LabelledTile("generated", "3", rgb, np.ones((192, 192), bool), 0.3, ())
    scene, site = (verdicts.sample(replace(tile, source=source)) for source in ("generated", verdicts.SITE))
    for name in ("tank", "building"):
        alone, both = (len(verdicts.learnt_from(name, samples)[1]) for samples in ([scene], [scene, site]))
        assert (both > alone > 0) == (name in verdicts.OF_SITES)
    made = verdicts.generated_scene(verdicts.FIRST_SITE)
    assert made.source == verdicts.SITE
    assert {item.name for item in made.objects} & verdicts.OF_SITES
    assert verdicts.generated_scene(verdicts.FIRST_SEED).source == "generated"


def test_a_sample_is_taken_once(rgb, tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    verdicts = pytest.importorskip("inference_server.training.geobia_verdicts", reason="needs scikit-learn")
    tile = LabelledTile("planes", "one/two", rgb, np.ones((192, 192), bool), 0.3, ())
    taken = verdicts.stored_sample(tile, tmp_path / "new")
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["planes_one_two.npz"]
    monkeypatch.setattr(verdicts, "sample", lambda *_, **__: pytest.fail("taken twice"))
    again = verdicts.stored_sample(tile, tmp_path / "new")
    np.testing.assert_array_equal(again.common, taken.common)
    assert again.source == "planes"
