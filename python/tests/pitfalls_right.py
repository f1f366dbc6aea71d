# SPDX-License-Identifier: MIT
"""Methods that have no pitfall, by what they show, and the class they stand in."""

from __future__ import annotations

HEAD = """
import contextlib
import functools
import threading
import time
from collections import deque
from queue import Queue
from time import sleep as pause
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
    "a lock that was had, and no other word for it": """
        @thread_safe_method
        def increment(self):
            if self.counter_lock.acquire(timeout=1) is False:
                return 0
            self.counter += 1
            self.counter_lock.release()
        """,
    "a lock on a stack": """
        @thread_safe_method
        def increment(self):
            with contextlib.ExitStack() as stack:
                stack.enter_context(self.counter_lock)
                self.counter += 1
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
    "an item of the thread": """
        @thread_safe_method
        def note(self):
            self.stats[threading.get_ident()] = {"n": 0}
            self.stats[threading.current_thread().ident]["n"] += 1
        """,
    "what is only said to be slow": """
        @thread_safe_method
        def note(self):
            with self.acquire_lock():
                self._count_slow()

        def _count_slow(self):
            self.counter += 1
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
