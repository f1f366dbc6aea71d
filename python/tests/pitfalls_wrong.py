# SPDX-License-Identifier: MIT
"""Methods that have a pitfall: its number and their text, by what is wrong. They stand
in the class of `pitfalls_right.HEAD`.
"""

from __future__ import annotations

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
    "1 behind a stack with a lock": (
        1,
        """
        @thread_safe_method
        def increment(self):
            with contextlib.ExitStack() as stack:
                stack.enter_context(self.counter_lock)
            self.counter += 1
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
    "2 a pause": (
        2,
        """
        @thread_safe_method
        def process(self):
            with self.acquire_lock():
                pause(1)
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
