# SPDX-License-Identifier: MIT
"""Lesson 7, and many: pits one after another, workers side by side."""

from __future__ import annotations

import os
import pathlib
import threading

import pytest
from support import (
    THREADS,
    Process,
    Refused,
    alive_of,
    eventually,
    open_gate,
    pool,
    seconds,
)
from support.groups import Group

PITS = int(os.environ.get("E2E_PITS", "40"))  # one after another
MOST_MEMORY = 1 << 20  # that they may leave behind altogether


# ---- 7: a low limit of processes -----------------------------------------------------


@pytest.fixture
def small_group(hosts):
    """Room for the host and a few workers. Removed when the hosts are gone."""
    try:
        group = Group("pids", {"pids.max": "60"})
    except OSError as error:
        pytest.skip(f"needs a control group that limits processes: {error}")
    yield group
    for host in hosts:
        host.kill()
        host.reap()
    hosts.clear()
    group.remove()


def test_lesson_07_workers_beyond_the_limit_are_a_clean_error_and_no_storm(
    start_host, small_group
):
    host = start_host(
        pool("process", pool_size=250, startup_batch_size=250),
        before=small_group.join,
    )
    host.open(ready=False)
    with seconds() as taken:
        answer = host.ask("await_ready", timeout_ms=6000)
    assert answer["err"] in ("POOL_FAILED", "DEADLINE_EXCEEDED")
    assert taken.seconds < 30
    stats = host.ask("stats")
    assert stats["worker_starts"] < 250, "a storm of starts"
    failures = [
        line for line in host.ask("log")["lines"] if "worker.start_failed" in line
    ]
    # One line for each that began together with the first one that failed.
    assert 1 <= len(failures) < 250, "a storm of failures"
    assert host.ask("measure")["descriptors"] < 1000
    workers = host.workers()
    assert host.end() == 0
    assert not alive_of(workers)


def await_failed_start(host):
    """Waits until the limit was met."""
    eventually(
        lambda: [
            line for line in host.ask("log")["lines"] if "worker.start_failed" in line
        ],
        "a start fails",
        20.0,
    )


def test_lesson_07_the_error_names_the_limit(start_host, small_group):
    host = start_host(
        pool("process", pool_size=250, startup_batch_size=250),
        before=small_group.join,
    )
    host.open(ready=False)
    await_failed_start(host)
    answer = host.ask("await_ready", timeout_ms=100)
    assert "Resource temporarily unavailable" in answer["why"], answer["why"]


def test_lesson_07_what_could_be_started_serves(start_host, small_group):
    """The pool is not whole; the workers that live take calls all the same."""
    host = start_host(
        pool("process", pool_size=250, startup_batch_size=4),
        before=small_group.join,
    )
    host.open(ready=False)
    await_failed_start(host)
    stats = host.ask("stats")
    assert stats["state"] == "degraded"
    assert stats["workers_ready"] >= 1
    assert host.call("ping")["value"] == "pong"
    assert host.end() == 0


def test_lesson_07_a_host_without_descriptors_says_so(start_host):
    host = start_host(
        pool("process", pool_size=50), setup={"limits": {"RLIMIT_NOFILE": 64}}
    )
    answer = host.open(ready=False)
    if answer["err"] == "OK":
        await_failed_start(host)
        answer = host.ask("await_ready", timeout_ms=100)
    assert answer["err"] in ("POOL_FAILED", "SYSTEM", "DEADLINE_EXCEEDED")
    assert "Too many open files" in answer["why"], answer["why"]
    assert host.end() == 0


# ---- Many ----------------------------------------------------------------------------


@pytest.mark.timeout(20 * PITS)
def test_many_pits_one_after_another_leave_everything_flat(start_host):
    host = start_host(pool("process"), pool("thread", name="threads"))
    first = host.ask("cycle", within=10 * PITS, times=20)
    last = host.ask("cycle", within=10 * PITS, times=PITS)
    for what in ("descriptors", "mappings", "threads"):
        assert last[what] == first[what]
    assert last["rss"] - first["rss"] < MOST_MEMORY
    left = [
        process
        for process in (Process.of(pid) for pid in _children(host.popen.pid))
        if process
    ]
    assert not left
    assert host.end() == 0


def _children(pid):
    text = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(word) for word in text.split()]


def test_a_hundred_processes_and_four_times_sixteen_threads_at_once(open_pit, tmp_path):
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    pit = open_pit(
        pool("process", name="processes", pool_size=100),
        pool("thread", name="threads", pool_size=4, threads_per_worker=16),
        ready=False,
    )
    pit.await_ready(timeout_ms=60_000)
    assert pit.stats("processes").workers_ready == 100
    assert pit.stats("threads").capacity == 64
    assert len(alive_of(pit.processes("processes"))) == 100
    wrong = []

    def caller(number):
        for turn in range(50):
            name = "processes" if (number + turn) % 2 else "threads"
            if pit.call("echo", {"value": [number, turn]}, pool=name) != [number, turn]:
                wrong.append((number, turn))

    callers = [threading.Thread(target=caller, args=(i,)) for i in range(32)]
    for thread in callers:
        thread.start()
    for thread in callers:
        thread.join()
    assert not wrong
    calls = [
        pit.submit("wait_for", {"path": str(gate)}, pool=name)
        for name, count in (("processes", 100), ("threads", 64))
        for _ in range(count)
    ]
    eventually(lambda: pit.stats("processes").running == 100)
    open_gate(gate, lambda: all(call.ended.is_set() for call in calls))
    assert {call.wait().err for call in calls} == {"OK"}
    assert {pit.stats(name).failures for name in ("processes", "threads")} == {0}
    with seconds() as taken:
        pit.close()
    assert taken.seconds < 10


def test_a_batch_of_workers_starts_before_the_next_one(open_pit, tmp_path):
    os.mkfifo(tmp_path / "gate")
    config = {"gate": str(tmp_path / "gate"), "announce": str(tmp_path / "began-")}
    pit = open_pit(
        pool(
            pool_size=6,
            startup_batch_size=2,
            adapter="starts.Gated",
            adapter_config=config,
        ),
        ready=False,
    )
    eventually(lambda: len(list(tmp_path.glob("began-*"))) == 2)
    with pytest.raises(Refused, match="DEADLINE_EXCEEDED"):
        pit.await_ready(timeout_ms=300)
    assert len(list(tmp_path.glob("began-*"))) == 2
    assert len(pit.workers()) == 2


def test_the_thread_profile_runs_as_many_calls_as_it_says(open_pit, tmp_path):
    pit = open_pit(pool("thread", pool_size=2, prefetch=0))
    capacity = 2 * THREADS
    calls = [pit.submit("until_cancelled") for _ in range(capacity + 3)]
    eventually(lambda: pit.stats().running == capacity)
    assert pit.stats().waiting == 3
    assert {row.load for row in pit.workers()} == {THREADS}
    for call in calls:
        pit.cancel(call)
    for call in calls:
        call.wait()
