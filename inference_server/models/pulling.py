"""Brings published weights into the store, checks them there, removes them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from inference_server.errors import AccessDenied, InvalidRequest, WeightsDamaged, WeightsMissing
from inference_server.models.catalogue import Weights
from inference_server.models.hub import Hub, Repo, digest_of, need_space
from inference_server.models.store import LOCK, Lock, StoredFile, in_hub_cache, pulled, repo_folder, store_folder

#: told(file's name, bytes of all files that are there, bytes of all files).
Told = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Plan:
    """What a pull will do, to be said before it does it.

    Attributes:
        weights: from the catalogue.
        repo: what the hub says; None for a single file.
        files: that will be there.
        folder: where they will be.
        licence: as the hub says now, as the catalogue does where it says nothing.
    """

    weights: Weights
    repo: Repo | None
    files: tuple[StoredFile, ...]
    folder: Path
    licence: str

    @property
    def n_bytes(self) -> int:
        """Of all files; 0 where it is not known before."""
        return sum(f.n_bytes for f in self.files)

    @property
    def missing(self) -> tuple[StoredFile, ...]:
        """The files that are not in place yet."""
        return tuple(f for f in self.files if not _is_whole(self.folder / f.name, f))


def plan_of(weights: Weights, hub: Hub, *, may_change: bool = False) -> Plan:
    """What pulling some weights means today.

    Args:
        weights: from the catalogue, or of the hub's branch "main".
        hub: is asked.
        may_change: a branch may have moved since it was pulled first.

    Raises:
        AccessDenied, HubUnreachable: the hub does not tell.
        InvalidRequest: the branch has moved, or the repository holds nothing that is wanted.
    """
    if weights.url:
        file = StoredFile(weights.repo, 0, f"sha256:{weights.sha256}")
        return Plan(weights, None, (file,), store_folder(), weights.licence)
    repo = hub.repo(weights.repo, weights.revision)
    before = pulled(weights.repo, weights.revision)
    if before is not None and before.name != repo.commit and not may_change:
        raise InvalidRequest(
            f"{weights.repo} has changed at the hub: {weights.revision} was {before.name[:12]} when it was pulled, and"
            f" is {repo.commit[:12]} now. Add --update to pull the new one beside it."
        )
    files = tuple(f for f in repo.files if weights.wants(f.name))
    for file in files:
        _check_name(file.name)
    if not any(f.name.endswith(".safetensors") for f in files):
        raise InvalidRequest(f"{weights.repo} holds no weights in the safetensors format; others are not pulled.")
    return Plan(weights, repo, files, repo_folder(weights.repo) / repo.commit, repo.licence or weights.licence)


def pull(plan: Plan, hub: Hub, told: Told = lambda name, done, total: None) -> Path:
    """Carries a plan out and returns the folder, or the single file.

    Files that are in place are kept; one that was interrupted is gone on with.

    Raises:
        AccessDenied, HubUnreachable, WeightsDamaged, DiskFull: what is there already is kept.
    """
    plan.folder.mkdir(parents=True, exist_ok=True)
    missing = plan.missing
    there = plan.n_bytes - sum(f.n_bytes for f in missing)
    kept = sum(_part_size(plan.folder / f.name) for f in missing)
    need_space(plan.folder, sum(f.n_bytes for f in missing) - kept)
    for file in missing:
        url = plan.weights.url if plan.repo is None else hub.address(plan.repo, file)
        started = there
        hub.fetch(url, file, plan.folder / file.name, lambda done: told(file.name, started + done, plan.n_bytes))  # noqa: B023
        there += file.n_bytes
    if plan.repo is None:
        return plan.folder / plan.files[0].name
    lock = Lock(plan.weights.repo, plan.weights.revision, plan.repo.commit, plan.licence, plan.files)
    lock.write(plan.folder)
    return plan.folder


def state_of(weights: Weights) -> str:
    """Where some weights are: "pulled", "in the hub's cache", "partly pulled" or "missing"."""
    if weights.url:
        path = store_folder() / weights.repo
        return "pulled" if path.is_file() else "partly pulled" if _part_size(path) else "missing"
    if pulled(weights.repo, weights.revision) is not None:
        return "pulled"
    marker = "model_index.json" if any("/" in pattern for pattern in weights.files) else "config.json"
    if in_hub_cache(weights.repo, marker, weights.revision) is not None:
        return "in the hub's cache"
    return "partly pulled" if any(repo_folder(weights.repo).glob("*/*")) else "missing"


def damaged_files(weights: Weights, told: Callable[[str], None] = lambda name: None) -> list[str]:
    """The pulled files that are not what was published; every byte is read.

    Raises:
        WeightsMissing: nothing is pulled.
    """
    if weights.url:
        path = store_folder() / weights.repo
        _must_exist(path.is_file(), weights)
        folder = path.parent
        files: tuple[StoredFile, ...] = (StoredFile(weights.repo, 0, f"sha256:{weights.sha256}"),)
    else:
        found = pulled(weights.repo, weights.revision)
        _must_exist(found is not None, weights)
        folder = found or Path()
        files = Lock.read(folder).files
    out = []
    for file in files:
        told(file.name)
        path = folder / file.name
        if not path.is_file() or digest_of(path, file.digest.partition(":")[0]) != file.digest:
            out.append(file.name)
    return out


def remove(weights: Weights) -> list[Path]:
    """Removes what was pulled, parts of it too, and returns what went. The hub's own cache is not touched.

    Raises:
        WeightsMissing: there is nothing to remove.
    """
    if weights.url:
        path = store_folder() / weights.repo
        going = [p for p in (path, path.with_name(path.name + ".part")) if p.exists()]
    else:
        folder = repo_folder(weights.repo)
        going = [folder] if folder.is_dir() else []
    _must_exist(bool(going), weights)
    for path in going:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    return going


def drop_damaged(weights: Weights, names: list[str]) -> None:
    """Removes damaged files and the lock, so that the next pull brings them anew."""
    folder = store_folder() if weights.url else pulled(weights.repo, weights.revision)
    if folder is None:
        raise WeightsDamaged(f"{weights.repo} has no lock file any more. Pull it again.")
    for name in names:
        (folder / name).unlink(missing_ok=True)
    if not weights.url:
        (folder / LOCK).unlink()


def _is_whole(path: Path, file: StoredFile) -> bool:
    # The hash was checked when it was put there; `rsground models verify` checks it again.
    return path.is_file() and (not file.n_bytes or path.stat().st_size == file.n_bytes)


def _part_size(path: Path) -> int:
    part = path.with_name(path.name + ".part")
    return part.stat().st_size if part.exists() else 0


def _must_exist(is_there: bool, weights: Weights) -> None:
    if not is_there:
        raise WeightsMissing(f"{weights.repo} is not in {store_folder()}. Pull it: rsground models pull {weights.repo}")


def _check_name(name: str) -> None:
    """A hub names files; none may lie outside the folder they are written to."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name or name == LOCK:
        raise AccessDenied(f"The hub names a file {name!r}, which would lie outside its folder. Nothing was pulled.")
