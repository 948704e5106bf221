"""What the C library's allocator keeps for itself."""

from __future__ import annotations

import ctypes
import os
from functools import cache
from typing import Any

#: Of glibc's ``malloc.h``: how many arenas there may be.
_ARENA_MAX = -8


@cache
def _glibc() -> Any:
    """The C library where it is glibc, else None."""
    return ctypes.CDLL(None) if "CS_GNU_LIBC_VERSION" in getattr(os, "confstr_names", ()) else None


def share_one_arena() -> None:
    """Lets threads that start from now on allocate from one arena (glibc only).

    By itself every thread gets its own, and what threads have freed lies as holes in all of them. Ours allocate few and
    large arrays: they do not get in each other's way.
    """
    if _glibc() is not None:
        _glibc().mallopt(_ARENA_MAX, 1)


def give_back() -> None:
    """Gives what has been freed back to the system (glibc only): some milliseconds."""
    if _glibc() is not None:
        _glibc().malloc_trim(0)
