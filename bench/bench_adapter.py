# SPDX-License-Identifier: MIT
"""The adapter of the bench: tools that do nothing, something, and harm."""

import time

import load
from snakepit_bridge import BaseAdapter, tool


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
    def ask(self, count):
        """Asks the host so often; the median and the 99th percentile in microseconds."""
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
    def hold(self, size):
        """Keeps that many bytes resident."""
        self.held = bytearray(size)
        return {"ok": True}

    @tool
    def rest(self, seconds):
        """Sleeps."""
        time.sleep(seconds)
        return {"ok": True}
