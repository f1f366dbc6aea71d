# SPDX-License-Identifier: MIT
"""Tools that run while their worker is told to end; what they do is in a journal."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import AsyncIterator, Iterator

from journals import Journal
from snakepit_bridge import BaseAdapter, Cancelled, current_call, runtime, tool


class Told(BaseAdapter):
    __thread_safe__ = True

    def __init__(self) -> None:
        super().__init__()
        self.journal = Journal(self.config["journal"])

    def initialize(self) -> None:
        if self.config.get("start") == "hang":
            with self.noted():
                while True:  # a signal just before a sleep does not shorten it
                    time.sleep(0.01)

    def cleanup(self) -> None:
        self.journal.write("cleanup")

    def open_to(self, gate: str) -> bool:
        """Whether the test has opened the gate, a file that it makes."""
        return os.path.exists(gate)

    @contextlib.contextmanager
    def noted(self) -> Iterator[None]:
        try:
            self.journal.write("begun")
            yield
        finally:
            self.journal.write("finally")

    @tool
    def pid(self) -> int:
        return os.getpid()

    @tool
    def wait(self, gate: str) -> str:
        with self.noted():
            while not self.open_to(gate):
                time.sleep(0.001)
        return "done"

    @tool
    async def wait_async(self, gate: str) -> str:
        import asyncio

        with self.noted():
            while not self.open_to(gate):
                await asyncio.sleep(0.001)
        return "done"

    @tool
    def stream(self, gate: str) -> Iterator[int]:
        with self.noted():
            yield 1
            while not self.open_to(gate):
                time.sleep(0.001)
            yield 2

    @tool
    async def stream_async(self, gate: str) -> AsyncIterator[int]:
        import asyncio

        with self.noted():
            yield 1
            while not self.open_to(gate):
                await asyncio.sleep(0.001)
            yield 2

    @tool
    def flood(self) -> Iterator[bytes]:
        """Waits for its reader."""
        with self.noted():
            while True:
                yield bytes(16_000)

    @tool
    def ask(self, name: str) -> object:
        """Waits for a host's tool."""
        with self.noted():
            return self.session_context.call_host_tool(name)

    @tool
    def ask_and_spin(self, name: str) -> object:
        """A call within a call."""
        return self.session_context.call_host_tool(name)

    @tool
    def deaf(self, gate: str) -> str:
        """Swallows what interrupts it."""
        self.journal.write("begun")
        while not self.open_to(gate):
            with contextlib.suppress(BaseException):
                time.sleep(0.001)
        return "done"

    @tool
    def shielded(self, gate: str) -> str:
        runtime.shield()
        return self.deaf(gate)

    @tool
    def cancelled(self) -> None:
        """Takes its time to clean up."""
        self.journal.write("begun")
        try:
            while True:
                time.sleep(0.001)
        except Cancelled:
            self.journal.write("Cancelled")
            raise

    @tool
    def session(self) -> str:
        call = current_call()
        return "" if call is None else str(os.getpid())
