# SPDX-License-Identifier: MIT
"""`ThreadSafetyChecker` on adapters that are wrong and on adapters that are right."""

from __future__ import annotations

import functools
import queue
import threading
import types
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from snakepit_bridge import BaseAdapter, ThreadSafeAdapter, thread_safe_method, tool
from snakepit_bridge.checking import order
from snakepit_bridge.thread_safety_checker import ThreadSafetyChecker
from watched import (
    Adapter,
    CallsAnUnmarkedHelper,
    Increments,
    UsesItsLock,
    call_from_threads,
)

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

MODULE_LOCK = threading.Lock()


class Base(Adapter):
    """Safe as well: a class of another module says nothing of those in this one."""

    __thread_safe__ = True


# ---- What is wrong -------------------------------------------------------------------


class Appends(Base):
    @thread_safe_method
    def run(self) -> None:
        self.log.append(1)


class StoresItems(Base):
    @thread_safe_method
    def run(self) -> None:
        self.table[len(self.table)] = 1


class CountsInTable(Base):
    @thread_safe_method
    def run(self) -> None:
        self.table[0] = self.table.get(0, 0) + 1


class RebuildsList(Base):
    @thread_safe_method
    def run(self) -> None:
        self.log = [*self.log, 1]


class LocksSomethingElse(Base):
    """One writer holds one lock, the next another."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = threading.RLock(), threading.RLock()

    @thread_safe_method
    def run(self) -> None:
        index = int(threading.current_thread().name.rpartition("-")[2])
        with self.second if index % 2 else self.first:
            self.counter += 1


class LocksInOnePlaceOnly(Base):
    @thread_safe_method
    def run(self) -> None:
        if threading.current_thread().name.endswith("0"):
            with self.acquire_lock():
                self.counter += 1
        else:
            self.counter += 1


WRONG = [
    Increments,
    Appends,
    StoresItems,
    CountsInTable,
    RebuildsList,
    LocksSomethingElse,
    LocksInOnePlaceOnly,
]


@pytest.mark.parametrize("adapter_class", WRONG)
def test_a_race_is_found_in_ten_of_ten_runs(adapter_class: type) -> None:
    for _ in range(10):
        with ThreadSafetyChecker() as checker:
            call_from_threads(adapter_class(), 25)
        found = checker.get_report()["warnings"]
        assert len(found) == 1
        assert "multiple threads" in found[0]
        assert "accessed by" in found[0]
        assert "different threads concurrently" in found[0]


def test_a_race_is_found_though_the_threads_never_met() -> None:
    with ThreadSafetyChecker() as checker:
        adapter = Increments()
        waiting = [threading.Thread(target=adapter.run) for _ in range(2)]
        for thread in waiting:
            thread.start()
            # Not join(): that would say that the next one comes after.
            while thread.is_alive():
                pass
    assert adapter.counter == 2
    assert "'counter'" in checker.get_report()["warnings"][0]


def test_a_race_from_outside_of_methods_is_found() -> None:
    """The plan's test: the adapter carries its checker, and the test is the race."""

    class Unsafe(ThreadSafeAdapter):
        __thread_safe__ = True

        def __init__(self) -> None:
            super().__init__()
            self.shared_counter = 0
            self.checker = ThreadSafetyChecker(self)

        @thread_safe_method
        def handle_request(self, request: Any) -> Any:
            self.checker.check_method_access("handle_request")
            return request

    unsafe_adapter = Unsafe()

    def access_shared_state() -> None:
        unsafe_adapter.shared_counter += 1

    with pytest.warns(RuntimeWarning, match="multiple threads"):
        threads = [threading.Thread(target=access_shared_state) for _ in range(10)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    unsafe_adapter.handle_request({})
    assert len(unsafe_adapter.checker.get_report()["warnings"]) == 1


# ---- What is right -------------------------------------------------------------------


class LosesACount(Base):
    """All have read the same number, so that all but one store what is there."""

    def __init__(self) -> None:
        super().__init__()
        self.meeting = threading.Barrier(4, timeout=30)

    @thread_safe_method
    def run(self) -> None:
        count = self.counter
        self.meeting.wait()
        self.counter = count + 1


def test_a_race_is_found_where_all_store_the_same_number() -> None:
    for _ in range(20):
        with ThreadSafetyChecker() as checker:
            adapter = LosesACount()
            call_from_threads(adapter, 1)
        assert adapter.counter == 1
        (found,) = checker.get_report()["warnings"]
        assert "Attribute 'counter' of LosesACount" in found
        assert "accessed by 4 different threads concurrently" in found


class CountsInside(Base):
    """In the dict of a dict."""

    def __init__(self) -> None:
        super().__init__()
        self.stats = {"a": {"n": 0}}

    @thread_safe_method
    def run(self) -> None:
        self.stats["a"]["n"] += 1


class RotatesADeque(Base):
    def __init__(self) -> None:
        super().__init__()
        self.items = deque([1, 2, 3])

    @thread_safe_method
    def run(self) -> None:
        self.items.rotate()


class CountsByHash(Base):
    """Two threads may share the key."""

    def __init__(self) -> None:
        super().__init__()
        self.shards = {0: 0, 1: 0}

    @thread_safe_method
    def run(self) -> None:
        self.shards[threading.get_ident() % 2] += 1


@pytest.mark.parametrize("adapter_class", [CountsInside, RotatesADeque, CountsByHash])
def test_a_change_within_a_container_is_found(adapter_class: type) -> None:
    with ThreadSafetyChecker() as checker:
        call_from_threads(adapter_class(), 25)
    assert len(checker.get_report()["warnings"]) == 1


class ReassignsItsLock(Base):
    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()

    @thread_safe_method
    def run(self) -> None:
        self._lock.acquire()
        try:
            self.counter += 1
        finally:
            self._lock.release()


class HasTwoLocks(Base):
    def __init__(self) -> None:
        super().__init__()
        self.counter_lock = threading.Lock()
        self.log_lock = threading.Condition()

    @thread_safe_method
    def run(self) -> None:
        with self.counter_lock:
            self.counter += 1
        with self.log_lock:
            self.log.append(1)


class UsesALockOfTheModule(Base):
    @thread_safe_method
    def run(self) -> None:
        with MODULE_LOCK:
            self.counter += 1


class LocksFarAway(Base):
    """The lock is an item of an attribute of an attribute."""

    def __init__(self) -> None:
        super().__init__()
        self.store = types.SimpleNamespace(locks={"counter": threading.Lock()})

    @thread_safe_method
    def run(self) -> None:
        with self.store.locks["counter"]:
            self.counter += 1


class UsesThreadLocals(Base):
    @thread_safe_method
    def run(self) -> None:
        cache = self.get_thread_local("cache", {})
        cache[len(cache)] = 1
        self.set_thread_local("cache", cache)


class UsesAQueue(Base):
    def __init__(self) -> None:
        super().__init__()
        self.results: queue.Queue[int] = queue.Queue()

    @thread_safe_method
    def run(self) -> None:
        self.results.put(1)


class OnlyReads(Base):
    def __init__(self) -> None:
        super().__init__()
        self.model = {"weights": [1, 2, 3]}
        self.frozen = frozenset({1})

    @thread_safe_method
    def run(self) -> int:
        return sum(self.model["weights"]) + len(self.frozen) + len(self.log)


class SetsAFlagThatStays(Base):
    def __init__(self) -> None:
        super().__init__()
        self.used = True

    @thread_safe_method
    def run(self) -> None:
        self.used = True


class ReadsWithoutTheLock(Base):
    """An attribute is read in one step."""

    @thread_safe_method
    def run(self) -> int:
        with self.acquire_lock():
            self.counter += 1
        return self.counter


class WritesThroughAProperty(Base):
    @property
    def total(self) -> int:
        return self.counter

    @total.setter
    def total(self, value: int) -> None:
        with self.acquire_lock():
            self.counter = value

    @thread_safe_method
    def run(self) -> None:
        self.total = 1
        self.total = 2


class LocksAWholeUnmarkedMethod(Base):
    def run(self) -> int:
        """All of it."""
        with self.acquire_lock():
            self.counter += 1
            return self.counter


class StoresAConstant(Base):
    """None of the stores is lost, whichever comes last."""

    @thread_safe_method
    def run(self) -> None:
        self.counter = 1


class KeepsItsModel(Base):
    """Loaded once; later the attribute is stored, and what is there stays."""

    def __init__(self) -> None:
        super().__init__()
        self.model = object()

    @thread_safe_method
    def run(self) -> None:
        self.model = self.model or object()


class AppendsToADeque(Base):
    """Which Python's documentation calls thread-safe."""

    def __init__(self) -> None:
        super().__init__()
        self.items: deque[int] = deque([1], maxlen=5)

    @thread_safe_method
    def run(self) -> None:
        self.items.append(1)
        self.items.appendleft(self.items.pop())


class UsesALocalOfTheThread(Base):
    def __init__(self) -> None:
        super().__init__()
        self.mine = threading.local()

    @thread_safe_method
    def run(self) -> None:
        self.mine.count = getattr(self.mine, "count", 0) + 1


class UsesAnItemOfTheThread(Base):
    def __init__(self) -> None:
        super().__init__()
        self.mine: dict[int, dict[str, int]] = {}

    @thread_safe_method
    def run(self) -> None:
        self.table[threading.get_ident()] = 1
        if threading.get_ident() not in self.mine:
            self.mine[threading.get_ident()] = {"n": 0}
        self.mine[threading.get_ident()]["n"] += 1


class MeansALine(Base):
    @thread_safe_method
    def run(self) -> None:
        self.counter += 1  # snakepit: safe, a guess is enough
        # snakepit: safe, the lines that it covers are
        # no more than the next one
        self.table[len(self.table)] = 1


class MeansAMethod(Base):
    @thread_safe_method
    def run(self) -> None:  # snakepit: safe, all of it is a guess
        self.counter += 1
        self.log.append(1)


def synchronized(method: Any) -> Any:
    @functools.wraps(method)
    def wrapper(self: Any, *args: Any) -> Any:
        with self.door:
            return method(self, *args)

    return wrapper


class LocksByADecorator(Base):
    """Not marked, and no name says that the lock is one."""

    def __init__(self) -> None:
        super().__init__()
        self.door = threading.Lock()

    @synchronized
    def run(self) -> None:
        self.counter += 1


class HasSlots(BaseAdapter):
    __slots__ = ("counter", "guard")
    __thread_safe__ = True

    def __init__(self) -> None:
        self.counter = 0
        self.guard = threading.Lock()

    @tool
    @thread_safe_method
    def run(self) -> None:
        with self.guard:
            self.counter += 1


RIGHT = [
    UsesItsLock,
    ReassignsItsLock,
    HasTwoLocks,
    UsesALockOfTheModule,
    LocksFarAway,
    UsesThreadLocals,
    UsesAQueue,
    OnlyReads,
    SetsAFlagThatStays,
    ReadsWithoutTheLock,
    WritesThroughAProperty,
    CallsAnUnmarkedHelper,
    LocksAWholeUnmarkedMethod,
    HasSlots,
    StoresAConstant,
    KeepsItsModel,
    AppendsToADeque,
    UsesALocalOfTheThread,
    UsesAnItemOfTheThread,
    MeansALine,
    MeansAMethod,
    LocksByADecorator,
]


@pytest.mark.parametrize("adapter_class", RIGHT)
def test_a_correct_adapter_is_met_with_silence_a_hundred_times(
    adapter_class: type,
) -> None:
    for _ in range(100):
        with ThreadSafetyChecker(strict_mode=True) as checker:
            call_from_threads(adapter_class(), 5)
        assert checker.get_report()["warnings"] == []


def test_threads_of_checkers_that_are_over_are_forgotten() -> None:
    """Else each start and join of a thread takes longer than the one before."""
    known = []
    for _ in range(3):
        with ThreadSafetyChecker(strict_mode=True):
            call_from_threads(UsesItsLock(), 1)
            known.append(len(order.this_thread().clock))
    assert known[0] == known[1] == known[2] > 0


def test_a_hand_over_by_start_and_join_is_no_race() -> None:
    with ThreadSafetyChecker(strict_mode=True) as checker:
        adapter = Increments()
        for _ in range(5):
            thread = threading.Thread(target=adapter.run)
            thread.start()
            thread.join()
            adapter.counter += 1
    assert adapter.counter == 10
    assert checker.get_report()["warnings"] == []


def test_what_a_constructor_writes_does_not_race_with_threads_that_were_there() -> None:
    with ThreadSafetyChecker(strict_mode=True), ThreadPoolExecutor(2) as pool:
        list(pool.map(abs, range(10)))
        adapter = UsesItsLock()
        list(pool.map(lambda _: adapter.run(), range(20)))
    assert adapter.counter == 20
