# SPDX-License-Identifier: MIT
"""Tools for the tests of the doors."""

from __future__ import annotations

import os
import pathlib
import time
from collections.abc import Iterator

import numpy
from snakepit_bridge import BaseAdapter, tool


class Served(BaseAdapter):
    """Each tool is one thing that can cross, or go wrong."""

    @tool
    def add(self, a: int, b: int = 1) -> int:
        """The sum of two numbers."""
        return a + b

    @tool
    def echo(self, **arguments):
        """What it was given."""
        return arguments

    @tool
    def nothing(self) -> None:
        """Returns nothing."""

    @tool
    def data(self) -> bytes:
        """Three bytes, which are not UTF-8."""
        return b"\x00\xff\x80"

    @tool
    def double(self, array):
        """An array, twice."""
        return numpy.asarray(array) * numpy.float32(2)

    @tool
    def zeros(self, n: int):
        """An array of n zeros."""
        return numpy.zeros(n, numpy.float32)

    @tool
    def alike(self):
        """A value that JSON cannot say."""
        return {1: "a", "1": "b"}

    @tool
    def fail(self, message: str = "no"):
        """Raises."""
        raise ValueError(message)

    @tool
    def die(self):
        """Ends its worker."""
        os._exit(3)

    @tool
    def pid(self) -> int:
        """The worker's process."""
        return os.getpid()

    @tool
    def session(self) -> str:
        """Its session."""
        return self.session_id

    @tool
    def kept(self, key: str):
        """A value of its session."""
        return self.session_context.get(key)

    @tool
    def wait(self, path: str) -> str:
        """Says in a file that it has begun, and waits for another one."""
        begun = pathlib.Path(path)
        enough = pathlib.Path(path + ".enough")
        try:
            begun.write_text("begun")
            while not enough.exists():
                time.sleep(0.01)
            return "enough"
        finally:
            begun.write_text("ended")

    @tool
    def count(self, n: int, fail_at: int = -1) -> Iterator[int]:
        """Counts, and returns how far."""
        for i in range(n):
            if i == fail_at:
                raise ValueError(f"no {i}")
            yield i
        return n

    @tool
    def lists(self, sizes: list[int], last: int = 0) -> Iterator[list[int]]:
        """Of a negative size: one that JSON cannot say."""
        for size in sizes:
            yield list(range(size)) if size >= 0 else [0] * -size + [{1: 2, "1": 3}]
        return list(range(last))

    @tool
    def lines(self):
        """Chunks that are hard to frame."""
        yield "a\nb\r\nc"
        yield {"$": "data: x\n\n"}

    @tool
    def pour(self, path: str, size: int = 65536):
        """Yields texts without end, and says in a file how many."""
        poured = pathlib.Path(path)
        i = 0
        try:
            while True:
                poured.write_text(str(i))
                yield "x" * size
                i += 1
        finally:
            poured.write_text("closed")
