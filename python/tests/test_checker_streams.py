# SPDX-License-Identifier: MIT
"""The checker on generators and coroutines, and on `initialize` and `cleanup`."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from conftest import hammer
from snakepit_bridge import thread_safe_method
from snakepit_bridge.thread_safety_checker import (
    ThreadSafetyChecker,
    ThreadSafetyError,
    check_thread_safe,
    disable_thread_safety_checks,
    enable_thread_safety_checks,
)
from watched import Adapter, Increments

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


class Base(Adapter):
    __thread_safe__ = True

    def __init__(self) -> None:
        super().__init__()
        self.meeting = threading.Barrier(3, timeout=30)


# ---- Bodies that run after their call ------------------------------------------------


class Streams(Base):
    def unmarked(self) -> Iterator[int]:
        self.meeting.wait()
        yield 1

    @thread_safe_method
    def marked(self) -> Iterator[int]:
        self.meeting.wait()
        yield 1

    async def awaited(self) -> int:
        self.meeting.wait()
        return 1

    async def items(self) -> AsyncIterator[int]:
        self.meeting.wait()
        yield 1

    async def all_items(self) -> list[int]:
        return [item async for item in self.items()]


@pytest.mark.parametrize(
    "method, use",
    [
        ("unmarked", lambda adapter: list(adapter.unmarked())),
        ("awaited", lambda adapter: asyncio.run(adapter.awaited())),
        ("items", lambda adapter: asyncio.run(adapter.all_items())),
    ],
)
def test_unmarked_bodies_on_several_threads_at_once_are_warned_of(
    method: str, use: Any
) -> None:
    with ThreadSafetyChecker() as checker:
        adapter = Streams()
        hammer(3, 1, lambda _: use(adapter))
    report = checker.get_report()
    assert report["concurrent_accesses"][method] == 3
    said = f"Method '{method}' accessed by 3 different threads concurrently"
    # A method that another one called is that one's business.
    named = "all_items" if method == "items" else method
    assert any(said.replace(method, named) in text for text in report["warnings"])


def test_marked_generators_are_reported_only() -> None:
    with ThreadSafetyChecker(strict_mode=True) as checker:
        adapter = Streams()
        hammer(3, 1, lambda _: list(adapter.marked()))
    report = checker.get_report()
    assert report["concurrent_accesses"] == {"marked": 3}
    assert report["warnings"] == []
    assert sum(report["thread_utilization"].values()) == 3


class Pauses(Base):
    def numbers(self) -> Iterator[int]:
        yield 1
        yield 2


def test_a_generator_that_waits_for_its_next_step_is_not_entered() -> None:
    with ThreadSafetyChecker(strict_mode=True) as checker:
        adapter = Pauses()
        waiting = adapter.numbers()
        next(waiting)
        hammer(1, 1, lambda _: list(adapter.numbers()))
        assert list(waiting) == [2]
    assert checker.get_report()["concurrent_accesses"] == {}


class Talks(Base):
    """Everything that can be done with a generator."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[Any] = []

    @thread_safe_method
    def talk(self) -> Iterator[Any]:
        try:
            while True:
                try:
                    self.heard.append((yield len(self.heard)))
                except KeyError as error:
                    self.heard.append(error)
                if len(self.heard) == 3:
                    return "bye"
        finally:
            self.heard.append("closed")

    async def talk_later(self) -> AsyncIterator[Any]:
        try:
            while True:
                try:
                    self.heard.append((yield len(self.heard)))
                except KeyError as error:
                    self.heard.append(error)
        finally:
            await asyncio.sleep(0)
            self.heard.append("closed")


def test_a_followed_generator_is_what_it_was() -> None:
    with ThreadSafetyChecker():
        adapter = Talks()
        talk: Any = adapter.talk()
        error = KeyError("thrown")
        assert [next(talk), talk.send("sent"), talk.throw(error)] == [0, 1, 2]
        with pytest.raises(StopIteration) as end:
            next(talk)
        assert end.value.value == "bye"
        assert adapter.heard == ["sent", error, None, "closed"]
        other = Talks()
        left: Any = other.talk()
        next(left)
        left.close()
        assert other.heard == ["closed"]


def test_a_followed_async_generator_is_what_it_was() -> None:
    error = KeyError("thrown")

    async def use(adapter: Talks) -> None:
        talk: Any = adapter.talk_later()
        assert await talk.__anext__() == 0
        assert await talk.asend("sent") == 1
        assert await talk.athrow(error) == 2
        await talk.aclose()

    with ThreadSafetyChecker():
        adapter = Talks()
        asyncio.run(use(adapter))
    assert adapter.heard == ["sent", error, "closed"]


def test_strict_mode_raises_where_a_generator_would_have_gone_on() -> None:
    with ThreadSafetyChecker(strict_mode=True):
        adapter = Streams()
        with pytest.raises(ThreadSafetyError, match="'unmarked'"):
            hammer(3, 1, lambda _: _all_or_abort(adapter))


def _all_or_abort(adapter: Streams) -> None:
    try:
        list(adapter.unmarked())
    except ThreadSafetyError:
        adapter.meeting.abort()
        raise
    except threading.BrokenBarrierError:
        pass


def test_a_decorated_generator_or_coroutine_counts_while_it_runs() -> None:
    meeting = threading.Barrier(2, timeout=30)

    @check_thread_safe
    def numbers() -> Iterator[int]:
        meeting.wait()
        yield 1

    @check_thread_safe
    async def number() -> int:
        meeting.wait()
        return 1

    checker = enable_thread_safety_checks()
    try:
        hammer(2, 1, lambda _: list(numbers()))
        hammer(2, 1, lambda _: asyncio.run(number()))
    finally:
        disable_thread_safety_checks()
    assert checker.get_report()["concurrent_accesses"] == {"numbers": 2, "number": 2}
    assert list(inspect.signature(number).parameters) == []
    assert inspect.iscoroutinefunction(number)
    assert inspect.isgeneratorfunction(numbers)


# ---- Life ----------------------------------------------------------------------------


class LoadsOnTheLoop(Base):
    async def initialize(self) -> None:
        self.table[1] = 1
        await asyncio.sleep(0)
        await asyncio.get_running_loop().run_in_executor(None, self.load)
        self.counter = 5

    def load(self) -> None:
        self.log.append(1)

    @thread_safe_method
    def run(self) -> None:
        with self.acquire_lock():
            self.counter += 1
            self.table[1] += 1
            self.log.append(2)

    def cleanup(self) -> None:
        self.table[1] = 0
        self.counter = 0


def test_what_initialize_and_cleanup_write_meets_no_call() -> None:
    checker = ThreadSafetyChecker(strict_mode=True)
    with checker, ThreadPoolExecutor(2) as pool:
        list(pool.map(abs, range(10)))
        adapter = LoadsOnTheLoop()
        # As in a worker: on a thread that is neither the builder's nor one for calls.
        pool.submit(lambda: asyncio.run(adapter.initialize())).result()
        list(pool.map(lambda _: adapter.run(), range(20)))
        adapter.cleanup()
    assert checker.get_report()["warnings"] == []


class InitializesInACall(Base):
    def initialize(self) -> None:
        self.counter += 1

    @thread_safe_method
    def run(self) -> None:
        self.initialize()


def test_an_initialize_that_calls_run_is_judged() -> None:
    with ThreadSafetyChecker() as checker:
        adapter = InitializesInACall()
        adapter.initialize()
        hammer(4, 5, lambda _: adapter.run())
    assert "'counter'" in checker.get_report()["warnings"][0]


def test_a_race_after_initialize_is_found() -> None:
    class Races(Increments):
        __thread_safe__ = True

        async def initialize(self) -> None:
            self.counter = 1

    with ThreadSafetyChecker() as checker:
        adapter = Races()
        asyncio.run(adapter.initialize())
        hammer(4, 5, lambda _: adapter.run())
    assert "'counter'" in checker.get_report()["warnings"][0]
