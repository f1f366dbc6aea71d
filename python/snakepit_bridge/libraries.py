# SPDX-License-Identifier: MIT
"""What is known of libraries and threads: the table in library_compatibility.json."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from . import lookup

TABLE = Path(__file__).with_name("library_compatibility.json")

MESSAGE = (
    "\N{WARNING SIGN}\ufe0f  THREAD SAFETY: Unsafe library '{name}' detected. {reason} "
    "Thread-unsafe library detected: {name}. {pattern} See {docs}"
)


@dataclass(frozen=True)
class Library:
    """One library of the table."""

    name: str  # as it is imported
    title: str  # as its authors write it
    thread_safe: bool  # used as `pattern` says
    reason: str
    pattern: str  # the safe way to use it
    docs: str  # an address
    minimum: str = ""  # the first version that this is said of
    use: str = ""  # what of an unsafe one is unsafe: "any" use, or a "shared" object
    threads: bool = False  # it has its own, as many as OMP_NUM_THREADS and its kin say

    @property
    def warning(self) -> str:
        """The sentence for a log."""
        return MESSAGE.format(
            name=self.name, reason=self.reason, pattern=self.pattern, docs=self.docs
        )


@functools.lru_cache(maxsize=1)
def known() -> dict[str, Library]:
    """All libraries of the table, by the name that is imported."""
    rows = json.loads(TABLE.read_text(encoding="utf-8"))["libraries"]
    return {row["name"]: Library(**row) for row in rows}


def unsafe(names: Iterable[str]) -> list[Library]:
    """Those of the named modules' libraries that are not thread-safe."""
    found = {name.partition(".")[0] for name in names}
    return [
        library
        for library in known().values()
        if library.name in found and not library.thread_safe
    ]


def imported_by(adapter_class: type) -> set[str]:
    """The top-level packages that the modules of an adapter's classes have imported."""
    found: set[str] = set()
    for base in adapter_class.__mro__[:-1]:
        module = sys.modules.get(base.__module__)
        for value in list(vars(module).values()) if module is not None else ():
            name = _library_of(value)
            if isinstance(name, str):
                found.add(name.partition(".")[0])
    return found


def _library_of(value: object) -> Any:
    """The module that a value of a module comes from."""
    if isinstance(value, ModuleType):
        return value.__name__
    if not isinstance(value, type) and lookup.answers_for_all(type(value)):
        value = type(value)  # it may do anything when it is asked
    return getattr(value, "__module__", None)
