# SPDX-License-Identifier: MIT
"""Where the threads of a worker are, whatever it does: read from outside, unharmed."""

from __future__ import annotations

import os
import signal
import time

import pytest
from support import (
    THREADS,
    Callers,
    Refused,
    eventually,
    open_gate,
    pool,
    wait_for_file,
)
from support.stacks import line_of, stacks_of

ADAPTER = "stands.py"
BETWEEN = 1.0  # seconds that a busy machine may take for what takes milliseconds


@pytest.fixture
def gate(tmp_path):
    os.mkfifo(tmp_path / "gate")
    return tmp_path / "gate"


def stands(kind, **options):
    return pool(kind, adapter="stands.Stands", **options)


def stack_of(pit, call):
    """The stack of the thread that runs a call, once it does."""

    def look():
        (row,) = pit.workers()
        return [stack for stack in stacks_of(pit, row.id) if stack.call == call.id]

    (stack,) = eventually(look, "the call runs")
    return stack


def standing(pit, tool, gate, function):
    """A call that has come to where it stands, and the stack of its thread."""
    call = pit.submit(tool, {"gate": str(gate)})
    line = line_of(ADAPTER, tool)

    def look():
        stack = stack_of(pit, call)
        top = stack.frames[0] if stack.frames else None
        there = top and (top.function, top.line) == (function, line)
        return stack if there else None

    return call, eventually(look, f"{tool} stands in line {line}")


def let_on(gate, call):
    open_gate(gate, call.ended.is_set)
    assert call.wait().value == "went on"


# ---- Where it is ---------------------------------------------------------------------


@pytest.mark.parametrize("tool", ["loop", "hold_gil", "lock"])
def test_a_call_is_found_where_it_stands_and_goes_on(open_pit, kind, gate, tool):
    pit = open_pit(stands(kind))
    call, stack = standing(pit, tool, gate, f"Stands.{tool}")
    assert (stack.tool, stack.cut, stack.lost, stack.moved) == (
        tool,
        False,
        False,
        False,
    )
    assert stack.frames[0].file.endswith("/adapters/stands.py")
    assert not any("snakepit_bridge" in frame.file for frame in stack.frames)
    if tool != "loop":
        eventually(lambda: stack_of(pit, call).state == "sleeping", "it sleeps")
    assert stack.running_us > 0
    assert stack.executor in range(THREADS)
    assert os.path.exists(f"/proc/{pit.workers()[0].pid}/task/{stack.thread}")
    let_on(gate, call)
    assert pit.stats().worker_deaths == 0


def test_a_worker_that_is_stopped_is_read_and_said_to_be(open_pit, kind, gate):
    pit = open_pit(stands(kind, heartbeat_interval_ms=60_000))
    call, _ = standing(pit, "lock", gate, "Stands.lock")
    process = pit.workers()[0].process
    process.stop()
    stack = stack_of(pit, call)
    assert stack.state == "stopped"
    assert stack.frames[0].line == line_of(ADAPTER, "lock")
    process.kill(signal.SIGCONT)
    let_on(gate, call)


def test_of_a_deep_stack_the_innermost_frames_are_told(open_pit, kind, gate):
    pit = open_pit(stands(kind))
    call, stack = standing(pit, "deep", gate, "Stands.deep")
    assert (stack.cut, stack.lost) == (True, False)
    assert len(stack.frames) == 100
    assert {frame.function for frame in stack.frames} == {"Stands.deep"}
    let_on(gate, call)


def test_generators_and_functions_without_a_name_are_frames(open_pit, kind, gate):
    pit = open_pit(stands(kind))
    each = "Stands.generator.<locals>.each"
    call, stack = standing(pit, "generator", gate, each)
    assert stack.frames[1].function == "Stands.generator"
    assert not stack.lost
    let_on(gate, call)


def test_a_coroutine_that_holds_up_its_loop_is_found_on_the_loops_thread(
    open_pit, kind, gate
):
    pit = open_pit(stands(kind))
    call = pit.submit("coroutine", {"gate": str(gate)})
    (row,) = pit.workers()

    def look():
        found = [
            stack
            for stack in stacks_of(pit, row.id)
            if stack.frames and stack.frames[0].function == "Stands.coroutine"
        ]
        return found

    (stack,) = eventually(look, "the coroutine stands")
    assert (stack.executor, stack.call, stack.tool) == (-1, 0, "")
    assert stack.frames[0].line == line_of(ADAPTER, "coroutine")
    waiting = stack_of(pit, call)
    assert (waiting.tool, waiting.state) == ("coroutine", "sleeping")
    let_on(gate, call)


def test_each_executor_says_what_it_runs(open_pit, gate):
    pit = open_pit(stands("thread"))
    first, _ = standing(pit, "lock", gate, "Stands.lock")
    second, _ = standing(pit, "generator", gate, "Stands.generator.<locals>.each")
    (row,) = pit.workers()

    def look():
        executors = [s for s in stacks_of(pit, row.id) if s.executor >= 0]
        return executors if len(executors) == THREADS else None

    executors = eventually(look, "the last executor has started")
    assert [stack.executor for stack in executors] == list(range(THREADS))
    assert sorted(stack.tool for stack in executors) == ["", "", "generator", "lock"]
    assert len({stack.thread for stack in executors}) == THREADS
    assert all(stack.frames and not stack.lost for stack in executors)
    open_gate(gate, lambda: first.ended.is_set() and second.ended.is_set())
    assert (first.wait().value, second.wait().value) == ("went on", "went on")


def test_names_are_fit_for_a_log(open_pit, kind, gate):
    pit = open_pit(stands(kind))
    call = pit.submit("strange", {"gate": str(gate)})
    name = "\u00fcber_\u6f22"

    def look():
        frames = stack_of(pit, call).frames
        return frames[0] if frames and frames[0].function == name else None

    frame = eventually(look, "the call stands")
    assert frame.file == "a?[2J ???b.py"
    assert frame.line == 3
    let_on(gate, call)


def test_a_worker_that_hangs_in_its_start_is_read(open_pit, kind):
    pit = open_pit(pool(kind, adapter="hangs.InInitialize"), ready=False)

    def look():
        try:
            (row,) = pit.workers()
            stacks = stacks_of(pit, row.id)
        except (Refused, ValueError):
            return None
        return [s for s in stacks if "wait_for_ever" in {f.function for f in s.frames}]

    (stack,) = eventually(look, "the start hangs")
    assert "InInitialize.initialize" in {frame.function for frame in stack.frames}


# ---- No harm -------------------------------------------------------------------------


def test_a_thousand_readings_under_load_harm_nobody(open_pit, kind):
    pit = open_pit(stands(kind, pool_size=2))
    workers = [row.id for row in pit.workers()]
    told = lost = 0
    longest = 0.0
    busy = [pit.submit("work", {"n": 22}) for _ in range(40)]
    with Callers(pit, 2) as callers:
        for number in range(1000):
            begun = time.thread_time()
            stacks = stacks_of(pit, workers[number % 2])
            longest = max(longest, time.thread_time() - begun)
            told += len(stacks)
            lost += sum(stack.lost for stack in stacks)
            if busy[0].ended.is_set():
                assert busy.pop(0).wait().value == 17711
                busy.append(pit.submit("work", {"n": 22}))
    assert [call.wait().value for call in busy] == [17711] * len(busy)
    assert callers.calls > 0
    assert callers.wrong == []
    assert [row.id for row in pit.workers()] == workers
    assert (pit.stats().worker_deaths, pit.stats().failures) == (0, 0)
    print(f"{told} stacks, {lost} lost, {longest * 1000:.1f} ms of one thread at most")
    assert told >= 1000
    assert lost <= told // 10
    assert longest < 0.1


def readings_of(pit, worker):
    """How many milliseconds each of twenty readings takes."""
    taken = []
    for _ in range(20):
        begun = time.monotonic()
        stacks_of(pit, worker)
        taken.append((time.monotonic() - begun) * 1000)
    return taken


@pytest.mark.quiet
def test_a_reading_takes_less_than_a_tenth_of_a_second(open_pit, kind, gate):
    pit = open_pit(stands(kind, heartbeat_interval_ms=60_000))
    (row,) = pit.workers()
    for tool in ("loop", "hold_gil", "lock"):
        call, _ = standing(pit, tool, gate, f"Stands.{tool}")
        running = readings_of(pit, row.id)
        row.process.stop()
        stopped = readings_of(pit, row.id)
        row.process.kill(signal.SIGCONT)
        print(f"{tool}: up to {max(running):.2f} ms, stopped {max(stopped):.2f} ms")
        assert max(running + stopped) < 100
        let_on(gate, call)


# ---- What cannot be read -------------------------------------------------------------


def refusal(pit, worker):
    with pytest.raises(Refused) as refused:
        stacks_of(pit, worker)
    return refused.value


def test_a_worker_that_is_not_there_has_no_stacks(open_pit, kind):
    pit = open_pit(stands(kind))
    (row,) = pit.workers()
    for number in (0, row.id + 1000):
        refused = refusal(pit, number)
        assert refused.err == "NOT_FOUND"
        assert f"no worker {number}" in str(refused)
    row.process.kill(signal.SIGKILL)
    pit.await_replacement(row)
    assert refusal(pit, row.id).err == "NOT_FOUND"
    with pytest.raises(Refused) as refused:
        stacks_of(pit, row.id, "other")
    assert refused.value.err == "UNKNOWN_POOL"


# ---- Calls that do not end -----------------------------------------------------------


def test_the_log_says_where_an_answer_is_put_together_that_does_not_end(
    open_pit, profile, tmp_path
):
    pit = open_pit(pool(profile, cancel_grace_ms=100))
    (row,) = pit.workers()
    asked = tmp_path / "asked"
    call = pit.submit("speechless", {"asked": str(asked)})
    wait_for_file(asked)
    assert pit.cancel(call) == "OK"
    call.wait()
    pit.await_replacement(row)
    (line,) = pit.logged("worker.stuck")
    assert (
        f"worker={row.id} pid={row.pid} call={call.id} tool=speechless running_ms="
        in line
    )
    assert "guinea_pig.py" in line and "in Speechless.__str__" in line


@pytest.mark.parametrize("on_stuck", ["kill", "isolate"])
def test_the_log_says_where_a_call_is_that_does_not_end(
    open_pit, profile, tmp_path, on_stuck
):
    pit = open_pit(pool(profile, cancel_grace_ms=100, on_stuck=on_stuck))
    (row,) = pit.workers()
    mark = tmp_path / "mark"
    call = pit.submit("stuck", {"way": "lock", "path": str(mark)})
    wait_for_file(mark)
    assert pit.cancel(call) == "OK"
    call.wait()
    pit.await_replacement(row)
    line = pit.logged("worker.stuck")[0]
    assert (
        f"worker={row.id} pid={row.pid} call={call.id} tool=stuck running_ms=" in line
    )
    assert ' stack="File ' in line
    assert "guinea_pig.py" in line and "in GuineaPig.stuck" in line
