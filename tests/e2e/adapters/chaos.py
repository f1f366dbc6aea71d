# SPDX-License-Identifier: MIT
"""Tools whose answer says which call it is of."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy
from snakepit_bridge import BaseAdapter, tool


class Chaos(BaseAdapter):
    """Each answer can be told from that of any other call."""

    @tool
    def echo(self, **arguments):
        """What it was given."""
        return arguments

    @tool
    def double(self, array):
        """An array, twice."""
        return numpy.asarray(array) * numpy.float32(2)

    @tool
    def fail(self, message: str):
        """Raises."""
        raise ValueError(message)

    @tool
    def count(self, start: int, n: int) -> Iterator[int]:
        """Counts, and returns how far."""
        yield from range(start, start + n)
        return n

    @tool
    def slow(self, ms: int) -> int:
        """Takes its time."""
        time.sleep(ms / 1000)
        return ms

    @tool(batch=8)
    def twice(self, x):
        """Of many calls at once."""
        return [2 * value for value in x]

    @tool
    def kept(self, key: str):
        """A value of its session."""
        return self.session_context.get(key)
