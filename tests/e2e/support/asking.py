# SPDX-License-Identifier: MIT
"""Pits whose workers ask their host, and who waits there."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from .configs import pool
from .host_tools import register
from .pit import Pit, held_back


def open_asking(open_pit: Callable[..., Pit], kind: str, **options: Any) -> Pit:
    """One worker of the adapter that asks, and an `echo` on the host."""
    # What heeds a cancel has time for it, also on a busy machine.
    options = {"cancel_grace_ms": 60_000, **options}
    made = open_pit(pool(kind, adapter="asks.Asks", **options))
    register(made, "echo", lambda info, **arguments: arguments.get("value"))
    return made


def open_asking_one(open_pit: Callable[..., Pit], profile: str) -> Pit:
    """The same with a worker that runs one call at a time."""
    threads = 1 if profile == "thread" else None
    return open_asking(open_pit, profile, threads_per_worker=threads)


class Blocked:
    """A host's tool that waits until the test lets it go on."""

    def __init__(self, result=None):
        self.result = result
        self.entered = threading.Semaphore(0)
        self.leave = threading.Event()
        held_back.append(self.leave)

    def __call__(self, info, **arguments):
        self.entered.release()
        assert self.leave.wait(60), "the test never let the tool go on"
        return self.result

    def wait(self, times=1):
        for _ in range(times):
            assert self.entered.acquire(timeout=20), "the tool was not called"


class Caller:
    """A synchronous call on a thread of its own."""

    def __init__(self, pit, tool, arguments, **options):
        self.outcome = None
        self.thread = threading.Thread(
            target=self.run, args=(pit, tool, arguments), kwargs=options
        )
        self.thread.start()

    def run(self, pit, tool, arguments, **options):
        with pit.answer(tool, arguments, **options) as answer:
            self.outcome = answer.value() if answer.err == "OK" else answer.fault

    def join(self):
        self.thread.join(20)
        assert not self.thread.is_alive(), "the call did not end"
        return self.outcome


def echo(value):
    return {"tool": "echo", "value": value}
