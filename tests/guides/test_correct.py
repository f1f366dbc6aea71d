# SPDX-License-Identifier: MIT
"""The examples that are labelled correct give what the text says, under its load."""

from __future__ import annotations

from collections import Counter

import pytest
from harness.calls import CALLS, hammer

ADAPTERS = (
    "overview_correct.SafeAdapter",
    "model.ModelAdapter",
    "caching.CachingAdapter",
    "counting.CountingAdapter",
    "forgotten_lock_correct.Counted",
    "unsafe_library_correct.Shown",
    "deadlock_wrong.Adapter",
    "deadlock_correct.Adapter",
    "numpy_example.NumPyAdapter",
    "torch_example.TorchAdapter",
    "torch_workers.PyTorchAdapter",
    "pandas_example.PandasAdapter",
    "multi_lock.Shown",
    "queue_example.QueueAdapter",
    "atomic.AtomicAdapter",
    "debugging.DebugAdapter",
    "dos.MyAdapter",
    "counter.CounterAdapter",
    "ml.MLAdapter",
    "read_only.MyAdapter",
    "workers_patterns.Adapter",
    "workers_steps.MyAdapter",
    "workers_numpy.Adapter",
    "workers_cache.Adapter",
    "workers_stats.Adapter",
    "unlocked_correct.Adapter",
    "pandas_frames_correct.Adapter",
)

FIRST_TO_LAST = list(range(1, CALLS + 1))


@pytest.fixture
def pit(pit_of, profile):
    return pit_of(profile, ADAPTERS)


def example(*names, result):
    return pytest.mark.example(*names, result=result)


@example("adapters-01 correct", result="counts 1 to 100 in 100 calls on 20 threads")
def test_the_safe_adapter_counts_every_call(pit):
    answers = hammer(pit, "overview_correct", "process", lambda i: {"data": i})
    assert sorted(answer["count"] for answer in answers) == FIRST_TO_LAST


@example("adapters-04", result="predicts on 20 threads with one model")
def test_a_shared_model_predicts_for_all(pit):
    answers = hammer(pit, "model", "predict", lambda i: {"input_data": [i, 1]})
    assert answers == [[2 * i + 1, 3] for i in range(CALLS)]


@example("adapters-05", result="computes a key once for each thread")
def test_each_thread_has_a_cache_of_its_own(pit):
    asked = {"key": "k", "data": [1, 2, 3]}
    answers = hammer(pit, "caching", "compute", lambda _: asked)
    assert {answer["value"] for answer in answers} == {6}
    predictions = {answer["number"]: answer["by"] for answer in answers}
    # No thread computed twice, and none was given what another one had computed.
    assert max(Counter(predictions.values()).values()) == 1
    assert len(predictions) <= pit.stats("caching").capacity


@example("adapters-06", result="counts and logs every call")
def test_the_counting_adapter_counts_and_logs(pit):
    answers = hammer(pit, "counting", "process", lambda i: {"data": [i]})
    assert [answer["value"] for answer in answers] == list(range(CALLS))
    found = pit.call("get_stats", pool="counting")
    assert found == {"total_requests": CALLS, "log_size": CALLS}


@example("adapters-12 correct", result="10 x 1,000 increments are 10,000")
def test_ten_threads_increment_a_thousand_times(pit):
    pool = "forgotten_lock_correct"
    answers = hammer(pit, pool, "increment", calls=10_000, threads=10)
    assert sorted(answers) == list(range(1, 10_001))
    assert pit.call("get_count", pool=pool) == 10_000


@example("adapters-14 correct", result="keeps every row; polars is a stand-in")
def test_rows_are_collected_and_become_a_frame(pit):
    pool = "unsafe_library_correct"
    hammer(pit, pool, "add_row", lambda i: {"data": {"n": i}})
    columns = pit.call("get_columns", pool=pool)
    assert sorted(columns["n"]) == list(range(CALLS))


@example(
    "adapters-14 correct",
    result="`get_dataframe` itself returns what no host can hold: UNSERIALISABLE",
)
def test_a_frame_is_no_value_for_a_host(pit):
    fault = pit.fails("get_dataframe", pool="unsafe_library_correct")
    assert fault.err == "UNSERIALISABLE"
    assert "DataFrame" in fault.message


@example("adapters-16 wrong", result='no deadlock but "result": the lock is reentrant')
def test_a_method_may_call_another_that_locks_too(pit):
    answers = hammer(pit, "deadlock_wrong", "method_a")
    answers += hammer(pit, "deadlock_wrong", "method_b")
    assert set(answers) == {"result"}


@example("adapters-16 correct", result='"result", from 20 threads')
def test_a_private_method_is_called_within_the_lock_and_not_from_outside(pit):
    assert set(hammer(pit, "deadlock_correct", "method_a")) == {"result"}
    fault = pit.fails("_method_b_impl", pool="deadlock_correct")
    assert fault.err == "UNKNOWN_TOOL"


@example("adapters-21", result="multiplies on 20 threads, NumPy itself")
def test_numpy_multiplies(pit):
    answers = hammer(
        pit,
        "numpy_example",
        "matrix_multiply",
        lambda i: {"a_data": [[i, 0], [0, 2]], "b_data": [[1, 2], [3, 4]]},
    )
    assert answers == [[[i, 2 * i], [6, 8]] for i in range(CALLS)]


@example(
    "adapters-22", "workers-22", result="infers on 20 threads; torch is a stand-in"
)
@pytest.mark.parametrize(
    ("pool", "name"),
    [("torch_example", "input_data"), ("torch_workers", "input_tensor")],
)
def test_torch_infers(pit, pool, name):
    answers = hammer(pit, pool, "inference", lambda i: {name: [i]})
    assert answers == [[2 * i + 1] for i in range(CALLS)]


FRAME = {"category": ["a", "b", "a"], "value": [1, 2, 3]}
SUMS = {"value": {"a": 4, "b": 2}}


@example("adapters-23", result="groups under the lock, pandas itself")
def test_pandas_groups_under_the_lock(pit):
    answers = hammer(
        pit, "pandas_example", "process_dataframe", lambda _: {"data": FRAME}
    )
    assert answers == [SUMS] * CALLS


@example("workers-20 correct", result="groups under the lock, pandas itself")
def test_frames_are_grouped_under_the_lock(pit):
    pool = "pandas_frames_correct"
    answers = hammer(pit, pool, "process_data_as_dict", lambda _: {"data": FRAME})
    assert answers == [SUMS] * CALLS


@example(
    "workers-20 correct",
    result="`process_data` itself returns what no host can hold: UNSERIALISABLE",
)
def test_a_grouped_frame_is_no_value_for_a_host(pit):
    fault = pit.fails("process_data", {"data": FRAME}, pool="pandas_frames_correct")
    assert fault.err == "UNSERIALISABLE"
    assert "DataFrame" in fault.message


@example("adapters-24", result="each lock guards what is its own")
def test_two_locks_guard_two_things(pit):
    hammer(pit, "multi_lock", "increment")
    hammer(pit, "multi_lock", "log_event", lambda i: {"event": i})
    found = pit.call("look", pool="multi_lock")
    assert found["counter"] == CALLS
    assert sorted(found["log"]) == list(range(CALLS))


@example("adapters-25", result="no result is lost, and none comes twice")
def test_a_queue_loses_nothing(pit):
    hammer(pit, "queue_example", "add_result", lambda i: {"result": i})
    assert sorted(pit.call("get_results", pool="queue_example")) == list(range(CALLS))
    assert pit.call("get_results", pool="queue_example") == []


@example("adapters-26", result="counts every call, with `_lock` as its own name")
def test_an_adapter_may_use_the_name_lock_for_itself(pit):
    answers = hammer(pit, "atomic", "atomic_increment")
    assert sorted(answers) == FIRST_TO_LAST


@example(
    "adapters-31",
    "workers-27",
    result="the host's log has the lines, with the names of the executors",
)
def test_what_is_printed_and_logged_names_the_thread(pit, profile):
    assert pit.call("compute", {"data": [1, 2]}, pool="debugging") == 3
    name = "MainThread" if profile == "process" else "snakepit-executor-"
    importer = "template" if profile == "process" else "worker"
    pit.await_line(f"{importer}.stdout", "Thread: MainThread")
    for text in ("Acquiring lock...", "Lock acquired!", "Lock released"):
        pit.await_line("worker.stdout", f"[{name}", text)
    pit.await_line("worker.stderr", f"DEBUG:do_work:working on {name}")


@example(
    *(f"adapters-{n}" for n in (32, 33, 34, 35, 36)), result="works where it stands"
)
def test_the_dos_do(pit):
    assert pit.call("my_method", pool="dos") is None
    assert sorted(hammer(pit, "dos", "minimized"))[-1] == CALLS
    found = hammer(pit, "dos", "cached", lambda _: {"key": "k"})
    assert 1 <= found.count(False) <= pit.stats("dos").capacity
    assert pit.call("pooled", pool="dos") == 100
    assert not [
        line for line in pit.logged("worker.stderr") if "Adapter MyAdapter" in line
    ]


@example("adapters-42", result="counts every call")
def test_the_simple_counter_counts(pit):
    answers = hammer(pit, "counter", "increment")
    assert sorted(answer["count"] for answer in answers) == FIRST_TO_LAST
    assert pit.call("get_count", pool="counter") == {"count": CALLS}


@example(
    "adapters-43",
    result="caches for each thread, counts what it computed; torch is a stand-in",
)
def test_the_model_adapter_caches_and_counts(pit):
    answers = hammer(
        pit, "ml", "predict", lambda _: {"input_data": [1], "cache_key": "k"}
    )
    assert {tuple(answer["prediction"]) for answer in answers} == {(3.0,)}
    computed = [answer["cached"] for answer in answers].count(False)
    assert 1 <= computed <= pit.stats("ml").capacity
    assert pit.call("predict", {"input_data": [2]}, pool="ml") == {
        "prediction": [5.0],
        "cached": False,
    }
    stats = pit.call("get_stats", pool="ml")
    assert stats["total_predictions"] == computed + 1
    assert stats["total_requests"] == CALLS + 2


@example("workers-04", result="the model and the settings are there for all threads")
def test_read_only_resources_are_shared(pit):
    answers = hammer(pit, "read_only", "look")
    for answer in answers:
        assert answer["config"] == {"timeout": 30, "batch_size": 10}
    # One model: it gave every prediction a number of its own.
    numbers = [answer["prediction"]["number"] for answer in answers]
    assert sorted(numbers) == FIRST_TO_LAST


@example("workers-05", result="predicts an input once for each thread")
def test_predictions_are_cached_for_each_thread(pit):
    answers = hammer(
        pit, "workers_patterns", "predict", lambda _: {"input_data": "abc"}
    )
    predictions = {answer["number"]: answer["by"] for answer in answers}
    assert max(Counter(predictions.values()).values()) == 1


@example("workers-06", result="logs and counts every prediction")
def test_predictions_are_logged_under_the_lock(pit):
    pool = "workers_patterns"
    hammer(pit, pool, "log_prediction", lambda i: {"prediction": i})
    found = pit.call("look", pool=pool)
    assert found["total"] == CALLS
    assert sorted(entry["prediction"] for entry in found["log"]) == list(range(CALLS))


@example(
    *(f"workers-{n:02}" for n in (7, 8, 9, 10)),
    result="the four steps are one adapter that counts every call",
)
def test_the_four_steps_make_an_adapter(pit):
    pool = "workers_steps"
    answers = hammer(pit, pool, "predict", lambda i: {"input_data": f"input_{i}"})
    assert answers[7]["prediction"]["value"] == len("input_7")
    found = pit.call("get_stats", pool=pool)
    assert found == {"request_count": CALLS, "results_count": 0}


@example("workers-14", result="multiplies on 20 threads, NumPy itself")
def test_numpy_multiplies_with_shared_weights(pit):
    answers = hammer(
        pit, "workers_numpy", "matrix_multiply", lambda i: {"data": [i, 1]}
    )
    assert answers == [[i + 3, 2 * i + 4] for i in range(CALLS)]


@example("workers-17", result="computes a key once for each thread")
def test_an_expensive_function_is_cached_for_each_thread(pit):
    answers = hammer(pit, "workers_cache", "compute", lambda _: {"key": "abc"})
    predictions = {answer["number"]: answer["by"] for answer in answers}
    assert max(Counter(predictions.values()).values()) == 1


@example("workers-18 correct", result="10 x 1,000 increments are 10,000")
def test_a_locked_counter_counts(pit):
    pool = "unlocked_correct"
    hammer(pit, pool, "increment", calls=10_000, threads=10)
    assert pit.call("get_count", pool=pool) == 10_000


@example(
    "workers-24",
    "workers-25",
    result="all four fields, with the names and meaning of the text",
)
def test_threads_can_be_monitored(pit, profile):
    hammer(pit, "workers_stats", "get_thread_stats")
    stats = pit.call("get_thread_stats", pool="workers_stats")
    assert stats["total_requests"] == CALLS + 1
    assert stats["active_requests"] == 1
    assert stats["max_workers"] == pit.stats("workers_stats").capacity
    assert sum(stats["thread_utilization"].values()) == CALLS + 1
    if profile == "thread":
        assert all("snakepit-executor-" in name for name in stats["thread_utilization"])
