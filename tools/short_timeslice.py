#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run a program with a short time slice: short_timeslice.py PROGRAM ARGUMENT...

Free-threaded CPython 3.13 yields the processor thousands of times while it starts and
imports (src/base/timeslice.h says why), so that it is very slow on a busy machine. The
library gives workers a short time slice; this is for the interpreters that the tests
and tools/bootstrap start.
"""

import ctypes
import os
import platform
import struct
import sys

SCHED_SETATTR = {"x86_64": 314}.get(platform.machine(), 274)
SHORT = 100_000  # ns
SCHED_OTHER = 0


def shorten() -> None:
    """For this process and all that it starts. Linux before 6.12 ignores it."""
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    attributes = struct.pack("IIQiIQQQ", 48, SCHED_OTHER, 0, nice, 0, SHORT, 0, 0)
    ctypes.CDLL(None).syscall(SCHED_SETATTR, 0, attributes, 0)


if __name__ == "__main__":
    shorten()
    os.execvp(sys.argv[1], sys.argv[1:])
