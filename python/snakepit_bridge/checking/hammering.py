# SPDX-License-Identifier: MIT
"""Calls all tools of an adapter from several threads at once, for a short time."""

from __future__ import annotations

import inspect
import itertools
import threading
import time
from dataclasses import dataclass, field
from typing import Any, Callable

from .. import standalone
from ..tools import Tool
from .examples import NoExample, arguments_for

NOBODYS = "snakepit_check_adapter"  # no adapter has a tool of that name
ITEMS_MAX = 1000  # of a generator that are taken


@dataclass
class Tried:
    """What came of one tool."""

    name: str
    method: Callable[..., Any]  # whose signature says what it takes
    function: Callable[..., Any]  # what is called
    calls: int = 0
    errors: int = 0
    first_error: str = ""
    skipped: str = ""  # why it was not called
    lock: threading.Lock = field(default_factory=threading.Lock)  # guards the numbers

    def call(self) -> None:
        """Calls it once, with new arguments."""
        error = ""
        try:
            with standalone.call(self.name):
                self._run()
        except Exception as caught:
            error = f"{type(caught).__name__}: {caught}"
        with self.lock:
            self.calls += 1
            self.errors += bool(error)
            self.first_error = self.first_error or error

    def _run(self) -> None:
        result = self.function(**arguments_for(self.method))
        if inspect.isgenerator(result):
            for _ in itertools.islice(result, ITEMS_MAX):
                pass
            result.close()

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "name": self.name,
            "calls": self.calls,
            "errors": self.errors,
            "first_error": self.first_error or None,
            "skipped": self.skipped or None,
        }


def tools_to_try(
    tools: dict[str, Tool], functions: dict[str, Callable[..., Any]]
) -> list[Tried]:
    """An adapter's tools; those that cannot be tried say why. One of `functions` is
    called in the place of the tool of its name.
    """
    found = []
    for name, known in tools.items():
        tried = Tried(name, known.function, functions.get(name, known.function))
        plain = inspect.unwrap(known.function)
        if inspect.iscoroutinefunction(plain) or inspect.isasyncgenfunction(plain):
            tried.skipped = "async tools share one thread"
        else:
            try:
                arguments_for(known.function)
            except NoExample as error:
                tried.skipped = str(error)
        found.append(tried)
    return found


def fallback_to_try(
    fallback: Callable[[str, dict[str, Any]], Any] | None,
) -> list[Tried]:
    """What answers for names that are no tool: `execute_tool` or a request handler. It
    is called by a name that it cannot know, and may refuse.
    """
    if fallback is None:
        return []

    def call() -> Any:
        return fallback(NOBODYS, {})

    return [Tried(NOBODYS, call, call)]


def hammer(tools: list[Tried], threads: int, calls: int, seconds: float) -> list[str]:
    """Has each of `threads` threads call each tool `calls` times, all tools mixed.

    No call begins after `seconds`. Gives the names of tools that had not come back
    then and twice as long after; their threads are left behind.
    """
    tools = [tool for tool in tools if not tool.skipped]
    start = threading.Barrier(threads)
    end = time.monotonic() + seconds
    inside: dict[int, str] = {}

    def run(index: int) -> None:
        start.wait()
        for _ in range(calls):
            for place in range(len(tools)):
                # Half of the threads are in the same tool, half in others.
                tool = tools[(place + index // 2) % len(tools)]
                if time.monotonic() >= end:
                    return
                inside[index] = tool.name
                tool.call()
                del inside[index]

    running = [
        threading.Thread(target=run, args=(index,), name=f"check-{index}", daemon=True)
        for index in range(threads)
    ]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(max(0.0, end + 2 * seconds - time.monotonic()))
    return sorted(set(inside.copy().values()))
