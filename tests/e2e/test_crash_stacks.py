# SPDX-License-Identifier: MIT
"""The Python stack of a crash, and where a start is that never ends."""

from __future__ import annotations

import signal

import pytest
from support import Refused, pool
from support.extensions import overflows, survives

LATE_MS = 3000  # a start has reached its hang by then, also on a busy machine
HEAD = "Stack (most recent call first):"


def crashing(kind, **options):
    options.setdefault("adapter", "crashes.Crashes")
    return pool(kind, **options)


def crash(pit, tool, arguments=None):
    """The fault of a call that ends its worker; the pool has another one then."""
    fault = pit.fails(tool, arguments or {})
    assert fault.err == "WORKER_DIED"
    pit.await_replacement(*(row for row in pit.workers() if row.id == fault.worker))
    return fault


# ---- Crashes -------------------------------------------------------------------------


@pytest.fixture(params=["forked", "exec'ed", "threads"])
def pit_that_crashes(request, open_pit):
    """A worker that was forked, one that is a fresh interpreter, one with threads."""
    if request.param == "threads":
        return open_pit(crashing("thread"))
    template = "auto" if request.param == "forked" else "off"
    return open_pit(crashing("process", template=template))


def test_a_crash_leaves_its_python_stack(pit_that_crashes, tmp_path):
    pit = pit_that_crashes
    library = str(overflows(tmp_path))
    for tool, arguments, number in [
        ("fault", {}, signal.SIGSEGV),
        ("abort", {}, signal.SIGABRT),
        ("overflow", {"library": library}, signal.SIGSEGV),
        ("divide", {}, signal.SIGFPE),
    ]:
        fault = crash(pit, tool, arguments)
        assert number.name in fault.cause or "not said how" in fault.cause
        lines = fault.crash_stack.splitlines()
        assert lines[0] == HEAD, fault
        assert any(line.endswith(f" in {tool}") for line in lines)
        assert any("crashes.py" in line for line in lines)
        assert fault.last_output == ""
    lines = pit.logged("worker.crash")
    assert len(lines) == 4
    assert all(f'stack="{HEAD} ' in line for line in lines)


def test_the_stack_is_that_of_the_thread_which_crashed(open_pit, profile):
    pit = open_pit(crashing(profile))
    stack = crash(pit, "fault_elsewhere").crash_stack
    assert "in read_nothing" in stack
    assert "in fault_elsewhere" not in stack
    assert crash(pit, "fault_without_python").crash_stack == ""
    stack = crash(pit, "all_at_once").crash_stack
    assert "in read_nothing" in stack
    assert stack.count(HEAD) == 1


def test_only_the_death_of_the_worker_itself_is_told(open_pit, profile):
    """Not a signal that it has survived, and not the crash of a child."""
    pit = open_pit(crashing(profile, adapter="crashes.Survivor"))
    assert pit.call("survive") == 1
    assert pit.call("fault_in_a_child") == signal.SIGSEGV
    assert crash(pit, "die").crash_stack == ""
    assert not pit.logged("worker.crash")


def test_a_handler_that_leaves_its_faults_is_asked_each_time(
    open_pit, profile, tmp_path
):
    """Also on a thread that has no stack of its own for signals."""
    library = {"SURVIVES": str(survives(tmp_path))}
    pit = open_pit(crashing(profile, adapter="crashes.Survives", adapter_env=library))
    for own_thread in (False, True):
        arguments = {"times": 4, "own_thread": own_thread}
        assert pit.call("get_over", arguments) == 4
    assert not pit.logged("worker.crash")


def test_what_overflows_the_stack_for_signals_harms_no_other_memory(open_pit, profile):
    pit = open_pit(crashing(profile, adapter="crashes.Guarded"))
    assert pit.call("below_its_stack") == "---p"


def test_faulthandler_and_descriptors_are_the_adapter_s_own(
    open_pit, profile, tmp_path
):
    pit = open_pit(crashing(profile))
    path = tmp_path / "dump"
    assert pit.call("own_dump", {"path": str(path)}) is False
    assert "in own_dump" in path.read_text()
    fault = crash(pit, "enable_and_fault")
    assert "in enable_and_fault" in fault.crash_stack
    assert "Fatal Python error: Segmentation fault" in fault.last_output
    assert "in enable_and_fault" in fault.last_output
    own = tmp_path / "own"
    crash(pit, "close_all_and_fault", {"path": str(own)})
    assert own.read_bytes() == b""


@pytest.mark.parametrize("tool", ["fault_where_dumps_fail", "abort_where_dumps_fail"])
def test_a_dump_of_faulthandler_that_fails_loses_nothing(open_pit, profile, tool):
    """Where the adapter has it dump all threads. The signal is the first one's."""
    number = signal.SIGSEGV if tool.startswith("fault") else signal.SIGABRT
    pit = open_pit(crashing(profile))
    fault = crash(pit, tool)
    assert f"in {tool}" in fault.crash_stack, fault
    assert number.name in fault.cause
    assert "Fatal Python error" in fault.last_output
    assert f"in {tool}" not in fault.last_output  # its dump did fail


@pytest.mark.errors_logged("pool.failed")
def test_a_start_that_crashes_says_in_what(open_pit, profile):
    options = {"adapter_config": {"crashes": True}, "restart_limit": 1}
    pit = open_pit(crashing(profile, **options), ready=False)
    with pytest.raises(Refused) as refused:
        pit.await_ready()
    assert "killed by signal 11 (SIGSEGV)" in refused.value.why
    assert "in read_nothing" in refused.value.why
    assert "in initialize" in refused.value.why


# ---- Starts that hang ----------------------------------------------------------------

HANGS = {
    "import": (
        {"adapter": "hangs_at_import"},
        "importing the adapter hangs_at_import\n",
        "hangs_deeper.py",
    ),
    "resource": (
        {
            "adapter": "hangs.InResource",
            "preload_resources": [["quick.bin", "q"], ["slow.bin", "model"]],
        },
        "slow.bin (type 'model')\n",
        "in load_resource",
    ),
    "constructor": (
        {"adapter": "hangs.InConstructor"},
        "building InConstructor\n",
        "in __init__",
    ),
    "initialize": (
        {"adapter": "hangs.InInitialize"},
        "in initialize() of InInitialize\n",
        "in wait_for_ever",
    ),
    "spin": (
        {"adapter": "hangs.Spins"},
        "in initialize() of Spins\n",
        "in initialize",
    ),
}


@pytest.mark.errors_logged("pool.failed")
def test_lesson_10_a_start_that_hangs_says_where(open_pit, profile):
    """All of them at once, since each takes as long as its time limit; and a template,
    whose workers hang after it.
    """
    common = {"start_timeout_ms": LATE_MS, "restart_limit": 1}
    template = {} if profile == "thread" else {"template": "off"}
    pools = [
        pool(profile, name=name, **common, **template, **options)
        for name, (options, _stage, _frame) in HANGS.items()
    ]
    forking = pool(name="forking", adapter="hangs_at_import", **common)
    pit = open_pit(*pools, forking, ready=False)
    for name, (_options, stage, frame) in HANGS.items():
        with pytest.raises(Refused) as refused:
            pit.await_ready(name)
        why = refused.value.why
        assert "not ready within start_timeout_ms" in why
        assert "; it was " in why, why
        assert f"{stage}{HEAD}" in why, why
        assert frame in why, why
    assert len(pit.logged("worker.late")) == len(HANGS)
    pit.await_line("template.unused", "start_timeout_ms", "importing the adapter hangs")


def test_a_handler_that_is_switched_off_does_not_keep_a_dead_worker(open_pit, profile):
    pit = open_pit(crashing(profile, adapter="careless.DumpingNoMore"))
    fault = crash(pit, "crash_without")
    assert "SIGSEGV" in fault.cause
    assert any(" in crash_without" in line for line in fault.crash_stack.splitlines())
