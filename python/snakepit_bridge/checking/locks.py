# SPDX-License-Identifier: MIT
"""Which locks the calling thread holds.

Nothing is wrapped, so that a lock stays what it was. The locks that an adapter can
reach are looked up, and each is asked: a reentrant lock knows its owner, a plain one
knows only that it is held by somebody. That is taken for "by this thread", which may
hide a race for a moment and never makes one up.
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from types import FrameType, FunctionType, ModuleType
from typing import Any

KNOWN_MAX = 512  # locks of one adapter; beyond that it is not judged
DEPTH = 4  # attributes and items between a place where one looks and a lock
LOOKED_AT_MAX = 5000  # objects in one search
ITEMS_MAX = 200  # of a container that are looked at
FRAMES_MAX = 30

# Guards what the checker itself knows; it is not a lock of the adapter's.
own = threading.RLock()

_PLAIN = type(threading.Lock())
_REENTRANT = type(threading.RLock())
_LOCKS = (_PLAIN, _REENTRANT, threading.Condition, threading.Semaphore)
# A class of the user's own counts if it tells whether it is held; of another, the locks
# inside of it are found.

# A thread has locks that say that it lives, and its frames lead to them.
_SKIPPED = (
    *(str, bytes, int, float, complex, type(None), type, FunctionType, ModuleType),
    threading.Thread,
)
_RUNNERS = ("threading", "concurrent.futures.thread", "queue")


def is_lock(value: object) -> bool:
    """Whether a value can keep threads apart."""
    kind = type(value)
    return isinstance(value, _LOCKS) or (
        hasattr(kind, "acquire")
        and hasattr(kind, "release")
        and (hasattr(kind, "locked") or hasattr(kind, "_is_owned"))
    )


def is_held(lock: Any) -> bool:
    """Whether the calling thread holds the lock, or may."""
    owned = getattr(lock, "_is_owned", None)
    if owned is not None:
        return bool(owned())
    if isinstance(lock, threading.Semaphore):
        return lock._value == 0
    return bool(lock.locked())


class KnownLocks:
    """The locks that one adapter was seen to reach. Guarded by the watch's lock."""

    def __init__(self) -> None:
        """None known."""
        self._locks: dict[int, Any] = {}

    def add(self, found: Iterable[Any]) -> list[Any]:
        """Adds locks; gives those that were new."""
        new = []
        for lock in map(_innermost, found):
            if id(lock) not in self._locks:
                self._locks[id(lock)] = lock  # kept, so that its id stays its own
                new.append(lock)
        return new

    @property
    def are_too_many(self) -> bool:
        """Whether asking all of them would take too long."""
        return len(self._locks) > KNOWN_MAX

    def held(self) -> frozenset[int]:
        """The ids of those that the calling thread holds."""
        return frozenset(key for key, lock in self._locks.items() if is_held(lock))


def _innermost(lock: Any) -> Any:
    """A condition is its lock: whoever holds one holds the other."""
    return (
        getattr(lock, "_lock", lock)
        if isinstance(lock, threading.Condition)
        else (lock)
    )


def near(adapter: object) -> Iterator[Any]:
    """The locks on the adapter, on its classes, and in their modules."""
    return _reachable(_places(adapter), depth=1)


def far(adapter: object, frame: FrameType | None) -> Iterator[Any]:
    """Those too that its other objects hold, and what `frame` and its callers see."""
    return _reachable([*_places(adapter), *_frames(frame)], depth=DEPTH)


def names_of(adapter: object) -> frozenset[str]:
    """The attributes of the adapter and its classes that are locks."""
    own = [_attributes(adapter), *map(vars, type(adapter).__mro__[:-1])]
    return frozenset(
        name for place in own for name, value in list(place.items()) if is_lock(value)
    )


def _places(adapter: object) -> list[dict[str, Any]]:
    own = [_attributes(adapter)]
    for base in type(adapter).__mro__[:-1]:
        own.append(dict(vars(base)))
        module = sys.modules.get(base.__module__)
        if module is not None:
            own.append(dict(vars(module)))
    return own


def _frames(frame: FrameType | None) -> Iterator[dict[str, Any]]:
    for _ in range(FRAMES_MAX):
        if frame is None:
            return
        if frame.f_globals.get("__name__") not in _RUNNERS:
            yield dict(frame.f_locals)
            yield dict(frame.f_globals)
        frame = frame.f_back


def _attributes(value: object) -> dict[str, Any]:
    try:
        found = dict(object.__getattribute__(value, "__dict__"))
    except AttributeError:
        found = {}
    for base in type(value).__mro__:
        slots = vars(base).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else tuple(slots):
            try:
                found[name] = object.__getattribute__(value, name)
            except AttributeError:
                pass
    return found


def _reachable(places: list[dict[str, Any]], depth: int) -> Iterator[Any]:
    """Every lock in the places, nearest first."""
    seen: set[int] = set()
    line = deque((value, depth) for place in places for value in place.values())
    while line and len(seen) < LOOKED_AT_MAX:
        value, left = line.popleft()
        if id(value) in seen or isinstance(value, _SKIPPED):
            continue
        seen.add(id(value))
        if is_lock(value):
            if value is not own:
                yield value
        elif left > 1:
            line.extend((item, left - 1) for item in _inside(value))


def _inside(value: Any) -> list[Any]:
    try:
        if isinstance(value, dict):
            return list(islice(value.values(), ITEMS_MAX))
        if isinstance(value, (list, tuple, set, frozenset, deque)):
            return list(islice(value, ITEMS_MAX))
    except RuntimeError:  # another thread changes it meanwhile
        return []
    return list(_attributes(value).values())
