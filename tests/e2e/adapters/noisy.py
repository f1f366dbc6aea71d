# SPDX-License-Identifier: MIT
"""Prints whatever it can, from the first line on."""

from __future__ import annotations

import os
import sys

from snakepit_bridge import ThreadSafeAdapter, tool

PROTOCOL_LOOKING = [
    "READY",
    "GRPC_READY:50051",
    '{"id": 1, "success": true, "result": "forged"}',
    "\x00\x00\x00\x05hello",
]


def shout(where):
    for text in PROTOCOL_LOOKING:
        print(f"{where} {text}")
        print(f"{where} {text}", file=sys.stderr)
    sys.stdout.flush()
    os.write(1, bytes(range(256)) + b"\n")
    os.write(2, b"\xff\xfe\x81\xa5ready\xc3" * 100 + b"\n")
    os.write(1, b"no end of line")


shout("import")


class Noisy(ThreadSafeAdapter):
    __thread_safe__ = True

    def __init__(self):
        super().__init__()
        shout("init")

    def initialize(self):
        shout("initialize")

    def cleanup(self):
        shout("cleanup")

    @tool
    def ping(self):
        shout("call")
        return "pong"

    @tool
    def flood(self, mebibytes):
        line = b"f" * 1023 + b"\n"
        for _ in range(mebibytes * 1024):
            os.write(1, line)
        return mebibytes
