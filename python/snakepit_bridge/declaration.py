# SPDX-License-Identifier: MIT
"""Whether an adapter class says that it may run on several threads at once."""

from __future__ import annotations

MARK = "__thread_safe__"

# Attributes that the decorators leave on a function.
TOOL_MARK = "__snakepit_tool__"
SAFE_MARK = "__thread_safe__"

# Their classes are bases of any adapter and cannot know what it does.
BASE_MODULES = ("snakepit_bridge.base_adapter", "snakepit_bridge.base_adapter_threaded")

UNDECLARED = (
    "\N{WARNING SIGN}\ufe0f  Adapter {adapter} does not declare thread safety. "
    "Calls on several threads may corrupt its state; once that is ruled out, "
    "add __thread_safe__ = True to the class."
)


_marks = 0


def marks_made() -> int:
    """A number that goes up with every mark that is made, also on what is there."""
    return _marks


def note_mark() -> None:
    """A mark was made. Two at the same time may count as one."""
    global _marks
    _marks += 1


def declared_thread_safe(adapter_class: type) -> bool | None:
    """What the class declares by ``__thread_safe__``: True, False, or None for nothing.

    True counts if it stands in the class's own body or in that of a base from the same
    top-level package; of a base from elsewhere it says nothing about the subclass.
    False counts wherever it stands.
    """
    package = _package(adapter_class)
    for base in adapter_class.__mro__:
        if MARK not in vars(base):
            continue
        if not vars(base)[MARK]:
            return False
        if _package(base) == package and base.__module__ not in BASE_MODULES:
            return True
    return None


def _package(adapter_class: type) -> str:
    return adapter_class.__module__.partition(".")[0]


def undeclared_warning(adapter_class: type) -> str:
    """The sentence for an adapter that declares nothing."""
    return UNDECLARED.format(adapter=adapter_class.__name__)
