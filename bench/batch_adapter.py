# SPDX-License-Identifier: MIT
"""The adapter of the bench for batches: work with NumPy that takes 1 ms for one call
and 1.2 ms for 32.
"""

import time

import numpy as np
from snakepit_bridge import BaseAdapter, tool

BATCH = 32
ONE_MS, ALL_MS = 1.0, 1.2
STEP_MS = (ALL_MS - ONE_MS) / (BATCH - 1)  # for each further call
STEPS = round((ONE_MS - STEP_MS) / STEP_MS)  # for any number of them

PROBE = 4000  # elements
TURNS = 200


class Batch(BaseAdapter):
    """The same work for one call and for many."""

    __thread_safe__ = True

    def initialize(self):
        """Finds how much work a step is on this machine."""
        self.numbers = np.ones(PROBE)
        probe = min(self.measure() for _ in range(20))
        self.numbers = np.ones(round(PROBE * STEP_MS / probe))

    def measure(self):
        """Milliseconds that a step takes."""
        begun = time.perf_counter()
        self.work(TURNS)
        return (time.perf_counter() - begun) * 1e3 / TURNS

    def work(self, steps):
        """So many of them."""
        out = np.empty_like(self.numbers)
        for _ in range(steps):
            np.sqrt(self.numbers, out=out)

    @tool
    def one(self, x, name, n):
        """The work of one call."""
        self.work(STEPS + 1)
        return {"ok": True, "y": x}

    @tool(batch=BATCH)
    def many(self, x, name, n):
        """That of as many as there are."""
        self.work(STEPS + len(x))
        return [{"ok": True, "y": value} for value in x]
