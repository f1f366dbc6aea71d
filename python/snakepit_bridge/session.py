# SPDX-License-Identifier: MIT
"""What a tool may know about the session that its call belongs to."""

from __future__ import annotations

from dataclasses import dataclass

from . import runtime
from .session_values import SessionValues


@dataclass(frozen=True)
class SessionContext(SessionValues):
    """The session of one call, with its values.

    `session_id` is empty if the caller named none.
    """

    session_id: str = ""


def current_session() -> SessionContext:
    """The session of the call that this code runs for, as `current_call` knows it."""
    call = runtime.current_call()
    return SessionContext(call.session_id if call is not None else "")
