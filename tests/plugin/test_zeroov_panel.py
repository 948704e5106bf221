"""RSVG-ZeroOV from the panel: the real server, tiny checkpoints with random weights, its maps over the imagery."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from panel_window import PanelWindow, window_on
from qgis.core import QgsProject, QgsRasterLayer
from test_panel_with_server import write_town
from test_server_process import INTERPRETER, ROOT

from rsground_plugin.core.errors import RSGroundError
from rsground_plugin.core.grounding_task import Outcome
from rsground_plugin.core.server_process import LocalServer

#: Makes the checkpoints, in the server's Python; ends with 3 where a package is missing.
MAKE = """
import sys
from pathlib import Path
try:
    import torch, transformers, diffusers
except ImportError as error:
    print(error)
    sys.exit(3)
from tests.server import tiny_models
tiny_models.qwen25(Path(sys.argv[1]) / "vlm", is_brief=True)
tiny_models.stable_diffusion(Path(sys.argv[1]) / "diffusion")
"""


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not INTERPRETER.is_file():
        pytest.skip(f"no server environment at {INTERPRETER}")
    folder = tmp_path_factory.mktemp("checkpoints")
    made = subprocess.run(
        [str(INTERPRETER), "-c", MAKE, str(folder)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if made.returncode == 3:
        pytest.skip(f"{INTERPRETER} has not the packages of the extra “models”: {made.stdout.strip()}")
    assert made.returncode == 0, made.stderr
    return folder


@pytest.fixture
def window(
    checkpoints: Path, source: LocalServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[PanelWindow]:
    monkeypatch.setenv("RSGROUND_VLM", str(checkpoints / "vlm"))
    monkeypatch.setenv("RSGROUND_DIFFUSION", str(checkpoints / "diffusion"))
    with window_on(source, write_town(tmp_path / "town.tif"), tmp_path, canvas_px=512) as window:
        window.dock.form.engine.choose("zeroov")
        window.dock.form.why.setChecked(True)
        yield window


def ask(window: PanelWindow, expression: str) -> Outcome:
    window.ask(expression)
    outcome = window.answer(120)
    assert isinstance(outcome, Outcome), getattr(outcome, "details", "") or outcome
    return outcome


def maps_shown() -> list[QgsRasterLayer]:
    nodes = QgsProject.instance().layerTreeRoot().findLayers()
    is_map = {node: str(node.layer().customProperty("rsground/kind")).startswith("map:") for node in nodes}
    return [node.layer() for node in nodes if is_map[node] and node.isVisible()]


def test_its_answer_and_why_are_drawn_and_a_second_question_is_quicker(window: PanelWindow) -> None:
    assert "32 x 32" in window.dock.form.engine.about()
    stages: list[str] = []
    window.dock.form.expression.setText("the red roof")
    window.dock.run()
    window.dock._task.stage_changed.connect(lambda stage, *_: stages.append(stage))
    first = window.answer(120)
    assert isinstance(first, Outcome), getattr(first, "details", "") or first
    assert first.result.engine == "zeroov"
    assert first.result.detections
    assert {"loading", "overview", "focus"} <= set(stages)
    assert [written.name for written in first.maps] == ["A_C", "A_CS", "A_E"]
    assert [layer.customProperty("rsground/kind") for layer in maps_shown()] == ["map:A_E"]
    extent, tile = maps_shown()[0].extent(), first.tile.extent.boundingBox()
    for side in ("xMinimum", "xMaximum", "yMinimum", "yMaximum"):
        assert getattr(extent, side)() == pytest.approx(getattr(tile, side)(), abs=1e-6)
    assert maps_shown()[0].crs() == first.tile.crs

    second = ask(window, "the white roof left of the blue roof")
    assert second.result.cached
    assert len(second.maps) == 6
    assert [layer.name() for layer in maps_shown()] == ["3 What grew from it (A_E): white roof"]


def test_missing_and_damaged_weights_say_what_to_do(
    window: PanelWindow, source: LocalServer, checkpoints: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(checkpoints / "vlm", broken)
    (broken / "model.safetensors").write_bytes(b"cut off")
    says = {tmp_path / "nowhere": "Set RSGROUND_VLM", broken: f"The weights in {broken} cannot be loaded"}
    for folder, words in says.items():
        monkeypatch.setenv("RSGROUND_VLM", str(folder))
        source.stop(wait_s=10)
        window.ask("the red roof")
        assert isinstance(window.answer(60), RSGroundError)
        assert words in window.dock.message.text()
