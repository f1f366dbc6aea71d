# SPDX-License-Identifier: MIT
"""The life of an adapter in real pools, its instances and its resources."""

from __future__ import annotations

import json
import os
import signal

import pytest
from support import THREADS, Pit, Refused, eventually, pool
from support.lives import await_line, lines_of, open_one

LIFE = ["construct", "initialize", "cleanup begins", "cleanup"]


@pytest.fixture
def journal(tmp_path):
    return tmp_path / "journal"


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


@pytest.fixture(scope="module")
def shared_journal(tmp_path_factory):
    """Of the workers that tests of the file share."""
    return tmp_path_factory.mktemp("shared") / "journal"


@pytest.fixture
def share_life(shared_pit, shared_journal):
    """A pit of an adapter with an instance for each call; its journal is empty."""

    def share(kind, adapter):
        pit = shared_pit(
            pool(
                kind,
                adapter=f"lives.{adapter}",
                adapter_config={"journal": str(shared_journal)},
                # What heeds a cancel has time for it, also on a busy machine.
                cancel_grace_ms=20_000,
            )
        )
        shared_journal.unlink(missing_ok=True)
        return pit

    return share


def open_once(open_life, kind, adapter, config):
    """A pool that starts one worker and no other where that fails."""
    options = {"restart_limit": 1, "template": "off"}
    return open_life(kind, adapter, ready=False, config=config, **options)


def terminate_twice(pit, row):
    """The first one has it leave, the second one interrupts what it runs."""
    os.kill(row.pid, signal.SIGTERM)
    eventually(lambda: pit.workers()[0].state == "DRAINING")
    os.kill(row.pid, signal.SIGTERM)


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


@pytest.mark.parametrize("tool", ["spin", "note_and_sleep"])
def test_lesson_27_a_second_sigterm_ends_a_sync_call_and_cleans_up(
    open_life, kind, journal, tool
):
    pit = open_life(kind)
    (row,) = pit.workers()
    call = pit.submit(tool)
    await_line(journal, "spin" if tool == "spin" else "sleep")
    terminate_twice(pit, row)
    call.wait()
    assert call.err == "WORKER_DIED"
    pit.await_replacement(row)
    assert lines_of(journal).count("cleanup") == 1


def test_lesson_27_a_second_sigterm_ends_an_async_call_with_its_finally(
    open_life, kind, journal
):
    pit = open_life(kind, "AsyncLiving")
    (row,) = pit.workers()
    call = pit.submit("async_forever")
    await_line(journal, "forever")
    terminate_twice(pit, row)
    call.wait()
    assert call.err == "WORKER_DIED"
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


def test_per_request_an_async_tool_runs_on_the_loop_of_its_initialize(share_life, kind):
    pit = share_life(kind, "AsyncOnce")
    assert pit.call("is_same_loop") is True


@pytest.mark.parametrize("adapter", ["Once", "AsyncOnce"])
def test_lesson_27_per_request_cleanup_runs_when_the_call_raises(
    share_life, kind, shared_journal, adapter
):
    pit = share_life(kind, adapter)
    fault = pit.fails("fail")
    assert (fault.err, fault.type, fault.message) == ("TOOL_FAILED", "ValueError", "no")
    assert [line for line in lines_of(shared_journal) if line != "same loop"] == LIFE


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
    share_life, kind, shared_journal, adapter, tool, word, way
):
    pit = share_life(kind, adapter)
    call = begin(pit, tool, shared_journal, word, way)
    if way == "cancel":
        assert pit.cancel(call) == "OK"
    call.wait()
    assert call.err == ("CANCELLED" if way == "cancel" else "DEADLINE_EXCEEDED")
    begun = lines_of(shared_journal).count(word)
    await_line(shared_journal, "cleanup", begun)
    eventually(lambda: pit.stats().running == 0)
    assert pit.stats().worker_deaths == 0
    ended = lines_of(shared_journal).count("finally")
    assert ended == (begun if tool == "async_forever" else 0)


def begin(pit, tool, journal, word, way):
    """A call that runs; one with a deadline has more time on a busy machine."""
    for timeout_ms in (200, 1000, 5000, 25_000) if way == "deadline" else (0,):
        call = pit.submit(tool, timeout_ms=timeout_ms)
        eventually(lambda call=call: call.ended.is_set() or word in lines_of(journal))
        if call.ended.is_set():
            eventually(lambda: pit.stats().running == 0)
        if word in lines_of(journal):
            break
    return call


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
    share_life, shared_journal
):
    pit = share_life("thread", "Once")
    calls = [pit.submit("spin") for _ in range(THREADS)]
    await_line(shared_journal, "spin", THREADS)
    assert lines_of(shared_journal).count("construct") == THREADS
    for call in calls:
        pit.cancel(call)
    await_line(shared_journal, "cleanup", THREADS)


def test_per_request_answers_other_names_too(open_life, kind, journal):
    pit = open_life(kind, "OnceRequests")
    assert pit.call("anything", {"a": 1})[:2] == ["anything", {"a": 1}]
    assert lines_of(journal) == LIFE
    assert pit.call("ping") == "pong"


def test_per_request_arguments_that_do_not_fit_are_told_without_our_frames(
    share_life, kind
):
    fault = share_life(kind, "Once").fails("ping", {"surprise": 1})
    assert fault.type == "TypeError" and "surprise" in fault.message
    assert fault.message.endswith("; its signature is ping()")
    assert "resolution.py" not in fault.traceback
    assert "life.py" not in fault.traceback


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
        (
            "lives.Resources",
            r"preload_resources: \S*nowhere \(type 'model'\) could not be loaded: "
            "FileNotFoundError: .*No such file",
        ),
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
