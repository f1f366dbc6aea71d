# SPDX-License-Identifier: MIT
"""Tools of the host, written in Python and registered through the public API."""

from __future__ import annotations

import ctypes
import dataclasses
import threading
from ctypes import byref
from typing import Any, Callable

from . import library as raw
from .answers import Refused, Writer, read_value
from .library import ERRORS, err_name, lib
from .pit import Pit

NUMBERS = {name: number for number, name in ERRORS.items()}
OTHER_ERROR = NUMBERS["TOOL_FAILED"]


class HostFault(Exception):
    """What a host's tool says: the name of an error, and why."""

    def __init__(self, err: str, why: str = "") -> None:
        super().__init__(f"{err}: {why}")
        self.number = NUMBERS[err]
        self.why = why


@dataclasses.dataclass(frozen=True)
class ToolInfo:
    """A copy of a snakepit_tool_info."""

    name: str
    session: str
    pool: str
    call: int
    worker: int
    remaining_ms: int
    traceparent: str
    tracestate: str


class ResultWriter(Writer):
    """The library's own writer, for what a tool returns."""

    def __init__(self, handle: int) -> None:
        self.handle = handle
        self.kept = []


# Arrays that a result refers to must live until the library has copied them.
_returned = threading.local()


def _function(function: Callable[..., Any]) -> Any:
    """A snakepit_tool_fn that calls `function(info, **arguments)`."""

    def call(_user: Any, info: Any, arguments: Any, result: Any, why: Any) -> int:
        told = info.contents
        made = ToolInfo(
            told.name.decode(),
            told.session_id.decode(),
            told.pool.decode(),
            told.call,
            told.worker,
            told.remaining_ms,
            told.traceparent.decode(),
            told.tracestate.decode(),
        )
        try:
            at = raw.Reader.from_buffer_copy(arguments.contents)
            value = function(made, **read_value(at))
            writer = ResultWriter(result)
            if value is not ...:
                writer.put(value)
            _returned.kept = writer.kept
        except HostFault as error:
            why.contents.text = error.why.encode()
            return error.number
        except BaseException as error:
            why.contents.text = repr(error).encode()[:1000]
            return OTHER_ERROR
        return 0

    return raw.ToolFunction(call)


def register(
    pit: Pit,
    name: str,
    function: Callable[..., Any],
    session: str | None = None,
    description: str | None = None,
) -> None:
    """Has Python call `function(info, **arguments)`; raises Refused.

    What it raises as HostFault is the tool's error, anything else TOOL_FAILED. It
    returns `...` to write nothing.
    """
    options = raw.ToolOptions(
        size=ctypes.sizeof(raw.ToolOptions),
        session_id=session.encode() if session is not None else None,
        description=description.encode() if description is not None else None,
    )
    callback = _function(function)
    err = lib.tool_register(pit.handle, name.encode(), callback, None, byref(options))
    if err:
        raise Refused(err)
    pit.submitted.append(callback)
    pit.host_tools.append((name, session))


def unregister(pit: Pit, name: str, session: str | None = None) -> str:
    """OK, or why not."""
    encoded = session.encode() if session is not None else None
    return err_name(lib.tool_unregister(pit.handle, name.encode(), encoded))


def unregister_all(pit: Pit) -> None:
    """The next test that shares the pit meets none of this one's tools."""
    for name, session in pit.host_tools:
        unregister(pit, name, session)
    pit.host_tools.clear()
