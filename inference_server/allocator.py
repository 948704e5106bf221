"""What the C library's allocator keeps for itself."""

from __future__ import annotations

import ctypes
import os
from functools import cache

#: Of glibc's ``malloc.h``: how many arenas there may be, and from which size on a block is the system's own.
_ARENA_MAX, _MMAP_THRESHOLD = -8, -3
#: Arrays of a tile are larger than this: freed, their memory goes back at once.
LARGE_BYTES = 4 << 20


@cache
def give_back_large_blocks() -> bool:
    """Lets freed arrays leave this process; whether it could be had (glibc only).

    By itself glibc raises the limit from which blocks are mapped one by one up to 32 MiB, and keeps an arena for every
    thread: a batch's tiles, a thread each, leave holes in all of them, a third of the process's memory.
    It costs time, page faults in every new array: for batches, not for the panel's questions.
    """
    if "CS_GNU_LIBC_VERSION" not in getattr(os, "confstr_names", ()):
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return all([mallopt(_MMAP_THRESHOLD, LARGE_BYTES), mallopt(_ARENA_MAX, 2)])
