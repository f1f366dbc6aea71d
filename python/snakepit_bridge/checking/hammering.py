# SPDX-License-Identifier: MIT
"""Calls all tools of an adapter from several threads at once, for a short time."""

from __future__ import annotations

import contextvars
import inspect
import itertools
import threading
import time
from dataclasses import dataclass, field
from typing import Any, Callable

from .. import calling, faults, standalone
from ..errors import AdapterError
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
            # As in a worker: what it sets of context variables ends with it.
            contextvars.copy_context().run(self._run)
        except BaseException as caught:  # nothing that a tool raises ends the check
            error = ": ".join(faults.describe(caught)[:2])
        with self.lock:
            self.calls += 1
            self.errors += bool(error)
            self.first_error = self.first_error or error

    def _run(self) -> None:
        with standalone.call(self.name):
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
        if calling.seems_to_await(known.function):
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
    """What answers for names that are not tools: `execute_tool` or a request handler.
    It is called by a name that it cannot know, and may refuse.
    """
    if fallback is None:
        return []

    def call() -> Any:
        return fallback(NOBODYS, {})

    return [Tried(NOBODYS, call, call)]


def _start_all(threads: list[threading.Thread], start: threading.Barrier) -> None:
    for number, thread in enumerate(threads):
        try:
            thread.start()
        except RuntimeError as error:
            start.abort()
            raise AdapterError(
                f"of {len(threads)} threads only {number} could be started "
                f"({error}); give fewer by --threads"
            ) from None


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
        try:
            start.wait()
        except threading.BrokenBarrierError:
            return  # another thread could not be started
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
    _start_all(running, start)
    for thread in running:
        thread.join(max(0.0, end + 2 * seconds - time.monotonic()))
    return sorted(set(inside.copy().values()))
