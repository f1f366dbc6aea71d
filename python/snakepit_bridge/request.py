# SPDX-License-Identifier: MIT
"""The request object that `handle_request` and its older relatives are given."""

from __future__ import annotations

from collections.abc import Mapping

from .late import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    Fields = Mapping[str, Any]
else:
    Fields = Mapping


class Request(Fields):
    """One call, both object and mapping: `request.args` is `request["args"]`.

    It has at least `command` (the tool's name), `args` (a dict) and `input`, which is
    the argument of that name or, without one, all of `args`.
    """

    __slots__ = ("_fields",)

    def __init__(self, fields: Mapping[str, Any]) -> None:
        """Takes the given fields and adds those of the three that are missing."""
        args = fields.get("args")
        args = {} if args is None else args
        implied = args.get("input", args) if isinstance(args, Mapping) else args
        self._fields = {"command": "", "input": implied, **fields, "args": args}

    @classmethod
    def of(cls, request: Any) -> Any:
        """A mapping becomes a Request; any other object is handed on as it is."""
        if isinstance(request, Mapping) and not isinstance(request, cls):
            return cls(request)
        return request

    def __getitem__(self, key: str) -> Any:
        """The field of that name; KeyError if the request has none."""
        return self._fields[key]

    def __iter__(self) -> Iterator[str]:
        """The names of the fields."""
        return iter(self._fields)

    def __len__(self) -> int:
        """The number of fields."""
        return len(self._fields)

    def __getattr__(self, name: str) -> Any:
        """The field of that name; AttributeError if the request has none."""
        if name.startswith("__") or name == "_fields":
            raise AttributeError(name)
        try:
            return self._fields[name]
        except KeyError:
            raise AttributeError(
                f"the request has no {name!r}, only {list(self)}"
            ) from None

    def __repr__(self) -> str:
        """The command alone: arguments may be large, and do not belong in a log."""
        return f"Request(command={self._fields['command']!r})"
