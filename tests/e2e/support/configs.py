# SPDX-License-Identifier: MIT
"""Configurations: dicts, handed over as JSON, which is YAML too."""

from __future__ import annotations

import os
from typing import Any

from .places import FREE_THREADED, SYSTEM

THREADS = 4
# For what a tool imports when it is first called: NumPy takes half a minute without a
# GIL where every core is busy.
CALL_TIMEOUT_MS = 120_000

# Kind of pool: profile and interpreter.
KINDS = ("process", "process-ft", "thread")


def default_python(kind: str) -> str:
    """The interpreter of a kind of pool. Skips the test where there is none."""
    if kind != "process" and not os.path.exists(FREE_THREADED):
        import pytest  # hosts have none

        pytest.skip("needs a free-threaded Python; see tools/bootstrap")
    return SYSTEM if kind == "process" else FREE_THREADED


def pool(kind: str = "process", **options: Any) -> dict[str, Any]:
    """One pool of guinea pigs. An option of None is left out."""
    profile = "thread" if kind == "thread" else "process"
    made: dict[str, Any] = {
        "name": "default",
        "worker_profile": profile,
        "python": default_python(kind),
        "pool_size": 1,
        "adapter": "guinea_pig.GuineaPig",
        "call_timeout_ms": CALL_TIMEOUT_MS,
        "shared_memory_size": "64MiB",
    }
    if profile == "thread":
        made["threads_per_worker"] = THREADS
    made.update(options)
    return {key: value for key, value in made.items() if value is not None}
