# SPDX-License-Identifier: MIT
"""The adapters of lives.py: pools of them, and the journals that they keep."""

from __future__ import annotations

import pathlib

from .configs import THREADS, pool
from .waiting import eventually

EXECUTORS = {"process": 1, "process-ft": 1, "thread": THREADS}


def lines_of(path):
    """What adapters have written so far."""
    return pathlib.Path(path).read_text().split("\n")[:-1] if path.exists() else []


def await_line(path, line, count=1):
    eventually(lambda: lines_of(path).count(line) >= count, f"{line} x {count}")


def open_one(open_pit, kind, adapter, **options):
    # What heeds a cancel has time for it, also on a busy machine.
    options = {"cancel_grace_ms": 60_000, **options}
    return open_pit(pool(kind, adapter=f"lives.{adapter}", **options))
