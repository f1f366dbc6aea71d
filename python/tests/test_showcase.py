# SPDX-License-Identifier: MIT
from __future__ import annotations

import hashlib
import math
import types
from typing import Any

import pytest
from conftest import hammer
from snakepit_bridge.adapters import threaded_showcase
from snakepit_bridge.adapters.showcase import ShowcaseAdapter
from snakepit_bridge.adapters.threaded_showcase import ThreadedShowcaseAdapter


@pytest.fixture
def process() -> ShowcaseAdapter:
    return ShowcaseAdapter()


@pytest.fixture(params=["numpy", "plain"])
def threaded(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> ThreadedShowcaseAdapter:
    if request.param == "plain":
        monkeypatch.setattr(threaded_showcase, "numpy", None)
    elif threaded_showcase.numpy is None:
        pytest.skip("NumPy is not installed")
    return ThreadedShowcaseAdapter()


def names(adapter: Any) -> set[str]:
    return {metadata.name for metadata in adapter.get_tools()}


def test_each_showcase_has_its_tools(process: ShowcaseAdapter) -> None:
    assert names(process) == {
        "ping",
        "echo",
        "add",
        "compute",
        "error_demo",
        "adapter_info",
        "process_text",
        "get_stats",
        "process_binary",
        "generate_dataset",
        "stream_progress",
        "stream_fibonacci",
    }
    assert names(ThreadedShowcaseAdapter()) == {
        "ping",
        "compute_intensive",
        "matrix_multiply",
        "batch_process",
        "stress_test",
        "get_adapter_stats",
        "get_history",
        "clear_caches",
    }


def test_small_tools_answer(process: ShowcaseAdapter) -> None:
    assert process.ping()["status"] == "ok"
    assert process.ping(message="hi")["message"] == "hi"
    assert process.echo(a=1, b=[True]) == {"a": 1, "b": [True]}
    assert process.add(a=2, b=40) == 42
    assert process.compute(a=5, b=3) == {"result": 8, "product": 15}
    assert process.compute(value=0) == {"result": 0}
    assert process.adapter_info()["tools"] == sorted(names(process))
    with pytest.raises(ValueError, match="as asked"):
        process.error_demo()


@pytest.mark.parametrize("arguments", [{}, {"a": 1}, {"a": 1, "b": 2, "value": 3}])
def test_compute_refuses_other_arguments(
    process: ShowcaseAdapter, arguments: dict[str, int]
) -> None:
    with pytest.raises(ValueError, match="compute takes"):
        process.compute(**arguments)


def test_text_statistics(process: ShowcaseAdapter) -> None:
    result = process.process_text("The cat\nand the dog")
    assert (result["characters"], result["words"], result["lines"]) == (19, 5, 2)
    assert result["unique_words"] == 4
    assert result["top_words"][:2] == [
        {"word": "the", "count": 2},
        {"word": "and", "count": 1},
    ]
    empty = process.process_text("")
    assert (empty["characters"], empty["lines"], empty["top_words"]) == (0, 0, [])
    assert process.process_text("ab", operation="reverse")["result"] == "ba"
    assert process.process_text("ab", operation="upper")["result"] == "AB"
    with pytest.raises(ValueError, match="unknown operation '__class__'"):
        process.process_text("ab", operation="__class__")


@pytest.mark.parametrize("data", [b"", b"\x01\xff", bytes(range(256)) * 9])
def test_binary_statistics(process: ShowcaseAdapter, data: bytes) -> None:
    result = process.process_binary(data)
    assert result["size"] == len(data)
    assert result["sha256"] == hashlib.sha256(data).hexdigest()
    assert result["largest"] == (max(data) if data else None)


def test_binary_statistics_of_an_array(process: ShowcaseAdapter) -> None:
    numpy = pytest.importorskip("numpy")
    array = numpy.arange(12, dtype="float32").reshape(3, 4)
    result = process.process_binary(array)
    assert result["size"] == 48
    assert result["sha256"] == hashlib.sha256(array.tobytes()).hexdigest()


def test_datasets_are_reproducible(process: ShowcaseAdapter) -> None:
    first = process.generate_dataset(rows=4, columns=2, seed=7)
    assert first == ShowcaseAdapter().generate_dataset(rows=4, columns=2, seed=7)
    assert first != process.generate_dataset(rows=4, columns=2, seed=8)
    assert [len(row) for row in first["data"]] == [2] * 4
    assert process.generate_dataset(rows=0)["data"] == []
    with pytest.raises(ValueError, match="0 or more"):
        process.generate_dataset(rows=-1)


def test_calls_are_counted(process: ShowcaseAdapter) -> None:
    hammer(20, 50, lambda index: process.ping())
    stats = process.get_stats()
    assert stats["calls"] == {"ping": 1000, "get_stats": 1}
    assert stats["total_calls"] == 1001


def test_results_are_the_same_with_and_without_numpy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("numpy")
    data = [0.5, -1.25, 3.0]
    rich = ThreadedShowcaseAdapter()
    monkeypatch.setattr(threaded_showcase, "numpy", None)
    poor = ThreadedShowcaseAdapter()
    poor_answers = [
        poor.compute_intensive(data, 20)["result"],
        *poor.matrix_multiply(data)["output"],
    ]
    monkeypatch.undo()
    rich_answers = [
        rich.compute_intensive(data, 20)["result"],
        *rich.matrix_multiply(data)["output"],
    ]
    assert poor_answers == pytest.approx(rich_answers)


def test_compute_intensive_computes(threaded: ThreadedShowcaseAdapter) -> None:
    result = threaded.compute_intensive([1.0], iterations=1)
    assert result["result"] == pytest.approx(math.sin(1) * math.cos(1) + 0.5)
    assert threaded.compute_intensive([1, 2], iterations=0)["result"] == 3
    assert threaded.compute_intensive([])["result"] == 0
    with pytest.raises(ValueError, match="0 or more"):
        threaded.compute_intensive([1], iterations=-1)


def test_the_cache_key_covers_every_argument(threaded: ThreadedShowcaseAdapter) -> None:
    assert not threaded.compute_intensive([1, 2], iterations=5)["cached"]
    assert threaded.compute_intensive([1, 2], iterations=5)["cached"]
    assert not threaded.compute_intensive([1, 2], iterations=6)["cached"]
    assert not threaded.compute_intensive([2, 1], iterations=5)["cached"]


def test_caches_are_bounded_and_can_be_cleared(
    threaded: ThreadedShowcaseAdapter,
) -> None:
    for index in range(threaded_showcase.CACHED_RESULTS + 10):
        threaded.compute_intensive([index], iterations=1)
    assert len(threaded.get_thread_local("cache")) == threaded_showcase.CACHED_RESULTS
    last = [threaded_showcase.CACHED_RESULTS + 9]
    assert threaded.compute_intensive(last, iterations=1)["cached"]
    threaded.clear_caches()
    assert not threaded.compute_intensive(last, iterations=1)["cached"]


def test_arrays_are_computed(threaded: ThreadedShowcaseAdapter) -> None:
    numpy = pytest.importorskip("numpy")
    array = numpy.ones(8, dtype="float32")
    array.flags.writeable = False
    assert threaded.compute_intensive(array, iterations=0)["result"] == 8
    assert threaded.matrix_multiply(array)["size"] == 8


def test_matrix_multiply_is_reproducible(threaded: ThreadedShowcaseAdapter) -> None:
    vector = [1.0, 0.0, 2.0]
    output = threaded.matrix_multiply(vector)["output"]
    assert output == pytest.approx(
        ThreadedShowcaseAdapter().matrix_multiply(vector)["output"]
    )
    weights = threaded.weights
    assert output[1] == pytest.approx(float(weights[1][0]) + 2 * float(weights[1][2]))
    assert threaded.matrix_multiply([]) == {"output": [], "size": 0}
    with pytest.raises(ValueError, match="257 numbers"):
        threaded.matrix_multiply([0.0] * 257)


def test_batches_are_processed(threaded: ThreadedShowcaseAdapter) -> None:
    result = threaded.batch_process([1, 2.5, "ab", None, True], delay_ms=0)
    assert result["results"] == [2, 5.0, "abab", None, True]
    assert threaded.batch_process([])["processed"] == 0
    assert threaded.batch_process([1, 2], delay_ms=10)["elapsed_ms"] >= 20
    with pytest.raises(ValueError, match="0 or more"):
        threaded.batch_process([], delay_ms=-1)


def test_stress_lasts_as_long_as_asked(threaded: ThreadedShowcaseAdapter) -> None:
    result = threaded.stress_test(duration_ms=20, complexity=10)
    assert result["elapsed_ms"] >= 20
    assert result["operations"] == result["rounds"] * 10 > 0
    assert threaded.stress_test(duration_ms=0)["rounds"] == 0


def test_a_cancelled_call_stops(
    threaded: ThreadedShowcaseAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = types.SimpleNamespace(cancelled=True, tool="stress_test")
    monkeypatch.setattr(threaded_showcase, "current_call", lambda: call)
    with pytest.raises(threaded_showcase.Cancelled):
        threaded.stress_test(duration_ms=60_000)


def test_progress_ends_with_a_final_chunk(process: ShowcaseAdapter) -> None:
    chunks = list(process.stream_progress(steps=4))
    assert [chunk.data["progress"] for chunk in chunks] == [0.25, 0.5, 0.75, 1.0]
    assert [chunk.is_final for chunk in chunks] == [False, False, False, True]
    with pytest.raises(ValueError, match="1 or more"):
        next(process.stream_progress(steps=0))


def test_fibonacci_goes_as_far_as_64_bits(process: ShowcaseAdapter) -> None:
    values = [chunk["value"] for chunk in process.stream_fibonacci(count=93)]
    assert values[:7] == [0, 1, 1, 2, 3, 5, 8]
    assert values[-1] == values[-2] + values[-3] < 2**63
    assert list(process.stream_fibonacci(count=0)) == []
    for count in (-1, 94):
        with pytest.raises(ValueError, match="0 to 93"):
            next(process.stream_fibonacci(count=count))


def test_history_is_limited(threaded: ThreadedShowcaseAdapter) -> None:
    for _ in range(12):
        threaded.batch_process([])
    assert len(threaded.get_history()["history"]) == 10
    assert threaded.get_history(limit=0) == {"history": [], "total": 12}
    assert len(threaded.get_history(limit=3)["history"]) == 3
    assert len(threaded.get_history(limit=100)["history"]) == 12
    with pytest.raises(ValueError, match="0 or more"):
        threaded.get_history(limit=-1)


def test_history_cannot_be_changed_from_outside(
    threaded: ThreadedShowcaseAdapter,
) -> None:
    threaded.batch_process([])
    threaded.get_history()["history"][0]["tool"] = "changed"
    assert threaded.get_history()["history"][0]["tool"] == "batch_process"


def test_twenty_threads_agree(threaded: ThreadedShowcaseAdapter) -> None:
    results = hammer(
        20, 5, lambda index: threaded.compute_intensive([1, index % 3], 3)["result"]
    )
    assert len({round(result, 9) for result in results}) == 3
    stats = threaded.get_adapter_stats()
    assert stats["recorded"] == stats["history_size"] == 100
    assert stats["cache_hits"] == 80
    assert stats["total_requests"] == 101
    assert len(stats["thread_utilization"]) == 21


# ---- Bad input -----------------------------------------------------------------------


def test_echo_takes_an_argument_of_any_name(process: ShowcaseAdapter) -> None:
    arguments = {"self": 1, "arguments": 2, "name": 3}
    assert process.echo(**arguments) == arguments


@pytest.mark.parametrize("tool", ["compute_intensive", "matrix_multiply"])
@pytest.mark.parametrize(
    ("data", "kind", "text"),
    [
        (None, TypeError, "{} is a list of numbers or an array, not NoneType"),
        (5, TypeError, "{} is a list of numbers or an array, not int"),
        ("12", TypeError, "{} is a list of numbers or an array, not str"),
        (b"12", TypeError, "{} is a list of numbers or an array, not bytes"),
        ({"a": 1}, TypeError, "{} is a list of numbers or an array, not dict"),
        ([1, "2"], TypeError, "{}[1] is a number, not str"),
        ([[1], [None]], TypeError, "{}[1][0] is a number, not NoneType"),
        ([1, math.nan], ValueError, "{}[1] is a finite number, not nan"),
        ([math.inf], ValueError, "{}[0] is a finite number, not inf"),
    ],
)
def test_what_is_no_vector_is_refused_by_name(
    threaded: ThreadedShowcaseAdapter, tool: str, data: Any, kind: type, text: str
) -> None:
    name = "data" if tool == "compute_intensive" else "input_vector"
    with pytest.raises(kind) as error:
        getattr(threaded, tool)(**{name: data})
    assert str(error.value) == text.format(name)


@pytest.mark.parametrize("dtype", ["complex64", "datetime64[s]", "object", "S2"])
def test_arrays_of_what_is_no_real_number_are_refused(
    threaded: ThreadedShowcaseAdapter, dtype: str
) -> None:
    numpy = pytest.importorskip("numpy")
    data = numpy.zeros(2, dtype=dtype)
    with pytest.raises(TypeError, match="input_vector is a"):
        threaded.matrix_multiply(data)


def test_an_array_says_where_it_is_not_finite(
    threaded: ThreadedShowcaseAdapter,
) -> None:
    numpy = pytest.importorskip("numpy")
    with pytest.raises(ValueError, match=r"data\[2\] is a finite number, not inf"):
        threaded.compute_intensive(numpy.array([1, 2, numpy.inf]), iterations=1)


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint64", "float16", ">f4"])
def test_lists_and_arrays_of_any_shape_are_vectors(
    threaded: ThreadedShowcaseAdapter, dtype: str
) -> None:
    numpy = pytest.importorskip("numpy")
    rows = [[1, 0], [1, 1]]
    wanted = threaded.compute_intensive([1, 0, 1, 1], iterations=3)["result"]
    array = numpy.array(rows, dtype=dtype)
    for data in (rows, (tuple(rows[0]), rows[1]), array):
        assert threaded.compute_intensive(data, iterations=3)["result"] == wanted
        assert threaded.matrix_multiply(data)["size"] == 4


def test_a_cached_answer_accepts_no_more_than_one_that_is_computed(
    threaded: ThreadedShowcaseAdapter,
) -> None:
    threaded.compute_intensive([1], iterations=1)
    for iterations in (1.0, True, "1", None):
        with pytest.raises(TypeError, match="iterations is a whole number, not"):
            threaded.compute_intensive([1], iterations=iterations)  # type: ignore[arg-type]


def test_sums_beyond_a_float_are_infinite(threaded: ThreadedShowcaseAdapter) -> None:
    assert threaded.compute_intensive([1.7e308] * 2, iterations=0)["result"] == math.inf


@pytest.mark.parametrize(
    ("tool", "arguments", "text"),
    [
        ("batch_process", {"items": None}, "items is a list, not"),
        ("batch_process", {"items": "ab"}, "items is a list, not"),
        ("batch_process", {"items": [], "delay_ms": "1"}, "delay_ms is a number"),
        ("stress_test", {"duration_ms": None}, "duration_ms is a number"),
        ("stress_test", {"complexity": 1.5}, "complexity is a whole number"),
        ("get_history", {"limit": 1.5}, "limit is a whole number"),
        ("add", {"a": 1, "b": "2"}, "b is a number, not str"),
        ("compute", {"value": [1]}, "value is a number, not list"),
        ("process_text", {"text": 5}, "text is a text, not int"),
        ("process_binary", {"data": "x"}, "data is bytes or an array, not str"),
        ("generate_dataset", {"columns": 1.0}, "columns is a whole number"),
        ("generate_dataset", {"seed": [1]}, "seed is a whole number"),
    ],
)
def test_bad_arguments_are_refused_by_name(
    process: ShowcaseAdapter,
    threaded: ThreadedShowcaseAdapter,
    tool: str,
    arguments: dict[str, Any],
    text: str,
) -> None:
    adapter = threaded if tool in names(threaded) else process
    with pytest.raises(TypeError, match=text):
        getattr(adapter, tool)(**arguments)


@pytest.mark.parametrize("delay_ms", [-1, math.nan, math.inf])
def test_a_delay_is_a_finite_number_of_0_or_more(
    threaded: ThreadedShowcaseAdapter, delay_ms: float
) -> None:
    with pytest.raises(ValueError, match="delay_ms is 0 or more, not"):
        threaded.batch_process([], delay_ms=delay_ms)
