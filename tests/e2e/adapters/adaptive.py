# SPDX-License-Identifier: MIT
"""Adapters of pools that move from one profile to the other."""

from __future__ import annotations

import os
import threading

from snakepit_bridge import BaseAdapter, ThreadSafeAdapter, tool

MODEL = 24 << 20  # bytes that each worker has of its own


class Model(ThreadSafeAdapter):
    """Has a large model, which threads share."""

    __thread_safe__ = True

    def __init__(self):
        super().__init__()
        self.model = b"\1" * MODEL

    @tool
    def echo(self, value):
        return [value, os.getpid(), threading.get_ident()]

    @tool
    def wait_for(self, path, ready):
        with open(ready, "w") as file:
            file.write("now")
        with open(path):
            return os.getpid()


class Hoard(Model):
    """Its fifth worker, the first one with threads, takes as much as all before it."""

    __thread_safe__ = True

    def __init__(self):
        super().__init__()
        handle = os.open(self.config["starts"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(handle, b".")
        if os.fstat(handle).st_size == 5:
            self.hoard = b"\1" * (10 * MODEL)
        os.close(handle)


class Undeclared(BaseAdapter):
    @tool
    def echo(self, value):
        return value
