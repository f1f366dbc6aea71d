# SPDX-License-Identifier: MIT
"""A tool is what its outermost decorator makes of it, for as long as that runs."""

from __future__ import annotations

import pytest
from support import THREADS, pool

ONE_VALUE = [
    "sync_made_async",
    "async_made_sync",
    "passed_on",
    "gives_an_awaitable",
]
MANY_VALUES = ["generator_made_a_list", "generator_passed_on", "items_passed_on"]


def open_one(open_pit, kind, adapter="Shared", **options):
    return open_pit(pool(kind, adapter=f"decorated.{adapter}", **options))


@pytest.mark.parametrize("adapter", ["Shared", "PerRequest"])
def test_tools_are_what_their_decorators_make_of_them(open_pit, kind, adapter):
    pit = open_one(open_pit, kind, adapter)
    for name in ONE_VALUE:
        assert (name, pit.call(name, {"a": 1})) == (name, 2)
        with pit.stream(name, {"a": 1}) as stream:
            assert (name, list(stream)) == (name, [2])
    for name in MANY_VALUES:
        assert (name, pit.call(name, {"a": 1})) == (name, [2])
    fault = pit.fails("fails", {"a": "an async no"})
    assert (fault.type, fault.message) == ("ValueError", "an async no")
    assert fault.arguments == "a: str[11]"


def test_a_coroutine_that_a_decorator_hands_on_can_be_cancelled(open_pit, kind):
    pit = open_one(open_pit, kind)
    call = pit.submit("never_ends", {"a": 1})
    pit.cancel(call)
    assert call.wait().err == "CANCELLED"
    assert pit.call("passed_on", {"a": 1}) == 2


def test_async_calls_are_active_requests_and_count_once(open_pit):
    pit = open_one(open_pit, "thread")
    calls = [pit.submit("meet", {"count": THREADS}) for _ in range(THREADS)]
    seen = [call.wait().value for call in calls]
    assert seen[0][1] == THREADS and max(active for active, _ in seen) == THREADS
    assert pit.call("counts") == [0, THREADS]
