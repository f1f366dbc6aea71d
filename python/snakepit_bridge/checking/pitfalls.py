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

from .. import libraries, marks
from ..base_adapter_threaded import ThreadSafeAdapter
from ..declaration import BASE_MODULES, declared_thread_safe
from ..tools import LIFE
from .deadlocks import crossed_locks, nested_locks
from .expense import Expense
from .reading import locks_around, read_classes
from .source import Method, Sources, definition_of, is_lockish, without_docstring

TITLES = {
    1: "shared state without a lock",
    2: "lock held during expensive work",
    3: "thread-unsafe library",
    4: "no __thread_safe__ declaration",
    5: "possible deadlock",
}

# Before and after these nobody else calls the adapter, but for what is callable anyway.
_ALONE = LIFE - {"execute_tool", "handle_request"}

# Private methods that answer requests. The second is called under the adapter's lock,
# if it is ThreadSafeAdapter that calls it.
_HANDLERS = ("_handle_request_impl", "_dispatch")

MEANT = "(if it is meant, say why on that line: # snakepit: safe, ...)"
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
    sources = read_classes(classes)
    found = {
        pitfall
        for pitfall in _Search(adapter_class, sources).all()
        if (pitfall.place.partition(".")[0], pitfall.line) not in sources.meant
    }
    return sorted(found, key=lambda pitfall: (pitfall.number, pitfall.line))


def is_locked_throughout(
    function: Any, lock_names: frozenset[str] = frozenset()
) -> bool:
    """Whether all that a method does is under one ``with`` lock, its own or that of a
    decorator. `lock_names`: attributes of its object that are locks, whatever they are
    called.
    """
    plain = inspect.unwrap(function)
    return isinstance(plain, FunctionType) and (
        _is_one_lock(plain, lock_names) or _is_in_lock(function, lock_names)
    )


@functools.lru_cache(maxsize=1024)
def _is_in_lock(function: Any, lock_names: frozenset[str]) -> bool:
    return bool(locks_around(function, Sources(lock_names=set(lock_names))))


@functools.lru_cache(maxsize=1024)
def _is_one_lock(function: FunctionType, lock_names: frozenset[str]) -> bool:
    try:
        node = definition_of(function)
    except ValueError:
        return False
    if not isinstance(node, ast.FunctionDef):
        return False
    body = without_docstring(node)
    sources = Sources(globals=function.__globals__, lock_names=set(lock_names))
    return (
        len(body) == 1
        and isinstance(body[0], ast.With)
        and is_lockish(body[0].items[0].context_expr, sources)
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
        expense = Expense(self.sources, self.names)
        for method in self.sources.methods.values():
            for line, text in expense.under_lock(method):
                yield self._pitfall(2, method, line, text)
        yield from self._declaration()
        for method, line, text in nested_locks(self.sources):
            yield self._pitfall(5, method, line, text)
        for method, line, text in crossed_locks(self.sources, self._entered()):
            yield self._pitfall(5, method, line, text)

    def _reached_without_lock(self) -> list[Method]:
        """Methods that several threads may be in: public ones, and what they call while
        they hold no lock.
        """
        methods = self.sources.methods
        line = [
            method
            for name, method in methods.items()
            if self._is_called_by_workers(name) and not method.is_async
        ]
        for method in line:  # grows meanwhile
            for call in method.calls:
                called = methods.get(call.name)
                if called is not None and not call.held and called not in line:
                    line.append(called)
        return line

    def _entered(self) -> list[Method]:
        """Methods that begin with no lock held: those, the event loop's, and what
        nobody calls by name, the functions of threads.
        """
        methods = self.sources.methods
        called = {call.name for method in methods.values() for call in method.calls}
        return [
            method
            for name, method in methods.items()
            if name not in _ALONE
            and (method in self.open or not name.startswith("_") or name not in called)
        ]

    def _is_called_by_workers(self, name: str) -> bool:
        if not name.startswith("_"):
            return name not in _ALONE and not name.endswith(".setter")
        if name == "_dispatch" and issubclass(self.adapter_class, ThreadSafeAdapter):
            return False
        function = inspect.getattr_static(self.adapter_class, name, None)
        return name in _HANDLERS or marks.look(name, function) is not None

    def _pitfall(self, number: int, method: Method, line: int, text: str) -> Pitfall:
        place = f"{method.owner}.{method.name}"
        return Pitfall(number, place, line, f"{text} {MEANT}")

    def _unlocked_writes(self, method: Method) -> Iterator[Pitfall]:
        for write in method.writes:
            if not write.held:
                text = (
                    f"{write.name} is changed without a lock; hold one at every "
                    "change: with self.acquire_lock(): ..."
                )
                yield self._pitfall(1, method, write.line, text)

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
