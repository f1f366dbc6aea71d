# SPDX-License-Identifier: MIT
"""A worker that leaves a process behind when it leaves."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from multiprocessing import shared_memory

from snakepit_bridge import ThreadSafeAdapter, tool

CHILD = """
import signal, sys
def heard(number, frame):
    open(sys.argv[1], "w").close()
    if sys.argv[2] != "deaf":
        sys.exit()
signal.signal(signal.SIGTERM, heard)
print("ready", flush=True)
while True:
    signal.pause()
"""


class Leaves(ThreadSafeAdapter):
    @tool
    def start(self, heard: str, ears: str) -> int:
        """Starts a process that writes `heard` at SIGTERM, and its number."""
        words = [sys.executable, "-c", CHILD, heard, ears]
        self.child = subprocess.Popen(words, stdout=subprocess.PIPE)
        assert self.child.stdout.readline() == b"ready\n"
        return self.child.pid

    @tool
    def ping(self) -> str:
        return "pong"

    @tool
    def start_the_last(self) -> int:
        """Forks a process that is deaf; the worker can have no other one."""
        if os.getuid() == 0:
            os.setresuid(12345, 12345, 12345)
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            while True:
                signal.pause()
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
        return child


class Shares(ThreadSafeAdapter):
    """Makes shared memory and dies before it has removed it."""

    @tool
    def share(self) -> str:
        """The name of 1 MiB, which is below /dev/shm."""
        self.memory = shared_memory.SharedMemory(create=True, size=1 << 20)
        return self.memory.name

    @tool
    def exit(self) -> None:
        os._exit(1)

    @tool
    def kill(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    @tool
    def hang(self) -> None:
        """Does not end when it is cancelled."""
        while True:
            try:
                time.sleep(60)
            except BaseException:
                pass
