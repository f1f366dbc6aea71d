# SPDX-License-Identifier: MIT
"""What the import of an adapter does: how long it takes, which libraries it brings, and
whether threads can still run in parallel afterwards. ``snakepit doctor`` asks for it.
"""

from __future__ import annotations

import builtins
import json
import os
import re
import signal
import sys
import threading
import time
import warnings
from typing import Any

from . import configuration, declaration, libraries, loader, search_path
from .configuration import Configuration
from .errors import AdapterError
from .faults import describe
from .gil import is_gil_enabled

REPLY = 3  # the descriptor that the reply is written to
IMPORTS_MOST = 5
MICROSECONDS = 1e6
LEAST_US = 1000  # a package that took less is not worth a word
TEXT_MOST = 900
VERSION_MOST = 24
# How Python says which module has switched the GIL on.
GIL_WARNING = re.compile(r"interpreter lock.* to load module '([^']*)'")


class Imports:
    """Stands in for ``__import__`` and notes how long each package takes, what it
    imports itself included. Other threads than the first are not looked at.
    """

    def __init__(self) -> None:
        """Nothing was imported yet."""
        self.seconds: dict[str, float] = {}
        self._open: set[str] = set()
        self._thread = threading.get_ident()
        self._real = builtins.__import__

    def __enter__(self) -> Imports:
        """From now on it is asked for each import."""
        builtins.__import__ = self
        return self

    def __exit__(self, *_: object) -> None:
        """Puts back what was there."""
        builtins.__import__ = self._real

    def __call__(
        self,
        name: str,
        globals: Any = None,
        locals: Any = None,
        fromlist: Any = (),
        level: int = 0,
    ) -> Any:
        """Imports as ever."""
        package = name.partition(".")[0]
        if level or package in self._open or threading.get_ident() != self._thread:
            return self._real(name, globals, locals, fromlist, level)
        self._open.add(package)
        start = time.perf_counter()
        try:
            return self._real(name, globals, locals, fromlist, level)
        finally:
            took = time.perf_counter() - start
            self.seconds[package] = self.seconds.get(package, 0.0) + took
            self._open.discard(package)

    def slowest(self) -> list[tuple[str, int]]:
        """The packages that took longest, and their microseconds."""
        taken = ((name, _us(seconds)) for name, seconds in self.seconds.items())
        found = [pair for pair in taken if pair[1] >= LEAST_US]
        return sorted(found, key=lambda pair: -pair[1])[:IMPORTS_MOST]


def _us(seconds: float) -> int:
    return round(seconds * MICROSECONDS)


def examine(adapter: str) -> dict[str, Any]:
    """Imports the adapter's module and finds its class; builds nothing.

    A dict of `import_us`, `imports` (the slowest packages, with their microseconds),
    `gil_enabled`, `gil_enabled_by` (the module that has switched it on, if Python says
    so), `declared` (what the class says of thread safety), `libraries` (those of the
    table that were imported) and `problem` (None, or why a worker would not take it).
    """
    declared, problem = None, None
    with warnings.catch_warnings(record=True) as caught, Imports() as imports:
        warnings.simplefilter("always")
        start = time.perf_counter()
        try:
            found = loader.load(adapter)
        except AdapterError as error:
            problem = str(error)
        except BaseException as error:  # a module may well call sys.exit()
            problem = ": ".join(filter(None, describe(error)[:2]))
        took = time.perf_counter() - start
    if problem is None:
        declared = declaration.declared_thread_safe(found)
        problem = _refusal(found)
    return {
        "import_us": _us(took),
        "imports": imports.slowest(),
        "gil_enabled": is_gil_enabled(),
        "gil_enabled_by": _gil_enabled_by(str(each.message) for each in caught),
        "declared": declared,
        "libraries": [_described(each) for each in _imported()],
        "problem": problem if problem is None else problem[:TEXT_MOST],
    }


def _refusal(found: type) -> str | None:
    try:
        loader.check_constructor(found)
    except AdapterError as error:
        return str(error)
    return None


def _gil_enabled_by(messages: Any) -> str:
    matches = (GIL_WARNING.search(message) for message in messages)
    return next((match[1] for match in matches if match), "")


def _imported() -> list[libraries.Library]:
    """Those of the table that are there now."""
    return [each for each in libraries.known().values() if each.name in sys.modules]


def _described(library: libraries.Library) -> dict[str, Any]:
    version = getattr(sys.modules[library.name], "__version__", "")
    version = version[:VERSION_MOST] if isinstance(version, str) else ""
    return {
        "title": library.title,
        "version": version,
        "minimum": library.minimum,
        "too_old": is_before(version, library.minimum),
        "thread_safe": library.thread_safe,
        "threads": library.threads,
        "reason": library.reason,
        "pattern": library.pattern,
    }


def is_before(version: str, minimum: str) -> bool:
    """Whether a version is surely older than another: "1.26.4" than "2.1"."""
    ours, other = _numbers(version), _numbers(minimum)
    return bool(ours and other) and ours[: len(other)] < other


def _numbers(version: str) -> list[int]:
    """The numbers that a version begins with."""
    match = re.match(r"\d+(\.\d+)*", version)
    return [int(part) for part in match[0].split(".")] if match else []


def command() -> int:
    """Examines the adapter that the first word names, whose modules may be in the
    folder that the second one names, for at most the seconds that are the third, and
    writes to descriptor 3 what it found.
    """
    adapter, folder, seconds = sys.argv[1:4]
    signal.alarm(int(seconds))  # whoever asked may be gone by then
    os.set_inheritable(REPLY, False)
    search_path.hide_request()
    search_path.add([folder])
    configuration.use(Configuration(adapter=adapter, paths=[folder]))
    text = json.dumps(examine(adapter))
    with os.fdopen(REPLY, "w") as reply:
        reply.write(text)
    os._exit(0)  # whatever the adapter has left running
