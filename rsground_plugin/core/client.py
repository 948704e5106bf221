"""The plugin's side of the wire: one method per endpoint, every transport fault translated here.

Standard library only. ``http.client`` knows nothing of proxies, so a loopback address is always
reached directly, whatever the user's proxy settings say.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import secrets
import socket
import threading
from typing import Callable, Iterator, List, Optional, Tuple, TypeVar

from ..protocol import (
    ERROR_STATUS,
    MAX_BODY_BYTES,
    PROTOCOL_VERSION,
    TOKEN_HEADER,
    BatchEndEvent,
    BatchEvent,
    BatchRequest,
    BatchResult,
    EngineInfo,
    ErrorEvent,
    GroundingRequest,
    GroundingResult,
    Health,
    ProgressEvent,
    ProtocolError,
    ResultEvent,
    WireError,
    batch_event_from_line,
    event_from_line,
)
from .errors import ClientError, ProtocolMismatch, QueryCancelled, ServerGone, ServerRefused, ServerTimeout

OnProgress = Callable[[ProgressEvent], None]
IsCancelled = Callable[[], bool]
_Result = TypeVar("_Result")

#: How long a small question may take. The server answers them beside the inference, so this is generous.
ANSWER_TIMEOUT_S = 10.0
#: How long an answer may stay silent between two lines before the server counts as hung.
SILENCE_TIMEOUT_S = 600.0
#: How often a running query looks whether it was cancelled.
CANCEL_POLL_S = 0.05
#: A line longer than this is not one of ours (a result with 100,000 masks stays below).
MAX_LINE_BYTES = 1024 * 1024 * 1024


def never_cancelled() -> bool:
    """For callers that cannot be cancelled."""
    return False


class GroundingClient:
    """Speaks to one server. Safe to use from several threads: each call has its own connection."""

    def __init__(
        self,
        host: str,
        port: int,
        token: str,
        *,
        answer_timeout_s: float = ANSWER_TIMEOUT_S,
        silence_timeout_s: float = SILENCE_TIMEOUT_S,
    ) -> None:
        self.host = host
        self.port = port
        self._token = token
        self._answer_timeout_s = answer_timeout_s
        self._silence_timeout_s = silence_timeout_s

    def __repr__(self) -> str:
        # Without the token: this text reaches logs and error messages.
        return f"GroundingClient({self.host}:{self.port})"

    def health(self) -> Health:
        """Liveness. Raises ServerGone, ServerTimeout, ProtocolMismatch."""
        try:
            health = Health.from_dict(self._json("GET", "/v1/health", needs_token=False))
        except ProtocolError as error:
            raise self._mismatch(str(error)) from error
        if health.protocol != PROTOCOL_VERSION:
            raise self._mismatch(f"it speaks protocol {health.protocol}, this plugin speaks {PROTOCOL_VERSION}")
        return health

    def engines(self) -> Tuple[EngineInfo, ...]:
        """What each engine gives and needs. Raises ClientError's leaves."""
        data = self._json("GET", "/v1/engines")
        try:
            # The list may come bare or under a key, as {"engines": [...]}.
            items = data["engines"] if isinstance(data, dict) else data
            return tuple(EngineInfo.from_dict(item, f"engines[{i}]") for i, item in enumerate(items))
        except (ProtocolError, KeyError, TypeError) as error:
            raise self._mismatch(str(error)) from error

    def shutdown(self) -> None:
        """Asks the server to leave. Raises ClientError's leaves."""
        self._json("POST", "/v1/shutdown")

    def ground(
        self,
        request: GroundingRequest,
        tile_bytes: bytes,
        *,
        on_progress: Optional[OnProgress] = None,
        is_cancelled: IsCancelled = never_cancelled,
    ) -> GroundingResult:
        """What the expression names on the tile.

        Args:
            request: the question.
            tile_bytes: a GeoTIFF with its affine, CRS and mask.
            on_progress: called in this thread for every stage that the server reports.
            is_cancelled: polled every 50 ms from another thread; once true, the connection is
                closed, which stops the server's work too.

        Raises:
            QueryCancelled: is_cancelled turned true.
            ServerRefused: with the wire's code and field.
            ServerGone, ServerTimeout, ProtocolMismatch: as their names say.
        """
        if len(tile_bytes) > MAX_BODY_BYTES:
            raise ServerRefused(
                f"The tile has {len(tile_bytes) / 1e6:.0f} MB, the server takes at most {MAX_BODY_BYTES / 1e6:.0f} MB."
                " Choose a smaller area, or lower the tile size in the options.",
                code="body_too_large",
            )
        boundary = secrets.token_hex(16)
        parts = _multipart(boundary, request, tile_bytes)
        headers = {
            "Content-Type": f"multipart/form-data; boundary={boundary}",
            "Content-Length": str(sum(len(p) for p in parts)),
            "Accept": "application/x-ndjson",
        }

        def handle(event: object) -> Optional[GroundingResult]:
            if isinstance(event, ResultEvent):
                return event.result
            if on_progress is not None and isinstance(event, ProgressEvent):
                on_progress(event)
            return None

        return self._streamed("/v1/ground", headers, parts, event_from_line, handle, is_cancelled)

    def batch(
        self,
        request: BatchRequest,
        *,
        on_event: Callable[[BatchEvent], None],
        is_cancelled: IsCancelled = never_cancelled,
    ) -> BatchResult:
        """Expressions over whole rasters; the result lies in ``request.output``.

        Args:
            request: what to do. A journal that ``output`` holds is continued.
            on_event: called in this thread for the plan, every tile and every stage.
            is_cancelled: as in :meth:`ground`; what was done stays in the journal.

        Raises:
            QueryCancelled: is_cancelled turned true.
            ServerRefused: with the wire's code and field ("journal_mismatch": ask for ``restart``).
            ServerGone, ServerTimeout, ProtocolMismatch: as their names say.
        """
        body = json.dumps(request.to_dict(), ensure_ascii=False).encode()
        headers = {
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            "Accept": "application/x-ndjson",
        }

        def handle(event: object) -> Optional[BatchResult]:
            if isinstance(event, BatchEndEvent):
                return event.result
            on_event(event)  # type: ignore[arg-type]
            return None

        return self._streamed("/v1/batch", headers, (body,), batch_event_from_line, handle, is_cancelled)

    def _streamed(
        self,
        path: str,
        headers: dict,
        parts: Tuple[bytes, ...],
        parse: Callable[[bytes], object],
        handle: Callable[[object], Optional[_Result]],
        is_cancelled: IsCancelled,
    ) -> _Result:
        """Sends a question and hands the events of its answer to ``handle``, until that returns the result."""
        with self._connection(self._silence_timeout_s) as connection, _Watch(connection, is_cancelled) as watch:
            try:
                response = self._send(connection, "POST", path, headers, parts)
                if response.status != http.client.OK:
                    raise self._refused(response)
                with response:
                    for line in _lines(response):
                        event = parse(line)
                        if isinstance(event, ErrorEvent):
                            raise _refusal(event.error)
                        result = handle(event)
                        if result is not None:
                            return result
            except (
                ClientError,
                ProtocolError,
                OSError,
                http.client.HTTPException,
                ValueError,
                AttributeError,
            ) as error:
                # ValueError and AttributeError: what http.client raises when the watch shuts the
                # socket under it; anything else of that kind is passed on below.
                if watch.has_fired:
                    raise QueryCancelled("The query was cancelled.") from error
                raise self._translated(error) from error
            if watch.has_fired:
                raise QueryCancelled("The query was cancelled.")
        raise ServerGone(
            "The server stopped in the middle of the answer. Run the query again: the server is started anew.",
            details="The answer ended without a result.",
        )

    # -- one exchange ------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _connection(self, timeout_s: float) -> Iterator[http.client.HTTPConnection]:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=self._answer_timeout_s)
        try:
            try:
                connection.connect()
                connection.sock.settimeout(timeout_s)
                # Small lines must not wait for each other.
                connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError as error:
                raise self._translated(error) from error
            yield connection
        finally:
            connection.close()

    def _send(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        headers: Optional[dict] = None,
        parts: Tuple[bytes, ...] = (),
        *,
        needs_token: bool = True,
    ) -> http.client.HTTPResponse:
        headers = dict(headers or {})
        if needs_token:
            headers[TOKEN_HEADER] = f"Bearer {self._token}"
        # A server that refuses (401, 413) may answer and close before it has read the body: its
        # answer is worth more than the broken pipe. Without one, getresponse raises.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError, ConnectionAbortedError):
            connection.request(method, path, body=iter(parts) if parts else None, headers=headers)
        return connection.getresponse()

    def _json(self, method: str, path: str, *, needs_token: bool = True) -> object:
        with self._connection(self._answer_timeout_s) as connection:
            try:
                response = self._send(connection, method, path, needs_token=needs_token)
                if response.status != http.client.OK:
                    raise self._refused(response)
                return json.loads(response.read() or b"null")
            except (OSError, http.client.HTTPException, ValueError) as error:
                raise self._translated(error) from error

    # -- faults ------------------------------------------------------------------------------------

    def _refused(self, response: http.client.HTTPResponse) -> ClientError:
        body = response.read(1_000_000)
        try:
            event = event_from_line(body)
        except ProtocolError:
            event = None
        if isinstance(event, ErrorEvent):
            return _refusal(event.error)
        shown = body[:300].decode("utf-8", "replace")
        return self._mismatch(f"it answered status {response.status}: {shown}")

    def _mismatch(self, what: str) -> ProtocolMismatch:
        return ProtocolMismatch(
            f"What answers at {self.host}:{self.port} is not an RSGround server of this version. "
            "Restart QGIS, or check the server's address in the options.",
            details=what,
        )

    def _translated(self, error: Exception) -> Exception:
        """The plugin's error for a foreign one; errors of unknown kinds are handed back as they are."""
        if isinstance(error, ClientError):
            return error
        if isinstance(error, ProtocolError):
            return self._mismatch(str(error))
        if isinstance(error, (socket.timeout, TimeoutError)):
            return ServerTimeout(
                f"The server at {self.host}:{self.port} did not answer in time. Try a smaller area, "
                "or restart the server in the options.",
                details=repr(error),
            )
        if isinstance(error, ConnectionRefusedError):
            return ServerGone(
                f"No server answers at {self.host}:{self.port}. Run the query again to start it, "
                "or check the address in the options.",
                details=repr(error),
            )
        if isinstance(error, (OSError, http.client.RemoteDisconnected, http.client.IncompleteRead)):
            return ServerGone(
                "The server stopped in the middle of the answer. Run the query again: the server is started anew.",
                details=repr(error),
            )
        if isinstance(error, (http.client.HTTPException, ValueError)):
            return self._mismatch(repr(error))
        return error


def _refusal(error: WireError) -> ServerRefused:
    return ServerRefused(
        error.message,
        code=error.code,
        field=error.field,
        details=f"code {error.code} ({ERROR_STATUS[error.code]})" + (f", field {error.field}" if error.field else ""),
    )


def _multipart(boundary: str, request: GroundingRequest, tile_bytes: bytes) -> Tuple[bytes, ...]:
    """The body's pieces; the tile is passed on without being copied."""
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="request"\r\n'
        "Content-Type: application/json\r\n\r\n"
        f"{json.dumps(request.to_dict(), ensure_ascii=False)}\r\n"
        f'--{boundary}\r\nContent-Disposition: form-data; name="tile"; filename="tile.tif"\r\n'
        "Content-Type: image/tiff\r\n\r\n"
    )
    return (head.encode(), tile_bytes, f"\r\n--{boundary}--\r\n".encode())


def _lines(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """Lines as they arrive; ``readline`` of a chunked response returns as soon as a line is whole."""
    pieces: List[bytes] = []
    size = 0
    while True:
        piece = response.readline(1 << 20)
        if not piece:
            if pieces:
                raise http.client.IncompleteRead(b"".join(pieces)[:100])
            return
        pieces.append(piece)
        size += len(piece)
        if size > MAX_LINE_BYTES:
            raise ProtocolError("event", f"a line of at most {MAX_LINE_BYTES} bytes", f"{size} bytes")
        if piece.endswith(b"\n"):
            yield b"".join(pieces)
            pieces, size = [], 0


class _Watch:
    """Shuts a connection's socket as soon as ``is_cancelled`` turns true.

    A thread of its own, because the thread of the query is blocked in ``recv``: shutting the socket
    wakes it at once, on every platform, where a polling time-out would tear buffered lines apart.
    """

    def __init__(self, connection: http.client.HTTPConnection, is_cancelled: IsCancelled) -> None:
        self.has_fired = False
        self._socket = connection.sock
        self._is_cancelled = is_cancelled
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rsground-cancel", daemon=True)

    def __enter__(self) -> _Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._is_over.wait(CANCEL_POLL_S):
            if self._is_cancelled():
                self.has_fired = True
                with contextlib.suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)
                return
