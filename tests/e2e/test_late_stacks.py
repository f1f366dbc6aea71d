# SPDX-License-Identifier: MIT
"""The fault of a call whose time is up says where its tool was."""

from __future__ import annotations

import os

import pytest
from support import eventually, open_gate, pool
from support.answers import CallFailed
from support.stacks import line_of

ADAPTER = "stands.py"


@pytest.fixture
def gate(tmp_path):
    os.mkfifo(tmp_path / "gate")
    return tmp_path / "gate"


def stands(profile, **options):
    return pool(profile, adapter="stands.Stands", cancel_grace_ms=60_000, **options)


def innermost(fault):
    """File and line of the innermost call."""
    first = fault.late_stack.splitlines()[0]
    place, line = first.split(", line ")
    return place, line


def stood_in(fault, tool):
    place, rest = innermost(fault)
    assert place.endswith(f'/adapters/{ADAPTER}"')
    assert rest == f"{line_of(ADAPTER, tool)} in Stands.{tool}"


def until_idle(pit):
    return all(row.state == "idle" for row in pit.executors())


LONG_MS = 300
TIMES = 100


def late(pit, gate, ask):
    """The fault of a late call. There is no stack where the machine is so busy that the
    call has not come to its place, or the look takes too long: then once more.
    """
    for _ in range(TIMES):
        fault = ask()
        assert fault.err == "DEADLINE_EXCEEDED"
        open_gate(gate, lambda: until_idle(pit))
        if "Stands." in fault.late_stack.split("\n")[0]:
            return fault
    raise AssertionError("no stack was ever seen")


@pytest.mark.parametrize("tool", ["hold_gil", "lock"])
def test_a_submitted_call_tells_where_it_was(open_pit, profile, gate, tool):
    pit = open_pit(stands(profile))

    def ask():
        return pit.submit(tool, {"gate": str(gate)}, timeout_ms=LONG_MS).wait().fault

    stood_in(late(pit, gate, ask), tool)


def test_a_caller_that_waits_is_told_where_it_was(open_pit, profile, gate):
    pit = open_pit(stands(profile))

    def ask():
        with pytest.raises(CallFailed) as raised:
            pit.call("lock", {"gate": str(gate)}, timeout_ms=LONG_MS)
        return raised.value.fault

    stood_in(late(pit, gate, ask), "lock")


def test_a_call_that_never_ran_was_nowhere(open_pit, gate):
    pit = open_pit(stands("process", pool_size=1))
    first = pit.submit("lock", {"gate": str(gate)})
    eventually(lambda: not until_idle(pit), "the call runs")
    second = pit.submit("echo", {"value": 1}, timeout_ms=50).wait()
    assert (second.err, second.fault.late_stack) == ("DEADLINE_EXCEEDED", "")
    open_gate(gate, first.ended.is_set)
    assert first.wait().value == "went on"
