# SPDX-License-Identifier: MIT
"""Tools of several kinds, for those who look at them."""

from __future__ import annotations

import enum
import time
from collections.abc import Iterator

from snakepit_bridge import BaseAdapter, tool


class Tone(enum.Enum):
    """How it is said."""

    PLAIN = "plain"
    WARM = "warm"


class Watched(BaseAdapter):
    __thread_safe__ = True

    @tool
    def embed(self, text: str, ms: float = 4.0) -> list[float]:
        """Numbers of a text, after a while."""
        time.sleep(ms / 1000)
        return [float(len(text)), ms]

    @tool
    def rank(self, items: list[str], limit: int = 3, loudly: bool = False) -> list[str]:
        """The shortest of some texts."""
        time.sleep(0.012)
        found = sorted(items, key=len)[:limit]
        return [item.upper() for item in found] if loudly else found

    @tool
    def shout(self, text: str, times: int = 1) -> str:
        """A text in capitals, again and again."""
        return " ".join([text.upper()] * times)

    @tool
    def parse(self, text: str) -> int:
        """The number that a text says."""
        return self._checked(text)

    def _checked(self, text: str) -> int:
        return int(text)

    @tool
    def crawl(self, seconds: float) -> str:
        """Takes its time."""
        print("the crawl begins", flush=True)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._step()
        return "done"

    def _step(self) -> None:
        time.sleep(0.02)

    @tool
    def count(self, n: int) -> Iterator[int]:
        """Counts, and says how far."""
        for i in range(n):
            yield i
            time.sleep(0.01)
        return n
