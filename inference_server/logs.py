"""The server's log: to stderr, and to a file that rotates; the token is in neither."""

from __future__ import annotations

import logging
import logging.handlers
import sys
from pathlib import Path

_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_MAX_BYTES = 1_000_000
_OLD_FILES = 3


class _Redacting(logging.Formatter):
    """Replaces a secret wherever it would appear, tracebacks included."""

    def __init__(self, secret: str) -> None:
        super().__init__(_FORMAT)
        self._secret = secret

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        return text.replace(self._secret, "[token]") if self._secret else text


def start_logging(*, token: str, log_file: Path | None, level: str = "INFO") -> None:
    """Sets up the root logger, for the whole process.

    Raises:
        OSError: the log file cannot be written.
    """
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    if log_file is not None:
        log_file.parent.mkdir(parents=True, exist_ok=True)
        handlers.append(
            logging.handlers.RotatingFileHandler(
                log_file, maxBytes=_MAX_BYTES, backupCount=_OLD_FILES, encoding="utf-8", delay=False
            )
        )
    root = logging.getLogger()
    root.setLevel(level.upper())
    for handler in handlers:
        handler.setFormatter(_Redacting(token))
        root.addHandler(handler)
    # Its INFO lines tell of addresses that the Hello line tells already.
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    logging.captureWarnings(True)
