# SPDX-License-Identifier: MIT
"""What answers a call, and what the code that it runs knows of it."""

from __future__ import annotations

import threading

import pytest
from support import eventually, pool
from support.lives import await_line, lines_of, open_one

# ---- What answers a call -------------------------------------------------------------


@pytest.mark.parametrize("adapter", ["SyncExecute", "AsyncExecute"])
def test_a_tool_comes_before_execute_tool_and_that_before_requests(
    shared_pit, kind, adapter
):
    pit = open_one(shared_pit, kind, adapter)
    assert pit.call("registered") == "tool"
    assert pit.call("other", {"a": [1]}, session="s") == ["other", {"a": [1]}, "s"]
    assert pit.call("initialize") == ["initialize", {}, ""]


@pytest.mark.parametrize("style", ["Handle", "Impl", "Dispatch"])
@pytest.mark.parametrize("way", ["Sync", "Async"])
def test_the_three_request_styles_are_given_an_object_that_is_a_mapping(
    shared_pit, kind, way, style
):
    pit = open_one(shared_pit, kind, way + style)
    arguments = {"input": "in", "x": 1}
    assert pit.call("go", arguments) == [
        "go",
        "go",
        arguments,
        arguments,
        "in",
        "default",
        True,
    ]
    assert pit.call("go", {"x": 1})[4] == {"x": 1}


def test_a_plain_class_finds_its_config_before_its_constructor_runs(shared_pit, kind):
    pit = open_one(
        shared_pit, kind, "PlainDispatch", adapter_config={"greeting": "hello"}
    )
    assert pit.call("go") == ["hello", "go"]


def test_an_unknown_tool_is_answered_with_the_one_that_was_meant(shared_pit, kind):
    pit = shared_pit(pool(kind))
    fault = pit.fails("ehco")
    assert fault.err == "UNKNOWN_TOOL"
    assert fault.message == 'the adapter has no tool "ehco"; did you mean "echo"?'
    assert fault.type == "snakepit_bridge.errors.UnknownTool"
    assert fault.traceback == ""
    assert pit.fails("zzzzzz").message == 'the adapter has no tool "zzzzzz"'
    assert "did you mean" not in pit.fails("x").message


def test_a_method_that_lacks_the_mark_is_said_to_and_not_called(shared_pit, kind):
    pit = shared_pit(pool(kind))
    fault = pit.fails("undecorated")
    assert fault.err == "UNKNOWN_TOOL"
    assert fault.message == (
        'the adapter has no tool "undecorated"; GuineaPig has a method of that name, '
        "but it lacks @tool (or @thread_safe_method)"
    )
    assert fault.traceback == ""
    for name in ("_private", "__init__", "get_tools"):
        assert pit.fails(name).message == f'the adapter has no tool "{name}"'


# ---- What code knows of its call -----------------------------------------------------


def test_coroutines_know_their_call_and_session(shared_pit, kind):
    pit = open_one(shared_pit, kind, "Coroutines")
    known = pit.call("context", session="here")
    mine = known["before"]
    assert mine[1:] == ["context", "here", "here"]
    assert known["after"] == known["task"] == mine
    assert known["to_thread"] in (mine, None)
    assert known["plain thread"] is None
    assert pit.call("context")["before"][2:] == ["", ""]


def test_interleaved_coroutines_do_not_see_each_others_call(open_pit):
    pit = open_one(open_pit, "thread", "Coroutines")
    calls = [
        (turn, pit.submit("context", {"pause": 0.002}, session=f"s{turn}"))
        for turn in range(60)
    ]
    for turn, call in calls:
        known = call.wait().value
        assert known["before"] == [call.id, "context", f"s{turn}", f"s{turn}"]
        assert known["after"] == known["task"] == known["before"]


def test_sessions_are_right_in_every_executor(shared_pit, kind):
    pit = shared_pit(pool(kind))
    wrong: list = []

    def caller(number):
        for turn in range(100):
            name = f"{number}-{turn}"
            if pit.call("session", session=name) != [name] * 3:
                wrong.append(name)

    threads = [threading.Thread(target=caller, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert pit.call("session") == [""] * 3


def test_a_call_knows_the_time_that_it_has_left(shared_pit, kind):
    pit = open_one(shared_pit, kind, "Asking", call_timeout_ms=0)
    remaining, computed, cancelled = pit.call("remaining", timeout_ms=5000)
    assert 0 < remaining <= 5 and abs(remaining - computed) < 1
    assert cancelled is False
    assert pit.call("no_deadline") == [None, None]


@pytest.mark.parametrize("way", ["cancel", "deadline"])
def test_a_sync_tool_that_asks_stops_by_itself(open_pit, kind, tmp_path, way):
    pit = open_one(open_pit, kind, "Asking", cancel_grace_ms=20_000)
    path = tmp_path / "asks"
    timeout = 100 if way == "deadline" else 0
    call = pit.submit("asks", {"path": str(path)}, timeout_ms=timeout)
    await_line(path, "begin")
    if way == "cancel":
        pit.cancel(call)
    assert call.wait().err == ("CANCELLED" if way == "cancel" else "DEADLINE_EXCEEDED")
    eventually(lambda: len(lines_of(path)) == 2)
    assert lines_of(path)[1] == "BaseException: the call of asks was cancelled"
    eventually(lambda: pit.stats().running == 0)
    assert pit.stats().worker_deaths == 0


def test_a_call_that_is_over_counts_as_cancelled(shared_pit, kind):
    pit = open_one(shared_pit, kind, "Asking")
    assert pit.call("kept") is None
    assert pit.call("kept") == [True, "kept"]
