# SPDX-License-Identifier: MIT
"""What authors of Snakepit adapters import.

An adapter is a class whose ``@tool`` methods a host calls by name::

    from snakepit_bridge import BaseAdapter, tool

    class Greeter(BaseAdapter):
        @tool
        def greet(self, name: str = "you") -> str:
            return f"Hello, {name}."

One instance serves a whole worker process. In the thread profile its tools run on
several threads at once; `ThreadSafeAdapter` has what such an adapter needs.

The package imports without the runtime extension too: an adapter can be tested alone.
"""

from __future__ import annotations

from . import late
from .arrays import empty
from .base_adapter import BaseAdapter, ToolMetadata, tool
from .base_adapter_threaded import ThreadSafeAdapter, thread_safe_method
from .runtime import Cancelled, Tensor, current_call
from .session import SessionContext
from .stream import StreamChunk
from .version import __version__

if late.TYPE_CHECKING:
    from . import telemetry

__all__ = [
    "BaseAdapter",
    "Cancelled",
    "SessionContext",
    "StreamChunk",
    "Tensor",
    "ThreadSafeAdapter",
    "ToolMetadata",
    "__version__",
    "current_call",
    "empty",
    "telemetry",
    "thread_safe_method",
    "tool",
]


def __getattr__(name: str) -> object:
    """What many workers do without: `telemetry`, and `standalone`, for tests."""
    if name in ("standalone", "telemetry"):
        return late.imported(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
