"""A small hub on the loopback interface: real files, the public hub's routes, and the faults that networks have."""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "0123456789abcdef0123456789abcdef01234567"
#: From this size on a file counts as large, and has a sha256 instead of a blob id.
LARGE = 1000


@dataclass
class LoopbackHub:
    """What it holds and how it misbehaves.

    Attributes:
        files: name -> content, of the one repository that it has.
        cut_after: answers of large files break off after so many bytes, so many times.
        hold_after: answers of large files stop after so many bytes until ``released``.
        corrupt: names whose first byte comes wrong.
        status: answered to everything when not 0.
        ignores_range: Range is not known.
        token: that must come, where one is wanted.
        elsewhere: large files are at another host, as at the public hub.
        asked: (path, Range header, Authorization header) of every request.
    """

    files: dict[str, bytes]
    repo: str = "someone/tiny"
    commit: str = COMMIT
    licence: str = "apache-2.0"
    cut_after: int = 0
    cuts: int = 0
    hold_after: int = 0
    released: threading.Event = field(default_factory=threading.Event)
    corrupt: set[str] = field(default_factory=set)
    status: int = 0
    ignores_range: bool = False
    token: str = ""
    elsewhere: bool = False
    extra_files: tuple[dict, ...] = ()
    asked: list[tuple[str, str | None, str | None]] = field(default_factory=list)
    endpoint: str = ""

    def listing(self) -> bytes:
        siblings = []
        for name, content in self.files.items():
            blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
            entry = {"rfilename": name, "size": len(content), "blobId": blob}
            if len(content) >= LARGE:
                entry["lfs"] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
            siblings.append(entry)
        return json.dumps(
            {"sha": self.commit, "gated": "auto" if self.token else False, "cardData": {"license": self.licence},
             "siblings": [*siblings, *self.extra_files]}
        ).encode()  # fmt: skip


@contextmanager
def serving(hub: LoopbackHub) -> Iterator[LoopbackHub]:
    """Serves until the block ends; sets the hub's endpoint."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args):
            pass

        def do_GET(self):
            hub.asked.append((self.path, self.headers.get("Range"), self.headers.get("Authorization")))
            if self.path.startswith("/cdn/"):
                self.content(self.path[len("/cdn/") :])
            elif hub.status:
                self.send_error(hub.status)
            elif hub.token and self.headers.get("Authorization") != f"Bearer {hub.token}":
                self.send_error(401)
            elif self.path.startswith(f"/api/models/{hub.repo}/revision/"):
                self.answer(200, hub.listing())
            elif self.path.startswith(f"/{hub.repo}/resolve/{hub.commit}/"):
                name = self.path.split(hub.commit + "/", 1)[1]
                if hub.elsewhere and len(hub.files.get(name, b"")) >= LARGE:
                    self.send_response(302)
                    self.send_header("Location", f"http://localhost:{self.server.server_port}/cdn/{name}")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                else:
                    self.content(name)
            else:
                self.send_error(404)

        def content(self, name):
            if name not in hub.files:
                self.send_error(404)
                return
            body = hub.files[name]
            if name in hub.corrupt:
                body = bytes([body[0] ^ 255]) + body[1:]
            start = 0
            wanted = self.headers.get("Range")
            if wanted and not hub.ignores_range:
                start = int(wanted.removeprefix("bytes=").rstrip("-"))
                if start >= len(body):
                    self.send_error(416)
                    return
            self.answer(206 if start else 200, body[start:], name=name)

        def answer(self, status, body, name=""):
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if hub.cuts and len(body) >= LARGE and name:
                hub.cuts -= 1
                body = body[: hub.cut_after]
                self.close_connection = True
            with contextlib.suppress(ConnectionError):  # the asker has gone
                if hub.hold_after and len(body) >= LARGE and name:
                    self.wfile.write(body[: hub.hold_after])
                    self.wfile.flush()
                    hub.released.wait(30)
                    body = body[hub.hold_after :]
                self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
