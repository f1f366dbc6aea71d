# SPDX-License-Identifier: MIT
"""An adapter whose tools import late, wait for each other, or take long."""

from __future__ import annotations

import importlib.util
import os
import sys
import threading
import time

from snakepit_bridge import ThreadSafeAdapter, tool


class Turns(ThreadSafeAdapter):
    __thread_safe__ = True

    def initialize(self):
        self.meeting = threading.Barrier(4)

    @tool
    def take_the_gil(self, path: str, seconds: float = 0.0):
        """Imports an extension that wants the GIL, and goes on."""
        spec = importlib.util.spec_from_file_location("takes_the_gil", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        time.sleep(seconds)
        return os.getpid()

    @tool
    def meet(self):
        """Returns when four calls are in here at once."""
        self.meeting.wait(60)
        return os.getpid()

    @tool
    def has_gil(self):
        ask = getattr(sys, "_is_gil_enabled", None)
        return True if ask is None else ask()


class Unsafe(Turns):
    __thread_safe__ = False
