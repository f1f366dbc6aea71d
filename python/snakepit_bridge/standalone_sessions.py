# SPDX-License-Identifier: MIT
"""The values of sessions where there is no host: kept in this process, for tests.

What a host answers to the questions of `session_values` stands in
src/session/tool.c.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from . import errors, standalone, standalone_values

KEY_MAX = 255  # bytes

_Values = dict[str, tuple[Any, float]]  # by key: the value and when it expires


def ask(session_id: str, operation: str, arguments: dict[str, Any]) -> Any:
    """What a host answers for a session's `operation`: get, put, delete or list.

    Raises what `SessionValues` says, but for QuotaExceeded.
    """
    if "value" in arguments:
        value = standalone_values.kept(arguments["value"])
        arguments = {**arguments, "value": value}
    with standalone.lock:
        values = standalone.sessions.setdefault(session_id, {})
        now = standalone.clock()
        for key in [key for key, (_, expires) in values.items() if expires <= now]:
            del values[key]
        return _OPERATIONS[operation](values, arguments)


def _get(values: _Values, arguments: dict[str, Any]) -> list[Any]:
    key = _key("get", arguments)
    return [standalone_values.kept(values[key][0])] if key in values else []


def _put(values: _Values, arguments: dict[str, Any]) -> None:
    key = _key("put", arguments)
    expires = _expires(arguments.get("ttl"))
    values.pop(key, None)  # those put longest ago are listed first
    values[key] = (arguments["value"], expires)


def _delete(values: _Values, arguments: dict[str, Any]) -> bool:
    return values.pop(_key("delete", arguments), None) is not None


def _list(values: _Values, arguments: dict[str, Any]) -> list[str]:
    return list(values)


_OPERATIONS: dict[str, Callable[[_Values, dict[str, Any]], Any]] = {
    "get": _get,
    "put": _put,
    "delete": _delete,
    "list": _list,
}


def _key(operation: str, arguments: dict[str, Any]) -> str:
    key = arguments["key"]
    if not isinstance(key, str) or not 1 <= len(key.encode()) <= KEY_MAX:
        raise _invalid(operation, "a key is a text of 1 to 255 bytes")
    return key


def _expires(ttl: Any) -> float:
    if ttl is None:
        return math.inf
    if isinstance(ttl, bool) or not isinstance(ttl, (int, float)) or not ttl > 0:
        raise _invalid("put", "a ttl is a number of seconds above 0, or None")
    return standalone.clock() + ttl


def _invalid(operation: str, text: str) -> errors.HostError:
    return errors.refusal(
        f"snakepit.session.{operation}",
        {
            "err": 1,
            "code": "INVALID_ARGUMENT",
            "message": f"session_context.{operation}: {text}",
        },
    )
