"""ProVG as it is shipped: the file is the one on its card, does as well, is small, and answers without torch."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from numpy.typing import NDArray

from inference_server.evaluation.evidence_check import digest
from inference_server.evaluation.provg_check import CARD, fixed_set_scores
from inference_server.evaluation.scenes import generate
from inference_server.models.provg.engine import SHIPPED, Network
from inference_server.models.provg.regions import SHIPPED as SHIPPED_TREES
from inference_server.models.registry import Registry
from inference_server.pipeline import GroundingPipeline
from rsground_plugin.protocol import GroundingRequest


def test_the_network_is_the_one_on_its_card_and_does_as_well() -> None:
    card = json.loads(CARD.read_text(encoding="utf-8"))
    assert digest(SHIPPED) == card["sha256"]
    assert digest(SHIPPED_TREES) == card["regions_sha256"]
    found = fixed_set_scores()
    assert set(found) == set(card["fixed_scenes"])
    for name, score in card["fixed_scenes"].items():
        assert found[name] == pytest.approx(score, abs=0.03), name


def test_it_is_small_enough_to_ship() -> None:
    assert SHIPPED.stat().st_size < 20e6


def test_the_words_decide_what_is_foreground() -> None:
    scene = generate(1, size_px=(480, 480), gsd_m=0.3, theme="sports", expressions=0)
    network = Network(SHIPPED)

    def seen(text: str) -> NDArray[np.bool_]:
        foreground, _, presence = network.look(scene.rgb, network.feed(text), 0.3)
        return np.asarray(foreground * presence > 0.5)

    for name in ("tennis court", "road", "tree"):
        true = scene.covered_by(o for o in scene.objects if o.category == name)
        found = seen(name)
        assert true.any()
        assert (found & true).sum() > 0.5 * (found | true).sum(), name
    assert not seen("pool").any()


def test_the_base_install_answers_with_it() -> None:
    scene = generate(5, size_px=(480, 480), gsd_m=0.3, theme="residential", expressions=0)
    request = GroundingRequest.from_dict({"expression": "all buildings", "engine": "provg"})
    result = GroundingPipeline(Registry()).ground(request, scene.tile)
    assert len(result.detections) >= 3
    assert result.engine == "provg"


def test_it_needs_no_torch() -> None:
    program = (
        "import sys; sys.modules['torch'] = None\n"
        "from inference_server.models.registry import Registry\n"
        "print([i.is_available for i in Registry().infos() if i.name == 'provg'])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[True]"
