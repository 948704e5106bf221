"""The evidence network's training: it learns, in bfloat16 too, and goes on from where it was stopped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is for training only: pip install torch")

import torch

from inference_server.models.evidence.classes import bits_of
from inference_server.models.evidence.network import EvidenceNetwork
from inference_server.training.evidence import blended, train


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """One picture: a bright building on dark grass."""
    on = np.full((300, 300), bits_of(["grass"]), np.uint32)
    on[100:200, 100:200] = bits_of(["building"])
    rgb = np.where(on == bits_of(["grass"]), 60, 210).astype(np.uint8)
    path = tmp_path / "towns_one.npz"
    np.savez(path, rgb=np.stack([rgb] * 3), on=on, unknown=np.zeros_like(on), gsd_m=0.3, source="towns")
    return [path]


@pytest.mark.parametrize("halved", [False, True])
def test_it_learns_and_goes_on_from_its_state(files: list[Path], tmp_path: Path, halved: bool) -> None:
    state = tmp_path / "state.pt"
    train(files, minutes=0.02, batch=2, rate=2e-3, state=state, workers=0, halved=halved)
    before = torch.load(state, weights_only=True)
    assert before["step"] >= 1
    assert before["minutes"] >= 0.02
    network = train(files, minutes=before["minutes"] + 0.02, batch=2, rate=2e-3, state=state, workers=0, halved=halved)
    after = torch.load(state, weights_only=True)
    assert after["step"] > before["step"]
    assert all(p.dtype == torch.float32 and torch.isfinite(p).all() for p in network.parameters())
    image = torch.zeros(1, 5, 128, 128)
    assert torch.isfinite(network(image)).all()
    moved = sum(float((after["network"][k] - before["network"][k]).abs().sum()) for k in ("head.weight", "head.bias"))
    assert moved > 0.0


def test_a_blend_lies_between_the_two_with_statistics_of_its_own(files: list[Path]) -> None:
    torch.manual_seed(0)
    before, after = EvidenceNetwork().eval(), EvidenceNetwork().eval()
    mixed = blended(before, after, 0.75, files)
    for name, weight in mixed.named_parameters():
        ends = before.get_parameter(name), after.get_parameter(name)
        torch.testing.assert_close(weight, 0.25 * ends[0] + 0.75 * ends[1])
    norm = mixed.stem[1]
    assert not torch.allclose(norm.running_mean, after.stem[1].running_mean)
    assert not mixed.training
