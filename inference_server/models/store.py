"""Where weights lie on this machine: a folder that the user names, our own store, or the hub's cache.

The store is plain: ``$RSGROUND_MODELS/<owner>--<name>/<commit>/`` holds a repository's files under their own names, and
``rsground.json`` beside them, written last, what was pulled. It can be copied to a machine without a network.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from inference_server.errors import WeightsDamaged, WeightsMissing

STORE = "RSGROUND_MODELS"
LOCK = "rsground.json"


@dataclass(frozen=True)
class StoredFile:
    """One file: its name within the repository, its size, and the hash that was published ("sha256:" or "git:")."""

    name: str
    n_bytes: int
    digest: str


@dataclass(frozen=True)
class Lock:
    """What a pull brought: the revision that was asked for and the commit it was resolved to."""

    repo: str
    revision: str
    commit: str
    licence: str
    files: tuple[StoredFile, ...]

    def write(self, folder: Path) -> None:
        """Writes it into the folder in one step."""
        part = folder / (LOCK + ".part")
        part.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")
        part.replace(folder / LOCK)

    @classmethod
    def read(cls, folder: Path) -> Lock:
        """Raises WeightsDamaged when it cannot be read."""
        try:
            data = json.loads((folder / LOCK).read_text(encoding="utf-8"))
            files = tuple(StoredFile(**f) for f in data.pop("files"))
            return cls(**data, files=files)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise WeightsDamaged(f"{folder / LOCK} cannot be read: {error}. Remove {folder} and pull again.") from error


def store_folder() -> Path:
    """Our store: ``$RSGROUND_MODELS``, or the user's cache folder."""
    named = os.environ.get(STORE)
    if named:
        return Path(named).expanduser()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "rsground" / "models"


def repo_folder(repo: str) -> Path:
    """The folder in the store that holds a repository's commits."""
    return store_folder() / repo.replace("/", "--")


def pulled(repo: str, revision: str | None = None) -> Path | None:
    """The folder of a complete pull, None where there is none.

    Args:
        repo: "owner/name".
        revision: a commit, or what was asked for when it was pulled; any when None, the one pulled last.
    """
    locks = sorted(repo_folder(repo).glob(f"*/{LOCK}"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in locks:
        lock = Lock.read(path.parent)
        if revision is None or revision in (lock.commit, lock.revision):
            return path.parent
    return None


def in_hub_cache(repo: str, marker: str, revision: str | None = None) -> Path | None:
    """A snapshot in the hub's own cache that holds ``marker``, None where there is none."""
    root = os.environ.get("HF_HUB_CACHE") or Path(os.environ.get("HF_HOME") or "~/.cache/huggingface") / "hub"
    folder = Path(root).expanduser() / ("models--" + repo.replace("/", "--"))
    wanted = revision
    reference = folder / "refs" / (revision or "main")
    if reference.is_file():
        wanted = reference.read_text(encoding="utf-8").strip()
    snapshots = [folder / "snapshots" / wanted] if wanted else sorted(folder.glob("snapshots/*"))
    return next((s for s in snapshots if (s / marker).is_file()), None)


def locate(source: str, *, marker: str, variable: str, revision: str | None = None) -> Path:
    """The folder that holds the files of a model; asks no network.

    Args:
        source: a folder, or a repository's id "owner/name".
        marker: a file that must be in it, such as "config.json".
        variable: environment variable by which the user can name another folder.
        revision: the one to take from the store or the hub's cache; any when None.

    Raises:
        WeightsMissing: they are not on this machine; the message says how to get them.
    """
    folder = Path(source).expanduser()
    if folder.is_dir():
        if not (folder / marker).is_file():
            raise WeightsMissing(
                f"{folder} holds no model: expected {marker} in it. Set {variable} to the folder of a checkpoint.",
                field="request.engine",
            )
        return folder
    if not is_repo_id(source):
        raise WeightsMissing(
            f"There is no folder {source}. Set {variable} to the folder of a checkpoint, or to an id as in"
            " `rsground models list`.",
            field="request.engine",
        )
    found = pulled(source, revision) or in_hub_cache(source, marker, revision)
    if found is None:
        at = f" at revision {revision[:12]}" if revision else ""
        raise WeightsMissing(
            f"The weights of {source}{at} are not on this machine. Get them with `rsground models pull {source}` (in"
            f" QGIS: RSGround's options, Weights of large models), or set {variable} to a folder that holds them.",
            field="request.engine",
        )
    return found


def is_repo_id(source: str) -> bool:
    """Whether a text has the form "owner/name"."""
    owner, slash, name = source.partition("/")
    plain = (
        part and not part.startswith(".") and all(c.isalnum() or c in "-_." for c in part) for part in (owner, name)
    )
    return bool(slash) and all(plain)
