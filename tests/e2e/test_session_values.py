# SPDX-License-Identifier: MIT
"""Values of sessions, as tools keep and read them."""

from __future__ import annotations

import pytest
from support import (
    eventually,
    pool,
)
from support.asking import open_asking

NUMBERS = [0, -(2**63), 2**64 - 1, 1.5]
VALUES = [None, True, *NUMBERS, "", "snake", b"\0", [1, [2]], {"k": []}]


@pytest.fixture
def pit(open_pit, kind):
    return open_asking(open_pit, kind)


# ---- Session values ------------------------------------------------------------------


def test_tools_keep_values_of_their_session(pit):
    for value in VALUES:
        pit.call("put", {"key": "k", "value": value}, session="s")
        assert pit.call("get", {"key": "k"}, session="s") == value
        assert pit.get("s", "k") == value
    pit.put("s", "other", 1)
    assert pit.call("keys", session="s") == ["k", "other"]
    assert pit.call("get_in_thread", {"key": "other"}, session="s") == 1
    assert pit.call("delete", {"key": "k"}, session="s") is True
    assert pit.call("delete", {"key": "k"}, session="s") is False
    assert pit.call("get", {"key": "k", "default": 5}, session="s") == 5
    assert pit.call("keys", session="s2") == []


@pytest.mark.parametrize("depth", [126, 127, 128])
def test_a_value_may_be_as_deep_as_a_result(pit, depth):
    """Whoever puts it and whoever reads it: what carries it does not count."""
    value = 7
    for _ in range(depth):
        value = [value]
    pit.call("put_nested", {"key": "tools", "depth": depth}, session="s")
    pit.put("s", "hosts", value)
    for key in ("tools", "hosts"):
        assert pit.get("s", key) == value
        assert pit.call("depth_of", {"key": key}, session="s") == depth


def test_a_value_that_is_deeper_than_a_result_is_refused(pit):
    fault = pit.fails("put_nested", {"key": "k", "depth": 129}, session="s")
    assert "cannot keep 'k': nesting too deep" in fault.message
    assert pit.call("keys", session="s") == []


def test_values_are_the_same_in_every_worker(open_pit, profile):
    pit = open_pit(pool(profile, adapter="asks.Asks", pool_size=2))
    pit.call("put", {"key": "k", "value": 1}, session="s")
    gone = pit.workers()
    pit.kill_workers()
    assert pit.call("get", {"key": "k"}, session="s") == 1
    assert not {row.id for row in gone} & {row.id for row in pit.workers()}


def test_a_value_lives_as_long_as_it_is_told_to(pit):
    pit.call("put", {"key": "k", "value": 1, "ttl": 0.2}, session="s")
    pit.call("put", {"key": "stays", "value": 1, "ttl": 60}, session="s")
    eventually(lambda: pit.call("keys", session="s") == ["stays"])


def test_what_a_session_may_not_keep_is_an_exception(open_pit, kind):
    pit = open_pit(pool(kind, adapter="asks.Asks"), session_quota="64KiB")

    def caught(operation, *arguments, session="s"):
        return pit.call(
            "values_caught",
            {"operation": operation, "arguments": list(arguments)},
            session=session,
        )

    over = caught("put", "k", "x" * 100_000)
    assert "QuotaExceeded" in over["bases"] and over["code"] == "QUOTA_EXCEEDED"
    assert "session_quota" in over["message"]
    assert "ValueError" in caught("put", "", 1)["bases"]
    assert "ValueError" in caught("get", "x" * 256)["bases"]
    assert "ValueError" in caught("put", "k", 1, -1)["bases"]
    assert "LookupError" in caught("get", "k", session=None)["bases"]
    fault = pit.fails("put", {"key": "k", "value": "x" * 100_000}, session="s")
    assert fault.err == "QUOTA_EXCEEDED"
    assert fault.type == "snakepit_bridge.errors.QuotaExceeded"
    assert caught("put", "k", 1) is None


@pytest.mark.parametrize("choice", ["error", "marker", "marker_with_repr"])
def test_what_was_put_can_be_read_whatever_becomes_of_results(open_pit, choice):
    pit = open_pit(pool(adapter="asks.Asks", on_unserialisable=choice))
    pit.call("put", {"key": "k", "value": "old"}, session="s")
    for kind, error, place in (
        ("tuple", "TypeError", "tuple at value['rows'][0].keys(); keys are texts"),
        ("object", "TypeError", "object at value[1]; only plain values are kept"),
        ("array", "TypeError", "array.array at value['rows'][1]; a session keeps no"),
        ("huge", "OverflowError", "an integer beyond 64 bits at value['n']"),
    ):
        caught = pit.call("put_odd", {"kind": kind}, session="s")
        assert caught["bases"][0] == error, kind
        assert caught["message"].startswith(
            "session_context.put: session 's' cannot keep 'k': "
        )
        assert place in caught["message"]
        assert pit.call("get", {"key": "k"}, session="s") == "old"
    # What the value's own code raises is told as it is.
    assert pit.call("put_odd", {"kind": "broken"}, session="s")["message"] == "mine"
