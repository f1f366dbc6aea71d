# SPDX-License-Identifier: MIT
"""Where the threads of a worker are: snakepit_worker_stacks()."""

from __future__ import annotations

import ctypes
import dataclasses
from ctypes import byref

from . import library as raw
from .answers import Refused
from .library import lib
from .pit import Pit
from .places import ROOT


@dataclasses.dataclass(frozen=True)
class Frame:
    function: str
    file: str
    line: int


@dataclasses.dataclass(frozen=True)
class Stack:
    executor: int
    thread: int
    state: str
    call: int
    tool: str
    running_us: int
    stuck: bool
    moved: bool
    cut: bool
    lost: bool
    frames: tuple[Frame, ...]

    @classmethod
    def copy(cls, its: raw.Stack) -> Stack:
        frames = tuple(
            Frame(frame.function.decode(), frame.file.decode(), frame.line)
            for frame in its.frames[: its.count]
        )
        return cls(
            its.executor,
            its.thread,
            its.state.decode(),
            its.call,
            its.tool.decode(),
            its.running_us,
            its.stuck,
            its.moved,
            its.cut,
            its.lost,
            frames,
        )


def stacks_of(pit: Pit, worker: int, pool: str | None = None) -> list[Stack]:
    """All of a worker; raises Refused, with what was said, where there are none."""
    found: list[Stack] = []

    def take(_user: object, stack: ctypes._Pointer[raw.Stack]) -> None:
        assert stack.contents.size == ctypes.sizeof(raw.Stack)
        found.append(Stack.copy(stack.contents))

    why = raw.Message()
    err = lib.worker_stacks(
        pit.handle,
        pool.encode() if pool else None,
        worker,
        raw.StackFunction(take),
        None,
        byref(why),
    )
    if err:
        raise Refused(err, why.text.decode())
    return found


def line_of(adapter: str, name: str) -> int:
    """The line of an adapter's file with this comment."""
    text = (ROOT / "tests/e2e/adapters" / adapter).read_text()
    (found,) = [
        number
        for number, line in enumerate(text.splitlines(), 1)
        if line.endswith(f"# {name}")
    ]
    return found
