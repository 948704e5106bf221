"""The allocator's settings, in a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import ctypes
import threading
import numpy as np
from inference_server.allocator import give_back, share_one_arena

def mb():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 2**20

if {is_shared}:
    share_one_arena()
barrier = threading.Barrier(4)
def work():
    barrier.wait()
    large = [np.ones(100_000, np.uint8) for _ in range(200)]
    barrier.wait()
    del large[:-1]
    kept.append(large)
    barrier.wait()
kept, before = [], mb()
for _ in range(3):
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
held = mb() - before
give_back()
print(held, mb() - before, flush=True)
libc = ctypes.CDLL(None)
libc.malloc_info(0, ctypes.c_void_p.in_dll(libc, "stdout"))
libc.fflush(None)
"""


@pytest.mark.skipif(
    not sys.platform.startswith("linux") or "CS_GNU_LIBC_VERSION" not in os.confstr_names, reason="needs glibc"
)
def test_what_threads_have_freed_leaves_the_process() -> None:
    for is_shared in (True, False):
        program = PROGRAM.replace("{is_shared}", str(is_shared))
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        held, left = (float(word) for word in done.stdout.splitlines()[0].split())
        assert left < 15, f"12 arrays of 0.1 MB are all that there is, {held} MB were held before"
        assert held > 40, "else there would be nothing to do"
        assert (done.stdout.count("<heap nr=") == 1) == is_shared, "an arena a thread, or one"
