"""The evidence network as shipped: shape and place of its answers, blocks that agree, what it sees in a known scene."""

from __future__ import annotations

import json
from unittest.mock import Mock

import numpy as np
import pytest

from inference_server.evaluation.evidence_check import CARD, digest, fixed_set_iou
from inference_server.evaluation.scenes import Scene, generate
from inference_server.models.evidence import runtime
from inference_server.models.evidence.classes import CORE, EDGE, EVIDENCE_CLASSES, OUTPUTS, SURFACES, THINGS, TOPMOST
from inference_server.models.evidence.runtime import MODEL, ONE, evidence_of, planes_of


@pytest.fixture(scope="module")
def scene() -> Scene:
    return generate(2, size_px=(640, 704), gsd_m=0.3, expressions=0)


def test_classes_are_things_or_surfaces() -> None:
    assert set(THINGS) | set(SURFACES) == set(EVIDENCE_CLASSES)
    assert not set(THINGS) & set(SURFACES)
    assert set(TOPMOST) == set(EVIDENCE_CLASSES)
    assert OUTPUTS[-2:] == (CORE, EDGE)
    assert len(OUTPUTS) < 32, "label maps hold a bit for each"


def test_the_model_is_small_enough_to_ship() -> None:
    assert MODEL.stat().st_size < 20e6


def test_the_model_is_the_one_on_its_card_and_does_as_well() -> None:
    card = json.loads(CARD.read_text(encoding="utf-8"))
    assert digest() == card["sha256"]
    found = fixed_set_iou()
    assert set(found) == set(card["iou_on_fixed_scenes"])
    # Sums of 8-bit products are exact; the scenes' pixels may differ by a grey level between machines.
    for name, iou in card["iou_on_fixed_scenes"].items():
        assert found[name] == pytest.approx(iou, abs=0.03), name


@pytest.mark.parametrize("shape", [(64, 64), (33, 50), (1, 1), (300, 211)])
def test_any_size_is_answered_at_half_resolution(shape: tuple[int, int]) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (3, *shape), dtype=np.uint8)
    evidence = evidence_of(rgb, None)
    rows, cols = evidence.parts.shape[1:]
    assert evidence.parts.shape == (len(OUTPUTS), -(-shape[0] // 2), -(-shape[1] // 2))
    row, col = evidence.at(np.array([0, shape[0] - 1]), np.array([0, shape[1] - 1]))
    assert (row.tolist(), col.tolist()) == ([0, rows - 1], [0, cols - 1])


def test_a_finer_tile_is_brought_to_the_pixel_size_it_needs() -> None:
    rgb = np.full((3, 400, 300), 90, np.uint8)
    evidence = evidence_of(rgb, 0.1)
    assert evidence.parts.shape[1:] == (67, 50)
    assert evidence.scale == pytest.approx((6.0, 6.0), rel=0.01)


def test_the_network_reads_the_pixel_size_where_it_is_known() -> None:
    rgb = np.full((3, 4, 4), 118, np.uint8)
    known, unknown = planes_of(rgb, 0.6), planes_of(rgb, None)
    assert known[3].tolist() == np.ones((4, 4)).tolist()
    assert (known[4] == 1).all()
    assert not unknown.any()


def test_classes_exclude_one_another(scene: Scene) -> None:
    values = evidence_of(scene.rgb, 0.3).parts / ONE
    assert values[: len(EVIDENCE_CLASSES)].sum(axis=0).max() < 1.02


def test_blocks_agree_with_the_whole(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = evidence_of(scene.rgb, 0.3).parts / ONE
    monkeypatch.setattr(runtime, "WHOLE_PX", 320)
    monkeypatch.setattr(runtime, "BLOCK_PX", 320)
    session = Mock(wraps=runtime._session(MODEL))
    monkeypatch.setattr(runtime, "_session", lambda model: session)
    parts = evidence_of(scene.rgb, 0.3).parts / ONE
    assert session.run.call_count == 6, "2 x 3 blocks"
    assert parts.shape == whole.shape
    assert np.abs(parts - whole).mean() < 0.0025
    assert ((parts > 0.5) == (whole > 0.5)).mean() > 0.998


@pytest.mark.parametrize("gsd_m", [0.3, 0.15])
def test_tiles_of_a_scene_are_seen_alike_where_they_overlap(scene: Scene, gsd_m: float) -> None:
    whole = evidence_of(scene.rgb, gsd_m).parts / ONE
    row, col = 72, 40
    rgb = scene.rgb[:, row:, col:]
    step = round(2 * 0.3 / gsd_m)
    inner = np.s_[:, 80:, 80:]

    def differs(values: np.ndarray) -> float:
        there = whole[:, row // step :, col // step :]
        return float((np.abs(values.astype(np.float32) - there)[inner] > 0.02).mean())

    placed, adrift = (differs(evidence_of(rgb, gsd_m, origin=o).parts / ONE) for o in ((row, col), (0, 0)))
    assert placed < 0.012, "what is left comes from the rim, 160 pixels of the network away"
    assert adrift > 3 * placed


def test_it_sees_the_water_and_the_trees_of_a_generated_scene(scene: Scene) -> None:
    evidence = evidence_of(scene.rgb, 0.3)
    for name, least in (("water", 0.8), ("tree", 0.4)):
        true = np.logical_or.reduce([o.mask.full(scene.valid.shape) for o in scene.objects if o.category == name])
        said = evidence.of(name) > 0.5
        true = true[::2, ::2]
        assert (said & true).sum() / (said | true).sum() > least, name
