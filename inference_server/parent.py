"""A server never outlives the program that started it: three life lines, each enough.

The pipe to its stdin closes when the parent ends, however it ends. On Linux the kernel kills the child when the
thread that started it ends. And a thread looks for the parent's process twice a second. (On Windows the parent
puts the child into a Job Object as well.)
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import stat
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

logger = logging.getLogger(__name__)

_POLL_S = 0.5
_PR_SET_PDEATHSIG = 1


def leave_with_parent(parent_pid: int, leave: Callable[[str], None]) -> None:
    """Calls ``leave`` with a reason when the process ``parent_pid`` has ended, at once if it has already."""
    if sys.platform == "linux" and os.getppid() == parent_pid:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
            logger.warning("PR_SET_PDEATHSIG failed with errno %d", ctypes.get_errno())
        # A parent that ended before the call above sends no signal any more: the thread below sees that.
    is_alive = _probe(parent_pid)

    def watch() -> None:
        while is_alive():
            time.sleep(_POLL_S)
        leave(f"the parent process {parent_pid} has ended")

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


def leave_with_stdin(leave: Callable[[str], None]) -> None:
    """Calls ``leave`` with a reason when stdin closes; what comes in on it is thrown away."""
    descriptor = sys.stdin.fileno()

    def watch() -> None:
        try:
            while os.read(descriptor, 4096):
                pass
        except OSError:
            logger.debug("stdin cannot be read any more", exc_info=True)
        leave("stdin was closed")

    threading.Thread(target=watch, name="stdin-watch", daemon=True).start()


def is_stdin_a_pipe() -> bool:
    """Whether a program holds the other end of stdin; false for a terminal, a file and /dev/null."""
    if sys.stdin is None or sys.stdin.closed:
        return False
    mode = os.fstat(sys.stdin.fileno()).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def _probe(pid: int) -> Callable[[], bool]:
    """A function that says whether that process, and not a later one with its number, still runs."""
    if sys.platform == "win32":
        return _windows_probe(pid)
    if Path("/proc/self/stat").exists():
        born = _state_and_birth(pid)

        def lives_in_proc() -> bool:
            now = _state_and_birth(pid)
            # A zombie has ended; only its own parent has not noticed.
            return now is not None and born is not None and now[1] == born[1] and now[0] not in "ZX"

        return lives_in_proc

    was_child = os.getppid() == pid

    def lives() -> bool:
        if was_child:
            return os.getppid() == pid
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True

    return lives


def _state_and_birth(pid: int) -> tuple[str, str] | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:  # gone
        return None
    # The command in brackets may hold anything, brackets and spaces too.
    fields = text.rpartition(")")[2].split()
    return fields[0], fields[19]


def _windows_probe(pid: int) -> Callable[[], bool]:
    kernel = ctypes.windll.kernel32  # type: ignore[attr-defined,unused-ignore]
    kernel.OpenProcess.restype = ctypes.c_void_p
    handle = kernel.OpenProcess(0x00100000, False, pid)  # SYNCHRONIZE

    def lives() -> bool:
        # WAIT_TIMEOUT: not ended yet.
        return bool(handle) and kernel.WaitForSingleObject(ctypes.c_void_p(handle), 0) == 0x102

    return lives
