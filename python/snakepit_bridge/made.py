# SPDX-License-Identifier: MIT
"""Attributes that are made when an instance first reads them."""

from __future__ import annotations

from .late import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any, Callable


class Made:
    """As `functools.cached_property`, for classes that may do what they like with their
    attributes, and for threads.

    It asks nothing of the instance's class, so an instance may read it before its
    constructor has run. All threads get the same object: what two have made at once is
    kept once. An instance may assign another.
    """

    def __init__(self, name: str, make: Callable[[Any], Any]) -> None:
        """`make` gives what an instance finds that has assigned nothing."""
        self.name = name
        self.make = make

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """What the instance keeps from now on."""
        if instance is None:
            return self
        try:
            place = object.__getattribute__(instance, "__dict__")
        except AttributeError:  # it has slots only: all such instances share one
            place = vars(self)
            return place.setdefault("of_all", self.make(instance))
        return place.setdefault(self.name, self.make(instance))
