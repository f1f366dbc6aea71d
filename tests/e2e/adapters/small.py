# SPDX-License-Identifier: MIT
"""A tool of each kind, for hosts that are programs in C."""

from snakepit_bridge import BaseAdapter, tool


class Small(BaseAdapter):
    @tool
    def add(self, a, b):
        return a + b

    @tool
    def echo(self, value=None):
        return value

    @tool
    def fail(self, message):
        raise ValueError(message)

    @tool
    def ask(self, name):
        return self.session_context.call_host_tool(name)

    @tool
    def count(self, n):
        yield from range(n)
