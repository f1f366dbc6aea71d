# SPDX-License-Identifier: MIT
"""An adapter that has more to say than fits into one packet, in both directions."""

from __future__ import annotations

import os
import sys

from snakepit_bridge import BaseAdapter, tool


class Large(BaseAdapter):
    """2000 tools, each with a description of a kilobyte."""

    @classmethod
    def load_resource(cls, path, type):
        return type

    @tool
    def sizes(self):
        """What the worker was told, by its size."""
        return {
            "config": len(self.config.get("text", "")),
            "arguments": sum(map(len, sys.argv[1:])),
            "environment": sum(len(os.environ.get(f"L{i}", "")) for i in range(100)),
            "resources": len(self.resources),
            "adapter": __name__,
        }


def numbered(number):
    """A tool that returns its number."""

    def read(
        self, table: str = "t" * 100, columns: list[str] | None = None, limit: int = 100
    ) -> int:
        return number

    return tool(name=f"read_table_{number}", description="describes " * 100)(read)


for number in range(2000):
    setattr(Large, f"read_table_{number}", numbered(number))


class LongFailure(BaseAdapter):
    def initialize(self):
        self.descend(50)

    def descend(self, depth):
        # Frames that differ, so that Python does not fold them.
        name = f"frame_of_a_function_whose_name_is_long_{depth}"
        scope: dict = {"self": self, "depth": depth}
        body = (
            "self.descend(depth - 1)" if depth else "raise ValueError('the very end')"
        )
        code = f"def {name}():\n    {body}\n{name}()"
        exec(compile(code, f"<{name * 3}>", "exec"), scope)

    @tool
    def ping(self):
        return "pong"
