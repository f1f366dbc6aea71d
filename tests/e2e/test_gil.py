# SPDX-License-Identifier: MIT
"""The GIL that comes back in a tool, and threads that are allowed to take turns."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from support import CallFailed, eventually, pool
from support.extensions import takes_the_gil
from support.places import SYSTEM


@pytest.fixture(scope="module")
def extension(tmp_path_factory):
    """The path of an extension that switches the GIL on."""
    return str(takes_the_gil(tmp_path_factory.mktemp("extension")))


def turns(**options):
    made = {"adapter": "turns.Turns", "heartbeat_interval_ms": 100, **options}
    return pool("thread", **made)


def meet(pit):
    """What four calls return that cannot end before all have begun."""
    with ThreadPoolExecutor(4) as threads:
        return list(threads.map(lambda _: pit.call("meet"), range(4)))


# ---- It comes back -------------------------------------------------------------------


def test_a_pool_falls_back_when_a_tool_takes_the_gil(open_pit, extension):
    pit = open_pit(turns())
    before = pit.call("take_the_gil", {"path": extension})
    eventually(lambda: pit.stats().profile == b"process", "processes", 30.0)
    (line,) = pit.logged("pool.fallback")
    assert "switched the GIL back on" in line
    pit.await_ready()
    assert pit.call("has_gil") is False  # of the new process
    assert before not in [row.pid for row in pit.workers()]


def test_a_call_that_runs_when_the_gil_comes_back_is_let_finish(open_pit, extension):
    pit = open_pit(turns(stop_grace_ms=100))
    arguments = {"path": extension, "seconds": 3.0}
    assert isinstance(pit.call("take_the_gil", arguments), int)
    eventually(lambda: pit.stats().profile == b"process", "processes", 30.0)
    assert len(pit.logged("pool.fallback")) == 1


@pytest.mark.errors_logged("pool.failed")
def test_a_pool_fails_when_a_tool_takes_the_gil_if_so_wished(open_pit, extension):
    pit = open_pit(turns(on_unsupported="refuse"))
    # Its own answer comes only if it is there before the pool's workers are ended.
    pit.answer("take_the_gil", {"path": extension}).free()
    eventually(lambda: pit.state() == "failed", "a failed pool", 30.0)
    with pytest.raises(CallFailed) as failed:
        pit.call("has_gil")
    assert failed.value.err == "POOL_FAILED"
    assert "switched the GIL back on" in str(failed.value)


def test_a_pool_goes_on_when_a_tool_takes_the_gil_if_so_wished(open_pit, extension):
    pit = open_pit(turns(on_unsupported="allow"))
    assert pit.stats().profile == b"thread"
    pid = pit.call("take_the_gil", {"path": extension})
    eventually(lambda: pit.stats().profile == b"thread (GIL)", "it is told", 30.0)
    assert len(pit.logged("pool.gil")) == 1
    assert pit.call("has_gil") is True
    assert meet(pit) == [pid] * 4


# ---- It was never away ---------------------------------------------------------------


def test_threads_may_take_turns_on_any_interpreter(open_pit):
    pit = open_pit(turns(on_unsupported="allow", python=SYSTEM, pool_size=2))
    assert pit.stats().profile == b"thread (GIL)"
    assert pit.call("has_gil") is True
    assert pit.stats().capacity == 8
    (line,) = pit.logged("pool.gil")
    assert "on_unsupported" in line
    assert not pit.logged("pool.fallback")


def test_calls_run_at_once_although_threads_take_turns(open_pit):
    pit = open_pit(turns(on_unsupported="allow", python=SYSTEM))
    assert len(set(meet(pit))) == 1


def test_what_is_not_thread_safe_is_not_run_on_threads(open_pit):
    wanted = turns(adapter="turns.Unsafe", on_unsupported="allow", python=SYSTEM)
    pit = open_pit(wanted)
    assert pit.stats().profile == b"process"
