# SPDX-License-Identifier: MIT
"""Adapters that declare nothing, that they are not thread-safe, or that change."""

from __future__ import annotations

import os
from importlib.machinery import ExtensionFileLoader
from importlib.util import spec_from_loader

from snakepit_bridge import BaseAdapter, ThreadSafeAdapter, tool


class Declared(BaseAdapter):
    __thread_safe__ = False

    @tool
    def ping(self):
        return "pong"


class Undeclared(BaseAdapter):
    @tool
    def ping(self):
        return "pong"


class Changed(ThreadSafeAdapter):
    """Imports the extension `config["imports"]` once the file is there."""

    __thread_safe__ = True

    def initialize(self):
        path = self.config["imports"]
        if os.path.exists(path):
            loader = ExtensionFileLoader("takes_the_gil", path)
            loader.create_module(spec_from_loader("takes_the_gil", loader))

    @tool
    def ping(self):
        return "pong"
