# SPDX-License-Identifier: MIT
"""Tools for language models."""

from __future__ import annotations

import pathlib
import time
from collections.abc import Iterator

from served import Served
from snakepit_bridge import BaseAdapter, tool

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
WAV = b"RIFF\x04\x00\x00\x00WAVE"


class Models(Served):
    """Each tool is one kind of content, or of annotation."""

    @tool(read_only=True, idempotent=True)
    def add(self, a: int, b: int = 1) -> int:
        """The sum of two numbers."""
        return a + b

    @tool(destructive=False)
    def store(self, value: str) -> None:
        """Only adds to what is there."""

    @tool
    def say(self, text: str) -> str:
        """Says what it was given."""
        return text

    @tool
    def picture(self) -> bytes:
        """The beginning of a picture."""
        return PNG

    @tool
    def album(self):
        """Several things at once."""
        return ["see", PNG, WAV, {"n": 1}]

    @tool
    def pictures(self, n: int) -> Iterator[bytes]:
        """One picture after the other."""
        for _ in range(n):
            yield PNG

    @tool
    def length(self, data: bytes) -> int:
        """How many bytes."""
        return len(data)

    @tool
    def total(self, before: int, array, after: int) -> float:
        """The sum of an array and two numbers."""
        return before + float(memoryview(array)[0]) + memoryview(array)[1] + after

    @tool
    def nap(self, seconds: float) -> None:
        """Takes its time."""
        until = pathlib.Path("/nowhere")
        for _ in range(int(seconds * 100)):
            if until.exists():
                return
            time.sleep(0.01)


class Fewer(BaseAdapter):
    """One of them."""

    @tool
    def add(self, a: int, b: int = 1) -> int:
        """The sum of two numbers."""
        return a + b


class Many(BaseAdapter):
    """More than a page of them."""


def _tool(name: str):
    @tool(name=name)
    def numbered(self) -> str:
        return name

    return numbered


for _i in range(250):
    setattr(Many, f"tool_{_i}", _tool(f"tool_{_i}"))
