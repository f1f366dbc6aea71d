# SPDX-License-Identifier: MIT
"""What the guides say of the checker; and that it finds the races of the wrong examples
in each of ten workers, and none in a hundred workers of the correct ones.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from conftest import guide_pool
from harness.calls import hammer
from support import Deadline, Pit, eventually

RUNS = 10  # of each wrong example, each in a worker of its own
RUNS_CORRECT = 10  # of each of the ten below
THREADS = 4  # of each worker
RACE = "written from multiple threads"

RACY = [
    ("overview_wrong.UnsafeAdapter", "process", {"data": 1}),
    ("forgotten_lock_wrong.BadAdapter", "increment", {}),
    ("unlocked_wrong.Adapter", "increment", {}),
    ("unsafe_library_old.BadAdapter", "add_row", {"data": {"n": 1}}),
    ("donts.Adapter", "increment", {}),
]
CORRECT = [
    ("overview_correct.SafeAdapter", "process", {"data": 1}),
    ("model.ModelAdapter", "predict", {"input_data": [1]}),
    ("caching.CachingAdapter", "compute", {"key": "k", "data": [1]}),
    ("counting.CountingAdapter", "process", {"data": [1]}),
    ("forgotten_lock_correct.Counted", "increment", {}),
    ("multi_lock.MultiLockAdapter", "log_event", {"event": 1}),
    ("atomic.AtomicAdapter", "atomic_increment", {}),
    ("counter.CounterAdapter", "increment", {}),
    ("workers_steps.MyAdapter", "predict", {"input_data": "text"}),
    ("unlocked_correct.Adapter", "increment", {}),
]


def example(*names, result):
    return pytest.mark.example(*names, result=result)


def checked(adapter: str, workers: int, **options: Any) -> dict[str, Any]:
    options.setdefault("thread_safety_checks", True)
    return guide_pool(
        "thread", adapter, pool_size=workers, threads_per_worker=THREADS, **options
    )


def written(
    pool: dict[str, Any], tool: str, arguments: dict, until: str = ""
) -> dict[str, list[str]]:
    """What each worker wrote, by its number, while all of them were kept busy: until
    each has written that text. On a busy machine one thread may do all the work for a
    while, and then there is no race.
    """
    with Pit.open(pool) as pit:
        pit.await_ready(pool["name"], 120_000)
        workers = pool["pool_size"]
        threads = workers * THREADS
        deadline = Deadline(60)
        done = 0
        while done < workers and not deadline.over:
            hammer(pit, pool["name"], tool, lambda _: arguments, 20 * threads, threads)
            wrote = by_worker(pit).values()
            done = sum(has(lines, until) for lines in wrote) if until else workers
    return by_worker(pit)


def by_worker(pit: Pit) -> dict[str, list[str]]:
    """What each has written so far."""
    found: dict[str, list[str]] = {}
    for line in pit.logged("worker.stderr"):
        number = re.search(r"worker=(\d+)", line)
        assert number, line
        found.setdefault(number[1], []).append(line)
    return found


def has(lines: list[str], text: str) -> bool:
    return any(text in line for line in lines)


@example(
    "adapters-01 wrong",
    "adapters-12 wrong",
    "adapters-14 wrong",
    "adapters-37",
    "workers-18 wrong",
    result="the checker finds the race in 10 of 10 workers",
)
@pytest.mark.parametrize(("adapter", "tool", "arguments"), RACY)
def test_the_checker_finds_the_race_in_each_worker(adapter, tool, arguments):
    found = written(checked(adapter, RUNS), tool, arguments, until=RACE)
    assert len(found) == RUNS
    for number, lines in found.items():
        assert has(lines, RACE), (number, lines)


@example(
    "adapters-01 correct",
    "adapters-04",
    "adapters-05",
    "adapters-06",
    "adapters-12 correct",
    "adapters-24",
    "adapters-26",
    "adapters-42",
    "workers-18 correct",
    result="the checker has nothing to say in 10 of 10 workers",
)
@pytest.mark.parametrize(("adapter", "tool", "arguments"), CORRECT)
def test_the_checker_is_silent_on_correct_examples(adapter, tool, arguments):
    found = written(checked(adapter, RUNS_CORRECT), tool, arguments)
    assert len(found) == RUNS_CORRECT
    for number, lines in found.items():
        assert not has(lines, "THREAD SAFETY:"), (number, lines)
        # The guides' first adapters come before its declarations.
        undeclared = has(lines, "does not declare thread safety")
        reported = "Warnings Issued: 1" if undeclared else "No thread safety issues"
        assert has(lines, reported), (number, lines)


@example(
    "adapters-27",
    "workers-26",
    result="the flag among `adapter_args`: the race is found and reported at the end",
)
def test_the_flag_switches_the_checker_on():
    words = ["--thread-safety-check"]
    pool = checked("unlocked_wrong.Adapter", 1, adapter_args=words)
    del pool["thread_safety_checks"]
    (lines,) = written(pool, "increment", {}, until=RACE).values()
    assert has(lines, RACE)
    assert has(lines, "Warnings Issued: 1")


@example(
    "adapters-28",
    "workers-28",
    result="said of a method that runs on five threads at once and is not marked",
)
def test_an_unmarked_method_on_five_threads_is_warned_of():
    pool = checked("checked_wrong.Unmarked", 1)
    pool["threads_per_worker"] = 5
    with Pit.open(pool) as pit:
        pit.await_ready("checked_wrong", 120_000)
        hammer(pit, "checked_wrong", "predict", calls=5, threads=5)
        said = "⚠️  THREAD SAFETY: Method 'predict' accessed by "
        pit.await_line("worker.stderr", said, "different threads concurrently.")
    assert has(pit.logged("worker.stderr"), "- predict: ")


@example(
    "adapters-29",
    "workers-30",
    result="said once, with the reason and the safe pattern",
)
def test_an_unsafe_library_is_warned_of():
    frame = {"category": ["a"], "value": [1]}
    pool = checked("pandas_frames_wrong.Adapter", 1)
    found = written(pool, "process_data_as_dict", {"data": frame})
    (lines,) = found.values()
    wanted = "⚠️  THREAD SAFETY: Unsafe library 'pandas' detected"
    warned = [line for line in lines if wanted in line and "RuntimeWarning" in line]
    assert len(warned) == 1


@example(
    "adapters-19",
    result="in strict mode: 50 calls on each of 20 threads pass without a warning",
)
def test_the_guides_checked_test_passes_in_a_worker(pit_of):
    pit = pit_of("thread", ("runs_tests.RunsTests",))
    test = "tested_checker.test_with_checker"
    asked = {"test": test, "adapter": "my_adapter.MyAdapter"}
    pit.call("run", asked, timeout_ms=300_000)


@example("adapters-19", result="fails for an adapter that races")
def test_the_guides_checked_test_fails_for_a_racy_adapter(pit_of):
    pit = pit_of("thread", ("runs_tests.RunsTests",))
    asked = {
        "test": "tested_checker.test_with_checker",
        "adapter": "checked_wrong.Racing",
    }
    fault = pit.fails("run", asked, timeout_ms=300_000)
    assert (fault.err, fault.type) == ("TOOL_FAILED", "AssertionError")


@example("workers-11", result="prints a report with 100 threads' calls and no warnings")
def test_the_guides_report_is_printed(pit_of):
    pit = pit_of("thread", ("runs_tests.RunsTests",), adapter_env={"FOR": "report"})
    asked = {
        "test": "tested_method1.test_concurrent_access",
        "adapter": "workers_steps.MyAdapter",
    }
    pit.call("run", asked, timeout_ms=300_000)
    # It is too long for one line of the log.
    report = eventually(lambda: re.search(r"{'enabled'.*]}", printed(pit)))[0]
    assert "'warnings': []" in report
    assert "'total_threads_seen': 100" in report


def printed(pit: Pit) -> str:
    """What the workers have printed so far, without line ends."""
    return "".join(
        re.sub(r'^.*? line="(.*)"$', r"\1", line)
        for line in pit.logged("worker.stdout")
    )
