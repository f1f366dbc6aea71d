# SPDX-License-Identifier: MIT
"""Adapters for the thread safety checker. In a worker each `run` is on two threads at
once.
"""

from __future__ import annotations

import threading
from queue import Queue

from snakepit_bridge import ThreadSafeAdapter, runtime, thread_safe_method, tool


class Meeting(ThreadSafeAdapter):
    __thread_safe__ = True

    def __init__(self) -> None:
        super().__init__()
        self.meeting = threading.Barrier(2, timeout=60)
        self.counter = 0
        self.rows: list[int] = []
        self.table: dict[str, int] = {}

    @thread_safe_method
    def run(self) -> int:
        if runtime.is_attached():
            self.meeting.wait()
        return self.change()


class Counter(Meeting):
    def change(self) -> int:
        self.counter += 1
        return self.counter


class Frame(Meeting):
    """The guide's third pitfall, without pandas: a new object from the old one."""

    def change(self) -> int:
        self.rows = [*self.rows, 1]
        return len(self.rows)


class Log(Meeting):
    def change(self) -> int:
        self.rows.append(1)
        return len(self.rows)


class Cache(Meeting):
    def change(self) -> int:
        self.table["last"] = self.table.get("last", 0) + 1
        return self.table["last"]


class Correct(Meeting):
    """All patterns of the guides, each as they say it is right."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self.log_lock = threading.Lock()
        self.results: Queue[int] = Queue()

    def initialize(self) -> None:
        self.model = {"weights": [1, 2, 3]}

    def cleanup(self) -> None:
        self.model = {}

    def change(self) -> int:
        cache = self.get_thread_local("cache", {})
        cache[len(cache)] = sum(self.model["weights"])
        self.set_thread_local("cache", cache)
        self.results.put(1)
        with self.acquire_lock():
            self.counter += 1
            self.rows.append(1)
        self._lock.acquire()
        try:
            self.table["last"] = 1 + self.table.get("last", 0)
        finally:
            self._lock.release()
        with self.log_lock:
            self.logged = self.results.qsize()
        return self.counter


class Unmarked(Meeting):
    def execute_tool(self, tool_name: str, arguments: dict, context: object) -> str:
        self.meeting.wait()
        return tool_name


class ImportsLate(ThreadSafeAdapter):
    """Uses an unsafe library that the module does not import."""

    __thread_safe__ = True

    @tool
    @thread_safe_method
    def run(self):
        import sqlite3

        return sqlite3.sqlite_version

    @tool
    async def run_async(self):
        import sqlite3

        return sqlite3.sqlite_version
