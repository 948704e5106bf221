"""The server's private Python environment: made on first use, checked, removed.

It lies in ``<data folder>/env-<plugin version>``. While it is being made it holds a file INCOMPLETE;
when it is done, a file rsground.json with the hash of the requirements it was made from. A lock file
beside it keeps two QGIS windows from making it at once; the operating system frees the lock when its
holder dies.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess  # see child_process.start_child  # nosec B404
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Mapping, Optional

from .child_process import IS_WINDOWS, child_environment, drain, start_child, stop_child
from .errors import EnvironmentBusy, EnvironmentFault, InstallFailed, NoInterpreter, QueryCancelled
from .interpreters import find_interpreter, find_uv

#: What the environment takes on disk, for the panel's card and the preflight (measured on Linux).
SIZE_MB = 600
_NEEDED_MB = 1500
_MARKER = "rsground.json"
_INCOMPLETE = "INCOMPLETE"

READY, MISSING, INCOMPLETE, OUTDATED = "ready", "missing", "incomplete", "outdated"

#: report(what is being done, fraction done from 0 to 1)
Report = Callable[[str, float], None]
IsCancelled = Callable[[], bool]


@dataclass(frozen=True)
class Environment:
    """Where the environment is, or will be.

    Attributes:
        folder: of the virtual environment.
        server_folder: holds inference_server/ with its requirements.txt.
    """

    folder: Path
    server_folder: Path

    @property
    def interpreter(self) -> Path:
        return self.folder / ("Scripts/python.exe" if IS_WINDOWS else "bin/python")

    @property
    def requirements(self) -> Path:
        return self.server_folder / "inference_server" / "requirements.txt"

    @property
    def log(self) -> Path:
        return self.folder.with_name(self.folder.name + ".log")

    def fingerprint(self) -> str:
        """Of the requirements: another one means that the environment is outdated."""
        try:
            return hashlib.sha256(self.requirements.read_bytes()).hexdigest()
        except OSError as error:
            raise EnvironmentFault(
                f"The plugin's file {self.requirements} is missing: install the plugin again.", details=str(error)
            ) from error

    def state(self) -> str:
        """READY, MISSING, INCOMPLETE (its making was interrupted) or OUTDATED."""
        if not self.folder.is_dir():
            return MISSING
        if (self.folder / _INCOMPLETE).exists() or not self.interpreter.exists():
            return INCOMPLETE
        try:
            marker = json.loads((self.folder / _MARKER).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return INCOMPLETE
        return READY if marker.get("requirements") == self.fingerprint() else OUTDATED

    def remove(self) -> None:
        """Deletes it. Raises EnvironmentBusy, EnvironmentFault."""
        with _lock(self.folder):
            _delete(self.folder)

    def make(
        self,
        *,
        base_interpreter: str = "",
        extra_environment: Optional[Mapping[str, str]] = None,
        report: Report,
        is_cancelled: IsCancelled,
    ) -> None:
        """Makes the environment, or makes it anew. Blocks for minutes: not on the main thread.

        Args:
            base_interpreter: path in the settings, "" to look for one.
            extra_environment: proxies, from QGIS's settings.
            report: called in this thread.
            is_cancelled: polled; what was made is then removed.

        Raises:
            NoInterpreter, InstallFailed, EnvironmentBusy, EnvironmentFault, QueryCancelled.
        """
        fingerprint = self.fingerprint()
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        _check_disk(self.folder.parent)
        with _lock(self.folder):
            if self.state() == READY:
                return  # another window made it while this one waited
            report("Looking for Python", 0.0)
            uv = find_uv()
            _delete(self.folder)
            self.folder.mkdir()
            (self.folder / _INCOMPLETE).write_text("The making of this environment was not finished.\n")
            steps = _Steps(self, dict(extra_environment or {}), report, is_cancelled)
            try:
                steps.install(uv, base_interpreter)
                (self.folder / _MARKER).write_text(
                    json.dumps({"requirements": fingerprint, "made": time.strftime("%Y-%m-%dT%H:%M:%S")}),
                    encoding="utf-8",
                )
                (self.folder / _INCOMPLETE).unlink()
            except BaseException:
                with contextlib.suppress(EnvironmentFault):
                    _delete(self.folder)
                raise
            report("Ready", 1.0)


class _Steps:
    """The steps of one making, each a child process whose lines go to the log."""

    def __init__(
        self, environment: Environment, extra: Dict[str, str], report: Report, is_cancelled: IsCancelled
    ) -> None:
        self._environment = environment
        self._extra = extra
        self._report = report
        self._is_cancelled = is_cancelled
        self._lines: List[str] = []
        requirements = environment.requirements.read_text(encoding="utf-8").splitlines()
        self._n_packages = max(1, sum(1 for r in requirements if re.match(r"[A-Za-z0-9]", r)))

    def install(self, uv: Optional[Path], base_interpreter: str) -> None:
        environment = self._environment
        requirements = str(environment.requirements)
        if uv is not None:
            try:
                base = str(find_interpreter(base_interpreter, needs_venv=False).path)
            except NoInterpreter:
                if base_interpreter:
                    raise
                base = "3.12"  # uv fetches one
            self._step(
                "Making the environment",
                0.02,
                [str(uv), "venv", "--allow-existing", "--python", base, str(environment.folder)],
            )
            self._step(
                "Installing packages",
                0.1,
                [
                    *(str(uv), "pip", "install", "--python", str(environment.interpreter)),
                    *("--only-binary", ":all:", "-r", requirements),
                ],
            )
        else:
            found = find_interpreter(base_interpreter)
            self._step("Making the environment", 0.02, [str(found.path), "-m", "venv", str(environment.folder)])
            pip = [str(environment.interpreter), "-m", "pip", "--disable-pip-version-check", "--no-input"]
            self._step(
                "Installing packages",
                0.1,
                [*pip, "install", "--only-binary", ":all:", "--progress-bar", "off", "-r", requirements],
            )
        self._step("Checking", 0.95, [str(environment.interpreter), "-c", "import inference_server.app"])

    def _step(self, title: str, fraction: float, arguments: List[str]) -> None:
        """Raises InstallFailed with the reason, QueryCancelled."""
        environment = child_environment(python_path=self._environment.server_folder, extra=self._extra)
        self._report(title, fraction)
        n_seen = 0

        def heard(line: str) -> None:
            nonlocal n_seen
            self._lines.append(line)
            log.write(line + "\n")
            match = re.match(
                r"\s*(?:Collecting|\+) ?([A-Za-z0-9._-]+)|\s*Downloading ([^ ]+)|(Installing collected)", line
            )
            if match and title.startswith("Installing"):
                if line.lstrip().startswith("Collecting"):
                    n_seen += 1
                done = 1.0 if match.group(3) else min(0.95, n_seen / self._n_packages)
                name = match.group(1) or (match.group(2) or "").rsplit("/", 1)[-1].split("-")[0]
                self._report(f"{title}: {name}" if name else f"{title}: unpacking", fraction + 0.8 * done)

        self._environment.log.parent.mkdir(parents=True, exist_ok=True)
        with open(self._environment.log, "a", encoding="utf-8") as log:
            log.write(f"\n== {time.strftime('%Y-%m-%d %H:%M:%S')} {title}\n")
            try:
                child = start_child(
                    arguments,
                    environment=environment,
                    cwd=self._environment.folder,
                    stdin=subprocess.DEVNULL,
                    stderr=subprocess.STDOUT,
                )
            except OSError as error:
                raise InstallFailed(f"{arguments[0]} could not be started.", details=str(error)) from error
            reader = drain(child.stdout, heard, name="rsground-install")  # type: ignore[arg-type]
            while child.poll() is None:
                if self._is_cancelled():
                    stop_child(child)
                    reader.join(2.0)
                    raise QueryCancelled("The setting up was cancelled; nothing was left behind.")
                time.sleep(0.05)
            reader.join(5.0)
        if child.returncode != 0:
            tail = "\n".join(self._lines[-40:])
            raise InstallFailed(_reason(tail), details=f"{tail}\n(whole log: {self._environment.log})")


def _reason(output: str) -> str:
    """What to do about a failed step, from what pip and uv say."""
    text = output.lower()
    if "ensurepip is not available" in text or "no module named venv" in text:
        return (
            "This Python cannot make virtual environments. On Debian and Ubuntu install the package "
            "python3-venv (sudo apt install python3-venv), then set up again."
        )
    if "proxy" in text and ("407" in text or "authentication" in text or "cannot connect to proxy" in text):
        return "The proxy refused the connection. Check it in QGIS's options under Network, then set up again."
    if "certificate" in text and ("verify" in text or "unknownissuer" in text):
        return (
            "The connection's certificate is not trusted: a proxy or antivirus is probably inspecting it. "
            "Ask your administrator for its certificate and set SSL_CERT_FILE, then set up again."
        )
    if any(
        sign in text
        for sign in (
            "name or service not known",
            "temporary failure in name resolution",
            "getaddrinfo failed",
            "network is unreachable",
            "connection refused",
            "newconnectionerror",
            "dns error",
            "error sending request",
            "timed out",
        )
    ):
        return (
            "The Python package index cannot be reached. Check the network, or the proxy in QGIS's options "
            "under Network, then set up again."
        )
    if "no space left" in text:
        return "The disk is full. Free some space, then set up again."
    if "no matching distribution" in text or "no solution found" in text:
        return (
            "A package does not come for this Python and platform. Choose another Python (3.11 or 3.12) in the options."
        )
    return "The packages could not be installed. The details hold the last lines of the log."


def _check_disk(folder: Path) -> None:
    free_mb = shutil.disk_usage(str(folder)).free / 1e6
    if free_mb < _NEEDED_MB:
        raise EnvironmentFault(
            f"The environment needs {_NEEDED_MB} MB while it is made, and {folder} has {free_mb:.0f} MB free. "
            "Free some space, then set up again."
        )


def _delete(folder: Path) -> None:
    if not folder.exists():
        return
    with contextlib.suppress(OSError):
        # Whatever happens from here on, what is left is not taken for whole.
        (folder / _INCOMPLETE).write_text("The removal of this environment was not finished.\n")
    for is_last in (False,) * 10 + (True,):
        try:
            shutil.rmtree(folder)
            return
        except OSError as error:
            if is_last:
                raise EnvironmentFault(
                    f"{folder} could not be removed: is a server of another QGIS window using it? Close it and try "
                    "again.",
                    details=str(error),
                ) from error
        time.sleep(0.2)  # a cancelled installer's own children may still be writing their last file


@contextlib.contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """One making at a time on this machine. Raises EnvironmentBusy when another process holds it."""
    path = folder.with_name(folder.name + ".lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(str(path), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            if IS_WINDOWS:
                import msvcrt

                msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
            else:
                import fcntl

                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise EnvironmentBusy(
                "Another QGIS window is setting up the environment at this moment. Wait until it is done.",
                details=str(path),
            ) from error
        yield
    finally:
        os.close(handle)
