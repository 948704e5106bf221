"""What to try when memory runs out: the next rung of a ladder, from "as asked" down to a clear message."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from inference_server.errors import OutOfMemory
from inference_server.models.hardware import Hardware

logger = logging.getLogger(__name__)

_Result = TypeVar("_Result")
#: A tile's longer edge is halved no further than to this.
SMALLEST_SIDE_PX = 448


@dataclass(frozen=True)
class Rung:
    """One way to run.

    Attributes:
        hardware: device, precision, offload.
        shrink: the tile's edges are divided by it, 1 for the tile as it is.
    """

    hardware: Hardware
    shrink: int = 1

    @property
    def sentence(self) -> str:
        """What the user is told when this rung was needed; empty for the tile as it is."""
        return f"Memory was short: this ran on {self.hardware.sentence}" + (
            f", with the tile at 1/{self.shrink} of its resolution." if self.shrink > 1 else "."
        )


def rungs(first: Hardware, *, side_px: int | None = None) -> tuple[Rung, ...]:
    """The ways to run, in the order in which they are tried.

    A smaller tile, lower precision, layers that wait in main memory, the CPU. Each keeps what those before it saved,
    but the CPU, whose memory is another, begins with the whole tile again.

    Args:
        first: as asked.
        side_px: the tile's longer edge; None where a smaller tile would not help, as the network's input is fixed.
    """
    shrinks = [1]
    while side_px is not None and side_px / (2 * shrinks[-1]) >= SMALLEST_SIDE_PX:
        shrinks.append(2 * shrinks[-1])
    out = [Rung(first, shrink) for shrink in shrinks]
    if first.device == "cpu":
        return tuple(out)
    least = shrinks[-1]
    if first.dtype == "fp32":
        out.append(Rung(replace(first, dtype=first.half), least))
    if not first.offload and first.can_offload:
        out.append(Rung(replace(out[-1].hardware, offload=True), least))
    return (*out, Rung(Hardware("cpu", "fp32")))


class Ladder:
    """Runs work on the highest rung that holds, and stays there for the next time.

    Args:
        first: as asked.
        release: called before the next rung is tried, to give back what the last one took.
    """

    def __init__(self, first: Hardware, release: Callable[[], None] = lambda: None) -> None:
        self._first = first
        self._release = release
        self._below: set[Rung] = set()
        self.rung = Rung(first)

    def run(self, work: Callable[[Rung], _Result], *, side_px: int | None = None) -> _Result:
        """The result of the first rung that does not run out of memory.

        Args:
            work: does it on one rung.
            side_px: as for :func:`rungs`.

        Raises:
            OutOfMemory: none did.
        """
        every = rungs(self._first, side_px=side_px)
        last: BaseException | None = None
        for rung in [r for r in every if r not in self._below] or every[-1:]:
            try:
                result = work(rung)
            except (MemoryError, RuntimeError, OutOfMemory) as error:
                if not is_out_of_memory(error):
                    raise
                logger.warning("out of memory on %s, shrink %d: %s", rung.hardware, rung.shrink, error)
                last = error.with_traceback(None)  # its frames hold the tensors that must go
                self._below.add(rung)
            else:
                self.rung = rung
                return result
            self._release()
        # The next tile may be smaller.
        self._below.clear()
        raise OutOfMemory(
            f"There is too little memory for this even on {every[-1].hardware.sentence}: {last}. Choose a smaller"
            " area, close other programs, or choose smaller weights (`rsground models list`)"
            " and name them in RSGROUND_VLM or RSGROUND_SEGMENTER.",
            field="tile",
        )


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception means that memory ran out, on any device."""
    if isinstance(error, (MemoryError, OutOfMemory)) or type(error).__name__ == "OutOfMemoryError":
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(
        words in text for words in ("out of memory", "not enough memory", "can't allocate memory", "alloc_failed")
    )
