# SPDX-License-Identifier: MIT
from __future__ import annotations

import asyncio
import functools
import gc
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import hammer
from snakepit_bridge import Cancelled, calling, current_call, event_loop, runtime
from snakepit_bridge.calling import Kind


class FakeCall:
    """What an executor would be running."""

    def __init__(self, number: int) -> None:
        self.id = number
        self.cancelled = False

    def raise_if_cancelled(self) -> None:
        if self.cancelled:
            raise Cancelled


@pytest.fixture(autouse=True)
def no_loop_is_left() -> Iterator[None]:
    yield
    event_loop.stop()
    names = [thread.name for thread in threading.enumerate()]
    assert "snakepit-loop" not in names


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch) -> FakeCall:
    """Executors run this call; the loop's thread runs none of its own."""
    made = FakeCall(7)
    real = runtime.current_call

    def find() -> Any:
        on_loop = threading.current_thread().name == "snakepit-loop"
        return runtime.CALL.get() if on_loop else made

    monkeypatch.setattr(runtime, "current_call", find)
    assert real() is None
    return made


# ---- Kinds ---------------------------------------------------------------------------


async def coroutine(self: object = None) -> str:
    return "awaited"


async def async_generator() -> Any:
    yield 1


def generator() -> Any:
    yield 1


class Holder:
    method = coroutine


def decorated(function: Any) -> Any:
    @functools.wraps(function)
    def wrapper(*args: Any) -> Any:
        return function(*args)

    return wrapper


def awaiting(function: Any) -> Any:
    @functools.wraps(function)
    async def wrapper(*args: Any) -> Any:
        return function(*args)

    return wrapper


@pytest.mark.parametrize(
    ("function", "kind"),
    [
        (len, Kind.PLAIN),
        (lambda: 1, Kind.PLAIN),
        (coroutine, Kind.COROUTINE),
        (Holder().method, Kind.COROUTINE),
        (decorated(coroutine), Kind.PLAIN),
        (functools.partial(coroutine, None), Kind.COROUTINE),
        (functools.partial(Holder().method), Kind.COROUTINE),
        (awaiting(generator), Kind.COROUTINE),
        (awaiting(len), Kind.COROUTINE),
        (decorated(generator), Kind.PLAIN),
        (generator, Kind.GENERATOR),
        (async_generator, Kind.ASYNC_GENERATOR),
    ],
)
def test_kinds_are_those_of_what_is_called(function: Any, kind: Kind) -> None:
    assert calling.kind_of(function) is kind


@pytest.mark.parametrize(
    ("function", "streams"),
    [
        (generator, True),
        (async_generator, True),
        (decorated(generator), True),
        (awaiting(generator), False),
        (decorated(len), False),
        (coroutine, False),
    ],
)
def test_what_a_plain_decorator_is_around_tells_whether_it_streams(
    function: Any, streams: bool
) -> None:
    assert calling.seems_to_stream(function) is streams


class Awaitable:
    def __await__(self) -> Any:
        return coroutine().__await__()


@pytest.mark.parametrize("make", [decorated(coroutine), Awaitable])
def test_what_can_be_awaited_is_finished(make: Any) -> None:
    assert calling.finished(make()) == "awaited"
    assert calling.finished("a value") == "a value"


def test_every_kind_has_a_way() -> None:
    kinds = {kind for kind in vars(Kind).values() if isinstance(kind, Kind)}
    assert set(calling.WAYS) == kinds


def test_a_plain_function_is_not_wrapped() -> None:
    assert calling.plain(len) is len


# ---- Running -------------------------------------------------------------------------


def test_a_coroutine_runs_on_the_loops_thread() -> None:
    async def where() -> str:
        return threading.current_thread().name

    assert event_loop.run(where()) == "snakepit-loop"
    assert calling.plain(coroutine)() == "awaited"


def test_what_a_coroutine_raises_is_raised_and_keeps_nothing() -> None:
    class Large:
        pass

    async def fail(held: Large) -> None:
        raise ValueError("no")

    held = Large()
    gone = weakref.ref(held)
    gc.disable()
    try:
        with pytest.raises(ValueError, match="no"):
            event_loop.run(fail(held))
        del held
        # The loop's thread lets go of its task a moment after it has told us.
        for _ in range(100):
            event_loop.run(coroutine())
        assert gone() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_an_exit_is_the_answer_and_not_the_loops_end(kind: type) -> None:
    async def leave() -> None:
        raise kind

    for _ in range(3):
        with pytest.raises(kind):
            event_loop.run(leave())
    assert event_loop.run(coroutine()) == "awaited"


def test_many_threads_share_one_loop() -> None:
    async def who() -> Any:
        await asyncio.sleep(0)
        return asyncio.get_running_loop()

    assert len(set(hammer(8, 50, lambda index: event_loop.run(who())))) == 1


# ---- Cancelling ----------------------------------------------------------------------


def test_a_cancel_runs_finally_and_becomes_cancelled(call: FakeCall) -> None:
    ran: list[Any] = []
    loop = event_loop.started()

    async def wait() -> None:
        try:
            ran.append(runtime.current_call())
            threading.Thread(target=loop.cancel, args=(call.id,)).start()
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0)
            ran.append("finally")

    with pytest.raises(Cancelled):
        event_loop.run(wait())
    assert ran == [call, "finally"]
    assert loop.works == {}


def test_a_cancel_that_is_told_twice_does_not_interrupt_the_cleanup(
    call: FakeCall,
) -> None:
    """The host's word reaches the loop itself, and by the executor that waits."""
    notes: list[str] = []

    async def cleans_up() -> None:
        loop = event_loop.started()
        loop.cancel(call.id)
        try:
            await asyncio.sleep(3600)
        finally:
            loop.cancel(call.id)
            await asyncio.sleep(0.01)
            notes.append("finally")

    with pytest.raises(Cancelled):
        event_loop.run(cleans_up())
    assert notes == ["finally"]


def test_a_call_that_was_cancelled_before_does_not_begin(call: FakeCall) -> None:
    call.cancelled = True
    ran: list[str] = []

    async def never() -> None:
        ran.append("ran")

    with pytest.raises(Cancelled):
        event_loop.run(never())
    assert ran == []


def test_a_shielded_coroutine_runs_to_its_end(call: FakeCall) -> None:
    call.cancelled = True
    loop = event_loop.started()

    async def tidy() -> str:
        loop.cancel(call.id)
        await asyncio.sleep(0)
        return "tidy"

    assert event_loop.run(tidy(), shielded=True) == "tidy"


def test_a_task_that_is_cancelled_before_its_first_step_ends_its_wait() -> None:
    loop = event_loop.started()
    ran: list[str] = []

    async def never() -> None:
        ran.append("ran")

    work = event_loop.Work(loop.loop, never())

    def both() -> None:
        work.begin()
        work.cancel()

    loop.loop.call_soon_threadsafe(both)
    assert work.done.acquire(timeout=10), "nobody was told"
    with pytest.raises(Cancelled):
        work.outcome()
    assert ran == []


def test_work_that_is_cancelled_before_it_begins_never_does() -> None:
    loop = event_loop.started()
    work = event_loop.Work(loop.loop, coroutine())
    loop.loop.call_soon_threadsafe(work.cancel)
    assert work.done.acquire(timeout=10), "nobody was told"
    loop.loop.call_soon_threadsafe(work.begin)
    event_loop.run(coroutine())
    assert work.task is None


def test_an_interrupted_wait_cancels_and_waits_for_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ran: list[str] = []
    waits = event_loop.Work.wait

    def interrupted(work: Any) -> None:
        monkeypatch.setattr(event_loop.Work, "wait", waits)
        raise Cancelled

    async def wait() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0)
            ran.append("finally")

    monkeypatch.setattr(event_loop.Work, "wait", interrupted)
    with pytest.raises(Cancelled):
        event_loop.run(wait())
    # It may have been stopped before its first step; then there is no finally to run.
    assert ran in (["finally"], [])


def test_stop_ends_the_tasks_that_are_left() -> None:
    ran: list[str] = []

    async def stay() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ran.append("finally")

    kept: list[Any] = []

    async def begin() -> None:
        kept.append(asyncio.create_task(stay()))
        await asyncio.sleep(0)

    event_loop.run(begin())
    event_loop.stop()
    assert ran == ["finally"]


def test_outside_of_a_worker_there_is_no_call() -> None:
    async def look() -> Any:
        return current_call()

    assert event_loop.run(look()) is None


def test_a_task_that_cannot_be_made_fails_its_call_at_once(call: FakeCall) -> None:
    def refuse(loop: asyncio.AbstractEventLoop, coro: Any) -> Any:
        raise RuntimeError("no tasks today")

    async def set_factory() -> None:
        asyncio.get_running_loop().set_task_factory(refuse)

    event_loop.run(set_factory())
    with pytest.raises(RuntimeError, match="no tasks today"):
        event_loop.run(coroutine())
