# SPDX-License-Identifier: MIT
"""What adapters write down for a test."""

from __future__ import annotations

import os


class Journal:
    """Lines that a test reads while the worker writes. One write is one line."""

    def __init__(self, path):
        self.path = path

    def write(self, text):
        handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(handle, f"{text}\n".encode())
        os.close(handle)
