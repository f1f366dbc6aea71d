# SPDX-License-Identifier: MIT
"""Each call runs in a context of its own, which begins as the start has left it."""

from __future__ import annotations

import pytest
from support import THREADS, pool
from support.host_tools import register

STARTED = {
    "user": "nobody",
    "prec": 9,
    "inexact": False,
    "divide": "raise",
    "built": "built",
    "initialized": "initialized",
}
UNTOUCHED = {
    "user": "nobody",
    "prec": 28,
    "inexact": False,
    "divide": "warn",
    "built": "not built",
    "initialized": "not initialized",
}
CHANGED = {"prec": 3, "inexact": True, "divide": "ignore", "built": "spoilt"}
ADAPTERS = {"Shared": STARTED, "Untouched": UNTOUCHED, "PerRequest": STARTED}
CHANGES = ("set", "set_async", "set_and_fail")


def open_one(open_pit, kind, adapter="Shared", **options):
    return open_pit(pool(kind, adapter=f"contexts.{adapter}", **options))


def change(pit, tool):
    if tool == "set_and_fail":
        assert pit.fails(tool, {"user": "Ada"}, session="Ada").type == "ValueError"
        return CHANGED
    return pit.call(tool, {"user": "Ada"}, session="Ada")


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_what_a_call_sets_no_other_call_sees(open_pit, kind, adapter):
    pit = open_one(open_pit, kind, adapter)
    begins_as = ADAPTERS[adapter]
    for tool in CHANGES:
        assert (tool, change(pit, tool).items() >= CHANGED.items()) == (tool, True)
        # Every executor is asked, also the one that ran that call.
        for look in ("look", "look_async") * THREADS:
            seen = pit.call(look, {}, session="Bob")
            assert (tool, look, seen) == (tool, look, begins_as)


@pytest.mark.parametrize("stream", ["steps", "steps_async"])
def test_a_stream_keeps_its_context_and_leaves_nothing(open_pit, kind, stream):
    pit = open_one(open_pit, kind)
    for _ in range(2):
        with pit.stream(stream, {"user": "Ada"}) as items:
            seen = [next(items) for _ in range(3)]
        assert seen == ["nobody 9", "Ada 0 5", "Ada 1 6"]
    assert pit.call("look") == STARTED


def test_a_generator_is_closed_in_the_context_of_its_stream(open_pit):
    pit = open_one(open_pit, "process")
    with pit.stream("steps", {"user": "Ada"}) as items:
        assert [next(items) for _ in range(2)] == ["nobody 9", "Ada 0 5"]
    assert pit.call("closed_as").startswith("Ada ")


def test_a_nested_call_has_a_context_of_its_own(open_pit, kind):
    pit = open_one(open_pit, kind)
    register(pit, "nested", lambda info: pit.call("look"))
    inner, outer = pit.call("ask_and_look", {"user": "Ada"})
    assert inner == STARTED
    assert outer == {**STARTED, **CHANGED, "user": "Ada"}


def test_cleanup_goes_on_in_the_context_of_the_start(open_pit, kind):
    pit = open_one(open_pit, kind)
    change(pit, "set")
    pit.close()
    assert any("cleaned built 9 nobody" in line.text for line in pit.lines)
