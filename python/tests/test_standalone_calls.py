# SPDX-License-Identifier: MIT
"""Calls without a host, for tests of adapters that look at theirs."""

from __future__ import annotations

import asyncio
import time

import pytest
from snakepit_bridge import BaseAdapter, Cancelled, current_call, standalone, tool


class Patient(BaseAdapter):
    @tool
    def work(self, steps: int) -> int:
        call = current_call()
        assert call is not None
        for _ in range(steps):
            call.raise_if_cancelled()
        return steps

    @tool
    async def whose(self) -> tuple[str, str]:
        call = current_call()
        assert call is not None
        return await asyncio.to_thread(lambda: (call.tool, self.session_id))


def test_without_a_call_there_is_none() -> None:
    assert current_call() is None


def test_a_tool_finds_the_call_of_its_test() -> None:
    with standalone.call() as call:
        assert current_call() is call
        assert Patient().work(3) == 3
        assert (call.deadline, call.remaining, call.cancelled) == (None, None, False)
    assert current_call() is None
    assert call.cancelled, "one that was kept is over"


def test_calls_have_numbers_of_their_own() -> None:
    with standalone.call() as outer, standalone.call() as inner:
        assert current_call() is inner
        assert inner.id > outer.id > 0


def test_a_cancelled_call_is_found_out() -> None:
    with standalone.call() as call:
        call.cancel()
        with pytest.raises(Cancelled):
            Patient().work(1)


def test_time_runs_out() -> None:
    with standalone.call(timeout=0.0) as call:
        assert (call.remaining, call.cancelled) == (0.0, True)
    with standalone.call(timeout=60) as call:
        assert call.deadline == pytest.approx(time.monotonic() + 60, abs=10)
        assert call.remaining == pytest.approx(60, abs=10)
        assert not call.cancelled


def test_a_call_has_a_tool_and_a_session() -> None:
    with standalone.call("whose", session_id="Ada") as call:
        assert (call.tool, call.session_id) == ("whose", "Ada")
        assert asyncio.run(Patient().whose()) == ("whose", "Ada")
    with standalone.session("Bob"), standalone.call() as call:
        assert call.session_id == "Bob"
