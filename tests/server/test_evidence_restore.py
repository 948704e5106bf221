"""A shipped evidence network in torch again: it answers as the file does, and its normalisations can learn on."""

from __future__ import annotations

import numpy as np
import pytest

from inference_server.evaluation.scenes import generate
from inference_server.models.evidence.runtime import MODEL, ONE, evidence_of, planes_of

torch = pytest.importorskip("torch", reason="torch is for training only: pip install torch")
pytest.importorskip("onnx", reason="onnx is for training only: pip install rsground[provg]")


def test_it_answers_as_the_file_does_and_learns_on_from_there() -> None:
    from inference_server.models.evidence.network import Probabilities
    from inference_server.training.evidence_restore import restored

    scene = generate(2, size_px=(320, 320), gsd_m=0.3, expressions=0)
    image = torch.from_numpy(planes_of(scene.rgb.astype(np.float32), 0.3))[None]
    network = restored(MODEL, image)
    shipped = evidence_of(scene.rgb, 0.3).parts / ONE
    with torch.no_grad():
        answer = Probabilities()(network.eval()(image))[0].numpy()
        # The statistics are those of this very picture, so in training it answers alike.
        trained = Probabilities()(network.train()(image))[0].numpy()
    assert np.abs(answer - shipped).mean() < 0.01
    assert np.abs(trained - answer).mean() < 0.02


def test_another_file_is_refused(tmp_path) -> None:  # type: ignore[no-untyped-def]
    import onnx
    from onnx import helper

    from inference_server.training.evidence_restore import restored

    path = tmp_path / "other.onnx"
    onnx.save(helper.make_model(helper.make_graph([], "nothing", [], [])), str(path))
    with pytest.raises(ValueError, match="expected an evidence network"):
        restored(path, torch.zeros(1, 5, 64, 64))
