# SPDX-License-Identifier: MIT
"""Lesson 14, and what a caller is told when its worker dies."""

from __future__ import annotations

import os
import random
import signal
import statistics
import threading
import time

import pytest
from support import THREADS, eventually, pool, wait_for_file

KILLS = 500
NOT_SAID = "died; the kernel has not said how"
LOST = {"OK", "WORKER_DIED", "WORKER_LOST"}


# ---- What the caller is told ---------------------------------------------------------


BY_ITSELF = (
    ": the adapter, a tool or a library has ended the process (os._exit(), or exit() "
    "in C) instead of returning or raising"
)


@pytest.mark.parametrize(
    ("tool", "arguments", "cause"),
    [
        ("die", {}, "killed by signal 9 (SIGKILL)"),
        ("die", {"signal_number": int(signal.SIGABRT)}, "killed by signal 6 (SIGABRT)"),
        ("fault", {}, "killed by signal 11 (SIGSEGV)"),
        ("leave", {"status": 3}, f"exited with status 3{BY_ITSELF}"),
        ("leave", {"status": 0}, f"exited with status 0{BY_ITSELF}"),
    ],
)
def test_a_crash_fails_its_call_with_the_cause(open_pit, kind, tool, arguments, cause):
    pit = open_pit(pool(kind))
    faults = []
    while len(faults) < 3 and cause not in [fault.cause for fault in faults]:
        (row,) = pit.workers()
        faults.append(pit.fails(tool, arguments))
        assert faults[-1].worker == row.id
        (other,) = pit.await_replacement(row)
        assert pit.call("pid") == other.pid != row.pid
    # A call does not wait long for a busy kernel to say how the worker died.
    assert {fault.cause for fault in faults} <= {cause, NOT_SAID}
    assert faults[-1].cause == cause
    assert cause in faults[-1].message
    assert {fault.err for fault in faults} == {"WORKER_DIED"}
    assert {fault.stage for fault in faults} == {"running"}
    stats = pit.stats()
    assert stats.worker_deaths == len(faults)
    assert stats.worker_starts == len(faults) + 1


def test_a_crash_quotes_the_last_words_of_the_worker(open_pit, kind):
    pit = open_pit(pool(kind))
    fault = pit.fails("last_words", {"text": "I have seen\nthings"})
    assert "I have seen\nthings" in fault.last_output
    pit.await_replacement()


def test_a_crash_fails_all_calls_of_its_worker_and_none_of_others(open_pit, tmp_path):
    pit = open_pit(pool("thread", pool_size=2, prefetch=0))
    paths = [tmp_path / str(i) for i in range(2 * THREADS)]
    calls = [pit.submit("sleep", {"seconds": 1, "path": str(path)}) for path in paths]
    pids = [int(wait_for_file(path)) for path in paths]
    victim = pit.workers()[0]
    assert pids.count(victim.pid) == THREADS
    os.kill(victim.pid, signal.SIGKILL)
    for call, pid in zip(calls, pids):
        wanted = "WORKER_DIED" if pid == victim.pid else "OK"
        assert call.wait().err == wanted
    pit.await_replacement(victim)


@pytest.mark.quiet
@pytest.mark.parametrize("way", ["call", "submit"])
def test_a_call_in_flight_fails_within_milliseconds_of_the_death(
    open_pit, profile, tmp_path, way
):
    pit = open_pit(pool(profile))
    taken = []
    for turn in range(10):
        path = tmp_path / str(turn)
        ended = []

        def in_flight(path=path, ended=ended):
            arguments = {"path": str(path)}
            if way == "call":
                err = pit.fails("sleep", arguments).err
            else:
                err = pit.submit("sleep", arguments).wait().err
            ended.append((err, time.monotonic()))

        caller = threading.Thread(target=in_flight)
        caller.start()
        wait_for_file(path)
        (row,) = pit.workers()
        begun = time.monotonic()
        os.kill(row.pid, signal.SIGKILL)
        caller.join()
        assert ended[0][0] == "WORKER_DIED"
        taken.append(ended[0][1] - begun)
        pit.await_replacement(row)
    assert statistics.median(taken) < 0.05, taken


def test_a_call_that_waits_inside_the_dead_worker_runs_elsewhere(open_pit, tmp_path):
    """It was handed over in advance and certainly never ran."""
    pit = open_pit(pool("process", prefetch=4))
    running = pit.submit("sleep", {"path": str(tmp_path / "began")})
    wait_for_file(tmp_path / "began")
    waiting = [pit.submit("echo", {"value": i}) for i in range(3)]
    victim = pit.workers()[0]
    assert victim.load == 4
    os.kill(victim.pid, signal.SIGKILL)
    assert running.wait().err == "WORKER_DIED"
    assert [call.wait().value for call in waiting] == [0, 1, 2]


def test_a_stop_signal_does_not_end_the_pool(open_pit, profile):
    pit = open_pit(pool(profile))
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE, signal.SIGUSR1):
        row = pit.workers()[0]
        os.kill(row.pid, number)
        if number != signal.SIGINT and number != signal.SIGPIPE:
            (row,) = pit.await_replacement(row)
        assert pit.call("pid") == row.pid


# ---- 14: the pool returns to its size ------------------------------------------------


class Load:
    """Callers that never stop, each answer checked."""

    def __init__(self, pit, callers: int) -> None:
        self.pit = pit
        self.stop = threading.Event()
        self.wrong: list = []
        self.outcomes: list[str] = []
        self.threads = [
            threading.Thread(target=self.run, args=(number,))
            for number in range(callers)
        ]

    def run(self, number: int) -> None:
        turn = 0
        while not self.stop.is_set():
            turn += 1
            wanted = [number, turn]
            with self.pit.answer("echo", {"value": wanted}) as answer:
                self.outcomes.append(answer.err)
                if answer.err not in LOST:
                    self.wrong.append(answer.fault)
                elif answer.err == "OK" and answer.value() != wanted:
                    self.wrong.append((wanted, answer.value()))

    def __enter__(self) -> Load:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join()


def test_a_worker_that_takes_no_more_calls_costs_one_call(open_pit, tmp_path):
    pit = open_pit(pool("process", pool_size=3))
    pit.call("leave_thread_with_gil", {"ready": str(tmp_path / "held")})
    wait_for_file(tmp_path / "held")
    outcomes = []
    for _ in range(30):
        with pit.answer("ping", timeout_ms=500) as answer:
            outcomes.append(answer.err)
    assert outcomes.count("OK") >= 29
    assert set(outcomes) <= {"OK", "DEADLINE_EXCEEDED"}
    if "DEADLINE_EXCEEDED" in outcomes:
        eventually(lambda: pit.stats().worker_deaths == 1)
        pit.await_line("worker.kill", "did not take a call")
        pit.await_replacement()


def test_workers_that_are_all_killed_at_once_are_all_replaced(open_pit, profile):
    pit = open_pit(pool(profile, pool_size=4))
    for _ in range(3):
        pit.kill_workers()
        assert pit.call("ping") == "pong"
    assert pit.state() == "ready"


def test_lesson_14_after_five_hundred_random_kills_the_pool_has_its_exact_size(
    open_pit, profile
):
    chance = random.Random(14)
    size = 4 if profile == "process" else 2
    pit = open_pit(
        pool(
            profile,
            pool_size=size,
            restart_limit=1000,
            restart_backoff_ms=1,
            restart_backoff_max_ms=10,
        )
    )
    with Load(pit, 4) as load:
        for _ in range(KILLS):
            rows = eventually(pit.workers)
            ready = [row for row in rows if row.state == "READY"]
            row = chance.choice(ready if ready and chance.random() < 0.8 else rows)
            try:
                os.kill(row.pid, chance.choice((signal.SIGKILL, signal.SIGSEGV)))
            except ProcessLookupError:
                pass
            deaths = pit.stats().worker_deaths
            eventually(
                lambda row=row: row.id not in {other.id for other in pit.workers()},
                f"worker {row.id} is replaced; {deaths} deaths",
            )
        rows = pit.await_replacement()
    assert not load.wrong
    assert "OK" in load.outcomes
    assert len(rows) == size
    assert {row.state for row in rows} == {"READY"}
    stats = pit.stats()
    assert stats.calls == len(load.outcomes)
    assert stats.failures == len(load.outcomes) - load.outcomes.count("OK")
    assert (stats.running, stats.waiting, stats.violations) == (0, 0, 0)
    assert stats.workers_ready == size
    assert len({pit.call("pid") for _ in range(50)} - {row.pid for row in rows}) == 0


def test_a_pool_is_not_called_ready_from_the_moment_its_worker_is_dead(open_pit):
    pit = open_pit(pool("process"))
    for _ in range(5):
        pit.call("ping")
        (row,) = pit.workers()
        os.kill(row.pid, signal.SIGKILL)
        eventually(lambda: pit.stats().workers_ready == 0)
        stats = pit.stats()
        assert stats.workers_ready == 1 or stats.state == b"degraded"
        pit.await_ready()
        assert pit.workers()[0].id != row.id
        pit.await_replacement(row)
