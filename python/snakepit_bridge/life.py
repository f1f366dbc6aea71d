# SPDX-License-Identifier: MIT
"""The life of an adapter's instance: construct, `initialize`, serve, `cleanup`.

An instance whose constructor came to its end is cleaned up once, whatever happens.
"""

from __future__ import annotations

import sys

from . import (
    calling,
    contexts,
    faults,
    lookup,
    runtime,
    streaming,
)
from .late import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any, Callable, TypeVar

    Result = TypeVar("Result")


def construct(adapter_class: type) -> Any:
    """An instance of the class. What its constructor raises is raised as it is."""
    return adapter_class()


def initialize(adapter: Any) -> None:
    """Calls `initialize`, sync or async, if the adapter has it."""
    begin = lookup.bound(adapter, "initialize")
    if begin is not None:
        contexts.finished(begin())


def clean_up(adapter: Any) -> None:
    """Calls `cleanup`, sync or async, if the adapter has it; prints what it raises.

    Not interrupted by the running call's end.
    """
    try:
        end = lookup.bound(adapter, "cleanup")
        if end is not None:
            calling.finished(end(), shielded=True)
    except BaseException as error:
        text = faults.describe(error)[2]
        print(f"snakepit: cleanup of {type(adapter).__name__}: {text}", file=sys.stderr)


class StreamOfOneCall:
    """The iterator that a tool of an instance for one call returned.

    The instance lives until the stream is closed. Owner: the executor that drives it.
    """

    close_at_end = True  # the executor closes it also where nothing is left to come

    def __init__(self, adapter: Any, items: Any) -> None:
        """Takes the instance over. `items` is an iterator, asynchronous or not."""
        self.adapter = adapter
        self.items = (
            items if hasattr(type(items), "__next__") else streaming.driven(items)
        )

    def __iter__(self) -> StreamOfOneCall:
        """Itself."""
        return self

    def __next__(self) -> Any:
        """The next item of the tool."""
        return next(self.items)

    def close(self) -> None:
        """Closes the tool's iterator, then cleans the instance up; once."""
        adapter, self.adapter = self.adapter, None
        if adapter is None:
            return
        try:
            close = getattr(self.items, "close", None)
            if close is not None:
                close()
        finally:
            try:
                runtime.shield()
            finally:
                clean_up(adapter)

    def __del__(self) -> None:
        """Nobody drove it: an interruption came in between."""
        self.close()


def once(adapter_class: type, use: Callable[[Any], Result]) -> Result | StreamOfOneCall:
    """What `use` makes of an instance that lives for this call alone.

    The instance is cleaned up also where `initialize` or `use` raises or is cancelled;
    where `use` gives an iterator, once that is closed.
    """
    adapter = None
    streams = False
    try:
        adapter = construct(adapter_class)
        initialize(adapter)
        result = use(adapter)
        streams = streaming.is_stream(result)
        return StreamOfOneCall(adapter, result) if streams else result
    finally:
        if not streams:
            # An interruption that strikes before the shield is up is the only one
            # there is.
            try:
                runtime.shield()
            finally:
                clean_up(adapter)
