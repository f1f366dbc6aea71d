# SPDX-License-Identifier: MIT
"""Tools that do what their types say: whoever believes their schema is right."""

from __future__ import annotations

import time
from collections.abc import Iterator

from snakepit_bridge import BaseAdapter, tool


class Judged(BaseAdapter):
    @tool
    def add(self, a: int, b: int = 1) -> int:
        """The sum of two numbers."""
        return int(a + b) % (1 << 31)

    @tool
    def greet(self, name: str, loudly: bool = False) -> str:
        """A greeting."""
        return f"hello, {name}" + "!" * bool(loudly)

    @tool
    def mean(self, values: list[float]) -> float:
        """The mean of some numbers; of none it is 0."""
        return float(sum(values) / len(values)) if values else 0.0

    @tool
    def count(self, n: int) -> Iterator[int]:
        """Counts to ten at most."""
        yield from range(min(max(n, 0), 10))


class Patient(Judged):
    """One tool more, for clients that give up."""

    @tool
    def wait(self, seconds: float) -> None:
        """Takes its time, a minute at most."""
        until = time.monotonic() + min(max(seconds, 0.0), 60.0)
        while time.monotonic() < until:
            time.sleep(0.01)
