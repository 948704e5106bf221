"""What the packages are made from: one version, a lock file that covers the dependencies, rooms that keep apart."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from inference_server.version import VERSION

ROOT = Path(__file__).resolve().parents[2]
LOCK = (ROOT / "inference_server" / "requirements.txt").read_text(encoding="utf-8")


def script(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def name_of(requirement):
    return re.match(r"[A-Za-z0-9._-]+", requirement).group().lower().replace("_", "-")


def test_every_dependency_is_pinned():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (block,) = re.findall(r"^dependencies = \[(.*?)^\]", text, re.MULTILINE | re.DOTALL)
    wanted = {name_of(item) for item in re.findall(r'"([^"]+)"', block)}
    lines = [line for line in LOCK.splitlines() if line and not line.startswith("#")]
    assert wanted
    assert wanted <= {name_of(line) for line in lines}
    assert all("==" in line.split(";")[0] for line in lines)
    assert not any(name_of(line) in ("torch", "transformers") for line in lines), "the base install is small"


@pytest.mark.parametrize("folder", ["beside", "above"])
def test_the_version_is_found_in_the_repository_and_in_the_plugin(tmp_path, folder):
    package = tmp_path / "server"
    package.mkdir()
    (package / "setup.py").write_text((ROOT / "setup.py").read_text(encoding="utf-8"), encoding="utf-8")
    target = package if folder == "beside" else tmp_path
    (target / "metadata.txt").write_text("[general]\nname=RSGround\nversion=7.8.9\nabout=100% real\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "setup.py", "--version"], cwd=package, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip().splitlines()[-1] == "7.8.9"
    assert VERSION != "7.8.9"


def test_the_rooms_import_each_other_as_agreed():
    check = script("check_imports")
    files = [*(ROOT / "rsground_plugin").rglob("*.py"), *(ROOT / "inference_server").rglob("*.py")]
    heavy = check.heavy_modules(files)
    assert [fault for path in files for fault in check.faults(path, heavy)] == []


@pytest.mark.parametrize(
    ("path", "code", "says"),
    [
        ("rsground_plugin/protocol.py", "import numpy", "standard library only"),
        ("rsground_plugin/core/client.py", "from ..gui import dock", "core never imports gui"),
        ("rsground_plugin/core/client.py", "def f():\n    import rasterio.io", "the plugin never imports"),
        ("rsground_plugin/gui/dock.py", "from inference_server import app", "the plugin never imports"),
        ("inference_server/app.py", "import qgis.core", "never imports QGIS"),
        ("inference_server/app.py", "from rsground_plugin.core import client", "only the protocol"),
        ("inference_server/geometry.py", "from inference_server.pipeline import x", "geometry lies below pipeline"),
        ("inference_server/relations.py", "import inference_server.app", "relations lies below app"),
        ("inference_server/raster.py", "def f():\n    import torch", "only under models/"),
        ("inference_server/models/sam.py", "import torch.nn", "inside the function"),
        ("inference_server/models/sam.py", "def load():\n    import torch", None),
        ("inference_server/app.py", "from inference_server.pipeline import x", None),
    ],
)
def test_the_check_of_imports_finds_what_is_not_agreed(tmp_path, monkeypatch, path, code, says):
    check = script("check_imports")
    monkeypatch.setattr(check, "ROOT", tmp_path)
    target = tmp_path / path
    target.parent.mkdir(parents=True)
    target.write_text(code, encoding="utf-8")
    faults = list(check.faults(target, check.heavy_modules([target])))
    if says is None:
        assert faults == []
    else:
        assert len(faults) == 1
        assert says in faults[0]


def test_who_imports_a_network_is_as_heavy_as_torch(tmp_path, monkeypatch):
    check = script("check_imports")
    monkeypatch.setattr(check, "ROOT", tmp_path)
    codes = {
        "models/net/layers.py": "import torch",
        "models/net/model.py": "from inference_server.models.net.layers import x",
        "models/net/engine.py": "from inference_server.models.net.model import y",
        "models/net/search.py": "def f():\n    from inference_server.models.net.model import y",
        "commands/train.py": "from inference_server.models.net import model",
    }
    files = [tmp_path / "inference_server" / name for name in codes]
    for file, code in zip(files, codes.values(), strict=True):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(code, encoding="utf-8")
    heavy = check.heavy_modules(files)
    assert heavy == {"inference_server.models.net.layers", "inference_server.models.net.model"}
    found = {file.stem for file in files for fault in check.faults(file, heavy) if "inside the function" in fault}
    assert found == {"engine", "train"}


def test_the_app_works_without_the_model_families():
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['torch', 'transformers', 'diffusers', 'qgis']))\n"
        "import inference_server.app, inference_server.serving\n"
        "from inference_server.models.registry import Registry; print(Registry().get('default').info.name)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "geobia"


FITTED = {
    f"inference_server/models/{name}"
    for name in (
        "geobia/additive.json",
        "geobia/boosted.npz",
        "geobia/verdicts.npz",
        "evidence/evidence.onnx",
        "evidence/evidence.json",
        "provg/provg.onnx",
        "provg/provg.json",
        "provg/regions.npz",
    )
}


def test_the_wheel_holds_what_was_fitted(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    for name in ("pyproject.toml", "setup.py", "metadata.txt", "README.md"):
        shutil.copy(ROOT / name, source)
    for name in ("inference_server", "rsground_plugin"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run(
        [sys.executable, "setup.py", "-q", "build", "--build-lib", str(tmp_path / "built")], cwd=source, check=True
    )
    built = {path.relative_to(tmp_path / "built").as_posix() for path in (tmp_path / "built").rglob("*")}
    assert built >= FITTED | {"inference_server/requirements.txt", "rsground_plugin/protocol.py"}


def test_the_plugin_zip_holds_what_was_fitted():
    names = {name for _, name in script("package").content()}
    assert names >= {f"rsground_plugin/server/{path}" for path in FITTED}
