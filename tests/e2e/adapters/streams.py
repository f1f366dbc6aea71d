# SPDX-License-Identifier: MIT
"""Tools that stream, in every way there is; what they do at their end is written down
where a test can read it.
"""

from __future__ import annotations

import io
import itertools
import os
import pathlib
import threading
import time

import numpy
import snakepit_bridge
from snakepit_bridge import (
    StreamChunk,
    ThreadSafeAdapter,
    current_call,
    thread_safe_method,
    tool,
)


def note(path, text):
    """Leaves a text in a file, whole or not at all."""
    part = pathlib.Path(path + ".part")
    part.write_text(text)
    part.rename(path)


class Window:
    """Gives arrays over its own memory, which it overwrites when it is closed."""

    def __init__(self, n):
        """Holds 0 to n - 1."""
        self.array = numpy.arange(n)
        self.next = 0

    def __iter__(self):
        """Itself."""
        return self

    def __next__(self):
        """The next one."""
        self.next += 1
        if self.next > len(self.array):
            raise StopIteration
        return self.array[self.next - 1 : self.next]

    def close(self):
        """The memory is another's from now on."""
        self.array[:] = -1


class Streams(ThreadSafeAdapter):
    """Shared by all calls of a worker."""

    __thread_safe__ = True

    @tool
    def count(self, n, fail_at=-1, path=""):
        """Gives 0 to n - 1, returns n; raises at `fail_at`; notes its end."""
        end = "broken off"
        try:
            for i in range(n):
                if i == fail_at:
                    raise LookupError(f"no number {i}")
                yield i
            end = "done"
            return {"count": n}
        except LookupError:
            end = "raised"
            raise
        finally:
            if path:
                note(path, end)

    @tool
    async def count_async(self, n, fail_at=-1, path=""):
        """The same on the event loop."""
        import asyncio

        end = "broken off"
        try:
            for i in range(n):
                if i % 100 == 0:
                    await asyncio.sleep(0)
                if i == fail_at:
                    raise LookupError(f"no number {i}")
                yield i
            end = "done"
        except LookupError:
            end = "raised"
            raise
        finally:
            await asyncio.sleep(0)  # a finally that awaits
            if path:
                note(path, end)

    @tool
    def bytes_io(self, data):
        """Crosses as its bytes, though it is an iterator over lines."""
        buffer = io.BytesIO(data)
        buffer.readline()
        return buffer

    @tool
    def window(self, n):
        """Items that lie in what their iterator holds."""
        return Window(n)

    @tool
    def iterator(self, n):
        """An iterator that is not a generator, and closes nothing."""
        return iter(range(n))

    @tool
    def async_iterator(self, n):
        """A plain function that returns an asynchronous iterator."""
        return AsyncNumbers(n)

    @tool
    async def later(self, n):
        """A coroutine that comes to an iterator."""
        import asyncio

        await asyncio.sleep(0)
        return map(str, range(n))

    @tool
    def plain(self, value):
        """No stream at all."""
        return {"value": value}

    @tool
    def endless(self):
        """Never runs Python code, so that no exception can be raised in it."""
        return itertools.count()

    @tool
    def chunks(self, n, final_at):
        """StreamChunks; what comes behind the final one is never asked for."""
        for i in range(n):
            yield StreamChunk(i, is_final=i == final_at, metadata={"of": n})

    @tool
    def unserialisable(self, n):
        """n good items, then one that cannot cross."""
        yield from range(n)
        yield {"bad": object()}

    @tool
    def arrays(self, n, size, empty=True):
        """Arrays of `size` bytes, each full of its number."""
        for i in range(n):
            if empty:
                tensor = snakepit_bridge.empty((size,), "uint8")
                array = numpy.asarray(tensor)
            else:
                tensor = array = numpy.empty(size, dtype="uint8")
            array[:] = i % 251
            yield {"i": i, "data": tensor}

    @tool
    def texts(self, n, size):
        """Texts that are too large to lie in the tube."""
        for i in range(n):
            yield chr(65 + i % 26) * size

    @tool
    def slow(self, n, seconds, path=""):
        """A number, then a pause."""
        try:
            for i in range(n):
                yield i
                time.sleep(seconds)
        finally:
            if path:
                note(path, "closed")

    @tool
    def count_behind(self, n, gate):
        """0, and once somebody has opened the FIFO the other numbers below n."""
        yield 0
        os.close(os.open(gate, os.O_RDONLY))
        yield from range(1, n)

    @tool
    def wait_at(self, n, path):
        """n numbers, then it waits to be cancelled."""
        try:
            yield from range(n)
            while True:
                time.sleep(0.01)
        except GeneratorExit:
            note(path, "closed")
            raise
        except BaseException as error:
            note(path, type(error).__name__)
            raise

    @tool
    async def wait_at_async(self, n, path):
        """The same on the event loop."""
        import asyncio

        try:
            for i in range(n):
                yield i
            await asyncio.sleep(3600)
        except BaseException as error:
            note(path, type(error).__name__)
            raise

    @thread_safe_method
    def tracked(self, n):
        """Says which call it belongs to, and whether it is counted as active."""
        for i in range(n):
            yield {
                "i": i,
                "call": current_call().id,
                "tool": current_call().tool,
                "thread": threading.get_ident(),
                "active": self.get_stats_dict()["active_requests"],
            }

    @tool
    def stats(self):
        """The counts of requests."""
        return self.get_stats_dict()

    @tool
    async def where(self, n):
        """The call that the event loop works for."""
        import asyncio

        for _ in range(n):
            yield current_call().tool
            await asyncio.sleep(0)

    @tool
    def die_at(self, n):
        """n numbers, then the worker is gone."""
        import signal

        yield from range(n)
        os.kill(os.getpid(), signal.SIGKILL)


class AsyncNumbers:
    """An asynchronous iterator that is not a generator."""

    def __init__(self, n):
        self.left = iter(range(n))

    def __aiter__(self):
        return self

    async def __anext__(self):
        import asyncio

        await asyncio.sleep(0)
        for number in self.left:
            return number
        raise StopAsyncIteration


class Fallback:
    """Answers every name by a stream."""

    __thread_safe__ = True

    async def execute_tool(self, tool_name, arguments, context):
        """A coroutine that comes to a generator."""
        return (f"{tool_name} {i}" for i in range(arguments["n"]))


class AsyncHandler:
    """The oldest style, with an asynchronous generator."""

    __thread_safe__ = True

    async def handle_request(self, request):
        """Streams."""
        for i in range(request.args["n"]):
            yield f"{request.command} {i}"


class PerRequest:
    """An instance for each call, which is cleaned up when its stream is over."""

    __thread_safe__ = True
    __per_request__ = True

    def initialize(self):
        """Has nothing to do yet."""
        self.path = ""

    @tool
    def bytes_io(self, data):
        """Crosses as its bytes, though it is an iterator over lines."""
        return io.BytesIO(data)

    @tool
    def count(self, n, path, fail_at=-1):
        """Notes its end; `cleanup` adds to that."""
        self.path = path
        self.text = "broken off"
        try:
            for i in range(n):
                if i == fail_at:
                    raise LookupError(str(i))
                yield i
            self.text = "done"
        finally:
            self.text += ", closed"

    @tool
    async def count_async(self, n, path, fail_at=-1):
        """The same on the event loop."""
        import asyncio

        self.path = path
        self.text = "broken off"
        try:
            for i in range(n):
                await asyncio.sleep(0)
                if i == fail_at:
                    raise LookupError(str(i))
                yield i
            self.text = "done"
        finally:
            self.text += ", closed"

    def cleanup(self):
        """After the generator's own end."""
        if self.path:
            note(self.path, f"{self.text}, cleaned up")
