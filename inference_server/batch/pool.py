"""Tiles asked by several processes, each with an engine of its own."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool

from inference_server.allocator import share_one_arena
from inference_server.batch.tiles import SurveyAnswer
from inference_server.batch.work import Answer, Job, Survey, TileWork
from inference_server.errors import OutOfMemory
from inference_server.models.base import THREADS_VARIABLE, Engine
from inference_server.models.registry import Registry

#: Tiles handed out ahead for each worker: none waits for work, and little is lost when the run stops.
_AHEAD = 2
#: How often a run that waits for workers looks whether it was stopped.
_POLL_S = 0.2

_here: tuple[TileWork, Engine] | None = None


def pooled_answers(
    jobs: Sequence[Job],
    work: TileWork,
    make_registry: Callable[[], Registry],
    engine: str,
    *,
    workers: int,
    on_wait: Callable[[], None],
) -> Generator[tuple[Job, Answer, float], None, None]:
    """Each tile with its answer and seconds, as they come.

    Args:
        jobs: the tiles.
        work: what is done with each.
        make_registry: gives the engines in a worker; importable there.
        engine: its name.
        workers: processes.
        on_wait: called several times a second; what it raises ends the work.

    Raises:
        OutOfMemory: a worker was killed, for which want of memory is the usual reason.
        ServerError: what a tile's work raises.
    """
    context = multiprocessing.get_context("spawn")
    threads = max(1, (os.cpu_count() or 1) // workers)
    pool = ProcessPoolExecutor(workers, context, initializer=_begin, initargs=(work, make_registry, engine, threads))
    waiting: dict[Future[tuple[Answer, float]], Job] = {}
    left = list(reversed(jobs))
    try:
        while left or waiting:
            while left and len(waiting) < workers * _AHEAD and left[-1].survey not in waiting.values():
                job = left.pop()
                waiting[pool.submit(_answer, job, work.surveys.get((job.scene, job.level)))] = job
            done, _ = wait(waiting, timeout=_POLL_S, return_when=FIRST_COMPLETED)
            on_wait()
            for future in done:
                job = waiting.pop(future)
                answer, seconds = future.result()
                if isinstance(answer, SurveyAnswer):
                    work.surveys[job.scene, job.level] = answer.survey
                yield job, answer, seconds
    except BrokenProcessPool as error:
        raise OutOfMemory(
            "A worker process ended unexpectedly, probably for want of memory. What was done before is kept; run the"
            " same again with fewer workers."
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _begin(work: TileWork, make_registry: Callable[[], Registry], engine: str, threads: int) -> None:
    global _here
    os.environ.setdefault(THREADS_VARIABLE, str(threads))
    share_one_arena()
    _here = (work, make_registry().get(engine))


def _answer(job: Job, survey: Survey) -> tuple[Answer, float]:
    if _here is None:
        raise RuntimeError("the worker has not begun")
    work, engine = _here
    return work.answer(engine, job, survey)
