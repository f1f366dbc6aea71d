# SPDX-License-Identifier: MIT
"""The local door for the calls of chaos.py, where the daemon dies as well.

`python -m support.local_chaos ADDRESS SEED` calls without end, to be killed in the
middle of it; it exits with 1 at the first answer that is wrong. A file named by
$CHAOS_DEATHS has one byte for each death of the daemon.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import sys
import threading
from collections.abc import Iterator
from typing import Any

import numpy

from . import chaos
from .answers import CallFailed, Refused
from .pit import Pit, Queue, Submitted
from .waiting import Deadline, eventually

TIMEOUT_MS = 60_000  # of a call; a daemon is there again long before
MARGIN = 15.0  # seconds that an answer may come late where the machine is busy


class Names:
    """Calls that have names, since the local door has none: others may cancel them."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.calls: dict[str, tuple[Pit, Submitted]] = {}

    def put(self, name: str, pit: Pit, call: Submitted) -> None:
        with self.lock:
            self.calls[name] = (pit, call)

    def drop(self, name: str) -> None:
        with self.lock:
            del self.calls[name]

    def cancel(self, name: str) -> None:
        """With the lock held, so that its pit is not closed meanwhile."""
        with self.lock:
            pit, call = self.calls.get(name, (None, None))
            if pit is not None:
                pit.cancel(call)


NAMES = Names()


class LocalDoor:
    """A connected pit. One that does not look for the next daemon by itself is made
    anew where its daemon is lost.
    """

    reconnect = False

    def __init__(self, address: str) -> None:
        self.address = address
        self.ways = itertools.count()
        self.pit = self._connect()

    def _connect(self) -> Pit:
        """Once a daemon is there."""

        def connect() -> Pit | None:
            try:
                pit = Pit.connect(self.address, reconnect=self.reconnect)
            except Refused as refused:
                assert refused.err == "UNREACHABLE", refused
                return None
            if not self.reconnect:
                return pit
            # One that may begin without a daemon refuses calls while it knows none.
            try:
                return pit.await_serving()
            except Refused:
                pit.close()
                return None

        return eventually(connect, "a daemon is there")

    def _lost(self, name: str) -> None:
        if name == "DAEMON_LOST" and not self.reconnect:
            self.pit.close()
            self.pit = self._connect()

    @contextlib.contextmanager
    def _asking(self, timeout_ms: int = TIMEOUT_MS) -> Iterator[None]:
        """Faults as those of other doors, and in time."""
        deadline = Deadline(timeout_ms / 1000 + MARGIN)
        try:
            yield
        except CallFailed as failed:
            self._lost(failed.err)
            fault = failed.fault
            text = f"{fault.type}: {fault.message}" if fault.type else fault.message
            raise chaos.Fault(failed.err, text) from None
        except Refused as refused:
            self._lost(refused.err)
            raise chaos.Fault(refused.err, refused.why) from None
        finally:
            assert not deadline.over, f"an answer after {deadline.passed:.1f} s"

    def call(self, tool: str, arguments: dict[str, Any], **options: Any) -> Any:
        name = options.pop("name", None)
        options.setdefault("timeout_ms", TIMEOUT_MS)
        with self._asking(options["timeout_ms"]):
            way = next(self.ways) % 3
            if name is not None or way == 0:
                return self._submit(name, tool, arguments, **options)
            if way == 1:
                return self._by_queue(tool, arguments, **options)
            return self.pit.call(tool, arguments, **options)

    def _submit(self, name: str | None, *words: Any, **options: Any) -> Any:
        """Reported by the library's thread."""
        call = self.pit.submit(*words, **options)
        if name is not None:
            NAMES.put(name, self.pit, call)
        try:
            call.wait(options["timeout_ms"] / 1000 + MARGIN)
        finally:
            if name is not None:
                NAMES.drop(name)
        return value_of(call)

    def _by_queue(self, *words: Any, **options: Any) -> Any:
        with Queue(self.pit) as queue:
            deadline = Deadline(options["timeout_ms"] / 1000 + MARGIN)
            call = self.pit.submit(*words, queue=queue, **options)
            while not call.ended.is_set() and not deadline.over:
                queue.drain(1000)
            assert call.ended.is_set(), "a submitted call was not reported in time"
        return value_of(call)

    def double(self, array: numpy.ndarray) -> numpy.ndarray:
        return self.call("double", {"array": array})

    def stream(self, tool: str, arguments: dict[str, Any]) -> Iterator[Any]:
        timeout = {"timeout_ms": TIMEOUT_MS}
        with self._asking(), self.pit.stream(tool, arguments, **timeout) as stream:
            yield from stream
            yield {"result": stream.returned}

    def leave(self, tool: str, arguments: dict[str, Any]) -> None:
        other = self.again()
        with contextlib.suppress(Refused):
            other.pit.submit(tool, arguments)
        other.close()

    def cancel(self, name: str) -> None:
        NAMES.cancel(name)

    def put(self, session: str, key: str, value: Any) -> None:
        with self._asking():
            self.pit.put(session, key, value)

    def get(self, session: str, key: str) -> Any:
        with self._asking():
            return self.pit.get(session, key)

    def end_session(self, session: str) -> None:
        with self._asking():
            self.pit.end_session(session)

    def again(self) -> LocalDoor:
        return type(self)(self.address)

    def close(self) -> None:
        self.pit.close()


class LastingDoor(LocalDoor):
    """One that goes on with the next daemon."""

    reconnect = True


def value_of(call: Submitted) -> Any:
    assert call.times == 1, f"a call was reported {call.times} times"
    if call.fault is not None:
        raise CallFailed(call.fault)
    return call.value


DOORS: list[type[LocalDoor]] = [LocalDoor, LastingDoor]


def deaths() -> int:
    """How many daemons have died, or are about to."""
    return os.stat(os.environ["CHAOS_DEATHS"]).st_size


def call(door: LocalDoor, seed: int, mark: int) -> str:
    """As chaos.call(). A session ends with its daemon, and what it kept is gone."""
    before = deaths()
    try:
        return chaos.call(door, seed, mark)
    except AssertionError:
        if chaos.kind_of(seed, mark) is chaos.session and deaths() != before:
            return "DAEMON_LOST"
        raise


def main(address: str, seed: int) -> None:
    door = random.Random(seed).choice(DOORS)(address)
    for mark in itertools.count(10_000_000 + seed * 100_000):
        try:
            call(door, seed, mark)
        except AssertionError as error:
            print(f"call {mark}: {error}", file=sys.stderr)
            sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
