# SPDX-License-Identifier: MIT
"""The examples that are labelled wrong fail as the text says, and their right twins do
not. Only threads that run in parallel can show it.
"""

from __future__ import annotations

import pytest
from conftest import guide_pool
from harness.calls import hammer
from harness.examples import text_of
from support import Pit, Refused
from support.pit import log_of_test

ROUNDS = 100  # of a test that shows a race, until it shows one

ADAPTERS = (
    "overview_wrong.Slow",
    "forgotten_lock_wrong.Slow",
    "unlocked_wrong.Slow",
    "long_lock_wrong.Adapter",
    "long_lock_correct.Adapter",
    "gil_releasing_wrong.Adapter",
    "gil_releasing_correct.Adapter",
    "contention_wrong.Adapter",
    "contention_correct.Adapter",
    "unsafe_library_wrong.BadAdapter",
    "unsafe_library_old.Counted",
    "pandas_frames_wrong.Adapter",
    "undeclared_wrong.BadAdapter",
    "undeclared_correct.GoodAdapter",
    "undeclared_workers_wrong.MyAdapter",
    "undeclared_workers_correct.MyAdapter",
    "donts.Slow",
)


@pytest.fixture
def pit(pit_of):
    return pit_of("thread", ADAPTERS)


def example(*names, result):
    return pytest.mark.example(*names, result=result)


def loses_a_count(pit: Pit, pool: str, tool: str, arguments: dict) -> bool:
    """Whether two of many calls at once ever get the same count."""
    for _ in range(ROUNDS):
        answers = hammer(pit, pool, tool, lambda _: arguments, calls=1000)
        counts = [a["count"] if isinstance(a, dict) else a for a in answers]
        if len(set(counts)) < len(counts):
            return True
    return False


@example("adapters-01 wrong", result="loses a count")
def test_a_plain_class_loses_a_count(pit):
    assert loses_a_count(pit, "overview_wrong", "process", {"data": 1})


@example("adapters-37", result="loses a count")
def test_modifying_without_the_lock_loses_a_count(pit):
    assert loses_a_count(pit, "donts", "increment", {})


@example("workers-18 wrong", result="loses a count")
def test_an_unlocked_counter_loses_a_count(pit):
    pool, made = "unlocked_wrong", 0
    for _ in range(ROUNDS):
        hammer(pit, pool, "increment", calls=1000)
        made += 1000
        if pit.call("get_count", pool=pool) < made:
            return
    pytest.fail(f"{made} increments, and none was lost")


# ---- Locks that are held for too long ------------------------------------------------


@example(
    "adapters-13 wrong",
    "workers-16 wrong",
    "workers-19 wrong",
    result="no two threads compute at once",
)
@pytest.mark.parametrize("name", ["long_lock", "contention", "gil_releasing"])
def test_a_lock_held_during_the_computation_keeps_others_out(pit, name):
    pool = f"{name}_wrong"
    arguments = {"data": [1.0, 2.0]} if name == "long_lock" else {}
    hammer(pit, pool, "process", lambda _: arguments, calls=2, threads=2)
    kept = 0 if name == "gil_releasing" else 2  # which shows no update of state
    assert pit.call("met", pool=pool) == {"met": [False, False], "results": kept}


@example(
    "adapters-13 correct",
    "workers-16 correct",
    "workers-19 correct",
    result="two threads compute at once",
)
@pytest.mark.parametrize("name", ["long_lock", "contention", "gil_releasing"])
def test_a_lock_held_briefly_lets_others_compute(pit, name):
    pool = f"{name}_correct"
    arguments = {"data": [1.0, 2.0]} if name == "long_lock" else {}
    hammer(pit, pool, "process", lambda _: arguments, calls=2, threads=2)
    assert pit.call("met", pool=pool) == {"met": [True, True], "results": 2}


@example("adapters-39", result="other threads' requests wait for the lock")
def test_a_lock_held_during_io_keeps_others_out(pit, server):
    hammer(pit, "donts", "fetch", lambda _: {"url": server.url("alone")}, 2, 2)
    assert server.met == [False, False]
    url = server.url("pair")
    hammer(pit, "donts", "fetch_outside", lambda _: {"url": url}, 2, 2)
    assert server.met == [False, False, True, True]


@example("adapters-40", result="runs: both threads take the locks in one order")
def test_nested_locks_in_one_order_are_fine(pit):
    assert hammer(pit, "donts", "nest") == [True] * 100


# ---- Libraries that are not safe -----------------------------------------------------


@example(
    "adapters-14 wrong",
    "adapters-38",
    result="fails earlier than the text says: pandas 2 has no `DataFrame.append`",
)
def test_todays_pandas_has_no_append(pit):
    for pool, tool, arguments in (
        ("unsafe_library_wrong", "add_row", {"data": {"n": 1}}),
        ("donts", "append", {"row": {"n": 1}}),
    ):
        fault = pit.fails(tool, arguments, pool=pool)
        assert (fault.err, fault.type) == ("TOOL_FAILED", "AttributeError")
        assert "append" in fault.message


@example("adapters-14 wrong", result="loses a row, with the `append` that pandas 1 had")
def test_appending_to_a_shared_frame_loses_a_row(pit):
    pool, made = "unsafe_library_old", 0
    for _ in range(ROUNDS):
        hammer(pit, pool, "add_row", lambda i: {"data": {"n": i}})
        made += 100
        if pit.call("count_rows", pool=pool) < made:
            return
    pytest.fail(f"{made} rows, and none was lost")


@example(
    "workers-20 wrong",
    result="runs, and gives the right sums: each call has a frame of its own",
)
def test_frames_of_ones_own_do_not_race(pit):
    frame = {"category": ["a", "b", "a"], "value": [1, 2, 3]}
    pool = "pandas_frames_wrong"
    answers = hammer(pit, pool, "process_data_as_dict", lambda _: {"data": frame})
    assert answers == [{"value": {"a": 4, "b": 2}}] * 100


# ---- Declarations --------------------------------------------------------------------


@example(
    "adapters-15 wrong", result="does not compile as written: a class without body"
)
def test_a_class_with_a_comment_alone_does_not_compile():
    with pytest.raises(IndentationError, match="expected an indented block"):
        compile(text_of("adapters-15"), "adapters-15", "exec")


@example(
    "adapters-15 wrong",
    "workers-21 wrong",
    "adapters-30",
    "workers-29",
    result="runs with the warning, or is refused if so wished",
)
@pytest.mark.parametrize(
    "adapter", ["undeclared_wrong.BadAdapter", "undeclared_workers_wrong.MyAdapter"]
)
def test_an_undeclared_adapter_is_warned_of_or_refused(pit, adapter):
    pool, _, name = adapter.partition(".")
    assert hammer(pit, pool, "ping") == ["pong"] * 100
    wanted = f"⚠️  Adapter {name} does not declare thread safety."
    assert len([line for line in pit.logged("worker.stderr") if wanted in line]) >= 1
    refusing = guide_pool(
        "thread", adapter, undeclared_adapter="refuse", restart_limit=1
    )
    with Pit.open(refusing) as other, pytest.raises(Refused, match="does not declare"):
        other.await_ready(pool)
    expect_error("pool.failed")


@example("adapters-15 correct", "workers-21 correct", result="no warning, no refusal")
@pytest.mark.parametrize(
    "adapter",
    ["undeclared_correct.GoodAdapter", "undeclared_workers_correct.MyAdapter"],
)
def test_a_declared_adapter_is_not_refused(adapter):
    strict = guide_pool("thread", adapter, undeclared_adapter="refuse")
    with Pit.open(strict) as pit:
        pit.await_ready(strict["name"])
        assert hammer(pit, strict["name"], "ping") == ["pong"] * 100
        lines = pit.logged("worker.stderr")
        assert not [line for line in lines if "does not declare" in line]


@example("adapters-12 wrong", result="loses a count; see Strategy 2 too")
def test_a_forgotten_lock_loses_a_count(pit):
    assert loses_a_count(pit, "forgotten_lock_wrong", "increment", {})


def expect_error(event: str) -> None:
    """Takes an error out of the log that the census reads, where it must be."""
    found = [line for line in log_of_test if line.event == event]
    assert found, f"no {event} in the log"
    for line in found:
        log_of_test.remove(line)
