"""The managed environment: made, cancelled, interrupted, outdated, locked, and each failure explained.

The environments here hold no packages, so that nothing is downloaded.
"""

from __future__ import annotations

import stat
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rsground_plugin.core import environment as module
from rsground_plugin.core import interpreters
from rsground_plugin.core.environment import INCOMPLETE, MISSING, OUTDATED, READY, Environment
from rsground_plugin.core.errors import (
    EnvironmentBusy,
    EnvironmentFault,
    InstallFailed,
    NoInterpreter,
    QueryCancelled,
)
from rsground_plugin.core.interpreters import find_interpreter


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Environment:
    """One without packages, in a folder whose name has a space, made with pip."""
    server = tmp_path / "plug ins" / "server"
    package = server / "inference_server"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "app.py").write_text("")
    (package / "requirements.txt").write_text("# none\n")
    monkeypatch.setattr(module, "find_uv", lambda: None)
    return Environment(tmp_path / "da ta" / "env-1", server)


def make(environment: Environment, **more: Any) -> list[tuple[str, float]]:
    reports: list[tuple[str, float]] = []
    options: dict[str, Any] = {"base_interpreter": sys.executable, "is_cancelled": lambda: False, **more}
    options.setdefault("report", lambda what, fraction: reports.append((what, fraction)))
    environment.make(**options)
    return reports


def executable(path: Path, code: str) -> Path:
    path.write_text("#!/bin/sh\n" + textwrap.dedent(code))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_it_is_made_and_can_be_removed(environment: Environment) -> None:
    assert environment.state() == MISSING
    reports = make(environment)
    assert environment.state() == READY
    assert reports[-1] == ("Ready", 1.0)
    fractions = [fraction for _, fraction in reports]
    assert fractions == sorted(fractions)
    assert "Installing packages" in environment.log.read_text()
    answer = subprocess.run(
        [environment.interpreter, "-c", "import sys; print(sys.prefix)"], capture_output=True, text=True, check=True
    )
    assert Path(answer.stdout.strip()) == environment.folder
    environment.remove()
    assert environment.state() == MISSING


def test_making_it_twice_leaves_the_first_one_alone(environment: Environment) -> None:
    make(environment)
    log, folder = environment.log.read_text(), environment.folder.stat().st_ino
    make(environment)
    assert environment.log.read_text() == log, "a step was run again"
    assert environment.folder.stat().st_ino == folder


def test_other_requirements_make_it_outdated(environment: Environment) -> None:
    make(environment)
    environment.requirements.write_text("# other\n")
    assert environment.state() == OUTDATED
    make(environment)
    assert environment.state() == READY


def test_cancelling_leaves_nothing(environment: Environment) -> None:
    with pytest.raises(QueryCancelled):
        make(environment, is_cancelled=lambda: True)
    assert environment.state() == MISSING


def test_an_interrupted_making_is_not_taken_for_ready(environment: Environment) -> None:
    def die(what: str, fraction: float) -> None:
        if what == "Checking":
            raise KeyboardInterrupt

    delete = module._delete
    module._delete = lambda folder: None  # as when the power goes
    try:
        with pytest.raises(KeyboardInterrupt):
            make(environment, report=die)
    finally:
        module._delete = delete
    assert environment.state() == INCOMPLETE
    make(environment)
    assert environment.state() == READY


def test_a_package_that_does_not_work_is_no_environment(environment: Environment) -> None:
    (environment.server_folder / "inference_server" / "app.py").write_text("import no_such_module")
    with pytest.raises(InstallFailed) as caught:
        make(environment)
    assert "no_such_module" in caught.value.details
    assert environment.state() == MISSING


def test_a_missing_package_is_explained(environment: Environment) -> None:
    environment.requirements.write_text("numpy==0.0.1\n")
    with pytest.raises(InstallFailed, match=r"3\.11 or 3\.12") as caught:
        make(environment, extra_environment={"PIP_NO_INDEX": "1"})
    assert "numpy" in caught.value.details


def test_no_network_is_explained(environment: Environment) -> None:
    environment.requirements.write_text("numpy==1.26.4\n")
    nowhere = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0", "PIP_CONFIG_FILE": "/dev/null"}
    with pytest.raises(InstallFailed, match=r"cannot be reached|does not come"):
        make(environment, extra_environment=nowhere)


def test_two_windows_do_not_make_it_at_once(environment: Environment) -> None:
    holder = textwrap.dedent(
        f"""
        import sys, time
        from pathlib import Path
        sys.path.insert(0, {str(Path(__file__).resolve().parents[2])!r})
        from rsground_plugin.core.environment import _lock
        with _lock(Path({str(environment.folder)!r})):
            print("held", flush=True)
            time.sleep(60)
        """
    )
    other = subprocess.Popen([sys.executable, "-c", holder], stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(EnvironmentBusy, match="Another QGIS window"):
            make(environment)
    finally:
        other.kill()
        other.wait()
        other.stdout.close()
    make(environment)  # the lock died with its holder
    assert environment.state() == READY


def test_a_full_disk_is_found_before_anything_is_made(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_NEEDED_MB", 1e12)
    with pytest.raises(EnvironmentFault, match="Free some space"):
        make(environment)
    assert environment.state() == MISSING


def test_an_interpreter_without_venv_names_the_package(tmp_path: Path) -> None:
    python = executable(tmp_path / "python3", "echo '[[3, 11, 2], 64, false]'")
    with pytest.raises(NoInterpreter, match=r"apt install python3\.11-venv"):
        find_interpreter(str(python))
    assert find_interpreter(str(python), needs_venv=False).version == (3, 11, 2)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("echo '[[3, 8, 1], 64, true]'", r"Python 3\.8\.1.*needs 3\.10"),
        ("echo '[[3, 12, 0], 32, true]'", "32 bit"),
        ("exit 1", "does not answer"),
        ("echo hello", "does not answer"),
    ],
)
def test_an_unsuitable_interpreter_says_why(tmp_path: Path, answer: str, words: str) -> None:
    python = executable(tmp_path / "python3", answer)
    with pytest.raises(NoInterpreter, match=words):
        find_interpreter(str(python))


def test_an_interpreter_is_found_on_this_machine() -> None:
    assert find_interpreter().is_suitable


def test_nothing_found_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing: Callable[[], Any] = lambda: iter(())  # noqa: E731
    monkeypatch.setattr(interpreters, "_candidates", nothing)
    with pytest.raises(NoInterpreter, match=r"python\.org"):
        find_interpreter()
