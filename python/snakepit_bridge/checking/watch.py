# SPDX-License-Identifier: MIT
"""Lets observers see what happens to adapters: calls of methods, writes of attributes.

While at least one observer watches, the classes of adapters carry hooks; when the last
one leaves, each class is what it was. Without an observer nothing is there, so that
checking costs nothing where it is off.
"""

from __future__ import annotations

import functools
import inspect
import sys
import weakref
from array import array
from collections import deque
from types import FrameType, FunctionType
from typing import Any, Callable, Protocol

from ..base_adapter import BaseAdapter
from ..declaration import BASE_MODULES
from . import locks, order, sites
from .order import ThreadState
from .races import History, Race

_CONTAINERS = (dict, list, set, deque, bytearray, array)

# These run while nobody else calls the adapter.
_LIFE = frozenset({"initialize", "cleanup"})


class Observer(Protocol):
    """What is told; always under `lock`, on the thread that it is about."""

    def wants(self, adapter: object) -> bool:
        """Whether the observer cares about this adapter."""

    def on_adapter(self, adapter: object) -> None:
        """An adapter of interest is seen for the first time."""

    def on_call(self, adapter: object, method: str, threads: int, inner: bool) -> None:
        """A public method is entered and now runs on so many threads.

        `inner`: by another method of the same adapter on the same thread.
        """

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

    def enter(self, adapter: object, method: str, thread: ThreadState) -> None:
        """A thread enters a method; `leave` must follow, whatever this raises."""
        with lock:
            self.history.touch(thread)
            inside = self.inside.setdefault(method, Tally())
            inside.add(thread.number)
            inner = self.busy.add(thread.number) > 1
            for observer in self.told:
                observer.on_call(adapter, method, len(inside.depths), inner)

    def leave(self, method: str, thread: ThreadState) -> None:
        """A thread leaves a method that it entered."""
        with lock:
            self.inside[method].remove(thread.number)
            self.busy.remove(thread.number)
            for observer in self.told:
                observer.on_return()


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
            and name not in _LIFE
            and (found, name) not in _hooks
            and _returns_when_done(value)
        ):
            _put(found, name, _calling(name, value))


def _returns_when_done(function: Callable[..., Any]) -> bool:
    """Async methods share one thread; generators run after their call."""
    plain = inspect.unwrap(function)
    return not (
        inspect.iscoroutinefunction(plain)
        or inspect.isgeneratorfunction(plain)
        or inspect.isasyncgenfunction(plain)
    )


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
    @functools.wraps(method)
    def watched(self: Any, *args: Any, **kwargs: Any) -> Any:
        thread = order.this_thread()
        with lock:
            subject = subject_of(self)
        if subject is None:
            return method(self, *args, **kwargs)
        try:
            subject.enter(self, name, thread)
            return method(self, *args, **kwargs)
        finally:
            subject.leave(name, thread)

    return watched


def _reading(original: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    def __getattribute__(self: Any, name: str) -> Any:
        if type(self) not in _watched:
            with lock:
                watch_class(type(self))
        value = original(self, name)
        if isinstance(value, _CONTAINERS) and _is_judged(name):
            frame = sys._getframe(1)
            if (frame.f_lineno, name) in sites.changes_in(frame.f_code.co_filename):
                _note_write(self, name, frame)
        return value

    return __getattribute__


def _writing(
    original: Callable[[Any, str, Any], None],
) -> Callable[[Any, str, Any], None]:
    def __setattr__(self: Any, name: str, value: Any) -> None:
        # A write of what is there already changes nothing: flags that stay true.
        if _is_judged(name) and not _is_there(self, name, value):
            _note_write(self, name, sys._getframe(1))
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


def _is_there(adapter: Any, name: str, value: Any) -> bool:
    """Whether the attribute is this value, or a property, whose setter is judged."""
    found = inspect.getattr_static(adapter, name, _ABSENT)
    if inspect.ismemberdescriptor(found):
        found = getattr(adapter, name, _ABSENT)
    return found is value or inspect.isdatadescriptor(found)


def _note_write(adapter: Any, name: str, frame: FrameType) -> None:
    thread = order.this_thread()
    with lock:
        subject = subject_of(adapter)
        if subject is None:
            return
        race = subject.history.write(adapter, name, thread, frame)
        if race is not None:
            for observer in subject.told:
                observer.on_race(adapter, race)


def _note_lock(adapter: Any, value: Any) -> None:
    with lock:
        subject = subject_of(adapter)
        if subject is not None:
            subject.history.locks.add([value])
