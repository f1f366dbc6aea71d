# SPDX-License-Identifier: MIT
"""Calls of marked methods where the extension counts them: without a GIL.

With one, what is the same for both is tested here, and again with the extension beside
it, which the bridge's own tests are without.
"""

from __future__ import annotations

import copy
import ctypes
import functools
import gc
import inspect
import sys
import threading
import weakref
from pathlib import Path

import pytest
from snakepit_bridge import ThreadSafeAdapter, _runtime, thread_safe_method, tool
from snakepit_bridge.tracking import Tally

sys.path.append(str(Path(__file__).parents[2] / "python" / "tests"))

from test_requests import *  # noqa: F403

natively = pytest.mark.skipif(
    not hasattr(_runtime, "count_calls"), reason="tracking.py counts with a GIL"
)


class Base(ThreadSafeAdapter):
    __thread_safe__ = True

    @thread_safe_method
    def shared(self, x, *, y=2):
        """Adds."""
        return x + y


class Adapter(Base):
    @thread_safe_method
    def shared(self, x, *, y=2):
        return super().shared(x, y=y)

    @tool
    @thread_safe_method
    def inner(self, *values: int, scale: float = 1.0) -> list:
        """Scales."""
        return [self.shared(value, y=0) * scale for value in values]

    @property
    @thread_safe_method
    def size(self):
        return 3

    @thread_safe_method
    def __getitem__(self, key):
        return key

    @thread_safe_method
    def __call__(self):
        return "called"

    @thread_safe_method
    def clears(self):
        vars(self).clear()
        gc.collect()
        return 5

    @thread_safe_method
    def recurses(self, depth):
        return self.recurses(depth + 1)


def total(adapter):
    return adapter.get_stats_dict()["total_requests"]


def repeated(call):
    """More often than Python needs to notice that it could call faster."""
    for _ in range(50):
        call()


def by_position(adapter):
    return adapter.shared(1)


def failing(adapter):
    with pytest.raises(TypeError):
        adapter.shared()


WAYS = {
    "by_position": by_position,
    "by_name": lambda adapter: adapter.shared(x=1, y=3),
    "from_a_tuple": lambda adapter: adapter.shared(*[1] * len("x"), y=3),
    "from_its_class": lambda adapter: Adapter.shared(adapter, 1),
    "from_its_base": lambda adapter: Base.shared(adapter, 1),
    "bound": lambda adapter: list(map(adapter.shared, [1])),
    "partial": lambda adapter: functools.partial(adapter.shared, y=1)(2),
    "nested": lambda adapter: adapter.inner(1, 2, 3, scale=2.0),
    "property": lambda adapter: adapter.size,
    "item": lambda adapter: adapter[4],
    "called": lambda adapter: adapter(),
    "failing": failing,
}


@pytest.mark.parametrize("way", WAYS)
def test_a_call_is_counted_once_however_it_is_made(way):
    adapter = Adapter()
    repeated(lambda: WAYS[way](adapter))
    assert total(adapter) == 50
    assert adapter.get_stats_dict()["active_requests"] == 0


def test_a_counted_method_is_a_plain_function_that_says_what_it_is():
    inner = Adapter.inner
    assert inspect.isfunction(inner) and inspect.ismethod(Adapter().inner)
    assert (inner.__name__, inner.__qualname__) == ("inner", "Adapter.inner")
    assert (inner.__doc__, inner.__module__) == ("Scales.", __name__)
    assert str(inspect.signature(inner)) == (
        "(self, *values: 'int', scale: 'float' = 1.0) -> 'list'"
    )
    with pytest.raises(TypeError, match=r"shared\(\) missing 1 required positional"):
        Base().shared()


@natively
def test_it_wraps_nothing_and_what_it_was_made_of_is_not_counted():
    def plain(self, x=3, *, y=4):
        return x, y

    plain.note = "kept"
    marked = thread_safe_method(plain)
    adapter = type("Made", (Base,), {"marked": marked, "plain": plain})()
    assert marked is not plain and not hasattr(marked, "__wrapped__")
    assert (marked.note, marked.__code__) == ("kept", plain.__code__)
    assert adapter.marked() == adapter.plain() == (3, 4)
    assert total(adapter) == 1


def test_threads_count_for_themselves():
    adapter, others = Adapter(), [Adapter() for _ in range(9)]
    together = threading.Barrier(4)

    def run():
        together.wait()
        for _ in range(500):
            adapter.inner(1)
            for other in others:
                other.shared(1)

    threads = [threading.Thread(target=run, name=f"t{i}") for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one in (adapter, *others):
        counts = one.get_stats_dict()["thread_utilization"]
        assert counts == {f"t{i}": 500 for i in range(4)}


def test_an_adapter_where_another_one_was_has_its_own_counts():
    seen = set()
    for _ in range(500):
        adapter = Adapter()
        seen.add(id(adapter))
        adapter.shared(1)
        assert total(adapter) == 1
    assert len(seen) < 500  # else nothing was tested


def test_a_copy_shares_the_counts_and_outlives_the_original():
    adapter = Adapter()
    other = copy.copy(adapter)
    for _ in range(10):
        adapter.shared(1)
        other.shared(1)
    assert total(other) == 20
    del adapter
    for _ in range(20):
        other.shared(1)
        assert Adapter().shared(1) == 3
    assert total(other) == 40


@natively
def test_counting_keeps_no_adapter_and_goes_with_its_thread():
    tallies = []

    class Keeps(Tally):
        def __init__(self):
            super().__init__()
            tallies.append(weakref.ref(self))

        __slots__ = ("__weakref__",)

    from snakepit_bridge import tracking

    def run():
        adapter = Adapter()
        adapter.shared(1)
        gone = weakref.ref(adapter)
        del adapter
        gc.collect()
        assert gone() is None
        results.append("done")

    results = []
    original, tracking.Tally = tracking.Tally, Keeps
    try:
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    finally:
        tracking.Tally = original
    gc.collect()
    assert results == ["done"] and tallies
    assert [tally() for tally in tallies] == [None] * len(tallies)


def test_an_adapter_that_loses_its_counts_in_a_call_ends_it():
    adapter = Adapter()
    assert adapter.clears() == 5
    repeated(lambda: adapter.shared(1))
    assert adapter.get_stats_dict()["active_requests"] == 0


def test_a_method_that_calls_itself_for_ever_is_an_error():
    adapter = Adapter()
    with pytest.raises(RecursionError):
        adapter.recurses(0)
    assert adapter.get_stats_dict()["active_requests"] == 0
    assert total(adapter) == 1


def test_what_is_not_an_adapter_is_not_counted():
    class Plain:
        __slots__ = ()

        @thread_safe_method
        def f(self, x):
            return x

    assert [Plain().f(index) for index in range(10)] == list(range(10))
    with pytest.raises(TypeError, match="f"):
        Plain.f()


def test_a_finding_that_fails_fails_the_call():
    class Odd(Base):
        @property
        def _snakepit_tracker(self):
            raise KeyError("no counts")

        def __new__(cls):
            return object.__new__(cls)

    with pytest.raises(KeyError, match="no counts"):
        Odd().shared(1)


@natively
def test_the_extension_refuses_what_it_cannot_count():
    with pytest.raises(TypeError):
        _runtime.count_calls(len)
    with pytest.raises(TypeError):
        _runtime.count_by(len)
    with pytest.raises(TypeError):
        Tally().total = "many"


def test_attributes_that_are_made_anew_are_counted_anew():
    adapter = Adapter()
    adapter.shared(1)
    vars(adapter).clear()
    assert total(adapter) == 0
    for _ in range(5):
        adapter.shared(1)
    assert total(adapter) == 5


def test_an_adapter_that_refuses_its_tracker_is_not_counted():
    class Shy(ThreadSafeAdapter):
        def __getattribute__(self, name):
            if name == "_snakepit_tracker":
                raise AttributeError(name)
            return super().__getattribute__(name)

        @thread_safe_method
        def work(self):
            return 1

    assert Shy().work() == 1


def test_a_small_stack_ends_a_recursion_with_an_exception():
    class Deep(ThreadSafeAdapter):
        @thread_safe_method
        def down(self, depth):
            return depth if depth == 0 else self.down(depth - 1)

    def run():
        try:
            ended.append(deep.down(100_000))
        except RecursionError as error:
            ended.append(str(error)[:32])

    deep, ended, before = Deep(), [], threading.stack_size(256 * 1024)
    try:
        thread = threading.Thread(target=run)
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join()
    assert ended == ["maximum recursion depth exceeded"]


def test_a_thread_of_c_that_calls_again_remembers_nothing_of_before():
    """Each callback has a state of its own; another thread may hold what it owned."""
    adapter, held = Adapter(), []

    def first():
        adapter.shared(1)
        kinds = (one for one in gc.get_objects() if type(one).__name__ == "_Memory")
        held.extend(kinds)

    def second():
        other = threading.Thread(target=held.clear)  # frees it elsewhere
        other.start()
        other.join()
        other_things = [bytearray(72) for _ in range(3000)]
        adapter.shared(1)
        assert other_things

    repeated(lambda: call_twice(first, second))
    assert total(adapter) == 2 * 50


def call_twice(first, second):
    """Calls both from one thread of C: the second as the thread ends."""
    libc, key, thread = ctypes.CDLL(None), ctypes.c_uint(), ctypes.c_ulong()
    at_end = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda _: second())
    assert libc.pthread_key_create(ctypes.byref(key), at_end) == 0

    def begin(_):
        first()
        libc.pthread_setspecific(key, ctypes.c_void_p(1))

    start = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)(begin)
    assert libc.pthread_create(ctypes.byref(thread), None, start, None) == 0
    assert libc.pthread_join(thread, None) == 0
    assert libc.pthread_key_delete(key) == 0
