# SPDX-License-Identifier: MIT
"""The template of a pool, as the log tells of it."""

from __future__ import annotations

import re

from .pit import Pit
from .processes import Process


def template_of(pit: Pit) -> Process | None:
    """The process that was last ready as a template, if it still is one."""
    lines = pit.logged("template.ready")
    found = re.search(r"pid=(\d+)", lines[-1]) if lines else None
    process = Process.of(int(found[1])) if found else None
    return process if process and process.alive else None
