# SPDX-License-Identifier: MIT
"""An adapter that keeps what it should let go, as some libraries do."""

import os

from snakepit_bridge import BaseAdapter, tool

MEBIBYTE = 1 << 20


class LeakyAdapter(BaseAdapter):
    """Says which process it is, and leaks when it is asked to."""

    def initialize(self) -> None:
        """Begins with nothing."""
        self.leaked: list[bytes] = []

    @tool(description="The process that answers")
    def pid(self) -> int:
        """Return the number of this worker's process."""
        return os.getpid()

    @tool(description="Leaks memory, as a bug in a library would")
    def leak(self, mebibytes: int = 10) -> int:
        """Keep so much more memory; return the number of this worker's process."""
        self.leaked.append(b"x" * (mebibytes * MEBIBYTE))
        return os.getpid()
