"""What goes wrong with RSVG-ZeroOV is told on the command line: what it is, and what to do.

The hub's refusals, a full disk and corrupted downloads are those of `rsground models`: test_models_command.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from inference_server.__main__ import FAULT, main
from inference_server.evaluation.scenes import generate, write_geotiff
from inference_server.models.catalogue import pinned
from inference_server.models.store import Lock, repo_folder
from inference_server.models.zeroov import weights
from inference_server.models.zeroov.weights import DEFAULTS, DIFFUSION, VLM, parts_from_environment


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Asks on a machine without weights; gives what was said on stderr."""
    for name in ("RSGROUND_MODELS", "HF_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    for name in (VLM, DIFFUSION, "HF_HUB_CACHE", "RSGROUND_DEVICE"):
        monkeypatch.delenv(name, raising=False)
    write_geotiff(generate(4, size_px=(128, 128), gsd_m=0.3, expressions=0), tmp_path / "scene.tif")

    def asked() -> str:
        out = tmp_path / "out.gpkg"
        code = main(["ground", str(tmp_path / "scene.tif"), "the roof", "--engine", "zeroov", "-o", str(out)])
        said = capsys.readouterr().err
        assert code == FAULT, said
        assert not out.exists()
        assert "Traceback" not in said
        return said

    return asked


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    for package in ("torch", "transformers", "diffusers", "accelerate"):
        pytest.importorskip(package, reason=f"{package} is not installed")
    from tests.server import tiny_models

    folder = tmp_path_factory.mktemp("faults")
    vlm = tiny_models.qwen25(folder / "vlm", is_brief=True)
    return vlm, tiny_models.stable_diffusion(folder / "diffusion")


@pytest.fixture
def named(checkpoints: tuple[Path, Path], ask, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    for name, folder in zip((VLM, DIFFUSION), checkpoints):
        monkeypatch.setenv(name, str(folder))
    return checkpoints


def test_a_missing_package(ask, monkeypatch):
    monkeypatch.setattr(weights, "PACKAGES", ("numpy", "no_such_package"))
    said = ask()
    assert "not installed here: no_such_package." in said
    assert 'install "no_such_package"' in said


def test_missing_weights(ask, monkeypatch):
    monkeypatch.setattr(weights, "PACKAGES", ("numpy",))
    said = ask()
    assert "rsground models pull Qwen/Qwen2.5-VL-7B-Instruct" in said
    assert "Weights of large models" in said
    assert VLM in said


def test_another_vlm_that_was_pulled_serves_where_the_papers_was_not(tmp_path, monkeypatch):
    def pull(repo):
        folder = repo_folder(repo) / pinned(repo)
        folder.mkdir(parents=True)
        (folder / "config.json").write_text("{}")
        Lock(repo, pinned(repo), pinned(repo), "", ()).write(folder)

    monkeypatch.setenv("RSGROUND_MODELS", str(tmp_path))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "none"))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.delenv(VLM, raising=False)
    default = DEFAULTS[VLM]
    assert parts_from_environment().vlm_source == default
    pull("Qwen/Qwen3-VL-2B-Instruct")
    assert parts_from_environment().vlm_source == "Qwen/Qwen3-VL-2B-Instruct"
    pull("Qwen/Qwen2.5-VL-3B-Instruct")
    assert parts_from_environment().vlm_source == "Qwen/Qwen2.5-VL-3B-Instruct"
    pull(default)
    assert parts_from_environment().vlm_source == default
    monkeypatch.setenv(VLM, "Qwen/Qwen3-VL-4B-Instruct")
    assert parts_from_environment().vlm_source == "Qwen/Qwen3-VL-4B-Instruct"


@pytest.mark.parametrize("part", ["vlm", "diffusion"])
def test_a_corrupt_file(part, ask, named, tmp_path, monkeypatch):
    import shutil

    variable, folder, file = (VLM, named[0], "model.safetensors")
    if part == "diffusion":
        variable, folder, file = (DIFFUSION, named[1], "unet/diffusion_pytorch_model.safetensors")
    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    whole = (broken / file).read_bytes()
    (broken / file).write_bytes(whole[: len(whole) // 2])
    monkeypatch.setenv(variable, str(broken))
    said = ask()
    assert f"The weights in {broken} cannot be loaded" in said
    assert "pull them again" in said


def test_a_gpu_too_small_and_nothing_else_that_helps(ask, named, monkeypatch):
    def full(self):
        raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr(weights.Parts, "vlm", full)
    said = ask()
    assert "too little memory" in said
    assert "Choose a smaller area, close other programs, or choose smaller weights" in said


def test_a_gpu_that_is_not_there(ask, named, monkeypatch):
    monkeypatch.setenv("RSGROUND_DEVICE", "cuda:99")
    assert "Set RSGROUND_DEVICE=auto" in ask()
