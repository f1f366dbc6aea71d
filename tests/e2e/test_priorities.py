# SPDX-License-Identifier: MIT
"""Which of the calls that wait is run next."""

from __future__ import annotations

import functools
import os

import pytest
from support import Refused, open_gate, pool, wait_for_file


def test_the_more_urgent_are_run_first_and_of_one_priority_the_first(
    open_pit, profile, tmp_path
):
    pit = open_pit(pool(profile, prefetch=0, threads_per_worker=1))
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    began = tmp_path / "began"
    busy = pit.submit("wait_for", {"path": str(gate), "ready": str(began)})
    wait_for_file(began)
    ended = []
    calls = []
    for i, priority in enumerate([0, 3, 7, 3, 0, 7]):
        tell = functools.partial(lambda name, _call: ended.append(name), (priority, i))
        calls.append(pit.submit("ping", priority=priority, then=tell))
    open_gate(gate, busy.ended.is_set)
    for call in calls:
        assert call.wait().value == "pong"
    assert ended == [(7, 2), (7, 5), (3, 1), (3, 3), (0, 0), (0, 4)]


def test_a_priority_that_there_is_not_is_refused(open_pit):
    pit = open_pit(pool("process"))
    with pytest.raises(Refused, match="the call's priority is 8; the highest is 7"):
        pit.submit("ping", priority=8)
