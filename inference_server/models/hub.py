"""Asks a hub what a repository holds, and brings files from it: resumed, verified, in place all at once.

Standard library only, so that weights can be pulled before the packages that run them are installed.
huggingface_hub 2.4 does not go on with a download that another process began, and does not check hashes.
"""

from __future__ import annotations

import errno
import hashlib
import http.client
import json
import os
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from inference_server.errors import AccessDenied, DiskFull, HubUnreachable, WeightsDamaged
from inference_server.models.store import StoredFile
from inference_server.version import VERSION

#: Environment variables that huggingface_hub knows, too.
ENDPOINT, TOKEN, OFFLINE = "HF_ENDPOINT", "HF_TOKEN", "HF_HUB_OFFLINE"
_BLOCK = 1 << 20
#: A line that stays silent for so long is dead; the download is gone on with.
TIMEOUT_S = 30.0
#: So many times in a row without a new byte, and it is given up.
ATTEMPTS = 5
#: So much must stay free on the disk.
MARGIN_BYTES = 256 << 20

#: told(bytes of this file that are there).
Told = Callable[[int], None]


@dataclass(frozen=True)
class Repo:
    """What a hub says of a repository at a revision.

    Attributes:
        commit: that the revision is now.
        licence: as its authors name it, "" where they do not.
        is_gated: its licence must be accepted on its page first.
        files: all of them.
    """

    name: str
    commit: str
    licence: str
    is_gated: bool
    files: tuple[StoredFile, ...]


class Hub:
    """One hub.

    Args:
        endpoint: its address, without a slash at the end; ``$HF_ENDPOINT`` or the public one when None.
        token: of the user; ``$HF_TOKEN`` when None, none when "".
        wait: sleeps between attempts; ``time.sleep`` when None.
    """

    def __init__(
        self, endpoint: str | None = None, token: str | None = None, *, wait: Callable[[float], None] | None = None
    ) -> None:
        self.endpoint = (endpoint or os.environ.get(ENDPOINT) or "https://huggingface.co").rstrip("/")
        self._token = os.environ.get(TOKEN, "") if token is None else token
        self._wait = time.sleep if wait is None else wait

    def repo(self, name: str, revision: str) -> Repo:
        """What the hub holds under a name at a revision.

        Raises:
            AccessDenied, HubUnreachable: as their names say.
        """
        url = f"{self.endpoint}/api/models/{quote(name)}/revision/{quote(revision, safe='')}?blobs=true"
        try:
            opened = self._opened(url, name)
        except OSError as error:
            raise HubUnreachable(f"{self.endpoint} does not answer: {error}. Try again later.") from error
        with opened as answer:
            try:
                data = json.loads(answer.read())
                card = data.get("cardData") or {}
                tags = [t.partition(":")[2] for t in data.get("tags", ()) if t.startswith("license:")]
                return Repo(
                    name,
                    str(data["sha"]),
                    str(card.get("license_name") or card.get("license") or next(iter(tags), "")),
                    bool(data.get("gated", False)),
                    tuple(_file(sibling) for sibling in data["siblings"]),
                )
            except (ValueError, KeyError, TypeError, AttributeError, OSError, http.client.HTTPException) as error:
                raise HubUnreachable(
                    f"{self.endpoint} did not answer as a hub does: {error!r}. Check {ENDPOINT}."
                ) from error

    def address(self, repo: Repo, file: StoredFile) -> str:
        """Where a file of a repository is."""
        return f"{self.endpoint}/{quote(repo.name)}/resolve/{repo.commit}/{quote(file.name)}"

    def fetch(self, url: str, file: StoredFile, target: Path, told: Told = lambda done: None) -> None:
        """Brings a file to ``target``: all of it, verified, or not at all.

        What came before an interruption lies in ``target`` + ".part" and is gone on with by Range.

        Args:
            url: from :meth:`address`, or elsewhere.
            file: size and hash that must come; size 0 and hash "" where they are not known.
            target: the file to write.
            told: called as bytes arrive; whatever it raises ends the download.

        Raises:
            WeightsDamaged: what came has another size or hash; nothing of it is kept.
            AccessDenied, HubUnreachable, DiskFull: as their names say; what came is kept.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(target.name + ".part")
        here = _size(part)
        if file.n_bytes and here > file.n_bytes:
            part.unlink()
            here = 0
        need_space(target.parent, file.n_bytes - here)
        barren = 0
        while not (here and here == file.n_bytes):
            try:
                self._continue(url, part, here, file.name, told)
                break
            except _RangeRefused:
                part.unlink()
            except (OSError, http.client.HTTPException) as error:
                if isinstance(error, OSError) and error.errno == errno.ENOSPC:
                    raise _disk_full(target.parent, 0) from error
                barren = 0 if _size(part) > here else barren + 1
                if barren >= ATTEMPTS:
                    raise HubUnreachable(
                        f"The download of {file.name} broke off at {size_text(here)}: {error}. Run the same command"
                        " again: it goes on from there."
                    ) from error
                self._wait(float(barren))
            here = _size(part)
        verify(part, file, name=file.name)
        part.replace(target)

    def _continue(self, url: str, part: Path, here: int, name: str, told: Told) -> None:
        """Reads on from byte ``here`` until the answer ends. Raises OSError, HTTPException when it ends too early."""
        headers = {"Range": f"bytes={here}-"} if here else {}
        with self._opened(url, name, headers) as answer:
            # A server that does not know Range sends everything again.
            is_continued = answer.status == http.client.PARTIAL_CONTENT
            announced = answer.headers.get("Content-Length")
            came = 0
            # Unbuffered, and as it comes: a killed program leaves all that had arrived.
            with part.open("ab" if is_continued else "wb", buffering=0) as out:
                here = here if is_continued else 0
                while block := answer.read1(_BLOCK):
                    out.write(block)
                    came += len(block)
                    told(here + came)
        if announced is not None and came < int(announced):
            raise http.client.IncompleteRead(b"", int(announced) - came)

    def _opened(self, url: str, name: str, headers: Mapping[str, str] | None = None) -> Any:
        if os.environ.get(OFFLINE) == "1":
            raise HubUnreachable(f"{OFFLINE}=1 forbids the network. Unset it to pull {name}.")
        if not url.startswith(("https://", "http://")):
            raise HubUnreachable(f"{url}: expected an address of http or https. Check {ENDPOINT}.")
        request = urllib.request.Request(url, headers={"User-Agent": f"rsground/{VERSION}", **(headers or {})})  # noqa: S310
        if self._token and url.startswith(self.endpoint + "/"):
            # Unredirected: the hub sends us to other hosts, which must not see it.
            request.add_unredirected_header("Authorization", f"Bearer {self._token}")
        try:
            # The scheme was checked above.
            return urllib.request.urlopen(request, timeout=TIMEOUT_S)  # noqa: S310  # nosec B310
        except urllib.error.HTTPError as error:
            with error:
                raise self._refused(error, name) from error
        except urllib.error.URLError as error:
            if isinstance(error.reason, (TimeoutError, ConnectionResetError)):
                raise ConnectionResetError(str(error.reason)) from error
            raise HubUnreachable(
                f"{url.split('/')[2]} cannot be reached: {error.reason}. Check the network, the proxy"
                f" (HTTPS_PROXY) and {ENDPOINT}; without a network, copy the weights here (docs/models.md)."
            ) from error

    def _refused(self, error: urllib.error.HTTPError, name: str) -> Exception:
        page = f"{self.endpoint}/{name}"
        if error.code == 401:
            return AccessDenied(
                f"The hub gives {name} to known users only, or does not know it. Sign in at {page}, accept its licence,"
                f" make a token at {self.endpoint}/settings/tokens and set {TOKEN} to it."
            )
        if error.code == 403:
            return AccessDenied(
                f"The hub does not give {name} to you yet: accept its licence at {page}, with the account that"
                f" {TOKEN} belongs to."
            )
        if error.code == 404:
            return HubUnreachable(f"{error.url} does not exist: the hub has no such repository, revision or file.")
        if error.code == 416:
            return _RangeRefused(name)
        if error.code in (408, 429) or error.code >= 500:
            return ConnectionResetError(f"the server answered {error.code} {error.reason}")
        return HubUnreachable(f"{error.url} answered {error.code} {error.reason}.")


class _RangeRefused(Exception):
    """The server has no bytes after those that are kept."""


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def verify(path: Path, file: StoredFile, *, name: str) -> None:
    """Raises WeightsDamaged, and removes the file, when it is not what was published."""
    size = path.stat().st_size
    if file.n_bytes and size != file.n_bytes:
        problem = f"{size} bytes came, {file.n_bytes} were published"
    elif file.digest and (digest := digest_of(path, file.digest.partition(":")[0])) != file.digest:
        problem = f"its hash is {digest}, published was {file.digest}"
    else:
        return
    path.unlink()
    raise WeightsDamaged(f"{name} is not what was published: {problem}. It was removed; pull it again.")


def digest_of(path: Path, kind: str) -> str:
    """The hash of a file as hubs publish it: "sha256:..." of large ones, "git:..." (blob id) of small ones."""
    if kind == "git":
        digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    else:
        digest = hashlib.sha256()
    with path.open("rb") as source:
        while block := source.read(_BLOCK):
            digest.update(block)
    return f"{kind}:{digest.hexdigest()}"


def need_space(folder: Path, n_bytes: int) -> None:
    """Raises DiskFull when a folder's disk has no room for so many bytes."""
    if shutil.disk_usage(folder).free < n_bytes + MARGIN_BYTES:
        raise _disk_full(folder, n_bytes)


def _disk_full(folder: Path, n_bytes: int) -> DiskFull:
    free = shutil.disk_usage(folder).free
    wanted = f"{size_text(n_bytes)} are needed, " if n_bytes else ""
    return DiskFull(
        f"There is no room for it in {folder}: {wanted}{size_text(free)} are free. Make room, or keep weights"
        " in a folder on another disk: set RSGROUND_MODELS to it (in QGIS: RSGround's options, Weights of large models,"
        " Kept in)."
    )


def size_text(n_bytes: int) -> str:
    """A size for people: "812 kB", "16.6 GB"."""
    size, unit = float(n_bytes), "B"
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            break
        size /= 1000
    return f"{size:.0f} {unit}" if unit in ("B", "kB", "MB") else f"{size:.1f} {unit}"


def _file(sibling: Mapping[str, Any]) -> StoredFile:
    large = sibling.get("lfs")
    digest = f"sha256:{large['sha256']}" if large else f"git:{sibling['blobId']}"
    return StoredFile(str(sibling["rfilename"]), int(sibling["size"]), digest)
