# SPDX-License-Identifier: MIT
"""Whether the GIL is on, and not only while an extension loads.

A free-threaded Python has the GIL on while any extension module is made, and off again
if the module needs none. Other threads that ask then are told that it is on.
"""

from __future__ import annotations

import sys

from .late import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any, Callable

# Any thread adds and removes; a lock might be held by another one at a fork.
begun: list[None] = []  # one for each load; it only grows
under_way: set[object] = set()


def watch() -> None:
    """Has loads noted from now on, where the GIL can be switched on at all."""
    if hasattr(sys, "_is_gil_enabled"):
        from importlib import machinery

        watch_loader(machinery.ExtensionFileLoader)
        watch_loader(machinery.BuiltinImporter)  # some Pythons have all in there


def watch_loader(loader: Any) -> None:
    """The same of one of Python's loaders; more than once as well."""
    load = loader.create_module
    if not hasattr(load, "notes_loads"):
        is_method = loader.__name__ == "ExtensionFileLoader"
        loader.create_module = noting(load) if is_method else staticmethod(noting(load))


def noting(load: Callable[..., Any]) -> Callable[..., Any]:
    """The same, noted while it runs."""

    def create_module(*arguments: Any) -> Any:
        this = object()
        under_way.add(this)
        begun.append(None)
        try:
            return load(*arguments)
        finally:
            under_way.discard(this)

    create_module.notes_loads = True  # type: ignore[attr-defined]
    return create_module


def is_gil_enabled() -> bool:
    """Whether the GIL is on to stay: an import may have switched it on. While an
    extension loads that is not known, and False.
    """
    ask = getattr(sys, "_is_gil_enabled", None)
    if ask is None:
        return True
    before = len(begun)
    # None was under way when it answered: none is before, and none has begun since.
    return not under_way and bool(ask()) and len(begun) == before
