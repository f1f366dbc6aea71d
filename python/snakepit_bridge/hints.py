# SPDX-License-Identifier: MIT
"""What annotations mean that are names for other ones."""

from __future__ import annotations

import typing
from typing import Any


def meaning_of(hint: Any) -> Any:
    """What a name for a type stands for: a `type` statement's, as NumPy's `NDArray` is
    one, a `NewType`, a type variable with a bound. Other hints are what they are.
    """
    alias = typing.get_origin(hint) or hint
    if type(alias).__name__ == "TypeAliasType":
        return _filled(alias.__value__, typing.get_args(hint))
    if type(hint) is typing.TypeVar:
        return next(iter(hint.__constraints__), hint.__bound__ or hint)
    return getattr(hint, "__supertype__", hint)


def _filled(value: Any, arguments: tuple[Any, ...]) -> Any:
    if not arguments or not getattr(value, "__parameters__", ()):
        return value
    return value[arguments]
