# SPDX-License-Identifier: MIT
"""What a tool may know about the session that its call belongs to."""

from __future__ import annotations

from . import late, runtime
from .late import TYPE_CHECKING
from .session_values import SessionValues

if TYPE_CHECKING:
    from dataclasses import dataclass
    from typing import Any

    from . import host, standalone
else:
    from .records import dataclass

    host = late.Module("snakepit_bridge.host")
    standalone = late.Module("snakepit_bridge.standalone")


@dataclass(frozen=True)
class SessionContext(SessionValues):
    """The session of one call, with its values.

    `session_id` is empty if the caller named none.
    """

    session_id: str = ""

    def call_host_tool(self, tool_name: str, /, **arguments: Any) -> Any:
        """Calls a tool that the program around Snakepit has registered, and returns its
        result.

        Arguments and result are what tools may take and return, arrays too. The host's
        tool runs while this call waits, and no longer than the call's own time. Raises
        UnknownHostTool, HostError with the host's `code` for a tool that failed,
        DeadlineExceeded, Cancelled, and RuntimeError where no call runs, or one of
        another session, and on the event loop, which `call_host_tool_async` does not
        block.
        """
        return self._ask_host("call_host_tool", tool_name, arguments)

    async def call_host_tool_async(self, tool_name: str, /, **arguments: Any) -> Any:
        """`call_host_tool` for coroutines. Of several at once each waits its turn."""
        what = "session_context.call_host_tool_async"
        if self.session_id and not runtime.is_standalone():
            self._check_call(what)
        return await host.ask_async(what, tool_name, arguments)

    def call_elixir_tool(self, tool_name: str, /, **arguments: Any) -> Any:
        """`call_host_tool` under its old name."""
        return self.call_host_tool(tool_name, **arguments)

    @property
    def host_tools(self) -> dict[str, str]:
        """What `call_host_tool` can call in this session: name to description."""
        tools: dict[str, str] = self._ask_host("host_tools", host.LIST, {})
        return tools

    @property
    def elixir_tools(self) -> dict[str, str]:
        """`host_tools` under its old name."""
        return self.host_tools

    def _ask_host(self, operation: str, name: str, arguments: dict[str, Any]) -> Any:
        what = f"session_context.{operation}"
        if self.session_id and not runtime.is_standalone():
            self._check_call(what)
        return host.ask(what, name, arguments)


def current_session() -> SessionContext:
    """The session of the call that this code runs for, as `current_call` knows it."""
    if runtime.is_standalone():
        return SessionContext(standalone.named_session() or "")
    call = runtime.current_call()
    return SessionContext(call.session_id if call is not None else "")
