# SPDX-License-Identifier: MIT
"""The life of an adapter, what answers a call, and async tools, in real pools."""

from __future__ import annotations

import json
import os
import pathlib
import signal
import threading

import pytest
from support import (
    THREADS,
    Pit,
    Refused,
    eventually,
    pool,
    seconds,
    wait_for_file,
)

EXECUTORS = {"process": 1, "process-ft": 1, "thread": THREADS}
LIFE = ["construct", "initialize", "cleanup begins", "cleanup"]


@pytest.fixture
def journal(tmp_path):
    return tmp_path / "journal"


def lines_of(path):
    """What adapters have written so far."""
    return pathlib.Path(path).read_text().split("\n")[:-1] if path.exists() else []


def await_line(path, line, count=1):
    eventually(lambda: lines_of(path).count(line) >= count, f"{line} x {count}")


@pytest.fixture
def open_life(open_pit, journal):
    """A pit of one of the adapters in lives.py that keep a journal."""

    def open_one(kind, adapter="Living", ready=True, config=None, **options):
        return open_pit(
            pool(
                kind,
                adapter=f"lives.{adapter}",
                adapter_config={"journal": str(journal), **(config or {})},
                **options,
            ),
            ready=ready,
        )

    return open_one


def open_one(open_pit, kind, adapter, **options):
    return open_pit(pool(kind, adapter=f"lives.{adapter}", **options))


def open_once(open_life, kind, adapter, config):
    """A pool that starts one worker and no other where that fails."""
    options = {"restart_limit": 1, "template": "off"}
    return open_life(kind, adapter, ready=False, config=config, **options)


# ---- The life of an instance ---------------------------------------------------------


@pytest.mark.parametrize("adapter", ["Living", "AsyncLiving"])
def test_lesson_27_one_instance_serves_a_worker_from_initialize_to_cleanup(
    open_life, kind, journal, adapter
):
    pit = open_life(kind, adapter)
    assert len({pit.call("identity") for _ in range(20)}) == 1
    assert lines_of(journal) == ["construct", "initialize"]
    pit.close()
    assert [line for line in lines_of(journal) if line != "same loop"] == LIFE


def test_async_life_and_tools_share_one_loop(open_life, kind, journal):
    pit = open_life(kind, "AsyncLiving")
    assert pit.call("is_same_loop") is True
    pit.close()
    assert lines_of(journal).count("same loop") == 1


@pytest.mark.errors_logged("pool.failed", "worker.start_failed")
@pytest.mark.parametrize("adapter", ["Living", "AsyncLiving"])
def test_lesson_27_cleanup_runs_when_initialize_fails(
    open_life, kind, journal, adapter
):
    pit = open_once(open_life, kind, adapter, {"fails": "initialize"})
    with pytest.raises(Refused, match="initialize says no"):
        pit.await_ready()
    eventually(lambda: "cleanup" in lines_of(journal))
    assert [line for line in lines_of(journal) if line != "same loop"] == LIFE


@pytest.mark.errors_logged("pool.failed", "worker.start_failed")
def test_lesson_27_an_instance_that_was_never_whole_is_not_cleaned_up(
    open_life, kind, journal
):
    pit = open_once(open_life, kind, "Living", {"fails": "construct"})
    with pytest.raises(Refused, match="the constructor says no"):
        pit.await_ready()
    pit.close()
    assert lines_of(journal) == ["construct"]


@pytest.mark.errors_logged("worker.exit")
@pytest.mark.parametrize("adapter", ["Living", "AsyncLiving"])
def test_lesson_27_an_idle_worker_cleans_up_at_sigterm_and_dies_of_it(
    open_life, kind, journal, adapter
):
    pit = open_life(kind, adapter)
    (row,) = pit.workers()
    os.kill(row.pid, signal.SIGTERM)
    pit.await_replacement(row)
    assert lines_of(journal).count("cleanup") == 1
    line = pit.logged("worker.exit")[0]
    assert f"signal={int(signal.SIGTERM)}" in line


@pytest.mark.errors_logged("worker.exit")
@pytest.mark.parametrize("tool", ["spin", "note_and_sleep"])
def test_lesson_27_sigterm_ends_a_sync_call_and_cleans_up(
    open_life, kind, journal, tool
):
    pit = open_life(kind)
    (row,) = pit.workers()
    call = pit.submit(tool)
    await_line(journal, "spin" if tool == "spin" else "sleep")
    os.kill(row.pid, signal.SIGTERM)
    call.wait()
    assert call.err in ("TOOL_FAILED", "WORKER_DIED")
    pit.await_replacement(row)
    assert lines_of(journal).count("cleanup") == 1


@pytest.mark.errors_logged("worker.exit")
def test_lesson_27_sigterm_ends_an_async_call_with_its_finally(
    open_life, kind, journal
):
    pit = open_life(kind, "AsyncLiving")
    (row,) = pit.workers()
    call = pit.submit("async_forever")
    await_line(journal, "forever")
    os.kill(row.pid, signal.SIGTERM)
    call.wait()
    pit.await_replacement(row)
    assert lines_of(journal).count("finally") == 1
    assert lines_of(journal).count("cleanup") == 1


@pytest.mark.parametrize("kind", ["process", "process-ft"])
def test_sigterm_of_a_forked_child_is_the_childs_alone(open_life, kind, journal):
    pit = open_life(kind)
    for _ in range(5):
        assert pit.call("fork_and_terminate") == signal.SIGTERM
    assert "cleanup" not in lines_of(journal)
    assert pit.call("ping") == "pong"
    assert pit.stats().worker_deaths == 0


def test_lesson_27_closing_during_initialize_cleans_up(
    open_life, kind, journal, tmp_path
):
    os.mkfifo(tmp_path / "gate")
    pit = open_life(kind, ready=False, config={"gate": str(tmp_path / "gate")})
    await_line(journal, "at the gate")
    pit.close()
    assert lines_of(journal)[-1] == "cleanup"
    assert not pit.logged("worker.start_failed")


# ---- An instance for each call -------------------------------------------------------


@pytest.mark.parametrize("adapter", ["Once", "AsyncOnce"])
def test_lesson_27_per_request_each_call_has_its_whole_life(
    open_life, kind, journal, adapter
):
    pit = open_life(kind, adapter)
    assert lines_of(journal) == []
    for turn in range(5):
        assert pit.call("ping") == "pong"
        found = [line for line in lines_of(journal) if line != "same loop"]
        assert found == LIFE * (turn + 1)
    pit.close()
    assert lines_of(journal).count("construct") == 5


def test_per_request_an_async_tool_runs_on_the_loop_of_its_initialize(open_life, kind):
    pit = open_life(kind, "AsyncOnce")
    assert pit.call("is_same_loop") is True


@pytest.mark.parametrize("adapter", ["Once", "AsyncOnce"])
def test_lesson_27_per_request_cleanup_runs_when_the_call_raises(
    open_life, kind, journal, adapter
):
    pit = open_life(kind, adapter)
    fault = pit.fails("fail")
    assert (fault.err, fault.type, fault.message) == ("TOOL_FAILED", "ValueError", "no")
    assert [line for line in lines_of(journal) if line != "same loop"] == LIFE


def test_lesson_27_per_request_cleanup_runs_when_initialize_raises(
    open_life, kind, journal
):
    pit = open_life(kind, "Once", config={"fails": "initialize"})
    assert pit.fails("ping").message == "initialize says no"
    assert lines_of(journal) == LIFE


def test_per_request_a_failing_constructor_is_the_calls_fault(open_life, kind, journal):
    pit = open_life(kind, "Once", config={"fails": "construct"})
    assert pit.fails("ping").message == "the constructor says no"
    assert lines_of(journal) == ["construct"]


@pytest.mark.parametrize("way", ["cancel", "deadline"])
@pytest.mark.parametrize(
    ("adapter", "tool", "word"),
    [
        ("Once", "spin", "spin"),
        ("AsyncOnce", "spin", "spin"),
        ("AsyncOnce", "async_forever", "forever"),
    ],
)
def test_lesson_27_per_request_cleanup_runs_when_the_call_is_cancelled(
    open_life, kind, journal, adapter, tool, word, way
):
    pit = open_life(kind, adapter, cancel_grace_ms=20_000)
    call = pit.submit(tool, timeout_ms=200 if way == "deadline" else 0)
    await_line(journal, word)
    if way == "cancel":
        assert pit.cancel(call) == "OK"
    call.wait()
    assert call.err == ("CANCELLED" if way == "cancel" else "DEADLINE_EXCEEDED")
    await_line(journal, "cleanup")
    eventually(lambda: pit.stats().running == 0)
    assert pit.stats().worker_deaths == 0
    assert lines_of(journal).count("finally") == (tool == "async_forever")


def test_lesson_27_per_request_a_late_cancel_does_not_interrupt_cleanup(
    open_life, kind, journal
):
    # Long enough for the exception, which follows the cancel by a tick of 10 ms.
    config = {"cleanup_seconds": 0.05}
    pit = open_life(kind, "Once", config=config, cancel_grace_ms=20_000)
    for turn in range(10):
        call = pit.submit("cancel_in_cleanup")
        await_line(journal, "wait", turn + 1)
        assert pit.cancel(call) == "OK"
        await_line(journal, "cleanup", turn + 1)
        eventually(lambda: pit.stats().running == 0)
    assert lines_of(journal).count("cleanup begins") == 10
    assert pit.stats().worker_deaths == 0


def test_per_request_calls_beside_each_other_have_their_own_instance(
    open_life, journal
):
    pit = open_life("thread", "Once", cancel_grace_ms=20_000)
    calls = [pit.submit("spin") for _ in range(THREADS)]
    await_line(journal, "spin", THREADS)
    assert lines_of(journal).count("construct") == THREADS
    for call in calls:
        pit.cancel(call)
    await_line(journal, "cleanup", THREADS)


def test_per_request_answers_other_names_too(open_life, kind, journal):
    pit = open_life(kind, "OnceRequests")
    assert pit.call("anything", {"a": 1})[:2] == ["anything", {"a": 1}]
    assert lines_of(journal) == LIFE
    assert pit.call("ping") == "pong"


def test_per_request_arguments_that_do_not_fit_are_told_without_our_frames(
    open_life, kind
):
    fault = open_life(kind, "Once").fails("ping", {"surprise": 1})
    assert fault.type == "TypeError" and "surprise" in fault.message
    assert "resolution.py" not in fault.traceback
    assert "life.py" not in fault.traceback


# ---- What answers a call -------------------------------------------------------------


@pytest.mark.parametrize("adapter", ["SyncExecute", "AsyncExecute"])
def test_a_tool_comes_before_execute_tool_and_that_before_requests(
    open_pit, kind, adapter
):
    pit = open_one(open_pit, kind, adapter)
    assert pit.call("registered") == "tool"
    assert pit.call("other", {"a": [1]}, session="s") == ["other", {"a": [1]}, "s"]
    assert pit.call("initialize") == ["initialize", {}, ""]


@pytest.mark.parametrize("style", ["Handle", "Impl", "Dispatch"])
@pytest.mark.parametrize("way", ["Sync", "Async"])
def test_the_three_request_styles_are_given_an_object_that_is_a_mapping(
    open_pit, kind, way, style
):
    pit = open_one(open_pit, kind, way + style)
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


def test_a_plain_class_finds_its_config_before_its_constructor_runs(open_pit, kind):
    pit = open_one(
        open_pit, kind, "PlainDispatch", adapter_config={"greeting": "hello"}
    )
    assert pit.call("go") == ["hello", "go"]


def test_an_unknown_tool_is_answered_with_the_one_that_was_meant(open_pit, kind):
    pit = open_pit(pool(kind))
    fault = pit.fails("ehco")
    assert fault.err == "UNKNOWN_TOOL"
    assert fault.message == 'the adapter has no tool "ehco"; did you mean "echo"?'
    assert fault.type == "snakepit_bridge.errors.UnknownTool"
    assert fault.traceback == ""
    assert pit.fails("zzzzzz").message == 'the adapter has no tool "zzzzzz"'
    assert "did you mean" not in pit.fails("x").message


def test_a_method_that_lacks_the_mark_is_said_to_and_not_called(open_pit, kind):
    pit = open_pit(pool(kind))
    fault = pit.fails("undecorated")
    assert fault.err == "UNKNOWN_TOOL"
    assert fault.message == (
        'the adapter has no tool "undecorated"; GuineaPig has a method of that name, '
        "but it lacks @tool (or @thread_safe_method)"
    )
    assert fault.traceback == ""
    for name in ("_private", "__init__", "get_tools"):
        assert pit.fails(name).message == f'the adapter has no tool "{name}"'


# ---- Async tools ---------------------------------------------------------------------


def test_async_tools_answer_like_any_other(open_pit, kind):
    pit = open_one(open_pit, kind, "Coroutines")
    assert [pit.call("add", {"a": turn}) for turn in range(50)] == list(range(1, 51))
    assert pit.call("hundred_small") == 100
    fault = pit.fails("fail")
    assert (fault.type, fault.message) == ("ValueError", "an async no")
    assert "lives.py" in fault.traceback and "event_loop.py" not in fault.traceback
    assert pit.fails("add", {"b": 1}).type == "TypeError"


def test_all_async_tools_run_on_one_thread_and_sync_ones_do_not(open_pit, kind):
    pit = open_one(open_pit, kind, "Coroutines")
    assert pit.call("thread") == "snakepit-loop"
    prefix = "snakepit-executor" if kind == "thread" else "MainThread"
    assert pit.call("sync").startswith(prefix)


def test_a_worker_without_coroutines_has_no_loop(open_pit, kind):
    pit = open_pit(pool(kind))
    assert pit.call("has_module", {"name": "asyncio"}) is False


def test_async_calls_are_inside_at_once_and_count_against_capacity(open_pit, journal):
    pit = open_one(open_pit, "thread", "Coroutines", prefetch=0)
    wanted = {"count": THREADS + 1, "path": str(journal)}
    calls = [pit.submit("meet", wanted) for _ in range(THREADS)]
    await_line(journal, "inside", THREADS)
    extra = pit.submit("meet", wanted)
    assert pit.stats().waiting == 1
    pit.cancel(calls[0])
    calls[0].wait()
    assert extra.wait().value == THREADS + 1
    assert [call.wait().value for call in calls[1:]] == [THREADS + 1] * (THREADS - 1)


def test_a_slow_coroutine_does_not_hold_up_the_others(open_pit, tmp_path):
    pit = open_one(open_pit, "thread", "Coroutines")
    path = tmp_path / "slow"
    slow = pit.submit("forever", {"path": str(path)})
    wait_for_file(path)
    assert [pit.call("add", {"a": turn}) for turn in range(20)] == list(range(1, 21))
    assert not slow.ended.is_set()
    pit.cancel(slow)


@pytest.mark.parametrize("way", ["cancel", "deadline"])
def test_a_cancelled_coroutine_runs_its_finally_and_its_worker_lives(
    open_pit, kind, tmp_path, way
):
    pit = open_one(open_pit, kind, "Coroutines", cancel_grace_ms=20_000)
    (row,) = pit.workers()
    path = tmp_path / "one"
    for turn in range(10):
        timeout = 50 if way == "deadline" else 0
        call = pit.submit("forever", {"path": str(path)}, timeout_ms=timeout)
        await_line(path, "begin", turn + 1)
        if way == "cancel":
            assert pit.cancel(call) == "OK"
        call.wait()
        assert call.err == ("CANCELLED" if way == "cancel" else "DEADLINE_EXCEEDED")
        eventually(lambda: pit.stats().running == 0, "the slot is free", 2.0)
        assert lines_of(path).count("finally") == turn + 1
    assert pit.call("add", {"a": 1}) == 2
    assert [found.id for found in pit.workers()] == [row.id]


def test_coroutines_that_are_cancelled_at_any_moment_leave_nothing_behind(
    open_pit, kind
):
    """Some before they begin, some as they end; no executor is lost."""
    pit = open_one(open_pit, kind, "Coroutines", cancel_grace_ms=20_000)
    (row,) = pit.workers()
    for turn in range(150):
        call = pit.submit("hundred_small", timeout_ms=1 if turn % 3 == 0 else 0)
        if turn % 3:
            pit.cancel(call)
        assert call.wait().err in ("OK", "CANCELLED", "DEADLINE_EXCEEDED")
    eventually(lambda: pit.stats().running == 0)
    calls = [
        pit.submit("meet", {"count": EXECUTORS[kind]}) for _ in range(EXECUTORS[kind])
    ]
    assert [call.wait().value for call in calls] == [EXECUTORS[kind]] * EXECUTORS[kind]
    assert [found.id for found in pit.workers()] == [row.id]


def test_a_coroutine_that_asks_is_told_by_its_call(open_pit, kind, tmp_path):
    pit = open_one(open_pit, kind, "Coroutines", cancel_grace_ms=20_000)
    path = tmp_path / "asks"
    call = pit.submit("asks", {"path": str(path)})
    await_line(path, "begin")
    pit.cancel(call)
    await_line(path, "Cancelled")
    eventually(lambda: pit.stats().running == 0)
    assert pit.call("add", {"a": 1}) == 2


def test_a_coroutine_that_does_not_heed_its_cancel_costs_the_worker(
    open_pit, kind, tmp_path
):
    pit = open_one(open_pit, kind, "Coroutines", cancel_grace_ms=100)
    (row,) = pit.workers()
    path = tmp_path / "deaf"
    call = pit.submit("deaf", {"path": str(path)})
    await_line(path, "begin")
    pit.cancel(call)
    assert call.wait().err == "CANCELLED"
    pit.await_replacement(row)
    assert pit.call("add", {"a": 1}) == 2


def test_a_cancel_of_the_coroutines_own_is_a_failure(open_pit, kind):
    pit = open_one(open_pit, kind, "Coroutines")
    fault = pit.fails("own_cancel")
    assert fault.err == "TOOL_FAILED"
    assert fault.type.endswith("CancelledError")


@pytest.mark.parametrize("tool", ["leave", "task_that_leaves"])
def test_a_coroutine_that_asks_for_an_exit_does_not_end_the_loop(open_pit, kind, tool):
    pit = open_one(open_pit, kind, "Coroutines")
    (row,) = pit.workers()
    for _ in range(3):
        with pit.answer(tool) as answer:
            assert answer.err in ("OK", "TOOL_FAILED")
        assert pit.call("add", {"a": 1}) == 2
    assert [found.id for found in pit.workers()] == [row.id]


def test_tasks_that_outlive_their_call_end_with_the_worker(open_pit, kind, tmp_path):
    path = tmp_path / "left"
    pit = open_one(open_pit, kind, "Coroutines")
    assert pit.call("leave_behind", {"path": str(path)}) is True
    assert pit.call("add", {"a": 1}) == 2
    assert lines_of(path) == []
    pit.close()
    assert lines_of(path) == ["left True"]


def test_a_blocked_loop_delays_the_close_but_not_for_ever(open_pit, kind, tmp_path):
    pit = open_one(open_pit, kind, "Coroutines", stop_grace_ms=300)
    call = pit.submit("blocks", {"seconds": 20})
    eventually(lambda: pit.stats().running == 1)
    with seconds() as taken:
        pit.close()
    assert call.wait().err == "SHUTTING_DOWN"
    assert taken.seconds < 2.0


# ---- What code knows of its call -----------------------------------------------------


def test_coroutines_know_their_call_and_session(open_pit, kind):
    pit = open_one(open_pit, kind, "Coroutines")
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


def test_sessions_are_right_in_every_executor(open_pit, kind):
    pit = open_pit(pool(kind))
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


def test_a_call_knows_the_time_that_it_has_left(open_pit, kind):
    pit = open_one(open_pit, kind, "Asking", call_timeout_ms=0)
    remaining, computed, cancelled = pit.call("remaining", timeout_ms=5000)
    assert 0 < remaining <= 5 and abs(remaining - computed) < 0.05
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


def test_a_call_that_is_over_counts_as_cancelled(open_pit, kind):
    pit = open_one(open_pit, kind, "Asking")
    assert pit.call("kept") is None
    assert pit.call("kept") == [True, "kept"]


# ---- Resources -----------------------------------------------------------------------


@pytest.mark.parametrize("adapter", ["Resources", "ResourcesOnce"])
def test_resources_are_loaded_once_before_the_adapter_is_built(
    open_pit, kind, tmp_path, adapter
):
    (tmp_path / "a").write_text("first")
    (tmp_path / "b").write_text("second")
    a, b = str(tmp_path / "a"), str(tmp_path / "b")
    pit = open_one(
        open_pit,
        kind,
        adapter,
        pool_size=2,
        preload_resources=[{"path": a, "type": "model"}, [b, "data"]],
    )
    wanted = {a: ["model", "first"], b: ["data", "second"]}
    for _ in range(5):
        report = pit.call("report")
        assert report["loads"] == 2
        assert report["in the constructor"] == report["now"] == wanted


@pytest.mark.errors_logged("pool.failed", "worker.start_failed")
@pytest.mark.parametrize(
    ("adapter", "words"),
    [
        ("lives.Resources", "No such file"),
        ("lives.Asking", "Asking cannot load them"),
    ],
)
def test_resources_that_cannot_be_loaded_fail_the_start(
    open_pit, kind, tmp_path, adapter, words
):
    pit = open_pit(
        pool(
            kind,
            adapter=adapter,
            restart_limit=1,
            preload_resources=[[str(tmp_path / "nowhere"), "model"]],
        ),
        ready=False,
    )
    with pytest.raises(Refused, match=words):
        pit.await_ready()


def test_paths_of_resources_count_from_the_folder_of_the_file(
    open_pit, opened, tmp_path
):
    (tmp_path / "models").mkdir()
    (tmp_path / "models/m").write_text("weights")
    made = pool("process", adapter="lives.Resources")
    made["preload_resources"] = {"models/m": "model"}
    (tmp_path / "pools.yaml").write_text(json.dumps({"pools": [made]}))
    pit = Pit.open_file(tmp_path / "pools.yaml")
    opened.append(pit)
    pit.await_ready()
    assert pit.call("report")["now"] == {"models/m": ["model", "weights"]}
