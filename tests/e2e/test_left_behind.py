# SPDX-License-Identifier: MIT
"""Lesson 2, of workers that leave by themselves when they are asked to."""

from __future__ import annotations

import os
import signal

import pytest
from support import alive_of, eventually, pool, seconds
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
    pit, tmp_path
):
    children = {start(pit, tmp_path / str(i)) for i in range(3)}
    with seconds() as taken:
        pit.close()
    assert len(list(tmp_path.iterdir())) == 3, "no SIGTERM came"
    assert not alive_of(children)
    (line,) = pit.logged("worker.exit")
    assert "code=0" in line and "signal=0" in line
    assert taken.seconds < 5


def test_lesson_02_what_stays_is_killed_after_the_grace(pit, tmp_path):
    child = start(pit, tmp_path / "heard", "deaf")
    with seconds() as taken:
        pit.close()
    assert (tmp_path / "heard").exists()
    eventually(lambda: not child.alive, "the child dies", 1.0)
    assert GRACE <= taken.seconds < 10 * GRACE


def test_a_worker_that_leaves_nothing_behind_is_not_waited_for(open_pit, kind):
    pit = open_pit(pool(kind, adapter="leaves.Leaves", stop_grace_ms=20_000))
    with seconds() as taken:
        pit.close()
    assert taken.seconds < 10


def test_lesson_02_a_worker_that_dies_unasked_takes_its_children_at_once(pit, tmp_path):
    (row,) = pit.workers()
    child = start(pit, tmp_path / "heard", "deaf")
    os.kill(row.pid, signal.SIGKILL)
    eventually(lambda: not child.alive, "the child dies", 1.0)
    assert not (tmp_path / "heard").exists()
