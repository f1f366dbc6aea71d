# SPDX-License-Identifier: MIT
"""Adapters for the template: what their import does is in the environment."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
import threading
import time

from snakepit_bridge import ThreadSafeAdapter, tool

IMPORTED_BY = os.getpid()
WEIGHTS = [float(number) for number in range(int(os.environ.get("WEIGHTS", "0")))]
KEPT: list[object] = []


def do_what_cannot_be_forked(deed: str) -> None:
    if deed == "thread":
        threading.Thread(target=threading.Event().wait, daemon=True).start()
    elif deed == "lasting_thread":
        threading.Thread(target=time.sleep, args=(3600,)).start()
    elif deed == "socket":
        KEPT.append(socket.socket())
    elif deed == "process":
        KEPT.append(subprocess.Popen(["sleep", "3600"]))
    elif deed == "file":
        KEPT.append(open(os.environ["FILE"], "w"))  # noqa: SIM115


do_what_cannot_be_forked(os.environ.get("DEED", ""))
if os.environ.get("NUMPY"):
    import numpy.random


class Forks(ThreadSafeAdapter):
    __thread_safe__ = True

    def __init__(self):
        super().__init__()
        only = os.environ.get("ONLY_WHERE_IMPORTED")
        if only and os.getpid() != IMPORTED_BY:
            if only == "crash":
                os._exit(9)
            raise RuntimeError("it was forked")

    @staticmethod
    def load_resource(path, type):
        return os.getpid()

    @tool
    def loaded_by(self):
        """Whose process loaded the pool's resources, and whose this is."""
        return [*self.resources.values(), os.getpid()]

    @tool
    def ping(self):
        return "pong"

    @tool
    def born(self):
        """Whose process this is: [importer, pid, parent, group]."""
        return [IMPORTED_BY, os.getpid(), os.getppid(), os.getpgrp()]

    @tool
    def numbers(self):
        """Random numbers as they come in a new process."""
        found = [random.random(), int.from_bytes(os.urandom(6), "big")]
        if os.environ.get("NUMPY"):
            found.append(float(numpy.random.random()))
        return found

    @tool
    def threads(self):
        return len(os.listdir("/proc/self/task"))

    @tool
    def open_descriptors(self):
        return sorted(int(name) for name in os.listdir("/proc/self/fd"))

    @tool
    def main_thread(self):
        return threading.current_thread() is threading.main_thread()

    @tool
    def words(self):
        return sys.argv[1:]


class Unwilling(Forks):
    __forkable__ = False
