"""Tiles asked by a Ray cluster: an engine actor on each GPU, or on each CPU slot; what a lost one was at is done again.

Ray is an extra (``pip install "rsground[ray]"``) and imported when asked for. The driver keeps the journal: workers
read rasters, which they must find under the same names, and send candidates back.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Sequence
from typing import Any

from inference_server.allocator import share_one_arena
from inference_server.batch.tiles import SurveyAnswer
from inference_server.batch.work import Answer, Job, Survey, TileWork
from inference_server.errors import EngineUnavailable, OutOfMemory, ServerError
from inference_server.models.base import THREADS_VARIABLE, Engine
from inference_server.models.registry import Registry

#: Tiles handed out ahead for each actor.
_AHEAD = 2
#: How often a run that waits looks whether it was stopped, and for places where new actors could be.
_POLL_S = 0.2
#: A tile that so many actors were lost with is the likely reason.
_MOST_LOSSES = 3
#: How long a cluster may take to let us in, in seconds.
_REACH_S = 10.0


class TileActor:
    """An engine on one of the cluster's places."""

    def __init__(self, work: TileWork, make_registry: Callable[[], Registry], engine: str) -> None:
        # A place of a cluster is one core, or a GPU beside which the cores matter little.
        os.environ.setdefault(THREADS_VARIABLE, "1")
        share_one_arena()
        self._work = work
        self._engine: Engine = make_registry().get(engine)

    def revision(self) -> str:
        """The engine's revision: it must be the driver's."""
        return self._engine.info.revision

    def answer(self, job: Job, survey: Survey) -> tuple[Answer, float]:
        """As :meth:`TileWork.answer`."""
        return self._work.answer(self._engine, job, survey)


def clustered_answers(
    jobs: Sequence[Job],
    work: TileWork,
    make_registry: Callable[[], Registry],
    engine: str,
    *,
    address: str | None,
    on_wait: Callable[[], None],
) -> Generator[tuple[Job, Answer, float], None, None]:
    """Each tile with its answer and seconds, as they come.

    Args:
        jobs: the tiles.
        work: what is done with each.
        make_registry: gives the engines in a worker; importable there.
        engine: its name.
        address: of the cluster; None for the one that this machine is part of, else one made here.
        on_wait: called several times a second; what it raises ends the work.

    Raises:
        EngineUnavailable: Ray is not installed, the cluster cannot be reached, or it has other sources of the engine.
        OutOfMemory: a tile was lost with its actor again and again.
        ServerError: what a tile's work raises.
    """
    ray = _imported()
    context = _joined(ray, address)
    crew = _Crew(ray, (ray.put(work), make_registry, engine), make_registry().get(engine).info.revision)
    try:
        yield from crew.answers(jobs, work, on_wait)
    finally:
        crew.dismiss()
        context.disconnect()


class _Crew:
    """The actors of one run."""

    def __init__(self, ray: Any, arguments: tuple[Any, ...], revision: str) -> None:
        self._ray, self._arguments, self._revision = ray, arguments, revision
        #: By what says that they are ready; ready ones with the jobs they are at.
        self._starting: dict[Any, Any] = {}
        self._at: dict[Any, dict[Any, Job]] = {}
        self._losses: Counter[Job] = Counter()

    def answers(
        self, jobs: Sequence[Job], work: TileWork, on_wait: Callable[[], None]
    ) -> Generator[tuple[Job, Answer, float], None, None]:
        """As :func:`clustered_answers`."""
        left = deque(jobs)
        while left or any(self._at.values()):
            self._fill(len(left))
            self._hand_out(left, work)
            refs = [*self._starting, *(ref for at in self._at.values() for ref in at)]
            done, _ = self._ray.wait(refs, num_returns=1, timeout=_POLL_S) if refs else ([], [])
            if not refs:
                time.sleep(_POLL_S)
            on_wait()
            for ref in done:
                if ref in self._starting:
                    self._begun(ref)
                    continue
                actor = next(actor for actor, at in self._at.items() if ref in at)
                result = self._result(ref)
                if result is None:
                    left.extendleft(reversed(self._lost(actor)))
                    continue
                job = self._at[actor].pop(ref)
                if isinstance(result[0], SurveyAnswer):
                    work.surveys[job.scene, job.level] = result[0].survey
                yield job, *result

    def dismiss(self) -> None:
        """Ends all actors."""
        for actor in (*self._starting.values(), *self._at):
            self._ray.kill(actor)

    def _fill(self, jobs: int) -> None:
        """Starts an actor for each place of the cluster: its GPUs, or its CPU slots where it has none."""
        places = self._ray.cluster_resources()
        kind = "GPU" if places.get("GPU") else "CPU"
        needs = {"num_gpus": 1, "num_cpus": 0} if kind == "GPU" else {"num_cpus": 1}
        wanted = min(int(places.get(kind, 0)), len(self._at) + jobs)
        for _ in range(wanted - len(self._at) - len(self._starting)):
            actor = self._ray.remote(TileActor).options(**needs, max_restarts=0).remote(*self._arguments)
            self._starting[actor.revision.remote()] = actor

    def _begun(self, ref: Any) -> None:
        actor = self._starting.pop(ref)
        revision = self._result(ref)
        if revision is None:
            return
        if revision != self._revision:
            raise EngineUnavailable(
                f"The cluster has another revision of the engine ({revision}) than this machine ({self._revision}):"
                " install the same version of RSGround on all nodes."
            )
        self._at[actor] = {}

    def _hand_out(self, left: deque[Job], work: TileWork) -> None:
        for actor, at in self._at.items():
            while left and len(at) < _AHEAD and not self._is_under_way(left[0].survey):
                job = left.popleft()
                at[actor.answer.remote(job, work.surveys.get((job.scene, job.level)))] = job

    def _is_under_way(self, job: Job) -> bool:
        return any(job in at.values() for at in self._at.values())

    def _result(self, ref: Any) -> Any:
        """What an actor sent; None when it was lost. Raises what its work raised."""
        try:
            return self._ray.get(ref)
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause if isinstance(error.cause, ServerError | MemoryError) else error from error
        except self._ray.exceptions.RayError:
            return None

    def _lost(self, actor: Any) -> list[Job]:
        """Forgets an actor; the jobs that it was at."""
        jobs = list(self._at.pop(actor).values())
        self._losses.update(jobs[:1])
        if jobs and self._losses[jobs[0]] >= _MOST_LOSSES:
            raise OutOfMemory(
                f"{_MOST_LOSSES} workers ended unexpectedly at the same tile, probably for want of memory. What was"
                " done before is kept; search at a coarser resolution, or give the nodes fewer slots."
            )
        self._ray.kill(actor)
        return jobs


def _joined(ray: Any, address: str | None) -> Any:
    """A connection to the cluster."""
    on_term = signal.getsignal(signal.SIGTERM)
    try:
        if address is not None and (place := re.fullmatch(r"([^/]+):(\d+)", address)):
            # Ray itself tries for minutes.
            socket.create_connection((place[1], int(place[2])), timeout=_REACH_S).close()
        return ray.init(address=address, log_to_driver=False, ignore_reinit_error=True)
    except (OSError, ValueError, RuntimeError) as error:
        raise EngineUnavailable(f"The Ray cluster at {address or 'this machine'} cannot be reached: {error}") from error
    finally:
        if threading.current_thread() is threading.main_thread():
            # Ray puts its own in place, which would end the run without a word.
            signal.signal(signal.SIGTERM, on_term)


def _imported() -> Any:
    try:
        import ray
    except ImportError as error:
        raise EngineUnavailable('Ray is not installed: pip install "rsground[ray]", here and on all nodes.') from error
    return ray
