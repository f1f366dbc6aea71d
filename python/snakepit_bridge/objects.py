# SPDX-License-Identifier: MIT
"""The objects of this process, by type."""

from __future__ import annotations

import gc

from .late import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

BASES = type.__dict__["__mro__"].__get__  # whatever a metaclass makes of the name


class Objects:
    """What the garbage collector knows of, by type. No code of theirs runs."""

    def __init__(self) -> None:
        """Takes all there are now, but for those that are frozen."""
        self.all = gc.get_objects()
        self.types = {id(kind): kind for kind in map(type, self.all)}.values()

    def of(self, *wanted: type) -> list[Any]:
        """All whose type is one of `wanted`, or derives from one."""
        kinds = {
            id(kind)
            for kind in self.types
            if any(base in wanted for base in BASES(kind))
        }
        return (
            [found for found in self.all if id(type(found)) in kinds] if kinds else []
        )
