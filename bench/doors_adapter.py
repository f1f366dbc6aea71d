# SPDX-License-Identifier: MIT
"""Tools for bench/doors.py."""

from __future__ import annotations

from snakepit_bridge import BaseAdapter, tool


class Doors(BaseAdapter):
    """Does next to nothing."""

    @tool
    def add(self, a, b):
        """The sum."""
        return a + b

    @tool
    def count(self, n):
        """Many chunks."""
        yield from range(n)

    @tool
    def take(self, x):
        """How long a tensor is."""
        return x.shape[0]
