# SPDX-License-Identifier: MIT
"""Tools for bench/doors.py."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
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

    @tool
    def twice(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """As a model."""
        return np.asarray(x) * np.float32(2)
