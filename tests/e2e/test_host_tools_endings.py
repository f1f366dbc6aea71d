# SPDX-License-Identifier: MIT
"""Questions to the host that end otherwise: by time, cancel, death and shutdown."""

from __future__ import annotations

import os
import signal
import threading

import pytest
from support import (
    CallFailed,
    alive_of,
    eventually,
    open_gate,
    pool,
    seconds,
    through,
    wait_for_file,
)
from support.asking import Blocked, Caller, echo, open_asking_one
from support.callers import PACE
from support.host_tools import HostFault, register, unregister_all

MIB = 1 << 20


@pytest.fixture
def one(shared_pit, profile, before):
    made = open_asking_one(shared_pit, profile)
    # The thread for tools of submitted calls comes with the first of these.
    made.submit("host", echo(1)).wait()
    before.take()
    yield made
    unregister_all(made)


# ---- Time and cancelling -------------------------------------------------------------


def test_the_calls_time_covers_the_question(one, tmp_path):
    blocked = Blocked()
    register(one, "blocked", blocked)
    said = tmp_path / "said"
    ask = {"tool": "blocked", "path": str(said)}
    call = one.submit("goes_on", ask, timeout_ms=2000)
    with seconds() as taken:
        # Whoever runs callbacks is in the tool; the tool's own wait has ended.
        assert wait_for_file(said) in ("DeadlineExceeded", "Cancelled")
        blocked.leave.set()
        call.wait()
    assert call.err == "DEADLINE_EXCEEDED"
    assert taken.seconds < 20
    assert one.call("ping") == "pong"


def test_a_synchronous_caller_comes_back_with_the_host_tool(one, tmp_path):
    blocked = Blocked()
    register(one, "blocked", blocked)
    said = tmp_path / "said"
    ask = {"tool": "blocked", "path": str(said)}
    caller = Caller(one, "goes_on", ask, timeout_ms=2000)
    # A daemon does not wait in its client's tool: it may cancel the call first.
    ends = {"DeadlineExceeded"} | ({"Cancelled"} if through.ON else set())
    assert wait_for_file(said) in ends
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
        fault = one.fails("host", {"tool": "back"}, timeout_ms=2000)
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


def test_two_signals_end_a_wait_for_the_host(one):
    blocked = Blocked(7)
    register(one, "blocked", blocked)
    before = one.workers()[0]
    caller = Caller(one, "host", {"tool": "blocked"})
    blocked.wait()
    os.kill(before.pid, signal.SIGTERM)
    eventually(lambda: one.workers()[0].state == "DRAINING")
    os.kill(before.pid, signal.SIGTERM)
    one.await_replacement(before)
    blocked.leave.set()
    fault = caller.join()
    assert fault.err == "WORKER_DIED"
    assert "SIGTERM" in fault.cause + fault.message
    assert one.call("host", echo(1)) == 1


def test_signals_that_another_thread_takes_end_a_wait_for_the_host(open_pit, tmp_path):
    one = open_asking_one(open_pit, "process")
    blocked = Blocked(7)
    register(one, "blocked", blocked)
    before = one.workers()[0]
    worker = before.process
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    ask = {"tool": "blocked", "gate": str(gate)}
    caller = Caller(one, "host_beside_a_signal", ask)
    blocked.wait()
    eventually(lambda: worker.state == "S")  # the kernel wakes it for nothing
    open_gate(gate, lambda: not worker.alive)
    blocked.leave.set()
    fault = caller.join()
    assert "SIGTERM" in fault.cause + fault.message
    one.await_replacement(before)


def test_signals_that_another_thread_takes_end_a_wait_for_a_reader(open_pit, tmp_path):
    one = open_asking_one(open_pit, "process")
    before = one.workers()[0]
    worker = before.process
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    stream = one.stream("stream_beside_a_signal", {"gate": str(gate)})
    assert len(next(stream)) == 16_000
    eventually(lambda: worker.state == "S")
    open_gate(gate, lambda: not worker.alive)
    with pytest.raises(CallFailed, match="SIGTERM"):
        for _ in stream:
            pass
    stream.close()
    one.await_replacement(before)


@pytest.mark.own_pit("what a program's tool calls waits for a second executor")
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


@pytest.mark.own_pit("what a program's tool calls waits for a second executor")
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
    register(pit, "echo", lambda info, **arguments: echoed(arguments.get("value")))
    register(pit, "back", lambda info, value: back(value))

    def echoed(value):
        stop.wait(PACE)  # the question is open for a while, in which its worker may die
        return value

    def back(value):
        stop.wait(PACE)
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
