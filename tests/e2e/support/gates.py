# SPDX-License-Identifier: MIT
"""Gates: FIFOs that hold adapters back until a test lets them on."""

from __future__ import annotations

import contextlib
import os
import pathlib
from collections.abc import Iterable
from typing import Any

from .waiting import eventually


def open_gate(path: str | os.PathLike[str], calls: Iterable[Any]) -> None:
    """Lets through all who wait, until every one of `calls` has ended.

    One opening reaches those who have the FIFO open at that moment and no others.
    """
    waiting = list(calls)

    def let_in() -> bool:
        with contextlib.suppress(OSError):  # nobody reads just now
            os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
        return all(call.ended.is_set() for call in waiting)

    eventually(let_in, "the waiting calls end")


class Gate:
    """A FIFO that stays open once it was opened."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        self.fd = -1
        os.mkfifo(path)

    def __str__(self) -> str:
        return str(self.path)

    def open(self) -> None:
        """From now on whoever opens the FIFO to read goes on when it is closed."""
        self.fd = os.open(self.path, os.O_RDWR | os.O_NONBLOCK)

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def wait_for_file(path: str | os.PathLike[str], within: float = 10.0) -> str:
    """What somebody has written to a file, once it is there."""
    return eventually(
        lambda: os.path.exists(path) and pathlib.Path(path).read_text(),
        f"{path} is written",
        within,
    )
