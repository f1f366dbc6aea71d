# SPDX-License-Identifier: MIT
"""Lessons 19 and 21 to 23: deadlines, cancelling, closing, and exactly one answer."""

from __future__ import annotations

import functools
import os
import random
import threading

import pytest
from support import (
    THREADS,
    Refused,
    alive_of,
    eventually,
    open_gate,
    pool,
    seconds,
    sleeps,
    wait_for_file,
)

LATE = 0.35  # seconds that an answer may come after its deadline
FREE_WITHIN = 20.0  # seconds until the slot of a caller that went away is free


@pytest.fixture
def gate(tmp_path):
    os.mkfifo(tmp_path / "gate")
    return tmp_path / "gate"


def heeding(kind, **options):
    """A pool whose tools heed a cancel, and have time for it on a busy machine too."""
    return pool(kind, cancel_grace_ms=60_000, **options)


def occupy(pit, tmp_path, count, tool="sleep", **arguments):
    """Fills `count` executors with calls that last."""
    paths = [tmp_path / f"busy-{i}" for i in range(count)]
    calls = [pit.submit(tool, {"path": str(path), **arguments}) for path in paths]
    for path in paths:
        wait_for_file(path)
    return calls


def let_go(pit, calls):
    """Ends calls that heed a cancel, so that their pit is as it was."""
    for call in calls:
        pit.cancel(call)
        call.wait()
    eventually(lambda: pit.stats().running == 0, "they have ended", FREE_WITHIN)


def fault_of(pit, way, tool, arguments=None, **options):
    """The fault of a call by one of the two doors, and how long it took."""
    with seconds() as taken:
        if way == "call":
            fault = pit.fails(tool, arguments, **options)
        else:
            fault = pit.submit(tool, arguments, **options).wait().fault
    return fault, taken.seconds


def on_time(limit_ms, stage, run):
    """Asserts that a call ends with its deadline, not late, in the stage named.

    A machine that is busy with something else may be late itself, or not bring a call
    to that stage in time: the call is made ten times at most. What is always late, or
    always in another stage, is so here too.
    """
    took = []
    while len(took) < 10:
        fault, taken = run()
        assert fault.err == "DEADLINE_EXCEEDED"
        assert taken >= limit_ms / 1000
        took.append((fault.stage, taken))
        if taken < limit_ms / 1000 + LATE and fault.stage == stage:
            return
    raise AssertionError(f"{limit_ms} ms, {stage}, at most {LATE} s late: {took}")


# ---- 19: one deadline ----------------------------------------------------------------


@pytest.mark.parametrize("way", ["call", "submit"])
@pytest.mark.parametrize("stage", ["line", "worker", "running"])
def test_lesson_19_the_error_names_the_stage_and_is_not_late(
    shared_pit, profile, tmp_path, way, stage
):
    executors = THREADS if profile == "thread" else 1
    pit = shared_pit(heeding(profile, prefetch=1 if stage == "worker" else 0))
    before = pit.stats().timeouts
    busy = []
    if stage != "running":
        busy = occupy(pit, tmp_path, executors, tool="until_cancelled")
    for timeout in (20, 100, 300):
        tool = "spin" if stage == "running" else "ping"
        run = functools.partial(fault_of, pit, way, tool, timeout_ms=timeout)
        on_time(timeout, stage, run)
    assert pit.stats().timeouts >= before + 3
    let_go(pit, busy)


@pytest.mark.parametrize("tool", ["sleep", "spin", "hold_gil", "stubborn"])
def test_lesson_19_whatever_the_tool_does_the_answer_is_not_late(open_pit, kind, tool):
    pit = open_pit(pool(kind, cancel_grace_ms=50))

    def call_it():
        (row,) = pit.workers()
        found = fault_of(pit, "call", tool, timeout_ms=150)
        if tool != "spin":
            pit.await_replacement(row)
        return found

    on_time(150, "running", call_it)


@pytest.mark.quiet
def test_lesson_19_the_deadline_covers_waiting_and_running_together(
    open_pit, gate, tmp_path
):
    pit = open_pit(pool("process", prefetch=0))
    busy = pit.submit("wait_for", {"path": str(gate), "ready": str(tmp_path / "began")})
    wait_for_file(tmp_path / "began")
    answers = []
    caller = threading.Thread(
        target=lambda: answers.append(fault_of(pit, "call", "spin", timeout_ms=400))
    )
    caller.start()
    eventually(lambda: pit.stats().waiting == 1)
    open_gate(gate, busy.ended.is_set)
    caller.join()
    fault, taken = answers[0]
    assert (fault.err, fault.stage) == ("DEADLINE_EXCEEDED", "running")
    assert 0.400 <= taken < 0.400 + LATE


@pytest.mark.parametrize("way", ["call", "submit"])
def test_lesson_19_queue_timeout_ends_the_wait_in_line_alone(shared_pit, tmp_path, way):
    pit = shared_pit(heeding("process", prefetch=0, queue_timeout_ms=100))
    assert pit.call("sleep", {"seconds": 0.3}) == 0.3
    busy = occupy(pit, tmp_path, 1, tool="until_cancelled")
    on_time(100, "line", lambda: fault_of(pit, way, "ping"))
    let_go(pit, busy)


def test_lesson_19_the_pools_timeout_holds_where_the_call_names_none(open_pit, kind):
    pit = open_pit(pool(kind, call_timeout_ms=120))
    on_time(120, "running", lambda: fault_of(pit, "call", "spin"))
    assert pit.call("sleep", {"seconds": 0.2}, timeout_ms=2000) == 0.2


def test_lesson_19_calls_that_wait_for_a_starting_pool_are_not_late(
    open_pit, gate, profile
):
    pit = open_pit(
        pool(profile, adapter="starts.Gated", adapter_config={"gate": str(gate)}),
        ready=False,
    )
    for way in ("call", "submit"):
        run = functools.partial(fault_of, pit, way, "ping", timeout_ms=100)
        on_time(100, "line", run)


def test_lesson_19_many_callers_at_once_are_not_late(shared_pit, profile, tmp_path):
    pit = shared_pit(heeding(profile, prefetch=0))
    executors = THREADS if profile == "thread" else 1
    busy = occupy(pit, tmp_path, executors, tool="until_cancelled")
    chance = random.Random(19)
    late = []

    def caller(timeout):
        fault, taken = fault_of(pit, "call", "ping", timeout_ms=timeout)
        if fault.err != "DEADLINE_EXCEEDED" or not 0 <= taken - timeout / 1000 < LATE:
            late.append((fault.err, timeout, taken))

    threads = [
        threading.Thread(target=caller, args=(chance.randrange(50, 300),))
        for _ in range(32)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not late
    let_go(pit, busy)


# ---- 21: exactly one answer ----------------------------------------------------------


@pytest.mark.parametrize("way", ["call", "submit"])
def test_lesson_21_a_late_reply_never_reaches_another_call(shared_pit, kind, way):
    pit = shared_pit(heeding(kind))
    before = pit.stats().timeouts
    for turn in range(30):
        if way == "call":
            pit.answer("hold_gil", {"seconds": 0.03}, timeout_ms=1).free()
            assert pit.call("echo", {"value": turn}) == turn
        else:
            pit.submit("hold_gil", {"seconds": 0.03}, timeout_ms=1).wait()
            assert pit.submit("echo", {"value": turn}).wait().value == turn
    # Not all of them where the machine is busy: some answers come before the look at
    # the clock.
    assert pit.stats().timeouts > before + 10
    assert pit.stats().worker_deaths == 0


def test_lesson_21_each_caller_gets_its_own_answer_under_random_timeouts(
    open_pit, profile
):
    pit = open_pit(heeding(profile, pool_size=2))
    outcomes: list = []

    def caller(number):
        chance = random.Random(number)
        for turn in range(150):
            wanted = number * 1000 + turn
            slow = chance.random() < 0.3
            tool = "hold_gil" if slow else "echo"
            arguments = {"seconds": 0.002} if slow else {"value": wanted}
            limit = chance.choice((1, 2, 5, 5000))
            with pit.answer(tool, arguments, timeout_ms=limit) as answer:
                if answer.err == "OK":
                    right = 0.002 if slow else wanted
                    outcomes.append("OK" if answer.value() == right else "wrong")
                else:
                    outcomes.append(answer.err)

    threads = [threading.Thread(target=caller, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 8 * 150
    assert set(outcomes) <= {"OK", "DEADLINE_EXCEEDED"}
    eventually(lambda: pit.stats().running == 0)
    stats = pit.stats()
    assert stats.calls == len(outcomes)
    assert stats.timeouts == outcomes.count("DEADLINE_EXCEEDED")


def test_lesson_21_every_callback_runs_exactly_once(open_pit, profile):
    """Among cancels, timeouts, deaths and, at the end, the close of the pit."""
    pit = open_pit(pool(profile, pool_size=2, cancel_grace_ms=50, restart_limit=1000))
    chance = random.Random(21)
    calls = []
    for turn in range(600):
        tool, arguments = chance.choice(
            [
                ("echo", {"value": turn}),
                ("echo", {"value": turn}),
                ("spin", {"seconds": 0.003}),
                ("leave", {"status": 1}) if turn % 50 == 0 else ("ping", {}),
            ]
        )
        try:
            call = pit.submit(tool, arguments, timeout_ms=chance.choice((1, 20, 0, 0)))
        except Refused as refused:
            assert refused.err == "SATURATED"
            continue
        calls.append((turn, tool, call))
        if chance.random() < 0.3:
            assert pit.cancel(chance.choice(calls)[2]) in ("OK", "NOT_FOUND")
    eventually(lambda: sum(call.ended.is_set() for *_, call in calls) > len(calls) / 2)
    pit.close()
    assert [call.times for *_, call in calls] == [1] * len(calls)
    for turn, tool, call in calls:
        if tool == "echo" and call.err == "OK":
            assert call.value == turn


# ---- 22: a caller that goes away -----------------------------------------------------


@pytest.mark.parametrize("stage", ["line", "worker"])
def test_lesson_22_cancelling_a_waiting_call_frees_its_place_at_once(
    open_pit, profile, tmp_path, stage
):
    executors = THREADS if profile == "thread" else 1
    pit = open_pit(pool(profile, prefetch=2 if stage == "worker" else 0, max_queue=1))
    occupy(pit, tmp_path, executors, tool="until_cancelled")
    before = pit.stats()
    for _ in range(20):
        call = pit.submit("ping")
        assert pit.cancel(call) == "OK"
        call.wait()
        assert (call.err, call.fault.stage) == ("CANCELLED", stage)
        assert pit.cancel(call) == "NOT_FOUND"
        assert call.times == 1
    stats = pit.stats()
    assert (stats.running, stats.waiting) == (before.running, before.waiting)
    assert stats.cancelled == 20


@pytest.mark.parametrize("way", ["cancel", "timeout"])
@pytest.mark.parametrize(
    ("tool", "worker_survives"),
    [
        ("spin", True),
        ("until_cancelled", True),
        ("sleep", False),
        ("stubborn", False),
        ("hold_gil", False),
    ],
)
def test_lesson_22_a_call_that_is_given_up_frees_its_slot_within_a_second(
    open_pit, shared_pit, kind, tmp_path, tool, worker_survives, way
):
    if worker_survives:
        pit = shared_pit(heeding(kind))
    else:
        pit = open_pit(pool(kind, cancel_grace_ms=100))
    (row,) = pit.workers()
    if way == "cancel":
        (call,) = occupy(pit, tmp_path, 1, tool=tool)
        with seconds() as taken:
            assert pit.cancel(call) == "OK"
            call.wait()
        assert (call.err, call.fault.stage) == ("CANCELLED", "running")
        assert taken.seconds < 10
    else:
        assert pit.fails(tool, timeout_ms=50).err == "DEADLINE_EXCEEDED"
    eventually(lambda: pit.stats().running == 0, "the slot is free", FREE_WITHIN)
    assert pit.call("ping") == "pong"
    if worker_survives:
        assert pit.workers()[0].id == row.id
        assert pit.stats().worker_deaths == 0
    elif pit.stats().worker_deaths:
        # The exception may still have come in before the tool went to sleep for good.
        pit.await_replacement(row)


def test_lesson_22_a_cancel_meets_its_call_and_not_a_thread_that_it_starts(
    shared_pit, kind, tmp_path
):
    """Before Python 3.12 a new thread has its creator's number for a moment."""
    pit = shared_pit(heeding(kind))
    (row,) = pit.workers()
    for turn in range(60):
        path = tmp_path / str(turn)
        call = pit.submit("start_threads", {"path": str(path)})
        wait_for_file(path)
        assert pit.cancel(call) == "OK"
        assert call.wait().err == "CANCELLED"
        eventually(lambda: pit.stats().running == 0, "its slot is free", FREE_WITHIN)
    assert [found.id for found in pit.workers()] == [row.id]


def test_lesson_22_the_calls_beside_a_killed_one_are_told_that_they_may_try_again(
    open_pit, tmp_path
):
    pit = open_pit(pool("thread", cancel_grace_ms=100))
    (stuck,) = occupy(pit, tmp_path, 1, tool="stubborn")
    beside = pit.submit("sleep", {"seconds": 300, "path": str(tmp_path / "beside")})
    wait_for_file(tmp_path / "beside")
    pit.cancel(stuck)
    assert stuck.wait().err == "CANCELLED"
    assert beside.wait().err == "WORKER_LOST"
    assert "killed by us because" in beside.fault.cause


# ---- 23: shutting down ---------------------------------------------------------------


def crashes(pit):
    """Lines that speak of a crash."""
    return [
        line.text
        for line in pit.lines
        if line.level == "error" or "expected=no" in line.text
    ]


@pytest.mark.parametrize("tool", ["sleep", "spin", "hold_gil", "stubborn"])
def test_lesson_23_closing_answers_every_waiting_and_running_call(
    open_pit, profile, tmp_path, tool
):
    executors = THREADS if profile == "thread" and tool != "hold_gil" else 1
    pit = open_pit(pool(profile, prefetch=0))
    running = occupy(pit, tmp_path, executors, tool=tool)
    waiting = [pit.submit("ping") for _ in range(20)] if tool != "hold_gil" else []
    waiting = [call for call in waiting if not call.ended.is_set()]
    answers: list = []
    callers = [
        threading.Thread(
            target=lambda: answers.append(pit.fails("spin", {"seconds": 50}))
        )
        for _ in range(4)
    ]
    for caller in callers:
        caller.start()
    eventually(
        lambda: (
            pit.stats().running + pit.stats().waiting
            >= len(running) + len(waiting) + len(callers)
        )
    )
    processes = pit.processes()
    with seconds() as taken:
        closer = threading.Thread(target=pit.close)
        closer.start()
        for caller in callers:
            caller.join()
        closer.join()
    assert taken.seconds < 10
    assert [call.err for call in running] == ["SHUTTING_DOWN"] * len(running)
    assert [call.err for call in waiting] == ["SHUTTING_DOWN"] * len(waiting)
    assert [call.fault.stage for call in waiting] == ["line"] * len(waiting)
    assert [fault.err for fault in answers] == ["SHUTTING_DOWN"] * 4
    assert not alive_of(processes)
    assert not crashes(pit)


def test_lesson_23_calls_get_their_grace(open_pit, profile):
    pit = open_pit(pool(profile))
    calls = [pit.submit("sleep", {"seconds": 0.2}) for _ in range(3)]
    pit.close(grace_ms=5000)
    assert [call.err for call in calls] == ["OK"] * 3
    assert not crashes(pit)


def test_lesson_23_the_grace_ends(open_pit, profile, tmp_path):
    pit = open_pit(pool(profile))
    (call,) = occupy(pit, tmp_path, 1)
    with seconds() as taken:
        pit.close(grace_ms=200)
    assert call.err == "SHUTTING_DOWN"
    assert 0.2 <= taken.seconds < 10


def test_lesson_23_closing_works_during_start_up(open_pit, kind, gate, tmp_path):
    config = {"gate": str(gate), "announce": str(tmp_path / "began-")}
    pit = open_pit(
        pool(kind, adapter="starts.Gated", adapter_config=config, pool_size=2),
        ready=False,
    )
    waiting = [pit.submit("ping") for _ in range(5)]
    eventually(lambda: len(list(tmp_path.glob("began-*"))) == 2)
    told: list = []

    def await_ready():
        try:
            pit.await_ready(timeout_ms=20_000)
        except Refused as refused:
            told.append(refused.err)

    waiter = threading.Thread(target=await_ready)
    waiter.start()
    eventually(lambda: sleeps(waiter))  # in the library, which must still be open
    with seconds() as taken:
        pit.close()
    waiter.join()
    assert taken.seconds < 10
    assert [call.err for call in waiting] == ["SHUTTING_DOWN"] * 5
    assert told == ["SHUTTING_DOWN"]
    assert not crashes(pit)
    assert not pit.logged("worker.start_failed")


def test_lesson_23_closing_works_right_after_opening(open_pit, kind):
    for _ in range(5):
        pit = open_pit(pool(kind, pool_size=4), ready=False)
        call = pit.submit("ping")
        pit.close()
        assert call.err == "SHUTTING_DOWN"
        assert not crashes(pit)


def test_lesson_23_new_calls_are_refused_while_the_pit_closes(open_pit, tmp_path, gate):
    pit = open_pit(pool("process", prefetch=0))
    call = pit.submit("wait_for", {"path": str(gate), "ready": str(tmp_path / "began")})
    wait_for_file(tmp_path / "began")
    handle = pit.handle
    closer = threading.Thread(target=lambda: pit.close(grace_ms=60_000))
    closer.start()
    pit.handle = handle
    eventually(lambda: pit.state() == "stopping")
    assert pit.fails("ping").err == "SHUTTING_DOWN"
    with pytest.raises(Refused, match="SHUTTING_DOWN"):
        pit.submit("ping")
    assert not call.ended.is_set()
    pit.handle = None
    open_gate(gate, call.ended.is_set)
    closer.join()
    assert call.err == "OK"
