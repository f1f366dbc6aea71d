# SPDX-License-Identifier: MIT
"""Adapters that declare nothing, or that they are not thread-safe."""

from __future__ import annotations

from snakepit_bridge import BaseAdapter, tool


class Declared(BaseAdapter):
    __thread_safe__ = False

    @tool
    def ping(self):
        return "pong"


class Undeclared(BaseAdapter):
    @tool
    def ping(self):
        return "pong"
