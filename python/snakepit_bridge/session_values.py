# SPDX-License-Identifier: MIT
"""The values of a session: kept by the host, seen by every worker that the session's
calls run in, and gone with the session.
"""

from __future__ import annotations

from . import late, runtime
from .late import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    from . import host, standalone, standalone_sessions
else:
    host = late.Module("snakepit_bridge.host")
    standalone = late.Module("snakepit_bridge.standalone")
    standalone_sessions = late.Module("snakepit_bridge.standalone_sessions")

_List = list  # inside of the class that name is a method

# What the encoder raises for a value, and what it says there.
_ENCODERS = (TypeError, ValueError, OverflowError)
_AT_VALUE = " at value"


class SessionValues:
    """What `SessionContext` has beside its name.

    Values are what tools may return, but for arrays: None, booleans, numbers, text,
    bytes, lists and maps of them. What comes back is a copy; put it again to change it.
    What could not be read again is refused, whatever the pool's `on_unserialisable`.
    One question to the host takes a few microseconds. In a coroutine these run in
    `asyncio.to_thread`, for they block.

    Every method raises LookupError if the call belongs to no session, RuntimeError
    outside of a call in a worker and in a call of another session, and what the host
    says otherwise. In a test, outside of a worker, the values are kept in the process;
    see `standalone.session`.
    """

    session_id: str

    def get(self, key: str, default: Any = None) -> Any:
        """The value under `key`, a text of 1 to 255 bytes, or `default`."""
        found = self._ask("get", {"key": key})
        return found[0] if found else default

    def put(self, key: str, value: Any, ttl: float | None = None) -> None:
        """Keeps a copy of `value` under `key`, instead of what is there.

        `ttl` is in seconds; without one the value lives as long as the session. Raises
        TypeError, ValueError or OverflowError, which name the place, for what cannot be
        kept: an object, a dict with tuples as keys, an integer beyond 64 bits; and
        QuotaExceeded if the session's values would take more than the host's
        ``session_quota``. Then the old value stays.
        """
        arguments = {"key": key, "value": value}
        if ttl is not None:
            arguments["ttl"] = ttl
        try:
            self._ask("put", arguments)
        except _ENCODERS as error:
            if type(error) not in _ENCODERS or _AT_VALUE not in str(error):
                raise  # the host's, or of the value's own code
            raise type(error)(
                f"session_context.put: session {self.session_id!r} cannot keep "
                f"{key!r}: {error}"
            ) from None

    def delete(self, key: str) -> bool:
        """Removes the value under `key`. Returns whether there was one."""
        return bool(self._ask("delete", {"key": key}))

    def list(self) -> _List[str]:
        """The keys that have values, those put longest ago first."""
        return _List(self._ask("list", {}))

    def _ask(self, operation: str, arguments: dict[str, Any]) -> Any:
        if runtime.is_standalone():
            return self._ask_standalone(operation, arguments)
        what = f"session_context.{operation}"
        self._check_session(operation)
        self._check_call(what)
        return host.ask(what, f"snakepit.session.{operation}", arguments)

    def _check_call(self, what: str) -> None:
        """Questions go to the session of the call that runs. A context that was kept
        must not show another session's values as its own.
        """
        call = runtime.current_call()
        if call is None:
            raise RuntimeError(host.NO_CALL.format(what=what))
        if call.session_id != self.session_id:
            raise RuntimeError(
                f"{what}: this context is of session {self.session_id!r}, and the call "
                f"that runs here of {call.session_id!r}; take current_session() in "
                "each call instead of keeping a context"
            )

    def _ask_standalone(self, operation: str, arguments: dict[str, Any]) -> Any:
        # A test that says nothing of sessions has one that has no name.
        if standalone.named_session() is not None:
            self._check_session(operation)
        return standalone_sessions.ask(self.session_id, operation, arguments)

    def _check_session(self, operation: str) -> None:
        if not self.session_id:
            raise LookupError(
                f"session_context.{operation}: this call belongs to no session; its "
                "caller has to name one"
            )
