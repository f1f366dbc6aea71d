# SPDX-License-Identifier: MIT
"""Tools that look at arrays, and keep them."""

from __future__ import annotations

import os

import numpy
from snakepit_bridge import BaseAdapter, tool

kept: list[numpy.ndarray] = []


class Lends(BaseAdapter):
    """One list of arrays for all callers."""

    @tool
    def pid(self) -> int:
        """That of the worker."""
        return os.getpid()

    @tool
    def first(self, array) -> float:
        """The first element of an array."""
        return float(numpy.asarray(array)[0])

    @tool
    def keep(self, array) -> float:
        """Keeps an array, and returns its first element."""
        kept.append(numpy.asarray(array))
        return float(kept[-1][0])

    @tool
    def first_kept(self) -> float:
        """The first element of what was kept last, as it is now."""
        return float(kept[-1][0])

    @tool
    def sum_kept(self) -> float:
        """Of all elements of what was kept last."""
        return float(kept[-1].sum())

    @tool
    def let_go(self) -> None:
        """Keeps nothing any more."""
        kept.clear()
