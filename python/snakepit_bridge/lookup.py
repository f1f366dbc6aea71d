# SPDX-License-Identifier: MIT
"""Attributes of foreign classes and instances, found without running any of their code.

Python's own way runs `__getattr__`, `__getattribute__` and properties, and a metaclass
may have the same. While an adapter is looked at, it may not be ready for that.
"""

from __future__ import annotations

from types import FunctionType

from .late import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

ABSENT: Any = object()

_mro = type.__dict__["__mro__"].__get__
_namespace = type.__dict__["__dict__"].__get__


def mro(found: type) -> tuple[type, ...]:
    """The class and its bases, in the order of lookups."""
    bases: tuple[type, ...] = _mro(found)
    return bases


def namespace(found: type) -> dict[str, Any]:
    """The class's own attributes, not those of its bases."""
    own: dict[str, Any] = _namespace(found)
    return own


def own(value: object) -> dict[str, Any]:
    """An object's own attributes; empty for a class, and where it has none."""
    if issubclass(type(value), type):
        return {}
    try:
        found = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return {}
    return found if type(found) is dict else {}


def owner(found: type, name: str) -> type | None:
    """The class in the MRO that defines `name`."""
    return next((base for base in mro(found) if name in namespace(base)), None)


def of_class(found: type, name: str, default: Any = ABSENT) -> Any:
    """A class's attribute as it stands there, before any `__get__`."""
    base = owner(found, name)
    return default if base is None else namespace(base).get(name, default)


def bound(instance: object, name: str, default: Any = None) -> Any:
    """An instance's attribute as Python binds it, `default` without one.

    Of the class's code it runs a descriptor's `__get__`, and no more.
    """
    kind = type(instance)
    found = of_class(kind, name)
    mine = own(instance).get(name, ABSENT)
    if mine is not ABSENT and (found is ABSENT or not is_data(found)):
        return mine
    return default if found is ABSENT else bind(found, instance, kind)


def bind(found: Any, instance: object, kind: type) -> Any:
    """What a class's attribute becomes on an instance."""
    get = of_class(type(found), "__get__")
    return found if get is ABSENT else get(found, instance, kind)


def beneath(found: Any) -> Any:
    """The function below a static or a class method; anything else as it is."""
    is_one = issubclass(type(found), (staticmethod, classmethod))
    return found.__func__ if is_one else found


def has(value: object, name: str) -> bool:
    """Whether the class of a value defines `name`."""
    return owner(type(value), name) is not None


def number(found: type) -> None:
    """Has the interpreter number a class, which it does when it looks something up."""
    try:
        type.__getattribute__(found, "__snakepit_has_none__")
    except AttributeError:
        pass


def answers_for_all(found: type) -> bool:
    """Whether a class has code that is asked for names that it does not have."""
    reading = of_class(found, "__getattribute__")
    return owner(found, "__getattr__") is not None or type(reading) is FunctionType


def is_data(found: Any) -> bool:
    """Whether it comes before an instance's own attributes, as properties do."""
    return has(found, "__set__")
