# SPDX-License-Identifier: MIT
"""slow_call_ms: the log tells of calls that run for long."""

from __future__ import annotations

import os

import pytest
from support import eventually, open_gate, pool
from support.stacks import line_of


@pytest.fixture
def gate(tmp_path):
    os.mkfifo(tmp_path / "gate")
    return tmp_path / "gate"


def stands(profile, **options):
    return pool(profile, adapter="stands.Stands", **options)


def test_a_slow_call_is_told_with_its_stack_while_it_runs(open_pit, profile, gate):
    pit = open_pit(stands(profile, slow_call_ms=50))
    assert pit.call("echo", {"value": 1}) == 1
    first = pit.submit("lock", {"gate": str(gate)})
    (line,) = eventually(lambda: pit.logged("call.slow"), "the log tells of it")
    assert "tool=lock" in line
    assert f'arguments="gate: str[{len(str(gate))}]"' in line
    assert "ended=no" in line
    assert f"line {line_of('stands.py', 'lock')} in Stands.lock" in line
    open_gate(gate, first.ended.is_set)
    assert first.wait().value == "went on"
    # Another tool has a line of its own, and this one none for a minute.
    second = pit.submit("hold_gil", {"gate": str(gate)})
    eventually(lambda: len(pit.logged("call.slow")) == 2, "the other is told")
    open_gate(gate, second.ended.is_set)
    assert [("tool=lock" in one) for one in pit.logged("call.slow")] == [True, False]


def test_a_call_that_is_over_before_anybody_looks_is_told(open_pit, profile):
    pit = open_pit(pool(profile, slow_call_ms=20))
    assert pit.call("sleep", {"seconds": 0.05}) == 0.05
    (line,) = eventually(lambda: pit.logged("call.slow"), "the log tells of it")
    assert 'tool=sleep arguments="seconds: float"' in line
    # Where the loop has looked in those few milliseconds, it was told with its stack.
    assert ("ended=no" in line) == ("stack=" in line)


def test_nobody_is_told_of_where_it_is_off(open_pit, gate):
    pit = open_pit(stands("process"))
    call = pit.submit("lock", {"gate": str(gate)})
    (row,) = eventually(
        lambda: [r for r in pit.executors() if r.running_us > 2_500_000], "it is slow"
    )
    assert row.tool == "lock"
    open_gate(gate, call.ended.is_set)
    assert call.wait().value == "went on"
    assert pit.logged("call.slow") == []
