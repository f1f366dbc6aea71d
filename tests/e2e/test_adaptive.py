# SPDX-License-Identifier: MIT
"""Pools that move from processes to threads and back, with real workers under load."""

from __future__ import annotations

import os
import threading
import time

import pytest
from support import eventually, open_gate, pool, wait_for_file

WITHIN = 60.0  # seconds that a busy machine may take for a few starts
CALLS = 4  # that the pools run at once
CALLERS = 6


def used_memory():
    """The share of the machine's memory that is in use."""
    with open("/proc/meminfo") as file:
        fields = {line.split(":")[0]: int(line.split()[1]) for line in file}
    return 1 - fields["MemAvailable"] / fields["MemTotal"]


def adaptive(kind, **options):
    """Four processes, or a worker with four threads, that may become the other."""
    threads = CALLS if kind == "thread" else None
    made = {
        "adapter": "adaptive.Model",
        "adaptive_pooling": True,
        "pool_size": 1 if threads else CALLS,
        "threads_per_worker": threads,
        "switch_min_stay_ms": 400,
        "template": "off",
    }
    return pool(kind, **{**made, **options})


def short_of_memory(**options):
    if used_memory() < 0.02:
        pytest.skip("needs a machine that uses more of its memory")
    threshold = {"cpu_usage": 1, "memory_usage": 0.01}
    return adaptive("process-ft", switch_threshold=threshold, **options)


class Load:
    """Callers that never stop, and what became of their calls."""

    def __init__(self, pit):
        self.pit = pit
        self.ended = threading.Event()
        self.made = [0] * CALLERS
        self.wrong = []
        self.processes = set()  # that have answered
        self.threads = [
            threading.Thread(target=self.call, args=(i,)) for i in range(CALLERS)
        ]

    def call(self, caller):
        while not self.ended.is_set():
            value = [caller, self.made[caller]]
            try:
                answer = self.pit.call("echo", {"value": value})
                self.processes.add(answer[1])
                if answer[0] != value:
                    self.wrong.append(answer)
            except Exception as error:
                self.wrong.append(repr(error))
            self.made[caller] += 1
            time.sleep(0.01)  # the load, not a condition: it is to be a light one

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        for thread in self.threads:
            thread.join()


def fields_of(line):
    """The fields of a line that have no spaces, and why."""
    words = line.split(' because="')
    found = dict(word.split("=", 1) for word in words[0].split()[1:])
    found["because"], rest = words[1].split('"', 1)
    found.update(word.split("=", 1) for word in rest.split())
    return found


def switches(pit):
    return [fields_of(line) for line in pit.logged("pool.profile_switch")]


def run_at_once(pit, folder, count):
    """How many processes serve so many calls that run at the same time."""
    gates = [folder / f"gate{i}" for i in range(count)]
    began = [folder / f"began{i}" for i in range(count)]
    for gate, ready in zip(gates, began, strict=True):
        os.mkfifo(gate)
        ready.unlink(missing_ok=True)
    calls = [
        pit.submit("wait_for", {"path": str(gate), "ready": str(ready)})
        for gate, ready in zip(gates, began, strict=True)
    ]
    for ready in began:
        wait_for_file(ready)
    assert pit.stats().running == count
    for gate, call in zip(gates, calls, strict=True):
        open_gate(gate, call.ended.is_set)
        gate.unlink()
    return len({call.wait().value for call in calls})


def has_moved(pit, times=1):
    return pit.stats().profile_switches >= times


def test_a_move_to_threads_loses_no_call_and_is_kept(open_pit, tmp_path):
    pit = open_pit(short_of_memory())
    with Load(pit) as load:
        eventually(lambda: has_moved(pit), "it has moved", WITHIN)
        moved = sum(load.made)
        eventually(lambda: pit.logged("pool.profile_kept"), "it is kept", WITHIN)
        eventually(lambda: sum(load.made) > moved + CALLERS, "calls go on", WITHIN)
    assert not load.wrong
    assert len(switches(pit)) == 1
    switch = switches(pit)[0]
    assert (switch["from"], switch["to"]) == ("process", "thread")
    assert (switch["workers"], switch["threads"]) == ("1", str(CALLS))
    assert switch["because"] == "much of the memory is in use"
    kept = fields_of(pit.logged("pool.profile_kept")[0])
    assert int(kept["bytes_after"]) < int(kept["bytes_before"]) / 2
    # What it can do has stayed the same, and one process does it.
    assert run_at_once(pit, tmp_path, CALLS) == 1
    stats = pit.stats()
    assert (stats.profile, stats.state) == (b"thread", b"ready")
    assert (stats.workers, stats.threads_per_worker, stats.capacity) == (
        1,
        CALLS,
        CALLS,
    )
    assert (stats.failures, stats.worker_deaths) == (0, 0)
    assert stats.calls >= sum(load.made)
    assert (stats.profile_switches, stats.profile_switches_undone) == (1, 0)


def test_a_reload_leaves_a_pool_in_the_profile_that_it_has(open_pit, tmp_path):
    options = short_of_memory()
    pit = open_pit(options)
    eventually(lambda: has_moved(pit), "it has moved", WITHIN)
    eventually(lambda: pit.logged("pool.profile_kept"), "it is kept", WITHIN)
    pit.reload({**options, "max_queue": 7, "switch_min_stay_ms": 3_600_000})
    assert pit.stats().profile == b"thread"
    assert pit.stats().workers_outdated == 0
    assert run_at_once(pit, tmp_path, CALLS) == 1
    # Other workers are made as the configuration says.
    pit.reload({**options, "adaptive_pooling": False, "adapter_config": {"new": True}})
    eventually(lambda: len(pit.workers()) == CALLS, "it is as in the file", WITHIN)
    assert pit.stats().profile == b"process"
    assert pit.stats().failures == 0


def test_a_move_to_processes_loses_no_call(open_pit, tmp_path):
    if used_memory() > 0.6:
        pytest.skip("needs a machine with memory to spare")
    threshold = {"cpu_usage": 1, "memory_usage": 1}
    pit = open_pit(adaptive("thread", switch_threshold=threshold))
    with Load(pit) as load:
        eventually(lambda: has_moved(pit), "it has moved", WITHIN)
        moved = sum(load.made)
        eventually(lambda: sum(load.made) > moved + CALLERS, "calls go on", WITHIN)
        eventually(lambda: len(load.processes) > 2, "several serve", WITHIN)
    assert not load.wrong
    # On a busy machine calls may cost more than before, so that it goes back.
    assert run_at_once(pit, tmp_path, CALLS) in (1, CALLS)
    switch = switches(pit)[0]
    assert (switch["from"], switch["to"]) == ("thread", "process")
    assert (switch["workers"], switch["threads"]) == (str(CALLS), "1")
    assert switch["because"] == "there is room for processes"
    stats = pit.stats()
    assert (stats.capacity, stats.failures, stats.worker_deaths) == (CALLS, 0, 0)


def test_a_move_that_gains_nothing_is_undone(open_pit, tmp_path):
    starts = tmp_path / "starts"
    pit = open_pit(
        short_of_memory(
            adapter="adaptive.Hoard", adapter_config={"starts": str(starts)}
        )
    )
    with Load(pit) as load:
        eventually(lambda: has_moved(pit, 2), "it is back", WITHIN)
    assert not load.wrong
    first, second = switches(pit)[:2]
    assert (first["to"], second["to"]) == ("thread", "process")
    assert second["because"] == "the last switch gained nothing"
    assert int(second["bytes_after"]) >= int(second["bytes_before"])
    stats = pit.stats()
    assert stats.profile_switches_undone >= 1
    assert (stats.failures, stats.worker_deaths) == (0, 0)


@pytest.mark.parametrize(
    ("kind", "adapter", "because"),
    [
        ("process", "adaptive.Model", "the interpreter is not a free-threaded build"),
        (
            "process-ft",
            "adaptive.Undeclared",
            "the adapter does not say that it is thread-safe",
        ),
    ],
)
def test_a_pool_that_may_not_move_says_why_and_stays(open_pit, kind, adapter, because):
    threshold = {"cpu_usage": 0.01, "memory_usage": 0.01}
    pit = open_pit(
        adaptive(
            kind, adapter=adapter, switch_threshold=threshold, switch_min_stay_ms=100
        )
    )
    pit.await_line("pool.not_adaptive", f'because="{because}"')
    assert pit.call("echo", {"value": 7}) is not None
    assert not switches(pit)
    assert pit.stats().profile == b"process"
