# SPDX-License-Identifier: MIT
"""Tools of the host that call the workers that ask them."""

from __future__ import annotations

import pytest
from support import (
    CallFailed,
    pool,
)
from support.asking import Blocked, Caller, echo, open_asking_one
from support.host_tools import register


@pytest.fixture
def one(open_pit, profile):
    return open_asking_one(open_pit, profile)


# ---- Nesting -------------------------------------------------------------------------


def test_a_host_tool_calls_the_worker_that_asks_it(one):
    register(one, "back", lambda info, tool: one.call(tool))
    ask = {"questions": [["back", {"tool": "pid"}]] * 50}
    assert one.call("host_all", ask) == [one.workers()[0].pid] * 50
    assert one.submit("host_all", ask).wait().value == [one.workers()[0].pid] * 50


def test_calls_wait_behind_and_go_on_when_a_call_nests(one):
    register(one, "back", lambda info, tool: one.call(tool))
    others = [one.submit("ping") for _ in range(100)]
    ask = {"questions": [["back", {"tool": "ping"}]]}
    callers = [Caller(one, "host_all", ask) for _ in range(4)]
    assert [caller.join() for caller in callers] == [["pong"]] * 4
    assert {call.wait().value for call in others} == {"pong"}


def test_a_nested_call_that_fails_is_the_tools_to_handle(one):
    def back(info):
        try:
            one.call("no_such_tool")
        except CallFailed as error:
            return error.fault.err
        return None

    register(one, "back", back)
    assert one.call("host", {"tool": "back"}) == "UNKNOWN_TOOL"


def test_nested_calls_may_have_sessions_and_be_coroutines(one):
    def back(info, session):
        return one.call("awaited", echo(1), session=session)

    register(one, "back", back)
    for session in ("a", "b"):
        ask = {"questions": [["back", {"session": "b"}]]}
        assert one.call("host_all", ask, session=session) == [1]
        ask = {"tool": "deep"}
    register(one, "deep", lambda info: one.call("awaited", echo(2)))
    assert one.call("awaited", {"tool": "deep"}) == 2


def test_nesting_is_bounded_with_one_clear_error(one):
    depths = []

    def deeper(info):
        depths.append(1)
        return one.call("caught", {"tool": "deeper"})

    register(one, "deeper", deeper)
    caught = one.call("caught", {"tool": "deeper"})
    assert caught is None
    assert len(depths) == 16
    depths.clear()
    said = []

    def deepest(info):
        depths.append(1)
        answer = one.call("caught", {"tool": "deepest"})
        said.append(answer)
        return answer

    register(one, "deepest", deepest)
    one.call("caught", {"tool": "deepest"})
    (innermost,) = [answer for answer in said if answer is not None]
    assert "RecursionError" in innermost["bases"]
    assert "16 deep" in innermost["message"]
    assert one.call("ping") == "pong"


@pytest.mark.parametrize("affinity", ["hint", "strict_queue", "strict_fail_fast"])
def test_nested_calls_keep_their_sessions_workers(open_pit, profile, affinity):
    threads = 1 if profile == "thread" else None
    pit = open_pit(
        pool(
            profile,
            adapter="asks.Asks",
            threads_per_worker=threads,
            pool_size=2,
            affinity=affinity,
        )
    )
    register(pit, "back", lambda info, session: pit.call("pid", session=session))
    blocked = Blocked()
    register(pit, "blocked", blocked)
    caller = Caller(pit, "host", {"tool": "blocked"}, session="a")
    blocked.wait()
    there = pit.call("pid", session="b")
    blocked.leave.set()
    caller.join()
    here = pit.call("pid", session="a")
    assert here != there

    def nested(session):
        ask = {"tool": "back", "session": session}
        return pit.call("host", ask, session="a")

    assert nested("a") == here
    assert nested("new") == here
    assert nested("b") == (here if affinity == "hint" else there)
    assert pit.call("pid", session="new") == here


def test_two_pools_ask_each_other(open_pit, profile):
    threads = 1 if profile == "thread" else None
    options = {"adapter": "asks.Asks", "threads_per_worker": threads}
    pit = open_pit(
        pool(profile, name="a", **options), pool(profile, name="b", **options)
    )
    register(pit, "end", lambda info: pit.call("ping", pool="a"))
    register(pit, "there", lambda info: pit.call("host", {"tool": "end"}, pool="b"))
    assert pit.call("host", {"tool": "there"}, pool="a") == "pong"
