# SPDX-License-Identifier: MIT
"""Starts that never end. `adapter_config` says nothing: each class hangs in its way."""

from __future__ import annotations

import threading

from snakepit_bridge import BaseAdapter, tool


def wait_for_ever():
    threading.Event().wait()


class Hangs(BaseAdapter):
    __thread_safe__ = True

    @tool
    def ping(self):
        return "pong"


class InResource(Hangs):
    __thread_safe__ = True

    @classmethod
    def load_resource(cls, path, type):
        if path.endswith("slow.bin"):
            wait_for_ever()


class InConstructor(Hangs):
    __thread_safe__ = True

    def __init__(self):
        super().__init__()
        wait_for_ever()


class InInitialize(Hangs):
    __thread_safe__ = True

    def initialize(self):
        wait_for_ever()


class Spins(Hangs):
    """Busy in Python, and the interpreter runs nothing else."""

    __thread_safe__ = True

    def initialize(self):
        while True:
            pass
