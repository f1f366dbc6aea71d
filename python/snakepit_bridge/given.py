# SPDX-License-Identifier: MIT
"""What a pool gives to its adapter's instance: `config` and `resources`.

They are attributes of the class. No instance is touched before its constructor has run,
and none has an attribute that it did not read. A dictionary of the class's own is the
author's defaults, and what the pool says comes over it.
"""

from __future__ import annotations

from . import late, lookup
from .late import TYPE_CHECKING
from .made import Made

if TYPE_CHECKING:
    import copy
    from collections.abc import Mapping
    from dataclasses import dataclass
    from typing import Any, Callable

    from . import configuration, notices, resources
else:
    from .records import dataclass

    configuration = late.Module("snakepit_bridge.configuration")
    copy = late.Module("copy")
    notices = late.Module("snakepit_bridge.notices")
    resources = late.Module("snakepit_bridge.resources")


class Given(Made):
    """One of the two."""

    def __init__(self, name: str, is_of_class: bool = False) -> None:
        """`is_of_class`: the class was written with it, and may show it."""
        super().__init__(name, lambda _: _ROWS[name].make())
        self.is_of_class = is_of_class
        self.was_read = False  # by any instance of this process

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """What the instance keeps from now on."""
        if instance is None and not self.is_of_class:
            raise AttributeError(f"{owner!r} has no attribute {self.name!r}")
        self.was_read = self.was_read or instance is not None
        return super().__get__(instance, owner)


@dataclass(frozen=True)
class _Row:
    key: str  # of the pool
    make: Callable[[], Mapping[str, Any]]


_ROWS = {
    "config": _Row("adapter_config", lambda: configuration.current().settings()),
    "resources": _Row("preload_resources", lambda: resources.current()),
}


NAMES = frozenset(_ROWS)


def offer(adapter_class: type, name: str) -> None:
    """Lets instances of a class find `config` or `resources`; twice is harmless.

    Before the first instance is built. A RuntimeWarning where the class has something
    of its own there that hides what the pool says.
    """
    found = lookup.of_class(adapter_class, name)
    if isinstance(found, Given):
        return
    if found is lookup.ABSENT:
        # A name that its class suddenly has would be in such a one's way.
        if not lookup.answers_for_all(adapter_class):
            type.__setattr__(adapter_class, name, Given(name))
        return
    values = _ROWS[name].make()
    if values and found is None:
        type.__setattr__(adapter_class, name, Given(name))
    elif values and issubclass(type(found), dict):
        defaults = copy.copy(found)
        defaults.update(values)
        type.__setattr__(adapter_class, name, defaults)
    elif values and not _knows(adapter_class, found):
        kind = type(found).__name__
        _warn(name, adapter_class, f"its class has a {name} of its own ({kind})")


def check_seen(adapter: object) -> None:
    """A RuntimeWarning where a constructor has assigned `config` or `resources` and
    nobody has read what the pool says.
    """
    own = lookup.own(adapter)
    for name in filter(own.__contains__, _ROWS):
        row = _ROWS[name]
        found = lookup.of_class(type(adapter), name)
        was_read = found.was_read if isinstance(found, Given) else False
        is_hidden = isinstance(found, Given) or found is lookup.ABSENT
        if is_hidden and not was_read and row.make():
            what = f"its constructor assigns self.{name} and has not read it before"
            _warn(name, type(adapter), what)


def _knows(adapter_class: type, found: Any) -> bool:
    """Whether what the class has is code that can ask a base class for it."""
    return lookup.has(found, "__get__") and any(
        isinstance(value, Given)
        for base in lookup.mro(adapter_class)
        for value in lookup.namespace(base).values()
    )


def _warn(name: str, adapter_class: type, why: str) -> None:
    notices.warn(
        f"the pool's {_ROWS[name].key} does not reach {adapter_class.__name__}: {why}",
        stacklevel=3,
    )
