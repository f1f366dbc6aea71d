# SPDX-License-Identifier: MIT
"""Adapters that the tests of the checker share."""

from __future__ import annotations

from typing import Any

from conftest import hammer
from snakepit_bridge import ThreadSafeAdapter, thread_safe_method


def call_from_threads(adapter: Any, times: int) -> None:
    hammer(4, times, lambda _: adapter.run())


class Adapter(ThreadSafeAdapter):
    __thread_safe__ = True

    def __init__(self) -> None:
        super().__init__()
        self.counter = 0
        self.log: list[int] = []
        self.table: dict[int, int] = {}


class Increments(Adapter):
    @thread_safe_method
    def run(self) -> int:
        self.counter += 1
        return self.counter


class UsesItsLock(Adapter):
    @thread_safe_method
    def run(self) -> None:
        with self.acquire_lock():
            self.counter += 1
            self.log.append(1)


class CallsAnUnmarkedHelper(Adapter):
    @thread_safe_method
    def run(self) -> int:
        return self.helper(1)

    def helper(self, value: int) -> int:
        return value
