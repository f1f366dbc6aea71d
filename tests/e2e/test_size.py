# SPDX-License-Identifier: MIT
"""Pools whose size follows the work."""

from __future__ import annotations

import os
import time

import pytest
from support import Refused, eventually, open_gate, pool, wait_for_file

WITHIN = 60.0  # seconds that a busy machine may take for a few starts


class Burst:
    """Calls that run until they are let go."""

    def __init__(self, pit, folder, count):
        self.gates = [folder / f"gate{i}" for i in range(count)]
        began = [folder / f"began{i}" for i in range(count)]
        for gate in self.gates:
            os.mkfifo(gate)
        self.calls = [
            pit.submit("wait_for", {"path": str(gate), "ready": str(ready), "value": 7})
            for gate, ready in zip(self.gates, began, strict=True)
        ]
        for ready in began:
            wait_for_file(ready)

    def end(self):
        for gate, call in zip(self.gates, self.calls, strict=True):
            open_gate(gate, call.ended.is_set)
            assert call.wait().value == 7


def sizes(pit):
    """What the log says: from, to and why."""
    found = []
    for line in pit.logged("pool.resized"):
        fields = dict(
            word.split("=", 1) for word in line.split(' because="')[0].split()[1:]
        )
        found.append((int(fields["from"]), int(fields["to"]), line.split('"')[1]))
    return found


@pytest.mark.parametrize("how", ["waited for", "submitted"])
def test_it_grows_for_a_call_that_was_handed_over_in_advance(
    open_pit, profile, tmp_path, how
):
    """To a worker whose calls had all been short until then."""
    pit = open_pit(pool(profile, pool_size={"min": 1, "max": 2}, threads_per_worker=1))
    for value in range(200):
        assert pit.call("echo", {"value": value}) == value
    burst = Burst(pit, tmp_path, 1)
    if how == "submitted":
        assert pit.submit("echo", {"value": 7}).wait(WITHIN).value == 7
    else:
        assert pit.call("echo", {"value": 7}, timeout_ms=60_000) == 7
    assert sizes(pit) == [(1, 2, "calls wait for workers")]
    burst.end()


def test_a_pool_grows_with_its_calls_and_shrinks_when_they_are_over(
    open_pit, profile, tmp_path
):
    threads = 2 if profile == "thread" else 1
    size = {"min": 1, "max": 8 // threads}
    pit = open_pit(
        pool(profile, pool_size=size, threads_per_worker=threads, shrink_after_ms=500)
    )
    assert pit.stats().workers == 1
    burst = Burst(pit, tmp_path, 8)
    stats = pit.stats()
    assert (stats.running, stats.waiting, stats.workers) == (8, 0, 8 // threads)
    burst.end()
    eventually(lambda: len(pit.workers()) == 1, "idle workers leave", WITHIN)
    stats = pit.stats()
    assert (stats.workers, stats.failures, stats.worker_deaths) == (1, 0, 0)
    assert stats.state == b"ready"
    grown = [why for before, to, why in sizes(pit) if to > before]
    shrunk = [why for before, to, why in sizes(pit) if to < before]
    assert set(grown) == {"calls wait for workers"}
    assert set(shrunk) == {"workers are idle"}


@pytest.mark.quiet
def test_a_burst_takes_it_from_2_to_16_workers_within_200_ms(open_pit, tmp_path):
    pit = open_pit(pool("process", pool_size={"min": 2, "max": 16}))
    begun = time.monotonic()
    burst = Burst(pit, tmp_path, 16)
    taken = time.monotonic() - begun
    burst.end()
    # They start in two batches. A busy machine may take longer for these alone.
    late = max(0.0, 2 * (max(pit.start_seconds()) - 0.05))
    assert taken <= 0.2 + late


def test_one_that_is_too_many_ends_what_it_runs(open_pit, profile, tmp_path):
    threads = 2 if profile == "thread" else 1
    size = {"min": 1, "max": 2}
    pit = open_pit(pool(profile, pool_size=size, threads_per_worker=threads))
    pit.resize(2)
    eventually(lambda: pit.stats().workers_ready == 2, "it has grown", WITHIN)
    burst = Burst(pit, tmp_path, 2 * threads)
    pit.resize(1)
    eventually(lambda: pit.stats().workers == 1, "it has shrunk")
    assert pit.stats().running == 2 * threads
    burst.end()
    eventually(lambda: len(pit.workers()) == 1, "it has left", WITHIN)
    assert pit.stats().worker_deaths == 0
    assert sizes(pit)[:2] == [
        (1, 2, "the program asked for it"),
        (2, 1, "the program asked for it"),
    ]


def test_a_size_outside_of_the_range_is_refused(open_pit):
    pit = open_pit(pool("process", pool_size=2))
    with pytest.raises(Refused, match="pool default may not have 3 workers; its pool"):
        pit.resize(3)
    with pytest.raises(Refused, match="INVALID_ARGUMENT"):
        pit.resize(1)
    with pytest.raises(Refused, match='no pool "other"'):
        pit.resize(2, pool="other")
    assert pit.resize(2).stats().workers == 2
