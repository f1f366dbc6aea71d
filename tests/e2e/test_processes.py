# SPDX-License-Identifier: MIT
"""Lessons 1 to 6 and 15: no process is ever left, none but ours is ever touched."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from support import (
    Pit,
    Process,
    alive_of,
    children_of,
    eventually,
    marked,
    pool,
    seconds,
    template_of,
    wait_for_file,
)
from support.waiting import Deadline

GONE_WITHIN = 20.0  # seconds from the death of a host, on a busy machine


def die_with_host(host, processes):
    """Kills the host and waits for the processes."""
    assert processes
    host.kill(signal.SIGKILL)
    eventually(
        lambda: not alive_of(processes),
        f"{len(processes)} processes die with their host",
        GONE_WITHIN,
    )
    host.reap()


# ---- 1: workers die with their host --------------------------------------------------


def test_lesson_01_idle_workers_die_with_their_host(start_host, kind):
    host = start_host(pool(kind, pool_size=3))
    host.open()
    die_with_host(host, host.workers())


def test_lesson_01_workers_die_with_their_host_though_its_fork_lives_on(
    start_host, kind
):
    host = start_host(pool(kind))
    host.open()
    host.call("block_signals")
    fork = host.ask("fork")["pid"]
    try:
        die_with_host(host, host.workers())
    finally:
        os.kill(fork, signal.SIGKILL)


@pytest.mark.parametrize("tool", ["sleep", "spin", "hold_gil", "stubborn"])
def test_lesson_01_busy_workers_die_with_their_host(
    start_host, profile, tmp_path, tool
):
    host = start_host(pool(profile))
    host.open()
    host.begin(tool, path=str(tmp_path / "began"))
    wait_for_file(tmp_path / "began")
    die_with_host(host, host.workers())


def test_lesson_01_starting_workers_die_with_their_host(start_host, profile, tmp_path):
    os.mkfifo(tmp_path / "gate")
    config = {"gate": str(tmp_path / "gate"), "announce": str(tmp_path / "began-")}
    host = start_host(
        pool(profile, pool_size=2, adapter="starts.Gated", adapter_config=config)
    )
    host.open(ready=False)
    eventually(lambda: len(list(tmp_path.glob("began-*"))) == 2)
    die_with_host(host, host.workers())


def test_lesson_01_workers_that_have_only_just_begun_die_with_their_host(start_host):
    host = start_host(pool("process", pool_size=8))
    host.open(ready=False)
    found = eventually(host.workers, "the first workers")
    die_with_host(host, found | children_of(host.popen.pid))


def test_lesson_01_stopped_workers_die_with_their_host(start_host):
    host = start_host(pool("process", heartbeat_interval_ms=60_000))
    host.open()
    workers = host.workers()
    for worker in workers:
        worker.stop()
    die_with_host(host, workers)


def test_lesson_01_children_of_workers_die_with_the_host(start_host, profile):
    for _ in range(5):
        host = start_host(pool(profile))
        host.open()
        pids = host.call("spawn", ways=["popen", "double_fork"] * 3)["value"]
        die_with_host(host, {Process.of(pid) for pid in pids} | host.workers())


# ---- 2: a worker's children die with it ----------------------------------------------


@pytest.mark.parametrize("ignore_term", [False, True])
@pytest.mark.parametrize("end", ["sigkill", "crash", "close"])
def test_lesson_02_children_of_a_worker_die_with_it(
    open_pit, profile, end, ignore_term
):
    pit = open_pit(pool(profile, stop_grace_ms=300))
    pids = pit.call("spawn", {"ignore_term": ignore_term})
    children = {Process.of(pid) for pid in pids}
    assert None not in children
    if end == "sigkill":
        os.kill(pit.workers()[0].pid, signal.SIGKILL)
    elif end == "crash":
        pit.fails("leave", {"status": 3})
    else:
        pit.close()
    eventually(lambda: not alive_of(children), "the children die")


def test_lesson_02_children_die_when_a_call_is_killed_for_its_time(open_pit):
    pit = open_pit(pool("process", cancel_grace_ms=50))
    children = {Process.of(pid) for pid in pit.call("spawn")}
    assert pit.fails("hold_gil", timeout_ms=100).err == "DEADLINE_EXCEEDED"
    eventually(lambda: not alive_of(children), "the children die")


def test_lesson_02_a_worker_that_stays_gets_term_and_then_kill(open_pit, tmp_path):
    config = {"heard": str(tmp_path / "heard"), "deaf": True}
    pit = open_pit(
        pool(adapter="starts.Lingers", adapter_config=config, stop_grace_ms=200)
    )
    workers = pit.processes()
    with seconds() as taken:
        pit.close()
    assert (tmp_path / "heard").exists(), "no SIGTERM came"
    assert not alive_of(workers)
    assert 0.35 < taken.seconds < 10


def test_lesson_02_a_worker_that_heeds_term_is_not_killed(open_pit, tmp_path):
    pit = open_pit(
        pool(
            adapter="starts.Lingers",
            adapter_config={"heard": str(tmp_path / "heard")},
            stop_grace_ms=200,
        )
    )
    pit.close()
    (line,) = pit.logged("worker.exit")
    assert f"signal={int(signal.SIGTERM)}" in line
    assert not pit.logged("worker.kill")


# ---- 3: the group exists before anyone relies on it ----------------------------------


def test_lesson_03_five_hundred_starts_with_an_immediate_kill_leave_nobody(opened):
    wanted = pool(restart_backoff_ms=0)
    before = marked()
    for turn in range(500):
        pit = Pit.open(wanted)
        if turn % 4 == 1:
            eventually(pit.workers, "a worker is there")
        elif turn % 4 == 2:
            eventually(pit.workers, "a worker is there")
            os.kill(pit.workers()[0].pid, signal.SIGKILL)
        elif turn % 4 == 3:
            child = eventually(lambda: children_of(os.getpid()), "a child")
            child.pop().kill(signal.SIGTERM)
        pit.close()
        assert not children_of(os.getpid()), f"turn {turn}"
    assert marked() == before


# ---- 4: pid and start time, never a name ---------------------------------------------


def test_lesson_04_a_process_of_the_same_name_is_never_touched(open_pit, kind):
    words = "import signal; print('here', flush=True); signal.pause()"
    decoys = [
        subprocess.Popen(
            ["snakepit_bridge.worker", "-c", words, "-m", "snakepit_bridge.worker"],
            executable=sys.executable,
            stdout=subprocess.PIPE,
            start_new_session=session,
        )
        for session in (False, True)
    ]
    for decoy in decoys:
        assert decoy.stdout.readline() == b"here\n"
    pit = open_pit(pool(kind, pool_size=2))
    pit.kill_workers()
    pit.close()
    assert [decoy.poll() for decoy in decoys] == [None, None]
    for decoy in decoys:
        decoy.kill()
        decoy.wait()
        decoy.stdout.close()


# ---- 5: two pits on one host ---------------------------------------------------------


def test_lesson_05_two_hosts_started_together_do_not_touch_each_other(start_host):
    wanted = pool("process", pool_size=2)
    first, second = start_host(wanted), start_host(wanted)
    first.send({"op": "open", "ready": True})
    second.send({"op": "open", "ready": True})
    assert first.receive()["err"] == second.receive()["err"] == "OK"
    mine, others = first.workers(), second.workers()
    assert len(mine) == len(others) == 2
    assert not mine & others
    die_with_host(first, mine)
    assert second.workers() == others == alive_of(others)
    assert second.call("ping")["value"] == "pong"
    third = start_host(wanted)
    third.open()
    assert third.end() == 0
    assert second.workers() == others == alive_of(others)
    assert second.call("ping")["value"] == "pong"
    assert second.end() == 0
    assert not alive_of(others)


def test_lesson_05_closing_one_pit_leaves_the_other_of_the_same_process(open_pit):
    first, second = open_pit(pool("process")), open_pit(pool("process"))
    others = second.processes()
    first.close()
    assert second.processes() == others == alive_of(others)
    assert second.call("ping") == "pong"


# ---- 6: zombies ----------------------------------------------------------------------


def test_lesson_06_every_worker_is_waited_for(open_pit, kind):
    pit = open_pit(pool(kind, pool_size=2))
    for _ in range(3):
        assert pit.call("ping") == "pong"
        row = pit.workers()[0]
        victim = row.process
        victim.kill(signal.SIGKILL)
        eventually(lambda victim=victim: not victim.state, "it is waited for")
        pit.await_replacement(row)
    template = template_of(pit)
    assert children_of(os.getpid()) == pit.processes() | ({template} - {None})


def test_lesson_06_a_zombie_counts_as_dead(open_pit):
    """A worker whose children hold its pipes open is gone all the same."""
    pit = open_pit(pool("process"))
    pit.call("spawn", {"ways": ["popen"]})
    row = pit.workers()[0]
    victim = row.process
    victim.kill(signal.SIGKILL)
    eventually(lambda: not victim.state, "it is waited for")
    pit.await_replacement(row)
    assert pit.call("ping") == "pong"


def test_lesson_06_a_host_that_ignores_sigchld_sees_its_workers_leave(start_host):
    """The kernel then reaps children by itself, and waitpid finds none."""
    host = start_host(pool("process", pool_size=2), setup={"ignore_sigchld": True})
    host.open()
    workers = host.workers()
    min(workers, key=lambda process: process.pid).kill(signal.SIGKILL)
    eventually(lambda: len(alive_of(host.workers()) - workers) == 1, "a replacement")
    assert host.call("ping")["value"] == "pong"
    assert host.end(within=60) == 0


# ---- 15: stop returns when the exit was observed -------------------------------------


def test_lesson_15_close_returns_when_every_worker_was_waited_for(open_pit, kind):
    pit = open_pit(pool(kind, pool_size=3))
    workers = pit.processes()
    with seconds() as taken:
        pit.close(grace_ms=60_000)
    assert [worker.state for worker in workers] == [""] * 3
    assert taken.seconds < 50


def test_lesson_15_close_returns_when_a_busy_worker_was_waited_for(
    open_pit, profile, tmp_path
):
    pit = open_pit(pool(profile))
    workers = pit.processes()
    call = pit.submit("hold_gil", {"path": str(tmp_path / "began")})
    wait_for_file(tmp_path / "began")
    deadline = Deadline(2.0)
    pit.close()
    assert [worker.state for worker in workers] == [""]
    assert not deadline.over
    assert call.err == "SHUTTING_DOWN"


def test_lesson_15_cleanup_has_run_when_close_returns(open_pit, profile, tmp_path):
    cleaned = tmp_path / "cleaned"
    pit = open_pit(
        pool(
            profile,
            pool_size=2,
            stop_grace_ms=60_000,  # for a busy machine
            adapter="starts.Tidy",
            adapter_config={"cleaned": str(cleaned)},
        )
    )
    pids = {process.pid for process in pit.processes()}
    pit.close()
    assert {int(line) for line in cleaned.read_text().split()} == pids


@pytest.mark.parametrize("way", ["return", "exit", "raise"])
def test_a_child_that_comes_back_from_its_tool_answers_nothing(open_pit, kind, way):
    pit = open_pit(pool(kind))
    worker = pit.workers()[0].pid
    for _ in range(3):
        answer = pit.call("fork_and_return", {"way": way})
        assert answer == {"pid": worker, "status": 70}
    assert pit.call("ping") == "pong"
    assert [row.pid for row in pit.workers()] == [worker]
    pit.await_line("worker.stderr", "fork_and_return", "has forked")


def test_a_child_that_comes_back_from_a_generator_gives_no_chunk(open_pit, kind):
    pit = open_pit(pool(kind))
    for _ in range(3):
        with pit.stream("fork_in_stream", {"n": 5000}) as stream:
            assert stream.rest() == (["first", *range(5000)], None)
    assert pit.stats().worker_deaths == 0
    pit.await_line("worker.stderr", "fork_in_stream", "has forked")


def test_a_child_that_comes_back_from_a_coroutine_is_ended(open_pit, kind):
    pit = open_pit(pool(kind))
    assert [pit.call("fork_in_coroutine") for _ in range(3)] == [70] * 3
    pit.await_line("worker.stderr", "an async tool has forked")


# ---- Placement -----------------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 2, 64])
def test_spread_workers_have_as_many_cores_as_threads(open_pit, threads):
    cores = sorted(os.sched_getaffinity(0))
    kind = "process" if threads == 1 else "thread"
    count = {} if threads == 1 else {"threads_per_worker": threads}
    pit = open_pit(pool(kind, pool_size=2, placement="spread", **count))
    turns = iter(cores * 2 * threads)
    wanted = [{next(turns) for _ in range(threads)} for _ in range(2)]
    found = [os.sched_getaffinity(row.pid) for row in pit.workers()]
    assert found == wanted
