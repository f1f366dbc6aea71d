# SPDX-License-Identifier: MIT
"""Counts requests by thread without a lock on the way of a request.

Each thread counts in a tally of its own, which no other thread writes; a report adds
them up. A lock is taken only where the set of tallies changes: when a thread counts for
the first time, and in a report.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

FINISHED_MAX = 256  # names of finished threads that are kept apart
OTHERS = "(other finished threads)"


class Tally:
    """One thread's counts. Owner: that thread; others read them as hints."""

    __slots__ = ("depth", "name", "thread", "total")

    def __init__(self) -> None:
        """Counts for the calling thread."""
        thread = threading.current_thread()
        self.name = thread.name
        self.thread = weakref.ref(thread)
        self.total = 0  # requests begun
        self.depth = 0  # tracked methods that the thread is inside of

    def is_finished(self) -> bool:
        """Whether the thread has ended, so that nobody writes this tally any more."""
        thread = self.thread()
        return thread is None or not thread.is_alive()


class RequestTracker:
    """Requests of one adapter, by thread. A request inside a request counts once."""

    def __init__(self) -> None:
        """No requests so far."""
        self._lock = threading.RLock()  # guards the three below
        self._tallies: list[Tally] = []
        self._finished: dict[str, int] = {}
        self._sweep_at = 64
        self._mine = _PerThread(self)

    @property
    def tally(self) -> Tally:
        """The calling thread's tally."""
        return self._mine.tally

    @contextmanager
    def track_request(self) -> Iterator[None]:
        """Counts the block as one request of the calling thread."""
        tally = self._mine.tally
        if not tally.depth:
            tally.total += 1
        tally.depth += 1
        try:
            yield
        finally:
            tally.depth -= 1

    def get_stats(self) -> dict[str, Any]:
        """A new dict of the counts.

        `total_requests`; `active_requests`, the threads inside of one;
        `thread_utilization`, the number of requests by thread name.
        """
        with self._lock:
            self._sweep()
            utilization = dict(self._finished)
            for tally in filter(_has_counted, self._tallies):
                utilization[tally.name] = utilization.get(tally.name, 0) + tally.total
            active = sum(1 for tally in self._tallies if tally.depth)
        return {
            "total_requests": sum(utilization.values()),
            "active_requests": active,
            "thread_utilization": utilization,
        }

    def _open(self) -> Tally:
        tally = Tally()
        with self._lock:
            if len(self._tallies) >= self._sweep_at:
                self._sweep()
                self._sweep_at = 2 * len(self._tallies) + 64
            self._tallies.append(tally)
        return tally

    def _sweep(self) -> None:
        """Merges the tallies of finished threads by name, so that memory stays flat."""
        living: list[Tally] = []
        finished: list[Tally] = []
        for tally in self._tallies:
            (finished if tally.is_finished() else living).append(tally)
        self._tallies = living
        for tally in filter(_has_counted, finished):
            known = tally.name in self._finished or len(self._finished) < FINISHED_MAX
            name = tally.name if known else OTHERS
            self._finished[name] = self._finished.get(name, 0) + tally.total


def _has_counted(tally: Tally) -> bool:
    return tally.total > 0


class _PerThread(threading.local):
    """`threading.local` runs `__init__` anew in each thread that touches it."""

    def __init__(self, tracker: RequestTracker) -> None:
        self.tally = tracker._open()
