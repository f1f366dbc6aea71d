# SPDX-License-Identifier: MIT
"""Lets observers see what happens to adapters: calls of methods, writes of attributes.

While at least one observer watches, the classes of adapters carry hooks; when the last
one leaves, each class is what it was. Without an observer nothing is there, so that
checking costs nothing where it is off.
"""

from __future__ import annotations

import inspect
import sys
import weakref
from array import array
from collections import deque
from dataclasses import dataclass
from types import FrameType, FunctionType
from typing import Any, Callable, Protocol

from ..base_adapter import BaseAdapter
from ..declaration import BASE_MODULES
from . import following, locks, order, sites
from .order import ThreadState
from .races import CHANGED, History, Race, Stored

_CONTAINERS = (dict, list, set, deque, bytearray, array)

# Before and after these nobody calls the adapter, if nobody does when they begin.
_LIFE = frozenset({"initialize", "cleanup"})


@dataclass(frozen=True)
class Entry:
    """A thread enters a public method."""

    method: str
    threads: int  # that are in it now
    inner: bool  # another method of the adapter, on the same thread, led here
    resumed: bool  # the next step of a generator or coroutine, and no new call


class Observer(Protocol):
    """What is told; always under `lock`, on the thread that it is about."""

    def wants(self, adapter: object) -> bool:
        """Whether the observer cares about this adapter."""

    def on_adapter(self, adapter: object) -> None:
        """An adapter of interest is seen for the first time."""

    def on_call(self, adapter: object, entry: Entry) -> None:
        """A public method is entered."""

    def on_return(self) -> None:
        """A public method has been left."""

    def on_race(self, adapter: object, race: Race) -> None:
        """Two writes can meet."""


lock = locks.own  # guards all below, and observers
_observers: list[Observer] = []
_hooks: dict[tuple[type, str], tuple[Any, Any]] = {}  # what was there and what is there
_watched: set[type] = set()
_subjects: dict[int, Subject] = {}
_anchors: dict[int, Any] = {}  # an adapter by id: a weak reference where it can be one

_ABSENT = object()


class Subject:
    """What is known of one adapter. Guarded by `lock`."""

    def __init__(self, adapter: object) -> None:
        """Seen for the first time, on this thread."""
        self.history = History(order.this_thread())
        self.history.locks.add(locks.near(adapter))
        self.inside: dict[str, Tally] = {}  # threads by method
        self.busy = Tally()  # threads in any method
        self.told: list[Observer] = []

    def enter(
        self, adapter: object, method: str, thread: ThreadState, resumed: bool
    ) -> None:
        """A thread enters a method; `leave` must follow, whatever this raises."""
        with lock:
            self.history.touch(thread)
            inside = self.inside.setdefault(method, Tally())
            inside.add(thread.number)
            inner = self.busy.add(thread.number) > 1
            entry = Entry(method, len(inside.depths), inner, resumed)
            for observer in self.told:
                observer.on_call(adapter, entry)

    def leave(self, method: str, thread: ThreadState) -> None:
        """A thread leaves a method that it entered."""
        with lock:
            self.inside[method].remove(thread.number)
            self.busy.remove(thread.number)
            for observer in self.told:
                observer.on_return()

    def begin_life(self) -> bool:
        """`initialize` or `cleanup` begins. Whether it has the adapter for itself;
        `end_life` must follow then.
        """
        with lock:
            is_alone = not self.busy.depths
            if is_alone:
                self.history.begin_alone()
            return is_alone

    def end_life(self) -> None:
        """It has ended."""
        with lock:
            self.history.end_alone()


class _Inside:
    """A ``with`` block that is inside of a public method."""

    __slots__ = ("adapter", "method", "resumed", "subject", "thread")

    def __init__(
        self, subject: Subject, adapter: object, method: str, resumed: bool
    ) -> None:
        self.subject = subject
        self.adapter = adapter
        self.method = method
        self.resumed = resumed

    def __enter__(self) -> None:
        self.thread = order.this_thread()
        try:
            self.subject.enter(self.adapter, self.method, self.thread, self.resumed)
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_: object) -> None:
        self.subject.leave(self.method, self.thread)


class Tally:
    """Threads that are inside of something, by number, and how deep."""

    def __init__(self) -> None:
        """None is."""
        self.depths: dict[int, int] = {}

    def add(self, thread: int) -> int:
        """The thread goes in. Gives how deep it now is."""
        self.depths[thread] = self.depths.get(thread, 0) + 1
        return self.depths[thread]

    def remove(self, thread: int) -> None:
        """The thread comes out."""
        self.depths[thread] -= 1
        if not self.depths[thread]:
            del self.depths[thread]


def begin(observer: Observer) -> None:
    """Starts to tell an observer about every adapter that it wants."""
    with lock:
        if not _observers:
            order.watch_threads()
        _observers.append(observer)
        watch_class(BaseAdapter)
        for found in _all_subclasses(BaseAdapter):
            watch_class(found)


def end(observer: Observer) -> None:
    """Stops to tell it. With the last one all hooks go."""
    with lock:
        if observer not in _observers:
            return
        _observers.remove(observer)
        # A collection may have brought us here from a loop over one of these.
        for subject in list(_subjects.values()):
            subject.told = [other for other in subject.told if other is not observer]
        if not _observers:
            _remove_hooks()
            order.leave_threads()
            _subjects.clear()


def threads_inside(adapter: object, method: str) -> int:
    """How many threads run a public method of an adapter now."""
    with lock:
        subject = _subjects.get(id(adapter))
        inside = subject.inside.get(method) if subject is not None else None
        return len(inside.depths) if inside is not None else 0


def subject_of(adapter: object) -> Subject | None:
    """What is known of an adapter; None if nobody wants to know. Call it with `lock`
    held.
    """
    subject = _subjects.get(id(adapter))
    if subject is None:
        if not any(observer.wants(adapter) for observer in _observers):
            return None
        subject = _subjects[id(adapter)] = Subject(adapter)
        _forget_with(adapter)
    for observer in _observers:
        if observer not in subject.told and observer.wants(adapter):
            subject.told.append(observer)
            observer.on_adapter(adapter)
    return subject


def _forget_with(adapter: object) -> None:
    """Its id may be another object's once it is gone."""
    key = id(adapter)

    def forget(_: object) -> None:
        with lock:
            _subjects.pop(key, None)
            _anchors.pop(key, None)

    try:
        _anchors[key] = weakref.ref(adapter, forget)
    except TypeError:  # without __weakref__ it stays until nobody watches
        _anchors[key] = adapter


# ---- Hooks ---------------------------------------------------------------------------


def watch_class(found: type) -> None:
    """Puts hooks on a class, and on those of its bases that an adapter's author wrote.

    Call it with `lock` held, or before the class is used by other threads.
    """
    if found in _watched:
        return
    _watched.add(found)
    root = BaseAdapter if issubclass(found, BaseAdapter) else found
    for name, make in (
        ("__getattribute__", _reading),
        ("__setattr__", _writing),
        ("__delattr__", _deleting),
    ):
        if (root, name) not in _hooks:
            _put(root, name, make(getattr(root, name)))
    for base in found.__mro__[:-1]:
        if base.__module__ not in BASE_MODULES:
            _watch_methods(base)


def _watch_methods(found: type) -> None:
    for name, value in list(vars(found).items()):
        if (
            isinstance(value, FunctionType)
            and not name.startswith("_")
            and (found, name) not in _hooks
        ):
            make = _living if name in _LIFE else _calling
            _put(found, name, make(name, value))


def _put(found: type, name: str, hook: Any) -> None:
    _hooks[found, name] = (vars(found).get(name, _ABSENT), hook)
    setattr(found, name, hook)


def _remove_hooks() -> None:
    for (found, name), (before, hook) in reversed(list(_hooks.items())):
        if vars(found).get(name) is not hook:
            continue  # somebody has put another in its place
        if before is _ABSENT:
            delattr(found, name)
        else:
            setattr(found, name, before)
    _hooks.clear()
    _watched.clear()
    _anchors.clear()


def _all_subclasses(found: type) -> list[type]:
    below: list[type] = []
    children: list[type] = found.__subclasses__()
    for child in children:
        below += [child, *_all_subclasses(child)]
    return below


def _calling(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    def watched(self: Any, *args: Any, **kwargs: Any) -> Any:
        with lock:
            subject = subject_of(self)
        if subject is None:
            return method(self, *args, **kwargs)
        with _Inside(subject, self, name, False):
            result = method(self, *args, **kwargs)

        def step() -> _Inside:
            return _Inside(subject, self, name, True)

        return following.follow(method, result, step)

    return following.like(method, watched)


def _living(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    """A hook on `initialize` or `cleanup`, which lasts until a coroutine has ended."""

    def watched(self: Any, *args: Any, **kwargs: Any) -> Any:
        with lock:
            subject = subject_of(self)
        if subject is None or not subject.begin_life():
            return method(self, *args, **kwargs)
        result = None
        try:
            result = method(self, *args, **kwargs)
        finally:
            if not inspect.iscoroutine(result):
                subject.end_life()
        return _ended(result, subject) if inspect.iscoroutine(result) else result

    return following.like(method, watched)


async def _ended(coroutine: Any, subject: Subject) -> Any:
    try:
        return await coroutine
    finally:
        subject.end_life()


def _reading(original: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    def __getattribute__(self: Any, name: str) -> Any:
        if type(self) not in _watched:
            with lock:
                watch_class(type(self))
        value = original(self, name)
        if isinstance(value, _CONTAINERS) and _is_judged(name):
            frame = sys._getframe(1)
            facts = sites.facts_of(frame.f_code.co_filename)
            is_deque = isinstance(value, deque)
            changes = facts.deque_unsafe if is_deque else facts.changes
            if (frame.f_lineno, name) in changes:
                _note_write(self, name, frame)
        return value

    return __getattribute__


def _writing(
    original: Callable[[Any, str, Any], None],
) -> Callable[[Any, str, Any], None]:
    def __setattr__(self: Any, name: str, value: Any) -> None:
        if _is_judged(name):
            found = _found(self, name)
            if not inspect.isdatadescriptor(found):  # a property's setter is judged
                _note_store(self, name, value, found is not value)
            if locks.is_lock(value):
                _note_lock(self, value)
        original(self, name, value)

    return __setattr__


def _deleting(original: Callable[[Any, str], None]) -> Callable[[Any, str], None]:
    def __delattr__(self: Any, name: str) -> None:
        if _is_judged(name):
            _note_write(self, name, sys._getframe(1))
        original(self, name)

    return __delattr__


def _is_judged(name: str) -> bool:
    return not name.startswith(("__", "_snakepit_"))


def _found(adapter: Any, name: str) -> Any:
    """The attribute's value, or the descriptor that stands for it."""
    found = inspect.getattr_static(adapter, name, _ABSENT)
    if inspect.ismemberdescriptor(found):
        return getattr(adapter, name, _ABSENT)
    return found


def _note_store(adapter: Any, name: str, value: Any, changes: bool) -> None:
    frame = sys._getframe(2)
    constants = sites.facts_of(frame.f_code.co_filename).constants
    constant = repr(value) if (frame.f_lineno, name) in constants else ""
    _note_write(adapter, name, frame, Stored(changes, constant))


def _note_write(
    adapter: Any, name: str, frame: FrameType, stored: Stored = CHANGED
) -> None:
    if frame.f_lineno in sites.facts_of(frame.f_code.co_filename).meant:
        return
    thread = order.this_thread()
    with lock:
        subject = subject_of(adapter)
        if subject is None:
            return
        race = subject.history.write(adapter, name, thread, frame, stored)
        if race is not None:
            for observer in subject.told:
                observer.on_race(adapter, race)


def _note_lock(adapter: Any, value: Any) -> None:
    with lock:
        subject = subject_of(adapter)
        if subject is not None:
            subject.history.locks.add([value])
