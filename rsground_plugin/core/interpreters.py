"""Finding a Python on this machine that the server's environment can be made from."""

from __future__ import annotations

import json
import os
import shutil
import subprocess  # see child_process.start_child  # nosec B404
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, List, Optional, Tuple

from .child_process import IS_WINDOWS, child_environment, start_child
from .errors import NoInterpreter

MINIMUM = (3, 10)
#: Newer ones are taken too, last: wheels may not be there yet.
PREFERRED_MINORS = (12, 11, 13, 10, 14)

_QUESTION = (
    "import json, sys, struct, importlib.util as u; "
    "print(json.dumps([list(sys.version_info[:3]), struct.calcsize('P') * 8, "
    "bool(u.find_spec('venv')) and bool(u.find_spec('ensurepip'))]))"
)


@dataclass(frozen=True)
class Interpreter:
    """A Python that answered.

    Attributes:
        path: of the executable.
        version: major, minor, micro.
        bits: 64 or 32; the packages come for 64 only.
        has_venv: venv and ensurepip are installed (Debian splits them off).
    """

    path: Path
    version: Tuple[int, int, int]
    bits: int
    has_venv: bool

    @property
    def is_suitable(self) -> bool:
        return self.version >= MINIMUM and self.bits == 64

    @property
    def version_text(self) -> str:
        return ".".join(str(n) for n in self.version)


def ask(path: Path) -> Optional[Interpreter]:
    """The interpreter at ``path``, or None when it does not answer as a Python does."""
    try:
        child = start_child(
            [str(path), "-c", _QUESTION],
            environment=child_environment(),
            cwd=Path.home(),
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    except OSError:
        return None
    try:
        output, _ = child.communicate(timeout=20)
        version, bits, has_venv = json.loads(output)
    except subprocess.TimeoutExpired:
        child.kill()
        child.communicate()
        return None
    except (ValueError, TypeError):
        return None
    return Interpreter(path, tuple(version), bits, has_venv)


def find_uv() -> Optional[Path]:
    """The ``uv`` program on the PATH or where its installer puts it."""
    name = "uv.exe" if IS_WINDOWS else "uv"
    found = shutil.which("uv")
    places = [Path(found)] if found else []
    places += [Path.home() / ".local" / "bin" / name, Path.home() / ".cargo" / "bin" / name]
    return next((p for p in places if p.is_file()), None)


def find_interpreter(chosen: str = "", *, needs_venv: bool = True) -> Interpreter:
    """The Python to make the environment from.

    Args:
        chosen: the path in the settings; nothing else is tried when it is given.
        needs_venv: False when uv makes the environment.

    Raises:
        NoInterpreter: saying what was found and what to install.
    """
    if chosen:
        answered = ask(Path(chosen).expanduser())
        if answered is None:
            raise NoInterpreter(
                f"{chosen} does not answer as a Python does. Choose another interpreter in the options."
            )
        _check(answered, needs_venv)
        return answered
    lacking: List[Interpreter] = []
    seen = set()
    for path in _candidates():
        real = os.path.realpath(path)
        if real in seen or not path.is_file():
            continue
        seen.add(real)
        answered = ask(path)
        if answered is None or not answered.is_suitable:
            continue
        if answered.has_venv or not needs_venv:
            return answered
        lacking.append(answered)
    if lacking:
        _check(lacking[0], needs_venv)
    raise NoInterpreter(
        f"No Python {MINIMUM[0]}.{MINIMUM[1]} or newer (64 bit) was found on this machine. "
        "Install one from python.org or with your package manager, or choose one in the options."
    )


def _check(found: Interpreter, needs_venv: bool) -> None:
    if not found.is_suitable:
        raise NoInterpreter(
            f"{found.path} is Python {found.version_text}, {found.bits} bit; the server needs "
            f"{MINIMUM[0]}.{MINIMUM[1]} or newer, 64 bit. Choose another interpreter in the options."
        )
    if needs_venv and not found.has_venv:
        package = f"python{found.version[0]}.{found.version[1]}-venv"
        raise NoInterpreter(
            f"{found.path} (Python {found.version_text}) lacks the venv module. "
            f"On Debian and Ubuntu install it with: sudo apt install {package}"
        )


def _candidates() -> Iterator[Path]:
    """QGIS's own Python first: it is there on every platform, and its version is known to work."""
    # In QGIS, sys.executable is qgis-bin.exe (Windows), QGIS (macOS) or empty; look beside it.
    names = ["python3.exe", "python.exe"] if IS_WINDOWS else [f"python3.{sys.version_info[1]}", "python3"]
    prefixes = [Path(sys.base_prefix), Path(sys.base_exec_prefix)]
    folders = [p if IS_WINDOWS else p / "bin" for p in prefixes]
    if sys.executable:
        beside = Path(sys.executable).parent
        folders += [beside, beside / "bin"]
    for folder in folders:
        for name in names:
            yield folder / name
    for minor in PREFERRED_MINORS:
        found = shutil.which(f"python3.{minor}")
        if found:
            yield Path(found)
    for name in ("python3", "python"):
        found = shutil.which(name)
        # The Microsoft Store puts a stub there that opens the Store.
        if found and "WindowsApps" not in found:
            yield Path(found)
