"""The allocator's settings, in a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import threading
import numpy as np
from inference_server.allocator import give_back_large_blocks, keep_large_blocks

def mb():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 2**20

if {is_set}:
    assert give_back_large_blocks()
if {is_ended}:
    assert keep_large_blocks()
large = np.ones(30 << 20, np.uint8)
del large
kept, barrier = [], threading.Barrier(4)
def work():
    barrier.wait()
    large = np.ones(20 << 20, np.uint8)
    kept.append(np.ones(60_000, np.uint8))
    del large
    barrier.wait()
before = mb()
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(mb() - before)
"""


@pytest.mark.skipif(
    not sys.platform.startswith("linux") or "CS_GNU_LIBC_VERSION" not in os.confstr_names, reason="needs glibc"
)
def test_freed_arrays_leave_the_process() -> None:
    left = {}
    for is_set, is_ended in ((True, False), (True, True), (False, False)):
        program = PROGRAM.replace("{is_set}", str(is_set)).replace("{is_ended}", str(is_ended))
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        left[is_set, is_ended] = float(done.stdout)
    assert left[True, False] < 12
    assert left[False, False] > 30, "else there would be nothing to set"
    assert left[True, True] > 30, "ended: the process keeps them, as before"
