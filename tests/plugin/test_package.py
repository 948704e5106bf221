"""The package as plugins.qgis.org takes it: the validator's rules, and QGIS that loads it from a fresh profile."""

from __future__ import annotations

import configparser
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
INTERPRETER = Path(os.environ.get("RSGROUND_PYTHON", ROOT / ".venv" / "bin" / "python"))


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, str(ROOT / "scripts" / "package.py"), "--output", str(folder)], check=True)
    (made,) = folder.glob("*.zip")
    return made


@pytest.fixture(scope="module")
def names(package: Path) -> list[str]:
    with zipfile.ZipFile(package) as archive:
        assert archive.testzip() is None
        return archive.namelist()


def metadata(package: Path) -> configparser.SectionProxy:
    parser = configparser.ConfigParser(interpolation=None)
    with zipfile.ZipFile(package) as archive:
        parser.read_string(archive.read("rsground_plugin/metadata.txt").decode())
    return parser["general"]


def test_the_name_holds_the_one_version(package: Path) -> None:
    assert package.name == f"rsground-{metadata(package)['version']}.zip"


@pytest.mark.parametrize(
    "key",
    ["name", "description", "version", "qgisMinimumVersion", "author", "email", "about", "tracker", "repository"],
)
def test_metadata_holds_what_is_required(package: Path, key: str) -> None:
    assert metadata(package)[key].strip()


def test_metadata_is_well_formed(package: Path) -> None:
    general = metadata(package)
    assert "@" in general["email"]
    for key in ("tracker", "repository", "homepage"):
        assert general[key].startswith("https://")
    assert general["qgisMaximumVersion"] == "4.99"
    assert "plugin" not in general["name"].lower()
    assert len(general["description"]) < 256


def test_everything_lies_in_one_folder_with_a_python_name(names: list[str]) -> None:
    assert {name.split("/")[0] for name in names} == {"rsground_plugin"}


@pytest.mark.parametrize(
    "wanted",
    [
        *("__init__.py", "metadata.txt", "LICENSE", "icon.svg", "protocol.py"),
        *("server/inference_server/__main__.py", "server/inference_server/requirements.txt"),
        *("server/rsground_plugin/protocol.py", "server/metadata.txt"),
    ],
)
def test_what_is_needed_is_there(names: list[str], wanted: str) -> None:
    assert f"rsground_plugin/{wanted}" in names


def test_the_icon_and_the_licence_are_what_they_should_be(package: Path, names: list[str]) -> None:
    assert f"rsground_plugin/{metadata(package)['icon']}" in names
    with zipfile.ZipFile(package) as archive:
        assert "GNU GENERAL PUBLIC LICENSE" in archive.read("rsground_plugin/LICENSE").decode()


def test_nothing_is_there_that_does_not_belong(names: list[str]) -> None:
    forbidden = (".pyc", ".pyo", ".so", ".dll", ".dylib", ".exe", ".pyd", ".a", ".pem", ".key", ".zip", ".whl")
    for name in names:
        assert not name.endswith(forbidden), name
        assert not {"__pycache__", "tests", "__MACOSX", "node_modules"} & set(name.split("/")), name
        assert not any(part.startswith(".") for part in name.split("/")), name


def test_it_is_small(package: Path) -> None:
    assert package.stat().st_size < 25_000_000


def test_bandit_finds_nothing(package: Path, tmp_path: Path) -> None:
    bandit = INTERPRETER.parent / "bandit"
    if not bandit.is_file():
        pytest.skip(f"bandit is not at {bandit}")
    with zipfile.ZipFile(package) as archive:
        archive.extractall(tmp_path)
    found = subprocess.run([bandit, "-q", "-r", str(tmp_path)], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout


def test_the_packaged_server_runs_from_its_folder(package: Path, tmp_path: Path) -> None:
    if not INTERPRETER.is_file():
        pytest.skip(f"no server environment at {INTERPRETER}")
    with zipfile.ZipFile(package) as archive:
        archive.extractall(tmp_path)
    from rsground_plugin.core.server_process import Launch, LocalServer

    server = LocalServer(lambda: Launch(INTERPRETER, tmp_path / "rsground_plugin" / "server", ("--parent-stdin",)))
    try:
        client = server.ensure()
        assert client.health().version == metadata(package)["version"]
        assert any(engine.is_default for engine in client.engines())
    finally:
        server.stop(wait_s=10)


def test_qgis_loads_and_unloads_it_from_a_fresh_profile(package: Path, tmp_path: Path) -> None:
    qgis, xvfb = shutil.which("qgis"), shutil.which("xvfb-run")
    if qgis is None or xvfb is None:
        pytest.skip("qgis and xvfb-run are needed")
    profile = tmp_path / "profiles" / "default"
    plugins = profile / "python" / "plugins"
    plugins.mkdir(parents=True)
    with zipfile.ZipFile(package) as archive:
        archive.extractall(plugins)
    (profile / "QGIS").mkdir()
    (profile / "QGIS" / "QGIS3.ini").write_text("[PythonPlugins]\nrsground_plugin=true\n[qgis]\ncheckVersion=false\n")
    report = tmp_path / "report.txt"
    command = [xvfb, "-a", "-s", "-screen 0 1280x900x24", qgis, "--nologo", "--noversioncheck"]
    environment = {k: v for k, v in os.environ.items() if k not in ("QT_QPA_PLATFORM", "RSGROUND_PYTHON", "PYTHONPATH")}
    environment["XDG_DATA_HOME"] = str(tmp_path / "data")
    environment["RSGROUND_TEST_REPORT"] = str(report)
    command += ["--profiles-path", str(tmp_path), "--code", str(Path(__file__).with_name("load_in_qgis.py"))]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as qgis_job:
        try:
            qgis_job.wait(120)
        except subprocess.TimeoutExpired:
            os.killpg(qgis_job.pid, signal.SIGKILL)  # xvfb-run, Xvfb and QGIS
            raise
    assert report.is_file(), "QGIS ended without running the script"
    lines = report.read_text().splitlines()
    assert lines[-1] == "done", "\n".join(lines)
    assert "environment: RSGround needs its own Python environment, which is not there yet." in lines
    assert "options page: shown" in lines
    assert "left behind: []" in lines
