# SPDX-License-Identifier: MIT
"""Tools of the host, as Python calls them: results, errors, many at once."""

from __future__ import annotations

import threading

import numpy
import pytest
from support import (
    Deadline,
    Refused,
    eventually,
    pool,
    seconds,
)
from support.asking import Blocked, Caller, echo, open_asking
from support.host_tools import HostFault, register, unregister, unregister_all

MIB = 1 << 20


@pytest.fixture
def pit(shared_pit, kind):
    made = open_asking(shared_pit, kind)
    yield made
    unregister_all(made)


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
    assert "at arguments['value'][1]; pass plain values, or" in fault.message
    assert "ValueError" in pit.call("caught", {"tool": ""})["bases"]
    assert "ValueError" in pit.call("caught", {"tool": "x" * 256})["bases"]
    assert pit.call("host", echo(1)) == 1


def test_a_thread_of_the_tools_own_is_told_that_it_has_no_call(pit):
    for said in (pit.call("on_a_thread"), *pit.call("in_an_executor", session="s")[:2]):
        assert "this code runs for no call of a host" in said
        assert "asyncio.to_thread" in said
        assert "contextvars.copy_context().run" in said


def test_an_executor_that_is_given_the_context_can_ask(pit):
    assert pit.call("in_an_executor", session="s")[2:] == [1, "s"]


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


def test_submitted_calls_ask_in_callbacks_of_the_library(open_pit, kind):
    pit = open_asking(open_pit, kind)
    calls = [pit.submit("host", echo(i)) for i in range(100)]
    assert [call.wait().value for call in calls] == list(range(100))
    assert all(call.times == 1 for call in calls)


def test_submitted_calls_ask_whoever_drains(open_pit, kind):
    pit = open_asking(open_pit, kind)
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


def test_callers_of_both_kinds_ask_for_a_while(open_pit, kind):
    pit = open_asking(open_pit, kind)

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
    assert taken.seconds < 10
    assert not asks.ended.is_set()
    gate.leave.set()
    assert asks.wait().value == "done"
