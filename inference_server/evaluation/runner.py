"""Asks an engine every sample of a data set and keeps each answer as a JSON line, so that a run can go on."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import asdict
from itertools import groupby, islice
from pathlib import Path
from typing import Any, Protocol, TypeVar

from inference_server.errors import InvalidRequest
from inference_server.evaluation.judging import Answer, failed, judged
from inference_server.evaluation.readers.base import Sample
from inference_server.models.registry import Registry
from inference_server.pipeline import GroundingPipeline
from rsground_plugin.protocol import GroundingRequest

#: Files up to this size are told apart by their content, larger ones by size and time.
_READ_BYTES = 1 << 20


class Item(Protocol):
    """What is asked: a sample, or a labelled picture."""

    @property
    def id(self) -> str: ...
    @property
    def image_name(self) -> str: ...


class Record(Protocol):
    """What is kept of it: a dataclass of plain values."""

    @property
    def id(self) -> str: ...


ItemT = TypeVar("ItemT", bound=Item)
RecordT = TypeVar("RecordT", bound=Record)
#: Answers the items of one picture. Made once in each process.
Asker = Callable[[Sequence[ItemT]], list[RecordT]]


def run(
    items: Iterator[ItemT],
    make_asker: Callable[[], Asker[ItemT, RecordT]],
    kind: type[RecordT],
    *,
    header: dict[str, Any],
    path: Path,
    limit: int | None = None,
    workers: int = 1,
    progress: Callable[[int], None] = lambda done: None,
) -> list[RecordT]:
    """Asks what the file at ``path`` does not answer yet, and returns all answers.

    Args:
        items: of the data set; those of one picture follow one another.
        make_asker: makes what answers, in each process; can be pickled when there are several.
        kind: dataclass of the answers.
        header: what the answers depend on; kept as the file's first line.
        path: JSON lines, made when missing.
        limit: so many items at most, the first ones.
        workers: processes.

    Raises:
        InvalidRequest: the file's answers are of another engine, revision or data.
        InvalidData: the data set's own files are faulty.
    """
    answers = {a.id: a for a in _begun(path, header, kind)}
    todo = (item for item in islice(items, limit) if item.id not in answers)
    with path.open("a", encoding="utf-8") as file:
        for group in _asked(todo, make_asker, workers):
            for answer in group:
                answers[answer.id] = answer
                file.write(json.dumps(asdict(answer), ensure_ascii=False) + "\n")  # type: ignore[call-overload]
            file.flush()
            progress(len(answers))
    return list(answers.values())


def read_header(path: Path) -> dict[str, Any]:
    """What the answers of a run depend on. Raises InvalidRequest when the file is none."""
    try:
        with path.open(encoding="utf-8") as file:
            header = json.loads(file.readline())
    except (OSError, ValueError) as error:
        raise _no_run(path, error) from error
    if not isinstance(header, dict):
        raise _no_run(path, f"its first line is {type(header).__name__}, not an object")
    return header


def read_answers(path: Path, kind: type[RecordT]) -> tuple[dict[str, Any], list[RecordT]]:
    """The header and the answers of a run. Raises InvalidRequest when the file is none."""
    header = read_header(path)
    try:
        records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()[1:]]
        return header, [kind(**{k: _tuples(v) for k, v in record.items()}) for record in records]
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise _no_run(path, error) from error


def _no_run(path: Path, reason: object) -> InvalidRequest:
    return InvalidRequest(f"{path}: expected the answers of a run, JSON lines: {reason}", field="answers")


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value


def _begun(path: Path, header: dict[str, Any], kind: type[RecordT]) -> list[RecordT]:
    """The answers there are; a last line cut off by a crash is dropped."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or not path.stat().st_size:
        path.write_text(json.dumps(header) + "\n", encoding="utf-8")
        return []
    text = path.read_text(encoding="utf-8")
    if not text.endswith("\n"):
        path.write_text(text[: text.rfind("\n") + 1], encoding="utf-8")
        return _begun(path, header, kind)
    was, answers = read_answers(path, kind)
    different = [f"{k}: {was.get(k)!r}, now {v!r}" for k, v in header.items() if was.get(k) != v]
    if different:
        raise InvalidRequest(
            f"{path} holds answers of another run ({'; '.join(different)}). Choose another --output, or --restart.",
            field="output",
        )
    return answers


def fingerprint(data: str, split: str) -> str:
    """Tells one state of a data set from another.

    Of files up to 1 MiB the content counts, so that a copy is the same data; of larger ones size and time. For
    generated scenes the generator's code counts.
    """
    name, _, rest = data.partition(":")
    is_generated = name in ("scenes", "benchmark")
    root = Path(__file__).parent if is_generated else Path(rest)
    files = [*root.glob("scene*.py"), root / "readers" / "scene_sets.py"] if is_generated else root.rglob("*")
    digest = hashlib.blake2b(f"{data if is_generated else name}|{split}".encode(), digest_size=10)
    for path in sorted(p for p in files if p.is_file()):
        stat = path.stat()
        digest.update(f"|{path.relative_to(root).as_posix()}|{stat.st_size}|".encode())
        digest.update(path.read_bytes() if stat.st_size <= _READ_BYTES else str(stat.st_mtime_ns).encode())
    return digest.hexdigest()


def _asked(
    items: Iterator[ItemT], make_asker: Callable[[], Asker[ItemT, RecordT]], workers: int
) -> Iterator[list[RecordT]]:
    """Answers by picture, so that a picture is encoded once; few pictures are in memory at a time."""
    groups = (list(group) for _, group in groupby(items, key=lambda s: s.image_name))
    if workers <= 1:
        asker = make_asker()
        yield from (asker(group) for group in groups)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_start, initargs=(make_asker,)) as pool:
        waiting: set[Future[list[Any]]] = {pool.submit(_ask, group) for group in islice(groups, workers + 1)}
        try:
            while waiting:
                finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in finished:
                    yield future.result()
                    waiting |= {pool.submit(_ask, group) for group in islice(groups, 1)}
        finally:
            for future in waiting:
                future.cancel()


_ASKER: list[Asker[Any, Any]] = []


def _start(make_asker: Callable[[], Asker[Any, Any]]) -> None:
    _ASKER[:] = [make_asker()]


def _ask(items: list[Any]) -> list[Any]:
    return _ASKER[0](items)


class SampleAsker:
    """Asks the expressions of samples: boxes, and oriented boxes and masks where their truth is known."""

    def __init__(self, engine: str) -> None:
        self._pipeline = GroundingPipeline(Registry())
        self._engine = engine

    def __call__(self, samples: Sequence[Sample]) -> list[Answer]:
        return [self._one(sample) for sample in samples]

    def _one(self, sample: Sample) -> Answer:
        start = time.perf_counter()
        try:
            tile = sample.image.tile()
            truth = sample.mask.mask() if sample.mask is not None else None
            wanted = (("hbb", True), ("obb", sample.corners is not None), ("mask", truth is not None))
            outputs = tuple(name for name, is_wanted in wanted if is_wanted)
            result = self._pipeline.ground(GroundingRequest(sample.expression, self._engine, outputs), tile)
            return judged(sample, tile, truth, result, time.perf_counter() - start)
        except Exception as error:  # the rest is still asked
            return failed(sample, error, time.perf_counter() - start)
