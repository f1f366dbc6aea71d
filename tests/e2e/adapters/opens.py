# SPDX-License-Identifier: MIT
"""An adapter whose import, or whose resource, leaves what a fork would share."""

from __future__ import annotations

import os
import random

from snakepit_bridge import ThreadSafeAdapter, tool

IMPORTED_BY = os.getpid()
RECORD = 16  # bytes: a number, and blanks
NUMBERS = None
FILE = None


def do(deed: str, path: str) -> object:
    global NUMBERS, FILE
    if deed == "file":
        FILE = open(path, "rb")  # noqa: SIM115
        FILE.read(RECORD)
    elif deed == "writes":
        FILE = open(path, "r+b")  # noqa: SIM115
    elif deed == "generator":
        NUMBERS = random.Random()
    elif deed == "seed":
        random.seed(42)
    return FILE


do(os.environ.get("DEED", ""), os.environ.get("FILE", ""))


class Opens(ThreadSafeAdapter):
    __thread_safe__ = True

    @classmethod
    def load_resource(cls, path, type):
        return do(type, path)

    @tool
    def is_forked(self):
        return os.getpid() != IMPORTED_BY

    @tool
    def next(self):
        """The record where the file stands."""
        return int(FILE.read(RECORD))

    @tool
    def record(self, i: int):
        FILE.seek(i * RECORD)
        return int(FILE.read(RECORD))

    @tool
    def number(self):
        return (NUMBERS or random).random()
