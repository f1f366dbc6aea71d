# SPDX-License-Identifier: MIT
"""Writes of one adapter, and which of them could have met.

Two writes of an attribute race if two threads made them, no lock was held at both,
neither was over before the other began, and they do not store one constant. They need
not have met: that they could have is seen in every run, however the threads happened to
be scheduled.

Reads are not judged. In Python one sees the old value or the new one, and adapters rely
on that; a count is lost by two that write.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import FrameType

from . import locks
from .order import ThreadState

WRITERS_MAX = 64  # threads remembered for an attribute
SECOND_LOOKS = 16  # for locks that were not known, for an attribute


class Stored:
    """What one write leaves behind."""

    __slots__ = ("changes", "constant")

    def __init__(self, changes: bool = True, constant: str = "") -> None:
        """`changes`: not the very value that was there. `constant`: the value's repr,
        where the source text has it; empty for any other.
        """
        self.changes = changes
        self.constant = constant

    def is_like(self, other: Stored) -> bool:
        """Whether both are one constant, so that it does not matter which is last."""
        return self.constant != "" and self.constant == other.constant


CHANGED = Stored()


@dataclass
class Write:
    """The writes of one thread to one attribute that others may still meet."""

    thread: str  # its name
    time: int  # of the last one
    locks: frozenset[int]  # that were held at all of them
    code: str  # "Adapter.increment"
    file: str
    line: int
    stored: Stored  # CHANGED for several that are not alike

    @property
    def place(self) -> str:
        """Where the last one was, for people."""
        return f"{self.code} (line {self.line}) on {self.thread}"


@dataclass(frozen=True)
class Race:
    """Two writes that nothing keeps apart."""

    attribute: str
    first: Write
    second: Write
    threads: int  # that wrote without a common lock


class History:
    """What was written to one adapter. Guarded by the watch's lock."""

    def __init__(self, builder: ThreadState) -> None:
        """`builder` is the first thread that touched it, as a rule the one that built
        it.
        """
        self._builder = builder.number
        self._shared = False
        self._alone = 0  # how deep in `initialize` or `cleanup`
        self._changed: set[str] = set()
        self._writes: dict[str, dict[int, Write]] = {}
        self._looks: dict[str, int] = {}
        self._raced: set[str] = set()
        self.locks = locks.KnownLocks()

    def touch(self, thread: ThreadState) -> None:
        """Another thread than the builder's ends the time in which nothing can race."""
        if thread.number != self._builder and not self._alone:
            self._shared = True

    def begin_alone(self) -> None:
        """Until `end_alone` no call runs, whichever thread now touches the adapter."""
        self._alone += 1

    def end_alone(self) -> None:
        """Ends what the last `begin_alone` began."""
        self._alone -= 1

    def write(
        self,
        adapter: object,
        attribute: str,
        thread: ThreadState,
        frame: FrameType,
        stored: Stored = CHANGED,
    ) -> Race | None:
        """Remembers that `thread` now writes `attribute`; gives the race, if it is one.

        `frame` is the one that writes. A write of what is there loses nothing as long
        as nobody changes the attribute: then it may be an update that was lost.
        """
        self.touch(thread)
        if self._alone or not self._shared or self.locks.are_too_many:
            return None
        if stored.changes:
            self._changed.add(attribute)
        race = self._compare(attribute, thread, frame, stored)
        if attribute not in self._changed:
            return None
        if race is None or attribute in self._raced:
            return race
        # Before anybody is accused, all locks are looked for that could be meant.
        new = self.locks.add(locks.far(adapter, frame))
        looks = self._looks[attribute] = self._looks.get(attribute, 0) + 1
        if looks <= SECOND_LOOKS and any(map(locks.is_held, new)):
            del self._writes[attribute]
            self._compare(attribute, thread, frame, stored)
            return None
        self._raced.add(attribute)
        return race

    def _compare(
        self, attribute: str, thread: ThreadState, frame: FrameType, stored: Stored
    ) -> Race | None:
        writes = self._writes.setdefault(attribute, {})
        held = self.locks.held()
        for number in [
            number
            for number, write in writes.items()
            if thread.has_seen(number, write.time) and number != thread.number
        ]:
            del writes[number]
        before = writes.pop(thread.number, None)
        if before is not None and before.time != thread.time:
            before = None  # it was over for all that this thread has started since
        if before is not None and not before.stored.is_like(stored):
            stored = CHANGED
        mine = Write(
            thread.name,
            thread.time,
            held if before is None else before.locks & held,
            getattr(frame.f_code, "co_qualname", frame.f_code.co_name),
            frame.f_code.co_filename,
            frame.f_lineno,
            stored,
        )
        others = [
            write
            for write in writes.values()
            if not write.locks & held and not write.stored.is_like(stored)
        ]
        writes[thread.number] = mine
        if len(writes) > WRITERS_MAX:
            del writes[next(iter(writes))]
        if not others:
            return None
        return Race(attribute, others[-1], mine, len(others) + 1)
