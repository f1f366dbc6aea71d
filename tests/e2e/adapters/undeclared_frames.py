# SPDX-License-Identifier: MIT
"""An adapter that declares nothing and imports a library that threads cannot share."""

from __future__ import annotations

import sqlite3

from snakepit_bridge import ThreadSafeAdapter, thread_safe_method


class Frames(ThreadSafeAdapter):
    @thread_safe_method
    def run(self) -> str:
        return sqlite3.sqlite_version
