# SPDX-License-Identifier: MIT
"""Which work of one thread is over before another begins, as far as `Thread.start` and
`Thread.join` say so.

What a thread did before it started another is over for that one, and all that a thread
did is over for the one that joined it. Each thread counts the threads it has started;
the count is its *time*, and its *clock* holds the times of others that it has seen end.
"""

from __future__ import annotations

import itertools
import threading
from typing import Any

_numbers = itertools.count(1)

# Attributes that a Thread object carries: what it inherits, and what it is.
_INHERITED = "_snakepit_inherited"
_TIMELINE = "_snakepit_timeline"


class Timeline(threading.local):
    """The calling thread, by a number that no other thread ever gets."""

    def __init__(self) -> None:
        """`threading.local` runs this anew in each thread that touches it."""
        thread = threading.current_thread()
        self.state = ThreadState(thread.name, getattr(thread, _INHERITED, {}))
        setattr(thread, _TIMELINE, self.state)


class ThreadState:
    """What is known of one thread. Owner: that thread, and its joiner once it ended."""

    __slots__ = ("clock", "name", "number", "time", "watch")

    def __init__(self, name: str, clock: dict[int, int]) -> None:
        """A thread that has done nothing yet; `clock` is what it inherits."""
        self.number = next(_numbers)
        self.name = name
        self.time = 1
        self.clock = dict(clock)
        self.watch = _watch

    def has_seen(self, number: int, time: int) -> bool:
        """Whether what thread `number` did at `time` is over for this one."""
        return number == self.number or self.clock.get(number, 0) >= time

    def begin_watch(self) -> None:
        """Forgets what it saw in a watch that is over: its writes are forgotten too."""
        if self.watch != _watch:
            self.watch = _watch
            self.clock = {}


_watch = 0  # how often threads have been watched
_timeline = Timeline()


def this_thread() -> ThreadState:
    """The calling thread."""
    return _timeline.state


_original_start = threading.Thread.start
_original_join = threading.Thread.join


def _start(self: threading.Thread) -> None:
    parent = this_thread()
    parent.begin_watch()
    setattr(self, _INHERITED, {**parent.clock, parent.number: parent.time})
    parent.time += 1
    _original_start(self)


def _join(self: threading.Thread, timeout: Any = None) -> None:
    _original_join(self, timeout)
    ended: ThreadState | None = getattr(self, _TIMELINE, None)
    if ended is None or self.is_alive():
        return
    joiner = this_thread()
    joiner.begin_watch()
    clock = joiner.clock
    for number, time in (*ended.clock.items(), (ended.number, ended.time)):
        clock[number] = max(clock.get(number, 0), time)


def watch_threads() -> None:
    """Sees threads start and end from now on."""
    global _original_start, _original_join, _watch
    if threading.Thread.start is _start:
        return
    _watch += 1
    _original_start, _original_join = threading.Thread.start, threading.Thread.join
    threading.Thread.start = _start  # type: ignore[method-assign]
    threading.Thread.join = _join  # type: ignore[method-assign]


def leave_threads() -> None:
    """Undoes `watch_threads`, unless somebody else has replaced the methods since."""
    if threading.Thread.start is _start and threading.Thread.join is _join:
        threading.Thread.start = _original_start  # type: ignore[method-assign]
        threading.Thread.join = _original_join  # type: ignore[method-assign]
