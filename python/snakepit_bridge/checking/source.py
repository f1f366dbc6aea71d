# SPDX-License-Identifier: MIT
"""The source text of an adapter's classes: its methods, and what its attributes hold.
`reading` says what the methods do.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
import textwrap
from dataclasses import dataclass, field
from types import CodeType
from typing import Any, Union

from . import locks, sites

Function = Union[ast.FunctionDef, ast.AsyncFunctionDef]
Held = tuple[str, ...]

# How locks are called where nothing else tells that they are.
_LOCKISH = re.compile(
    r"(?<!b)(?<!un)(?<![._]c)(?<!\bc)lock|mutex|guard|semaphore|condition", re.I
)
_LOCK_CLASSES = ("Lock", "RLock", "Condition", "Semaphore", "BoundedSemaphore")
_CONTAINERS = frozenset(
    {"list", "dict", "set", "deque", "bytearray"}
    | {"defaultdict", "OrderedDict", "Counter"}
)


@dataclass(frozen=True)
class Event:
    """One thing that a method does."""

    name: str  # "self.total" or "COUNT" of a write, "self._lock" of a lock, else a name
    line: int
    held: Held  # the locks it holds there, outermost first


@dataclass
class Method:
    """What one method does."""

    owner: str  # its class
    name: str
    node: Function
    function: Any = None  # as it stands in the class, decorated
    writes: list[Event] = field(default_factory=list)  # of what threads may share
    calls: list[Event] = field(default_factory=list)  # of methods of the same object
    uses: list[Event] = field(default_factory=list)  # calls of plain names
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
    # "log" -> "list", of attributes that hold one
    containers: dict[str, str] = field(default_factory=dict)
    lock_kinds: dict[str, str] = field(default_factory=dict)  # "self._lock" -> "Lock"
    lock_names: set[str] = field(default_factory=set)  # attributes that hold a lock
    classes: set[str] = field(default_factory=set)  # names of the classes themselves
    properties: set[str] = field(default_factory=set)  # that have a setter
    globals: dict[str, Any] = field(default_factory=dict)  # of the classes' modules
    meant: set[tuple[str, int]] = field(default_factory=set)  # class and line


def definition_of(found: Any) -> ast.ClassDef | Function:
    """The syntax tree of a class or function; lines count as in its file.

    Raises ValueError if the text cannot be had.
    """
    node = _statement_of(found, found.__name__)
    if not isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
        raise ValueError(f"the source of {found.__name__} is not a definition")
    return node


def definition_of_code(code: CodeType) -> Function:
    """The syntax tree of the very function that has this code, decorated or not.

    Raises ValueError if the text cannot be had.
    """
    node = _statement_of(code, code.co_name)
    if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        raise ValueError(f"the source of {code.co_name} is not a definition")
    return node


def _statement_of(found: Any, name: str) -> ast.stmt:
    try:
        lines, first = inspect.getsourcelines(found)
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, TypeError, SyntaxError) as error:
        raise ValueError(f"the source of {name} is not there: {error}") from None
    ast.increment_lineno(tree.body[0], first - 1)
    return tree.body[0]


def sources_of(classes: list[type]) -> Sources:
    """Reads classes, the most derived first; what their methods do is not known yet.

    Raises ValueError without their source.
    """
    sources = Sources()
    nodes = [(found, definition_of(found)) for found in classes]
    for found, node in nodes:
        _learn_class(found, node, sources)
        _learn_attributes(node, sources)
    for found, node in nodes:
        for item in node.body:
            if isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef)):
                name = item.name
                if _is_setter(item):
                    sources.properties.add(name)
                    name = setter_of(name)
                function = vars(found).get(item.name)
                method = Method(found.__name__, name, item, function)
                sources.methods.setdefault(name, method)
    return sources


def setter_of(name: str) -> str:
    """What the setter of a property is listed as among the methods."""
    return f"{name}.setter"


def _is_setter(node: Function) -> bool:
    return any(
        isinstance(decorator, ast.Attribute) and decorator.attr == "setter"
        for decorator in node.decorator_list
    )


def _learn_class(found: type, node: ast.AST, sources: Sources) -> None:
    sources.classes.add(found.__name__)
    module = sys.modules.get(found.__module__)
    if module is not None:
        sources.globals = {**vars(module), **sources.globals}
    try:
        filename = inspect.getsourcefile(found) or ""
    except TypeError:
        return
    for line in sites.facts_of(filename).meant:
        sources.meant.add((found.__name__, line))


def is_lockish(expression: ast.expr, sources: Sources) -> bool:
    """Whether an expression looks like a lock."""
    text = ast.unparse(expression)
    if locks.is_lock(sources.globals.get(text)):
        return True
    is_known = (
        isinstance(expression, ast.Attribute)
        and isinstance(expression.value, ast.Name)
        and expression.attr in sources.lock_names
    )
    return is_known or _LOCKISH.search(text) is not None


def without_docstring(node: Function) -> list[ast.stmt]:
    """A function's statements."""
    first = node.body[0]
    is_text = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return node.body[1:] if is_text else node.body


def _learn_attributes(node: ast.ClassDef | Function, sources: Sources) -> None:
    class_level = set(node.body)
    for assignment in ast.walk(node):
        if isinstance(assignment, ast.Assign):
            targets, value = assignment.targets, assignment.value
        elif isinstance(assignment, ast.AnnAssign) and assignment.value is not None:
            targets, value = [assignment.target], assignment.value
        else:
            continue
        made = _made_by(value)
        for target in targets:
            if isinstance(target, ast.Attribute):
                name, text = target.attr, ast.unparse(target)
            elif isinstance(target, ast.Name) and assignment in class_level:
                name, text = target.id, f"self.{target.id}"
            else:
                continue
            if made in _LOCK_CLASSES:
                sources.lock_kinds[text] = made
                sources.lock_names.add(name)
            elif made in _CONTAINERS:
                sources.containers.setdefault(name, made)


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
