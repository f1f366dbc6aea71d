# SPDX-License-Identifier: MIT
from __future__ import annotations

from typing import Any

import pytest
from snakepit_bridge import BaseAdapter, ThreadSafeAdapter, thread_safe_method, tool
from snakepit_bridge.errors import AdapterError
from snakepit_bridge.tools import ToolParameter, collect, unmarked_hint


def names(adapter: object) -> list[str]:
    return list(collect(adapter))


class Everything(ThreadSafeAdapter):
    @tool
    def plain(self) -> str:
        return "plain"

    @tool()
    def empty_parentheses(self) -> str:
        return "empty"

    @tool(description="Says what it does")
    def described(self) -> str:
        """Something else."""
        return "described"

    @tool("Positional text")
    def positional(self) -> str:
        return "positional"

    @tool(name="renamed")
    def original(self) -> str:
        return "renamed"

    @thread_safe_method
    @tool(description="safe above")
    def safe_above(self) -> str:
        return "above"

    @tool(description="safe below")
    @thread_safe_method
    def safe_below(self) -> str:
        return "below"

    @thread_safe_method
    def safe_only(self) -> str:
        return "only"

    @staticmethod
    @tool
    def static_below(x: int) -> int:
        return x

    @tool
    @staticmethod
    def static_above(x: int) -> int:
        return x

    @classmethod
    @tool
    def of_class(cls, x: int) -> int:
        return x

    def undecorated(self) -> None: ...

    @thread_safe_method
    def _private(self) -> None: ...

    @thread_safe_method
    def cleanup(self) -> None: ...

    @property
    def exploding(self) -> str:
        raise AssertionError("looking for tools ran a property")


def test_decorated_public_methods_are_tools_and_nothing_else() -> None:
    assert names(Everything()) == [
        "described",
        "empty_parentheses",
        "of_class",
        "plain",
        "positional",
        "renamed",
        "safe_above",
        "safe_below",
        "safe_only",
        "static_above",
        "static_below",
    ]


def test_tools_can_be_called_by_name() -> None:
    tools = collect(Everything())
    assert tools["renamed"].function() == "renamed"
    assert tools["safe_below"].function() == "below"
    assert tools["static_above"].function(x=3) == 3
    assert tools["of_class"].function(x=4) == 4


def test_either_order_of_decorators_gives_the_same_metadata() -> None:
    tools = collect(Everything())
    for name in ("safe_above", "safe_below"):
        metadata = tools[name].metadata
        assert metadata.thread_safe
        assert metadata.description == name.replace("_", " ")
    assert not tools["plain"].metadata.thread_safe


def test_descriptions_come_from_the_decorator_or_the_docstring() -> None:
    class Documented(BaseAdapter):
        @tool
        def tell(self) -> None:
            """One sentence
            over two lines.

            Details.
            """

    assert collect(Documented())["tell"].metadata.description == (
        "One sentence over two lines."
    )
    tools = collect(Everything())
    assert tools["described"].metadata.description == "Says what it does"
    assert tools["positional"].metadata.description == "Positional text"
    assert tools["plain"].metadata.description == ""


def test_parameters_tell_annotation_and_default() -> None:
    class Typed(BaseAdapter):
        @thread_safe_method
        @tool
        def f(
            self,
            a: int,
            b: str = "x",
            *more: Any,
            c=None,
            d=object,
            e=2**70,
            **rest: Any,
        ) -> None: ...

    metadata = collect(Typed())["f"].metadata
    assert metadata.name == "f"
    assert metadata.parameters == [
        ToolParameter("a", "int"),
        ToolParameter("b", "str", False, "x"),
        ToolParameter("c", "", False, None),
        ToolParameter("d", "", False, "<class 'object'>"),
        ToolParameter("e", "", False, str(2**70)),
    ]


def test_a_lone_surrogate_in_a_docstring_does_not_spoil_the_message() -> None:
    class Odd(BaseAdapter):
        @tool(description="odd \udc80")
        def f(self, a: str = "\udc80") -> None: ...

    assert str(collect(Odd())["f"].metadata).encode("utf-8")


def test_an_override_without_the_decorator_is_no_tool() -> None:
    class Quiet(Everything):
        def plain(self) -> str:
            return "hidden"

    assert "plain" not in names(Quiet())


def test_tools_are_inherited() -> None:
    class Child(Everything):
        @tool
        def more(self) -> None: ...

    assert {"more", "plain"} <= set(names(Child()))


def test_two_methods_cannot_share_a_name() -> None:
    class Twice(BaseAdapter):
        @tool(name="same")
        def one(self) -> None: ...

        @tool(name="same")
        def two(self) -> None: ...

    with pytest.raises(AdapterError, match="'same': one and two"):
        collect(Twice())


def test_a_private_method_is_no_tool_even_with_the_decorator() -> None:
    class Private(BaseAdapter):
        @tool
        def _hidden(self) -> None: ...

        @tool(name="shown")
        def _shown(self) -> None: ...

    with pytest.warns(RuntimeWarning, match="_hidden is private"):
        assert names(Private()) == ["shown"]


@pytest.mark.parametrize("name", ["", "_x", "__init__", "x" * 256])
def test_impossible_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="a tool's name"):
        tool(name=name)


def test_tool_decorates_functions_only() -> None:
    with pytest.raises(TypeError, match="not property objects"):
        tool(property(lambda self: 1))  # type: ignore[call-overload]


def test_the_decorated_method_keeps_name_and_docstring() -> None:
    class Kept(ThreadSafeAdapter):
        @thread_safe_method
        @tool
        def f(self) -> None:
            """Doc."""

    assert Kept.f.__name__ == "f"
    assert Kept.f.__doc__ == "Doc."


def test_get_tools_lists_metadata() -> None:
    assert [metadata.name for metadata in Everything().get_tools()] == names(
        Everything()
    )


class Unmarked(ThreadSafeAdapter):
    def initialize(self) -> None: ...
    def method(self) -> None: ...
    async def coroutine(self) -> None: ...
    @staticmethod
    def static() -> None: ...
    def get_stats(self) -> dict[str, Any]:
        return {}

    def _private(self) -> None: ...
    @tool(name="renamed")
    def original(self) -> None: ...
    @property
    def value(self) -> int:
        raise AssertionError("looking runs no code")

    number = 1


class Below(Unmarked): ...


@pytest.mark.parametrize("name", ["method", "coroutine", "static", "get_stats"])
def test_a_public_method_of_the_authors_without_a_mark_is_known(name: str) -> None:
    assert unmarked_hint(Below, name) == (
        "; Below has a method of that name, but it lacks @tool (or @thread_safe_method)"
    )


@pytest.mark.parametrize(
    "name",
    [
        *[
            "_private",
            "__init__",
            "__class__",
            "initialize",
            "get_tools",
            "acquire_lock",
            "mro",
        ],
        *["original", "renamed", "value", "number", "nowhere"],
        *("", "\0"),
    ],
)
def test_nothing_is_said_of_other_names(name: str) -> None:
    assert unmarked_hint(Below, name) == ""
