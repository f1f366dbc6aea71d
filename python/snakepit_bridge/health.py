# SPDX-License-Identifier: MIT
"""An adapter's `health_check`, which the host has run between the worker's calls.

It says that something is wrong by raising, or by returning False. It may be async. An
adapter whose calls each have an instance of their own is checked on one more.
"""

from __future__ import annotations

from . import calling, life, lookup, runtime
from .late import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any, Callable

HEALTH_TOOL = runtime.HEALTH_TOOL
METHOD = "health_check"


class Unhealthy(Exception):
    """`health_check` has returned False."""


def is_checked(adapter_class: type) -> bool:
    """Whether the class, or a base of it, says how its health is checked.

    None in its place takes away what a base says.
    """
    return lookup.of_class(adapter_class, METHOD, None) is not None


def checker(adapter_class: type, adapter: Callable[[], Any]) -> Callable[[], object]:
    """What answers the host. `adapter` gives None where each call has an instance."""

    def answer() -> None:
        instance = adapter()
        if instance is None:
            life.once(adapter_class, check)
        else:
            check(instance)

    return answer


def check(adapter: Any) -> None:
    """Raises what `health_check` raises, and Unhealthy where it returns False."""
    method = lookup.bound(adapter, METHOD)
    if method is not None and calling.finished(method()) is False:
        raise Unhealthy("health_check returned False")
