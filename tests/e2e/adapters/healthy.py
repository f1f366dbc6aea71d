# SPDX-License-Identifier: MIT
"""Adapters whose health a test decides, by files of the folder that its pool names."""

from __future__ import annotations

import os
import time

from snakepit_bridge import ThreadSafeAdapter, tool


class Checked(ThreadSafeAdapter):
    """`sick` makes all workers sick, `sick-PID` one of them; the file says how."""

    __thread_safe__ = True

    def health_check(self):
        for name in ("sick", f"sick-{os.getpid()}"):
            try:
                with open(os.path.join(self.config["folder"], name)) as file:
                    how = file.read()
            except FileNotFoundError:
                continue
            return self.fail(how)
        return None

    def fail(self, how):
        if how == "false":
            return False
        if how == "crash":
            os._exit(3)
        if how == "hang":
            time.sleep(3600)  # in C, where nothing interrupts it
        if how == "slow":
            while True:
                time.sleep(0.001)
        raise OSError(how)

    @tool
    def pid(self):
        return os.getpid()

    @tool
    def echo(self, value):
        return value

    @tool
    def wait_for(self, path, ready):
        with open(ready, "w") as file:
            file.write("now")
        with open(path):
            return "over"


class AsyncChecked(Checked):
    __thread_safe__ = True

    async def health_check(self):
        return super().health_check()


class Once(Checked):
    """An instance for each call, and one for each check."""

    __thread_safe__ = True
    __per_request__ = True


class Unchecked(ThreadSafeAdapter):
    __thread_safe__ = True

    @tool
    def ping(self):
        return "pong"


class Streams(Unchecked):
    """Cannot be served: a check gives one value."""

    __thread_safe__ = True

    def health_check(self):
        yield True
