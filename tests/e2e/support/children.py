# SPDX-License-Identifier: MIT
"""Functions that run in a forked child of the test."""

from __future__ import annotations

import json
import os
import select
import signal
import sys
from typing import Any, Callable

CHILD_S = 60  # more than any child needs, however busy the machine
FORK_S = 15  # more than a fork takes
FORKS = 5  # until one comes back


def fork() -> int:
    """os.fork(), which before Python 3.12 may never return in the child: another thread
    may have held the lock of the list of threads, as each callback from C does for a
    moment (python/cpython#112275). Such a child is killed, and another one forked.
    """
    if sys.version_info >= (3, 12):
        return os.fork()
    for _ in range(FORKS):
        came_back, into = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.write(into, b"here")
            os.close(came_back)
        os.close(into)
        if pid == 0:
            return 0
        readable, _, _ = select.select([came_back], [], [], FORK_S)
        os.close(came_back)
        if readable:
            return pid
        end_hanging(pid)
    raise AssertionError(f"none of {FORKS} children came back from os.fork()")


def end_hanging(pid: int) -> None:
    """Kills a child that hangs in Python, behind what our library does in a fork."""
    folder = f"/proc/{pid}/fd"
    opened = [os.readlink(f"{folder}/{number}") for number in os.listdir(folder)]
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    ours = [name for name in opened if "eventpoll" in name or "snakepit" in name]
    assert not ours, f"a child hangs in our handler of fork(): {ours}"


class Child:
    """A forked child that runs a function and says what that returned."""

    def __init__(
        self, function: Callable[[], Any], leave: Callable[[int], Any] = os._exit
    ) -> None:
        self.out, into = os.pipe()
        self.pid = fork()
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
