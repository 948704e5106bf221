"""The server's life: started when first needed, watched, started anew after a crash, never left behind.

    ask_server         a question to a live server; one that died while it was idle is started anew
    ServerSource       what the rest of the plugin sees: ensure() -> GroundingClient
      LocalServer        our own child process
      RunningServer      one that someone else started, by URL and token

The life line is the child's stdin: it stays open as long as QGIS lives, and the server leaves when
it closes. PR_SET_PDEATHSIG (in the server) and a Job Object (Windows) cover a killed QGIS.
"""

from __future__ import annotations

import collections
import json
import secrets
import subprocess  # for the type only  # nosec B404
import threading
import time
import urllib.parse
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Deque, Optional, Tuple, TypeVar

from ..protocol import PROTOCOL_VERSION, TOKEN_VARIABLE, Hello, ProtocolError
from .child_process import child_environment, drain, start_child, stop_child
from .client import GroundingClient, IsCancelled, never_cancelled
from .errors import ClientError, ProtocolMismatch, QueryCancelled, ServerGone, ServerProcessError

#: A cold start on a slow disk imports numpy, scipy and rasterio for the first time.
START_TIMEOUT_S = 60.0
_POLL_S = 0.02
_Answer = TypeVar("_Answer")
_LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Launch:
    """How to start the server.

    Attributes:
        interpreter: the Python of its environment.
        server_folder: holds the packages inference_server and rsground_plugin (protocol only).
        arguments: after ``-m inference_server serve``.
        variables: names and values of environment variables that are set on top of the user's.
    """

    interpreter: Path
    server_folder: Path
    arguments: Tuple[str, ...] = ()
    variables: Tuple[Tuple[str, str], ...] = ()


class ServerSource:
    """Where a query gets its server from."""

    def ensure(self, is_cancelled: IsCancelled = never_cancelled) -> GroundingClient:
        """A client of a server that answers; starts one when needed. Blocks: not on the main thread.

        Raises:
            ServerProcessError: it could not be started.
            ClientError: it does not answer, or speaks another protocol.
            QueryCancelled: is_cancelled turned true while waiting.
        """
        raise NotImplementedError

    def warm_up(self) -> None:
        """Starts the server in the background; errors wait for the next ``ensure``."""

    def stop(self, *, wait_s: float = 0.0) -> None:
        """Ends what ``ensure`` started; returns at once unless wait_s is given."""

    def last_words(self) -> str:
        """The server's last lines on stderr, for the details of an error."""
        return ""


def ask_server(
    source: ServerSource,
    ask: Callable[[GroundingClient, Callable[[], None]], _Answer],
    *,
    is_cancelled: IsCancelled = never_cancelled,
) -> _Answer:
    """What ``ask`` returns; a server that died while it was idle is started anew, once.

    Args:
        source: of the server.
        ask: gets a client, and a function to call once the server has begun to work: from then on, a
            server that leaves is an error.
        is_cancelled: polled while the server starts.

    Raises:
        ServerGone: with the server's last lines as details.
        RSGroundError: as ``ServerSource.ensure`` and ``ask`` raise them.
    """
    begun = threading.Event()
    for is_last in (False, True):
        client = source.ensure(is_cancelled)
        try:
            return ask(client, begun.set)
        except ServerGone as error:
            if is_last or begun.is_set():
                raise ServerGone(str(error), details=f"{error.details}\n\n{source.last_words()}".strip()) from error
    raise AssertionError("the last attempt returns or raises")


class RunningServer(ServerSource):
    """A server that is already there."""

    def __init__(self, url: str, token: str) -> None:
        """Raises ServerProcessError when the URL is not one of a loopback server."""
        parts = urllib.parse.urlsplit(url.strip() if "://" in url else "http://" + url.strip())
        try:
            port = parts.port
        except ValueError:
            port = None
        if parts.scheme != "http" or parts.hostname not in _LOOPBACK_HOSTS or port is None:
            raise ServerProcessError(
                f"The server's address in the options should look like http://127.0.0.1:8765, and is {url!r}. "
                "For a server on another machine, forward its port with: ssh -L 8765:127.0.0.1:8765 machine"
            )
        self._client = GroundingClient(str(parts.hostname), port, token)

    def ensure(self, is_cancelled: IsCancelled = never_cancelled) -> GroundingClient:
        self._client.health()
        return self._client


class LocalServer(ServerSource):
    """Our own server. Safe to use from several threads.

    Args:
        launch: asked at every start, so that changed settings take effect; may raise RSGroundError.
        on_log: gets each line of the server's stderr (in a thread).
    """

    def __init__(self, launch: Callable[[], Launch], *, on_log: Optional[Callable[[str], None]] = None) -> None:
        self._launch = launch
        self._on_log = on_log
        self._lock = threading.Lock()
        self._run: Optional[_Run] = None

    def ensure(self, is_cancelled: IsCancelled = never_cancelled) -> GroundingClient:
        run = self._run
        if run is not None and run.client is not None and not run.is_over():
            try:
                run.client.health()
                return run.client
            except ServerGone:
                # Dying: Linux reports its end only when its last thread has gone.
                run.stop()
        return self._awaited(self._current_run(), is_cancelled)

    def _awaited(self, run: _Run, is_cancelled: IsCancelled) -> GroundingClient:
        while not run.is_settled.wait(_POLL_S):
            if is_cancelled():
                raise QueryCancelled("The query was cancelled while the server was starting.")
            if time.monotonic() - run.started_at > START_TIMEOUT_S:
                run.stop()
                raise ServerProcessError(
                    f"The server was started and said nothing for {START_TIMEOUT_S:.0f} s, so it was stopped. "
                    "Run the query again; if it happens again, set up the environment anew in the options.",
                    details=run.last_words(),
                )
        if run.error is not None:
            with self._lock:
                if self._run is run:
                    self._run = None  # the next query tries again
            raise run.error
        if run.client is None:
            raise ServerProcessError("The server was stopped while it was starting. Run the query again.")
        return run.client

    def warm_up(self) -> None:
        self._current_run()

    def stop(self, *, wait_s: float = 0.0) -> None:
        with self._lock:
            run, self._run = self._run, None
        if run is not None:
            run.stop()
            if wait_s:
                run.join(wait_s)

    def last_words(self) -> str:
        run = self._run
        return run.last_words() if run is not None else ""

    @property
    def pid(self) -> Optional[int]:
        """The server's process id while it runs."""
        run = self._run
        return run.pid if run is not None and run.is_alive() else None

    def _current_run(self) -> _Run:
        with self._lock:
            if self._run is None or self._run.is_over():
                self._run = _Run(self._launch, self._on_log)
                self._run.start()
            return self._run


class _Run(threading.Thread):
    """One process from its start to its end.

    The thread that starts the child stays until the child has ended: Linux sends the child its
    parent-death signal when the starting *thread* ends.
    """

    def __init__(self, launch: Callable[[], Launch], on_log: Optional[Callable[[str], None]]) -> None:
        super().__init__(name="rsground-server", daemon=True)
        self.started_at = time.monotonic()
        self.is_settled = threading.Event()  # either client or error is set, or it was stopped
        self.client: Optional[GroundingClient] = None
        self.error: Optional[Exception] = None
        self.pid: Optional[int] = None
        self._child: Optional[subprocess.Popen[bytes]] = None
        self._launch = launch
        self._on_log = on_log
        self._is_stopping = threading.Event()
        self._lines: Deque[str] = collections.deque(maxlen=200)
        self._exit_status: Optional[int] = None

    def is_over(self) -> bool:
        """The process has ended, by itself or because it was told to."""
        if self._is_stopping.is_set():
            return True
        return self.is_settled.is_set() and (
            not self.is_alive() or self._child is None or self._child.poll() is not None
        )

    def last_words(self) -> str:
        words = "\n".join(list(self._lines)[-40:])
        if self._exit_status is not None:
            words += f"\n(the server ended with status {self._exit_status})"
        return words.strip()

    def stop(self) -> None:
        """Tells the process to end; the thread sees to it."""
        if not self._is_stopping.is_set():
            self._is_stopping.set()
            threading.Thread(target=self._end, name="rsground-stop", daemon=True).start()

    def run(self) -> None:
        try:
            self._live()
        except Exception as error:  # the border of a thread: whatever it is, ensure() raises it
            self.error = error
        finally:
            self.is_settled.set()

    def _live(self) -> None:
        launch = self._launch()
        token = secrets.token_urlsafe(32)
        environment = child_environment(
            python_path=launch.server_folder, extra={**dict(launch.variables), TOKEN_VARIABLE: token}
        )
        arguments = [str(launch.interpreter), "-m", "inference_server", "serve", *launch.arguments]
        try:
            child = self._child = start_child(arguments, environment=environment, cwd=launch.server_folder)
        except OSError as error:
            raise ServerProcessError(
                f"The server's Python could not be started: {launch.interpreter}. "
                "Choose another interpreter or set up the environment anew in the options.",
                details=f"{error}\n{' '.join(arguments)}",
            ) from error
        self.pid = child.pid
        if self._is_stopping.is_set():
            self._end()
        errors = drain(child.stderr, self._heard, name="rsground-stderr")  # type: ignore[arg-type]
        try:
            self._greet(child, token)
        except Exception:
            errors.join(0.5)
            self._exit_status = stop_child(child)
            raise
        self.is_settled.set()
        # Nothing more is expected on stdout, and its end is the process's end.
        while child.stdout.readline():  # type: ignore[union-attr]
            pass
        self._exit_status = stop_child(child)
        self.client = None if self._is_stopping.is_set() else self.client

    def _greet(self, child: subprocess.Popen[bytes], token: str) -> None:
        line = child.stdout.readline()  # type: ignore[union-attr]
        try:
            hello = Hello.from_dict(json.loads(line)) if line else None
        except (ProtocolError, ValueError) as error:
            raise ProtocolMismatch(
                "The server's first line was not understood: its environment belongs to another version. "
                "Set it up anew in the options.",
                details=f"{error}\n{self.last_words()}",
            ) from error
        if hello is None:
            if self._is_stopping.is_set():
                raise ServerProcessError("The server was stopped while it was starting. Run the query again.")
            child.wait(2.0)
            time.sleep(0.05)  # its last lines are still in the pipe
            raise ServerProcessError(
                "The server ended while it was starting. Its environment may be damaged: set it up anew in the "
                "options. The details hold its last lines.",
                details=self.last_words() or f"It ended with status {child.returncode} and said nothing.",
            )
        if hello.protocol != PROTOCOL_VERSION:
            raise ProtocolMismatch(
                f"The server speaks protocol {hello.protocol}, this plugin speaks {PROTOCOL_VERSION}. "
                "Update the plugin, or restart QGIS if you just did.",
                details=f"server version {hello.version}",
            )
        client = GroundingClient(hello.host, hello.port, token)
        deadline = self.started_at + START_TIMEOUT_S
        while True:
            try:
                client.health()
                break
            except ClientError:
                # It announces its port before the first connection is accepted.
                if child.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(_POLL_S)
        self.client = client

    def _heard(self, line: str) -> None:
        self._lines.append(line)
        if self._on_log is not None:
            self._on_log(line)

    def _end(self) -> None:
        if self._child is not None:
            self._exit_status = stop_child(self._child)
