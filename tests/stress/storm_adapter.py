# SPDX-License-Identifier: MIT
"""The showcase, and tools that give a worker reasons to be replaced."""

from __future__ import annotations

import time

from snakepit_bridge.adapters.showcase import ShowcaseAdapter
from snakepit_bridge.base_adapter import tool


class Storm(ShowcaseAdapter):
    """Hangs and grows when it is asked to."""

    __thread_safe__ = True

    @tool
    def hang(self, in_c: bool = False) -> None:
        """Runs until it is cancelled; `in_c`: until its worker is killed."""
        while not in_c:
            time.sleep(0.001)
        time.sleep(3600)

    @tool
    def grow(self, mebibytes: int) -> int:
        """Uses so much memory and keeps it."""
        self.kept = bytearray(b"x") * (mebibytes << 20)
        return len(self.kept)
