# SPDX-License-Identifier: MIT
"""The adapter of the bench: tools that do nothing, something, and harm."""

import time

import load
from snakepit_bridge import BaseAdapter, ThreadSafeAdapter, thread_safe_method, tool


class Marks(ThreadSafeAdapter):
    """The same method with the mark and without."""

    __thread_safe__ = True

    @thread_safe_method
    def marked(self, x):
        """Does nothing."""
        return x

    def plain(self, x):
        """Does nothing."""
        return x


def seconds_of(method, calls):
    """What so many calls take."""
    begun = time.perf_counter()
    for _ in range(calls):
        method(1)
    return time.perf_counter() - begun


class BenchAdapter(BaseAdapter):
    """What is called where no tensor is needed."""

    __thread_safe__ = True

    @tool
    def noop(self, x, name, n):
        """Answers at once."""
        return {"ok": True, "y": x}

    @tool
    def work(self, x, name, n):
        """Is busy in Python for 100 to 200 microseconds."""
        load.spend()
        return {"ok": True, "y": x}

    @tool
    def mark_cost(self, seconds):
        """Microseconds that `thread_safe_method` adds to a call: the median."""
        import statistics  # its import is not a part of the adapter's start

        marks, calls, costs = Marks(), 200, []
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            more = seconds_of(marks.marked, calls) - seconds_of(marks.plain, calls)
            costs.append(more / calls * 1e6)
        return statistics.median(costs)

    @tool
    def ask(self, count):
        """Asks the host so often; the median and the 99th percentile in us."""
        call = self.session_context.call_host_tool
        taken = []
        for x in range(count):
            begun = time.perf_counter_ns()
            answer = call("noop", x=x, name="snake", n=3)
            taken.append(time.perf_counter_ns() - begun)
            if answer != {"ok": True, "y": x}:
                raise AssertionError(f"the host answered {answer}")
        taken.sort()
        return {"p50": taken[count // 2] / 1000, "p99": taken[count * 99 // 100] / 1000}

    @tool
    def chunks(self):
        """Small maps, numbered, for as long as somebody reads them."""
        i = 0
        while True:
            yield {"i": i}
            i += 1

    @tool
    def hold(self, size):
        """Keeps that many bytes resident."""
        self.held = bytearray(size)
        return {"ok": True}

    @tool
    def rest(self, seconds):
        """Sleeps."""
        time.sleep(seconds)
        return {"ok": True}

    @tool
    def stuck(self, way):
        """Never ends, whatever cancels it: in C, in a loop, or on a lock."""
        import threading  # as above

        from snakepit_bridge import Cancelled

        lock = threading.Lock()
        lock.acquire()
        ways = {
            "c": lambda: time.sleep(3600),
            "loop": lambda: sum(range(1000)),
            "lock": lock.acquire,
        }

        def go_on():
            while True:
                try:
                    ways[way]()
                except Cancelled:
                    pass

        while True:
            try:
                go_on()
            except Cancelled:  # between two turns
                pass
