# SPDX-License-Identifier: MIT
"""The guides' own tests, letter by letter: against a pool, as if its adapter were here,
and inside of a worker.
"""

from __future__ import annotations

import importlib

import pytest
from harness.calls import Remote

RUNNER = "runs_tests.RunsTests"

# Test of a guide, the adapter it is about.
TESTS = [
    ("adapters-11", "tested_step5.test_concurrent_compute", "my_adapter.MyAdapter"),
    ("adapters-17", "tested_hammer.test_concurrent_hammer", "my_adapter.MyAdapter"),
    (
        "adapters-18",
        "tested_race.test_race_condition",
        "forgotten_lock_correct.Counted",
    ),
    ("adapters-20", "tested_load.test_throughput", "my_adapter.MyAdapter"),
    ("workers-12", "tested_stress.stress_test_adapter", "workers_steps.MyAdapter"),
]
ROUNDS = 100  # of a test that shows a race, until it shows one


def example(*names, result):
    return pytest.mark.example(*names, result=result)


@example(
    "adapters-07",
    "adapters-08",
    "adapters-09",
    "adapters-10",
    *(name for name, _, _ in TESTS),
    result="passes against a pool, each call from its thread",
)
@pytest.mark.parametrize(("name", "test", "adapter"), TESTS)
def test_a_guides_test_passes_against_a_pool(pit_of, profile, name, test, adapter):
    # A pool of its own: the guides count from nought.
    pit = pit_of(profile, (adapter,), adapter_env={"FOR": test})
    run(test, adapter, pit)


def run(test: str, adapter: str, pit) -> None:
    """Runs a test of a guide here, with a stand-in that calls the pool."""
    module_name, _, function = test.partition(".")
    adapter_module, _, class_name = adapter.partition(".")
    module = importlib.import_module(module_name)
    adapter_class = getattr(importlib.import_module(adapter_module), class_name)
    remote = Remote(pit, adapter_module, adapter_class)
    module.MyAdapter = lambda: remote
    if function == "test_concurrent_compute":
        module.test_concurrent_compute(remote)
    else:
        getattr(module, function)()


@example(*(name for name, _, _ in TESTS), result="passes inside of a worker")
@pytest.mark.parametrize(("name", "test", "adapter"), TESTS)
def test_a_guides_test_passes_inside_of_a_worker(pit_of, profile, name, test, adapter):
    pit = pit_of(profile, (RUNNER,))
    pit.call("run", {"test": test, "adapter": adapter}, timeout_ms=300_000)


@example("adapters-09", result="the second call of a thread is answered from its cache")
def test_the_tutorials_cache_caches(pit_of, profile):
    pit = pit_of(profile, ("my_adapter.MyAdapter",), adapter_env={"FOR": "caching"})
    asked = {"key": "k", "data": [1, 2, 3]}
    answers = [pit.call("compute_cached", asked) for _ in range(100)]
    assert {answer["result"] for answer in answers} == {14}
    computed = [answer["cached"] for answer in answers].count(False)
    assert 1 <= computed <= pit.stats().capacity
    assert pit.call("get_stats")["total_requests"] == computed


@example(
    "adapters-12 wrong",
    "adapters-18",
    "workers-13",
    result="the test of the text finds the race",
)
@pytest.mark.parametrize(
    "test",
    ["tested_race.test_race_condition", "tested_race_by_hand.test_race_conditions"],
)
def test_a_guides_race_test_finds_the_race(pit_of, test):
    pit = pit_of("thread", (RUNNER,))
    asked = {"test": test, "adapter": "forgotten_lock_wrong.Slow"}
    for _ in range(ROUNDS):
        with pit.answer("run", asked, timeout_ms=300_000) as answer:
            if answer.err != "OK":
                fault = answer.fault
                assert (fault.err, fault.type) == ("TOOL_FAILED", "AssertionError")
                return
    pytest.fail(f"{ROUNDS} times ten threads counted to 10,000")
