# SPDX-License-Identifier: MIT
"""A tool that calls exec: its worker is gone, though its process lives."""

from __future__ import annotations

import sys

import pytest
from support import alive_of, pool

REPLACED = "killed by us because a tool has replaced its program (exec)"
NOT_SAID = "died; the kernel has not said how"


@pytest.mark.parametrize(
    "program",
    [["/bin/sleep", "60"], [sys.executable, "-c", "import time; time.sleep(60)"]],
    ids=["another", "python"],
)
def test_a_worker_that_was_replaced_by_exec_is_told_as_that(open_pit, kind, program):
    pit = open_pit(pool(kind, adapter="replaces.Replaces"))
    causes = set()
    for _ in range(5):
        (row,) = pit.workers()
        process = row.process
        fault = pit.fails("replace", {"program": program})
        causes.add(fault.cause)
        # Sent again it would do the same.
        assert (fault.err, fault.stage) == ("WORKER_DIED", "running")
        assert fault.worker == row.id
        (other,) = pit.await_replacement(row)
        assert pit.call("pid") == other.pid != row.pid
        assert not alive_of({process})
    # A call does not wait long for a busy kernel to get on with the exec.
    assert REPLACED in causes and causes <= {REPLACED, NOT_SAID}
