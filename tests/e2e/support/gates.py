# SPDX-License-Identifier: MIT
"""Gates: FIFOs that hold adapters back until a test lets them on."""

from __future__ import annotations

import contextlib
import os
import pathlib
from typing import Callable

from .waiting import eventually


def open_gate(path: str | os.PathLike[str], done: Callable[[], bool]) -> None:
    """Lets through whoever waits, until `done`.

    One opening reaches those who are opening the FIFO at that moment and no others.
    """

    def let_in() -> bool:
        with contextlib.suppress(OSError):  # nobody is there just now
            os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
        return done()

    eventually(let_in, "those at the gate go on")


def wait_for_file(path: str | os.PathLike[str], within: float = 60.0) -> str:
    """What somebody has written to a file, once it is there."""
    return eventually(
        lambda: os.path.exists(path) and pathlib.Path(path).read_text(),
        f"{path} is written",
        within,
    )
