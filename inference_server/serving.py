"""The server's process: a socket on loopback, the Hello line, the life lines, and a certain end."""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import uvicorn

from inference_server.app import Server, make_app
from inference_server.logs import start_logging
from inference_server.models.registry import DEFAULT, Registry
from inference_server.parent import is_stdin_a_pipe, leave_with_parent, leave_with_stdin
from inference_server.pipeline import GroundingPipeline
from inference_server.version import VERSION
from rsground_plugin.protocol import TOKEN_VARIABLE, Hello

logger = logging.getLogger(__name__)

#: How long a running query may delay the end: native code cannot be interrupted.
_GRACE_S = 1.5


@dataclass(frozen=True)
class ServeOptions:
    """What the command line says.

    Attributes:
        port: 0 for any free one.
        parent_pid: the process to leave with.
        parent_stdin: leave when stdin closes; None for "when it is a pipe".
        token_stdin: the token is the first line on stdin, not in the environment.
        log_file: beside stderr.
        log_level: of logging.
        idle_unload_s: seconds without a query after which models and encodings are freed; None for never.
    """

    port: int = 0
    parent_pid: int | None = None
    parent_stdin: bool | None = None
    token_stdin: bool = False
    log_file: Path | None = None
    log_level: str = "INFO"
    idle_unload_s: float | None = None


class NoToken(Exception):
    """The parent passed no token."""


def serve(options: ServeOptions, registry: Registry | None = None) -> None:
    """Serves until told to leave. Owns the process: stdout, signals, logging and, at the end, exit.

    Raises:
        NoToken: neither the environment nor stdin holds a token.
        OSError: the port is taken, or the log file cannot be written.
    """
    token = _token(from_stdin=options.token_stdin)
    start_logging(token=token, log_file=options.log_file, level=options.log_level)
    listener = socket.create_server(("127.0.0.1", options.port))
    port: int = listener.getsockname()[1]
    server = Server(GroundingPipeline(registry or Registry()), idle_unload_s=options.idle_unload_s)
    config = uvicorn.Config(
        make_app(server, token=token, port=port),
        log_config=None,
        access_log=False,
        server_header=False,
        ws="none",
        lifespan="on",
        timeout_graceful_shutdown=1,
    )
    process = _Process(config, server, Hello("127.0.0.1", port, os.getpid(), VERSION), _own_stdout())
    server.leave = lambda: process.leave("a request to shut down")
    if options.parent_pid is not None:
        leave_with_parent(options.parent_pid, process.leave)
    if options.parent_stdin or (options.parent_stdin is None and is_stdin_a_pipe()):
        leave_with_stdin(process.leave)
    process.run(sockets=[listener])
    _exit()


class _Process(uvicorn.Server):
    """Announces itself once it listens, and leaves for certain."""

    def __init__(self, config: uvicorn.Config, server: Server, hello: Hello, announce_to: TextIO) -> None:
        super().__init__(config)
        self._server = server
        self._hello = hello
        # Held open to the end: its closing tells the parent that the process is over.
        self._announce_to = announce_to

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if not self.started:
            return
        self._announce_to.write(json.dumps(self._hello.to_dict()) + "\n")
        self._announce_to.flush()
        logger.info("version %s listens on %s:%d", self._hello.version, self._hello.host, self._hello.port)
        # The default engine's imports take a second: behind the announcement, before the first query.
        self._server.inference.submit(self._warm_up, threading.Event(), is_use=False)

    def _warm_up(self) -> None:
        try:
            self._server.pipeline.registry.get(DEFAULT)
        except Exception:  # the first query will say it to the user; the log says it now
            logger.exception("the default engine could not be loaded")

    def leave(self, reason: str) -> None:
        """Ends the process: gracefully, or after a moment for certain. From any thread."""
        logger.info("leaving: %s", reason)
        self.should_exit = True
        timer = threading.Timer(_GRACE_S, _exit)
        timer.daemon = True
        timer.start()


def _exit() -> None:
    # Not sys.exit: the inference thread may be in native code that does not come back for seconds.
    logging.shutdown()
    os._exit(0)


def _token(*, from_stdin: bool) -> str:
    # Out of the environment, so that no child and no dump of it holds the token.
    token = os.environ.pop(TOKEN_VARIABLE, "")
    if from_stdin:
        # Byte by byte: what follows belongs to nobody, but must not be waited for.
        line = bytearray()
        while (byte := os.read(sys.stdin.fileno(), 1)) not in (b"", b"\n"):
            line += byte
        token = line.decode().strip()
    if not token:
        raise NoToken(
            f"No token was given. Set the environment variable {TOKEN_VARIABLE}, or pass --token-stdin and write "
            "the token as one line to stdin."
        )
    return token


def _own_stdout() -> TextIO:
    """The process's stdout for the announcement alone; whatever else is printed goes to stderr."""
    sys.stdout.flush()
    own = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return own
