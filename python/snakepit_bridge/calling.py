# SPDX-License-Identifier: MIT
"""How the kinds of functions that an adapter may have are called.

An executor calls plain functions and nothing else. `WAYS` is the one table that says
what becomes of each kind; whoever hands a function to the runtime asks `plain` for it.
What counts is the function that is called: a decorator may have changed the kind of the
one below it. A plain function may return a coroutine all the same, made by the one that
it decorates; executors hand that to `finished`.
"""

from __future__ import annotations

from types import CoroutineType, FunctionType, MethodType

from . import late
from .errors import AdapterError
from .late import TYPE_CHECKING

if TYPE_CHECKING:
    import functools
    import inspect
    from collections.abc import Awaitable
    from typing import Any, Callable

    from . import event_loop

    Function = Callable[..., Any]
else:
    event_loop = late.Module("snakepit_bridge.event_loop")
    functools = late.Module("functools")
    inspect = late.Module("inspect")

# Of a function's code, as `inspect` names them.
CO_GENERATOR = 0x20
CO_COROUTINE = 0x80
CO_ASYNC_GENERATOR = 0x200


class Kind:
    """What a call of a function gives: a value, or something that must be run."""

    PLAIN: Kind
    COROUTINE: Kind
    GENERATOR: Kind
    ASYNC_GENERATOR: Kind

    def __init__(self, value: str, streams: bool) -> None:
        """`streams`: a call gives many values."""
        self.value = value
        self.streams = streams


Kind.PLAIN = Kind("plain", streams=False)
Kind.COROUTINE = Kind("async", streams=False)
Kind.GENERATOR = Kind("a generator", streams=True)
Kind.ASYNC_GENERATOR = Kind("an async generator", streams=True)


def kind_of(function: Function) -> Kind:
    """The kind of a function, a method or a partial, as a call of it will find it."""
    called: Any = function
    while not isinstance(called, FunctionType):
        if isinstance(called, MethodType):
            called = called.__func__
        elif isinstance(called, functools.partial):
            called = called.func
        else:
            return Kind.PLAIN  # what it gives tells
    flags = called.__code__.co_flags
    if flags & CO_COROUTINE or _is_marked_coroutine(called):
        return Kind.COROUTINE
    if flags & CO_ASYNC_GENERATOR:
        return Kind.ASYNC_GENERATOR
    return Kind.GENERATOR if flags & CO_GENERATOR else Kind.PLAIN


def _is_marked_coroutine(function: Function) -> bool:
    """Whether `inspect.markcoroutinefunction` says so, which leaves an attribute."""
    has_mark = "_is_coroutine_marker" in vars(function)
    return has_mark and inspect.iscoroutinefunction(function)


def seems_to_stream(function: Function) -> bool:
    """Whether a function streams, as far as can be seen without a call of it.

    A plain one around a generator most often returns what that returns.
    """
    kind = kind_of(function)
    return (_kind_below(function) if kind is Kind.PLAIN else kind).streams


def seems_to_await(function: Function) -> bool:
    """Whether a function runs on the event loop, as far as can be seen likewise."""
    return _kind_below(function) in (Kind.COROUTINE, Kind.ASYNC_GENERATOR)


def _kind_below(function: Function) -> Kind:
    try:
        wraps = hasattr(function, "__wrapped__")
        return kind_of(inspect.unwrap(function) if wraps else function)
    except ValueError:  # it wraps itself
        return kind_of(function)


def plain(function: Function) -> Function:
    """`function` as something that an executor can call.

    A plain function is returned as it is, so it costs nothing. What calls return that
    streams, or can be awaited, is driven by the executor.
    """
    return way_of(function)(function)


def way_of(function: Function) -> Callable[[Function], Function]:
    """What makes a function of that kind one that an executor can call."""
    return WAYS[kind_of(function)]


def is_as_it_is(way: Callable[[Function], Function]) -> bool:
    """Whether a way is to change nothing."""
    return way is _as_it_is


def check_gives_one_value(what: str, function: Function) -> None:
    """Raises AdapterError, which names the function as `what`, for one that streams."""
    kind = kind_of(function)
    if kind.streams:
        raise AdapterError(f"{what} is {kind.value}; only tools can stream")


def finished(result: Any, shielded: bool = False) -> Any:
    """`result`, or what it comes to if it can be awaited.

    A `shielded` one is not cancelled with the call. For calls of functions whose kind
    tells too little: they may return what another one returned.
    """
    if isinstance(result, CoroutineType):
        return event_loop.run(result, shielded)
    if awaits(result):
        return event_loop.run(_awaited(result), shielded)
    return result


def awaits(result: object) -> bool:
    """Whether something can be awaited."""
    return hasattr(type(result), "__await__")


async def _awaited(result: Awaitable[Any]) -> Any:
    return await result


def _as_it_is(function: Function) -> Function:
    return function


def _on_the_loop(function: Function) -> Function:
    run = event_loop.run

    @functools.wraps(function)
    def awaited(*args: Any, **kwargs: Any) -> Any:
        return run(function(*args, **kwargs))

    return awaited


WAYS: dict[Kind, Callable[[Function], Function]] = {
    Kind.PLAIN: _as_it_is,
    Kind.COROUTINE: _on_the_loop,
    Kind.GENERATOR: _as_it_is,
    Kind.ASYNC_GENERATOR: _as_it_is,  # see streaming.driven
}
