"""Weights in the options: listed, downloaded after a yes, stopped and gone on with, from a hub on loopback."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from panel_window import application, spin_until, use_settings_in
from qgis.PyQt.QtWidgets import QMessageBox
from test_server_process import INTERPRETER, fake, launch

sys.path.append(str(Path(__file__).resolve().parents[1] / "server"))
from loopback_hub import LoopbackHub, serving

from rsground_plugin.core.errors import EnvironmentMissing, WeightsFault
from rsground_plugin.core.launch import MODELS_VARIABLE
from rsground_plugin.core.launch import launch as launch_from_settings
from rsground_plugin.core.server_process import Launch
from rsground_plugin.core.settings import INTERPRETER_VARIABLE, Settings
from rsground_plugin.core.weights import list_weights
from rsground_plugin.gui.settings_page import SettingsPage
from rsground_plugin.gui.weights_box import WeightsBox, stop_downloads

pytestmark = pytest.mark.skipif(not INTERPRETER.is_file(), reason=f"no server environment at {INTERPRETER}")

SMALL = "facebook/sam2.1-hiera-small"
COMMIT = "ee5bba1d82bb8749febdf90f45e84b687142ba03"
FILES = {"config.json": b"{}", "model.safetensors": bytes(range(256)) * 4000}


@pytest.fixture
def hub(monkeypatch) -> Iterator[LoopbackHub]:
    with serving(LoopbackHub(dict(FILES), repo=SMALL, commit=COMMIT)) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        yield hub


@pytest.fixture
def box(tmp_path: Path, hub: LoopbackHub, monkeypatch) -> Iterator[WeightsBox]:
    application()
    use_settings_in(tmp_path)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))

    def make_launch() -> Launch:
        return replace(launch(), variables=((MODELS_VARIABLE, str(tmp_path / "weights")),))

    box = WeightsBox("", make_launch)
    box.failures = []
    box.failed.connect(box.failures.append)
    box.show()
    assert spin_until(lambda: box.combo.count() > 5, 20)
    box.choose(SMALL)
    yield box
    box.stop()
    spin_until(lambda: not box.is_busy, 10)
    box.close()


def answer(monkeypatch, button: QMessageBox.StandardButton) -> list[str]:
    """Answers every question, and keeps what was asked."""
    asked: list[str] = []

    def question(parent, title, text):
        asked.append(text)
        return button

    monkeypatch.setattr(QMessageBox, "question", question)
    return asked


def test_what_is_missing_is_shown_with_size_and_licence(box: WeightsBox) -> None:
    assert "missing" in box.about.text()
    assert "184 MB" in box.about.text()
    assert "apache-2.0" in box.about.text()
    assert box.get_button.isEnabled()
    assert not box.stop_button.isVisible()


def test_nothing_is_downloaded_without_a_yes(box: WeightsBox, hub: LoopbackHub, monkeypatch) -> None:
    asked = answer(monkeypatch, QMessageBox.StandardButton.No)
    box.get_button.click()
    assert "apache-2.0" in asked[0]
    assert not box.is_busy
    assert hub.asked == []


def test_weights_come_and_engines_are_told(box: WeightsBox, tmp_path: Path, monkeypatch) -> None:
    answer(monkeypatch, QMessageBox.StandardButton.Yes)
    told = []
    box.pulled.connect(lambda: told.append(True))
    box.get_button.click()
    assert box.is_busy
    assert spin_until(lambda: told or box.failures, 30)
    assert not box.failures
    folder = tmp_path / "weights" / SMALL.replace("/", "--") / COMMIT
    assert (folder / "model.safetensors").read_bytes() == FILES["model.safetensors"]
    assert spin_until(lambda: "is here" in box.about.text(), 20)
    assert not box.get_button.isEnabled()
    assert box.combo.currentText().startswith("✓")


FAULTS = {
    "gated": ({"status": 403}, "The hub does not give", "accept its licence"),
    "no token": ({"status": 401}, "The hub gives", "make a token"),
    "no room": (
        {"extra_files": ({"rfilename": "large.safetensors", "size": 10**16, "blobId": "0" * 40},)},
        "There is no room for it",
        "RSGROUND_MODELS",
    ),
    "corrupt": ({"corrupt": {"model.safetensors"}}, "model.safetensors is not what was published", "pull it again"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_told_in_the_programs_words(fault: str, box: WeightsBox, hub: LoopbackHub, monkeypatch) -> None:
    how, begins, says = FAULTS[fault]
    for name, value in how.items():
        monkeypatch.setattr(hub, name, value)
    answer(monkeypatch, QMessageBox.StandardButton.Yes)
    box.get_button.click()
    assert spin_until(lambda: box.failures, 30)
    assert isinstance(box.failures[0], WeightsFault)
    assert str(box.failures[0]).startswith(begins)
    assert says in str(box.failures[0])
    assert not box.is_busy


def test_a_stopped_download_keeps_what_came(box: WeightsBox, hub: LoopbackHub, tmp_path: Path, monkeypatch) -> None:
    answer(monkeypatch, QMessageBox.StandardButton.Yes)
    hub.hold_after = 500_000
    part = tmp_path / "weights" / SMALL.replace("/", "--") / COMMIT / "model.safetensors.part"
    box.get_button.click()
    assert spin_until(lambda: part.exists() and part.stat().st_size == 500_000, 30)
    box.stop_button.click()
    assert spin_until(lambda: not box.is_busy, 10)
    assert not box.failures
    assert spin_until(lambda: "A part of it" in box.about.text(), 20)
    hub.hold_after = 0
    hub.released.set()
    hub.asked.clear()
    box.get_button.click()
    assert spin_until(lambda: "is here" in box.about.text(), 30)
    ranges = [wanted for path, wanted, _ in hub.asked if path.endswith("model.safetensors")]
    assert ranges == ["bytes=500000-"]


def test_a_download_outlives_the_options_and_is_found_again(
    box: WeightsBox, hub: LoopbackHub, tmp_path: Path, monkeypatch
) -> None:
    answer(monkeypatch, QMessageBox.StandardButton.Yes)
    hub.hold_after = 500_000
    box.get_button.click()
    part = tmp_path / "weights" / SMALL.replace("/", "--") / COMMIT / "model.safetensors.part"
    assert spin_until(lambda: part.exists() and part.stat().st_size == 500_000, 30)
    box.close()
    again = WeightsBox("", box._make_launch)
    again.show()
    assert again.is_busy
    assert again.stop_button.isEnabled()
    assert spin_until(lambda: again.combo.count() > 5, 20)
    assert not again.get_button.isEnabled()
    told = []
    again.pulled.connect(lambda: told.append(True))
    hub.released.set()
    assert spin_until(lambda: told, 30)
    assert not again.is_busy
    again.close()


def test_unloading_the_plugin_stops_the_download(box: WeightsBox, hub: LoopbackHub, monkeypatch) -> None:
    answer(monkeypatch, QMessageBox.StandardButton.Yes)
    hub.hold_after = 500_000
    box.get_button.click()
    stop_downloads()
    assert spin_until(lambda: not box.is_busy, 10)
    assert not box.failures


def test_without_an_environment_it_says_so(tmp_path: Path) -> None:
    application()
    use_settings_in(tmp_path)

    def no_launch() -> Launch:
        raise EnvironmentMissing("RSGround needs its own Python environment, which is not there yet.")

    box = WeightsBox("", no_launch)
    box.show()
    assert "needs its own Python environment" in box.about.text()
    assert not box.get_button.isEnabled()
    box.close()


def test_a_program_of_another_version_is_told(tmp_path: Path) -> None:
    with pytest.raises(WeightsFault, match="another version"):
        list_weights(fake(tmp_path, "print('hello')"), lambda: False)


def test_the_folder_of_the_options_reaches_the_server(tmp_path: Path, monkeypatch) -> None:
    application()
    use_settings_in(tmp_path)
    monkeypatch.setenv(INTERPRETER_VARIABLE, str(INTERPRETER))
    page = SettingsPage(lambda: None, lambda: None)
    page.weights.folder.setFilePath(str(tmp_path / "on another disk"))
    page.apply()
    assert Settings.load().models_folder == str(tmp_path / "on another disk")
    assert launch_from_settings().variables == ((MODELS_VARIABLE, str(tmp_path / "on another disk")),)
