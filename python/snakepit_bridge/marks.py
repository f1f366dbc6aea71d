# SPDX-License-Identifier: MIT
"""Which attributes of an adapter carry the mark of a tool. None of them is called.

What a decorator makes of a marked function need not be a function, and need not show
the one below it. So what is looked at is what it is made of: the wrappers of the
standard library, `__wrapped__`, and in the end whatever it holds that was marked where
it stands.
"""

from __future__ import annotations

import functools
import types

from . import lookup
from .declaration import SAFE_MARK, TOOL_MARK
from .late import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from dataclasses import dataclass
    from typing import Any
else:
    from .records import dataclass

# These change which arguments there are: a name that the mark gives is another tool's.
_PARTIAL = (functools.partial, functools.partialmethod)
# These are read, not called.
PROPERTIES = (property, functools.cached_property)
# By the type, the attribute that holds what it was made of.
_MADE_OF: dict[type, str] = {
    staticmethod: "__func__",
    classmethod: "__func__",
    types.MethodType: "__func__",
    functools.partial: "func",
    functools.partialmethod: "func",
    functools.singledispatchmethod: "func",
    property: "fget",
    functools.cached_property: "func",
}
_DEPTH = 16  # wrappers around wrappers
_LOOKED_AT = 1000  # objects in which a mark may be hidden


@dataclass(frozen=True)
class Marked:
    """One attribute that carries a mark."""

    attribute: str
    found: Any  # as it stands in the class or on the instance
    function: Any  # the innermost that has the mark
    mark: Any  # what `tool` has left there; None: @thread_safe_method alone
    is_safe: bool  # the mark of @thread_safe_method is there
    is_partial: bool
    is_opaque: bool  # its signature is not that of `function`, which says more


def of_class(adapter_class: type) -> Iterator[Marked]:
    """The marked attributes of a class and its bases, in alphabetical order."""
    names = {
        name
        for base in lookup.mro(adapter_class)
        for name in lookup.namespace(base)
        if isinstance(name, str)  # Python allows others
    }
    for name in sorted(names):
        base = lookup.owner(adapter_class, name)
        if base is not None and base is not object:
            marked = look(name, lookup.namespace(base).get(name), base)
            if marked is not None:
                yield marked


def of_instance(adapter: object) -> Iterator[Marked]:
    """Those that an instance has for itself, beside its class's.

    What wraps a bound method without a change of its arguments is another name for a
    tool, and no other tool.
    """
    own = lookup.own(adapter).copy()
    for name in sorted(name for name in own if isinstance(name, str)):
        value = own[name]
        if lookup.owner(type(adapter), name) is not None or not callable(value):
            continue
        marked = look(name, value)
        is_method = types.MethodType in map(type, _layers(value))
        if marked is not None and marked.mark and (marked.is_partial or not is_method):
            yield marked


def look(attribute: str, found: Any, home: type | None = None) -> Marked | None:
    """What marks an attribute carries; None for none.

    `home` is the class whose body it stands in.
    """
    layers = list(_layers(found))
    marked = _with(layers, TOOL_MARK) or _with(layers, SAFE_MARK)
    is_hidden = not marked and home is not None
    if home is not None and is_hidden:
        marked = _hidden(found, attribute, home)
        layers += marked
    if not marked:
        return None
    return Marked(
        attribute=attribute,
        found=found,
        function=marked[-1],
        mark=lookup.own(marked[0]).get(TOOL_MARK),
        is_safe=bool(_with(layers, SAFE_MARK)),
        is_partial=any(issubclass(type(layer), _PARTIAL) for layer in layers),
        is_opaque=is_hidden or type(found) is functools.singledispatchmethod,
    )


def _with(layers: list[Any], mark: str) -> list[Any]:
    return [layer for layer in layers if lookup.own(layer).get(mark)]


def _layers(found: Any) -> Iterator[Any]:
    """An attribute and what it was made of, the outermost first."""
    for _ in range(_DEPTH):
        yield found
        inner = _inner(found)
        if inner is lookup.ABSENT:
            return
        found = inner


def _inner(found: Any) -> Any:
    for kind, name in _MADE_OF.items():
        if issubclass(type(found), kind):
            return object.__getattribute__(found, name)
    return lookup.own(found).get("__wrapped__", lookup.ABSENT)


def _hidden(found: Any, attribute: str, home: type) -> list[Any]:
    """The marked function that was defined under this name in this class and that
    `found` holds: in a closure, or in an attribute. Empty without one.
    """
    place = (home.__module__, f"{home.__qualname__}.{attribute}")
    pending, seen = [found], {id(found)}
    while pending and len(seen) < _LOOKED_AT:
        held = pending.pop()
        if (
            type(held) is types.FunctionType
            and (held.__module__, held.__qualname__) == place
            and _with([held], TOOL_MARK)
        ):
            return [held]
        for one in _held_by(held):
            if id(one) not in seen:
                seen.add(id(one))
                pending.append(one)
    return []


def _held_by(found: Any) -> list[Any]:
    """What a wrapper holds; nothing of containers, classes and modules."""
    own = list(lookup.own(found).values())
    if type(found) is types.FunctionType:
        return _cells(found) + own
    is_class = issubclass(type(found), type)
    is_wrapper = callable(found) or lookup.has(found, "__get__")
    if is_class or not is_wrapper:
        return []
    inner = _inner(found)
    return own + _slots(found) + ([] if inner is lookup.ABSENT else [inner])


def _cells(function: types.FunctionType) -> list[Any]:
    contents = []
    for cell in function.__closure__ or ():
        try:
            contents.append(cell.cell_contents)
        except ValueError:
            pass  # an empty one
    return contents


def _slots(found: Any) -> list[Any]:
    values = []
    for base in lookup.mro(type(found)):
        for member in list(lookup.namespace(base).values()):
            if type(member) is types.MemberDescriptorType:
                try:
                    values.append(member.__get__(found))
                except AttributeError:
                    pass  # not set
    return values
