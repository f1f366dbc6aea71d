# SPDX-License-Identifier: MIT
"""The showcase of the thread profile: the three patterns of thread safety at work.

1. Shared and read-only: the weights, made once in ``__init__``, need no lock.
2. Thread-local: each thread's cache of results, found without a lock.
3. Shared and changed: history and counters, touched under `acquire_lock`, and only
   briefly.

NumPy is used where it is installed; the results are the same without it, up to
rounding.
"""

from __future__ import annotations

import math
import random
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence
from typing import Any, Callable

from .. import Cancelled, current_call
from ..base_adapter_threaded import ThreadSafeAdapter, thread_safe_method, tool
from . import inputs
from .inputs import Numbers

try:
    import numpy
except ImportError:
    numpy = None  # type: ignore[assignment]

WEIGHTS = 256  # rows and columns of the weights
WEIGHTS_SEED = 42
CACHED_RESULTS = 128  # per thread
CACHED_INPUT_MAX = 4096  # numbers; a longer input costs more to compare than it saves
HISTORY = 1000  # entries kept


class ThreadedShowcaseAdapter(ThreadSafeAdapter):
    """CPU-bound, batch and stress tools that are safe on any number of threads."""

    __thread_safe__ = True

    def __init__(self) -> None:
        """Makes the weights, the same in every worker."""
        super().__init__()
        # Pattern 1: shared, never changed after this line.
        self.weights = make_weights()
        # Pattern 3: shared and changed, under the lock.
        self.history: deque[dict[str, Any]] = deque(maxlen=HISTORY)
        self.recorded = 0
        self.cache_hits = 0
        self.cache_generation = 0

    @thread_safe_method
    @tool
    def ping(self) -> dict[str, Any]:
        """Answers, and says which thread did."""
        return {"status": "ok", "thread": threading.current_thread().name}

    @thread_safe_method
    @tool
    def compute_intensive(
        self, data: Numbers, iterations: int = 1000
    ) -> dict[str, Any]:
        """Feeds the numbers `iterations` times through `sin` and `cos`, then adds them.

        `data` is an array or a list, of lists too. The result of an empty input is 0. A
        repeated call on the same thread is answered from its cache. Raises TypeError
        for what is not a number, ValueError for NaN, infinities and negative
        `iterations`.
        """
        inputs.whole("iterations", iterations)
        started = time.perf_counter()
        result, cached = self._cached(vector_of("data", data), iterations)
        elapsed = (time.perf_counter() - started) * 1000
        self._record("compute_intensive", elapsed, cached)
        return {
            "result": result,
            "iterations": iterations,
            "cached": cached,
            "elapsed_ms": elapsed,
            "thread": threading.current_thread().name,
        }

    def _cached(self, vector: Any, iterations: int) -> tuple[float, bool]:
        if len(vector) > CACHED_INPUT_MAX:
            return churn(vector, iterations), False
        key = (iterations, *map(float, vector))
        # Pattern 2: this thread's own cache, so no lock.
        cache = self._cache()
        if key in cache:
            cache.move_to_end(key)
            return cache[key], True
        cache[key] = churn(vector, iterations)
        if len(cache) > CACHED_RESULTS:
            cache.popitem(last=False)
        return cache[key], False

    def _cache(self) -> OrderedDict[Any, float]:
        """This thread's cache, emptied if `clear_caches` came since its last use."""
        if self.get_thread_local("generation") != self.cache_generation:
            self.set_thread_local("generation", self.cache_generation)
            self.clear_thread_local("cache")
        cache: OrderedDict[Any, float] = self.get_thread_local("cache", OrderedDict())
        return cache

    def _record(self, name: str, elapsed: float, cached: bool = False) -> None:
        # Pattern 3: computed before, stored under the lock.
        entry = {
            "tool": name,
            "elapsed_ms": elapsed,
            "thread": threading.current_thread().name,
            "timestamp": time.time(),
        }
        with self.acquire_lock():
            self.history.append(entry)
            self.recorded += 1
            self.cache_hits += cached

    @thread_safe_method
    @tool
    def matrix_multiply(self, input_vector: Numbers) -> dict[str, Any]:
        """Multiplies the weights with a vector of n numbers, which gives n numbers.

        The vector is an array or a list, of lists too. The weights are the first n rows
        and columns of a fixed matrix. Raises TypeError for what is not a number,
        ValueError for NaN, infinities and more than 256 numbers.
        """
        started = time.perf_counter()
        vector = vector_of("input_vector", input_vector)
        size = len(vector)
        if size > WEIGHTS:
            raise ValueError(
                f"input_vector has {size} numbers, the weights {WEIGHTS} columns"
            )
        output = multiply(self.weights, vector)
        self._record("matrix_multiply", (time.perf_counter() - started) * 1000)
        return {"output": output, "size": size}

    @thread_safe_method
    @tool
    def batch_process(
        self, items: Sequence[Any], delay_ms: float = 10
    ) -> dict[str, Any]:
        """Doubles numbers and texts and leaves the rest, taking `delay_ms` an item.

        Raises TypeError if `items` is not a list or `delay_ms` is not a number,
        ValueError if `delay_ms` is negative.
        """
        delay = inputs.amount("delay_ms", delay_ms) / 1000
        started = time.perf_counter()
        results = []
        for item in inputs.items("items", items):
            stop_if_cancelled()
            time.sleep(delay)
            results.append(doubled(item))
        elapsed = (time.perf_counter() - started) * 1000
        self._record("batch_process", elapsed)
        return {"processed": len(results), "results": results, "elapsed_ms": elapsed}

    @thread_safe_method
    @tool
    def stress_test(
        self, duration_ms: float = 100, complexity: int = 1000
    ) -> dict[str, Any]:
        """Takes square roots for `duration_ms`, `complexity` of them a round.

        Raises TypeError if either is not a number, or `complexity` is not a whole one,
        ValueError if one is negative.
        """
        seconds = inputs.amount("duration_ms", duration_ms) / 1000
        inputs.whole("complexity", complexity)
        started = time.perf_counter()
        rounds = run_for(seconds, lambda: sum(map(math.sqrt, range(complexity))))
        elapsed = (time.perf_counter() - started) * 1000
        self._record("stress_test", elapsed)
        return {
            "rounds": rounds,
            "operations": rounds * complexity,
            "elapsed_ms": elapsed,
            "thread": threading.current_thread().name,
        }

    @thread_safe_method
    @tool
    def get_adapter_stats(self) -> dict[str, Any]:
        """This worker's counts: requests by thread, cache hits, size of the history."""
        stats = self.get_stats_dict()
        with self.acquire_lock():
            stats["recorded"] = self.recorded
            stats["cache_hits"] = self.cache_hits
            stats["history_size"] = len(self.history)
        stats["numpy"] = numpy is not None
        return stats

    @thread_safe_method
    @tool
    def get_history(self, limit: int = 10) -> dict[str, Any]:
        """The last `limit` calls that computed something, oldest first.

        Raises TypeError if `limit` is not a whole number, ValueError if it is negative.
        """
        inputs.whole("limit", limit)
        with self.acquire_lock():
            entries = list(self.history)
            recorded = self.recorded
        # list[-0:] would be the whole list.
        last = entries[max(len(entries) - limit, 0) :]
        return {"history": [dict(entry) for entry in last], "total": recorded}

    @thread_safe_method
    @tool
    def clear_caches(self) -> dict[str, Any]:
        """Empties the caches of all threads: each one at its next use."""
        with self.acquire_lock():
            self.cache_generation += 1
        return {"status": "ok"}


def make_weights() -> Any:
    """WEIGHTS x WEIGHTS numbers between -1 and 1, the same on every machine."""
    chance = random.Random(WEIGHTS_SEED)
    rows = [[chance.uniform(-1, 1) for _ in range(WEIGHTS)] for _ in range(WEIGHTS)]
    return rows if numpy is None else numpy.array(rows)


def multiply(weights: Any, vector: Any) -> list[float]:
    """The vector's share of the weights times the vector."""
    size = len(vector)
    if numpy is not None:
        product: list[float] = (weights[:size, :size] @ vector).tolist()
        return product
    return [total(map(float.__mul__, row, vector)) for row in weights[:size]]


def vector_of(name: str, data: Numbers) -> Any:
    """The numbers of a parameter as one vector of 64-bit floats: NumPy's if there is
    NumPy, else a list. Raises as `inputs.flat` does.
    """
    if isinstance(data, (list, tuple)):
        numbers = inputs.flat(name, data)
        return numbers if numpy is None else numpy.array(numbers)
    view = inputs.real_buffer(name, data)
    if numpy is None:
        return inputs.flat(name, inputs.unpacked(view))
    vector = numpy.asarray(view, dtype=float).reshape(-1)
    odd = numpy.flatnonzero(~numpy.isfinite(vector))
    if len(odd):
        inputs.flat(name, vector.tolist())  # says which
    return vector


def total(numbers: Iterable[float]) -> float:
    """Their sum; infinite where it is beyond what a float holds, as NumPy's is."""
    terms = list(numbers)
    try:
        return math.fsum(terms)
    except (OverflowError, ValueError):
        return sum(terms)


def churn(values: Any, iterations: int) -> float:
    """The sum of the numbers after `iterations` rounds of sin(x) * cos(x) + x / 2."""
    if numpy is not None:
        for _ in range(iterations):
            stop_if_cancelled()
            values = numpy.sin(values) * numpy.cos(values) + values / 2
        with numpy.errstate(over="ignore"):
            return float(values.sum())
    for _ in range(iterations):
        stop_if_cancelled()
        values = [math.sin(value) * math.cos(value) + value / 2 for value in values]
    return total(values)


def doubled(item: Any) -> Any:
    """Twice a number or a text; anything else as it is."""
    return item * 2 if type(item) in (int, float, str) else item


def run_for(seconds: float, work: Callable[[], object]) -> int:
    """Repeats `work` until the time is over; returns how often."""
    end = time.perf_counter() + seconds
    rounds = 0
    while time.perf_counter() < end:
        stop_if_cancelled()
        work()
        rounds += 1
    return rounds


def stop_if_cancelled() -> None:
    """Raises Cancelled if the host no longer wants the answer."""
    call = current_call()
    if call is not None and call.cancelled:
        raise Cancelled(f"{call.tool} was cancelled")
