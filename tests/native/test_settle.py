# SPDX-License-Identifier: MIT
# What the workers of a template are given of its memory lies in one place.
from __future__ import annotations

import ctypes
import platform
import sys
from typing import Any

import pytest
from snakepit_bridge import runtime

SIZES = range(24, 504, 16)  # no sizes of a heap's step, so each is rounded up by 8
HAS_GIL = getattr(sys, "_is_gil_enabled", lambda: True)()

pytestmark = [
    pytest.mark.skipif(runtime.native is None, reason="only a template settles"),
    pytest.mark.skipif(
        platform.libc_ver()[0] != "glibc", reason="this heap is not looked at"
    ),
]


class Heap:
    """One that C has functions for."""

    def __init__(self, api: Any, give: str, take: str) -> None:
        self.give, self.take = getattr(api, give), getattr(api, take)
        self.give.restype, self.give.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
        self.take.restype, self.take.argtypes = None, [ctypes.c_void_p]

    def scatter(self) -> None:
        """Leaves free pieces of all sizes, none beside another."""
        rows = [[self.give(size) for size in SIZES] for _ in range(90)]
        for i in range(len(SIZES)):
            for row in rows[i % 3 :: 3]:
                self.take(row[i])

    def count_rows(self) -> int:
        """Of how many sizes the second of two pieces is behind the first."""
        pairs = [(size, self.give(size), self.give(size)) for size in SIZES]
        return sum(second - first == size + 8 for size, first, second in pairs)


def heaps() -> list[Heap]:
    found = [Heap(ctypes.PyDLL(None), "malloc", "free")]
    if HAS_GIL:
        found.append(Heap(ctypes.pythonapi, "PyObject_Malloc", "PyObject_Free"))
    return found


@pytest.mark.parametrize("heap", heaps(), ids=lambda heap: heap.give.__name__)
def test_pieces_come_one_behind_the_other_once_it_is_settled(heap):
    heap.scatter()
    assert heap.count_rows() < len(SIZES) // 2
    runtime.native.settle()
    # A row ends where the memory of a size does.
    assert heap.count_rows() >= len(SIZES) * 3 // 4
