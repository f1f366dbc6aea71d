# SPDX-License-Identifier: MIT
"""A worker whose tools replace the program that runs them."""

from __future__ import annotations

import os

from snakepit_bridge import ThreadSafeAdapter, tool


class Replaces(ThreadSafeAdapter):
    @tool
    def pid(self) -> int:
        return os.getpid()

    @tool
    def replace(self, program: list[str]) -> None:
        """Does not come back: this process runs `program` from now on."""
        os.execv(program[0], program)
