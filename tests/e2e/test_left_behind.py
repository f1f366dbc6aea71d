# SPDX-License-Identifier: MIT
"""Lesson 2, of workers that leave by themselves when they are asked to."""

from __future__ import annotations

import os
import signal

import pytest
from support import alive_of, eventually, marked, pool, seconds
from support.processes import Process

GRACE = 0.5


@pytest.fixture
def pit(open_pit, kind):
    return open_pit(
        pool(kind, adapter="leaves.Leaves", stop_grace_ms=int(GRACE * 1000))
    )


def start(pit, heard, ears="good"):
    child = Process.of(pit.call("start", {"heard": str(heard), "ears": ears}))
    assert child is not None and child.alive
    return child


def test_lesson_02_what_a_worker_leaves_behind_is_asked_before_it_is_killed(
    open_pit, kind, tmp_path
):
    grace = 60.0  # which nobody needs
    options = {"adapter": "leaves.Leaves", "stop_grace_ms": int(grace * 1000)}
    pit = open_pit(pool(kind, **options))
    children = {start(pit, tmp_path / str(i)) for i in range(3)}
    with seconds() as taken:
        pit.close()
    assert len(list(tmp_path.iterdir())) == 3, "no SIGTERM came"
    assert not alive_of(children)
    (line,) = pit.logged("worker.exit")
    assert "signal=9" not in line
    assert taken.seconds < grace


def test_lesson_02_what_stays_is_killed_after_the_grace(pit, tmp_path):
    child = start(pit, tmp_path / "heard", "deaf")
    with seconds() as taken:
        pit.close()
    assert (tmp_path / "heard").exists()
    eventually(lambda: not child.alive, "the child dies")
    assert GRACE <= taken.seconds < 60 * GRACE


def test_a_worker_that_leaves_nothing_behind_is_not_waited_for(open_pit, kind):
    pit = open_pit(pool(kind, adapter="leaves.Leaves", stop_grace_ms=20_000))
    with seconds() as taken:
        pit.close()
    assert taken.seconds < 10


def test_lesson_02_a_worker_that_dies_unasked_has_its_children_asked_first(
    pit, tmp_path
):
    (row,) = pit.workers()
    child = start(pit, tmp_path / "heard", "deaf")
    os.kill(row.pid, signal.SIGKILL)
    eventually(lambda: not child.alive, "the child dies", 10 * GRACE)
    assert (tmp_path / "heard").exists(), "no SIGTERM came"


def test_a_replacement_does_not_wait_for_what_the_dead_one_left(open_pit, kind):
    """They have ten minutes; the new worker is there before they are gone."""
    pit = open_pit(pool(kind, adapter="leaves.Leaves", stop_grace_ms=600_000))
    (row,) = pit.workers()
    child = Process.of(pit.call("start", {"heard": "/dev/null", "ears": "deaf"}))
    os.kill(row.pid, signal.SIGKILL)
    pit.await_replacement(row)
    assert pit.call("ping") == "pong"
    assert child.alive
    child.kill(signal.SIGKILL)


@pytest.mark.parametrize("end", ["exit", "kill", "deadline", "close"])
def test_shared_memory_of_a_worker_that_died_is_removed(open_pit, kind, end):
    """Python's resource tracker does so, if it outlives the worker for a moment."""
    # A tracker takes its time to start on a busy machine, and has this one.
    pit = open_pit(
        pool(kind, adapter="leaves.Shares", cancel_grace_ms=50, stop_grace_ms=60_000)
    )
    name = pit.call("share")
    assert os.path.exists(f"/dev/shm/{name}")
    if end == "close":
        pit.close()
    elif end == "deadline":
        assert pit.fails("hang", timeout_ms=50).err == "DEADLINE_EXCEEDED"
    else:
        assert pit.fails(end).err == "WORKER_DIED"
    eventually(lambda: not os.path.exists(f"/dev/shm/{name}"), "it is removed")


# ---- When the host is killed ---------------------------------------------------------


def kill(host):
    """Kills the host, and waits until nothing of it is left."""
    host.kill(signal.SIGKILL)
    host.reap()
    eventually(lambda: not alive_of(marked()), "nobody is left")


@pytest.mark.quiet
@pytest.mark.parametrize("busy", [False, True])
def test_shared_memory_is_removed_when_the_host_is_killed(start_host, kind, busy):
    # A busy machine takes its time to run the tracker.
    shares = pool(kind, adapter="leaves.Shares", pool_size=2, stop_grace_ms=60_000)
    host = start_host(shares)
    host.open()
    names = {host.call("share")["value"] for _ in range(2)}
    assert all(os.path.exists(f"/dev/shm/{name}") for name in names)
    if busy:
        for _ in range(2):
            host.begin("hang")
    kill(host)
    assert [name for name in names if os.path.exists(f"/dev/shm/{name}")] == []


@pytest.mark.parametrize("template", ["off", None])
def test_what_a_worker_has_started_is_asked_when_the_host_is_killed(
    start_host, kind, tmp_path, template
):
    host = start_host(pool(kind, adapter="leaves.Leaves", template=template))
    host.open()
    good, deaf = tmp_path / "good", tmp_path / "deaf"
    host.call("start", heard=str(good), ears="good")
    host.call("start", heard=str(deaf), ears="deaf")
    kill(host)
    assert good.exists() and deaf.exists(), "no SIGTERM came"


def test_what_an_import_has_started_in_the_template_is_asked_as_well(
    start_host, tmp_path
):
    environment = {"LEAVES_AT_IMPORT": str(tmp_path / "heard")}
    host = start_host(
        pool("process", adapter="leaves_import.Leaves", adapter_env=environment)
    )
    host.open()
    assert host.call("ping")["value"] == "pong"
    kill(host)
    assert (tmp_path / "heard").exists(), "no SIGTERM came"


def test_where_no_process_can_be_made_all_are_killed_at_once(start_host, kind):
    # One thread, so that none is still to be started when no more may be.
    threads = 1 if kind == "thread" else None
    host = start_host(pool(kind, adapter="leaves.Leaves", threads_per_worker=threads))
    host.open()
    child = Process.of(host.call("start_the_last")["value"])
    assert child.alive
    kill(host)
    # Of another user, so its mark may not be seen.
    eventually(lambda: not child.alive, "the child dies")


def test_a_worker_without_helpers_leaves_nobody_behind(start_host, kind):
    host = start_host(pool(kind, adapter="leaves.Leaves", pool_size=3))
    host.open()
    workers = host.workers()
    host.kill(signal.SIGKILL)
    eventually(lambda: not alive_of(workers), "the workers die", 10.0)
    host.reap()
    eventually(lambda: not alive_of(marked()), "nobody is left", 10.0)


def put_last(process: Process) -> None:
    """Gives all of its threads the last priority."""
    for thread in os.listdir(f"/proc/{process.pid}/task"):
        os.setpriority(os.PRIO_PROCESS, int(thread), 19)


@pytest.mark.parametrize("child", [False, True])
def test_a_host_of_the_last_priority_is_cleaned_up_after_as_soon(
    start_host, tmp_path, child
):
    """That priority is what the cleaner itself has. They get it late, for nothing would
    start with it on a busy machine.
    """
    host = start_host(
        pool("process", adapter="leaves.Leaves", stop_grace_ms=600_000),
    )
    host.open()
    heard = tmp_path / "heard"
    if child:
        host.call("start", heard=str(heard), ears="good")
    for process in marked():
        put_last(process)
    kill(host)
    assert heard.exists() == child, "no SIGTERM came"
