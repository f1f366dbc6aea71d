# SPDX-License-Identifier: MIT
"""Values of the kinds that cross as something simpler. Imported late, for the sake of
what it imports.
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import pathlib
import signal
import time
import uuid


@dataclasses.dataclass
class Point:
    x: int
    y: tuple


@dataclasses.dataclass
class Bottomless:
    """Whoever reads it waits for ever."""

    asked: str
    say: object

    def __getattribute__(self, name):
        found = object.__getattribute__(self, name)
        if name == "asked":
            object.__getattribute__(self, "say")(found)
            while True:
                time.sleep(0.001)
        return found


def one_of_each():
    """By the names of the kinds."""
    return {
        "datetime": datetime.datetime(2026, 1, 2, 3, 4, 5),
        "date": datetime.date(2026, 1, 2),
        "time": datetime.time(3, 4, 5),
        "timedelta": datetime.timedelta(minutes=1.5),
        "decimal": decimal.Decimal("1.10"),
        "uuid": uuid.UUID(int=1),
        "enum": signal.Signals.SIGTERM,
        "dataclass": Point(1, (2, 3)),
        "path": pathlib.PurePosixPath("/a"),
        "set": {1},
        "frozenset": frozenset([b"x"]),
        "range": range(3),
        "bytearray": bytearray(b"ab"),
        "memoryview": memoryview(b"cd"),
    }
