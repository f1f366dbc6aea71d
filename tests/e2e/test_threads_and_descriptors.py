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


def await_another(pit, broken):
    """Until another worker answers; the broken one may die while it is asked."""

    def look():
        with pit.answer("pid") as answer:
            assert answer.err in {"OK", "WORKER_DIED"}
            return answer.err == "OK" and answer.value() != broken

    eventually(look, "another worker", 30.0)


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
    await_another(pit, broken)
    assert any("has closed descriptors" in line for line in pit.logged("worker.stderr"))


@pytest.mark.parametrize("number", [6, 7])
def test_a_file_in_the_place_of_a_descriptor_is_not_read(
    open_pit, profile, number, tmp_path
):
    pit = open_pit(careful(profile))
    path = tmp_path / "file"
    broken = pit.call("replace", {"number": number, "path": str(path)})
    await_another(pit, broken)
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


SHUT_DOWN = "shut down"
HOW = {"read": 0, "write": 1, "both": 2}


@pytest.mark.parametrize("how", HOW)
def test_a_tool_that_shuts_the_channel_down_is_told_so(open_pit, profile, how):
    pit = open_pit(careful(profile))
    with pytest.raises(CallFailed) as failed:
        pit.call("shut_down", {"how": HOW[how]}, timeout_ms=60_000)
    assert failed.value.err == "WORKER_DIED"
    assert SHUT_DOWN in failed.value.fault.cause
    assert "connection to the host" in failed.value.fault.cause
    assert isinstance(pit.call("pid"), int)


@pytest.mark.errors_logged("pool.failed")
@pytest.mark.parametrize(
    "how", ["write", "both"]
)  # it cannot even say that it is ready
def test_an_import_that_shuts_the_channel_down_is_told_so(opened, profile, how):
    environment = {"CLOSE": "shut_down", "HOW": str(HOW[how])}
    pit = Pit.open(
        careful(
            profile,
            adapter_env=environment,
            template="off",
            restart_backoff_max_ms=50,
        )
    )
    opened.append(pit)
    with pytest.raises(CallFailed) as failed:
        pit.call("pid", timeout_ms=60_000)
    assert SHUT_DOWN in str(failed.value)


# ---- Messages ------------------------------------------------------------------------

HELLO, READY, FAILED, PONG, EVENTS, GIL, LEAVING = 2, 3, 4, 6, 9, 10, 11
MALFORMED = {
    "the size lies": (PONG, 2**32 - 1, b""),
    "a pong of no number": (PONG, 3, b"abc"),
    "a pong with more": (PONG, 100, b"z" * 100),
    "events with a body": (EVENTS, 3, b"abc"),
    "the GIL with a body": (GIL, 1, b"x"),
    "leaving with a body": (LEAVING, 1, b"x"),
    "a second hello": (HELLO, 12, bytes(12)),
    "a second ready": (READY, 0, b""),
    "failed after ready": (FAILED, 9, b"\xc1" * 9),
    "a message for templates": (65, 16, bytes(16)),
    "a message of the host": (1, 0, b""),
}


@pytest.mark.parametrize("what", MALFORMED)
def test_a_message_that_a_worker_may_not_send_ends_it(open_pit, what):
    """Told as what it is, and none is taken for a failed start of the pool."""
    pit = open_pit(careful("process"))
    kind, size, body = MALFORMED[what]
    with pit.answer("send", {"kind": kind, "size": size, "body": body}) as answer:
        assert answer.err in ("OK", "PROTOCOL")  # it may be faster than the host

    def counted():
        return pit.stats().violations == 1

    eventually(counted, "the violation is counted", 30.0)
    assert isinstance(pit.call("pid"), int)
    # The worker takes calls a moment before the pool says so.
    eventually(lambda: pit.state() == "ready")


# ---- Exits ---------------------------------------------------------------------------


def test_a_tool_that_forks_and_exits_is_told_that_it_has_ended_its_process(
    open_pit, profile
):
    pit = open_pit(careful(profile))
    said = "exited with status 0: the adapter, a tool or a library has ended"
    causes: list[str] = []
    # A call does not wait long for a busy kernel to say how the worker died.
    while len(causes) < 5 and said not in "".join(causes):
        causes.append(pit.fails("fork_and_exit", {"status": 0}).cause)
        pit.await_replacement()
    assert said in causes[-1]


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
