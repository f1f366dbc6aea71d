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
