# SPDX-License-Identifier: MIT
"""What the source text of a method says: what it changes, calls and locks, and under
which locks.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Union

from .sites import changed_by

Function = Union[ast.FunctionDef, ast.AsyncFunctionDef]
Held = tuple[str, ...]

# How locks are called where nothing else tells that they are.
_LOCKISH = ("lock", "mutex", "guard", "semaphore", "condition")
_LOCK_CLASSES = ("Lock", "RLock", "Condition", "Semaphore", "BoundedSemaphore")
_CONTAINERS = frozenset(
    {"list", "dict", "set", "deque", "bytearray"}
    | {"defaultdict", "OrderedDict", "Counter"}
)


@dataclass(frozen=True)
class Event:
    """One thing that a method does."""

    name: str  # of the attribute, method or lock
    line: int
    held: Held  # the locks it holds there, outermost first


@dataclass
class Method:
    """What one method does."""

    owner: str  # its class
    name: str
    node: Function
    writes: list[Event] = field(default_factory=list)  # of attributes
    reads: list[Event] = field(default_factory=list)
    calls: list[Event] = field(default_factory=list)  # of methods of the same object
    locks: list[Event] = field(default_factory=list)  # that it takes
    expressions: list[tuple[ast.AST, Held]] = field(default_factory=list)

    @property
    def is_async(self) -> bool:
        """Whether it runs on the event loop's one thread."""
        return isinstance(self.node, ast.AsyncFunctionDef)


@dataclass
class Sources:
    """All methods of a class, those that its bases' authors wrote included."""

    methods: dict[str, Method] = field(default_factory=dict)
    containers: set[str] = field(default_factory=set)  # attributes that hold one
    lock_kinds: dict[str, str] = field(default_factory=dict)  # "self._lock" -> "Lock"


def definition_of(found: Any) -> ast.ClassDef | Function:
    """The syntax tree of a class or function; lines count as in its file.

    Raises ValueError if the text cannot be had.
    """
    try:
        lines, first = inspect.getsourcelines(found)
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, TypeError, SyntaxError) as error:
        raise ValueError(f"the source of {found.__name__} is not there: {error}") from (
            None
        )
    node = tree.body[0]
    if not isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
        raise ValueError(f"the source of {found.__name__} is no definition")
    ast.increment_lineno(node, first - 1)
    return node


def read_classes(classes: list[type]) -> Sources:
    """Reads classes, the most derived first. Raises ValueError without their source."""
    sources = Sources()
    nodes = [(found, definition_of(found)) for found in classes]
    for _, node in nodes:
        _learn_attributes(node, sources)
    for found, node in nodes:
        for item in node.body:
            if isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef)):
                method = Method(found.__name__, item.name, item)
                if item.name not in sources.methods:
                    sources.methods[item.name] = method
                    _Reader(sources, method).read()
    return sources


def is_lockish(expression: ast.expr, sources: Sources) -> bool:
    """Whether an expression looks like a lock."""
    text = ast.unparse(expression)
    return text in sources.lock_kinds or any(word in text.lower() for word in _LOCKISH)


def without_docstring(node: Function) -> list[ast.stmt]:
    """A function's statements."""
    first = node.body[0]
    is_text = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return node.body[1:] if is_text else node.body


def _learn_attributes(node: ast.AST, sources: Sources) -> None:
    for assignment in ast.walk(node):
        if isinstance(assignment, ast.Assign):
            targets, value = assignment.targets, assignment.value
        elif isinstance(assignment, ast.AnnAssign) and assignment.value is not None:
            targets, value = [assignment.target], assignment.value
        else:
            continue
        made = _made_by(value)
        for target in targets:
            if not isinstance(target, ast.Attribute):
                continue
            if made in _LOCK_CLASSES:
                sources.lock_kinds[ast.unparse(target)] = made
            elif made in _CONTAINERS:
                sources.containers.add(target.attr)


def _made_by(value: ast.expr) -> str:
    """The last name of what is called to make a value: "deque", "Lock"."""
    if isinstance(value, (ast.List, ast.ListComp)):
        return "list"
    if isinstance(value, (ast.Dict, ast.DictComp)):
        return "dict"
    if isinstance(value, (ast.Set, ast.SetComp)):
        return "set"
    if isinstance(value, ast.Call):
        return ast.unparse(value.func).rpartition(".")[2]
    return ""


class _Reader:
    """Walks through one method and keeps account of the locks it holds."""

    def __init__(self, sources: Sources, method: Method) -> None:
        self.sources = sources
        self.method = method
        arguments = method.node.args.posonlyargs + method.node.args.args
        self.me = arguments[0].arg if arguments else ""

    def read(self) -> None:
        self.block(without_docstring(self.method.node), ())

    def block(self, statements: list[ast.stmt], held: Held) -> Held:
        """Reads statements one after the other; gives what is held behind them."""
        for statement in statements:
            held = self.statement(statement, held)
        return held

    def statement(self, node: ast.stmt, held: Held) -> Held:
        if isinstance(node, (ast.With, ast.AsyncWith)):
            return self.with_block(node, held)
        if isinstance(node, ast.Try):
            within = self.block(node.body, held)
            for handler in node.handlers:
                self.block(handler.body, held)
            within = self.block(node.orelse, within)
            return self.block(node.finalbody, within)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            self.block(node.body, held)
            return held
        if isinstance(node, (ast.If, ast.While, ast.For, ast.AsyncFor)):
            return self.compound(node, held)
        lock = self.explicit(node, "acquire")
        if lock:
            self.method.locks.append(Event(lock, node.lineno, held))
            return (*held, lock)
        lock = self.explicit(node, "release")
        if lock:
            return tuple(other for other in held if other != lock)
        self.expression(node, held)
        return held

    def with_block(self, node: ast.With | ast.AsyncWith, held: Held) -> Held:
        inside = held
        for item in node.items:
            if is_lockish(item.context_expr, self.sources):
                lock = ast.unparse(item.context_expr)
                self.method.locks.append(Event(lock, node.lineno, inside))
                inside = (*inside, lock)
            else:
                self.expression(item.context_expr, inside)
        self.block(node.body, inside)
        return held

    def compound(
        self, node: ast.If | ast.While | ast.For | ast.AsyncFor, held: Held
    ) -> Held:
        if isinstance(node, (ast.If, ast.While)):
            self.expression(node.test, held)
        else:
            self.expression(node.iter, held)
            self.expression(node.target, held)
        self.block(node.body, held)
        self.block(node.orelse, held)
        return held

    def explicit(self, node: ast.stmt, what: str) -> str:
        """The lock of a statement ``lock.acquire()`` or ``lock.release()``."""
        call = node.value if isinstance(node, (ast.Expr, ast.Assign)) else None
        called = call.func if isinstance(call, ast.Call) else None
        if not isinstance(called, ast.Attribute) or called.attr != what:
            return ""
        lockish = is_lockish(called.value, self.sources)
        return ast.unparse(called.value) if lockish else ""

    def expression(self, tree: ast.AST, held: Held) -> None:
        for node in ast.walk(tree):
            self.method.expressions.append((node, held))
            for attribute, line in self.changes(node):
                self.method.writes.append(Event(attribute, line, held))
            if isinstance(node, ast.Attribute) and self.is_mine(node):
                self.method.reads.append(Event(node.attr, node.lineno, held))
            if isinstance(node, ast.Call) and self.is_mine(node.func):
                name = node.func.attr  # type: ignore[attr-defined]
                self.method.calls.append(Event(name, node.lineno, held))

    def changes(self, node: ast.AST) -> Iterator[tuple[str, int]]:
        if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load):
            if self.is_mine(node):
                yield node.attr, node.lineno
            return
        if isinstance(node, ast.AugAssign):
            return  # its target is an attribute that is stored
        for changed in changed_by(node):
            if not self.is_mine(changed):
                continue
            name: str = changed.attr  # type: ignore[attr-defined]
            if isinstance(node, ast.Subscript) or name in self.sources.containers:
                yield name, changed.lineno

    def is_mine(self, node: ast.AST) -> bool:
        return (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id == self.me
        )
