# SPDX-License-Identifier: MIT
"""Counts words: an adapter for any Python, one call at a time in each worker."""

import os
import re
import signal
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

from snakepit_bridge import BaseAdapter, tool

WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")


class TextAdapter(BaseAdapter):
    """Statistics of a text, and three tools that show what a pool does."""

    @tool(description="Words, letters, and the most common and longest words of a text")
    def analyze(self, text: str, limit: int = 5) -> dict[str, Any]:
        """Return counts `words`, `distinct`, `letters`; lists `common`, `longest`.

        `common` holds at most `limit` pairs [word, count], most frequent first;
        `longest` at most `limit` words, longest first. Words are taken in lower case.
        """
        if limit < 0:
            raise ValueError("limit must not be negative")
        counts = Counter(word.lower() for word in WORD.findall(text))
        longest: list[str] = sorted(counts, key=lambda word: (-len(word), word))
        return {
            "words": sum(counts.values()),
            "distinct": len(counts),
            "letters": sum(character.isalpha() for character in text),
            "common": [[word, count] for word, count in counts.most_common(limit)],
            "longest": longest[:limit],
        }

    @tool(description="The sum of two numbers")
    def add(self, a: float, b: float) -> float:
        """Return a + b; integers stay integers."""
        return a + b

    @tool(description="Counts, one chunk of a stream at a time")
    def count_up(self, limit: int = 5) -> Iterator[int]:
        """Yield 1 to `limit`."""
        yield from range(1, limit + 1)

    @tool(description="Waits, then says for how long")
    def sleep(self, ms: int) -> int:
        """Wait `ms` milliseconds and return `ms`."""
        time.sleep(ms / 1000)
        return ms

    @tool(description="Kills its own worker, as a bug in native code would")
    def crash(self) -> None:
        """Never return: the process ends with SIGKILL."""
        os.kill(os.getpid(), signal.SIGKILL)
