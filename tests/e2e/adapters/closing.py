# SPDX-License-Identifier: MIT
"""Tools that clean up when they are cancelled, or cannot."""

from __future__ import annotations

import pathlib
import time
from collections.abc import Iterator
from contextlib import contextmanager

from snakepit_bridge import ThreadSafeAdapter, runtime, tool


class Closing(ThreadSafeAdapter):
    """Notes in a file what it got to do."""

    __thread_safe__ = True

    def __init__(self) -> None:
        super().__init__()
        self.notes = pathlib.Path(self.config["notes"])

    def note(self, word: str) -> None:
        with self.notes.open("a") as file:
            file.write(f"{word}\n")

    @contextmanager
    def noted(self) -> Iterator[None]:
        try:  # the test cancels once it has read the note
            self.note("begun")
            yield
        finally:
            self.note("finally")

    @tool
    def loops(self) -> None:
        with self.noted():
            while True:
                time.sleep(0.01)

    @tool
    async def waits(self) -> None:
        import asyncio

        with self.noted():
            await asyncio.sleep(3600)

    @tool
    def is_deaf(self) -> None:
        runtime.shield()  # nothing interrupts it, however slow the machine is
        with self.noted():
            time.sleep(3600)

    def cleanup(self) -> None:
        self.note("cleanup")
