# SPDX-License-Identifier: MIT
"""An import that starts a process, which its template keeps."""

from __future__ import annotations

import os
import subprocess
import sys

from leaves import CHILD
from snakepit_bridge import ThreadSafeAdapter, tool

WORDS = [sys.executable, "-c", CHILD, os.environ["LEAVES_AT_IMPORT"], "deaf"]
HELPER = subprocess.Popen(WORDS, stdout=subprocess.PIPE)
assert HELPER.stdout is not None and HELPER.stdout.readline() == b"ready\n"


class Leaves(ThreadSafeAdapter):
    @tool
    def ping(self) -> str:
        return "pong"
