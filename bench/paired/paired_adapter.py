# SPDX-License-Identifier: MIT
"""The adapter of bench/paired: one tool that does nothing, and a heap that is laid out
differently in each round."""

import os

from snakepit_bridge import BaseAdapter, tool

ROUND = int(os.environ["BENCH_ROUND"])
KEPT = [(bytes(16 * i), {"i": i}) for i in range(7 * ROUND % 61)]


class PairedAdapter(BaseAdapter):
    """What is called."""

    @tool
    def noop(self, x, name, n):
        """Answers at once."""
        return {"ok": True, "y": x}
