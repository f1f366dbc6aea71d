# SPDX-License-Identifier: MIT
"""Where source text changes the contents of an attribute: ``self.log.append(entry)``.

A list cannot tell who changes it, and one in its place that could would be another
list. But the attribute is read first, and the line that reads it says what for.
"""

from __future__ import annotations

import ast
import functools
import linecache
from collections.abc import Iterator

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


@functools.lru_cache(maxsize=1024)
def changes_in(filename: str) -> frozenset[tuple[int, str]]:
    """Pairs of line and attribute; none if the file's text cannot be had."""
    try:
        tree = ast.parse("".join(linecache.getlines(filename)))
    except (SyntaxError, ValueError, RecursionError):
        return frozenset()
    return frozenset(
        (line, changed.attr)
        for changed in changed_attributes(tree)
        for line in range(changed.lineno, (changed.end_lineno or changed.lineno) + 1)
    )


def changed_attributes(tree: ast.AST) -> Iterator[ast.Attribute]:
    """The ``self.log`` of every change to the contents of one, below `tree`."""
    for node in ast.walk(tree):
        for changed in changed_by(node):
            if isinstance(changed, ast.Attribute):
                yield changed


def changed_by(node: ast.AST) -> Iterator[ast.expr]:
    """The expressions whose contents this one node changes."""
    if isinstance(node, ast.Call):
        called = node.func
        if isinstance(called, ast.Attribute) and called.attr in MUTATORS:
            yield called.value
    elif isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
        yield node.value
    elif isinstance(node, ast.AugAssign):
        yield node.target  # a list stays the same list
