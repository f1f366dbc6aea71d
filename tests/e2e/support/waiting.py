# SPDX-License-Identifier: MIT
"""Waiting with a deadline, for what the kernel tells nobody of."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Callable, TypeVar

Result = TypeVar("Result")

PAUSE = 0.002  # seconds between two looks


class Deadline:
    """A moment on the monotonic clock."""

    def __init__(self, seconds: float) -> None:
        self.begun = time.monotonic()
        self.limit = seconds

    @property
    def passed(self) -> float:
        return time.monotonic() - self.begun

    @property
    def over(self) -> bool:
        return self.passed >= self.limit


def eventually(
    look: Callable[[], Result], what: str = "", within: float = 60.0
) -> Result:
    """What `look` gives once that is true. Fails after `within` seconds."""
    deadline = Deadline(within)
    while True:
        found = look()
        if found:
            return found
        if deadline.over:
            raise AssertionError(
                f"not within {within} s: {what or look}; last seen: {found!r}"
            )
        time.sleep(PAUSE)


def sleeps(thread: threading.Thread) -> bool:
    """Whether that thread waits in the kernel, and not for the GIL: it does not use a
    pause in which nobody else wants that.
    """
    before = _rest_of(thread)
    time.sleep(PAUSE)
    return before[0] == "S" and before == _rest_of(thread)


def _rest_of(thread: threading.Thread) -> tuple[str, str]:
    """A thread's state, and how often it has gone to sleep."""
    lines = Path(f"/proc/self/task/{thread.native_id}/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    return fields["State"].split()[0], fields["voluntary_ctxt_switches"]


class Taken:
    """How long the body of `seconds` took."""

    seconds = 0.0


@contextlib.contextmanager
def seconds() -> Iterator[Taken]:
    """Measures the time that its body takes."""
    taken = Taken()
    begun = time.monotonic()
    try:
        yield taken
    finally:
        taken.seconds = time.monotonic() - begun
