# SPDX-License-Identifier: MIT
"""What a worker gives to tools, and what tools must leave to it."""

from __future__ import annotations

import resource

import pytest
from support import CallFailed, Pit, eventually, pool

MIB = 1 << 20
CAUSE = "closed descriptors that Snakepit needs"


@pytest.fixture(params=["process", "thread"])
def profile(request):
    return request.param


def careful(kind, **options):
    made = {"adapter": "careful.Careful", "heartbeat_interval_ms": 100, **options}
    return pool(kind, **made)


# ---- Descriptors ---------------------------------------------------------------------


@pytest.mark.parametrize("first", [3, 0], ids=["from_3", "from_0"])
def test_a_call_whose_tool_closes_all_descriptors_is_told_so(open_pit, profile, first):
    pit = open_pit(careful(profile))
    arguments = {"first": first, "last": 256, "stay": True}
    with pytest.raises(CallFailed) as failed:
        pit.call("close", arguments, timeout_ms=60_000)
    assert failed.value.err == "WORKER_DIED"
    assert CAUSE in failed.value.fault.cause
    assert isinstance(pit.call("pid"), int)


@pytest.mark.parametrize(
    ("first", "last"), [(6, 7), (7, 8)], ids=["channel", "doorbell"]
)
def test_a_worker_without_one_descriptor_is_replaced(open_pit, profile, first, last):
    pit = open_pit(careful(profile))
    broken = pit.call("close", {"first": first, "last": last})
    eventually(lambda: pit.call("pid") != broken, "another worker", 30.0)
    assert any("has closed descriptors" in line for line in pit.logged("worker.stderr"))


@pytest.mark.parametrize("number", [6, 7])
def test_a_file_in_the_place_of_a_descriptor_is_not_read(
    open_pit, profile, number, tmp_path
):
    pit = open_pit(careful(profile))
    path = tmp_path / "file"
    broken = pit.call("replace", {"number": number, "path": str(path)})
    eventually(lambda: pit.call("pid") != broken, "another worker", 30.0)
    assert path.read_bytes() == b""


@pytest.mark.errors_logged("pool.failed")
def test_an_import_that_closes_descriptors_is_told_so(opened, profile):
    pit = Pit.open(
        careful(profile, adapter_env={"CLOSE": "import"}, restart_backoff_max_ms=50)
    )
    opened.append(pit)
    with pytest.raises(CallFailed) as failed:
        pit.call("pid", timeout_ms=60_000)
    assert CAUSE in str(failed.value)


# ---- Stacks --------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 32])
def test_executors_and_the_loop_have_the_stack_that_the_pool_says(open_pit, size):
    pit = open_pit(careful("thread", executor_stack_size=f"{size}MiB"))
    assert pit.call("stack") == size * MIB
    assert pit.call("stack_of_loop") == size * MIB
    assert pit.call("stack_of_others") not in (1 * MIB, 32 * MIB)


def test_the_stack_does_not_depend_on_the_limits_of_the_host(open_pit):
    before = resource.getrlimit(resource.RLIMIT_STACK)
    resource.setrlimit(resource.RLIMIT_STACK, (2 * MIB, before[1]))
    try:
        pit = open_pit(careful("thread"))
    finally:
        resource.setrlimit(resource.RLIMIT_STACK, before)
    assert pit.call("stack") == 8 * MIB


def everything_said(pit):
    """What the pool's processes have printed."""
    lines = pit.logged("worker.stderr") + pit.logged("template.stderr")
    return "\n".join(lines)


# ---- Warnings ------------------------------------------------------------------------


@pytest.mark.parametrize("filters", ["error", "error::RuntimeWarning"])
def test_what_is_only_warned_of_refuses_no_adapter(open_pit, profile, filters):
    pit = open_pit(
        careful(
            profile,
            adapter_env={"PYTHONWARNINGS": filters},
            thread_safety_checks=True,
        )
    )
    assert isinstance(pit.call("pid"), int)
    eventually(lambda: "_hidden is private" in everything_said(pit), "the warning")
