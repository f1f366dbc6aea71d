# SPDX-License-Identifier: MIT
"""The guides' five pitfalls, found in the source text of an adapter's class.

Text tells less than a run, so each finding is one that a reader of the guides would
point at; the checker watches the rest.
"""

from __future__ import annotations

import ast
import functools
import inspect
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from types import FunctionType, ModuleType
from typing import Any

from .. import libraries
from ..declaration import BASE_MODULES, declared_thread_safe
from ..tools import LIFE
from .source import (
    Event,
    Method,
    Sources,
    definition_of,
    is_lockish,
    read_classes,
    without_docstring,
)

TITLES = {
    1: "shared state without a lock",
    2: "lock held during expensive work",
    3: "thread-unsafe library",
    4: "no __thread_safe__ declaration",
    5: "possible deadlock",
}

# Before and after these nobody else calls the adapter, but for what is callable anyway.
_ALONE = LIFE - {"execute_tool", "handle_request"}

# Work that takes long, by the package that does it, and what of it does not.
_EXPENSIVE = frozenset(
    {"numpy", "scipy", "torch", "tensorflow", "sklearn"}
    | {"requests", "httpx", "urllib", "subprocess", "socket"}
)
_CHEAP = frozenset(
    {"array", "asarray", "zeros", "ones", "empty", "float32", "float64", "int64"}
)
_USUAL_NAMES = {
    "np": "numpy",
    "numpy": "numpy",
    "torch": "torch",
    "tf": "tensorflow",
    "scipy": "scipy",
    "requests": "requests",
    "httpx": "httpx",
    "pd": "pandas",
    "pandas": "pandas",
    "plt": "matplotlib",
    "matplotlib": "matplotlib",
    "sqlite3": "sqlite3",
}


@dataclass(frozen=True)
class Pitfall:
    """One finding."""

    number: int  # 1 to 5
    place: str  # "Adapter.method", or "Adapter"
    line: int  # in its file
    text: str

    def __str__(self) -> str:
        """One line for people."""
        title = TITLES[self.number]
        where = f"{self.place}, line {self.line}"
        return f"Pitfall {self.number}, {title}: {where}: {self.text}"


def find_pitfalls(adapter_class: type) -> list[Pitfall]:
    """All findings, by number and line. Raises ValueError without the source text."""
    classes = [
        base
        for base in adapter_class.__mro__[:-1]
        if base.__module__ not in BASE_MODULES
    ]
    search = _Search(adapter_class, read_classes(classes))
    found = {*search.all()}
    return sorted(found, key=lambda pitfall: (pitfall.number, pitfall.line))


def is_locked_throughout(function: Any) -> bool:
    """Whether all that a function does is under one ``with`` lock."""
    plain = inspect.unwrap(function)
    return isinstance(plain, FunctionType) and _is_one_lock(plain)


@functools.lru_cache(maxsize=1024)
def _is_one_lock(function: FunctionType) -> bool:
    try:
        node = definition_of(function)
    except ValueError:
        return False
    if not isinstance(node, ast.FunctionDef):
        return False
    body = without_docstring(node)
    return (
        len(body) == 1
        and isinstance(body[0], ast.With)
        and is_lockish(body[0].items[0].context_expr, Sources())
    )


class _Search:
    """Looks through the methods of one class."""

    def __init__(self, adapter_class: type, sources: Sources) -> None:
        self.adapter_class = adapter_class
        self.sources = sources
        self.names = _packages(adapter_class)
        self.open = self._reached_without_lock()

    def all(self) -> Iterator[Pitfall]:
        for method in self.open:
            yield from self._unlocked_writes(method)
            yield from self._unsafe_libraries(method)
        for method in self.sources.methods.values():
            yield from self._expensive_work(method)
            yield from self._nested_locks(method)
        yield from self._declaration()
        yield from self._crossed_locks()

    def _reached_without_lock(self) -> list[Method]:
        """Methods that several threads may be in: public ones, and what they call while
        they hold no lock.
        """
        methods = self.sources.methods
        line = [
            method
            for name, method in methods.items()
            if not name.startswith("_") and name not in _ALONE and not method.is_async
        ]
        for method in line:  # grows meanwhile
            for call in method.calls:
                called = methods.get(call.name)
                if called is not None and not call.held and called not in line:
                    line.append(called)
        return line

    def _pitfall(self, number: int, method: Method, line: int, text: str) -> Pitfall:
        return Pitfall(number, f"{method.owner}.{method.name}", line, text)

    def _unlocked_writes(self, method: Method) -> Iterator[Pitfall]:
        for write in method.writes:
            if not write.held:
                text = (
                    f"self.{write.name} is changed without a lock; "
                    "hold one at every change: with self.acquire_lock(): ..."
                )
                yield self._pitfall(1, method, write.line, text)

    def _expensive_work(self, method: Method) -> Iterator[Pitfall]:
        for node, held in method.expressions:
            work = self._is_expensive(node) if held else ""
            if work:
                text = (
                    f"{work} runs while {held[-1]} is held and all others wait; "
                    "compute first, then lock for the update"
                )
                yield self._pitfall(2, method, node.lineno, text)  # type: ignore[attr-defined]

    def _is_expensive(self, node: ast.AST) -> str:
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
            return "a matrix product"
        if not isinstance(node, ast.Call):
            return ""
        text = ast.unparse(node.func)
        root, _, rest = text.partition(".")
        if self.names.get(root) in _EXPENSIVE and rest not in _CHEAP:
            return f"{text}()"
        if text.startswith("self.model.") or text in ("time.sleep", "self.model"):
            return f"{text}()"
        return ""

    def _unsafe_libraries(self, method: Method) -> Iterator[Pitfall]:
        shared = self._shared_objects()
        for node, held in method.expressions:
            library = None if held else self._unsafe_use(node, shared)
            if library is not None:
                text = f"{library.title} is not thread-safe. {library.pattern}"
                yield self._pitfall(3, method, node.lineno, text)  # type: ignore[attr-defined]

    def _unsafe_use(
        self, node: ast.AST, shared: dict[str, libraries.Library]
    ) -> libraries.Library | None:
        if isinstance(node, ast.Attribute) and ast.unparse(node) in shared:
            return shared[ast.unparse(node)]
        if isinstance(node, ast.Name):
            library = self._unsafe_library(node.id)
            if library is not None and library.use == "any":
                return library
        return None

    def _unsafe_library(self, name: str) -> libraries.Library | None:
        library = libraries.known().get(self.names.get(name, ""))
        return library if library is not None and not library.thread_safe else None

    def _shared_objects(self) -> dict[str, libraries.Library]:
        """Attributes that an unsafe library made, "self.df": pandas."""
        shared: dict[str, libraries.Library] = {}
        for method in self.sources.methods.values():
            for node, _ in method.expressions:
                if not isinstance(node, ast.Assign):
                    continue
                for name in filter(_is_name, ast.walk(node.value)):
                    library = self._unsafe_library(name.id)  # type: ignore[attr-defined]
                    if library is not None:
                        shared.update(
                            (ast.unparse(target), library)
                            for target in node.targets
                            if isinstance(target, ast.Attribute)
                        )
        return shared

    def _declaration(self) -> Iterator[Pitfall]:
        if declared_thread_safe(self.adapter_class) is not True:
            name = self.adapter_class.__name__
            line = definition_of(self.adapter_class).lineno
            text = "add __thread_safe__ = True to the class once it is true"
            yield Pitfall(4, name, line, text)

    def _nested_locks(self, method: Method) -> Iterator[Pitfall]:
        for call in method.calls:
            for lock in call.held:
                if lock in self._locks_taken_by(call.name, set()):
                    text = f"self.{call.name}() takes {lock}, which is held here; "
                    yield self._pitfall(5, method, call.line, text + self._wait(lock))
        for event in method.locks:
            if event.name in event.held:
                text = f"takes {event.name}, which is held here; "
                text += self._wait(event.name)
                yield self._pitfall(5, method, event.line, text)

    def _wait(self, lock: str) -> str:
        if self.sources.lock_kinds.get(lock) in ("Lock", "Semaphore"):
            return "it is not reentrant, so the thread waits for itself"
        return (
            "it works only as long as the lock is reentrant; "
            "call a private method that takes none"
        )

    def _locks_taken_by(self, name: str, seen: set[str]) -> set[str]:
        method = self.sources.methods.get(name)
        if method is None or name in seen:
            return set()
        seen.add(name)
        taken = {event.name for event in method.locks}
        for call in method.calls:
            taken |= self._locks_taken_by(call.name, seen)
        return taken

    def _crossed_locks(self) -> Iterator[Pitfall]:
        """Two locks that one method takes in one order and another in the other."""
        orders: dict[tuple[str, str], tuple[Method, Event]] = {}
        for method in self.sources.methods.values():
            for event in method.locks:
                for outer in event.held:
                    orders.setdefault((outer, event.name), (method, event))
        for (outer, inner), (method, event) in orders.items():
            if outer < inner and (inner, outer) in orders:
                other, there = orders[inner, outer]
                text = (
                    f"takes {inner} while it holds {outer}; {other.name} (line "
                    f"{there.line}) takes them in the other order"
                )
                yield self._pitfall(5, method, event.line, text)


def _is_name(node: ast.AST) -> bool:
    return isinstance(node, ast.Name)


def _packages(adapter_class: type) -> dict[str, str]:
    """What the names in an adapter's module come from: "np" -> "numpy".

    The usual names are known too: a function may import them only when it runs.
    """
    names = dict(_USUAL_NAMES)
    for base in adapter_class.__mro__[:-1]:
        module = sys.modules.get(base.__module__)
        for name, value in list(vars(module).items()) if module is not None else ():
            if isinstance(value, ModuleType):
                names[name] = value.__name__.partition(".")[0]
            elif inspect.isroutine(value) or inspect.isclass(value):
                names[name] = (value.__module__ or "").partition(".")[0]
    return names
