# SPDX-License-Identifier: MIT
"""What carries the mark of a tool is a tool, or the start says why it is none."""

from __future__ import annotations

import functools
import math
from typing import Any, Callable

import pytest
from snakepit_bridge import (
    BaseAdapter,
    ThreadSafeAdapter,
    loader,
    marks,
    resolution,
    thread_safe_method,
    tool,
)
from snakepit_bridge.errors import AdapterError
from snakepit_bridge.tools import ToolMetadata, collect, collect_unbound


def closed(method: Any) -> Any:
    """Hides the method in a closure and says nothing of it."""

    def call(*args: Any, **kwargs: Any) -> Any:
        return method(*args, **kwargs)

    return call


class Held:
    """Hides it in an attribute."""

    def __init__(self, method: Any) -> None:
        self.method = method

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return functools.partial(self.method, instance)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.method(*args, **kwargs)


class Slotted(Held):
    """In a slot."""

    __slots__ = ("method",)


class Updated(Held):
    """Says what it holds, as `functools.wraps` does."""

    def __init__(self, method: Any) -> None:
        super().__init__(method)
        functools.update_wrapper(self, method)

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"it was asked for {name}")


DECORATORS = {
    "closed": closed,
    "twice": lambda method: closed(closed(method)),
    "held": Held,
    "slotted": Slotted,
    "updated": Updated,
    "cached": functools.lru_cache(maxsize=8),
    "cached_closed": lambda method: functools.lru_cache(maxsize=8)(closed(method)),
    "held_closed": lambda method: Held(closed(method)),
}


def decorated(name: str, base: Any = BaseAdapter) -> Any:
    class Hiding(base):
        @DECORATORS[name]
        @tool("Squares")
        def square(self, x: int) -> int:
            return x * x

        @DECORATORS[name]
        def unmarked(self) -> None: ...

    return Hiding


@pytest.mark.parametrize("name", DECORATORS)
@pytest.mark.parametrize("base", [object, BaseAdapter])
def test_a_decorator_hides_no_tool(name: str, base: Any) -> None:
    answers = resolution.of_instance(decorated(name, base)())
    assert list(answers.functions) == ["square"]
    assert answers.functions["square"](x=3) == 9
    (metadata,) = answers.tools
    assert metadata.description == "Squares"
    assert [parameter.name for parameter in metadata.parameters] == ["x"]


@pytest.mark.parametrize("name", DECORATORS)
def test_nor_where_each_call_has_an_instance(name: str) -> None:
    answers = resolution.of_class(decorated(name))
    assert list(answers.functions) == ["square"]
    assert answers.functions["square"](x=3) == 9
    assert [parameter.name for parameter in answers.tools[0].parameters] == ["x"]


class Variants(BaseAdapter):
    @tool(name="sized")
    def scale(self, x: float, factor: float = 1) -> float:
        """Scales."""
        return x * factor

    double = functools.partialmethod(scale, factor=2)
    _half = functools.partialmethod(scale, factor=0.5)

    @functools.singledispatchmethod
    @tool
    def kind(self, x: Any = 0, times: int = 1) -> str:
        """What it is."""
        return "any" * times

    @kind.register
    def _(self, x: str, times: int = 1) -> str:
        return "text" * times

    @tool
    @functools.singledispatchmethod
    def other(self, x: Any) -> str:
        return "any"

    def __init__(self) -> None:
        self.triple = functools.partial(self.scale, factor=3)
        self.alias = self.scale
        self.scale_again = functools.lru_cache(self.scale)
        self.number = 5
        self.unmarked = functools.partial(print)


def test_tools_that_are_made_of_tools_are_tools() -> None:
    tools = collect(Variants())
    assert list(tools) == ["double", "kind", "other", "sized", "triple"]
    assert tools["double"].function(x=2) == 4
    assert tools["triple"].function(x=2) == 6
    assert tools["double"].metadata.description == "Scales."
    assert [one.name for one in tools["double"].metadata.parameters] == ["x", "factor"]


def test_a_tool_that_chooses_by_its_first_argument_takes_it_by_name() -> None:
    for tools in (collect(Variants()), collect_unbound(Variants)):
        kind = tools["kind"]
        assert [one.name for one in kind.metadata.parameters] == ["x", "times"]
        assert kind.metadata.description == "What it is."
    call = collect(Variants())["kind"].function
    assert (call(x=3), call(x="3"), call(x="3", times=2)) == ("any", "text", "texttext")
    assert (call(), call(times=2)) == ("any", "anyany")
    with pytest.raises(TypeError, match=r"other\(\) missing 1 required argument: 'x'"):
        collect(Variants())["other"].function()


def test_an_instances_own_comes_before_its_classs() -> None:
    class Caching(BaseAdapter):
        def __init__(self) -> None:
            self.calls = 0
            self.square = functools.lru_cache(self.square)  # type: ignore[method-assign]

        @tool
        def square(self, x: int) -> int:
            self.calls += 1
            return x * x

    made = Caching()
    call = collect(made)["square"].function
    assert (call(x=3), call(x=3), made.calls) == (9, 9, 1)


def test_what_cannot_be_called_is_told() -> None:
    class Reads(BaseAdapter):
        @property
        @tool
        def size(self) -> int:
            raise AssertionError("it ran")

    with pytest.raises(AdapterError, match=r"Reads\.size has @tool and is a property"):
        collect(Reads())

    class ReadsOnce(BaseAdapter):
        @functools.cached_property
        @tool
        def size(self) -> int:
            raise AssertionError("it ran")

    with pytest.raises(
        AdapterError, match=r"ReadsOnce\.size has @tool and is a cached"
    ):
        collect_unbound(ReadsOnce)

    class Wrong:
        def __init__(self, method: Any) -> None:
            self.method = method

        def __get__(self, instance: Any, owner: Any = None) -> int:
            return 5

    class Gives(BaseAdapter):
        @Wrong
        @tool
        def five(self) -> int:
            return 5

    with pytest.raises(AdapterError, match=r"Gives.five has @tool, but .* called: int"):
        collect(Gives())


def test_a_counted_property_is_nobodys_tool() -> None:
    class Counts(ThreadSafeAdapter):
        @property
        @thread_safe_method
        def size(self) -> int:
            return 5

    assert list(collect(Counts())) == []


def test_a_tool_of_another_name_in_a_closure_is_not_meant() -> None:
    class Uses(BaseAdapter):
        @tool
        def square(self, x: int) -> int:
            return x * x

        plain = closed(square)

    assert list(collect(Uses())) == ["square"]


def test_tool_marks_what_is_called_like_a_method() -> None:
    class Marks(BaseAdapter):
        @tool
        @functools.lru_cache(maxsize=8)  # noqa: B019
        def cached(self, x: int) -> int:
            return x

        made = tool(functools.partialmethod(lambda self, x, y: [x, y], y=2))

    tools = collect(Marks())
    assert tools["cached"].function(x=1) == 1
    with pytest.raises(TypeError, match="not type objects"):
        tool(Marks)
    with pytest.raises(TypeError, match="not int objects"):
        tool(5)  # type: ignore[call-overload]


def test_a_module_with_only_hidden_tools_has_an_adapter(write_module: Any) -> None:
    write_module(
        "hiding",
        """
        from snakepit_bridge import tool

        def closed(method):
            return lambda self, **given: method(self, **given)

        class Hiding:
            @closed
            @tool
            def square(self, x):
                return x * x

        class Lazy:
            def __getattr__(self, name):
                raise RuntimeError("it was asked")

            __class__ = property(lambda self: 1 / 0)

        class Other:
            lazy = Lazy()

        lazy = Lazy()
        """,
    )
    assert loader.load("hiding").__name__ == "Hiding"


# ---- Signatures ----------------------------------------------------------------------


def by_name(function: Callable[..., Any]) -> Any:
    @functools.wraps(function)
    def call(self: Any, **given: Any) -> Any:
        return function(*given.values())

    return tool(call)


@pytest.mark.parametrize("function", [math.pow, max])
@pytest.mark.parametrize("base", [object, BaseAdapter])
def test_what_a_tool_wraps_does_not_decide(function: Any, base: type) -> None:
    adapter_class = type("Wraps", (base,), {"call": by_name(function)})
    for answers in (
        resolution.of_instance(adapter_class()),
        resolution.of_class(adapter_class),
    ):
        assert answers.functions["call"](x=2, y=3) == function(2, 3)
        assert answers.tools[0].parameters == []


class Nasty:
    def __repr__(self) -> str:
        raise ValueError("no repr")


def nasty(self: Any, x: Any = Nasty()) -> int:  # noqa: B008
    return 5


def unlikely(self: Any) -> int:
    return 5


unlikely.__signature__ = "none"  # type: ignore[attr-defined]
unlikely.__doc__ = 7  # type: ignore[assignment]


@pytest.mark.parametrize("function", [nasty, unlikely])
def test_a_description_that_cannot_be_made_is_empty(function: Any) -> None:
    made = type("Nasty", (BaseAdapter,), {"f": tool(function)})()
    answers = resolution.of_instance(made)
    assert answers.tools == [ToolMetadata("f")]
    assert answers.functions["f"]() == 5


def test_attributes_that_have_no_name_are_no_tools() -> None:
    class Odd(BaseAdapter):
        locals()[5] = 6

        def __init__(self) -> None:
            super().__init__()
            self.__dict__[7] = print

        @tool
        def f(self) -> None: ...

    assert [one.attribute for one in marks.of_class(Odd)] == ["f"]
    assert not list(marks.of_instance(Odd()))
