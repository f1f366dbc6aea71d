# SPDX-License-Identifier: MIT
"""Names that the guides use and do not define.

They are made so that a test can see from the results what happened: which call computed
and which found a cached result, and which computations ran at the same time.
"""

from __future__ import annotations

import itertools
import os
import threading
from typing import Any

# Long enough for the other one on a busy machine, short where nobody will come.
PATIENCE = 20.0
IMPATIENCE = 0.2


class Model:
    """Predicts, and says which of its predictions this is: no two have one number."""

    def __init__(self) -> None:
        self.numbers = itertools.count(1)
        self.lock = threading.Lock()

    def predict(self, data: Any) -> dict[str, Any]:
        total = len(data) if isinstance(data, str) else sum(data)
        with self.lock:
            number = next(self.numbers)
        return {"value": total, "number": number, "by": threading.get_ident()}


def load_model() -> Model:
    return Model()


load_pretrained_model = load_model


class Meeting:
    """Where two threads meet, if they can be there at the same time."""

    def __init__(self, patience: float) -> None:
        """`patience`: seconds that one waits for the other."""
        self.barrier = threading.Barrier(2)
        self.patience = patience

    def attend(self) -> bool:
        """Whether the other one came."""
        try:
            self.barrier.wait(self.patience)
        except threading.BrokenBarrierError:
            self.barrier.reset()
            return False
        return True


class Slow:
    """A function as slow as the wait for a second thread that is inside of it too."""

    def __init__(self, function: Any, patience: float) -> None:
        self.function = function
        self.meeting = Meeting(patience)
        self.met: list[bool] = []

    def __call__(self, *args: Any) -> Any:
        self.met.append(self.meeting.attend())
        return self.function(*args)


class Observed:
    """A module of which one function is slow."""

    def __init__(self, module: Any, name: str, patience: float) -> None:
        self._module = module
        self._slow = Slow(getattr(module, name), patience)
        setattr(self, name, self._slow)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)


def slow_attribute(name: str) -> property:
    """An attribute that lets other threads run between a reading and a writing.

    It makes no race that is not there: it only makes one likely on two cores.
    """

    def read(self: Any) -> Any:
        value = self.__dict__[name]
        os.sched_yield()
        return value

    def write(self: Any, value: Any) -> None:
        self.__dict__[name] = value

    return property(read, write)
