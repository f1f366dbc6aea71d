# SPDX-License-Identifier: MIT
"""Workers that are told to end by SIGTERM, from outside: the first one lets calls that
run come to their end, the second one interrupts them. In every kind of pool alike.
"""

from __future__ import annotations

import os
import signal
import threading

import pytest
from support import CallFailed, Refused, eventually, pool
from support.host_tools import register
from support.lives import EXECUTORS, await_line, lines_of

OUTSIDE = "ended by SIGTERM, which came from outside"
TOLD = 'because="it was told to end by SIGTERM from outside"'


@pytest.fixture
def journal(tmp_path):
    return tmp_path / "journal"


@pytest.fixture
def gate(tmp_path):
    return tmp_path / "gate"


@pytest.fixture
def open_told(open_pit, kind, journal):
    """A pit whose graces a busy machine does not use up."""

    def open_one(ready=True, config=None, **options):
        options = {
            "start_timeout_ms": 120_000,
            "stop_grace_ms": 60_000,
            "cancel_grace_ms": 60_000,
            **options,
        }
        return open_pit(
            pool(
                kind,
                adapter="told.Told",
                adapter_config={"journal": str(journal), **(config or {})},
                **options,
            ),
            ready=ready,
        )

    return open_one


def terminate(row):
    os.kill(row.pid, signal.SIGTERM)


def await_leaving(pit, row):
    """Until the host knows that the worker leaves."""
    eventually(
        lambda: (
            [each.state for each in pit.workers() if each.id == row.id] == ["DRAINING"]
        ),
        "the worker is DRAINING",
    )


def interrupt(pit, row):
    """Tells a worker twice."""
    terminate(row)
    await_leaving(pit, row)
    terminate(row)


def exit_of(pit, row):
    (line,) = [text for text in pit.logged("worker.exit") if f"pid={row.pid} " in text]
    return line


# ---- The first one -------------------------------------------------------------------


@pytest.mark.parametrize("tool", ["wait", "wait_async"])
def test_a_call_that_runs_is_finished_and_answered(
    open_told, kind, journal, gate, tool
):
    pit = open_told()
    (row,) = pit.workers()
    calls = [pit.submit(tool, {"gate": str(gate)}) for _ in range(EXECUTORS[kind])]
    await_line(journal, "begun", len(calls))
    terminate(row)
    await_leaving(pit, row)
    gate.touch()
    assert [call.wait().value for call in calls] == ["done"] * len(calls)
    pit.await_replacement(row)
    assert lines_of(journal)[-1] == "cleanup"
    assert lines_of(journal).count("cleanup") == 1


@pytest.mark.parametrize("tool", ["stream", "stream_async"])
def test_a_stream_that_runs_goes_on_to_its_end(open_told, journal, gate, tool):
    pit = open_told()
    (row,) = pit.workers()
    stream = pit.stream(tool, {"gate": str(gate)})
    assert next(stream) == 1
    terminate(row)
    await_leaving(pit, row)
    gate.touch()
    assert list(stream) == [2]
    stream.close()
    pit.await_replacement(row)
    assert lines_of(journal) == ["begun", "finally", "cleanup"]


def test_what_has_not_begun_runs_elsewhere_and_once(open_told, kind, journal, gate):
    pit = open_told(pool_size=2, prefetch=4)
    rows = {row.pid: row for row in pit.workers()}
    many = 2 * EXECUTORS[kind]
    running = [pit.submit("wait", {"gate": str(gate)}) for _ in range(many)]
    await_line(journal, "begun", many)
    waiting = [pit.submit("pid") for _ in range(4)]
    threads, found = [], []
    for _ in range(2):
        thread = threading.Thread(target=lambda: found.append(pit.call("pid")))
        thread.start()
        threads.append(thread)
    eventually(lambda: sum(row.load for row in pit.workers()) == many + 6)
    (gone, *_) = rows.values()
    terminate(gone)
    await_leaving(pit, gone)
    eventually(
        lambda: (
            [row.load for row in pit.workers() if row.id == gone.id]
            == [EXECUTORS[kind]]
        ),
        "only what runs is left",
    )
    gate.touch()
    assert [call.wait().err for call in running] == ["OK"] * many
    pids = [call.wait().value for call in waiting]
    assert all(call.times == 1 for call in waiting)
    for thread in threads:
        thread.join(20)
    assert len(found) == 2
    assert gone.pid not in pids + found
    pit.await_replacement(gone)
    assert lines_of(journal).count("finally") == many


def test_a_worker_that_leaves_gets_no_further_calls(open_told, kind, journal, gate):
    pit = open_told(pool_size=2)
    gone, _ = pit.workers()
    calls = []
    while pit.workers()[0].load == 0:
        calls.append(pit.submit("wait", {"gate": str(gate)}))
    await_line(journal, "begun", len(calls))
    terminate(gone)
    await_leaving(pit, gone)
    assert pit.state() == "degraded"
    if len(calls) < 2 * EXECUTORS[kind]:
        assert pit.call("pid") != gone.pid
    later = pit.submit("pid")
    gate.touch()
    assert later.wait().value != gone.pid
    assert {call.wait().value for call in calls} == {"done"}
    pit.await_replacement(gone)


def test_running_calls_of_one_that_leaves_keep_their_own_deadlines(
    open_told, journal, gate
):
    """Longer than the quarantine of a worker that takes no calls."""
    pit = open_told(prefetch=4, cancel_grace_ms=100)
    (row,) = pit.workers()
    calls = [pit.submit("wait", {"gate": str(gate)}) for _ in range(row.capacity)]
    await_line(journal, "begun", row.capacity)
    waiting = pit.submit("pid")
    late = pit.submit("pid", timeout_ms=300)
    terminate(row)
    await_leaving(pit, row)
    assert late.wait().err == "DEADLINE_EXCEEDED"
    assert not calls[0].ended.wait(1.5)
    gate.touch()
    assert {call.wait().value for call in calls} == {"done"}
    assert waiting.wait().value != row.pid
    pit.await_replacement(row)
    assert not pit.logged("worker.kill")


def test_a_call_of_one_that_leaves_can_be_cancelled(open_told, journal):
    pit = open_told()
    (row,) = pit.workers()
    call = pit.submit("cancelled")
    await_line(journal, "begun")
    terminate(row)
    await_leaving(pit, row)
    assert pit.cancel(call) == "OK"
    assert call.wait().err == "CANCELLED"
    pit.await_replacement(row)
    assert lines_of(journal) == ["begun", "Cancelled", "cleanup"]


def test_it_is_no_death_and_the_log_says_who_told_it(open_told):
    pit = open_told()
    (row,) = pit.workers()
    assert pit.call("pid") == row.pid
    terminate(row)
    pit.await_replacement(row)
    line = exit_of(pit, row)
    assert f"signal={int(signal.SIGTERM)}" in line
    assert "expected=yes" in line and TOLD in line
    assert pit.stats().worker_deaths == 0
    assert not pit.logged("worker.start_failed")


def test_young_workers_that_are_told_are_not_blamed(open_told, kind):
    pit = open_told(pool_size=2, restart_limit=1, restart_backoff_ms=10)
    for _ in range(5):
        gone = pit.workers()
        for row in gone:
            terminate(row)
        pit.await_replacement(*gone)
    assert pit.stats().worker_deaths == 0
    assert not pit.logged("worker.start_failed")


def test_a_start_is_interrupted_at_once(open_told, journal):
    pit = open_told(ready=False, config={"start": "hang"}, template="off")
    await_line(journal, "begun")
    (row,) = pit.workers()
    terminate(row)
    await_line(journal, "cleanup")
    assert lines_of(journal)[:3] == ["begun", "finally", "cleanup"]
    pit.await_line("worker.start_failed", OUTSIDE)


@pytest.mark.parametrize("affinity", ["hint", "strict_queue"])
def test_a_session_whose_worker_leaves_is_lost_where_it_was_bound(
    open_told, journal, gate, affinity
):
    pit = open_told(affinity=affinity, pool_size=2)
    pid = int(pit.call("session", session="s"))
    (row,) = [row for row in pit.workers() if row.pid == pid]
    call = pit.submit("wait", {"gate": str(gate)}, session="s")
    await_line(journal, "begun")
    terminate(row)
    await_leaving(pit, row)
    if affinity == "hint":
        assert int(pit.call("session", session="s")) != pid
    else:
        assert pit.fails("session", session="s").err == "SESSION_LOST"
        assert int(pit.call("session", session="s")) != pid
    gate.touch()
    assert call.wait().value == "done"
    pit.await_replacement(row)


def test_a_call_within_a_call_still_runs_in_one_that_leaves(open_told, gate):
    pit = open_told()
    (row,) = pit.workers()

    def nested(info):
        terminate(row)
        await_leaving(pit, row)
        return pit.call("pid")

    register(pit, "nested", nested)
    assert pit.call("ask", {"name": "nested"}) == row.pid
    pit.await_replacement(row)


def test_the_grace_of_a_close_counts_where_all_were_told(
    open_told, kind, journal, gate
):
    """What a service manager does: SIGTERM for everybody, then the host closes."""
    pit = open_told(pool_size=2)
    calls = [pit.submit("wait", {"gate": str(gate)}) for _ in range(EXECUTORS[kind])]
    await_line(journal, "begun", len(calls))
    for row in pit.workers():
        terminate(row)
    closing = threading.Thread(target=pit.close, args=(60_000,))
    closing.start()
    gate.touch()
    closing.join(30)
    assert not closing.is_alive()
    assert [call.wait().value for call in calls] == ["done"] * len(calls)


# ---- The second one ------------------------------------------------------------------


@pytest.mark.parametrize("tool", ["wait", "wait_async", "stream", "stream_async"])
def test_the_second_one_interrupts_with_finally(open_told, journal, gate, tool):
    pit = open_told()
    (row,) = pit.workers()
    call = pit.submit(tool, {"gate": str(gate)})
    await_line(journal, "begun")
    interrupt(pit, row)
    fault = call.wait().fault
    assert (fault.err, fault.cause) == ("WORKER_DIED", OUTSIDE)
    assert fault.stage == "running"
    pit.await_replacement(row)
    assert lines_of(journal) == ["begun", "finally", "cleanup"]
    line = exit_of(pit, row)
    assert f"signal={int(signal.SIGTERM)}" in line and TOLD in line
    assert pit.stats().worker_deaths == 0


def test_the_second_one_interrupts_all_threads(open_told, kind, journal, gate):
    pit = open_told()
    (row,) = pit.workers()
    calls = [pit.submit("wait", {"gate": str(gate)}) for _ in range(EXECUTORS[kind])]
    await_line(journal, "begun", len(calls))
    interrupt(pit, row)
    assert {call.wait().err for call in calls} == {"WORKER_DIED"}
    pit.await_replacement(row)
    assert lines_of(journal).count("finally") == len(calls)
    assert lines_of(journal)[-1] == "cleanup"


def test_the_second_one_interrupts_a_wait_for_a_reader(open_told, journal):
    pit = open_told()
    (row,) = pit.workers()
    stream = pit.stream("flood")
    assert len(next(stream)) == 16_000
    eventually(lambda: row.process.state == "S")
    interrupt(pit, row)
    await_line(journal, "cleanup")
    with pytest.raises(CallFailed, match="SIGTERM") as failed:
        for _ in stream:
            pass
    assert failed.value.err == "WORKER_DIED"
    stream.close()
    pit.await_replacement(row)
    assert lines_of(journal) == ["begun", "finally", "cleanup"]


@pytest.mark.parametrize("within", [False, True])
def test_the_second_one_interrupts_a_wait_for_a_hosts_tool(
    open_told, journal, gate, within
):
    pit = open_told()
    (row,) = pit.workers()
    inner, entered, leave = [], threading.Event(), threading.Event()

    def tool(info):
        entered.set()
        if within:
            inner.append(pit.fails("wait", {"gate": str(gate)}).err)
        else:
            assert leave.wait(20)

    register(pit, "tool", tool)
    faults = []
    caller = threading.Thread(
        target=lambda: faults.append(pit.fails("ask", {"name": "tool"}))
    )
    caller.start()
    assert entered.wait(20)
    await_line(journal, "begun", 2 if within else 1)
    interrupt(pit, row)
    await_line(journal, "cleanup")
    leave.set()
    caller.join(20)
    assert (faults[0].err, faults[0].cause) == ("WORKER_DIED", OUTSIDE)
    assert inner == (["WORKER_DIED"] if within else [])
    pit.await_replacement(row)
    assert lines_of(journal).count("finally") == lines_of(journal).count("begun")


def test_our_own_sigterm_after_the_message_interrupts(open_pit, kind, journal):
    """The ladder of a close, here of an adapter that does not clean up in time."""
    pit = open_pit(
        pool(
            kind,
            adapter="lives.Living",
            stop_grace_ms=1000,  # a busy machine may need most of it
            adapter_config={"journal": str(journal), "cleanup_seconds": 600},
        )
    )
    pit.close()
    (line,) = pit.logged("worker.exit")
    assert f"signal={int(signal.SIGTERM)}" in line
    assert "expected=yes" in line and TOLD not in line


def test_a_tool_that_swallows_it_does_not_keep_its_worker(
    open_told, kind, journal, gate
):
    pit = open_told(stop_grace_ms=500)
    (row,) = pit.workers()
    call = pit.submit("deaf", {"gate": str(gate)})
    await_line(journal, "begun")
    interrupt(pit, row)
    fault = call.wait().fault
    assert fault.err == "WORKER_DIED"
    assert "SIGTERM" in fault.cause
    pit.await_replacement(row)


def test_a_tool_that_swallows_it_and_ends_is_answered(open_told, journal, gate):
    pit = open_told()
    (row,) = pit.workers()
    call = pit.submit("deaf", {"gate": str(gate)})
    await_line(journal, "begun")
    terminate(row)
    await_leaving(pit, row)
    gate.touch()
    assert call.wait().value == "done"
    pit.await_replacement(row)
    assert lines_of(journal)[-1] == "cleanup"


def test_a_cleanup_that_hangs_does_not_keep_its_worker(open_pit, kind, journal):
    pit = open_pit(
        pool(
            kind,
            adapter="lives.Living",
            stop_grace_ms=200,
            adapter_config={"journal": str(journal), "cleanup_seconds": 600},
        )
    )
    (row,) = pit.workers()
    terminate(row)
    pit.await_replacement(row)
    assert TOLD in exit_of(pit, row)


def test_a_third_one_ends_at_once(open_told, journal, gate):
    pit = open_told()
    (row,) = pit.workers()
    call = pit.submit("deaf", {"gate": str(gate)})
    await_line(journal, "begun")
    interrupt(pit, row)

    def gone():
        if row.process is not None:
            row.process.kill(signal.SIGTERM)
        return call.ended.is_set()

    eventually(gone, "it ends")
    assert call.fault.err == "WORKER_DIED"
    pit.await_replacement(row)


@pytest.mark.errors_logged("pool.failed")
def test_a_pool_whose_start_is_told_fails_with_that_reason(open_told, journal):
    pit = open_told(
        ready=False, config={"start": "hang"}, template="off", restart_limit=1
    )
    await_line(journal, "begun")
    for row in pit.workers():
        terminate(row)
    with pytest.raises(Refused, match=OUTSIDE):
        pit.await_ready()
