# SPDX-License-Identifier: MIT
"""A call where there is no host: what `current_call` gives in an adapter's test."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Iterator
from typing import Any

from . import runtime, standalone

_numbers = itertools.count(1)


class Call:
    """What a tool may know of its call; any thread may look at it."""

    def __init__(self, tool: str, session_id: str, timeout: float | None) -> None:
        """`timeout` in seconds from now; None: the answer is never due."""
        self.id = next(_numbers)
        self.tool = tool
        self.session_id = session_id
        self.deadline = None if timeout is None else time.monotonic() + timeout
        self.traceparent = ""
        self.tracestate = ""
        self._given_up = False

    @property
    def remaining(self) -> float | None:
        """Seconds until the answer is due, at least 0.0; None: it never is."""
        if self.deadline is None:
            return None
        return max(0.0, self.deadline - time.monotonic())

    @property
    def cancelled(self) -> bool:
        """Whether nobody wants the answer any more: cancelled, out of time, or over."""
        return self._given_up or self.remaining == 0.0

    def raise_if_cancelled(self) -> None:
        """Raises Cancelled where `cancelled` is true."""
        if self.cancelled:
            raise runtime.Cancelled("the call was cancelled")

    def cancel(self) -> None:
        """What a host does when nobody wants the answer. Interrupts nothing."""
        self._given_up = True


@contextlib.contextmanager
def call(tool: str, session_id: str | None, timeout: float | None) -> Iterator[Call]:
    """As `standalone.call`."""
    made = Call(tool, session_id or standalone.named_session() or "", timeout)
    within: Any = (
        contextlib.nullcontext()
        if session_id is None
        else standalone.session(session_id)
    )
    token = runtime.CALL.set(made)  # type: ignore[arg-type]
    try:
        with within:
            yield made
    finally:
        made.cancel()
        runtime.CALL.reset(token)
