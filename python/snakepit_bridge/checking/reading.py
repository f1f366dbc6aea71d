# SPDX-License-Identifier: MIT
"""What a method does, read from its source text: what it changes, calls and locks, and
which locks it holds there.
"""

from __future__ import annotations

import ast
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any

from .sites import changed_by, is_deque_safe, without_items
from .source import (
    Event,
    Function,
    Held,
    Method,
    Sources,
    definition_of_code,
    is_lockish,
    setter_of,
    sources_of,
    without_docstring,
)

_CONTAINERS = (dict, list, set, deque, bytearray)
_LEAVING = (ast.Return, ast.Raise, ast.Continue, ast.Break)
_GROWING = ("list", "set", "deque", "bytearray", "Counter")  # by +=, in place


def read_classes(classes: list[type]) -> Sources:
    """Reads classes, the most derived first. Raises ValueError without their source."""
    sources = sources_of(classes)
    for method in sources.methods.values():
        _Reader(sources, method).read(locks_around(method.function, sources))
    return sources


# ---- Decorators that lock ------------------------------------------------------------


def locks_around(function: Any, sources: Sources) -> Held:
    """The locks that a method's decorators hold while they call it.

    `sources`: what is known of the locks of its class.
    """
    held: Held = ()
    for layer in _layers(function):
        held = (*held, *_locks_at_calls(layer, sources.lock_names))
    return held


def _layers(function: Any) -> Iterator[FunctionType]:
    """The functions that decorators have put around another, the outermost first."""
    while isinstance(function, FunctionType):
        below = getattr(function, "__wrapped__", None)
        if below is None:
            # A decorator without functools.wraps() has what it calls in its closure.
            below = next(filter(_is_function, _closure(function)), None)
        if below is not None:
            yield function
        function = below


def _closure(function: FunctionType) -> Iterator[Any]:
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # nothing in it yet
            pass


def _is_function(value: Any) -> bool:
    return isinstance(value, FunctionType)


def _locks_at_calls(layer: FunctionType, lock_names: set[str]) -> Held:
    """The locks that a wrapper holds wherever it calls what it wraps."""
    try:
        node = definition_of_code(layer.__code__)
    except ValueError:
        return ()
    method = Method("", node.name, node)
    sources = Sources(globals=layer.__globals__, lock_names=lock_names)
    _Reader(sources, method).read(())
    outer = layer.__code__.co_freevars
    return _common([use.held for use in method.uses if use.name in outer])


def _common(held: list[Held]) -> Held:
    """The locks that are held in each case."""
    first, *others = held or [()]
    return tuple(lock for lock in first if all(lock in other for other in others))


# ---- One method ----------------------------------------------------------------------


@dataclass
class _Local:
    """A function within the method, which runs where it is called."""

    node: Function
    held: list[Held] = field(default_factory=list)  # at each of its uses


class _Reader:
    """Walks through one method and keeps account of the locks it holds."""

    def __init__(self, sources: Sources, method: Method) -> None:
        self.sources = sources
        self.method = method
        arguments = method.node.args
        named = arguments.posonlyargs + arguments.args
        is_static = any(
            isinstance(decorator, ast.Name) and decorator.id == "staticmethod"
            for decorator in method.node.decorator_list
        )
        self.me = named[0].arg if named and not is_static else ""
        self.aliases: dict[str, ast.Attribute] = {}  # names of what an attribute holds
        self.locals: dict[str, _Local] = {}
        self.declared: set[str] = set()  # global here
        self.bound = _names_bound_in(method.node)

    def read(self, held: Held) -> None:
        """Reads all of it. `held`: locks that are held when it is called."""
        self.block(without_docstring(self.method.node), held)
        while self.locals:
            local = self.locals.pop(self.next_local())
            if local.held:  # else nobody calls it
                self.block(without_docstring(local.node), _common(local.held))

    def next_local(self) -> str:
        """A local function that no other one may still call, if there is one."""
        for name in self.locals:
            others = (other for key, other in self.locals.items() if key != name)
            if not any(name in _names_in(other.node) for other in others):
                return name
        return next(iter(self.locals))

    # ---- Statements ------------------------------------------------------------------

    def block(self, statements: list[ast.stmt], held: Held) -> Held:
        """Reads statements one after the other; gives what is held behind them."""
        for statement in statements:
            held = self.statement(statement, held)
        return held

    def statement(self, node: ast.stmt, held: Held) -> Held:
        if isinstance(node, (ast.With, ast.AsyncWith)):
            return self.with_block(node, held)
        if hasattr(node, "finalbody"):
            return self.try_block(node, held)
        if hasattr(node, "cases"):
            return self.match_block(node, held)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            self.locals[node.name] = _Local(node, [()] if node.decorator_list else [])
            return held
        if isinstance(node, (ast.If, ast.While)):
            return self.condition(node, held)
        if isinstance(node, (ast.For, ast.AsyncFor)):
            self.expression(node.iter, held)
            self.expression(node.target, held)
            self.block(node.orelse, self.block(node.body, held))
            return held
        if isinstance(node, ast.Global):
            self.declared.update(node.names)
        return self.simple(node, held)

    def simple(self, node: ast.stmt, held: Held) -> Held:
        value = node.value if isinstance(node, (ast.Expr, ast.Assign)) else None
        lock = self.lock_of(value, "acquire")
        if lock:
            return self.take(lock, node.lineno, held)
        lock = self.lock_of(value, "release")
        if lock:
            return tuple(other for other in held if other != lock)
        self.expression(node, held)
        self.name_attributes(node)
        return held

    def take(self, lock: str, line: int, held: Held) -> Held:
        self.method.locks.append(Event(lock, line, held))
        return (*held, lock)

    def with_block(self, node: ast.With | ast.AsyncWith, held: Held) -> Held:
        inside = held
        for item in node.items:
            if is_lockish(item.context_expr, self.sources):
                lock = ast.unparse(item.context_expr)
                inside = self.take(lock, node.lineno, inside)
            else:
                self.expression(item.context_expr, inside)
        self.block(node.body, inside)
        return held

    def try_block(self, node: Any, held: Held) -> Held:
        within = self.block(node.body, held)
        for handler in node.handlers:
            self.block(handler.body, held)
        within = self.block(node.orelse, within)
        return self.block(node.finalbody, within)

    def match_block(self, node: Any, held: Held) -> Held:
        self.expression(node.subject, held)
        for case in node.cases:
            self.block(case.body, held)
        return held

    def condition(self, node: ast.If | ast.While, held: Held) -> Held:
        """``if lock.acquire(timeout=1):`` holds it inside, with ``not`` in front behind
        it, where the block leaves the method or the loop.
        """
        test, is_not = _without_not(node.test)
        lock = self.lock_of(test, "acquire")
        inside = outside = held
        if not lock:
            self.expression(node.test, held)
        elif is_not:
            outside = self.take(lock, node.lineno, held)
        else:
            inside = self.take(lock, node.lineno, held)
        after = self.block(node.body, inside)
        other = self.block(node.orelse, outside)
        if isinstance(node, ast.While):
            return outside
        if isinstance(node.body[-1], _LEAVING):
            return other
        if node.orelse and isinstance(node.orelse[-1], _LEAVING):
            return after
        return _common([after, other])

    def lock_of(self, value: ast.expr | None, what: str) -> str:
        """The lock of ``lock.acquire()`` or ``lock.release()``."""
        if isinstance(value, ast.NamedExpr):
            value = value.value
        called = value.func if isinstance(value, ast.Call) else None
        if not isinstance(called, ast.Attribute):
            return ""
        if isinstance(value, ast.Call) and called.attr == "enter_context":
            # It is held to the end of the block that made the stack.
            entered = [item for item in value.args if is_lockish(item, self.sources)]
            return ast.unparse(entered[0]) if entered and what == "acquire" else ""
        if called.attr != what:
            return ""
        lockish = is_lockish(called.value, self.sources)
        return ast.unparse(called.value) if lockish else ""

    # ---- Expressions -----------------------------------------------------------------

    def expression(self, tree: ast.AST, held: Held) -> None:
        called = set()
        for node in ast.walk(tree):
            self.method.expressions.append((node, held))
            for changed, line in self.changes(node):
                self.method.writes.append(Event(changed, line, held))
            if isinstance(node, ast.Call):
                called.add(node.func)
                self.call(node, held)
            if isinstance(node, ast.Name) and node.id in self.locals:
                # Handed on, nobody knows where it runs.
                at_call = node in called
                self.locals[node.id].held.append(held if at_call else ())
            if self.sets_property(node):
                setter = setter_of(node.attr)  # type: ignore[attr-defined]
                line = node.lineno  # type: ignore[attr-defined]
                self.method.calls.append(Event(setter, line, held))

    def call(self, node: ast.Call, held: Held) -> None:
        if isinstance(node.func, ast.Name):
            self.method.uses.append(Event(node.func.id, node.lineno, held))
        elif isinstance(node.func, ast.Attribute) and self.is_me(node.func.value):
            self.method.calls.append(Event(node.func.attr, node.lineno, held))

    def changes(self, node: ast.AST) -> Iterator[tuple[str, int]]:
        """What a node changes of what threads share, and where."""
        if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load):
            if self.is_shared(node) and not self.sets_property(node):
                yield ast.unparse(node), node.lineno
            return
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            if node.id in self.declared:
                yield node.id, node.lineno
            return
        for changed in changed_by(node):
            inner = without_items(changed)
            name = self.shared_by(inner)
            if name and self.is_change(node, changed, inner):
                yield name, changed.lineno

    def is_change(self, node: ast.AST, changed: ast.expr, inner: ast.expr) -> bool:
        """Whether what looks like a change of a container is one."""
        if isinstance(node, ast.Subscript):
            return True
        kind = self.container(inner)
        if isinstance(node, ast.AugAssign):
            # An attribute that is stored was seen, and so was an item.
            return isinstance(changed, ast.Name) and kind in _GROWING
        return bool(kind) and not (kind == "deque" and is_deque_safe(node))

    def container(self, inner: ast.expr) -> str:
        """The kind of container that an expression is known to give, or nothing."""
        if isinstance(inner, ast.Name) and inner.id in self.aliases:
            inner = self.aliases[inner.id]
        if isinstance(inner, ast.Attribute):
            return self.sources.containers.get(inner.attr, "")
        if isinstance(inner, ast.Name) and inner.id not in self.bound:
            return type(self.sources.globals.get(inner.id)).__name__
        return ""

    def shared_by(self, inner: ast.expr) -> str:
        """What an expression gives, if threads share it: "self.log", "TABLE"."""
        if isinstance(inner, ast.Attribute) and self.is_shared(inner):
            return ast.unparse(inner)
        if not isinstance(inner, ast.Name):
            return ""
        if inner.id in self.aliases:
            return ast.unparse(self.aliases[inner.id])
        if inner.id in self.bound:
            return ""
        found = self.sources.globals.get(inner.id)
        return inner.id if isinstance(found, _CONTAINERS) else ""

    def name_attributes(self, node: ast.stmt) -> None:
        """Keeps account of ``log = self.log``; once ``self.log = []`` has come, `log`
        is the method's own.
        """
        if not isinstance(node, (ast.Assign, ast.AnnAssign)) or node.value is None:
            return
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        source: Any = without_items(node.value)
        if isinstance(source, ast.Name) and source.id in self.aliases:
            source = self.aliases[source.id]
        for target in (inner for outer in targets for inner in _parts(outer)):
            text = ast.unparse(target)
            if isinstance(target, ast.Attribute):
                for name, meant in list(self.aliases.items()):
                    if ast.unparse(meant) == text:
                        del self.aliases[name]
            self.aliases.pop(text, None)
            is_name = target in targets and isinstance(target, ast.Name)
            is_attribute = isinstance(source, ast.Attribute)
            if is_name and is_attribute and self.is_shared(source):
                self.aliases[text] = source

    # ---- What is shared --------------------------------------------------------------

    def is_me(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Name) and node.id == self.me

    def is_shared(self, node: ast.Attribute) -> bool:
        """Whether it is an attribute of the adapter or of its class."""
        owner = node.value
        if isinstance(owner, ast.Name):
            is_class = owner.id in self.sources.classes and owner.id not in self.bound
            return owner.id == self.me or is_class
        if isinstance(owner, ast.Attribute):  # self.__class__.total
            return owner.attr == "__class__" and self.is_me(owner.value)
        return (
            isinstance(owner, ast.Call)  # type(self).total
            and isinstance(owner.func, ast.Name)
            and owner.func.id == "type"
            and len(owner.args) == 1
            and self.is_me(owner.args[0])
        )

    def sets_property(self, node: ast.AST) -> bool:
        return (
            isinstance(node, ast.Attribute)
            and not isinstance(node.ctx, ast.Load)
            and self.is_me(node.value)
            and node.attr in self.sources.properties
        )


def _without_not(test: ast.expr) -> tuple[ast.expr, bool]:
    """What a test asks, and whether it is for the opposite: ``x`` of ``not x`` and of
    ``x is False``.
    """
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return test.operand, True
    if isinstance(test, ast.Compare) and len(test.ops) == 1:
        value = test.comparators[0]
        if isinstance(value, ast.Constant) and isinstance(value.value, bool):
            is_equal = isinstance(test.ops[0], (ast.Is, ast.Eq))
            return test.left, value.value != is_equal
    return test, False


def _parts(target: ast.expr) -> list[ast.expr]:
    if isinstance(target, (ast.Tuple, ast.List)):
        return [part for item in target.elts for part in _parts(item)]
    return [target]


def _names_in(tree: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def _names_bound_in(function: Function) -> set[str]:
    """Its own names, which hide those of the module."""
    bound = {node.arg for node in ast.walk(function) if isinstance(node, ast.arg)}
    declared: set[str] = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            bound.add(node.id)
        elif isinstance(node, ast.Global):
            declared.update(node.names)
    return bound - declared
