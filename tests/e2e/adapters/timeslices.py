# SPDX-License-Identifier: MIT
"""Tells how long its time slice is, at its import and in a call."""

from __future__ import annotations

import ctypes
import platform
import struct

from snakepit_bridge import ThreadSafeAdapter, tool

SCHED_GETATTR = {"x86_64": 315}.get(platform.machine(), 275)


def timeslice_of_this_thread():
    """In ns; 0 before Linux 6.12."""
    attributes = ctypes.create_string_buffer(48)
    rc = ctypes.CDLL(None).syscall(SCHED_GETATTR, 0, attributes, 48, 0)
    assert rc == 0, "sched_getattr failed"
    return struct.unpack("IIQiIQQQ", attributes.raw)[5]


AT_IMPORT = timeslice_of_this_thread()


class TimeSlices(ThreadSafeAdapter):
    __thread_safe__ = True

    def __init__(self):
        super().__init__()
        self._at_init = timeslice_of_this_thread()

    @tool
    def slice_of_imports(self):
        from snakepit_bridge import late

        return late.imported_elsewhere("imported_late").AT_IMPORT

    @tool
    def slices(self):
        return [AT_IMPORT, self._at_init, timeslice_of_this_thread()]
