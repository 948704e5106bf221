"""Who may ask: the right Host, no foreign Origin, the token."""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rsground_plugin.protocol import ERROR_STATUS, TOKEN_HEADER, ErrorEvent, WireError, event_to_line

_LOOPBACK_NAMES = ("127.0.0.1", "localhost", "::1")
_TOKEN_FREE_PATHS = ("/v1/health",)
#: How long a refused request's body is read and thrown away, so that the asker gets to read the refusal.
_DRAIN_S = 3.0


def error_response(error: WireError) -> Response:
    """The whole answer for an error that comes before any result."""
    headers = {"WWW-Authenticate": "Bearer"} if error.code == "unauthorized" else {}
    # The rest of a refused body must not be taken for the next request.
    headers["Connection"] = "close"
    return Response(
        event_to_line(ErrorEvent(error)), ERROR_STATUS[error.code], headers=headers, media_type="application/json"
    )


class _Body:
    """A request's body as it comes, and whether all of it has come."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._is_over = False

    async def receive(self) -> Message:
        message = await self._receive()
        self._is_over = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    async def drain(self) -> None:
        """Reads and forgets the rest, for a short time: a socket closed before it came would lose the answer."""
        deadline = time.monotonic() + _DRAIN_S
        while not self._is_over and (left := deadline - time.monotonic()) > 0:
            try:
                await asyncio.wait_for(self.receive(), left)
            except asyncio.TimeoutError:
                return


class Guard:
    """Refuses, before any route is looked up, what a web page or another user of this machine could send.

    A web page can send requests to loopback, under its own Origin; through DNS rebinding, under its own Host.
    """

    def __init__(self, app: ASGIApp, *, token: str, port: int) -> None:
        self._app = app
        self._token = token.encode()
        self._port = port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = _Body(receive)

        async def send_after_body(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] >= 400:
                await body.drain()
            await send(message)

        headers = {name.decode("latin-1").lower(): value for name, value in scope["headers"]}
        refusal = self._refusal(scope["path"], headers)
        answer = self._app if refusal is None else error_response(refusal)
        await answer(scope, body.receive, send_after_body)

    def _refusal(self, path: str, headers: Mapping[str, bytes]) -> WireError | None:
        host = headers.get("host", b"").decode("latin-1")
        if not _is_loopback(f"//{host}", self._port):
            return WireError("forbidden", f"Host: expected 127.0.0.1:{self._port}, got {host[:100]!r}.", "Host")
        origin = headers.get("origin")
        if origin is not None and not _is_loopback(origin.decode("latin-1"), None):
            return WireError("forbidden", "Origin: requests from web pages are refused.", "Origin")
        if path in _TOKEN_FREE_PATHS:
            return None
        scheme, _, came = headers.get(TOKEN_HEADER.lower(), b"").partition(b" ")
        if scheme.lower() != b"bearer" or not hmac.compare_digest(came.strip(), self._token):
            return WireError("unauthorized", f"{TOKEN_HEADER}: expected the server's token (Bearer).", TOKEN_HEADER)
        return None


def _is_loopback(url: str, port: int | None) -> bool:
    try:
        parts = urlsplit(url)
        return parts.hostname in _LOOPBACK_NAMES and (port is None or parts.port == port)
    except ValueError:  # not a URL at all
        return False
