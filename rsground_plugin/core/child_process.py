"""Child processes that cannot be confused by QGIS's environment, and cannot outlive QGIS.

QGIS sets variables for its own libraries (PYTHONHOME, GDAL_DATA, PROJ_LIB ...) that break any other
Python. What the child needs is handed to it explicitly; the rest of the user's environment
(PATH, HOME, proxies, certificates) stays.
"""

from __future__ import annotations

import contextlib
import os
import subprocess  # a fixed argument list, never a shell; see start_child  # nosec B404
import sys
import threading
from pathlib import Path
from typing import IO, Callable, Dict, Mapping, Optional, Sequence

_STRIPPED_PREFIXES = (
    "PYTHON",
    "PROJ_",
    "GDAL_",
    "OGR_",
    "CPL_",
    "LD_",
    "DYLD_",
    "QT_",
    "QML",
    "QGIS_",
    "CONDA_",
    "OSGEO4W_",
    "RASTERIO_",
    "PIP_TARGET",
    "PIP_PREFIX",
    "PIP_USER",
)
_STRIPPED_NAMES = ("VIRTUAL_ENV", "GISBASE", "GISRC", "__PYVENV_LAUNCHER__")

IS_WINDOWS = sys.platform == "win32"


def child_environment(
    base: Optional[Mapping[str, str]] = None,
    *,
    python_path: Optional[Path] = None,
    extra: Optional[Mapping[str, str]] = None,
) -> Dict[str, str]:
    """The user's environment without QGIS's own settings.

    Args:
        base: what to clean; this process's environment when None.
        python_path: the only folder that the child may import from besides its own packages.
        extra: set on top.
    """
    base = os.environ if base is None else base
    cleaned = {
        key: value
        for key, value in base.items()
        if not key.upper().startswith(_STRIPPED_PREFIXES) and key.upper() not in _STRIPPED_NAMES
    }
    # Never import from the working directory (3.11+), nor from the user's site-packages.
    cleaned["PYTHONSAFEPATH"] = "1"
    cleaned["PYTHONNOUSERSITE"] = "1"
    cleaned["PYTHONUTF8"] = "1"
    # Plugin folders may be read-only, and __pycache__ in them upsets plugin updates.
    cleaned["PYTHONDONTWRITEBYTECODE"] = "1"
    if python_path is not None:
        cleaned["PYTHONPATH"] = str(python_path)
    cleaned.update(extra or {})
    return cleaned


def start_child(
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str],
    cwd: Path,
    stdin: int = subprocess.PIPE,
    stderr: int = subprocess.PIPE,
) -> subprocess.Popen[bytes]:
    """Starts a program with pipes on stdin, stdout and stderr, tied to this process's life.

    On Linux the server asks for PR_SET_PDEATHSIG, which fires when the *thread* that called this
    ends: call it from one that lives as long as the child.

    Raises:
        OSError: the program is missing or may not be run.
    """
    flags = {"creationflags": 0x08000000} if IS_WINDOWS else {}  # CREATE_NO_WINDOW
    child = subprocess.Popen(  # a list, no shell, the user's own Python  # noqa: S603  # nosec B603
        list(arguments),
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=stderr,
        env=dict(environment),
        cwd=str(cwd),
        **flags,  # type: ignore[arg-type]
    )
    if IS_WINDOWS:
        from .windows_job import tie_to_this_process

        tie_to_this_process(child)
    return child


def drain(pipe: IO[bytes], on_line: Callable[[str], None], *, name: str) -> threading.Thread:
    """Reads a pipe to its end in a thread, so that the child never blocks on a full one."""

    def run() -> None:
        # ValueError: the pipe was closed here while being read.
        with contextlib.suppress(OSError, ValueError):
            for line in iter(pipe.readline, b""):
                on_line(line.decode("utf-8", "replace").rstrip("\r\n"))

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    return thread


def stop_child(child: subprocess.Popen[bytes], *, grace_s: float = 1.5) -> int:
    """Ends a child for certain and returns its exit status: asked first, then told, then killed."""
    with contextlib.suppress(OSError, ValueError):
        if child.stdin is not None:
            child.stdin.close()  # the life line: our server leaves when it closes
    for act in (None, child.terminate, child.kill):
        if act is not None:
            with contextlib.suppress(OSError):
                act()
        try:
            return child.wait(timeout=grace_s)
        except subprocess.TimeoutExpired:
            continue
    return child.wait()
