# SPDX-License-Identifier: MIT
"""Tools whose libraries take no notice of what is read-only."""

from __future__ import annotations

import ctypes
import faulthandler
import os
import signal

from snakepit_bridge import BaseAdapter, tool


def write_to(array):
    """Writes to the memory of an array, past all that Python would say to it."""
    import numpy

    ctypes.memset(numpy.asarray(array).ctypes.data, 0xFF, 8)


class Careless(BaseAdapter):
    """Declares nothing and keeps nothing."""

    __thread_safe__ = True

    @tool
    def write(self, array):
        write_to(array)

    @tool
    def dump_and_write(self, array):
        """With a handler of the signal that is younger than the worker's."""
        faulthandler.enable()
        write_to(array)

    @tool
    def fault(self):
        ctypes.memset(8, 0xFF, 8)

    @tool
    def raise_signal(self):
        signal.raise_signal(signal.SIGSEGV)

    @tool
    def write_in_a_child(self, array):
        """How a forked child ended that wrote to the array."""
        child = os.fork()
        if child == 0:
            write_to(array)
            os._exit(0)
        return os.WTERMSIG(os.waitpid(child, 0)[1])

    @tool
    def change(self, array):
        """What the array is, and what it holds after it was written to."""
        import numpy

        seen = numpy.asarray(array)
        kind = type(array).__name__
        write_to(array)
        return {
            "type": kind,
            "writable": bool(seen.flags.writeable),
            "bytes": seen.tobytes(),
        }

    @tool
    def add_in_place(self, array):
        """As torch does it, by DLPack."""
        import numpy

        numpy.from_dlpack(array)[...] += 1
        return array

    @tool
    def describe(self, array):
        import numpy

        return [type(array).__name__, bool(numpy.asarray(array).flags.writeable)]

    @tool
    def fail(self, array):
        raise ValueError("on purpose")

    @tool
    def keep(self, array):
        self.kept = array

    @tool
    def kept_sum(self):
        return float(memoryview(self.kept)[0])

    @tool
    def host(self, tool):
        """What the host's tool returns, by its type."""
        return type(self.session_context.call_host_tool(tool)).__name__


class DumpingNoMore(Careless):
    """With a handler that is switched off when it is needed, and comes back at once."""

    def initialize(self):
        faulthandler.enable()

    @tool
    def crash_without(self):
        faulthandler.disable()
        ctypes.string_at(0)


class Dumping(Careless):
    """With a handler of the signal that is older than the worker's."""

    def __init__(self):
        super().__init__()
        faulthandler.enable()
