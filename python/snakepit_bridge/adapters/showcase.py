# SPDX-License-Identifier: MIT
"""The showcase of the process profile, and the adapter of a pool that names none.

Its tools need nothing but the standard library and show one thing each: plain values,
text, bytes, numbers by the thousand, state on the instance, an error.
"""

from __future__ import annotations

import hashlib
import os
import random
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

from .. import Tensor, __version__
from ..base_adapter import BaseAdapter, tool
from ..stream import StreamChunk
from . import inputs

Number = float

TOP_WORDS = 5
FIBONACCI_MAX = 93


class ShowcaseAdapter(BaseAdapter):
    """One small tool for each kind of value that crosses between host and Python."""

    __thread_safe__ = True

    def __init__(self) -> None:
        """Counts from zero."""
        super().__init__()
        self._started = time.monotonic()
        self._counts: Counter[str] = Counter()
        self._counts_lock = threading.Lock()

    def _count(self, name: str) -> None:
        with self._counts_lock:
            self._counts[name] += 1

    @tool
    def ping(self, message: str = "pong") -> dict[str, Any]:
        """Answers, and says which process did."""
        self._count("ping")
        return {"status": "ok", "message": message, "pid": os.getpid()}

    @tool
    def echo(self, /, **arguments: Any) -> dict[str, Any]:
        """Returns its arguments as they came; one may be called `self`."""
        self._count("echo")
        return arguments

    @tool
    def add(self, a: Number, b: Number) -> Number:
        """Adds two numbers. Raises TypeError for anything else."""
        self._count("add")
        total: Number = inputs.number("a", a) + inputs.number("b", b)
        return total

    @tool
    def compute(
        self,
        a: Number | None = None,
        b: Number | None = None,
        value: Number | None = None,
    ) -> dict[str, Any]:
        """Sum and product of `a` and `b`, or the square of `value`.

        Raises ValueError for any other combination of arguments, TypeError for what is
        no number.
        """
        self._count("compute")
        for name, given in (("a", a), ("b", b), ("value", value)):
            if given is not None:
                inputs.number(name, given)
        if value is not None and a is None and b is None:
            return {"result": value * value}
        if value is None and a is not None and b is not None:
            return {"result": a + b, "product": a * b}
        raise ValueError("compute takes a and b, or value alone")

    @tool
    def error_demo(self, message: str = "an error, as asked for") -> None:
        """Raises ValueError with the given message."""
        self._count("error_demo")
        raise ValueError(message)

    @tool
    def adapter_info(self) -> dict[str, Any]:
        """Which adapter, interpreter and process this is."""
        self._count("adapter_info")
        return {
            "adapter": type(self).__name__,
            "bridge": __version__,
            "python": ".".join(map(str, sys.version_info[:3])),
            "pid": os.getpid(),
            "thread": threading.current_thread().name,
            "session_id": self.session_id,
            "tools": [metadata.name for metadata in self.get_tools()],
        }

    @tool
    def process_text(self, text: str, operation: str = "stats") -> dict[str, Any]:
        """Text in, text or figures out.

        `operation` is `stats` (characters, words, lines, the most frequent words),
        `upper`, `lower`, `reverse` or `title`. Raises ValueError for another one,
        TypeError for what is not a text.
        """
        self._count("process_text")
        inputs.text("text", text)
        if operation == "stats":
            return text_statistics(text)
        if operation == "reverse":
            return {"operation": operation, "result": text[::-1]}
        if operation in ("upper", "lower", "title"):
            return {"operation": operation, "result": getattr(text, operation)()}
        raise ValueError(
            f"unknown operation {operation!r}; "
            "known: stats, upper, lower, reverse, title"
        )

    @tool
    def process_binary(self, data: bytes | Tensor) -> dict[str, Any]:
        """Size in bytes, SHA-256, smallest and largest byte of bytes or of an array.

        Raises TypeError for anything else.
        """
        self._count("process_binary")
        view = inputs.raw_bytes("data", data)
        content = view.cast("B") if view.nbytes else b""
        return {
            "size": view.nbytes,
            "sha256": hashlib.sha256(content).hexdigest(),
            "smallest": min(content, default=None),
            "largest": max(content, default=None),
        }

    @tool
    def generate_dataset(
        self, rows: int = 10, columns: int = 3, seed: int = 0
    ) -> dict[str, Any]:
        """Normally distributed numbers, the same for the same arguments.

        `data` has `rows` lists of `columns` numbers. Raises TypeError for what is no
        whole number, ValueError for a negative count.
        """
        self._count("generate_dataset")
        inputs.whole("rows", rows)
        inputs.whole("columns", columns)
        inputs.whole("seed", seed, least=-(2**63))
        chance = random.Random(seed)
        data = [[chance.gauss(0.0, 1.0) for _ in range(columns)] for _ in range(rows)]
        return {"shape": [rows, columns], "seed": seed, "data": data}

    @tool
    def stream_progress(self, steps: int = 10) -> Iterator[StreamChunk]:
        """A chunk for each step, with its share of the whole; the last one is final.

        Raises ValueError unless there is a step, TypeError for no whole number.
        """
        self._count("stream_progress")
        inputs.whole("steps", steps, least=1)
        for step in range(1, steps + 1):
            yield StreamChunk(
                {"step": step, "total": steps, "progress": step / steps},
                is_final=step == steps,
            )

    @tool
    def stream_fibonacci(self, count: int = 20) -> Iterator[dict[str, int]]:
        """The first `count` Fibonacci numbers, from 0 on; at most 93: as far as 64 bits
        go.

        Raises ValueError for another count, TypeError for no whole number.
        """
        self._count("stream_fibonacci")
        inputs.whole("count", count, most=FIBONACCI_MAX)
        a, b = 0, 1
        for index in range(count):
            yield {"index": index, "value": a}
            a, b = b, a + b

    @tool
    def get_stats(self) -> dict[str, Any]:
        """How often each tool of this worker was called, and its age in seconds."""
        self._count("get_stats")
        with self._counts_lock:
            calls = dict(self._counts)
        return {
            "calls": calls,
            "total_calls": sum(calls.values()),
            "uptime_seconds": time.monotonic() - self._started,
        }


def text_statistics(text: str) -> dict[str, Any]:
    """Counts of a text, and its most frequent words, equals in alphabetical order."""
    words = re.findall(r"\w+", text.lower())
    ranked = sorted(Counter(words).items(), key=lambda entry: (-entry[1], entry[0]))
    return {
        "characters": len(text),
        "words": len(words),
        "unique_words": len(ranked),
        "lines": len(text.splitlines()),
        "top_words": [
            {"word": word, "count": count} for word, count in ranked[:TOP_WORDS]
        ],
    }
