# SPDX-License-Identifier: MIT
"""A worker that leaves a process behind when it leaves."""

from __future__ import annotations

import subprocess
import sys

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
