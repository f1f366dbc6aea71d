# SPDX-License-Identifier: MIT
"""Asynchronous iterators as plain ones, without a host: the loop and its thread are
real.
"""

from __future__ import annotations

import asyncio
import io
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any, Callable
from unittest.mock import AsyncMock, MagicMock

import pytest
from snakepit_bridge import event_loop, runtime, streaming
from snakepit_bridge.base_adapter_threaded import ThreadSafeAdapter, thread_safe_method


@pytest.fixture(autouse=True)
def stopped_loop() -> Iterator[None]:
    yield
    event_loop.stop()


async def numbers(
    n: int, ends: list[str] | None = None, made: list[int] | None = None
) -> AsyncIterator[int]:
    try:
        for i in range(n):
            if made is not None:
                made.append(i)
            yield i
    finally:
        await asyncio.sleep(0)
        if ends is not None:
            ends.append(threading.current_thread().name)


def eventually(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < until
        threading.Event().wait(0.001)


def test_items_come_in_order_and_the_end_is_found_again() -> None:
    stream = streaming.driven(numbers(1000))
    assert list(stream) == list(range(1000))
    assert list(stream) == []
    stream.close()


def test_the_source_is_ahead_by_so_much_and_no_more() -> None:
    made: list[int] = []
    stream = streaming.driven(numbers(1000, made=made))
    eventually(lambda: len(made) == streaming.AHEAD)
    # The loop has been everywhere since; the source waits.
    for _ in range(10):
        event_loop.run(asyncio.sleep(0))
    assert len(made) == streaming.AHEAD
    for i in range(100):
        assert next(stream) == i
    assert len(made) <= 100 + streaming.AHEAD
    stream.close()


@pytest.mark.parametrize("taken", [0, 1, 50])
def test_closing_runs_the_finally_on_the_loop(taken: int) -> None:
    ends: list[str] = []
    made: list[int] = []
    stream = streaming.driven(numbers(10**6, ends, made))
    for i in range(taken):
        assert next(stream) == i
    eventually(lambda: bool(made))
    stream.close()
    assert ends == ["snakepit-loop"]
    stream.close()
    assert ends == ["snakepit-loop"]


def test_what_the_source_raises_comes_after_its_items() -> None:
    async def failing() -> AsyncIterator[int]:
        yield 1
        raise KeyError("two")

    stream = streaming.driven(failing())
    assert next(stream) == 1
    with pytest.raises(KeyError, match="two"):
        next(stream)
    stream.close()


class Call:
    """A running call, as the extension shows it."""

    def __init__(self, cancelled: bool = False) -> None:
        self.id = 7
        self.cancelled = cancelled


def test_a_cancelled_call_cancels_its_source_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reached: list[str] = []

    async def stuck() -> AsyncIterator[int]:
        yield 1
        try:
            await asyncio.sleep(3600)
        finally:
            reached.append("finally")
            await asyncio.sleep(0.01)
            reached.append("end of finally")

    monkeypatch.setattr(runtime, "current_call", Call)
    stream = streaming.driven(stuck())
    assert next(stream) == 1
    loop = event_loop.started()
    loop.cancel(7)
    loop.cancel(7)
    with pytest.raises(runtime.Cancelled):
        next(stream)
    stream.close()
    assert reached == ["finally", "end of finally"]
    assert loop.works == {}


def test_a_call_that_was_cancelled_before_begins_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[int] = []
    monkeypatch.setattr(runtime, "current_call", lambda: Call(cancelled=True))
    stream = streaming.driven(numbers(10, made=made))
    with pytest.raises(runtime.Cancelled):
        next(stream)
    stream.close()
    assert made == []


class AnswersAll(type):
    """A metaclass whose classes have every attribute that one asks for."""

    def __getattr__(cls, name: str) -> Any:
        return lambda *_: None


class Answering(metaclass=AnswersAll):
    """An object that is nothing in particular."""


@pytest.mark.parametrize(
    ("value", "streams"),
    [
        ([1], False),
        ("text", False),
        (iter([1]), True),
        ((i for i in [1]), True),
        (numbers(1), True),
        (io.BytesIO(b"a\nb"), False),
        (io.StringIO("a\nb"), False),
        (Answering(), False),
        (MagicMock(), False),
        (AsyncMock(), False),
        (MagicMock(spec=io.BytesIO), False),
    ],
)
def test_iterators_are_streams_and_containers_are_not(
    value: Any, streams: bool
) -> None:
    assert streaming.is_stream(value) is streams


# ---- Counting ------------------------------------------------------------------------


class Counted(ThreadSafeAdapter):
    @thread_safe_method
    def items(self, n: int) -> Iterator[int]:
        for i in range(n):
            yield i + self.one()

    @thread_safe_method
    def one(self) -> int:
        return 1


def test_a_generator_is_one_request_that_is_active_until_its_end() -> None:
    adapter = Counted()
    stream = adapter.items(3)
    assert adapter.get_stats()["total_requests"] == 0
    assert next(stream) == 1
    assert adapter.get_stats()["active_requests"] == 1
    assert list(stream) == [2, 3]
    assert adapter.get_stats()["active_requests"] == 0
    assert adapter.get_stats()["total_requests"] == 1


def test_a_generator_that_is_closed_is_not_active() -> None:
    adapter = Counted()
    stream = adapter.items(3)
    assert next(stream) == 1
    stream.close()  # type: ignore[attr-defined]
    assert adapter.get_stats()["active_requests"] == 0
