# SPDX-License-Identifier: MIT
"""An adapter whose module imports one that never ends."""

from __future__ import annotations

import hangs_deeper
from snakepit_bridge import BaseAdapter, tool


class Adapter(BaseAdapter):
    @tool
    def ping(self):
        return hangs_deeper.NAME
