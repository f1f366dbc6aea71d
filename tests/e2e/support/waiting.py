# SPDX-License-Identifier: MIT
"""Waiting with a deadline, for what the kernel tells nobody of."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
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
