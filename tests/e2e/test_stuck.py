# SPDX-License-Identifier: MIT
"""Lesson 20: what stops a call that is given up, and what one costs that is stuck."""

from __future__ import annotations

import os
import re
import threading

import pytest
from support import THREADS, eventually, open_gate, pool, seconds, wait_for_file
from support.lives import await_line, open_one

GRACE = 0.2  # seconds of cancel_grace_ms


@pytest.fixture
def gate(tmp_path):
    os.mkfifo(tmp_path / "gate")
    return tmp_path / "gate"


def begin(pit, tmp_path, name, tool, **arguments):
    """A call that runs, and what it was called with."""
    path = tmp_path / name
    key = "ready" if tool == "wait_for" else "path"
    call = pit.submit(tool, {key: str(path), **arguments})
    wait_for_file(path)
    return call


def await_end(answer):
    """What has become of the tool, once it has ended."""
    eventually(lambda: not answer.stop().tool_runs, "the tool ends")
    return answer.stop().stop


# ---- What is told --------------------------------------------------------------------


def stop(pit, tool):
    """How the tool of a call was stopped that ran when its time was up, and after how
    many microseconds.
    """
    while True:
        with pit.answer(tool, timeout_ms=200) as answer:
            fault = answer.fault
            assert fault.err == "DEADLINE_EXCEEDED"
            if fault.stage == "running":
                assert (fault.stop, fault.tool_runs) == ("COOPERATIVE", True)
                return await_end(answer), round(answer.stop().after * 1e6)
        # On a machine that is so busy that it had not begun.


def test_lesson_20_the_answer_tells_which_step_has_stopped_its_tool(open_pit, kind):
    # What heeds a cancel has time for it, also on a busy machine.
    pit = open_pit(pool(kind, cancel_grace_ms=60_000))
    by_itself, first = stop(pit, "until_cancelled")
    by_exception, second = stop(pit, "spin")
    assert (by_itself, by_exception) == ("COOPERATIVE", "EXCEPTION")
    stats = pit.stats()
    assert (stats.stopped_cooperatively, stats.stopped_by_exception) == (1, 1)
    assert (stats.stopped_by_kill, stats.stopping, stats.worker_deaths) == (0, 0, 0)
    assert stats.stop_max_us == max(first, second)
    assert stats.stop_total_us == first + second
    fault = pit.fails("fail")
    assert (fault.stop, fault.tool_runs, fault.late_ms) == ("NONE", False, 0)


def test_lesson_20_the_answer_tells_that_its_tool_was_killed(open_pit, profile):
    pit = open_pit(pool(profile, cancel_grace_ms=100))
    step, after = stop(pit, "stuck")
    assert step == "KILLED"
    assert after >= 100_000
    assert pit.stats().stopped_by_kill == 1


@pytest.mark.parametrize("how", ["raise", "return"])
def test_an_answer_that_nobody_reads_is_not_put_together(open_pit, kind, tmp_path, how):
    pit = open_pit(pool(kind, cancel_grace_ms=60_000))
    asked = tmp_path / "asked"
    call = begin(pit, tmp_path, "begun", "speechless", asked=str(asked), how=how)
    assert pit.cancel(call) == "OK"
    assert call.wait().err == "CANCELLED"
    eventually(lambda: pit.stats().stopping == 0, "the tool ends")
    assert not asked.exists()
    assert pit.call("ping") == "pong"
    stats = pit.stats()
    assert (stats.stopped_by_kill, stats.worker_deaths) == (0, 0)


def test_lesson_20_a_coroutine_is_stopped_by_the_exception(open_pit, profile, tmp_path):
    pit = open_one(open_pit, profile, "Coroutines")
    call = pit.submit("forever", {"path": str(tmp_path / "notes")})
    await_line(tmp_path / "notes", "begin")
    assert pit.cancel(call) == "OK"
    assert call.wait().fault.tool_runs
    eventually(lambda: pit.stats().stopping == 0, "the tool ends")
    assert pit.stats().stopped_by_exception == 1


def test_lesson_20_a_stream_that_nobody_reads_on_is_told_too(open_pit, profile):
    pit = open_pit(pool(profile, adapter="streams.Streams", cancel_grace_ms=60_000))
    with pit.stream("count", {"n": 10_000_000}) as stream:
        assert stream.take() == 0
    eventually(lambda: pit.stats().stopping == 0, "the generator is closed")
    stats = pit.stats()
    # By itself, where it waits for its reader.
    assert stats.stopped_cooperatively + stats.stopped_by_exception == 1


def test_lesson_20_a_call_that_never_ran_says_so(open_pit, profile, tmp_path):
    pit = open_pit(pool(profile, prefetch=0, cancel_grace_ms=60_000))
    executors = THREADS if profile == "thread" else 1
    for number in range(executors):
        begin(pit, tmp_path, f"busy-{number}", "until_cancelled")
    fault = pit.fails("ping", timeout_ms=50)
    assert (fault.stage, fault.stop, fault.tool_runs) == ("line", "IN_LINE", False)
    call = pit.submit("ping")
    assert pit.cancel(call) == "OK"
    fault = call.wait().fault
    assert (fault.err, fault.stop) == ("CANCELLED", "IN_LINE")
    assert pit.stats().stopped_in_line == 2


def test_lesson_20_a_call_that_was_taken_back_says_so(open_pit, tmp_path):
    pit = open_pit(pool("process", prefetch=1, cancel_grace_ms=60_000))
    begin(pit, tmp_path, "busy", "until_cancelled")
    fault = pit.fails("ping", timeout_ms=50)
    assert (fault.stage, fault.stop, fault.tool_runs) == ("worker", "UNSTARTED", False)
    assert pit.stats().stopped_unstarted == 1


def give_up_and_recover(pit, way):
    """How late the answer of a stuck call is, when the pool runs another after that,
    and how long of that a worker took to start; in seconds.
    """
    fault = pit.fails("stuck", {"way": way}, timeout_ms=100)
    with seconds() as taken:
        assert (fault.err, fault.stage) == ("DEADLINE_EXCEEDED", "running")
        eventually(lambda: pit.stats().stopping == 0 and pit.stats().workers_ready == 1)
        assert pit.call("ping") == "pong"
    start = int(re.search(r"start_ms=(\d+)", pit.logged("worker.started")[-1]).group(1))
    return fault.late_ms / 1000, taken.seconds, start / 1000


@pytest.mark.quiet
@pytest.mark.parametrize("way", ["C", "lock", "loop"])
def test_lesson_20_answers_are_50_ms_late_at_most_and_the_capacity_is_back(
    open_pit, kind, way
):
    pit = open_pit(pool(kind, cancel_grace_ms=int(GRACE * 1000)))
    took = []
    # What something else on the machine makes late is not late each time; but a start
    # may take so long there each time that there is no second left for it.
    while len(took) < 5:
        late, back, start = give_up_and_recover(pit, way)
        if late <= 0.050 and back <= GRACE + max(1.0, 1.5 * start):
            return
        took.append((late, back, start))
    raise AssertionError(f"late, back after, and of that a start: {took}")


# ---- on_stuck: isolate ---------------------------------------------------------------


def isolating(**options):
    return pool(
        "thread", on_stuck="isolate", cancel_grace_ms=int(GRACE * 1000), **options
    )


def give_up(pit, call):
    assert pit.cancel(call) == "OK"
    assert call.wait().err == "CANCELLED"


def await_isolated(pit, count=1):
    eventually(lambda: pit.stats().worker_isolations == count, "it is isolated")


@pytest.mark.parametrize("way", ["C", "lock", "loop"])
def test_the_calls_beside_a_stuck_one_go_on_and_new_ones_go_elsewhere(
    open_pit, tmp_path, gate, way
):
    pit = open_pit(isolating())
    (row,) = pit.workers()
    stuck = begin(pit, tmp_path, "stuck", "stuck", way=way)
    asked = {"path": str(gate), "value": "done"}
    beside = [begin(pit, tmp_path, f"{i}", "wait_for", **asked) for i in range(2)]
    give_up(pit, stuck)
    await_isolated(pit)
    # Its replacement takes what comes, while it lives.
    assert {pit.call("pid") for _ in range(20)}.isdisjoint({row.pid})
    (old,) = (found for found in pit.workers() if found.id == row.id)
    assert (old.load, old.stuck, old.isolated) == (3, 1, True)
    assert pit.stats().stopping == 1
    open_gate(gate, lambda: all(call.ended.is_set() for call in beside))
    assert [call.wait().value for call in beside] == ["done", "done"]
    eventually(lambda: row.id not in {found.id for found in pit.workers()})
    stats = pit.stats()
    assert (stats.failures, stats.cancelled, stats.stopped_by_kill) == (1, 1, 1)
    assert (stats.worker_starts, stats.worker_deaths, stats.state) == (2, 1, b"ready")
    (line,) = pit.logged("worker.isolated")
    assert f"worker={row.id} pid={row.pid} kill_ms=30000 because=" in line


def test_an_isolated_worker_is_killed_when_its_calls_take_too_long(open_pit, tmp_path):
    pit = open_pit(isolating(stuck_grace_ms=300))
    (row,) = pit.workers()
    stuck = begin(pit, tmp_path, "stuck", "stuck")
    beside = begin(pit, tmp_path, "beside", "sleep", seconds=300)
    with seconds() as taken:
        give_up(pit, stuck)
        assert beside.wait().err == "WORKER_LOST"
    assert taken.seconds >= GRACE + 0.3
    assert "killed by us because a call did not end in time" in beside.fault.cause
    assert pit.call("pid") != row.pid


def test_a_worker_whose_only_call_is_stuck_is_killed_at_once(open_pit, tmp_path):
    pit = open_pit(isolating())
    (row,) = pit.workers()
    give_up(pit, begin(pit, tmp_path, "stuck", "stuck"))
    pit.await_replacement(row)
    assert pit.stats().worker_isolations == 0
    assert pit.stats().stopped_by_kill == 1


def test_what_waits_in_an_isolated_worker_is_run_by_its_replacement(
    open_pit, tmp_path, gate
):
    pit = open_pit(isolating(threads_per_worker=2, prefetch=2))
    (row,) = pit.workers()
    stuck = begin(pit, tmp_path, "stuck", "stuck")
    beside = begin(pit, tmp_path, "beside", "wait_for", path=str(gate))
    waiting = [pit.submit("pid") for _ in range(3)]
    give_up(pit, stuck)
    pids = {call.wait().value for call in waiting}
    assert row.pid not in pids
    assert not beside.ended.is_set()
    open_gate(gate, beside.ended.is_set)
    assert beside.wait().err == "OK"


def test_a_close_does_not_wait_for_an_isolated_worker(open_pit, tmp_path):
    pit = open_pit(isolating())
    stuck = begin(pit, tmp_path, "stuck", "stuck")
    beside = begin(pit, tmp_path, "beside", "sleep", seconds=300)
    give_up(pit, stuck)
    await_isolated(pit)
    with seconds() as taken:
        pit.close()
    assert beside.wait().err == "SHUTTING_DOWN"
    assert taken.seconds < 20


def test_no_call_fails_for_others_that_are_stuck(open_pit, tmp_path):
    """Callers that never stop, and a stuck call every now and then."""
    pit = open_pit(isolating(pool_size=2, stuck_grace_ms=60_000))
    over = threading.Event()
    wrong = []

    def run():
        while not over.is_set():
            with pit.answer("sleep", {"seconds": 0.01}) as answer:
                if answer.err != "OK":
                    wrong.append(answer.fault)

    callers = [threading.Thread(target=run) for _ in range(4)]
    for caller in callers:
        caller.start()
    for turn in range(3):
        give_up(pit, begin(pit, tmp_path, f"stuck-{turn}", "stuck"))
        eventually(lambda n=turn + 1: pit.stats().stopped_by_kill == n, "it is killed")
    over.set()
    for caller in callers:
        caller.join()
    assert wrong == []
    eventually(lambda: pit.state() == "ready" and len(pit.workers()) == 2)
