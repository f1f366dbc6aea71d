# SPDX-License-Identifier: MIT
"""`ThreadSafeAdapter`: base of adapters whose tools run on several threads at once.

The three patterns: what is loaded once and never changed needs nothing; what belongs to
one thread goes to `get_thread_local`; what all threads change is touched under
`acquire_lock`.
"""

from __future__ import annotations

import time
from types import CoroutineType

from . import late, lookup
from .base_adapter import BaseAdapter, call_tool, tool
from .declaration import declared_thread_safe, note_mark, undeclared_warning
from .late import TYPE_CHECKING
from .made import Made
from .tools import SAFE_MARK, not_of_an_instance

if TYPE_CHECKING:
    import asyncio
    import functools
    import threading
    from collections.abc import Coroutine
    from contextlib import AbstractContextManager
    from typing import Any, Callable, TypeVar

    from typing_extensions import Self

    from . import configuration, notices, tracking
    from . import request as requests
    from .tracking import RequestTracker

    Method = TypeVar("Method", bound=Callable[..., Any])
else:
    asyncio = late.Module("asyncio")
    configuration = late.Module("snakepit_bridge.configuration")
    functools = late.Module("functools")
    notices = late.Module("snakepit_bridge.notices")
    requests = late.Module("snakepit_bridge.request")
    threading = late.Module("threading")
    tracking = late.Module("snakepit_bridge.tracking")

    def __getattr__(name: str) -> type:
        """`RequestTracker`, which can be had from here too."""
        if name != "RequestTracker":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return tracking.RequestTracker


__all__ = [
    "RequestTracker",
    "ThreadLocalStorage",
    "ThreadSafeAdapter",
    "require_thread_safe",
    "thread_safe_method",
    "tool",
    "validate_thread_safety",
]

# A default of one of these types is handed out and not kept: nothing in it can change.
_IMMUTABLE = (type(None), bool, int, float, complex, str, bytes, tuple, frozenset, type)


class ThreadLocalStorage:
    """Named values that each thread has for itself. They go when their thread ends."""

    def __init__(self) -> None:
        """Empty in every thread."""
        self._mine = threading.local()

    def get(self, key: str, default: Any = None) -> Any:
        """The calling thread's value for `key`, or `default`.

        A mutable default (a dict, a list, any object) becomes the thread's value, so
        that what is put into it is found next time. Give each call a default of its
        own: an object that several threads were given as default is shared by them.
        """
        values = self._values()
        if key in values:
            return values[key]
        if not isinstance(default, _IMMUTABLE):
            values[key] = default
        return default

    def set(self, key: str, value: Any) -> None:
        """Sets the calling thread's value for `key`."""
        self._values()[key] = value

    def clear(self, key: str | None = None) -> None:
        """Forgets the calling thread's value for `key`, or all of its values."""
        if key is None:
            self._values().clear()
        else:
            self._values().pop(key, None)

    def _values(self) -> dict[str, Any]:
        return vars(self._mine)  # which a thread finds empty at first


class ThreadSafeAdapter(BaseAdapter):
    """Base of adapters for the thread profile.

    A subclass declares ``__thread_safe__ = True`` in its own body: this class cannot
    know what the subclass does.
    """

    __thread_safe__ = True

    _snakepit_counts = True  # calls of methods that are marked

    if TYPE_CHECKING:
        # The public name of the lock. An adapter may assign another: nothing here uses
        # it.
        _lock: Any

        _snakepit_lock: AbstractContextManager[Any]
        _snakepit_storage: ThreadLocalStorage
        _snakepit_tracker: RequestTracker
        _snakepit_started: float
        _snakepit_turn: asyncio.Lock  # for the event loop's thread alone
    else:
        # Should a subclass make its instance's attributes anew, so are these.
        _lock = Made("_lock", lambda self: self._snakepit_lock)
        _snakepit_lock = Made("_snakepit_lock", lambda _: threading.RLock())
        _snakepit_storage = Made("_snakepit_storage", lambda _: ThreadLocalStorage())
        _snakepit_tracker = Made(
            "_snakepit_tracker", lambda _: tracking.RequestTracker()
        )
        _snakepit_started = Made("_snakepit_started", lambda _: time.monotonic())
        _snakepit_turn = Made("_snakepit_turn", lambda _: asyncio.Lock())

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Makes lock and counts: a subclass may forget ``super().__init__()``."""
        self = super().__new__(cls)
        for made in _MADE_AT_ONCE:
            getattr(ThreadSafeAdapter, made).__get__(self)
        # A subclass's own way of setting is not ready yet; the base's is, and there the
        # checker looks.
        BaseAdapter.__setattr__(self, "_lock", self._snakepit_lock)
        return self

    def __init__(self) -> None:
        """Takes no arguments: a worker has none to give."""
        super().__init__()

    def acquire_lock(self) -> AbstractContextManager[Any]:
        """The adapter's lock, for a ``with`` statement. Reentrant."""
        return self._snakepit_lock

    def get_thread_local(self, key: str, default: Any = None) -> Any:
        """The calling thread's value for `key`, or `default`.

        A mutable default is kept, so ``cache = self.get_thread_local("cache", {})``
        gives each thread a dict that lasts.
        """
        return self._snakepit_storage.get(key, default)

    def set_thread_local(self, key: str, value: Any) -> None:
        """Sets the calling thread's value for `key`."""
        self._snakepit_storage.set(key, value)

    def clear_thread_local(self, key: str | None = None) -> None:
        """Forgets the calling thread's value for `key`, or all of its values."""
        self._snakepit_storage.clear(key)

    def track_request(self) -> AbstractContextManager[None]:
        """Counts a ``with`` block as one request, as `thread_safe_method` does."""
        return self._snakepit_tracker.track_request()

    def get_stats(self) -> dict[str, Any]:
        """The report of `get_stats_dict`; a subclass may override it."""
        return self.get_stats_dict()

    def get_stats_dict(self) -> dict[str, Any]:
        """A new dict with the adapter's counts, the caller's to change.

        `total_requests`, `active_requests` and `thread_utilization` (requests by the
        name of the thread that began them) count calls of `thread_safe_method` methods,
        each once however deep they call each other, and active until a coroutine or a
        generator that it gave has ended; `max_workers` is the number of threads that
        run calls; `uptime_seconds`, `adapter_class` and `thread_safe` (whether the
        class declares it) say the rest.
        """
        stats = self._snakepit_tracker.get_stats()
        stats["max_workers"] = configuration.current().executors
        stats["uptime_seconds"] = time.monotonic() - self._snakepit_started
        stats["adapter_class"] = type(self).__name__
        stats["thread_safe"] = declared_thread_safe(type(self)) is True
        return stats

    def handle_request(self, request: Any) -> Any:
        """Answers a `Request`, or a mapping with `command` and `args`, and counts it.

        ``_handle_request_impl`` is called without the lock. The older ``_dispatch`` is
        called with it; if it is async, requests are awaited one after the other, but
        the lock is not held: it is one of threads, which nobody holds while he awaits.
        Without either the request goes to the tool that it names.
        """
        answer = _counted_answer or _count_answer()
        return answer(self, requests.Request.of(request))

    def _snakepit_answer(self, request: Any) -> Any:
        handler = lookup.bound(self, "_handle_request_impl")
        if handler is not None:
            return handler(request)
        handler = lookup.bound(self, "_dispatch")
        if handler is None:
            return call_tool(self, request.command, request.args)
        with self._snakepit_lock:
            result = handler(request)
        return (
            self._snakepit_turns(result)
            if isinstance(result, CoroutineType)
            else result
        )

    async def _snakepit_turns(self, answer: Coroutine[Any, Any, Any]) -> Any:
        async with self._snakepit_turn:
            return await answer


_counted_answer: Any = None  # once somebody has asked


def _count_answer() -> Any:
    global _counted_answer
    _counted_answer = tracking.counted(ThreadSafeAdapter._snakepit_answer)
    return _counted_answer


# What reports and locksets look at from the beginning.
_MADE_AT_ONCE = ("_snakepit_lock", "_snakepit_tracker", "_snakepit_started")


def thread_safe_method(method: Method) -> Method:
    """Says that a method may run on several threads at once, and counts its calls.

    It takes no lock: protecting what the method shares is the method's business. Works
    above or below ``@tool``; a public method with this decorator alone is a tool too.

    Raises TypeError for what is not called on an instance: static and class methods,
    and what cannot be called at all.
    """
    if isinstance(method, (staticmethod, classmethod)):
        raise TypeError(not_of_an_instance(method.__func__.__qualname__, type(method)))
    if not callable(method):
        kind = type(method).__name__
        raise TypeError(f"@thread_safe_method decorates methods, not {kind} objects")
    made: Method = tracking.counted(method)  # type: ignore[assignment]
    setattr(made, SAFE_MARK, True)
    note_mark()
    return made


def require_thread_safe(method: Method) -> Method:
    """Makes a method raise RuntimeError unless its adapter declares thread safety."""

    @functools.wraps(method)
    def guarded(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        if declared_thread_safe(type(self)) is not True:
            raise RuntimeError(undeclared_warning(type(self)))
        return method(self, *args, **kwargs)

    made: Method = guarded  # type: ignore[assignment]
    return made


def validate_thread_safety(adapter: object) -> bool:
    """Whether an adapter (instance or class) declares that it is thread-safe.

    Issues a RuntimeWarning if it declares nothing.
    """
    adapter_class = adapter if isinstance(adapter, type) else type(adapter)
    declared = declared_thread_safe(adapter_class)
    if declared is None:
        notices.warn(undeclared_warning(adapter_class), stacklevel=2)
    return declared is True
