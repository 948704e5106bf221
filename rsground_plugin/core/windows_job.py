"""A Windows Job Object that kills our children when QGIS ends, however it ends.

Best effort: where it cannot be made (a nested job of an old Windows), the closing of stdin still
ends the server. This module is imported on Windows only.
"""

from __future__ import annotations

import ctypes
import logging
import subprocess  # for the type only  # nosec B404
from typing import Optional

_LOG = logging.getLogger(__name__)
_KILL_ON_JOB_CLOSE = 0x2000
_EXTENDED_LIMIT_INFORMATION = 9

#: The job's handle: Windows closes it with this process, which kills what is in the job.
_job: Optional[int] = None


class _BasicLimits(ctypes.Structure):
    _fields_ = [
        ("PerProcessUserTimeLimit", ctypes.c_int64),
        ("PerJobUserTimeLimit", ctypes.c_int64),
        ("LimitFlags", ctypes.c_uint32),
        ("MinimumWorkingSetSize", ctypes.c_size_t),
        ("MaximumWorkingSetSize", ctypes.c_size_t),
        ("ActiveProcessLimit", ctypes.c_uint32),
        ("Affinity", ctypes.c_size_t),
        ("PriorityClass", ctypes.c_uint32),
        ("SchedulingClass", ctypes.c_uint32),
    ]


class _ExtendedLimits(ctypes.Structure):
    _fields_ = [
        ("BasicLimitInformation", _BasicLimits),
        ("IoInfo", ctypes.c_uint64 * 6),
        ("ProcessMemoryLimit", ctypes.c_size_t),
        ("JobMemoryLimit", ctypes.c_size_t),
        ("PeakProcessMemoryUsed", ctypes.c_size_t),
        ("PeakJobMemoryUsed", ctypes.c_size_t),
    ]


def tie_to_this_process(child: subprocess.Popen[bytes]) -> bool:
    """Puts the child into this process's job; False when Windows refuses."""
    global _job
    kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)  # type: ignore[attr-defined]
    kernel32.CreateJobObjectW.restype = ctypes.c_void_p
    kernel32.CreateJobObjectW.argtypes = [ctypes.c_void_p, ctypes.c_wchar_p]
    kernel32.SetInformationJobObject.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p, ctypes.c_uint32]
    kernel32.AssignProcessToJobObject.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    if _job is None:
        job = kernel32.CreateJobObjectW(None, None)
        limits = _ExtendedLimits()
        limits.BasicLimitInformation.LimitFlags = _KILL_ON_JOB_CLOSE
        if not job or not kernel32.SetInformationJobObject(
            job, _EXTENDED_LIMIT_INFORMATION, ctypes.byref(limits), ctypes.sizeof(limits)
        ):
            _LOG.warning("RSGround: no job object for the server (Windows error %s)", ctypes.get_last_error())  # type: ignore[attr-defined]
            return False
        _job = job
    handle = int(child._handle)  # type: ignore[attr-defined]
    if not kernel32.AssignProcessToJobObject(_job, handle):
        _LOG.warning("RSGround: the server is outside the job (Windows error %s)", ctypes.get_last_error())  # type: ignore[attr-defined]
        return False
    return True
