# SPDX-License-Identifier: MIT
"""What stands for the runtime outside of a worker, so that an adapter can be tested
alone.
"""

from __future__ import annotations

import contextlib
import math
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Callable

if TYPE_CHECKING:
    from .standalone_calls import Call

# NumPy's names of the element types that cross to a host, and how `struct` spells them.
FORMATS = {
    "bool": "?",
    "int8": "b",
    "int16": "h",
    "int32": "i",
    "int64": "q",
    "uint8": "B",
    "uint16": "H",
    "uint32": "I",
    "uint64": "Q",
    "float32": "f",
    "float64": "d",
}
NUMPY_ONLY = ("float16", "complex64", "complex128", "bfloat16")

# What Python's own types mean, and NumPy's short names: a letter and the bytes.
_ALIASES = {
    "float": "float64",
    "int": "int64",
    "complex": "complex128",
    "?": "bool",
    "b1": "bool",
    "f2": "float16",
    "f4": "float32",
    "f8": "float64",
    "c8": "complex64",
    "c16": "complex128",
    **{
        f"{kind[0]}{size}": f"{kind}{8 * size}"
        for kind in ("int", "uint")
        for size in (1, 2, 4, 8)
    },
}


class Cancelled(BaseException):
    """The host no longer wants the running call's answer.

    Derives from `BaseException`, so that a tool's ``except Exception`` lets it pass.
    """


class UnknownTool(LookupError):
    """No tool has the name that was called."""


class Tensor:
    """An array in a worker's shared memory. There are none outside of a worker."""

    def __init__(self) -> None:
        """Raises TypeError: only a worker's runtime makes tensors."""
        raise TypeError("only a worker's runtime makes tensors; use empty()")


# What stands for the host's tools in the test of an adapter: name to function.
host_tools: dict[str, Callable[..., Any]] = {}


def ask(what: str, name: str, arguments: dict[str, Any]) -> Any:
    """What the function in `host_tools` returns; RuntimeError if there is none."""
    if name == "snakepit.tools":
        return {tool: function.__doc__ or "" for tool, function in host_tools.items()}
    if name not in host_tools:
        raise RuntimeError(
            f"{what}: there is no host outside of a worker; a test puts a function for "
            f'"{name}" into snakepit_bridge.standalone.host_tools'
        )
    return host_tools[name](**arguments)


lock = threading.Lock()  # guards `sessions` and what is in it

# The values of sessions, by session, then by key, each with the time when it expires.
# Those of tests that name no session stand under the empty name.
sessions: dict[str, dict[str, tuple[Any, float]]] = {}

# What tells the time for them, in seconds; a test may put another in its place.
clock: Callable[[], float] = time.monotonic

_session: ContextVar[str | None] = ContextVar("snakepit_session", default=None)
_blocks: Counter[str] = Counter()  # of `session` that are open; guarded by lock


@contextlib.contextmanager
def session(session_id: str = "test") -> Iterator[None]:
    """Makes what runs in its ``with`` block, on this thread, belong to a session.

    The empty name stands for a call that belongs to none. The session's values go with
    the last of its blocks.
    """
    token = _session.set(session_id)
    with lock:
        _blocks[session_id] += 1
    try:
        yield
    finally:
        with lock:
            _blocks[session_id] -= 1
            if not _blocks[session_id]:
                sessions.pop(session_id, None)
        _session.reset(token)


def call(
    tool: str = "", session_id: str | None = None, timeout: float | None = None
) -> contextlib.AbstractContextManager[Call]:
    """Makes what runs in its ``with`` block a call, which `current_call` gives.

    `timeout` in seconds; `session_id` as for `session`. ``call.cancel()`` has the tool
    find that nobody wants its answer any more; it is not interrupted.
    """
    from . import standalone_calls  # which needs the runtime, that needs this module

    return standalone_calls.call(tool, session_id, timeout)


def named_session() -> str | None:
    """The session that a test has named for this code; None if it has named none."""
    return _session.get()


def empty(shape: int | Sequence[int], dtype: str = "float32") -> Any:
    """A writable array in ordinary memory: NumPy's if there is NumPy, else a
    memoryview.

    Raises ValueError for an unknown dtype or a negative extent.
    """
    extents = (shape,) if isinstance(shape, int) else tuple(shape)
    dtype = str(getattr(dtype, "name", None) or getattr(dtype, "__name__", dtype))
    short = dtype[1:] if dtype[:1] in ("<", "=", "|") else dtype
    dtype = _ALIASES.get(short, dtype)
    if dtype not in FORMATS and dtype not in NUMPY_ONLY:
        known = ", ".join(_known())
        raise ValueError(
            f"a tensor cannot have the dtype {dtype!r}; it can have {known}, or the "
            "short name of one, such as 'f4'"
        )
    if any(extent < 0 for extent in extents):
        raise ValueError(f"a shape has no negative extents: {extents}")
    try:
        import numpy
    except ImportError:
        return _plain(extents, dtype)
    return numpy.empty(extents, _bfloat16() if dtype == "bfloat16" else dtype)


def _bfloat16() -> Any:
    try:
        import ml_dtypes
    except ImportError:
        raise ValueError(
            "dtype 'bfloat16' needs ml_dtypes outside of a worker"
        ) from None
    return ml_dtypes.bfloat16


def _known() -> list[str]:
    return [*FORMATS, *NUMPY_ONLY]


def _plain(extents: tuple[int, ...], dtype: str) -> Any:
    if dtype not in FORMATS:
        raise ValueError(f"dtype {dtype!r} needs NumPy outside of a worker")
    code: Any = FORMATS[dtype]
    flat = memoryview(bytearray(struct.calcsize(code) * math.prod(extents)))
    if 0 in extents:
        # A memoryview cannot be cast to a shape without elements.
        return flat.cast(code)
    return flat.cast(code, extents)
