# SPDX-License-Identifier: MIT
"""Arguments to try a tool with, made from its annotations."""

from __future__ import annotations

import collections.abc
import inspect
import sys
import typing
from typing import Any, Callable

from .. import standalone
from ..hints import meaning_of
from ..runtime import Tensor

_EXAMPLES: dict[Any, Any] = {
    bool: True,
    int: 3,
    float: 1.5,
    complex: 1 + 2j,
    str: "example",
    bytes: b"example",
    list: [1.0, 2.0, 3.0],
    tuple: (1.0, 2.0),
    set: {1, 2},
    dict: {"key": 1},
    object: 1,
    Any: 1,
    type(None): None,
    collections.abc.Sequence: [1.0, 2.0, 3.0],
    collections.abc.Iterable: [1.0, 2.0, 3.0],
    collections.abc.Mapping: {"key": 1},
}
_BY_ITEM = (list, set, collections.abc.Sequence, collections.abc.Iterable)


_DEPTH = 20  # of types within types; a `type` statement may name itself
# What a call by name leaves out.
_UNNAMED = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.VAR_POSITIONAL,
    inspect.Parameter.VAR_KEYWORD,
)


class NoExample(ValueError):
    """A parameter that nothing is known of."""


def arguments_for(function: Callable[..., Any]) -> dict[str, Any]:
    """New arguments for the parameters that have no default.

    Raises NoExample, which says for which parameter there is none.
    """
    try:
        parameters = inspect.signature(function).parameters
    except Exception as error:
        raise NoExample(f"Python knows no signature of it: {error}") from None
    hints = _hints_of(function)
    arguments = {}
    for name, parameter in parameters.items():
        if parameter.default is not parameter.empty or parameter.kind in _UNNAMED:
            continue
        try:
            arguments[name] = example_of(hints.get(name, parameter.annotation))
        except Exception:  # annotations may be any objects, with code of their own
            raise NoExample(
                f"parameter {name!r} needs a default, or an annotation of a plain type "
                "or of an array (numpy.ndarray, snakepit_bridge.Tensor)"
            ) from None
    return arguments


def _hints_of(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(inspect.unwrap(function))
    except Exception:  # one of them alone means nothing: they are looked at as they are
        return {}


def example_of(hint: Any, depth: int = 0) -> Any:
    """A value of the annotated type. Raises KeyError if it is not a plain one, and what
    its own code raises.
    """
    if depth > _DEPTH:
        raise KeyError(hint)
    named = meaning_of(hint)
    if named is not hint:
        return example_of(named, depth + 1)
    origin = typing.get_origin(hint)
    inner = typing.get_args(hint)
    if _is_array(origin or hint):
        return _array()
    if origin is None:
        return _copy(_EXAMPLES[hint])
    if origin is typing.Literal:
        return inner[0]
    if origin in _BY_ITEM and inner:
        items = [example_of(inner[0], depth + 1) for _ in range(3)]
        return set(items) if origin is set else items
    if origin in _EXAMPLES:
        return _copy(_EXAMPLES[origin])
    for choice in inner:  # a union: the first that can be made
        try:
            return example_of(choice, depth + 1)
        except KeyError:
            continue
    raise KeyError(hint)


def _is_array(hint: Any) -> bool:
    numpy = sys.modules.get("numpy")
    return hint is Tensor or (numpy is not None and hint is numpy.ndarray)


def _array() -> Any:
    """A row of three numbers, as a NumPy array where there is NumPy."""
    array = standalone.empty((3,), "float64")
    for index in range(3):
        array[index] = index + 1.0
    return array


def _copy(value: Any) -> Any:
    return value.copy() if isinstance(value, (list, dict, set)) else value
