# SPDX-License-Identifier: MIT
"""Lessons 16 to 18: workers make room for successors, and no call notices."""

from __future__ import annotations

import os
import threading

import pytest
from support import (
    Callers,
    Refused,
    eventually,
    open_gate,
    pool,
    seconds,
    wait_for_file,
)

WITHIN = 60.0  # seconds that a busy machine may take for a few starts


@pytest.fixture
def gate(tmp_path):
    os.mkfifo(tmp_path / "gate")
    return tmp_path / "gate"


def ids(pit):
    return {row.id for row in pit.workers()}


def await_recycled(pit, count):
    eventually(
        lambda: pit.stats().worker_recycles >= count, f"{count} are replaced", WITHIN
    )


def await_settled(pit):
    """Until none is there but those that the pool is to have."""
    eventually(lambda: len(pit.workers()) == pit.stats().workers, "they left", WITHIN)


# ---- By hand -------------------------------------------------------------------------


def test_lesson_16_1000_calls_during_20_recycles_have_no_error(open_pit, kind):
    pit = open_pit(pool(kind, pool_size=2, recycle_delay_ms=0))
    with Callers(pit) as callers:
        for turn in range(10):
            before = ids(pit)
            pit.recycle()
            await_recycled(pit, 2 * (turn + 1))
            await_settled(pit)
            assert not before & ids(pit)
        eventually(lambda: callers.calls >= 1000, "enough calls", WITHIN)
    stats = pit.stats()
    assert callers.wrong == []
    assert (stats.failures, stats.worker_deaths) == (0, 0)
    assert (stats.worker_starts, stats.worker_recycles) == (22, 20)
    assert stats.state == b"ready"


def test_one_worker_is_replaced_by_its_number(open_pit, profile):
    pit = open_pit(pool(profile, pool_size=3))
    first, second, third = pit.workers()
    pit.recycle(worker=second.id)
    await_recycled(pit, 1)
    await_settled(pit)
    assert {first.id, third.id} < ids(pit)
    assert second.id not in ids(pit)
    (line,) = pit.logged("worker.recycled")
    successor = max(ids(pit))
    assert f"worker={second.id} successor={successor} because=" in line
    with pytest.raises(Refused, match=f"has no worker {second.id};"):
        pit.recycle(worker=second.id)
    with pytest.raises(Refused, match="NOT_FOUND"):
        pit.recycle(worker=10**9)


def test_an_unknown_pool_is_named(open_pit):
    pit = open_pit(pool("process"))
    with pytest.raises(Refused, match='no pool "other"'):
        pit.recycle("other")
    with pytest.raises(Refused, match='no pool "other"'):
        pit.recycle("other", worker=1)


def test_the_successor_answers_before_the_worker_that_it_replaces_leaves(
    open_pit, kind, gate, tmp_path
):
    pit = open_pit(pool(kind))
    (old,) = pit.workers()
    asked = {"path": str(gate), "ready": str(tmp_path / "began"), "value": "old"}
    running = pit.submit("wait_for", asked)
    wait_for_file(tmp_path / "began")
    pit.recycle()
    await_recycled(pit, 1)
    # The old one runs its call to the end; others have a new one meanwhile.
    assert {pit.call("pid") for _ in range(20)}.isdisjoint({old.pid})
    assert old.id in ids(pit)
    open_gate(gate, running.ended.is_set)
    assert running.wait().value == "old"
    await_settled(pit)
    assert old.id not in ids(pit)
    assert pit.stats().worker_deaths == 0


def test_a_stream_ends_where_it_began(open_pit, kind):
    pit = open_pit(pool(kind, adapter="streams.Streams"))
    with pit.stream("count", {"n": 100_000}) as stream:
        assert stream.take() == 0
        pit.recycle()
        await_recycled(pit, 1)
        assert stream.rest() == (list(range(1, 100_000)), None)
    await_settled(pit)


@pytest.mark.parametrize("at_once", [1, 2])
def test_no_more_leave_together_than_may(open_pit, at_once):
    pit = open_pit(pool("process", pool_size=4, recycle_at_once=at_once))
    most = 0

    def done():
        nonlocal most
        most = max(most, len(pit.workers()))
        return pit.stats().worker_recycles == 4

    pit.recycle()
    eventually(done, "all are replaced", WITHIN)
    assert 4 < most <= 4 + at_once


@pytest.mark.parametrize("mode", ["hint", "strict_queue", "strict_fail_fast"])
def test_a_session_moves_between_its_calls(open_pit, gate, tmp_path, mode):
    pit = open_pit(pool("process", pool_size=2, affinity=mode))
    asked = {"path": str(gate), "ready": str(tmp_path / "began"), "value": "done"}
    running = pit.submit("wait_for", asked, session="s")
    wait_for_file(tmp_path / "began")
    pit.recycle()
    await_recycled(pit, 1)
    open_gate(gate, running.ended.is_set)
    assert running.wait().value == "done", "never in the middle of a call"
    await_recycled(pit, 2)
    await_settled(pit)
    if mode != "hint":
        assert pit.fails("ping", session="s").err == "SESSION_LOST"
    assert pit.call("ping", session="s") == "pong"


# ---- By age --------------------------------------------------------------------------


def test_lesson_17_a_worker_is_replaced_when_it_is_old(open_pit, kind):
    pit = open_pit(pool(kind, worker_ttl="1s"))
    with Callers(pit, 1) as callers, seconds() as taken:
        await_recycled(pit, 2)
    assert taken.seconds >= 2 * 0.9  # the first was ready a little before
    assert callers.wrong == []
    assert "worker_ttl" in pit.logged("worker.recycled")[0]
    assert pit.stats().failures == 0


@pytest.mark.quiet
def test_lesson_17_a_second_is_between_1_0_and_1_3(open_pit, profile):
    pit = open_pit(pool(profile, worker_ttl=[1, "seconds"]))
    await_recycled(pit, 1)
    with seconds() as taken:
        await_recycled(pit, 3)
    # A busy machine may take longer for the starts of the two, and for nothing else.
    late = max(0.0, sum(pit.start_seconds()[2:4]) - 2 * 0.2)
    assert 2 * 1.0 <= taken.seconds <= 2 * 1.3 + late


def test_lesson_18_workers_of_one_start_go_at_different_times(open_pit):
    pit = open_pit(
        pool(
            "process",
            pool_size=8,
            recycle_at_once=8,
            recycle_delay_ms=0,
            worker_ttl="1s",
            recycle_jitter=100,
        )
    )
    most = 0

    def done():
        nonlocal most
        most = max(most, len(pit.workers()))
        return pit.stats().worker_recycles >= 8

    eventually(done, "they are replaced", WITHIN)
    assert most < 16, "all at once"


# ---- By the number of calls ----------------------------------------------------------


def served_by_worker(pit, calls, threads):
    """How many of so many calls each worker has answered, by its pid."""
    left = iter(range(calls))
    lock = threading.Lock()
    found: dict[int, int] = {}

    def run():
        while True:
            with lock:
                if next(left, None) is None:
                    return
            pid = pit.call("pid")
            with lock:
                found[pid] = found.get(pid, 0) + 1

    callers = [threading.Thread(target=run) for _ in range(threads)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    return found


def test_lesson_17_a_worker_serves_exactly_100_calls_of_16_threads(open_pit, kind):
    threads = 16 if kind == "thread" else None
    pit = open_pit(pool(kind, threads_per_worker=threads, worker_max_requests=100))
    found = served_by_worker(pit, 350, 16)
    assert sorted(found.values()) == [50, 100, 100, 100]
    await_recycled(pit, 3)
    assert "worker_max_requests" in pit.logged("worker.recycled")[0]
    stats = pit.stats()
    assert (stats.failures, stats.worker_deaths, stats.worker_starts) == (0, 0, 4)


def test_submitted_calls_and_streams_count_alike(open_pit, profile):
    adapter = "streams.Streams"
    pit = open_pit(pool(profile, adapter=adapter, worker_max_requests=9))
    (first,) = pit.workers()
    for _ in range(3):
        assert pit.call("plain", {"value": 1}) == {"value": 1}
        assert pit.submit("plain", {"value": 2}).wait().value == {"value": 2}
        with pit.stream("count", {"n": 3}) as stream:
            assert stream.rest() == ([0, 1, 2], None)
        assert pit.workers()[0].id == first.id or pit.stats().calls == 9
    await_recycled(pit, 1)
    await_settled(pit)
    assert first.id not in ids(pit)


def test_a_worker_may_serve_one_call_alone(open_pit):
    pit = open_pit(pool("process", pool_size=2, worker_max_requests=1))
    pids = [pit.call("pid") for _ in range(20)]
    assert len(set(pids)) == 20
    assert pit.stats().failures == 0


# ---- By memory -----------------------------------------------------------------------


def test_a_worker_that_has_grown_is_replaced_after_its_call(open_pit, kind):
    limits = {"worker_max_memory": "300MiB", "memory_check_interval_ms": 20}
    pit = open_pit(pool(kind, **limits))
    with Callers(pit, 1) as callers:
        assert pit.call("grow", {"mebibytes": 320}) == 320 << 20
        await_recycled(pit, 1)
        await_settled(pit)
    assert callers.wrong == []
    stats = pit.stats()
    assert (stats.failures, stats.worker_deaths, stats.worker_starts) == (0, 0, 2)
    (line,) = pit.logged("worker.recycled")
    assert 'because="worker_max_memory"' in line


def test_a_worker_over_the_hard_limit_is_killed_and_its_call_says_why(
    open_pit, kind, gate
):
    limits = {"worker_max_memory_hard": "300MiB", "memory_check_interval_ms": 20}
    pit = open_pit(pool(kind, **limits))
    fault = pit.fails("grow", {"mebibytes": 320, "path": str(gate)})
    assert fault.err == "WORKER_DIED"  # which is not sent again unasked
    why = "it used more memory than worker_max_memory_hard allows"
    assert fault.cause == f"killed by us because {why}"
    (line,) = pit.logged("worker.memory")
    assert "limit=worker_max_memory_hard" in line
    assert pit.call("ping") == "pong"


def test_a_limit_that_fresh_workers_exceed_is_told_once_and_not_kept(open_pit, profile):
    limits = {"worker_max_memory": "1MiB", "memory_check_interval_ms": 10}
    pit = open_pit(pool(profile, pool_size=2, **limits))
    pit.recycle()
    await_recycled(pit, 2)
    await_settled(pit)
    (line,) = pit.logged("worker.memory")
    assert 'remedy="a higher limit"' in line
    assert pit.stats().worker_recycles == 2
