# SPDX-License-Identifier: MIT
"""Tools that fail at first. Each attempt leaves a line in a file."""

from __future__ import annotations

import os
import signal
import time

from snakepit_bridge import ThreadSafeAdapter, tool


def attempt(path):
    """How many attempts there were, this one included."""
    with open(path, "a+") as file:
        file.write(f"{os.getpid()}\n")
        file.seek(0)
        return len(file.readlines())


def die():
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)


class Tries(ThreadSafeAdapter):
    __thread_safe__ = True

    @tool(idempotent=True)
    def marked(self, path, deaths=1):
        """Kills its worker in its first attempts."""
        number = attempt(path)
        if number <= deaths:
            die()
        return number

    @tool
    def unmarked(self, path, deaths=1):
        return self.marked(path, deaths)

    @tool(idempotent=True)
    def raises(self, path, failures=1):
        number = attempt(path)
        if number <= failures:
            raise OSError(f"attempt {number}")
        return number

    @tool(idempotent=True)
    def stream(self, path, deaths=0, dies=False):
        number = attempt(path)
        if number <= deaths:
            die()
        yield number
        if dies:
            die()

    @tool
    def late(self):
        while True:
            time.sleep(0.01)

    @tool
    def echo(self, value):
        return value
