# SPDX-License-Identifier: MIT
from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from snakepit_bridge import (
    BaseAdapter,
    Cancelled,
    errors,
    event_loop,
    host,
    runtime,
    standalone,
)
from snakepit_bridge.session import SessionContext


class FakeCall:
    """A call that an executor runs."""

    def __init__(self, number: int) -> None:
        self.id = number
        self.session_id = "s"
        self.tool = "work"
        self.traceparent = ""
        self.cancelled = False

    def raise_if_cancelled(self) -> None:
        if self.cancelled:
            raise Cancelled("cancelled")


class FakeNative:
    """A worker's extension, whose executors are threads that a test has named so."""

    def __init__(self) -> None:
        self.here = threading.local()
        self.asked: list[tuple[str, dict[str, Any], int]] = []
        self.open = threading.Lock()

    def current_call(self) -> FakeCall | None:
        return getattr(self.here, "call", None)

    def runs_call(self) -> bool:
        return self.current_call() is not None

    def set_on_cancel(self, function: Any) -> None:
        pass

    def ask(self, name: str, arguments: dict[str, Any]) -> Any:
        assert self.runs_call(), "only an executor asks"
        assert self.open.acquire(blocking=False), "two questions of one call at once"
        try:
            self.asked.append((name, arguments, threading.get_ident()))
            if name == "fail":
                raise errors.HostError("no", "fail", "NOT_FOUND", 18)
            if name == "leave":
                raise Cancelled("the call was cancelled")
            return arguments.get("value")
        finally:
            self.open.release()


def check_health(native: FakeNative) -> None:
    native.here.call.tool = runtime.HEALTH_TOOL


@pytest.fixture
def native(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeNative]:
    made = FakeNative()
    monkeypatch.setattr(runtime, "native", made)
    monkeypatch.setattr(runtime, "_attached", True)
    made.here.call = FakeCall(1)
    yield made
    made.here.call = None
    event_loop.stop()
    assert not host.OPEN


CONTEXT = SessionContext("s")


def test_an_executor_asks_itself(native: FakeNative) -> None:
    assert CONTEXT.call_host_tool("echo", value=1) == 1
    assert CONTEXT.call_elixir_tool("echo", value=2) == 2
    assert [name for name, _, _ in native.asked] == ["echo", "echo"]


def test_a_coroutine_has_its_executor_ask(native: FakeNative) -> None:
    async def tool() -> Any:
        one = await CONTEXT.call_host_tool_async("echo", value=1)
        two = await asyncio.to_thread(CONTEXT.call_host_tool, "echo", value=2)
        return [one, two]

    assert event_loop.run(tool()) == [1, 2]
    assert {thread for _, _, thread in native.asked} == {threading.get_ident()}


def test_questions_of_one_call_wait_their_turn(native: FakeNative) -> None:
    async def tool() -> Any:
        ask = CONTEXT.call_host_tool_async
        return await asyncio.gather(*(ask("echo", value=i) for i in range(50)))

    assert event_loop.run(tool()) == list(range(50))


def test_what_the_host_raises_reaches_the_coroutine(native: FakeNative) -> None:
    async def tool() -> str:
        try:
            await CONTEXT.call_host_tool_async("fail")
        except errors.HostError as error:
            return error.code
        return "nothing"

    assert event_loop.run(tool()) == "NOT_FOUND"


def test_a_cancelled_question_ends_the_coroutine(native: FakeNative) -> None:
    async def tool() -> None:
        await CONTEXT.call_host_tool_async("leave")

    with pytest.raises(Cancelled):
        event_loop.run(tool())


def test_the_loop_itself_does_not_block(native: FakeNative) -> None:
    async def tool() -> None:
        CONTEXT.call_host_tool("echo", value=1)

    with pytest.raises(RuntimeError, match="call_host_tool_async"):
        event_loop.run(tool())
    assert not native.asked


def test_what_outlives_its_call_is_told_so(native: FakeNative) -> None:
    later: list[BaseException] = []
    go_on = threading.Event()
    begun = threading.Event()

    def ask_late() -> None:
        begun.set()
        assert go_on.wait(10)
        try:
            CONTEXT.call_host_tool("echo", value=1)
        except RuntimeError as error:
            later.append(error)

    tasks: list[Any] = []

    async def tool() -> None:
        tasks.append(asyncio.ensure_future(asyncio.to_thread(ask_late)))
        await asyncio.to_thread(begun.wait, 10)

    event_loop.run(tool())
    native.here.call = FakeCall(2)
    go_on.set()

    async def wait() -> None:
        await tasks[0]

    event_loop.run(wait())
    assert "has ended" in str(later[0])


def test_a_thread_without_a_call_is_told_so(native: FakeNative) -> None:
    native.here.call = None
    with pytest.raises(RuntimeError, match="no call of a host"):
        CONTEXT.call_host_tool("echo", value=1)


def test_questions_that_come_too_late_are_refused() -> None:
    questions = host.Questions(None, None)
    told = threading.Event()
    first = host.Question("echo", {}, told.set)
    questions.put(first)
    questions.close()
    assert told.is_set()
    with pytest.raises(RuntimeError, match="ended"):
        first.outcome()
    late = host.Question("echo", {}, told.clear)
    questions.put(late)
    assert not told.is_set()
    with pytest.raises(RuntimeError, match="ended"):
        late.outcome()


# ---- Without a host ------------------------------------------------------------------


def test_without_a_host_there_are_no_tools() -> None:
    with pytest.raises(RuntimeError, match=r"standalone\.host_tools"):
        BaseAdapter().session_context.call_host_tool("lookup", id=1)


def test_a_test_stands_in_for_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    def lookup(id: int) -> str:
        """Finds one."""
        return f"customer {id}"

    monkeypatch.setitem(standalone.host_tools, "lookup", lookup)
    context = BaseAdapter().session_context
    assert context.call_host_tool("lookup", id=7) == "customer 7"
    assert context.host_tools == context.elixir_tools == {"lookup": "Finds one."}

    async def tool() -> Any:
        return await context.call_host_tool_async("lookup", id=8)

    assert asyncio.run(tool()) == "customer 8"
    with standalone.session("Ada"):
        context = BaseAdapter().session_context
        assert asyncio.run(tool()) == "customer 8"


# ---- Errors --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("NOT_FOUND", LookupError),
        ("INVALID_ARGUMENT", ValueError),
        ("TYPE_MISMATCH", TypeError),
        ("NO_MEMORY", MemoryError),
        ("DEADLINE_EXCEEDED", TimeoutError),
        ("QUOTA_EXCEEDED", errors.QuotaExceeded),
        ("SYSTEM", errors.HostError),
        ("of a later host", errors.HostError),
    ],
)
def test_a_fault_becomes_the_exception_that_fits(code: str, kind: type) -> None:
    error = errors.refusal("find", {"err": 7, "code": code, "message": "why"})
    assert isinstance(error, kind) and isinstance(error, errors.HostError)
    assert (error.tool, error.code, error.number) == ("find", code, 7)
    assert str(error) == f'host tool "find": {code}: why'


def test_some_faults_are_named_by_their_type() -> None:
    fault = {"err": 10, "code": "UNKNOWN_TOOL", "message": "none", "type": ""}
    assert type(errors.refusal("x", fault)) is errors.HostError
    fault["type"] = "UnknownHostTool"
    error = errors.refusal("x", fault)
    assert isinstance(error, errors.UnknownHostTool) and str(error) == "none"
    fault["type"] = "RecursionError"
    assert isinstance(errors.refusal("x", fault), RecursionError)


def test_a_fault_of_the_sessions_speaks_for_itself() -> None:
    fault = {"err": 24, "code": "QUOTA_EXCEEDED", "message": "session_context.put: no"}
    assert str(errors.refusal("snakepit.session.put", fault)) == fault["message"]


def test_a_health_check_is_refused_at_once(native: FakeNative) -> None:
    check_health(native)
    with pytest.raises(RuntimeError, match=r"call_host_tool: health_check cannot ask"):
        CONTEXT.call_host_tool("echo", value=1)
    with pytest.raises(RuntimeError, match=r"tool_async: health_check cannot ask"):
        asyncio.run(CONTEXT.call_host_tool_async("echo", value=1))
    assert native.asked == []
