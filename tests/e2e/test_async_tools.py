# SPDX-License-Identifier: MIT
"""Async tools in real pools: one loop, capacity, cancelling, ends."""

from __future__ import annotations

import pytest
from support import THREADS, eventually, pool, seconds, wait_for_file
from support.lives import EXECUTORS, await_line, lines_of, open_one


@pytest.fixture
def journal(tmp_path):
    return tmp_path / "journal"


# ---- Async tools ---------------------------------------------------------------------


def test_async_tools_answer_like_any_other(shared_pit, kind):
    pit = open_one(shared_pit, kind, "Coroutines")
    assert [pit.call("add", {"a": turn}) for turn in range(50)] == list(range(1, 51))
    assert pit.call("hundred_small") == 100
    fault = pit.fails("fail")
    assert (fault.type, fault.message) == ("ValueError", "an async no")
    assert "lives.py" in fault.traceback and "event_loop.py" not in fault.traceback
    assert pit.fails("add", {"b": 1}).type == "TypeError"


def test_all_async_tools_run_on_one_thread_and_sync_ones_do_not(open_pit, kind):
    pit = open_one(open_pit, kind, "Coroutines")
    assert pit.call("thread") == "snakepit-loop"
    prefix = "snakepit-executor" if kind == "thread" else "MainThread"
    assert pit.call("sync").startswith(prefix)


def test_a_worker_without_coroutines_has_no_loop(open_pit, kind):
    pit = open_pit(pool(kind))
    assert pit.call("has_module", {"name": "asyncio"}) is False


def test_async_calls_are_inside_at_once_and_count_against_capacity(open_pit, journal):
    pit = open_one(open_pit, "thread", "Coroutines", prefetch=0)
    wanted = {"count": THREADS + 1, "path": str(journal)}
    calls = [pit.submit("meet", wanted) for _ in range(THREADS)]
    await_line(journal, "inside", THREADS)
    extra = pit.submit("meet", wanted)
    eventually(lambda: pit.stats().waiting == 1, "one waits")
    pit.cancel(calls[0])
    calls[0].wait()
    assert extra.wait().value == THREADS + 1
    assert [call.wait().value for call in calls[1:]] == [THREADS + 1] * (THREADS - 1)


def test_a_slow_coroutine_does_not_hold_up_the_others(shared_pit, tmp_path):
    pit = open_one(shared_pit, "thread", "Coroutines")
    path = tmp_path / "slow"
    slow = pit.submit("forever", {"path": str(path)})
    wait_for_file(path)
    assert [pit.call("add", {"a": turn}) for turn in range(20)] == list(range(1, 21))
    assert not slow.ended.is_set()
    pit.cancel(slow)


@pytest.mark.parametrize("way", ["cancel", "deadline"])
def test_a_cancelled_coroutine_runs_its_finally_and_its_worker_lives(
    shared_pit, kind, tmp_path, way
):
    pit = open_one(shared_pit, kind, "Coroutines")
    (row,) = pit.workers()
    path = tmp_path / "one"
    for turn in range(10 if way == "cancel" else 3):
        timeout = 1000 if way == "deadline" else 0
        call = pit.submit("forever", {"path": str(path)}, timeout_ms=timeout)
        await_line(path, "begin", turn + 1)
        if way == "cancel":
            assert pit.cancel(call) == "OK"
        call.wait()
        assert call.err == ("CANCELLED" if way == "cancel" else "DEADLINE_EXCEEDED")
        eventually(lambda: pit.stats().running == 0, "the slot is free", 20.0)
        assert lines_of(path).count("finally") == turn + 1
    assert pit.call("add", {"a": 1}) == 2
    assert [found.id for found in pit.workers()] == [row.id]


def test_coroutines_that_are_cancelled_at_any_moment_leave_nothing_behind(
    shared_pit, kind
):
    """Some before they begin, some as they end; no executor is lost."""
    pit = open_one(shared_pit, kind, "Coroutines")
    (row,) = pit.workers()
    for turn in range(150):
        call = pit.submit("hundred_small", timeout_ms=1 if turn % 3 == 0 else 0)
        if turn % 3:
            pit.cancel(call)
        assert call.wait().err in ("OK", "CANCELLED", "DEADLINE_EXCEEDED")
    eventually(lambda: pit.stats().running == 0)
    calls = [
        pit.submit("meet", {"count": EXECUTORS[kind]}) for _ in range(EXECUTORS[kind])
    ]
    assert [call.wait().value for call in calls] == [EXECUTORS[kind]] * EXECUTORS[kind]
    assert [found.id for found in pit.workers()] == [row.id]


def test_a_coroutine_that_asks_is_told_by_its_call(shared_pit, kind, tmp_path):
    pit = open_one(shared_pit, kind, "Coroutines")
    path = tmp_path / "asks"
    call = pit.submit("asks", {"path": str(path)})
    await_line(path, "begin")
    pit.cancel(call)
    await_line(path, "Cancelled")
    eventually(lambda: pit.stats().running == 0)
    assert pit.call("add", {"a": 1}) == 2


def test_a_coroutine_that_does_not_heed_its_cancel_costs_the_worker(
    open_pit, kind, tmp_path
):
    pit = open_one(open_pit, kind, "Coroutines", cancel_grace_ms=100)
    (row,) = pit.workers()
    path = tmp_path / "deaf"
    call = pit.submit("deaf", {"path": str(path)})
    await_line(path, "begin")
    pit.cancel(call)
    assert call.wait().err == "CANCELLED"
    pit.await_replacement(row)
    assert pit.call("add", {"a": 1}) == 2


def test_a_cancel_of_the_coroutines_own_is_a_failure(shared_pit, kind):
    pit = open_one(shared_pit, kind, "Coroutines")
    fault = pit.fails("own_cancel")
    assert fault.err == "TOOL_FAILED"
    assert fault.type.endswith("CancelledError")


@pytest.mark.parametrize("tool", ["leave", "task_that_leaves"])
def test_a_coroutine_that_asks_for_an_exit_does_not_end_the_loop(
    shared_pit, kind, tool
):
    pit = open_one(shared_pit, kind, "Coroutines")
    (row,) = pit.workers()
    for _ in range(3):
        with pit.answer(tool) as answer:
            assert answer.err in ("OK", "TOOL_FAILED")
        assert pit.call("add", {"a": 1}) == 2
    assert [found.id for found in pit.workers()] == [row.id]


def test_tasks_that_outlive_their_call_end_with_the_worker(open_pit, kind, tmp_path):
    path = tmp_path / "left"
    pit = open_one(open_pit, kind, "Coroutines")
    assert pit.call("leave_behind", {"path": str(path)}) is True
    assert pit.call("add", {"a": 1}) == 2
    assert lines_of(path) == []
    pit.close()
    assert lines_of(path) == ["left True"]


def test_a_blocked_loop_delays_the_close_but_not_for_ever(open_pit, kind, tmp_path):
    pit = open_one(open_pit, kind, "Coroutines", cancel_grace_ms=500, stop_grace_ms=300)
    call = pit.submit("blocks", {"seconds": 20})
    eventually(lambda: pit.stats().running == 1)
    with seconds() as taken:
        pit.close()
    assert call.wait().err == "SHUTTING_DOWN"
    assert taken.seconds < 10
