# SPDX-License-Identifier: MIT
"""How the kinds of functions that an adapter may have are called.

An executor calls plain functions and nothing else. `WAYS` is the one table that says
what becomes of each kind; whoever hands a function to the runtime asks `plain` for it.
"""

from __future__ import annotations

import enum
import functools
import inspect
from typing import Any, Callable

from . import event_loop
from .errors import AdapterError

Function = Callable[..., Any]


class Kind(enum.Enum):
    """What a call of a function gives: a value, or something that must be run."""

    PLAIN = "plain"
    COROUTINE = "async"
    GENERATOR = "a generator"
    ASYNC_GENERATOR = "an async generator"

    @property
    def streams(self) -> bool:
        """Whether a call gives many values."""
        return self in (Kind.GENERATOR, Kind.ASYNC_GENERATOR)


def kind_of(function: Function) -> Kind:
    """The kind of a function, a method or a partial, looked at below its decorators."""
    inner: Any = function
    while True:
        below = inspect.unwrap(inner)
        if isinstance(below, functools.partial):
            below = below.func
        if below is inner:
            break
        inner = below
    if inspect.iscoroutinefunction(inner):
        return Kind.COROUTINE
    if inspect.isasyncgenfunction(inner):
        return Kind.ASYNC_GENERATOR
    if inspect.isgeneratorfunction(inner):
        return Kind.GENERATOR
    return Kind.PLAIN


def plain(function: Function) -> Function:
    """`function` as something that an executor can call.

    A plain function is returned as it is, so it costs nothing. What calls return that
    stream, an iterator, is driven by the executor.
    """
    return WAYS[kind_of(function)](function)


def check_gives_one_value(what: str, function: Function) -> None:
    """Raises AdapterError, which names the function as `what`, for one that streams."""
    kind = kind_of(function)
    if kind.streams:
        raise AdapterError(f"{what} is {kind.value}; only tools can stream")


def finished(result: Any) -> Any:
    """`result`, or what it comes to if it is a coroutine.

    For calls through methods of ours whose kind depends on what they call in turn.
    """
    return event_loop.run(result) if inspect.iscoroutine(result) else result


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
