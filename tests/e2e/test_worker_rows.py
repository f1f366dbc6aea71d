# SPDX-License-Identifier: MIT
"""What is told of workers from outside: age, calls, memory, and what runs now."""

from __future__ import annotations

import os
import time

import pytest
from support import eventually, open_gate, pool


@pytest.fixture
def gate(tmp_path):
    os.mkfifo(tmp_path / "gate")
    return tmp_path / "gate"


def stands(profile, **options):
    return pool(profile, adapter="stands.Stands", **options)


def row_of(pit):
    (row,) = pit.workers()
    return row


def running(pit, state="running"):
    return [row for row in pit.executors() if row.state == state]


def test_a_worker_tells_its_age_memory_threads_and_python(open_pit, profile):
    before = time.monotonic()
    pit = open_pit(stands(profile))
    row = row_of(pit)
    assert row.age_ms <= (time.monotonic() - before) * 1000 + 1
    assert row.rss_bytes > 1 << 20
    assert row.threads > 1
    assert row.python.startswith("3.")
    eventually(lambda: row_of(pit).pss_bytes > 1 << 20, "its share was counted")
    # Its executors, which begin when they are needed, and one that serves its host.
    eventually(lambda: row_of(pit).threads > row.capacity, "its threads were counted")
    assert row_of(pit).age_ms > row.age_ms


def test_a_pool_tells_its_processes_memory_and_free_places(open_pit, profile, gate):
    pit = open_pit(stands(profile, pool_size=2))
    rows = pit.workers()
    stats = pit.stats()
    assert stats.processes == 2
    assert stats.available_capacity == stats.capacity == sum(r.capacity for r in rows)
    eventually(lambda: all(r.pss_bytes for r in pit.workers()), "shares were counted")
    stats = pit.stats()
    assert stats.total_memory > 2 << 20
    assert stats.memory_per_process == stats.total_memory // 2
    call = pit.submit("lock", {"gate": str(gate)})
    eventually(lambda: running(pit), "the call runs")
    assert pit.stats().available_capacity == stats.capacity - 1
    open_gate(gate, call.ended.is_set)
    assert call.wait().value == "went on"


def test_calls_that_a_worker_was_handed_are_counted(open_pit, profile):
    pit = open_pit(stands(profile))
    assert row_of(pit).calls == 0  # its probe is none
    for value in range(5):
        assert pit.call("echo", {"value": value}) == value
    assert row_of(pit).calls == 5


def test_memory_is_looked_at_again(open_pit, profile):
    pit = open_pit(pool(profile))
    before = row_of(pit).rss_bytes
    assert pit.call("grow", {"mebibytes": 64}) == 64 << 20
    eventually(
        lambda: row_of(pit).rss_bytes > before + (48 << 20), "it is seen to have grown"
    )


def test_executors_tell_what_they_run_and_since_when(open_pit, profile, gate):
    pit = open_pit(stands(profile))
    at = time.time() * 1000
    call = pit.submit("lock", {"gate": str(gate)})
    (row,) = eventually(lambda: running(pit), "the call runs")
    assert (row.tool, row.call) == ("lock", call.id)
    assert row.worker == row_of(pit).id
    assert at - 1000 < row.since_ms < time.time() * 1000 + 1000
    eventually(lambda: running(pit)[0].running_us > row.running_us, "it runs on")
    idle = [other for other in pit.executors() if other.state != "running"]
    assert len(idle) == row_of(pit).capacity - 1
    assert all((other.call, other.tool) == (0, "") for other in idle)
    open_gate(gate, call.ended.is_set)
    assert call.wait().value == "went on"
    eventually(lambda: not running(pit), "the executor is idle")
    assert pit.executors(worker=row.worker + 1) == []


def test_a_call_that_was_given_up_is_said_to_stop(open_pit, profile, gate):
    pit = open_pit(stands(profile, cancel_grace_ms=60_000))
    call = pit.submit("hold_gil", {"gate": str(gate)}, timeout_ms=50)
    assert call.wait().err == "DEADLINE_EXCEEDED"
    (row,) = eventually(lambda: running(pit, "stopping"), "its tool goes on")
    assert (row.tool, row.call) == ("hold_gil", call.id)
    open_gate(gate, lambda: not running(pit, "stopping"))
