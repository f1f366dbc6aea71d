# SPDX-License-Identifier: MIT
"""Work that takes long, found in source text where a lock is held."""

from __future__ import annotations

import ast
import inspect
import time
from collections.abc import Iterator
from types import FunctionType
from typing import Any

from .source import Method, Sources, definition_of_code

# By the package that does it, and what of it does not take long.
_PACKAGES = frozenset(
    {"numpy", "scipy", "torch", "tensorflow", "sklearn"}
    | {"requests", "httpx", "urllib", "subprocess", "socket", "shutil"}
)
_CHEAP = frozenset(
    {"array", "asarray", "zeros", "ones", "empty", "float32", "float64", "int64"}
)
_CALLS = frozenset({"open", "time.sleep", "os.system", "os.fsync", "self.model"})
_FILE_METHODS = frozenset({"read_text", "read_bytes", "write_text", "write_bytes"})
_NAMED = frozenset({"expensive", "heavy", "slow"})  # how a function's name may begin


class Expense:
    """Looks for long work in the methods of one class."""

    def __init__(self, sources: Sources, packages: dict[str, str]) -> None:
        """`packages`: what the module's names come from, "np" -> "numpy"."""
        self.sources = sources
        self.packages = packages

    def under_lock(self, method: Method) -> Iterator[tuple[int, str]]:
        """Lines of a method on which others wait for long work, and what to do."""
        told: set[int] = set()
        for node, held in method.expressions:
            work = self.work_of(node, set()) if held else ""
            line: int = getattr(node, "lineno", 0)
            if work and line not in told:
                told.add(line)
                yield (
                    line,
                    f"{work} runs while {held[-1]} is held and all others wait; "
                    "compute first, then lock for the update",
                )

    def work_of(self, node: ast.AST, seen: set[str]) -> str:
        """The long work that a node does, "np.dot()", or nothing.

        `seen`: functions that were looked into on the way here.
        """
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
            return "a matrix product"
        if not isinstance(node, ast.Call):
            return ""
        text = ast.unparse(node.func)
        if self.is_long(text):
            return f"{text}()"
        inner = self.work_within(text, seen)
        return f"{text}(), which does {inner}," if inner else ""

    def is_long(self, text: str) -> bool:
        """Whether what is called by this text is known to take long."""
        root, _, rest = text.partition(".")
        last = text.rpartition(".")[2]
        return (
            (self.packages.get(root) in _PACKAGES and rest not in _CHEAP)
            or text in _CALLS
            or text.startswith("self.model.")
            or last in _FILE_METHODS
            or last.lstrip("_").partition("_")[0] in _NAMED
            or self.sources.globals.get(text) is time.sleep
        )

    def work_within(self, text: str, seen: set[str]) -> str:
        """The long work within a method of the adapter or a function of its module."""
        if text in seen:
            return ""
        seen.add(text)
        for node in self.nodes_of(text):
            work = self.work_of(node, seen)
            if work:
                return work.partition(", which")[0]
        return ""

    def nodes_of(self, text: str) -> list[ast.AST]:
        """What a call by this text runs, as far as it can be read."""
        owner, _, name = text.rpartition(".")
        method = self.sources.methods.get(name) if owner == "self" else None
        if method is not None and not method.is_async:
            return [node for node, _ in method.expressions]
        function: Any = self.sources.globals.get(text)
        if not self.is_of_the_module(function):
            return []
        try:
            node = definition_of_code(inspect.unwrap(function).__code__)
        except ValueError:
            return []
        return list(ast.walk(node)) if isinstance(node, ast.FunctionDef) else []

    def is_of_the_module(self, function: Any) -> bool:
        """Whether an author of the adapter wrote it."""
        return (
            isinstance(function, FunctionType)
            and function.__module__ == self.sources.globals.get("__name__")
            and not inspect.isgeneratorfunction(function)
        )
