"""What the C library's allocator keeps for itself."""

from __future__ import annotations

import ctypes
import os

#: Of glibc's ``malloc.h``: how many arenas there may be, and from which size on a block is the system's own.
_ARENA_MAX, _MMAP_THRESHOLD = -8, -3
#: Arrays of a tile are larger than this: freed, their memory goes back at once.
LARGE_BYTES = 4 << 20
#: What glibc lets the limit grow to by itself.
_GROWN_BYTES, _ANY_ARENAS = 32 << 20, 0


def give_back_large_blocks() -> bool:
    """Lets freed arrays leave this process; whether it could be had (glibc only).

    By itself glibc raises the limit from which blocks are mapped one by one up to 32 MiB, and keeps an arena for every
    thread: a batch's tiles, a thread each, leave holes in all of them, a third of the process's memory.
    It costs time, page faults in every new array: for batches, not for the panel's questions.
    """
    return _set(LARGE_BYTES, 2)


def keep_large_blocks() -> bool:
    """Ends it: a server that has run a batch answers the panel as fast as before."""
    return _set(_GROWN_BYTES, _ANY_ARENAS)


def _set(threshold: int, arenas: int) -> bool:
    if "CS_GNU_LIBC_VERSION" not in getattr(os, "confstr_names", ()):
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return all([mallopt(_MMAP_THRESHOLD, threshold), mallopt(_ARENA_MAX, arenas)])
