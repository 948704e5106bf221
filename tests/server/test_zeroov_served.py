"""RSVG-ZeroOV behind the served wire and under ``rsground eval``, on tiny checkpoints that the environment names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("transformers", reason="transformers is not installed")
pytest.importorskip("diffusers", reason="diffusers is not installed")

from test_app import Running, events

from inference_server import __main__ as command_line
from inference_server.evaluation.scenes import generate, write_geotiff
from inference_server.models.registry import Registry
from inference_server.models.zeroov.weights import DIFFUSION, VLM
from rsground_plugin.protocol import ProgressEvent, ResultEvent
from tests.server import tiny_models


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("served")
    return tiny_models.qwen25(folder / "brief", is_brief=True), tiny_models.stable_diffusion(folder / "diffusion")


@pytest.fixture(autouse=True)
def named(checkpoints: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VLM, str(checkpoints[0]))
    monkeypatch.setenv(DIFFUSION, str(checkpoints[1]))


def test_a_served_query_gives_its_result_and_the_maps_asked_for(tmp_path: Path) -> None:
    write_geotiff(generate(4, size_px=(128, 128), gsd_m=0.3, expressions=0), tmp_path / "scene.tif")
    running = Running(Registry().get("zeroov"))
    try:
        response = running.ground(
            {"expression": "the roof", "explain": True}, (tmp_path / "scene.tif").read_bytes(), timeout=60
        )
    finally:
        running.close()
    *before, last = events(response)
    assert isinstance(last, ResultEvent)
    assert last.result.detections
    assert [m.name for m in last.result.maps] == ["A_C", "A_CS", "A_E"]
    stages = {event.stage for event in before if isinstance(event, ProgressEvent)}
    assert {"loading", "overview", "focus", "refine"} <= stages


def test_eval_asks_it_as_it_asks_any_engine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["eval", "--engine", "zeroov", "--data", "scenes:1:2", "--limit", "2", "-o", str(tmp_path)]
    assert command_line.main(command) == 0, capsys.readouterr().err
    _, *answers = map(json.loads, (tmp_path / "answers.jsonl").read_text(encoding="utf-8").splitlines())
    assert [answer["error"] for answer in answers] == ["", ""]
    assert all(answer["boxes"] for answer in answers)
