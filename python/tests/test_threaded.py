# SPDX-License-Identifier: MIT
from __future__ import annotations

import threading
import types
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from conftest import hammer
from snakepit_bridge import ThreadSafeAdapter, configuration, thread_safe_method, tool
from snakepit_bridge.base_adapter_threaded import (
    RequestTracker,
    ThreadLocalStorage,
    require_thread_safe,
    validate_thread_safety,
)
from snakepit_bridge.errors import UnknownTool
from snakepit_bridge.tracking import FINISHED_MAX, OTHERS


class Counter(ThreadSafeAdapter):
    __thread_safe__ = True

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    @thread_safe_method
    @tool(description="Increment counter")
    def increment(self) -> dict[str, int]:
        with self.acquire_lock():
            self.count += 1
            return {"count": self.count}

    @thread_safe_method
    @tool
    def nested(self) -> dict[str, int]:
        with self.acquire_lock():
            return self.increment()

    @thread_safe_method
    @tool
    def cached(self, key: str) -> bool:
        cache = self.get_thread_local("cache", {})
        found = key in cache
        cache[key] = True
        return found

    @thread_safe_method
    def fail(self) -> None:
        raise ValueError("no")

    @thread_safe_method
    @tool
    def get_stats(self) -> dict[str, Any]:
        with self.acquire_lock():
            stats = self.get_stats_dict()
            stats["count"] = self.count
        return stats


def test_twenty_threads_lose_no_count() -> None:
    adapter = Counter()
    results = hammer(20, 500, lambda index: adapter.increment()["count"])
    assert sorted(results) == list(range(1, 10_001))
    assert adapter.count == 10_000
    assert adapter.get_stats_dict()["total_requests"] == 10_000


def test_requests_are_counted_by_thread() -> None:
    adapter = Counter()
    hammer(20, 50, lambda index: adapter.increment())
    stats = adapter.get_stats_dict()
    assert stats["thread_utilization"] == {f"hammer-{i}": 50 for i in range(20)}
    assert stats["active_requests"] == 0


def test_a_pool_of_threads_runs_the_guides_hammer() -> None:
    adapter = Counter()
    with ThreadPoolExecutor(max_workers=20) as executor:
        futures = [executor.submit(adapter.increment) for _ in range(100)]
        assert len({future.result(timeout=10)["count"] for future in futures}) == 100
    assert adapter.get_stats()["count"] == 100


def test_a_method_that_calls_another_is_one_request() -> None:
    adapter = Counter()
    adapter.nested()
    assert adapter.get_stats_dict()["total_requests"] == 1


def test_a_failing_request_is_over_when_it_failed() -> None:
    adapter = Counter()
    with pytest.raises(ValueError, match="no"):
        adapter.fail()
    stats = adapter.get_stats_dict()
    assert stats["active_requests"] == 0
    assert stats["total_requests"] == 1


def test_active_requests_are_those_running_now() -> None:
    adapter = Counter()
    inside, leave = threading.Barrier(6), threading.Event()

    def work() -> None:
        with adapter.track_request(), adapter.track_request():
            inside.wait()
            leave.wait()

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    inside.wait()
    assert adapter.get_stats_dict()["active_requests"] == 5
    leave.set()
    for thread in threads:
        thread.join()
    stats = adapter.get_stats_dict()
    assert (stats["active_requests"], stats["total_requests"]) == (0, 5)


def test_stats_say_what_they_promise() -> None:
    configuration.use(configuration.Configuration(executors=16))
    stats = Counter().get_stats_dict()
    assert set(stats) == {
        "total_requests",
        "active_requests",
        "max_workers",
        "thread_utilization",
        "uptime_seconds",
        "adapter_class",
        "thread_safe",
    }
    assert stats["max_workers"] == 16
    assert stats["adapter_class"] == "Counter"
    assert stats["thread_safe"] is True
    assert 0 <= stats["uptime_seconds"] < 60


def test_stats_are_fresh_and_the_callers_own() -> None:
    adapter = Counter()
    adapter.increment()
    first = adapter.get_stats_dict()
    first["thread_utilization"].clear()
    first["total_requests"] = -1
    assert adapter.get_stats_dict()["total_requests"] == 1
    assert adapter.get_stats_dict()["thread_utilization"] == {"MainThread": 1}


def test_a_thousand_threads_leave_memory_flat() -> None:
    tracker = RequestTracker()

    def one() -> None:
        with tracker.track_request():
            pass

    for index in range(1000):
        thread = threading.Thread(target=one, name=f"short-{index}")
        thread.start()
        thread.join()
    assert len(tracker._tallies) <= 200
    stats = tracker.get_stats()
    assert stats["total_requests"] == 1000
    assert len(stats["thread_utilization"]) == FINISHED_MAX + 1
    assert stats["thread_utilization"][OTHERS] == 1000 - FINISHED_MAX


def test_an_adapter_may_assign_its_own_lock() -> None:
    class Atomic(ThreadSafeAdapter):
        __thread_safe__ = True

        def __init__(self) -> None:
            super().__init__()
            self.count = 0
            self._lock = threading.Lock()

        @thread_safe_method
        def increment(self) -> None:
            self._lock.acquire()
            try:
                self.count += 1
                self.get_stats()
                with self.acquire_lock(), self.acquire_lock():
                    self.get_thread_local("x", {})
            finally:
                self._lock.release()

    adapter = Atomic()
    hammer(20, 20, lambda index: adapter.increment())
    assert adapter.count == 400
    assert adapter.get_stats()["total_requests"] == 400


def test_a_forgotten_super_init_does_no_harm() -> None:
    class Forgetful(ThreadSafeAdapter):
        def __init__(self) -> None:
            self.count = 0

        @thread_safe_method
        def increment(self) -> int:
            with self.acquire_lock(), self._lock:
                self.count += 1
            return self.count

    adapter = Forgetful()
    assert adapter.increment() == 1
    assert adapter.get_stats()["total_requests"] == 1


def test_a_mutable_default_is_kept_by_its_thread() -> None:
    adapter = Counter()
    assert not adapter.cached("k")
    assert adapter.cached("k")
    assert hammer(20, 2, lambda index: adapter.cached("k")).count(True) == 20


def test_an_immutable_default_is_not_kept() -> None:
    storage = ThreadLocalStorage()
    assert storage.get("n", 0) == 0
    assert storage.get("n", 5) == 5
    assert storage.get("n") is None
    storage.set("n", None)
    assert storage.get("n", 5) is None


def test_thread_locals_can_be_cleared() -> None:
    adapter = Counter()
    adapter.set_thread_local("a", 1)
    adapter.set_thread_local("b", 2)
    adapter.clear_thread_local("a")
    adapter.clear_thread_local("a")
    assert adapter.get_thread_local("a") is None
    assert adapter.get_thread_local("b") == 2
    adapter.clear_thread_local()
    assert adapter.get_thread_local("b") is None


def test_threads_and_instances_do_not_see_each_others_values() -> None:
    first, second = Counter(), Counter()

    def work(index: int) -> Any:
        first.set_thread_local("mine", index)
        assert second.get_thread_local("mine") is None
        return first.get_thread_local("mine") == index

    assert all(hammer(20, 50, work))
    assert first.get_thread_local("mine") is None


def test_thread_safe_method_works_on_any_class() -> None:
    class Plain:
        @thread_safe_method
        def f(self, x: int, *, y: int = 1) -> int:
            return x + y

    assert Plain().f(1, y=2) == 3


class Inputs(ThreadSafeAdapter):
    __thread_safe__ = True

    def _handle_request_impl(self, request: Any) -> Any:
        return request.input


class Dispatching(ThreadSafeAdapter):
    __thread_safe__ = True

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def _dispatch(self, request: Any) -> Any:
        self.count += 1
        return request["command"], request.args


def test_handle_request_calls_the_implementation_with_input() -> None:
    adapter = Inputs()
    assert adapter.handle_request({"command": "x", "args": {"input": 3}}) == 3
    assert adapter.handle_request({"command": "x", "args": {"a": 1}}) == {"a": 1}
    assert adapter.handle_request({"input": 5}) == 5
    assert adapter.handle_request(types.SimpleNamespace(input=7)) == 7
    assert adapter.get_stats()["total_requests"] == 4


def test_dispatch_is_called_with_the_lock_held() -> None:
    adapter = Dispatching()
    request = {"command": "compute", "args": {"value": 1}}
    results = hammer(20, 100, lambda index: adapter.handle_request(request))
    assert results[0] == ("compute", {"value": 1})
    assert adapter.count == 2000


def test_handle_request_finds_tools() -> None:
    adapter = Counter()
    assert adapter.handle_request({"command": "increment"}) == {"count": 1}
    assert adapter.get_stats_dict()["total_requests"] == 1
    with pytest.raises(UnknownTool, match=r"no tool '_lock'; its tools: cached"):
        adapter.handle_request({"command": "_lock", "args": {}})


class Undeclared(ThreadSafeAdapter):
    @require_thread_safe
    def guarded(self) -> int:
        return 1


class Declared(Undeclared):
    __thread_safe__ = True


class InheritsFromItsPackage(Declared):
    pass


class TakesItBack(Declared):
    __thread_safe__ = False


class InheritsFalse(TakesItBack):
    pass


def foreign(base: type) -> type:
    return type("Foreign", (base,), {"__module__": "elsewhere.adapters"})


@pytest.mark.parametrize(
    ("adapter_class", "expected"),
    [
        (Declared, True),
        (InheritsFromItsPackage, True),
        (TakesItBack, False),
        (InheritsFalse, False),
        (foreign(TakesItBack), False),
    ],
)
def test_declarations_are_read_from_bodies(adapter_class: type, expected: bool) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert validate_thread_safety(adapter_class) is expected


@pytest.mark.parametrize("adapter_class", [Undeclared, foreign(Declared)])
def test_an_inherited_marker_declares_nothing(adapter_class: type) -> None:
    text = f"Adapter {adapter_class.__name__} does not declare thread safety."
    with pytest.warns(RuntimeWarning, match=text):
        assert validate_thread_safety(adapter_class) is False
    with pytest.warns(RuntimeWarning, match=text):
        assert validate_thread_safety(adapter_class()) is False


def test_require_thread_safe_guards_a_method() -> None:
    assert Declared().guarded() == 1
    with pytest.raises(RuntimeError, match="Undeclared does not declare"):
        Undeclared().guarded()


def test_config_is_the_pools_and_the_adapters_own() -> None:
    configuration.use(configuration.Configuration(adapter_config='{"a": {"b": 1}}'))
    first, second = Counter(), Counter()
    first.config["a"]["b"] = 2
    assert second.config == {"a": {"b": 1}}
    second.config = {"timeout": 30}
    assert second.config == {"timeout": 30}


def test_without_a_pool_config_is_empty() -> None:
    adapter = Counter()
    assert adapter.config == {}
    assert adapter.session_id == ""
    assert adapter.session_context.session_id == ""


def test_a_config_of_the_wrong_kind_is_refused() -> None:
    configuration.use(configuration.Configuration(adapter_config="[1]"))
    with pytest.raises(ValueError, match="no JSON object"):
        _ = Counter().config
