# SPDX-License-Identifier: MIT
"""Calls of one tool that a worker runs as one."""

from __future__ import annotations

import contextlib
import itertools
import os
import pathlib
import time

import numpy
import pytest
from support import CallFailed, Pairs, eventually, open_gate, pool, wait_for_file
from support.host_tools import register, unregister_all

GRACE_MS = 200
numbers = itertools.count()


def batching(kind, **options):
    threads = {"threads_per_worker": 1} if kind == "thread" else {}
    options = {"adapter": "batching.Batching", **threads, **options}
    return pool(kind, **options)


@pytest.fixture
def pit(shared_pit, kind):
    return shared_pit(batching(kind))


@contextlib.contextmanager
def held(pit, folder):
    """The one executor is busy meanwhile, so that calls wait in its worker."""
    name = next(numbers)
    gate, ready = folder / f"gate-{name}", folder / f"held-{name}"
    os.mkfifo(gate)
    busy = pit.submit("hold", {"ready": str(ready), "gate": str(gate)})
    wait_for_file(ready)
    try:
        yield
    finally:
        open_gate(gate, busy.ended.is_set)


def together(pit, folder, tool, arguments, **options):
    """Calls that are there before one of them can begin."""
    with held(pit, folder):
        return [pit.submit(tool, given, **options) for given in arguments]


def xs(*values, **more):
    return [{"x": value, **more} for value in values]


def answers(calls):
    """Their results, or the errors that they ended with. Each ended once."""
    found = [
        call.wait().value if call.err == "OK" else call.err for call in ended(calls)
    ]
    assert [call.times for call in calls] == [1] * len(calls)
    return found


def ended(calls):
    return [call.wait() for call in calls]


def pids(pit):
    return {row.pid for row in pit.workers()}


# ---- One call of the tool ------------------------------------------------------------


def test_calls_that_wait_are_run_as_one(pit, tmp_path):
    for tool in ("double", "at_once", "later"):
        factor = 1 if tool == "later" else 2
        found = answers(together(pit, tmp_path, tool, xs(1, 2, 3, 4, 5)))
        assert found == [[factor * x, 5] for x in (1, 2, 3, 4, 5)]


def test_one_call_is_a_batch_too(pit):
    assert pit.call("double", {"x": 4}) == [8, 1]
    assert pit.call("at_once", {"x": 4}) == [8, 1]


def test_a_batch_has_so_many_calls_at_most(pit, tmp_path):
    found = answers(together(pit, tmp_path, "double", xs(*range(64))))
    assert [value for value, _ in found] == [2 * x for x in range(64)]
    assert {size for _, size in found} <= set(range(1, 9))
    # There are eight, or a few more where the machine is so busy that one did not wait.
    assert sum(1 / size for _, size in found) < 16


def test_other_calls_are_not_part_of_it_and_end_it(pit, tmp_path):
    with held(pit, tmp_path):
        calls = [pit.submit("double", {"x": x}) for x in range(2)]
        between = pit.submit("ping")
        calls += [pit.submit("double", {"x": x}) for x in range(3)]
    assert between.wait().value == "pong"
    assert answers(calls) == [[0, 2], [2, 2], [0, 3], [2, 3], [4, 3]]


def test_a_session_and_a_stream_have_their_calls_alone(pit, tmp_path):
    calls = together(pit, tmp_path, "double", xs(1, 2), session="s")
    assert answers(calls) == [[2, 1], [4, 1]]
    with pit.stream("double", {"x": 1}) as stream:
        assert stream.rest() == ([[2, 1]], None)


def test_the_call_that_it_runs_as_is_the_first(pit, tmp_path):
    calls = together(pit, tmp_path, "told", xs(1, 2), timeout_ms=500_000)
    for tool, session, cancelled, no_deadline, remaining, count in answers(calls):
        assert (tool, session, cancelled, no_deadline) == ("told", "", False, False)
        assert 400 < remaining <= 500
        assert count == 2


def test_its_time_is_that_of_the_last_answer(pit, tmp_path):
    with held(pit, tmp_path):
        calls = [
            pit.submit("told", {"x": 1}, timeout_ms=ms)
            for ms in (100_000, 500_000, 200_000)
        ]
    assert [found[4] > 400 for found in answers(calls)] == [True] * 3


def test_it_asks_the_host_once(open_pit, kind, tmp_path):
    pit = open_pit(batching(kind))
    asked = []

    def total(_info, values):
        asked.append(values)
        return sum(values)

    register(pit, "sum", total)
    try:
        assert answers(together(pit, tmp_path, "asks", xs(1, 2, 3))) == [6, 6, 6]
        assert asked == [[1, 2, 3]]
    finally:
        unregister_all(pit)


# ---- Tensors -------------------------------------------------------------------------


def test_tensors_of_equal_shape_are_stacked(pit, tmp_path):
    rows = [numpy.arange(4, dtype="float32") + i for i in range(3)]
    found = answers(together(pit, tmp_path, "rows", [{"row": row} for row in rows]))
    assert found == [[float(row.sum()), "ndarray", [3, 4]] for row in rows]


def test_those_of_another_shape_or_type_are_a_batch_of_their_own(pit, tmp_path):
    rows = [
        numpy.ones(4, "float32"),
        numpy.ones(2, "float32"),
        numpy.ones(4, "float64"),
        numpy.ones(4, "float32"),
    ]
    found = answers(together(pit, tmp_path, "rows", [{"row": row} for row in rows]))
    assert [shape for _, _, shape in found] == [[2, 4], [1, 2], [1, 4], [2, 4]]


def test_an_array_of_results_is_one_for_each(pit, tmp_path):
    rows = [numpy.full(1000, i, "float64") for i in range(4)]
    calls = together(pit, tmp_path, "scaled", [{"row": row} for row in rows])
    for row, found in zip(rows, answers(calls)):
        numpy.testing.assert_array_equal(found, 2 * row)
    # Their memory comes back.
    eventually(lambda: pit.stats().shared_bytes < 1 << 20, "tensors are given back")


# ---- Failures ------------------------------------------------------------------------


def test_one_bad_item_fails_alone(pit, tmp_path):
    calls = together(pit, tmp_path, "inverse", xs(2, 0, 4))
    assert answers(calls) == [0.5, "TOOL_FAILED", 0.25]
    fault = calls[1].fault
    assert fault.type.endswith("ZeroDivisionError")
    assert (fault.message, fault.arguments) == ("there is none of 0", "x: int")
    assert pit.fails("inverse", {"x": 0}).message == "there is none of 0"


def test_a_call_that_does_not_fit_the_tool_fails_alone(pit, tmp_path):
    with held(pit, tmp_path):
        calls = [pit.submit("double", {"x": 1}), pit.submit("double", {"y": 1})]
        calls.append(pit.submit("double", {"x": 2}))
    assert answers(calls) == [[2, 2], "TOOL_FAILED", [4, 2]]
    alone = pit.fails("double", {"y": 1})
    for fault in (calls[1].fault, alone):
        assert "unexpected keyword argument 'y'" in fault.message
        assert "its signature is double(x)" in fault.message
        assert "run_batch" not in fault.traceback


def test_a_call_whose_arguments_cannot_be_read_fails_alone(pit, tmp_path):
    with held(pit, tmp_path):
        calls = [pit.submit("double", {"x": 1})]
        calls.append(pit.submit("double", Pairs([("x", 1), ("x", 2)])))
        calls.append(pit.submit("double", {"x": 2}))
    assert answers(calls) == [[2, 2], "MALFORMED", [4, 2]]


def test_an_exception_of_the_batch_is_that_of_each(pit, tmp_path):
    calls = together(pit, tmp_path, "breaks", xs(1, 2, 3))
    assert answers(calls) == ["TOOL_FAILED"] * 3
    for call in calls:
        assert (call.fault.message, call.fault.arguments) == ("a batch of 3", "x: int")
        assert "in breaks" in call.fault.traceback
        assert "run_batch" not in call.fault.traceback


def test_a_result_too_few_fails_each(pit, tmp_path):
    calls = together(pit, tmp_path, "forgets", xs(1, 2, 3))
    assert answers(calls) == ["TOOL_FAILED"] * 3
    assert "of 3 calls it returned 2" in calls[0].fault.message


# ---- Given up ------------------------------------------------------------------------


@pytest.fixture
def strict(shared_pit, kind):
    """A pit that ends what does not heed a cancel soon."""
    return shared_pit(batching(kind, cancel_grace_ms=GRACE_MS))


def begun(pit, folder, tool, count, **more):
    """A batch that runs, and the file where it says what happens to it."""
    path = folder / f"{tool}-{next(numbers)}"
    key = "ready" if "gate" in more else "path"
    calls = together(pit, folder, tool, xs(*range(count), **{key: str(path), **more}))
    assert wait_for_file(path) == f"{count}\n"
    return calls, path


def test_one_that_is_given_up_is_answered_and_the_others_go_on(strict, tmp_path):
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    before = strict.stats(), pids(strict)
    calls, _ = begun(strict, tmp_path, "waits", 3, gate=str(gate))
    assert strict.cancel(calls[1]) == "OK"
    assert calls[1].wait().fault.err == "CANCELLED"
    assert (calls[1].fault.stage, calls[1].fault.tool_runs) == ("running", True)
    # Its worker is not killed for it, however long the others take.
    time.sleep(3 * GRACE_MS / 1000)
    open_gate(gate, calls[0].ended.is_set)
    assert answers(calls) == [[0, 3], "CANCELLED", [2, 3]]
    eventually(lambda: strict.stats().stopping == 0, "its slot is free again")
    stats = strict.stats()
    assert stats.stopped_cooperatively == before[0].stopped_cooperatively + 1
    assert pids(strict) == before[1]


def test_the_first_one_is_no_exception(strict, tmp_path):
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    calls, _ = begun(strict, tmp_path, "waits", 2, gate=str(gate))
    assert strict.cancel(calls[0]) == "OK"
    assert calls[0].wait().fault.err == "CANCELLED"
    time.sleep(2 * GRACE_MS / 1000)
    open_gate(gate, calls[1].ended.is_set)
    assert answers(calls) == ["CANCELLED", [1, 2]]


def test_once_nobody_wants_it_the_batch_is_cancelled(shared_pit, kind, tmp_path):
    pit = shared_pit(batching(kind, cancel_grace_ms=60_000))
    before = pids(pit), pit.stats().stopped_by_exception
    calls, path = begun(pit, tmp_path, "spins", 3)
    for call in calls[:2]:
        assert pit.cancel(call) == "OK"
        assert call.wait().fault.err == "CANCELLED"
    assert pit.stats().stopping == 2
    assert path.read_text() == "3\n"
    assert pit.cancel(calls[2]) == "OK"
    eventually(lambda: path.read_text().endswith("struck\n"), "it is struck")
    assert answers(calls) == ["CANCELLED"] * 3
    eventually(lambda: pit.stats().stopping == 0, "its slots are free again")
    assert pit.stats().stopped_by_exception == before[1] + 3
    assert pids(pit) == before[0]
    assert pit.call("double", {"x": 1}) == [2, 1]


def test_one_that_is_late_is_answered_on_time_and_the_others_go_on(strict, tmp_path):
    gate, ready = tmp_path / "gate", tmp_path / "ready"
    os.mkfifo(gate)
    given = xs(1, 2, 3, ready=str(ready), gate=str(gate))
    with held(strict, tmp_path):
        calls = [
            strict.submit("waits", one, timeout_ms=ms)
            for one, ms in zip(given, (0, 1000, 0))
        ]
    fault = calls[1].wait().fault
    assert fault.err == "DEADLINE_EXCEEDED"
    open_gate(gate, calls[0].ended.is_set)
    found = answers(calls)
    # Where the machine is so busy that its time was up before, it was not one of them.
    count = 3 if fault.stage == "running" else 2
    assert found == [[1, count], "DEADLINE_EXCEEDED", [3, count]]


def test_what_is_cancelled_before_the_batch_begins_is_not_in_it(pit, tmp_path):
    with held(pit, tmp_path):
        calls = [pit.submit("double", {"x": x}) for x in range(4)]
        assert pit.cancel(calls[2]) == "OK"
    assert answers(calls) == [[0, 3], [2, 3], "CANCELLED", [6, 3]]
    assert calls[2].fault.stop == "UNSTARTED"


# ---- Death ---------------------------------------------------------------------------


def test_the_death_of_its_worker_ends_each_once(open_pit, kind, tmp_path):
    pit = open_pit(batching(kind))
    path = tmp_path / "path"
    calls = together(pit, tmp_path, "dies", xs(1, 2, 3, path=str(path)))
    assert answers(calls) == ["WORKER_DIED"] * 3
    assert {call.fault.stage for call in calls} == {"running"}
    assert path.read_text() == "3\n"
    assert pit.call("double", {"x": 1}) == [2, 1]
    stats = pit.stats()
    assert (stats.worker_deaths, stats.failures) == (1, 3)


def test_each_is_tried_again_by_itself(open_pit, kind, tmp_path):
    retry = {"max_attempts": 2, "backoff_ms": 1}
    pit = open_pit(batching(kind, retry=retry))
    path = tmp_path / "path"
    calls = together(pit, tmp_path, "dies_once", xs(1, 2, 3, path=str(path)))
    assert all(value >= 2 for value in answers(calls))
    assert [call.attempts for call in calls] == [2, 2, 2]
    assert pit.stats().worker_deaths == 1


# ---- Many ----------------------------------------------------------------------------


def test_many_executors_and_workers_answer_each_call_once(open_pit, kind):
    threads = {"threads_per_worker": 4} if kind == "thread" else {}
    pit = open_pit(batching(kind, pool_size=2, **threads))
    calls = [pit.submit("at_once", {"x": x}) for x in range(500)]
    pings = [pit.submit("ping") for _ in range(20)]
    for x, call in enumerate(calls):
        value, size = call.wait().value
        assert value == 2 * x
        assert 1 <= size <= 8
    assert {call.wait().value for call in pings} == {"pong"}
    assert [call.times for call in (*calls, *pings)] == [1] * 520
    assert pit.stats().failures == 0


@pytest.mark.errors_logged("pool.failed")
def test_a_broken_declaration_fails_the_pool(open_pit, tmp_path):
    (tmp_path / "broken_batch.py").write_text(
        "from snakepit_bridge import BaseAdapter, tool\n"
        "class Broken(BaseAdapter):\n"
        "    @tool(batch=4)\n"
        "    def stream(self, x):\n"
        "        yield x\n"
    )
    environment = {"PYTHONPATH": str(pathlib.Path(tmp_path))}
    wrong = pool(adapter="broken_batch.Broken", adapter_env=environment)
    pit = open_pit(wrong, ready=False)
    with pytest.raises(Exception, match="has batch and is a generator"):
        pit.await_ready()


def test_a_failing_call_says_so_to_who_waits(pit):
    with pytest.raises(CallFailed, match="a batch of 1"):
        pit.call("breaks", {"x": 1})
