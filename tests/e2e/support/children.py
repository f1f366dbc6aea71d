# SPDX-License-Identifier: MIT
"""Functions that run in a forked child of the test."""

from __future__ import annotations

import json
import os
import signal
from typing import Any, Callable

CHILD_S = 60  # more than any child needs, however busy the machine


class Child:
    """A forked child that runs a function and says what that returned."""

    def __init__(
        self, function: Callable[[], Any], leave: Callable[[int], Any] = os._exit
    ) -> None:
        self.out, into = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            # pytest has a handler of its own, which a child that hangs never comes to.
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(CHILD_S)
            try:
                told = json.dumps(function())
            except BaseException as problem:
                told = json.dumps({"raised": repr(problem)})
            os.write(into, told.encode())
            leave(0)
        os.close(into)

    def outcome(self) -> Any:
        """What the function returned; the child must have ended in order."""
        with os.fdopen(self.out) as said:
            text = said.read()
        _, status = os.waitpid(self.pid, 0)
        assert status == 0, f"the child ended with status {status:#x}, after {text!r}"
        return json.loads(text)


def in_child(
    function: Callable[[], Any], leave: Callable[[int], Any] = os._exit
) -> Any:
    """What a function returns that runs in a forked child, as JSON has it."""
    return Child(function, leave).outcome()
