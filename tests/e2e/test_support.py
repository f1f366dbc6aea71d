# SPDX-License-Identifier: MIT
"""The tests' own support: what a test that fails leaves behind is cleared away, so that
its assertion is told and the tests after it run.
"""

from __future__ import annotations

import pytest
from support import Pit, Refused, eventually, pool
from support.asking import Blocked, Caller, open_asking_one
from support.host_tools import register

# Workers are killed until the callers have left, maybe before they were ready.
pytestmark = pytest.mark.errors_logged("pool.failed", "pool.down")
ENDS = ("WORKER_DIED", "POOL_DOWN", "POOL_FAILED")


def test_a_pit_whose_caller_is_in_a_host_tool_can_be_ended(open_pit):
    pit = open_asking_one(open_pit, "process")
    blocked = Blocked(7)
    register(pit, "blocked", blocked)
    caller = Caller(pit, "host", {"tool": "blocked"})
    blocked.wait()
    pit.end()
    assert caller.join() is not None  # the tool's result, or its worker's death
    pit.end()  # as the fixture does


def test_a_pit_whose_caller_waits_for_a_worker_can_be_ended(open_pit):
    pit = open_asking_one(open_pit, "process")
    caller = Caller(pit, "sleep", {"seconds": 60})
    eventually(lambda: pit.workers()[0].load == 1)
    pit.end()
    assert caller.join().err in ENDS


def test_a_pit_is_ended_where_a_with_block_fails():
    callers = []
    with pytest.raises(ZeroDivisionError), Pit.open(pool(adapter="asks.Asks")) as pit:
        pit.await_ready()
        callers.append(Caller(pit, "sleep", {"seconds": 60}))
        eventually(lambda: pit.workers()[0].load == 1)
        1 / 0  # noqa: B018
    assert callers[0].join().err in ENDS


def test_a_shared_pit_that_never_gets_ready_is_closed(shared_pit):
    with pytest.raises(Refused, match="POOL_FAILED"):
        shared_pit(pool(adapter="there_is_no_such_module"))
