# SPDX-License-Identifier: MIT
"""What the source text says of its lines: which change the contents of an attribute,
``self.log.append(entry)``, which store a constant, and which are meant as they are.

A list cannot tell who changes it, and one in its place that could would be another
list. But the attribute is read first, and the line that reads it says what for.
"""

from __future__ import annotations

import ast
import functools
import io
import linecache
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass

# Methods that change a dict, list, set, deque or bytearray.
MUTATORS = frozenset(
    [
        "add",
        "append",
        "appendleft",
        "clear",
        "difference_update",
        "discard",
        "extend",
        "extendleft",
        "insert",
        "intersection_update",
        "move_to_end",
        "pop",
        "popitem",
        "popleft",
        "remove",
        "reverse",
        "rotate",
        "setdefault",
        "sort",
        "subtract",
        "symmetric_difference_update",
        "update",
    ]
)

# What Python's documentation calls thread-safe of a deque.
DEQUE_SAFE = frozenset({"append", "appendleft", "pop", "popleft"})

_THREADS_OWN = frozenset({"get_ident", "get_native_id", "current_thread"})

# An author's word for a line or a method: "# snakepit: safe, one thread writes".
_MEANT = re.compile(r"#\s*snakepit:\s*safe\b")

Site = tuple[int, str]  # a line and the name of an attribute


@dataclass(frozen=True)
class Facts:
    """What one file's text says; nothing if the text cannot be had."""

    changes: frozenset[Site] = frozenset()  # of an attribute's contents
    deque_unsafe: frozenset[Site] = frozenset()  # those that a deque minds too
    constants: frozenset[Site] = frozenset()  # stores of a constant and nothing else
    meant: frozenset[int] = frozenset()  # lines that their author calls safe


@functools.lru_cache(maxsize=1024)
def facts_of(filename: str) -> Facts:
    """Reads a file once."""
    text = "".join(linecache.getlines(filename))
    try:
        tree = ast.parse(text)
        meant = _meant_lines(text, tree)
    except (SyntaxError, ValueError, RecursionError, tokenize.TokenError):
        return Facts()
    changes, unsafe = set(), set()
    for changed, is_deque_safe in _changed_attributes(tree):
        changes |= _sites(changed)
        if not is_deque_safe:
            unsafe |= _sites(changed)
    return Facts(
        frozenset(changes),
        frozenset(unsafe),
        frozenset(_constant_stores(tree)),
        frozenset(meant),
    )


def _sites(attribute: ast.Attribute) -> set[Site]:
    end = attribute.end_lineno or attribute.lineno
    return {(line, attribute.attr) for line in range(attribute.lineno, end + 1)}


# ---- Changes -------------------------------------------------------------------------


def _changed_attributes(tree: ast.AST) -> Iterator[tuple[ast.Attribute, bool]]:
    """The ``self.log`` of every change to the contents of one, below `tree`, and
    whether a deque would not mind.
    """
    for node in ast.walk(tree):
        for changed in changed_by(node):
            inner = without_items(changed)
            if isinstance(inner, ast.Attribute):
                safe = inner is changed and is_deque_safe(node)
                yield inner, safe


def changed_by(node: ast.AST) -> Iterator[ast.expr]:
    """The expressions whose contents this one node changes."""
    if isinstance(node, ast.Call):
        called = node.func
        if (
            isinstance(called, ast.Attribute)
            and called.attr in MUTATORS
            # What `self.groups[key].append()` changes may be anything.
            and not isinstance(called.value, ast.Subscript)
        ):
            yield called.value
    elif isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
        if not _is_threads_own(node):
            yield node.value
    elif isinstance(node, ast.AugAssign) and not _is_threads_own(node.target):
        yield node.target  # a list stays the same list


def _is_threads_own(expression: ast.expr) -> bool:
    """Whether it is the item, or an item of the item, that one thread has for itself:
    ``self.counts[threading.get_ident()]``.
    """
    while isinstance(expression, ast.Subscript):
        key: ast.AST = expression.slice
        if isinstance(key, ast.Attribute) and key.attr in ("ident", "native_id"):
            key = key.value
        called = ast.unparse(key.func) if isinstance(key, ast.Call) else ""
        if called.rpartition(".")[2] in _THREADS_OWN:
            return True
        expression = expression.value
    return False


def without_items(expression: ast.expr) -> ast.expr:
    """``self.stats`` of ``self.stats["a"]["n"]``."""
    while isinstance(expression, ast.Subscript):
        expression = expression.value
    return expression


def is_deque_safe(node: ast.AST) -> bool:
    """Whether a change is one that a deque makes in one step."""
    called = node.func if isinstance(node, ast.Call) else None
    return isinstance(called, ast.Attribute) and called.attr in DEQUE_SAFE


# ---- Stores of constants -------------------------------------------------------------


def _constant_stores(tree: ast.AST) -> set[Site]:
    constant: set[Site] = set()
    other: set[Site] = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found = constant if isinstance(node.value, ast.Constant) else other
        elif isinstance(node, (ast.AugAssign, ast.For, ast.AsyncFor)):
            targets, found = [node.target], other
        else:
            continue
        for stored in (inner for target in targets for inner in ast.walk(target)):
            if isinstance(stored, ast.Attribute) and isinstance(stored.ctx, ast.Store):
                found |= _sites(stored)
    return constant - other


# ---- What is meant -------------------------------------------------------------------


def _meant_lines(text: str, tree: ast.AST) -> set[int]:
    marked = _marked_lines(text)
    meant = set(marked)
    for node in ast.walk(tree) if marked else ():
        if isinstance(node, ast.stmt):
            whole = range(node.lineno, (node.end_lineno or node.lineno) + 1)
            if not marked.isdisjoint(_heading(node)):
                meant.update(whole)
    return meant


def _heading(node: ast.stmt) -> range:
    """The lines on which a mark is meant for all of a statement."""
    end = (node.end_lineno or node.lineno) + 1
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        first = min([node.lineno, *(item.lineno for item in node.decorator_list)])
        return range(first, max(node.lineno + 1, node.body[0].lineno))
    is_block = hasattr(node, "body") or hasattr(node, "cases")
    return range(0) if is_block else range(node.lineno, end)


def _marked_lines(text: str) -> set[int]:
    """The lines of the marks; of one that stands alone, the next line with code."""
    marked: set[int] = set()
    waits = False
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            if _MEANT.match(token.string):
                marked.add(token.start[0])
                waits = waits or not token.line[: token.start[1]].strip()
        elif waits and token.type not in _NO_CODE:
            marked.add(token.start[0])
            waits = False
    return marked


_NO_CODE = (tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
