# SPDX-License-Identifier: MIT
"""The bridge's own exceptions."""

from __future__ import annotations

from .late import TYPE_CHECKING
from .runtime import UnknownTool

if TYPE_CHECKING:
    from typing import Any

__all__ = [
    "AdapterError",
    "DeadlineExceeded",
    "HostError",
    "HostLookupError",
    "HostMemoryError",
    "HostRecursionError",
    "HostTypeError",
    "HostValueError",
    "QuotaExceeded",
    "UnknownHostTool",
    "UnknownTool",
    "refusal",
]


class AdapterError(Exception):
    """An adapter cannot be served. The message tells its author why."""


class HostError(Exception):
    """The host could not, or would not, do what a tool asked of it.

    `tool` is the name that was asked for, `code` the name of the host's error
    (``"NOT_FOUND"``), `number` its number, as in ``snakepit/errors.h``. Left uncaught
    it ends the call as any exception does.
    """

    def __init__(
        self,
        message: str = "",
        tool: str = "",
        code: str = "TOOL_FAILED",
        number: int = 9,
    ) -> None:
        """`message` is one sentence, which names the tool."""
        super().__init__(message)
        self.tool = tool
        self.code = code
        self.number = number

    def __str__(self) -> str:
        """The message alone."""
        return str(self.args[0]) if self.args else ""


class UnknownHostTool(HostError, LookupError):
    """The host has no tool of that name. The message has the name that is like it."""


class HostLookupError(HostError, LookupError):
    """NOT_FOUND: the host's tool did not find what it was asked for."""


class HostValueError(HostError, ValueError):
    """INVALID_ARGUMENT or MALFORMED: the host's tool does not take these arguments."""


class HostTypeError(HostError, TypeError):
    """TYPE_MISMATCH or UNSERIALISABLE: it takes no argument of that kind."""


class HostMemoryError(HostError, MemoryError):
    """NO_MEMORY: the host's memory, or what it shares with the worker, is used up."""


class HostRecursionError(HostError, RecursionError):
    """Tools of the host, and the calls that these make, are nested too deep."""


class DeadlineExceeded(HostError, TimeoutError):
    """The call's time ran out before the host replied."""


class QuotaExceeded(HostError):
    """The session's values would take more than the host allows."""


BY_TYPE: dict[str, type[HostError]] = {
    "RecursionError": HostRecursionError,
    "UnknownHostTool": UnknownHostTool,
}

BY_CODE: dict[str, type[HostError]] = {
    "DEADLINE_EXCEEDED": DeadlineExceeded,
    "INVALID_ARGUMENT": HostValueError,
    "MALFORMED": HostValueError,
    "NOT_FOUND": HostLookupError,
    "NO_MEMORY": HostMemoryError,
    "QUOTA_EXCEEDED": QuotaExceeded,
    "TYPE_MISMATCH": HostTypeError,
    "UNSERIALISABLE": HostTypeError,
}

# As these a fault passes on to the caller of the tool: they say something about its
# call. With any other the tool has failed.
PASSED_ON = ("DEADLINE_EXCEEDED", "QUOTA_EXCEEDED")


def refusal(tool: str, fault: dict[str, Any]) -> HostError:
    """What to raise for a host's fault: a map of err, code, message and type."""
    code = str(fault.get("code", "TOOL_FAILED"))
    kind = str(fault.get("type", ""))
    message = str(fault.get("message", code))
    if kind not in BY_TYPE and not tool.startswith("snakepit."):
        message = f'host tool "{tool}": {code}: {message}'
    made = BY_TYPE.get(kind) or BY_CODE.get(code, HostError)
    return made(message, tool, code, int(fault.get("err", 9)))
