# SPDX-License-Identifier: MIT
"""Tools of the host, as Python calls them: results, errors, time, deaths, nesting."""

from __future__ import annotations

import os
import signal
import threading

import numpy
import pytest
from support import (
    CallFailed,
    Deadline,
    Refused,
    alive_of,
    eventually,
    pool,
    seconds,
    wait_for_file,
)
from support.host_tools import HostFault, register, unregister

MIB = 1 << 20


@pytest.fixture
def pit(open_pit, kind):
    """One worker of the adapter that asks, and an `echo` on the host."""
    made = open_pit(pool(kind, adapter="asks.Asks"))
    register(made, "echo", lambda info, **arguments: arguments.get("value"))
    return made


@pytest.fixture
def one(open_pit, profile):
    """A worker that runs one call at a time."""
    threads = 1 if profile == "thread" else None
    made = open_pit(
        pool(
            profile,
            adapter="asks.Asks",
            threads_per_worker=threads,
            cancel_grace_ms=500,
        )
    )
    register(made, "echo", lambda info, **arguments: arguments.get("value"))
    return made


class Blocked:
    """A host's tool that waits until the test lets it go on."""

    def __init__(self, result=None):
        self.result = result
        self.entered = threading.Semaphore(0)
        self.leave = threading.Event()

    def __call__(self, info, **arguments):
        self.entered.release()
        assert self.leave.wait(20), "the test never let the tool go on"
        return self.result

    def wait(self, times=1):
        for _ in range(times):
            assert self.entered.acquire(timeout=20), "the tool was not called"


class Caller:
    """A synchronous call on a thread of its own."""

    def __init__(self, pit, tool, arguments, **options):
        self.outcome = None
        self.thread = threading.Thread(
            target=self.run, args=(pit, tool, arguments), kwargs=options
        )
        self.thread.start()

    def run(self, pit, tool, arguments, **options):
        with pit.answer(tool, arguments, **options) as answer:
            self.outcome = answer.value() if answer.err == "OK" else answer.fault

    def join(self):
        self.thread.join(20)
        assert not self.thread.is_alive(), "the call did not end"
        return self.outcome


def echo(value):
    return {"tool": "echo", "value": value}


# ---- Round trips ---------------------------------------------------------------------

NUMBERS = [0, -(2**63), 2**64 - 1, 1.5]
VALUES = [None, True, *NUMBERS, "", "snake", b"\0", [1, [2]], {"k": []}]


def test_what_the_host_returns_is_what_python_gets(pit):
    for value in VALUES:
        got = pit.call("host", echo(value))
        assert got == value and type(got) is type(value)


def test_a_thousand_questions_of_one_call_are_answered_in_order(pit):
    questions = [["echo", {"value": i}] for i in range(1000)]
    assert pit.call("host_all", {"questions": questions}) == list(range(1000))


def test_a_tool_that_writes_nothing_returns_none(pit):
    register(pit, "nothing", lambda info: ...)
    assert pit.call("host", {"tool": "nothing"}) is None


@pytest.mark.parametrize("size", [1000, 3000, 1 << 16, MIB])
def test_questions_and_replies_of_any_size_cross(pit, size):
    for _ in range(20):
        assert pit.call("host", echo("x" * size)) == "x" * size
    assert pit.stats().shared_bytes < 4 * MIB


def test_arrays_cross_both_ways(pit):
    seen = []

    def double(info, data):
        seen.append(data)
        return data * 2

    register(pit, "double", double)
    for size in (2, 100_000):
        assert pit.call("array", {"size": size}) == {"first": 2.0, "shape": [size]}
        numpy.testing.assert_array_equal(seen.pop(), numpy.arange(size, dtype=float))


def test_an_array_of_the_hosts_stays_valid_while_python_holds_it(pit):
    register(pit, "array", lambda info: numpy.arange(50_000, dtype="int64"))
    for _ in range(20):
        pit.call("keep_array")
        assert pit.call("host", echo("x" * 100_000)) == "x" * 100_000
        assert pit.call("sum_kept") == sum(range(50_000))


def test_a_tool_is_told_whose_call_asks(pit):
    told = []
    register(pit, "tell", lambda info: told.append(info))
    pit.call("host", {"tool": "tell"}, session="s1", timeout_ms=5000)
    pit.call("host", {"tool": "tell"})
    (first, second) = told
    worker = pit.workers()[0].id
    assert (first.name, first.session, first.pool) == ("tell", "s1", "default")
    assert first.worker == worker and first.call != 0
    assert 3000 < first.remaining_ms <= 5000
    assert second.session == ""


def test_the_old_names_do_the_same(pit):
    register(pit, "described", lambda info: 7, description="Gives seven.")
    names = pit.call("names")
    assert names["new"] == names["old"] == {"echo": "", "described": "Gives seven."}
    assert pit.call("old_name", {"tool": "described"}) == 7
    assert pit.call("tool_name", {"value": 3, "name": 1, "tool_name": 2}) == 3


# ---- Registering ---------------------------------------------------------------------


def test_a_sessions_tool_goes_before_that_of_all(pit):
    register(pit, "who", lambda info: "all")
    register(pit, "who", lambda info: "mine", session="s1")
    ask = {"tool": "who"}
    assert pit.call("host", ask, session="s1") == "mine"
    assert pit.call("host", ask, session="s2") == "all"
    assert pit.call("host", ask) == "all"
    assert pit.end_session("s1") == "OK"
    assert pit.call("host", ask, session="s1") == "all"


def test_names_are_checked(pit):
    for name in ("", "x" * 256, "snakepit.session.get", "echo"):
        with pytest.raises(Refused, match="INVALID_ARGUMENT"):
            register(pit, name, lambda info: None)
    register(pit, "x" * 255, lambda info: 1)
    assert pit.call("host", {"tool": "x" * 255}) == 1
    assert unregister(pit, "echo") == "OK"
    assert unregister(pit, "echo") == "NOT_FOUND"
    assert unregister(pit, "who", "no session") == "NOT_FOUND"


def test_a_tool_runs_nowhere_when_it_is_unregistered(pit):
    blocked = Blocked("late")
    register(pit, "blocked", blocked)
    caller = Caller(pit, "host", {"tool": "blocked"})
    blocked.wait()
    gone = []
    thread = threading.Thread(target=lambda: gone.append(unregister(pit, "blocked")))
    thread.start()
    # Its name is free again before it has ended.
    eventually(lambda: registers(pit, "blocked"))
    assert not gone
    blocked.leave.set()
    thread.join(20)
    assert gone == ["OK"]
    assert caller.join() == "late"


def registers(pit, name):
    try:
        register(pit, name, lambda info: None)
    except Refused:
        return False
    return True


# ---- Errors --------------------------------------------------------------------------

ERRORS = {
    "INVALID_ARGUMENT": "ValueError",
    "MALFORMED": "ValueError",
    "NOT_FOUND": "LookupError",
    "NO_MEMORY": "MemoryError",
    "TYPE_MISMATCH": "TypeError",
    "DEADLINE_EXCEEDED": "TimeoutError",
    "QUOTA_EXCEEDED": "QuotaExceeded",
    "TOOL_FAILED": "HostError",
    "SYSTEM": "HostError",
}


@pytest.mark.parametrize("err", ERRORS)
def test_an_error_of_the_hosts_is_an_exception_that_fits(pit, err):
    def fail(info):
        raise HostFault(err, "because")

    register(pit, "fail", fail)
    caught = pit.call("caught", {"tool": "fail"})
    assert ERRORS[err] in caught["bases"] and "HostError" in caught["bases"]
    assert caught["code"] == err
    assert caught["message"] == f'host tool "fail": {err}: because'
    assert pit.call("host", echo(1)) == 1


def test_an_error_that_nobody_catches_reaches_the_caller_by_name(pit):
    def fail(info):
        raise HostFault("NOT_FOUND", "no such customer")

    register(pit, "fail", fail)
    fault = pit.fails("host", {"tool": "fail"})
    assert fault.err == "TOOL_FAILED"
    assert fault.type == "snakepit_bridge.errors.HostLookupError"
    assert fault.message == 'host tool "fail": NOT_FOUND: no such customer'


def test_an_unknown_tool_is_told_with_the_name_that_is_like_it(pit):
    caught = pit.call("caught", {"tool": "ecoh"})
    assert "UnknownHostTool" in caught["bases"] and "LookupError" in caught["bases"]
    assert caught["message"] == 'the host has no tool "ecoh"; did you mean "echo"?'
    message = pit.fails("host", {"tool": "zzz"}).message
    assert message.startswith('the host has no tool "zzz"; its program registers them')


def test_what_cannot_be_asked_is_said_where_it_was_asked(pit):
    fault = pit.fails("unsure")
    assert fault.type == "TypeError"
    assert "at arguments['value'][1];" in fault.message
    assert "ValueError" in pit.call("caught", {"tool": ""})["bases"]
    assert "ValueError" in pit.call("caught", {"tool": "x" * 256})["bases"]
    assert pit.call("host", echo(1)) == 1


def test_a_thread_of_the_tools_own_is_told_that_it_has_no_call(pit):
    assert "asyncio.to_thread" in pit.call("on_a_thread")


def test_more_than_the_shared_memory_is_one_clear_error(open_pit, kind):
    pit = open_pit(pool(kind, adapter="asks.Asks", shared_memory_size="8MiB"))
    register(pit, "large", lambda info: "x" * (16 * MIB))
    caught = pit.call("caught", {"tool": "large"})
    assert "MemoryError" in caught["bases"]
    assert "shared_memory_size" in caught["message"]
    assert pit.call("ping") == "pong"


# ---- Coroutines ----------------------------------------------------------------------


def test_a_coroutine_asks_without_blocking_the_loop(pit):
    assert pit.call("awaited", echo(5)) == 5
    assert pit.call("to_thread", echo(6)) == 6
    assert pit.call("gathered", {"count": 20}) == list(range(20))
    fault = pit.fails("blocks")
    assert fault.type == "RuntimeError" and "call_host_tool_async" in fault.message


def test_errors_reach_a_coroutine(pit):
    fault = pit.fails("awaited", {"tool": "zzz"})
    assert fault.type == "snakepit_bridge.errors.UnknownHostTool"
    assert pit.fails("to_thread", {"tool": "zzz"}).type == fault.type


# ---- Submitted calls -----------------------------------------------------------------


def test_submitted_calls_ask_in_callbacks_of_the_library(pit):
    calls = [pit.submit("host", echo(i)) for i in range(100)]
    assert [call.wait().value for call in calls] == list(range(100))
    assert all(call.times == 1 for call in calls)


def test_submitted_calls_ask_whoever_drains(pit):
    threads = []
    register(pit, "where", lambda info: threads.append(threading.get_ident()))
    pit.completion_fd()
    calls = [pit.submit("host", {"tool": "where"}) for _ in range(10)]
    deadline = Deadline(20)
    while not all(call.ended.is_set() for call in calls):
        pit.drain(100)
        assert not deadline.over
    assert set(threads) == {threading.get_ident()}
    assert len(threads) == 10


# ---- Streams -------------------------------------------------------------------------


def test_a_stream_asks_between_its_chunks(pit):
    questions = [["echo", {"value": i}] for i in range(300)]
    with pit.stream("host_each", {"questions": questions}) as stream:
        chunks, fault = stream.rest()
    assert fault is None
    assert chunks[::2] == list(range(300))
    with pit.stream("host_each_async", {"questions": questions}) as stream:
        assert stream.rest() == (list(range(300)), None)


def test_an_error_of_the_hosts_ends_a_stream_after_its_chunks(pit):
    questions = [["echo", {"value": 1}], ["no_such", {}]]
    with pit.stream("host_each", {"questions": questions}) as stream:
        chunks, fault = stream.rest()
    assert chunks[0] == 1
    assert fault.err == "TOOL_FAILED"
    assert "no_such" in fault.message


def test_what_a_streams_question_calls_back_harms_no_chunk(one):
    register(one, "back", lambda info, value: one.call("echo", {"value": value}))
    array = numpy.arange(1000)
    questions = [["back", {"value": i}] for i in range(50)]
    asked = {"questions": questions, "then": array.tolist()}
    with one.stream("host_each", asked) as stream:
        chunks, fault = stream.rest()
    assert chunks[::2] == list(range(50))
    assert fault.type == "ValueError"
    assert "questions: list[50]" in fault.arguments
    assert one.call("ping") == "pong"


def test_a_stream_that_is_closed_while_it_asks_leaves_nothing(one):
    gate = Blocked()
    register(one, "gate", gate)
    stream = one.stream("host_each", {"questions": [["gate", {}]] * 3})
    reader = threading.Thread(target=stream.rest)
    reader.start()
    gate.wait()
    assert one.cancel(stream.id) == "OK"
    gate.leave.set()
    reader.join(20)
    assert not reader.is_alive()
    assert stream.fault.err == "CANCELLED"
    stream.close()
    assert one.call("ping") == "pong"


# ---- Nesting -------------------------------------------------------------------------


def test_a_host_tool_calls_the_worker_that_asks_it(one):
    register(one, "back", lambda info, tool: one.call(tool))
    ask = {"questions": [["back", {"tool": "pid"}]] * 50}
    assert one.call("host_all", ask) == [one.workers()[0].pid] * 50
    assert one.submit("host_all", ask).wait().value == [one.workers()[0].pid] * 50


def test_calls_wait_behind_and_go_on_when_a_call_nests(one):
    register(one, "back", lambda info, tool: one.call(tool))
    others = [one.submit("ping") for _ in range(100)]
    ask = {"questions": [["back", {"tool": "ping"}]]}
    callers = [Caller(one, "host_all", ask) for _ in range(4)]
    assert [caller.join() for caller in callers] == [["pong"]] * 4
    assert {call.wait().value for call in others} == {"pong"}


def test_a_nested_call_that_fails_is_the_tools_to_handle(one):
    def back(info):
        try:
            one.call("no_such_tool")
        except CallFailed as error:
            return error.fault.err
        return None

    register(one, "back", back)
    assert one.call("host", {"tool": "back"}) == "UNKNOWN_TOOL"


def test_nested_calls_may_have_sessions_and_be_coroutines(one):
    def back(info, session):
        return one.call("awaited", echo(1), session=session)

    register(one, "back", back)
    for session in ("a", "b"):
        ask = {"questions": [["back", {"session": "b"}]]}
        assert one.call("host_all", ask, session=session) == [1]
        ask = {"tool": "deep"}
    register(one, "deep", lambda info: one.call("awaited", echo(2)))
    assert one.call("awaited", {"tool": "deep"}) == 2


def test_nesting_is_bounded_with_one_clear_error(one):
    depths = []

    def deeper(info):
        depths.append(1)
        return one.call("caught", {"tool": "deeper"})

    register(one, "deeper", deeper)
    caught = one.call("caught", {"tool": "deeper"})
    assert caught is None
    assert len(depths) == 16
    depths.clear()
    said = []

    def deepest(info):
        depths.append(1)
        answer = one.call("caught", {"tool": "deepest"})
        said.append(answer)
        return answer

    register(one, "deepest", deepest)
    one.call("caught", {"tool": "deepest"})
    (innermost,) = [answer for answer in said if answer is not None]
    assert "RecursionError" in innermost["bases"]
    assert "16 deep" in innermost["message"]
    assert one.call("ping") == "pong"


@pytest.mark.parametrize("affinity", ["hint", "strict_queue", "strict_fail_fast"])
def test_nested_calls_keep_their_sessions_workers(open_pit, profile, affinity):
    threads = 1 if profile == "thread" else None
    pit = open_pit(
        pool(
            profile,
            adapter="asks.Asks",
            threads_per_worker=threads,
            pool_size=2,
            affinity=affinity,
        )
    )
    register(pit, "back", lambda info, session: pit.call("pid", session=session))
    blocked = Blocked()
    register(pit, "blocked", blocked)
    caller = Caller(pit, "host", {"tool": "blocked"}, session="a")
    blocked.wait()
    there = pit.call("pid", session="b")
    blocked.leave.set()
    caller.join()
    here = pit.call("pid", session="a")
    assert here != there

    def nested(session):
        ask = {"tool": "back", "session": session}
        return pit.call("host", ask, session="a")

    assert nested("a") == here
    assert nested("new") == here
    assert nested("b") == (here if affinity == "hint" else there)
    assert pit.call("pid", session="new") == here


def test_two_pools_ask_each_other(open_pit, profile):
    threads = 1 if profile == "thread" else None
    options = {"adapter": "asks.Asks", "threads_per_worker": threads}
    pit = open_pit(
        pool(profile, name="a", **options), pool(profile, name="b", **options)
    )
    register(pit, "end", lambda info: pit.call("ping", pool="a"))
    register(pit, "there", lambda info: pit.call("host", {"tool": "end"}, pool="b"))
    assert pit.call("host", {"tool": "there"}, pool="a") == "pong"


# ---- Many at once --------------------------------------------------------------------


def test_sixteen_executors_ask_at_once(open_pit):
    pit = open_pit(pool("thread", adapter="asks.Asks", threads_per_worker=16))
    everyone = threading.Barrier(16)

    def meet(info, value):
        everyone.wait(20)
        return value

    register(pit, "meet", meet)
    for _ in range(5):
        callers = [Caller(pit, "host", {"tool": "meet", "value": i}) for i in range(16)]
        assert [caller.join() for caller in callers] == list(range(16))


def test_callers_of_both_kinds_ask_for_a_while(pit):
    def ask(kind):
        for i in range(200):
            if kind == 0:
                assert pit.call("host", echo(i)) == i
            else:
                assert pit.submit("host", echo(i)).wait().value == i

    failed = []

    def run(kind):
        try:
            ask(kind)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(i % 2,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failed


# ---- Time and cancelling -------------------------------------------------------------


def test_the_calls_time_covers_the_question(one, tmp_path):
    blocked = Blocked()
    register(one, "blocked", blocked)
    said = tmp_path / "said"
    ask = {"tool": "blocked", "path": str(said)}
    call = one.submit("goes_on", ask, timeout_ms=300)
    with seconds() as taken:
        # Whoever runs callbacks is in the tool; the tool's own wait has ended.
        assert wait_for_file(said) in ("DeadlineExceeded", "Cancelled")
        blocked.leave.set()
        call.wait()
    assert call.err == "DEADLINE_EXCEEDED"
    assert taken.seconds < 5
    assert one.call("ping") == "pong"


def test_a_synchronous_caller_comes_back_with_the_host_tool(one, tmp_path):
    blocked = Blocked()
    register(one, "blocked", blocked)
    said = tmp_path / "said"
    ask = {"tool": "blocked", "path": str(said)}
    caller = Caller(one, "goes_on", ask, timeout_ms=300)
    assert wait_for_file(said) == "DeadlineExceeded"
    blocked.leave.set()
    fault = caller.join()
    assert fault.err == "DEADLINE_EXCEEDED"
    assert one.call("host", echo(1)) == 1


def test_a_nested_call_ends_with_the_call_that_asked(one):
    faults = []

    def back(info):
        with one.answer("sleep", {"seconds": 20}) as answer:
            faults.append(answer.fault)

    register(one, "back", back)
    with seconds() as taken:
        fault = one.fails("host", {"tool": "back"}, timeout_ms=300)
    assert fault.err == "DEADLINE_EXCEEDED"
    assert faults[0].err == "DEADLINE_EXCEEDED"
    assert taken.seconds < 10
    eventually(lambda: one.state() == "ready")
    assert one.call("ping") == "pong"


@pytest.mark.parametrize("tool", ["goes_on", "awaited_goes_on"])
def test_lesson_26_a_cancelled_question_raises_in_the_tool(one, tmp_path, tool):
    blocked = Blocked()
    register(one, "blocked", blocked)
    said = tmp_path / "said"
    call = one.submit(tool, {"tool": "blocked", "path": str(said)})
    blocked.wait()
    assert one.cancel(call) == "OK"
    # While the host's tool still runs.
    assert wait_for_file(said) in ("Cancelled", "CancelledError")
    assert not call.ended.is_set()
    blocked.leave.set()
    assert call.wait().err == "CANCELLED"
    assert call.times == 1
    pid = one.workers()[0].pid
    assert one.call("pid") == pid
    assert one.call("host", echo(1)) == 1


# ---- Deaths --------------------------------------------------------------------------


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_worker_that_dies_while_it_asks_fails_its_call_once(one, asynchronous):
    blocked = Blocked(7)
    register(one, "blocked", blocked)
    ask = {"tool": "blocked"}
    before = one.workers()[0]
    if asynchronous:
        call = one.submit("host", ask)
    else:
        caller = Caller(one, "host", ask)
    blocked.wait()
    os.kill(before.pid, signal.SIGKILL)
    one.await_replacement(before)
    blocked.leave.set()
    fault = call.wait().fault if asynchronous else caller.join()
    assert fault.err == "WORKER_DIED"
    assert "SIGKILL" in fault.cause
    if asynchronous:
        assert call.times == 1
    assert one.call("host", echo(1)) == 1


def test_a_signal_ends_a_wait_for_the_host(one):
    blocked = Blocked(7)
    register(one, "blocked", blocked)
    before = one.workers()[0]
    caller = Caller(one, "host", {"tool": "blocked"})
    blocked.wait()
    os.kill(before.pid, signal.SIGTERM)
    one.await_replacement(before)
    blocked.leave.set()
    fault = caller.join()
    # In the process profile the signal is an exception in the tool.
    assert fault.err in ("WORKER_DIED", "TOOL_FAILED")
    assert "SIGTERM" in fault.cause + fault.message
    assert one.call("host", echo(1)) == 1


def test_a_worker_that_dies_under_a_nested_call_fails_both(one):
    inner = []

    def back(info):
        with one.answer("die") as answer:
            inner.append(answer.fault.err)

    register(one, "back", back)
    assert one.fails("host", {"tool": "back"}).err == "WORKER_DIED"
    assert inner == ["WORKER_DIED"]
    eventually(lambda: one.state() == "ready")
    assert one.call("host", echo(1)) == 1


def test_random_deaths_of_workers_that_ask_confuse_nobody(open_pit, profile):
    pit = open_pit(
        pool(
            profile,
            adapter="asks.Asks",
            pool_size=2,
            restart_limit=1000,
            restart_backoff_ms=1,
        )
    )
    register(pit, "echo", lambda info, **arguments: arguments.get("value"))
    register(pit, "back", lambda info, value: back(value))

    def back(value):
        with pit.answer("echo", {"value": value}) as answer:
            if answer.err != "OK":
                raise HostFault("TOOL_FAILED", answer.err)
            return answer.value()

    failed = []
    stop = threading.Event()

    def ask(kind):
        value = kind
        while not stop.is_set():
            value += 10
            question = {"tool": "back" if value % 3 else "echo", "value": value}
            if kind % 2:
                call = pit.submit("host", question).wait()
                got, fault = call.value, call.fault
            else:
                with pit.answer("host", question) as answer:
                    fault = None if answer.err == "OK" else answer.fault
                    got = None if fault else answer.value()
            if fault is None and got != value:
                failed.append((value, got))
            elif fault is not None and fault.err not in ("WORKER_DIED", "WORKER_LOST"):
                failed.append(fault)

    threads = [threading.Thread(target=ask, args=(kind,)) for kind in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        victim = pit.workers()[0]
        os.kill(victim.pid, signal.SIGKILL)
        pit.await_replacement(victim)
    stop.set()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert not failed, failed[:3]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_closing_answers_a_call_that_asks(open_pit, profile, tmp_path, asynchronous):
    pit = open_pit(pool(profile, adapter="asks.Asks"))
    blocked = Blocked(7)
    register(pit, "blocked", blocked)
    ask = {"tool": "blocked", "path": str(tmp_path / "said")}
    worker = pit.workers()[0].process
    if asynchronous:
        call = pit.submit("goes_on", ask)
    else:
        caller = Caller(pit, "goes_on", ask)
    blocked.wait()
    closing = threading.Thread(target=pit.close)
    closing.start()
    if asynchronous:
        # Workers are stopped when the last callback has run, and not before.
        assert wait_for_file(tmp_path / "said") == "Cancelled"
    else:
        eventually(lambda: not alive_of({worker}))
    blocked.leave.set()
    fault = call.wait().fault if asynchronous else caller.join()
    closing.join(20)
    assert not closing.is_alive()
    assert fault.err == "SHUTTING_DOWN"


def test_memory_is_given_back_when_questions_end_in_any_way(one):
    register(one, "large", lambda info, value: value)
    ask = {"tool": "large", "value": "x" * MIB}
    for _ in range(5):
        one.call("host", ask)
    used = one.stats().shared_bytes
    for i in range(200):
        one.call("host", ask) if i % 2 else one.submit("host", ask).wait()
    assert one.stats().shared_bytes <= used + 2 * MIB


# ---- Session values ------------------------------------------------------------------


def test_tools_keep_values_of_their_session(pit):
    for value in VALUES:
        pit.call("put", {"key": "k", "value": value}, session="s")
        assert pit.call("get", {"key": "k"}, session="s") == value
        assert pit.get("s", "k") == value
    pit.put("s", "other", 1)
    assert pit.call("keys", session="s") == ["k", "other"]
    assert pit.call("get_in_thread", {"key": "other"}, session="s") == 1
    assert pit.call("delete", {"key": "k"}, session="s") is True
    assert pit.call("delete", {"key": "k"}, session="s") is False
    assert pit.call("get", {"key": "k", "default": 5}, session="s") == 5
    assert pit.call("keys", session="s2") == []


def test_values_are_the_same_in_every_worker(open_pit, profile):
    pit = open_pit(pool(profile, adapter="asks.Asks", pool_size=2))
    pit.call("put", {"key": "k", "value": 1}, session="s")
    gone = pit.workers()
    pit.kill_workers()
    assert pit.call("get", {"key": "k"}, session="s") == 1
    assert not {row.id for row in gone} & {row.id for row in pit.workers()}


def test_a_value_lives_as_long_as_it_is_told_to(pit):
    pit.call("put", {"key": "k", "value": 1, "ttl": 0.2}, session="s")
    pit.call("put", {"key": "stays", "value": 1, "ttl": 60}, session="s")
    eventually(lambda: pit.call("keys", session="s") == ["stays"])


def test_what_a_session_may_not_keep_is_an_exception(open_pit, kind):
    pit = open_pit(pool(kind, adapter="asks.Asks"), session_quota="64KiB")

    def caught(operation, *arguments, session="s"):
        return pit.call(
            "values_caught",
            {"operation": operation, "arguments": list(arguments)},
            session=session,
        )

    over = caught("put", "k", "x" * 100_000)
    assert "QuotaExceeded" in over["bases"] and over["code"] == "QUOTA_EXCEEDED"
    assert "session_quota" in over["message"]
    assert "ValueError" in caught("put", "", 1)["bases"]
    assert "ValueError" in caught("get", "x" * 256)["bases"]
    assert "ValueError" in caught("put", "k", 1, -1)["bases"]
    assert "LookupError" in caught("get", "k", session=None)["bases"]
    fault = pit.fails("put", {"key": "k", "value": "x" * 100_000}, session="s")
    assert fault.err == "QUOTA_EXCEEDED"
    assert fault.type == "snakepit_bridge.errors.QuotaExceeded"
    assert caught("put", "k", 1) is None


@pytest.mark.parametrize("choice", ["error", "marker", "marker_with_repr"])
def test_what_was_put_can_be_read_whatever_becomes_of_results(open_pit, choice):
    pit = open_pit(pool(adapter="asks.Asks", on_unserialisable=choice))
    pit.call("put", {"key": "k", "value": "old"}, session="s")
    for kind, error, place in (
        ("tuple", "TypeError", "tuple at value['rows'][0].keys(); keys are texts"),
        ("object", "TypeError", "object at value[1]; only plain values are kept"),
        ("huge", "OverflowError", "an integer beyond 64 bits at value['n']"),
    ):
        caught = pit.call("put_odd", {"kind": kind}, session="s")
        assert caught["bases"][0] == error, kind
        assert caught["message"].startswith(
            "session_context.put: session 's' cannot keep 'k': "
        )
        assert place in caught["message"]
        assert pit.call("get", {"key": "k"}, session="s") == "old"
    # What the value's own code raises is told as it is.
    assert pit.call("put_odd", {"kind": "broken"}, session="s")["message"] == "mine"


# ---- What else may ask at that moment ------------------------------------------------


def test_a_signals_handler_cannot_mix_its_question_in(open_pit):
    pit = open_pit(pool("process", adapter="asks.Asks"))
    register(pit, "echo", lambda info, value: value)
    gates = threading.Event()
    register(pit, "slow", lambda info, value: gates.wait(0.005) or value)
    answer = pit.call("host_from_a_handler", {"times": 50})
    assert answer["got"] == list(range(50))
    assert answer["caught"] > 0


def test_what_the_tasks_of_an_ended_coroutine_ask_is_not_waited_for(pit):
    gate = Blocked()
    register(pit, "gate", gate)
    gate.leave.set()
    for _ in range(3):
        assert pit.call("leave_questions", {"tool": "gate"}, timeout_ms=5000) == "done"


# ---- Streams within ------------------------------------------------------------------


def test_a_host_tool_may_open_a_stream_where_there_is_room(open_pit, profile):
    pit = open_pit(pool(profile, adapter="asks.Asks", pool_size=2))
    register(pit, "echo", lambda info, value: value)
    kept = []

    def within(info, how):
        asked = {"questions": [["echo", {"value": 1}]] * 2}
        stream = pit.stream("host_each", asked)
        if how == "read":
            with stream:
                return stream.rest()[0][::2]
        kept.append(stream)
        if how == "one":
            return stream.take()
        return pit.call("echo", {"value": "beside"})

    register(pit, "within", within)
    for how, wanted in (("read", [1, 1]), ("one", 1), ("beside", "beside")):
        asked = {"tool": "within", "how": how}
        assert pit.call("host", asked, timeout_ms=10_000) == wanted
    for stream in kept:
        stream.close()
    assert pit.stats().violations == 0


def test_a_host_tool_may_not_read_the_stream_that_waits_for_it(one):
    told = []

    def meddle(info):
        try:
            stream.take()
        except CallFailed:
            told.append(stream.err)
        stream_close(stream)

    def stream_close(stream):
        handle = stream.handle
        stream.close()
        stream.handle = handle

    register(one, "meddle", meddle)
    stream = one.stream("host_each", {"questions": [["meddle", {}]] * 2})
    _, fault = stream.rest()
    assert told == ["INVALID_ARGUMENT"]
    assert fault.err == "CANCELLED"
    stream.close()
    assert one.call("ping") == "pong"


# ---- Others --------------------------------------------------------------------------


def test_a_slow_host_tool_holds_up_no_other_submitted_call(open_pit, profile):
    asking = pool(profile, adapter="asks.Asks", name="asking")
    pit = open_pit(asking, pool(profile, name="other"))
    gate = Blocked("done")
    register(pit, "gate", gate)
    asks = pit.submit("host", {"tool": "gate"}, pool="asking")
    gate.wait()
    for _ in range(20):
        assert pit.submit("ping", pool="other").wait().value == "pong"
    late = pit.submit("sleep", {"seconds": 30}, pool="other", timeout_ms=100)
    with seconds() as taken:
        assert late.wait().err == "DEADLINE_EXCEEDED"
    assert taken.seconds < 0.5
    assert not asks.ended.is_set()
    gate.leave.set()
    assert asks.wait().value == "done"
