# SPDX-License-Identifier: MIT
"""`check_common_pitfalls` on the guides' wrong and correct examples."""

from __future__ import annotations

import importlib
import textwrap
from typing import Any, Callable

import pytest
from snakepit_bridge.adapters.threaded_showcase import ThreadedShowcaseAdapter
from snakepit_bridge.thread_safety_checker import check_common_pitfalls, find_pitfalls

HEAD = """
import threading
import time
from queue import Queue
from snakepit_bridge.base_adapter_threaded import (
    ThreadSafeAdapter, thread_safe_method, tool)

class Adapter(ThreadSafeAdapter):
    __thread_safe__ = True

    def __init__(self):
        super().__init__()
        self.counter = 0
        self.results = []
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


def test_the_showcase_has_none() -> None:
    assert check_common_pitfalls(ThreadedShowcaseAdapter) == []


def test_without_source_text_it_says_so() -> None:
    made = type("Made", (), {})
    with pytest.raises(ValueError, match="source of Made"):
        check_common_pitfalls(made)
