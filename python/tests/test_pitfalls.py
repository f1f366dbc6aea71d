# SPDX-License-Identifier: MIT
"""`check_common_pitfalls` on the guides' wrong and correct examples."""

from __future__ import annotations

import importlib
import textwrap
from typing import Any, Callable

import pytest
from snakepit_bridge.adapters.threaded_showcase import ThreadedShowcaseAdapter
from snakepit_bridge.checking.pitfalls import is_locked_throughout
from snakepit_bridge.thread_safety_checker import check_common_pitfalls, find_pitfalls

HEAD = """
import functools
import threading
import time
from collections import deque
from queue import Queue
from snakepit_bridge.base_adapter_threaded import (
    ThreadSafeAdapter, thread_safe_method, tool)

COUNT = 0
TABLE = {}
ONE_AT_A_TIME = threading.Lock()

def waits():
    time.sleep(1)

class Adapter(ThreadSafeAdapter):
    __thread_safe__ = True

    def __init__(self):
        super().__init__()
        self.counter = 0
        self.results = []
        self.recent = deque()
        self.stats = {"a": {"n": 0}}
        self.counter_lock = threading.Lock()
        self.log_lock = threading.Lock()
"""

WRONG = {
    "1 a counter": (
        1,
        """
        @thread_safe_method
        def increment(self):
            self.counter += 1
        """,
    ),
    "1 a list, in a private method": (
        1,
        """
        @thread_safe_method
        def add(self, value):
            self._add(value)

        def _add(self, value):
            self.results.append(value)
        """,
    ),
    "1 after the lock was released": (
        1,
        """
        @thread_safe_method
        def increment(self):
            self.counter_lock.acquire()
            try:
                pass
            finally:
                self.counter_lock.release()
            self.counter += 1
        """,
    ),
    "1 an attribute of the class, by its name": (
        1,
        """
        total = 0
        @thread_safe_method
        def increment(self):
            Adapter.total += 1
        """,
    ),
    "1 an attribute of the class, by self": (
        1,
        """
        @thread_safe_method
        def increment(self):
            self.__class__.total += 1
        """,
    ),
    "1 an attribute of the class, by type()": (
        1,
        """
        @thread_safe_method
        def increment(self):
            type(self).total += 1
        """,
    ),
    "1 a global": (
        1,
        """
        @thread_safe_method
        def increment(self):
            global COUNT
            COUNT += 1
        """,
    ),
    "1 a dict of the module": (
        1,
        """
        @thread_safe_method
        def increment(self):
            TABLE["n"] = 1
        """,
    ),
    "1 by another name": (
        1,
        """
        @thread_safe_method
        def increment(self):
            results = self.results
            results.append(1)
        """,
    ),
    "1 by the name of an item": (
        1,
        """
        @thread_safe_method
        def increment(self, key):
            entry = self.stats[key]
            entry["n"] += 1
        """,
    ),
    "1 in a dict of a dict": (
        1,
        """
        @thread_safe_method
        def increment(self):
            self.stats["a"]["n"] += 1
        """,
    ),
    "1 in what answers requests": (
        1,
        """
        def _handle_request_impl(self, request):
            self.counter += 1
        """,
    ),
    "1 in what answers for any tool": (
        1,
        """
        def execute_tool(self, name, arguments, context):
            self.counter += 1
        """,
    ),
    "1 in a private tool with a public name": (
        1,
        """
        @tool(name="inc")
        def _inc(self):
            self.counter += 1
        """,
    ),
    "1 behind a lock that was not had": (
        1,
        """
        @thread_safe_method
        def increment(self):
            if self.counter_lock.acquire(timeout=3):
                self.counter_lock.release()
            self.counter += 1
        """,
    ),
    "1 where the lock was not had": (
        1,
        """
        @thread_safe_method
        def increment(self):
            if not self.counter_lock.acquire(False):
                self.counter += 1
                return
            self.counter_lock.release()
        """,
    ),
    "1 a local function that is called without the lock too": (
        1,
        """
        @thread_safe_method
        def increment(self):
            def update():
                self.counter += 1
            with self.acquire_lock():
                update()
            update()
        """,
    ),
    "1 a local function that is handed on": (
        1,
        """
        @thread_safe_method
        def increment(self, pool):
            def update():
                self.counter += 1
            with self.acquire_lock():
                return pool.submit(update)
        """,
    ),
    "1 under a decorator that locks too late": (
        1,
        """
        def announced(method):
            def wrapper(self, *args):
                with self.acquire_lock():
                    pass
                return method(self, *args)
            return wrapper

        @thread_safe_method
        @announced
        def increment(self):
            self.counter += 1
        """,
    ),
    "1 in a setter": (
        1,
        """
        @property
        def total(self):
            return self.counter

        @total.setter
        def total(self, value):
            self.counter = value

        @thread_safe_method
        def increment(self):
            self.total = 1
        """,
    ),
    "1 a deque that is rotated": (
        1,
        """
        @thread_safe_method
        def turn(self):
            self.recent.rotate(1)
        """,
    ),
    "2 the guides' own words": (
        2,
        """
        @thread_safe_method
        def process(self, data):
            with self.acquire_lock():
                result = expensive_computation(data)
                self.results.append(result)
        """,
    ),
    "2 a file": (
        2,
        """
        @thread_safe_method
        def process(self, path):
            with self.acquire_lock():
                with open(path) as file:
                    return file.read()
        """,
    ),
    "2 a path": (
        2,
        """
        @thread_safe_method
        def process(self, path):
            with self.acquire_lock():
                return path.read_text()
        """,
    ),
    "2 in a function of the module": (
        2,
        """
        @thread_safe_method
        def process(self):
            with self.acquire_lock():
                self.results.append(waits())
        """,
    ),
    "2 in a private method, by two steps": (
        2,
        """
        @thread_safe_method
        def process(self):
            with self.acquire_lock():
                self._first()

        def _first(self):
            self._second()

        def _second(self):
            time.sleep(1)
        """,
    ),
    "2 a product": (
        2,
        """
        @thread_safe_method
        def process(self, data):
            with self.acquire_lock():
                arr = np.array(data)
                result = np.dot(arr, arr.T)
                self.results.append(result)
            return result
        """,
    ),
    "2 a download": (
        2,
        """
        @thread_safe_method
        def fetch(self, url):
            with self.acquire_lock():
                return requests.get(url)
        """,
    ),
    "3 a shared frame": (
        3,
        """
        def initialize(self):
            self.df = pd.DataFrame()

        @thread_safe_method
        def add_row(self, data):
            with self.acquire_lock():
                pass
            return self.df.sum()
        """,
    ),
    "3 a frame in a call": (
        3,
        """
        @thread_safe_method
        def process_data(self, data):
            df = pd.DataFrame(data)
            return df.groupby('category').sum()
        """,
    ),
    "3 a shared connection": (
        3,
        """
        def initialize(self):
            self.connection = sqlite3.connect("file")

        @thread_safe_method
        def query(self, text):
            return self.connection.execute(text).fetchall()
        """,
    ),
    "5 a lock that is held": (
        5,
        """
        @thread_safe_method
        def method_a(self):
            with self.acquire_lock():
                return self.method_b()

        @thread_safe_method
        def method_b(self):
            with self.acquire_lock():
                return "result"
        """,
    ),
    "5 a plain lock, by two steps": (
        5,
        """
        def method_a(self):
            with self.counter_lock:
                return self._middle()

        def _middle(self):
            return self._inner()

        def _inner(self):
            with self.counter_lock:
                return "result"
        """,
    ),
    "5 two locks crosswise": (
        5,
        """
        def one(self):
            with self.counter_lock:
                with self.log_lock:
                    pass

        def other(self):
            with self.log_lock, self.counter_lock:
                pass
        """,
    ),
}

WRONG["5 two locks crosswise, by two steps"] = (
    5,
    """
    def one(self):
        with self.counter_lock:
            self._middle()

    def _middle(self):
        self._log()

    def _log(self):
        with self.log_lock:
            pass

    def other(self):
        with self.log_lock:
            self._count()

    def _count(self):
        with self.counter_lock:
            pass
    """,
)

RIGHT = {
    "a locked counter": """
        @thread_safe_method
        def increment(self):
            with self.acquire_lock():
                self.counter += 1
                return self.counter
        """,
    "computed first": """
        @thread_safe_method
        def process(self, data):
            arr = np.array(data)
            result = np.dot(arr, arr.T)
            with self.acquire_lock():
                self.results.append(result)
            return result
        """,
    "locked frames": """
        @thread_safe_method
        def process_dataframe(self, data):
            with self.acquire_lock():
                df = pd.DataFrame(data)
                result = df.groupby('category').sum()
                return result.to_dict()
        """,
    "a connection for each thread": """
        @thread_safe_method
        def query(self, text):
            connection = self.get_thread_local("connection") or sqlite3.connect("file")
            self.set_thread_local("connection", connection)
            return connection.execute(text).fetchall()
        """,
    "a private part within the lock": """
        @thread_safe_method
        def method_a(self):
            with self.acquire_lock():
                return self._method_b_impl()

        def _method_b_impl(self):
            self.counter += 1
            return "result"
        """,
    "acquire and release": """
        @thread_safe_method
        def atomic_increment(self):
            self.counter_lock.acquire()
            try:
                self.counter += 1
                result = self.counter
            finally:
                self.counter_lock.release()
            return result
        """,
    "a lock that was had in time": """
        @thread_safe_method
        def increment(self):
            if self.counter_lock.acquire(timeout=3):
                try:
                    self.counter += 1
                finally:
                    self.counter_lock.release()
            return 1
        """,
    "a lock that was had at once": """
        @thread_safe_method
        def increment(self):
            if not self.counter_lock.acquire(False):
                return 0
            try:
                self.counter += 1
            finally:
                self.counter_lock.release()
            return 1
        """,
    "a lock that is tried again": """
        @thread_safe_method
        def increment(self):
            while not self.counter_lock.acquire(timeout=1):
                pass
            self.counter += 1
            self.counter_lock.release()
        """,
    "a local function under the lock": """
        @thread_safe_method
        def increment(self):
            def add():
                self.counter += 1
            def update():
                add()
            with self.acquire_lock():
                update()
        """,
    "a decorator that locks": """
        def synchronized(method):
            @functools.wraps(method)
            def wrapper(self, *args):
                with self.acquire_lock():
                    return method(self, *args)
            return wrapper

        @thread_safe_method
        @synchronized
        def increment(self):
            self.counter += 1

        def synchronized_plainly(method):
            def wrapper(self, *args):
                self.counter_lock.acquire()
                try:
                    return method(self, *args)
                finally:
                    self.counter_lock.release()
            return wrapper

        @thread_safe_method
        @synchronized_plainly
        def decrement(self):
            self.counter -= 1
        """,
    "cases under the lock": """
        @thread_safe_method
        def increment(self, value):
            with self.acquire_lock():
                for _ in range(value):
                    if value > 1:
                        self.counter += 1
        """,
    "a setter that locks": """
        @property
        def total(self):
            return self.counter

        @total.setter
        def total(self, value):
            with self.acquire_lock():
                self.counter = value

        @thread_safe_method
        def increment(self):
            self.total = 1
        """,
    "a lock of the module, whatever its name": """
        @thread_safe_method
        def increment(self):
            with ONE_AT_A_TIME:
                TABLE["n"] = 1
        """,
    "names of its own": """
        @thread_safe_method
        def increment(self, TABLE):
            results = list(self.results)
            results.append(1)
            COUNT = 1
            TABLE["n"] = COUNT
            return results
        """,
    "what was taken away under the lock": """
        @thread_safe_method
        def flush(self):
            with self.acquire_lock():
                batch = self.results
                self.results = []
            batch.append(1)
            return batch
        """,
    "a deque that grows": """
        @thread_safe_method
        def note(self, value):
            self.recent.append(value)
            return self.recent.popleft()
        """,
    "the older dispatcher, which is called under the lock": """
        def _dispatch(self, request):
            self.counter += 1
        """,
    "crossed locks behind a third": """
        def one(self):
            with self.acquire_lock():
                self._one()

        def _one(self):
            with self.counter_lock, self.log_lock:
                pass

        def other(self):
            with self.acquire_lock(), self.log_lock, self.counter_lock:
                pass
        """,
    "a line that is meant": """
        @thread_safe_method
        def increment(self):
            self.counter += 1  # snakepit: safe, a guess is enough
            # snakepit: safe, one thread alone calls this
            self.results.append(
                1
            )
        """,
    "a method that is meant": """
        @thread_safe_method
        def process(self, path):  # snakepit: safe, the file is what the lock is for
            with self.acquire_lock():
                with open(path) as file:
                    return file.read()
        """,
    "a queue": """
        def initialize(self):
            self.queue = Queue()

        @thread_safe_method
        def add(self, value):
            self.queue.put(value)
        """,
    "a cache of the thread": """
        @thread_safe_method
        def compute(self, key):
            cache = self.get_thread_local('cache', {})
            if key in cache:
                return cache[key]
            cache[key] = key
            self.set_thread_local('cache', cache)
            return cache[key]
        """,
}


@pytest.fixture
def adapter_of(write_module: Callable[..., str]) -> Callable[[str], Any]:
    made: list[str] = []

    def make(methods: str) -> Any:
        body = textwrap.indent(textwrap.dedent(methods), "    ")
        made.append(write_module(f"pitfall_{len(made)}", HEAD + body))
        return importlib.import_module(made[-1]).Adapter

    return make


@pytest.mark.parametrize("case", WRONG)
def test_each_wrong_example_is_found(
    case: str, adapter_of: Callable[[str], Any]
) -> None:
    number, methods = WRONG[case]
    found = find_pitfalls(adapter_of(methods))
    assert {pitfall.number for pitfall in found} == {number}


@pytest.mark.parametrize("case", RIGHT)
def test_no_correct_example_is_found(
    case: str, adapter_of: Callable[[str], Any]
) -> None:
    assert check_common_pitfalls(adapter_of(RIGHT[case])) == []


def test_a_missing_declaration_is_found(write_module: Callable[..., str]) -> None:
    write_module(
        "silent",
        """
        from snakepit_bridge import ThreadSafeAdapter
        class Silent(ThreadSafeAdapter):
            pass
        """,
    )
    adapter = importlib.import_module("silent").Silent
    (found,) = check_common_pitfalls(adapter)
    assert found.startswith("Pitfall 4, no __thread_safe__ declaration: Silent, line 3")


def test_a_finding_names_method_and_line(adapter_of: Callable[[str], Any]) -> None:
    (found,) = find_pitfalls(adapter_of(WRONG["1 a counter"][1]))
    assert found.place == "Adapter.increment"
    lines = (HEAD + textwrap.dedent(WRONG["1 a counter"][1])).splitlines()
    assert "self.counter += 1" in lines[found.line - 1]


def test_a_finding_says_how_to_call_it_meant(adapter_of: Callable[[str], Any]) -> None:
    (found,) = check_common_pitfalls(adapter_of(WRONG["1 a counter"][1]))
    assert "# snakepit: safe" in found


def test_an_unmarked_method_that_a_decorator_locks_may_overlap(
    adapter_of: Callable[[str], Any],
) -> None:
    made = adapter_of(RIGHT["a decorator that locks"])
    assert is_locked_throughout(made.increment)
    assert not is_locked_throughout(made.__init__)


def test_the_showcase_has_none() -> None:
    assert check_common_pitfalls(ThreadedShowcaseAdapter) == []


def test_without_source_text_it_says_so() -> None:
    made = type("Made", (), {})
    with pytest.raises(ValueError, match="source of Made"):
        check_common_pitfalls(made)
