# SPDX-License-Identifier: MIT
"""Tools with annotations of several kinds, for the table that a host asks for."""

from __future__ import annotations

from collections.abc import Iterator

import numpy
from snakepit_bridge import BaseAdapter, ThreadSafeAdapter, tool


class Shop(ThreadSafeAdapter):
    __thread_safe__ = True

    @tool(idempotent=True)
    def price(self, name: str, count: int = 1, note: str | None = None) -> float:
        """What so many of them cost.

        This is for those who read the source.
        """
        return 2.5 * count

    @tool
    def count(self, to: int) -> Iterator[int]:
        """Counts."""
        yield from range(to)

    @tool
    async def scale(self, image: numpy.ndarray, factors: list[float], **more):
        return image


class Once(BaseAdapter):
    __per_request__ = True

    @tool
    def price(self, name: str) -> float:
        return 2.5


class AnyName(BaseAdapter):
    def execute_tool(self, name, arguments, context):
        return name
