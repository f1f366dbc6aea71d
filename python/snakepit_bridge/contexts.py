# SPDX-License-Identifier: MIT
"""The context variables that calls begin with: what the adapter's start has set.

Each call runs in a context of its own, a copy of that of the start, so that what one
call sets no other one sees. The one thing to know: a copy has the same values, so a
value that can be changed in place would be shared after all. Python itself has one
such, the context of `decimal`.
"""

from __future__ import annotations

import contextvars
import sys

from . import calling, runtime
from .late import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from typing import Any, Callable

_ABSENT = object()
_DECIMAL = "decimal_context"  # the name of decimal's variable, which is not public


def of_calls() -> tuple[contextvars.Context, Callable[[], object] | None]:
    """What each call gets a copy of, and what is then called in the copy, or None.

    To be asked on the thread that has started the adapter.
    """
    context = contextvars.copy_context()
    return context, _decimal_renewal(context)


def _decimal_renewal(context: contextvars.Context) -> Callable[[], object] | None:
    """Sets a new decimal context, as the start has left it; None: it has made none.

    A call that finds none makes one for itself.
    """
    decimal = sys.modules.get("decimal")
    if decimal is None or not any(variable.name == _DECIMAL for variable in context):
        return None
    started = decimal.getcontext().copy()
    return lambda: decimal.setcontext(started.copy())


def finished(result: Any) -> Any:
    """As `calling.finished`; what a coroutine sets is set for the caller too.

    A coroutine runs in a context of its own, and that of an `initialize` would be lost.
    """
    if not calling.awaits(result):
        return result
    left: list[contextvars.Context] = []
    try:
        return calling.finished(_noting(result, left))
    finally:
        for context in left:
            _adopt(context)


async def _noting(awaitable: Awaitable[Any], left: list[contextvars.Context]) -> Any:
    try:
        return await awaitable
    finally:
        left.append(contextvars.copy_context())


def _adopt(context: contextvars.Context) -> None:
    for variable, value in context.items():
        # The call of a coroutine is nobody else's.
        if variable is not runtime.CALL and variable.get(_ABSENT) is not value:
            variable.set(value)
