# SPDX-License-Identifier: MIT
"""Processes that are stopped: a worker that runs a call, or all of them at a close."""

from __future__ import annotations

import os

import pytest
from support import eventually, pool, seconds
from support.host_tools import register
from support.processes import alive_of
from support.templates import template_of

DID_NOT_RESUME = (
    "killed by us because it did not resume its call after a call from within a host's "
    "tool had ended"
)


@pytest.fixture
def one(open_pit, profile):
    """A worker that runs one call at a time, and is asked for heartbeats rarely."""
    threads = 1 if profile == "thread" else None
    return open_pit(
        pool(
            profile,
            adapter="asks.Asks",
            threads_per_worker=threads,
            cancel_grace_ms=300,
            heartbeat_interval_ms=60000,
        )
    )


def stop_and_call(pit, inner):
    """A host's tool that stops the worker that asks, and calls it."""

    def back(info):
        pit.workers()[0].process.stop()
        with pit.answer("ping", timeout_ms=100) as answer:
            inner.append(answer.fault.err)

    return back


@pytest.mark.parametrize("timeout_ms", [0, 200, 20000])
@pytest.mark.parametrize("way", ["call", "submit"])
def test_a_stopped_worker_broke_no_protocol(one, timeout_ms, way):
    inner = []
    register(one, "back", stop_and_call(one, inner))
    (row,) = one.workers()
    with seconds() as taken:
        if way == "call":
            fault = one.fails("host", {"tool": "back"}, timeout_ms=timeout_ms)
        else:
            call = one.submit("host", {"tool": "back"}, timeout_ms=timeout_ms)
            fault = call.wait().fault
    if timeout_ms == 200:
        assert fault.err == "DEADLINE_EXCEEDED"
        if not inner:
            return  # on a busy machine it may be over before the tool asks
    assert inner == ["DEADLINE_EXCEEDED"]
    if timeout_ms != 200:
        assert (fault.err, fault.cause) == ("WORKER_LOST", DID_NOT_RESUME)
    assert taken.seconds < 60
    assert one.stats().violations == 0
    (other,) = one.await_replacement(row)
    assert one.call("pid") == other.pid


def test_a_tool_that_stops_its_worker_is_not_to_be_sent_again(open_pit, profile):
    pit = open_pit(
        pool(
            profile,
            adapter="asks.Asks",
            pool_size=1,
            heartbeat_interval_ms=500,
            heartbeat_max_missed=4,
        )
    )
    fault = pit.fails("stop_yourself", timeout_ms=20_000)
    # It ran, and may be what has stopped the worker.
    assert (fault.err, fault.stage) == ("WORKER_DIED", "running")
    assert fault.cause == "killed by us because it did not answer its heartbeats"
    assert pit.call("ping") == "pong"


def test_a_close_asks_workers_and_template_at_the_same_time(open_pit):
    grace = 3.0
    pit = open_pit(pool(pool_size=2, template="auto", stop_grace_ms=int(grace * 1000)))
    processes = pit.processes() | {template_of(pit)}
    for process in processes:
        process.stop()
    with seconds() as taken:
        pit.close()
    # A message, SIGTERM and SIGKILL: two graces, not two for the workers and then two
    # for the template.
    assert taken.seconds < 3.5 * grace
    assert not alive_of(processes)


# ---- Heartbeats ----------------------------------------------------------------------

# The lesson speaks of 60 s under heartbeats of 2 s: that is BUSY_SECONDS=60. Without it
# the same is done in less time.
BUSY = float(os.environ.get("BUSY_SECONDS", "1.5"))
INTERVAL_MS = int(BUSY * 1000 / 30)
# A busy machine may miss short ones.
MISSED = 3 if BUSY >= 60 else 20


@pytest.mark.parametrize("tool", ["spin", "hold_gil", "sleep"])
def test_lesson_24_a_call_that_is_busy_for_30_heartbeats_is_not_killed(
    open_pit, kind, tool
):
    often = {"heartbeat_interval_ms": INTERVAL_MS, "heartbeat_max_missed": MISSED}
    pit = open_pit(pool(kind, **often))
    (row,) = pit.workers()
    assert pit.call(tool, {"seconds": BUSY}, timeout_ms=120_000) == BUSY
    assert [found.id for found in pit.workers()] == [row.id]
    assert pit.stats().worker_deaths == 0


@pytest.mark.quiet
def test_lesson_24_a_stopped_worker_is_killed_after_so_many_heartbeats(
    open_pit, profile
):
    interval, missed = 0.1, 4
    pit = open_pit(
        pool(
            profile,
            heartbeat_interval_ms=int(interval * 1000),
            heartbeat_max_missed=missed,
        )
    )
    (row,) = pit.workers()
    with seconds() as taken:
        row.process.stop()
        eventually(lambda: pit.stats().worker_deaths == 1, "it is killed")
    # The first of them comes at any time within an interval, the kill with the next one
    # after the last. unit.process.worker counts them.
    assert missed * interval * 0.9 <= taken.seconds <= (missed + 1.5) * interval
    (line,) = pit.logged("worker.kill")
    assert "it did not answer its heartbeats" in line
    pit.await_replacement(row)
