# SPDX-License-Identifier: MIT
"""`BaseAdapter`, the class that adapters derive from, and `tool`, which marks their
methods.
"""

from __future__ import annotations

from . import late, lookup
from .errors import UnknownTool
from .given import Given
from .late import TYPE_CHECKING
from .session import SessionContext, current_session
from .tools import ToolMetadata, ToolParameter, collect, tool, unmarked_hint

if TYPE_CHECKING:
    import difflib
    from collections.abc import Mapping
    from typing import Any

    from . import request as requests
else:
    difflib = late.Module("difflib")
    requests = late.Module("snakepit_bridge.request")

__all__ = ["BaseAdapter", "ToolMetadata", "ToolParameter", "tool"]


class BaseAdapter:
    """Base of adapters. A worker builds one instance, without arguments, and all calls
    share it; with ``__per_request__ = True`` in its body each call has its own.

    A subclass may define, each of them sync or async,

    - ``initialize(self)``, called once before the worker is ready;
    - ``cleanup(self)``, called once at the end, however the worker ends, if
      ``__init__`` came to its end;
    - ``execute_tool(self, tool_name, arguments, context)`` or, in older adapters,
      ``handle_request``, ``_handle_request_impl`` or ``_dispatch`` with one `Request`,
      which answer for names that are not tools;

    and, always sync, ``load_resource(cls, path, type)``, a class method that is called
    for each of the pool's `preload_resources` before the first instance is built.

    `config` is the pool's `adapter_config`, this adapter's own copy of it. `resources`
    is what `load_resource` returned, by the path as the configuration writes it;
    read-only. An adapter may assign something else to both.
    """

    if TYPE_CHECKING:
        config: dict[str, Any]
        resources: Mapping[str, Any]
    else:
        config = Given("config", is_of_class=True)
        resources = Given("resources", is_of_class=True)

    @property
    def session_context(self) -> SessionContext:
        """The session of the call that this code runs for; right in every executor and
        coroutine.
        """
        return current_session()

    @property
    def session_id(self) -> str:
        """The name of that session; empty if the call has none."""
        return current_session().session_id

    def get_tools(self) -> list[ToolMetadata]:
        """What can be called on this adapter, in alphabetical order."""
        return [found.metadata for found in collect(self).values()]

    def handle_request(self, request: Any) -> Any:
        """Answers a request: a `Request`, or a mapping with `command` and `args`.

        Hands it to ``_handle_request_impl`` or ``_dispatch`` if the adapter has one of
        them, else to the tool that the request names. Raises UnknownTool if there is
        none.
        """
        request = requests.Request.of(request)
        for name in ("_handle_request_impl", "_dispatch"):
            handler = lookup.bound(self, name)
            if handler is not None:
                return handler(request)
        return call_tool(self, request.command, request.args)


def call_tool(adapter: object, name: str, arguments: dict[str, Any]) -> Any:
    """Calls one of an adapter's tools by name. Raises UnknownTool if there is none."""
    tools = collect(adapter)
    if name not in tools:
        unmarked = unmarked_hint(type(adapter), name)
        nearest = _hint(name, list(tools), or_all=not unmarked)
        raise UnknownTool(
            f"{type(adapter).__name__} has no tool {name!r}{unmarked}{nearest}"
        )
    return tools[name].function(**arguments)


def _hint(name: str, known: list[str], or_all: bool) -> str:
    nearest = difflib.get_close_matches(name[:64], known, n=1, cutoff=0.7)
    if nearest:
        return f"; did you mean {nearest[0]!r}?"
    return f"; its tools: {', '.join(known) or 'none'}" if or_all else ""
