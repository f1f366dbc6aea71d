# SPDX-License-Identifier: MIT
"""Tools that stand somewhere until the FIFO `gate` is opened. The line where each of
them stands then has its name in a comment.
"""

from __future__ import annotations

import asyncio
import ctypes
import functools
import os
import signal
import threading

from snakepit_bridge import BaseAdapter, tool


def when_open(gate, then):
    """Calls `then` once the gate was opened, on a thread of its own."""

    def wait():
        with open(gate):
            then()

    threading.Thread(target=wait, daemon=True).start()


class Stands(BaseAdapter):
    __thread_safe__ = True

    @tool
    def echo(self, value):
        return value

    @tool
    def work(self, n):
        """Runs Python, in and out of functions all the time."""
        return fibonacci(n)

    @tool
    def loop(self, gate):
        opened = []
        when_open(gate, lambda: opened.append(True))
        while not opened:
            pass  # loop
        return "went on"

    @tool
    def hold_gil(self, gate):
        """In C, with the GIL."""
        fd = ctypes.PyDLL(None).open(os.fsencode(gate), os.O_RDONLY)  # hold_gil
        os.close(fd)
        return "went on"

    @tool
    def lock(self, gate):
        lock = threading.Lock()
        lock.acquire()
        when_open(gate, lock.release)
        lock.acquire()  # lock
        return "went on"

    @tool
    def deep(self, gate, frames=150):
        if frames > 0:
            return self.deep(gate, frames - 1)
        with open(gate):  # deep
            return "went on"

    @tool
    def generator(self, gate):
        """In a generator, below a function of C and one without a name."""

        def each():
            with open(gate):  # generator
                yield "went on"

        return functools.reduce(lambda _, value: value, each(), "")

    @tool
    async def coroutine(self, gate):
        """Holds up the event loop."""
        with open(gate):  # coroutine
            return "went on"

    @tool
    async def awaits(self, gate):
        loop = asyncio.get_running_loop()
        opened = loop.create_future()
        when_open(gate, lambda: loop.call_soon_threadsafe(opened.set_result, None))
        await opened
        return "went on"

    @tool
    def strange(self, gate):
        """Names that a log or a terminal must not be shown as they are."""
        code = compile(
            "def \u00fcber_\u6f22(gate):\n\n    with open(gate): return 'went on'\n",
            "a\x1b[2J\n\u202eb.py",
            "exec",
        )
        names = {}
        exec(code, names)
        return names["\u00fcber_\u6f22"](gate)

    @tool
    def stop_process(self):
        os.kill(os.getpid(), signal.SIGSTOP)


def fibonacci(n):
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)
