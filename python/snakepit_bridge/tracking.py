# SPDX-License-Identifier: MIT
"""Counts requests by thread without a lock on the way of a request.

Each thread counts in a tally of its own, which no other thread writes; a report adds
them up. A lock is taken only where the set of tallies changes: when a thread counts for
the first time, and in a report.

Where threads run at once the extension counts the calls of plain functions
(native/counting.c); with a GIL, and without the extension, functions made here do.

What a plain function calls runs on its thread's stack, so its tally knows that the
thread is inside of a request. Coroutines and generators stand still in between, and
others run on their thread meanwhile: each is a `Request`, which a context variable
names to what it calls.
"""

from __future__ import annotations

import functools
import threading
import types
import weakref
from contextlib import contextmanager
from contextvars import ContextVar

from . import calling
from .late import TYPE_CHECKING
from .runtime import native

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Callable

    from ._runtime import Counts

    Method = Callable[..., Any]
    Begin = Callable[[Any], "Request | Part"]
elif hasattr(native, "Counts"):
    from ._runtime import Counts
else:

    class Counts:
        """What a tally counts."""

        __slots__ = ("inside", "total")

        def __init__(self) -> None:
            """Nothing so far."""
            self.total = 0
            self.inside = False


FINISHED_MAX = 256  # names of finished threads that are kept apart
OTHERS = "(other finished threads)"


class Tally(Counts):
    """One thread's counts. Owner: that thread; others read them as hints.

    `total` is the requests begun, `inside` whether the thread is in a plain function
    that is a request.
    """

    __slots__ = ("name", "thread")

    def __init__(self) -> None:
        """Counts for the calling thread."""
        super().__init__()
        thread = threading.current_thread()
        self.name = thread.name
        self.thread = weakref.ref(thread)

    def is_finished(self) -> bool:
        """Whether the thread has ended, so that nobody writes this tally any more."""
        thread = self.thread()
        return thread is None or not thread.is_alive()


class Request:
    """One request that need not run on one thread's stack. Begun by `RequestTracker`.

    As a ``with`` block: it runs, and what the block calls is a part of it. Several
    blocks may follow each other until `end`.
    """

    __slots__ = ("is_open", "outer", "token", "tracker")

    def __init__(self, tracker: RequestTracker, is_active: bool = True) -> None:
        """Under way, perhaps in a request of another tracker. One that is a part of a
        plain function's is not active besides.
        """
        self.tracker = tracker
        self.outer = _still_open(RUNNING.get())
        self.is_open = True
        self.token: Any = None
        if is_active:
            tracker._open_requests.add(id(self))

    def __enter__(self) -> None:
        """Names itself to what is called."""
        self.token = RUNNING.set(self)

    def __exit__(self, *_: object) -> None:
        """Not any more."""
        token, self.token = self.token, None
        try:
            RUNNING.reset(token)
        except ValueError:
            pass  # closed by somebody else than the one who ran it: in his context

    def end(self) -> None:
        """It is over. Twice is harmless."""
        self.is_open = False
        self.tracker._open_requests.discard(id(self))

    def __del__(self) -> None:
        """What was to end it never began."""
        self.end()


class Part:
    """What stands for a request where it is a part of another one, or nobody counts."""

    def __enter__(self) -> None:
        """Nothing changes."""

    def __exit__(self, *_: object) -> None:
        """Nothing changes."""

    def end(self) -> None:
        """Nothing ends."""


PART = Part()

# The innermost request, but for plain functions, that this code is a part of.
RUNNING: ContextVar[Request | None] = ContextVar("snakepit_request", default=None)


class RequestTracker:
    """Requests of one adapter, by thread. A request inside a request counts once."""

    def __init__(self) -> None:
        """No requests so far."""
        self._lock = threading.RLock()  # guards the three below
        self._tallies: list[Tally] = []
        self._finished: dict[str, int] = {}
        self._sweep_at = 64
        self._mine = _PerThread(self)
        # Numbers of Request objects. Single operations of a set are atomic.
        self._open_requests: set[int] = set()
        if hasattr(native, "count_anew"):
            native.count_anew()  # its adapter may have had another one before

    @property
    def tally(self) -> Tally:
        """The calling thread's tally."""
        return self._mine.tally

    @contextmanager
    def track_request(self) -> Iterator[None]:
        """Counts the block as one request of the calling thread; in coroutines too."""
        request = self.begin()
        try:
            with request:
                yield
        finally:
            request.end()

    def begin(self) -> Request | Part:
        """A new request, counted, that lasts until its `end`. Inside of one: PART, or
        where that is a plain function, whose stack other threads do not see, a request
        that is not counted.
        """
        tally = self._mine.tally
        if self.is_inside():
            return PART
        tally.total += not tally.inside
        return Request(self, is_active=not tally.inside)

    def is_inside(self) -> bool:
        """Whether this code is a part of a request that is not a plain function."""
        request = RUNNING.get()
        while request is not None:
            if request.tracker is self and request.is_open:
                return True
            request = request.outer
        return False

    def lasting(self, result: Any) -> Any:
        """What a plain function that was counted returned, one of LASTING: the request
        goes on until that ends.
        """
        return LASTING[type(result)](Request(self), result)

    def get_stats(self) -> dict[str, Any]:
        """A new dict of the counts.

        `total_requests`; `active_requests`, those under way;
        `thread_utilization`, the number of requests by the name of the thread that
        began them.
        """
        with self._lock:
            self._sweep()
            utilization = dict(self._finished)
            for tally in filter(_has_counted, self._tallies):
                utilization[tally.name] = utilization.get(tally.name, 0) + tally.total
            active = sum(1 for tally in self._tallies if tally.inside)
            active += len(self._open_requests)
        return {
            "total_requests": sum(utilization.values()),
            "active_requests": active,
            "thread_utilization": utilization,
        }

    def _open(self) -> Tally:
        tally = Tally()
        with self._lock:
            if len(self._tallies) >= self._sweep_at:
                self._sweep()
                self._sweep_at = 2 * len(self._tallies) + 64
            self._tallies.append(tally)
        return tally

    def _sweep(self) -> None:
        """Merges the tallies of finished threads by name, so that memory stays flat."""
        living: list[Tally] = []
        finished: list[Tally] = []
        for tally in self._tallies:
            (finished if tally.is_finished() else living).append(tally)
        self._tallies = living
        for tally in filter(_has_counted, finished):
            known = tally.name in self._finished or len(self._finished) < FINISHED_MAX
            name = tally.name if known else OTHERS
            self._finished[name] = self._finished.get(name, 0) + tally.total


def _still_open(request: Request | None) -> Request | None:
    while request is not None and not request.is_open:
        request = request.outer
    return request


def _has_counted(tally: Tally) -> bool:
    return tally.total > 0


class _PerThread(threading.local):
    """`threading.local` runs `__init__` anew in each thread that touches it."""

    def __init__(self, tracker: RequestTracker) -> None:
        self.tally = tracker._open()


# ---- Methods -------------------------------------------------------------------------


def counted(method: Method) -> Method:
    """`method` with its calls counted, where its object is a `ThreadSafeAdapter`.

    What is async, or a generator, is so still, and active from its first step until it
    has ended; so is what a plain method returns of these.
    """
    return _MAKERS[calling.kind_of(method)](method, _begin)


def _begin(adapter: Any) -> Request | Part:
    try:
        # The class is asked first: an instance may answer for any name.
        _ = type(adapter)._snakepit_counts
    except AttributeError:  # not a ThreadSafeAdapter: nobody counts
        return PART
    tracker: RequestTracker = adapter._snakepit_tracker
    return tracker.begin()


def _counted_plain(method: Method, begin: Begin) -> Method:
    if hasattr(native, "count_calls") and type(method) is types.FunctionType:
        return _count_natively(method)
    lasting = frozenset(LASTING)

    @functools.wraps(method)
    def tracked(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        try:
            # The class is asked first: an instance may answer for any name.
            _ = type(self)._snakepit_counts
            tracker = self._snakepit_tracker
            tally = tracker._mine.tally
        except AttributeError:  # not a ThreadSafeAdapter: nobody counts
            return method(self, *args, **kwargs)
        # RequestTracker.begin, written out: it is on the way of every call.
        if tally.inside or (RUNNING.get() is not None and tracker.is_inside()):
            return method(self, *args, **kwargs)
        tally.total += 1
        tally.inside = True
        try:
            result = method(self, *args, **kwargs)
        finally:
            tally.inside = False
        return tracker.lasting(result) if type(result) in lasting else result

    return tracked


def _count_natively(method: types.FunctionType) -> Method:
    counted: Method = native.count_calls(_copied(method))
    return counted


def _copied(method: types.FunctionType) -> types.FunctionType:
    """The same function once more: the undecorated one is not counted."""
    copy = types.FunctionType(
        method.__code__,
        method.__globals__,
        method.__name__,
        method.__defaults__,
        method.__closure__,
    )
    copy.__kwdefaults__ = method.__kwdefaults__
    functools.update_wrapper(copy, method)
    vars(copy).clear()  # it wraps nothing
    vars(copy).update(vars(method))
    return copy


def _counted_coroutine(method: Method, begin: Begin) -> Method:
    @functools.wraps(method)
    async def tracked(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        request = begin(self)
        try:
            with request:
                return await method(self, *args, **kwargs)
        finally:
            request.end()

    return tracked


def _counted_generator(method: Method, begin: Begin) -> Method:
    enter, leave = RUNNING.set, RUNNING.reset  # a Request's block, for each item

    @functools.wraps(method)
    def tracked(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        request = begin(self)
        source = method(self, *args, **kwargs)
        if isinstance(request, Part):
            return (yield from source)
        value: Any = None
        error: BaseException | None = None
        try:
            while True:
                # Whoever takes the item is not a part of the request.
                token = enter(request)
                try:
                    item = source.send(value) if error is None else source.throw(error)
                finally:
                    leave(token)
                    error = None
                try:
                    value = yield item
                except GeneratorExit:
                    raise
                except BaseException as caught:
                    value, error = None, caught
        except StopIteration as stop:
            return stop.value
        finally:
            try:
                with request:
                    source.close()
            finally:
                request.end()

    return tracked


def _counted_async_generator(method: Method, begin: Begin) -> Method:
    @functools.wraps(method)
    async def tracked(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        request = begin(self)
        source = method(self, *args, **kwargs)
        value: Any = None
        error: BaseException | None = None
        try:
            while True:
                step = source.asend(value) if error is None else source.athrow(error)
                error = None
                with request:
                    item = await step
                del step
                try:
                    value = yield item
                except GeneratorExit:
                    raise
                except BaseException as caught:
                    value, error = None, caught
        except StopAsyncIteration:
            return
        finally:
            try:
                with request:
                    await source.aclose()
            finally:
                request.end()

    return tracked


_MAKERS: dict[calling.Kind, Callable[[Method, Begin], Method]] = {
    calling.Kind.PLAIN: _counted_plain,
    calling.Kind.COROUTINE: _counted_coroutine,
    calling.Kind.GENERATOR: _counted_generator,
    calling.Kind.ASYNC_GENERATOR: _counted_async_generator,
}


# What a plain method was given by another one, as the rest of its own request.


def _given(request: Request) -> Request:
    return request


def _made(request: Request, made: Any) -> Any:
    return made


LASTING: dict[type, Callable[[Request, Any], Any]] = {
    types.CoroutineType: _counted_coroutine(_made, _given),
    types.GeneratorType: _counted_generator(_made, _given),
    types.AsyncGeneratorType: _counted_async_generator(_made, _given),
}


# What the extension asks for, where it counts.


def _tally_of(adapter: Any) -> Tally | None:
    # The class is asked first: an instance may answer for any name.
    if not getattr(type(adapter), "_snakepit_counts", False):
        return None  # not a ThreadSafeAdapter: nobody counts
    try:
        tally: Tally = adapter._snakepit_tracker.tally
    except AttributeError:  # its class says no: nobody counts
        return None
    return tally


def _is_inside(adapter: Any) -> bool:
    tracker: RequestTracker = adapter._snakepit_tracker
    return tracker.is_inside()


def _lasting(adapter: Any, result: Any) -> Any:
    tracker: RequestTracker = adapter._snakepit_tracker
    return tracker.lasting(result)


if hasattr(native, "count_by"):
    native.count_by(_tally_of, _is_inside, _lasting, RUNNING)
