"""Published weights of large models, listed and downloaded by the server's own program as a child process.

PublishedWeights  one set: what it is, how large, whose licence, whether it is here
list_weights      asks which there are
pull_weights      downloads one; stopping it keeps what came
"""

from __future__ import annotations

import json
import re
import subprocess  # see child_process.start_child  # nosec B404
import time
from dataclasses import dataclass
from typing import Callable, List, Mapping, Tuple

from .child_process import child_environment, drain, start_child, stop_child
from .errors import QueryCancelled, WeightsFault
from .server_process import Launch

#: report(the program's line, fraction done from 0 to 1)
Report = Callable[[str, float], None]
IsCancelled = Callable[[], bool]

_POLL_S = 0.05
_PROGRESS = re.compile(r"\s*(\d+)%  (.*)")


@dataclass(frozen=True)
class PublishedWeights:
    """One set of weights.

    Attributes:
        id: for the program.
        role: what they do.
        engines: that can use them.
        n_bytes: of a download, about.
        licence: as published.
        is_here: nothing needs to be downloaded.
        is_partly_here: a download was stopped.
        is_default: their engine takes them when nothing else is said.
    """

    id: str
    role: str
    engines: Tuple[str, ...]
    n_bytes: int
    licence: str
    is_here: bool
    is_partly_here: bool
    is_default: bool


def list_weights(launch: Launch, is_cancelled: IsCancelled) -> Tuple[PublishedWeights, ...]:
    """The weights that the server's program knows, and their state. Any thread.

    Raises:
        WeightsFault: it could not be asked.
        QueryCancelled: is_cancelled turned true.
    """
    lines = _run(launch, ("list", "--json"), {}, lambda line, share: None, is_cancelled)
    try:
        rows = json.loads(lines[-1])["weights"]
        return tuple(
            PublishedWeights(
                id=row["id"],
                role=row["role"],
                engines=tuple(row["engines"]),
                n_bytes=row["n_bytes"],
                licence=row["licence"],
                is_here=row["state"] in ("pulled", "in the hub's cache"),
                is_partly_here=row["state"] == "partly pulled",
                is_default=row["is_default"],
            )
            for row in rows
        )
    except (IndexError, ValueError, KeyError, TypeError) as error:
        raise WeightsFault(
            "The server's program did not list its weights: it is of another version. Set up its environment anew.",
            details="\n".join(lines),
        ) from error


def pull_weights(
    launch: Launch, name: str, proxy: Mapping[str, str], report: Report, is_cancelled: IsCancelled
) -> None:
    """Downloads weights, or goes on with a download. Any thread.

    Args:
        launch: how the server is started.
        name: ``PublishedWeights.id``; the user has agreed to its licence.
        proxy: environment variables, from QGIS's settings.
        report: called in this thread.
        is_cancelled: polled; what came is kept.

    Raises:
        WeightsFault: no network, no room, a licence to be accepted first: the message says what to do.
        QueryCancelled: is_cancelled turned true.
    """
    _run(launch, ("pull", name, "--yes"), proxy, report, is_cancelled)


def _run(
    launch: Launch, arguments: Tuple[str, ...], extra: Mapping[str, str], report: Report, is_cancelled: IsCancelled
) -> List[str]:
    """Runs ``inference_server models`` and returns the lines of its stdout."""
    environment = child_environment(python_path=launch.server_folder, extra={**dict(launch.variables), **extra})
    command = [str(launch.interpreter), "-m", "inference_server", "models", *arguments]
    try:
        child = start_child(command, environment=environment, cwd=launch.server_folder, stdin=subprocess.DEVNULL)
    except OSError as error:
        raise WeightsFault(
            f"The server's Python could not be started: {launch.interpreter}. Choose another one in the options.",
            details=str(error),
        ) from error
    said: List[str] = []
    errors: List[str] = []

    def heard(line: str) -> None:
        progress = _PROGRESS.fullmatch(line)
        if progress:
            report(progress[2], int(progress[1]) / 100)
        elif line:
            errors.append(line)

    readers = (
        drain(child.stdout, said.append, name="rsground-models-out"),  # type: ignore[arg-type]
        drain(child.stderr, heard, name="rsground-models-err"),  # type: ignore[arg-type]
    )
    while child.poll() is None:
        if is_cancelled():
            stop_child(child)
            raise QueryCancelled("The download was stopped; what came is kept.")
        time.sleep(_POLL_S)
    for reader in readers:
        reader.join(5.0)
    if child.returncode != 0:
        reason = errors[-1] if errors else f"The program ended with status {child.returncode}."
        prefix = "rsground: "
        reason = reason[len(prefix) :] if reason.startswith(prefix) else reason
        raise WeightsFault(reason, details="\n".join(errors[-40:]))
    return said
