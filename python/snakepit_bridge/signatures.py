# SPDX-License-Identifier: MIT
"""The parameters of a function.

A plain function's are read from its code: that is where `inspect` has them from, whose
import takes as long as an interpreter's start. It is asked about everything else.
"""

from __future__ import annotations

from types import FunctionType, MethodType

from . import late, lookup
from .late import TYPE_CHECKING

if TYPE_CHECKING:
    import inspect
    from typing import Any, Callable
else:
    inspect = late.Module("inspect")

CO_VARARGS = 0x04  # of a function's code, as `inspect` names it
_DEPTH = 16  # wrappers around wrappers
_ASKED_INSTEAD = ("__signature__", "__text_signature__")


class Parameter:
    """One that a call can give by name, or must give by position."""

    def __init__(self, name: str, default: Any, annotation: Any, by_name: bool) -> None:
        """Default and annotation are lookup.ABSENT where there is none."""
        self.name = name
        self.default = default
        self.annotation = annotation
        self.by_name = by_name

    @property
    def is_required(self) -> bool:
        """Whether there is no default."""
        return self.default is lookup.ABSENT


def parameters(function: Callable[..., Any], wrapped: bool = True) -> list[Parameter]:
    """Without those that take what is left over, and without a bound method's first.

    `wrapped`: of what it says that it wraps. Raises TypeError and ValueError as
    `inspect.signature` does.
    """
    plain = _plain(function, wrapped)
    if plain is None:
        return _asked(function, wrapped)
    is_bound = isinstance(function, MethodType) and plain.__code__.co_argcount > 0
    return _read(plain)[is_bound:]


def _plain(function: Any, wrapped: bool) -> FunctionType | None:
    """The function whose code says all; None: there is none."""
    if type(function) is MethodType:
        function = function.__func__
    for _ in range(_DEPTH):
        if type(function) is not FunctionType:
            break
        own = vars(function)
        if any(name in own for name in _ASKED_INSTEAD):
            break
        if not wrapped or "__wrapped__" not in own:
            return function
        function = own["__wrapped__"]
    return None


def _read(function: FunctionType) -> list[Parameter]:
    code = function.__code__
    count = code.co_argcount
    names = code.co_varnames[: count + code.co_kwonlyargcount]
    given = function.__defaults__ or ()
    defaults = dict(zip(names[count - len(given) : count], given))
    defaults.update(function.__kwdefaults__ or {})
    annotations = function.__annotations__
    return [
        Parameter(
            name,
            defaults.get(name, lookup.ABSENT),
            annotations.get(name, lookup.ABSENT),
            by_name=index >= code.co_posonlyargcount,
        )
        for index, name in enumerate(names)
    ]


def _asked(function: Callable[..., Any], wrapped: bool) -> list[Parameter]:
    signature = inspect.signature(function, follow_wrapped=wrapped)
    empty = inspect.Parameter.empty
    left_over = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [
        Parameter(
            found.name,
            lookup.ABSENT if found.default is empty else found.default,
            lookup.ABSENT if found.annotation is empty else found.annotation,
            by_name=found.kind is not inspect.Parameter.POSITIONAL_ONLY,
        )
        for found in signature.parameters.values()
        if found.kind not in left_over
    ]


def text_of(annotation: Any) -> str:
    """An annotation as it is written; empty for none."""
    if annotation is lookup.ABSENT:
        return ""
    if isinstance(annotation, str):
        return annotation
    if type(annotation) is type and annotation.__module__ == "builtins":
        return annotation.__qualname__
    return inspect.formatannotation(annotation)


def takes_itself_alone(function: Callable[..., Any]) -> bool:
    """Whether a plain function can be called with one argument by position; False also
    where only `inspect` could tell.
    """
    plain = _plain(function, wrapped=False)
    if plain is None or isinstance(function, MethodType):
        return False
    code = plain.__code__
    takes_one = code.co_argcount > 0
    if any(found.is_required for found in _read(plain)[takes_one:]):
        return False
    return takes_one or bool(code.co_flags & CO_VARARGS)
