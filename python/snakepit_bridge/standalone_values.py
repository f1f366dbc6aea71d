# SPDX-License-Identifier: MIT
"""What a host would get of a value that a session keeps or an event tells, and the same
refusals: for tests outside of a worker. docs/values.md has the table.
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import io
import pathlib
import sys
import uuid
from collections import deque
from collections.abc import ItemsView, Iterable, Mapping
from typing import Any, Callable

DEPTH_MAX = 128  # containers inside each other
STEPS_NAMED = 12  # of a place that an error spells out

_DICT: dict[Any, Any] = {}
_VIEWS = (type(_DICT.keys()), type(_DICT.values()), type(_DICT.items()))
_LISTS: tuple[Any, ...] = (list, tuple, set, frozenset, range, deque, *_VIEWS)

_INSTEAD: list[tuple[tuple[type, ...], Callable[[Any], Any]]] = [
    ((datetime.date, datetime.time), lambda value: value.isoformat()),
    ((datetime.timedelta,), lambda value: value.total_seconds()),
    ((decimal.Decimal, uuid.UUID, pathlib.PurePath), str),
    ((enum.Enum,), lambda value: value.value),
    ((io.BytesIO,), lambda value: value.getvalue()),
]

_Steps = tuple[str, ...]  # from the value to a place in it

_REPLACED = "replace them: text.encode('utf-8', 'replace').decode()"

# What an error advises, by what is wrong; "": nothing.
_ADVICE = {
    "": "",
    "keys": "keys are texts, numbers, booleans, None or bytes; a list of pairs can "
    "have others",
    "alike": "make them differ",
}
_FOR_SESSION = {
    **_ADVICE,
    "array": "a session keeps no arrays; put their bytes",
    "class": "only plain values are kept",
    "integer": "pass it as text",
    "surrogates": f"pass bytes, or {_REPLACED}",
}
_FOR_EVENT = {
    **_ADVICE,
    "array": "an event holds no arrays; give what is to be known of them, such as "
    "their shape",
    "class": "only plain values can be told",
    "integer": "give it as text",
    "surrogates": _REPLACED,
}


class _Unfit(Exception):
    """A value cannot cross."""

    def __init__(
        self, kind: type[Exception], what: str, steps: _Steps, wrong: str
    ) -> None:
        super().__init__(what)
        self.kind = kind
        self.what = what
        self.steps = steps
        self.wrong = wrong  # of what is advised

    def told(self, name: str, advice: dict[str, str]) -> Exception:
        """As the encoder says it of a value that is called `name`."""
        cut = "..." if len(self.steps) > STEPS_NAMED else ""
        place = "".join((name, *self.steps[:STEPS_NAMED])) + cut
        remedy = advice[self.wrong]
        return self.kind(f"{self.what} at {place}" + (f"; {remedy}" if remedy else ""))


def kept(value: Any) -> Any:
    """A copy of `value` made of None, booleans, numbers, text, bytes, lists and dicts.

    Raises TypeError, OverflowError or ValueError, which name the place, as the encoder
    does for a value of a session.
    """
    return _crossed(value, 0, "value", _FOR_SESSION)


def told(value: Any, name: str) -> Any:
    """As `kept`, for the part of an event that is called `name`."""
    return _crossed(value, 1, name, _FOR_EVENT)


def _crossed(value: Any, depth: int, name: str, advice: dict[str, str]) -> Any:
    try:
        return _plain(value, (), depth)
    except _Unfit as unfit:
        raise unfit.told(name, advice) from None


def _is(value: Any, kinds: type | tuple[Any, ...]) -> bool:
    """Whether the type is one of these; a mock claims by `__class__` to be anything."""
    return issubclass(type(value), kinds)


def _plain(value: Any, steps: _Steps, depth: int) -> Any:
    if value is None or _is(value, bool):
        return value
    if _is(value, str):
        return _text(value, steps)
    if _is(value, int):
        return _integer(value, steps)
    if _is(value, float):
        return float.__float__(value)
    if _is(value, dict):
        return _map(value.items(), steps, depth)
    if _is(value, _LISTS):
        return _list(value, steps, depth)
    if _is_bytes(value):
        return bytes(memoryview(value))
    return _converted(value, steps, depth)


def _converted(value: Any, steps: _Steps, depth: int) -> Any:
    """What is none of MessagePack's kinds."""
    if _is_numpy_scalar(value) and value.dtype.kind in "biuf":
        return float(value) if value.dtype.kind == "f" else value.item()
    if _is_array(value):
        raise _Unfit(TypeError, _cannot_encode(value), steps, "array")
    if _is_of("pydantic", "BaseModel", value):
        _check_depth(steps, depth)
        return _plain(_dump(value), steps, depth + 1)
    for kinds, way in _INSTEAD:
        if _is(value, kinds):
            _check_depth(steps, depth)
            return _plain(way(value), steps, depth + 1)
    if _is_of("sqlite3", "Row", value):
        return _map(zip(value.keys(), value), steps, depth)
    fields = _fields(value)
    if fields is not None:
        return _map([(name, getattr(value, name)) for name in fields], steps, depth)
    items = _items(value)
    if items is not None:
        return _map(items, steps, depth)
    raise _Unfit(TypeError, _cannot_encode(value), steps, "class")


def _items(value: Any) -> Iterable[tuple[Any, Any]] | None:
    """The items of a Mapping; None for what is none, or only claims to be one."""
    if not isinstance(value, Mapping):
        return None
    items: Iterable[tuple[Any, Any]] = value.items()
    is_one = _is(value, Mapping) or isinstance(items, (list, tuple, ItemsView))
    return items if is_one else None


def _fields(value: Any) -> list[str] | None:
    """The fields of an instance of a dataclass, or of one of attrs' classes.

    A metaclass may answer for any name.
    """
    if isinstance(getattr(type(value), "__dataclass_fields__", None), dict):
        return [field.name for field in dataclasses.fields(value)]
    found = getattr(type(value), "__attrs_attrs__", None)
    return [each.name for each in found] if isinstance(found, tuple) else None


def _dump(value: Any) -> Any:
    """The dict of a pydantic model; its version 1 had another name for it."""
    return value.model_dump() if hasattr(value, "model_dump") else value.dict()


def _is_of(module: str, name: str, value: Any) -> bool:
    """Whether it is an instance of a class in a module that is imported already."""
    kind = getattr(sys.modules.get(module), name, None)
    return isinstance(kind, type) and _is(value, kind)


def _text(value: str, steps: _Steps) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        what = "text with lone surrogates"
        raise _Unfit(ValueError, what, steps, "surrogates") from None
    return str.__str__(value)


def _integer(value: int, steps: _Steps) -> int:
    if not -(2**63) <= value < 2**64:
        what = "an integer beyond 64 bits"
        raise _Unfit(OverflowError, what, steps, "integer")
    return int.__int__(value)


def _list(items: Iterable[Any], steps: _Steps, depth: int) -> list[Any]:
    _check_depth(steps, depth)
    return [
        _plain(item, (*steps, f"[{index}]"), depth + 1)
        for index, item in enumerate(items)
    ]


def _map(pairs: Iterable[tuple[Any, Any]], steps: _Steps, depth: int) -> dict[Any, Any]:
    _check_depth(steps, depth)
    result: dict[Any, Any] = {}
    for key, value in pairs:
        plain = _key(key, (*steps, ".keys()"), depth + 1)
        if plain in result:
            what = f"two keys arrive as {repr(plain)[:80]}"
            raise _Unfit(ValueError, what, steps, "alike")
        result[plain] = _plain(value, (*steps, f"[{repr(key)[:80]}]"), depth + 1)
    return result


def _key(key: Any, steps: _Steps, depth: int) -> Any:
    plain = _plain(key, steps, depth)
    if isinstance(plain, (list, dict)):
        raise _Unfit(TypeError, _cannot_encode(key), steps, "keys")
    return plain


def _is_bytes(value: Any) -> bool:
    if _is(value, memoryview):
        return value.ndim == 1 and value.format in ("B", "c")
    return _is(value, (bytes, bytearray))


def _is_numpy_scalar(value: Any) -> bool:
    numpy = sys.modules.get("numpy")
    return numpy is not None and _is(value, numpy.generic)


def _is_array(value: Any) -> bool:
    try:
        memoryview(value)
    except (TypeError, ValueError, BufferError):
        return False
    return True


def _check_depth(steps: _Steps, depth: int) -> None:
    if depth >= DEPTH_MAX:
        raise _Unfit(ValueError, "nesting too deep, or a cycle,", steps, "")


def _cannot_encode(value: Any) -> str:
    kind = type(value)
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    return f"cannot encode {module}{kind.__qualname__}"
