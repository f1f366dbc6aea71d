# SPDX-License-Identifier: MIT
"""An adapter that says something for ever, in all the ways there are."""

from __future__ import annotations

import os
import socket
import struct
import sys
import time

from snakepit_bridge import ThreadSafeAdapter, telemetry, tool

PRINTED = {
    "blocks": b"a line of a usual length that is printed again and again\n" * 500,
    "lines": b"a line\n",
    "ends of lines": b"\n" * 50_000,
    "no text": b"\xff\x9b" * 25_000,
}
CHANNEL = 6  # a descriptor, and the next one
DOORBELL = 7
MESSAGES = {"hello": 2, "ready": 3, "pong": 6, "events": 9}


class Floods(ThreadSafeAdapter):
    """Floods as it is told."""

    __thread_safe__ = True

    @tool
    def ping(self) -> str:
        return "pong"

    @tool
    def flood(self, what: str, seconds: float) -> int:
        end = time.monotonic() + seconds
        count = 0
        while time.monotonic() < end:
            count += os.write(1, PRINTED[what])
        return count

    @tool
    def flood_channel(self, what: str, seconds: float) -> None:
        body = struct.pack("<Q", 1) if what == "pong" else b""
        message = struct.pack("<II", MESSAGES[what], len(body)) + body
        end = time.monotonic() + seconds
        with socket.socket(fileno=os.dup(CHANNEL)) as channel:
            while time.monotonic() < end:
                channel.send(message)

    @tool
    def flood_events(self, size: int, seconds: float) -> None:
        """Says more than can be heard, by the way that adapters have for it."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            telemetry.emit("flood", {}, {"text": "x" * size})

    @tool
    def last_words(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)
        os._exit(3)

    @tool
    def flood_bell(self, seconds: float) -> int:
        end = time.monotonic() + seconds
        count = 0
        while time.monotonic() < end:
            count += os.write(DOORBELL, struct.pack("<Q", 1))
        return count
