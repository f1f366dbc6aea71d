# SPDX-License-Identifier: MIT
from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Callable

import pytest
from snakepit_bridge import (
    BaseAdapter,
    event_loop,
    resolution,
    thread_safe_method,
    tool,
)
from snakepit_bridge.errors import AdapterError, UnknownTool
from snakepit_bridge.request import Request


@pytest.fixture(autouse=True)
def no_loop_is_left() -> Iterator[None]:
    yield
    event_loop.stop()


def adapter_of(**members: Any) -> object:
    return type("Made", (BaseAdapter,), members)()


def coroutine() -> Callable[..., Any]:
    async def run(self: object) -> str:
        return "awaited"

    return run


def async_generator() -> Callable[..., Any]:
    async def run(self: object) -> Any:
        yield 1

    return run


def generator() -> Callable[..., Any]:
    def run(self: object) -> Any:
        yield 1

    return run


def positional(self: object, x: int, /) -> int:
    return x


def positional_with_default(self: object, x: int = 1, /) -> int:
    return x


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"f": tool(positional)}, "positional-only parameter 'x'"),
        (
            {"f": tool(lambda self: 1), "cleanup": generator()},
            "cleanup of Made is a generator; only tools can stream",
        ),
        (
            {"f": tool(lambda self: 1), "initialize": async_generator()},
            "initialize of Made is an async generator; only tools can stream",
        ),
        ({}, "has nothing to call"),
    ],
)
def test_what_cannot_be_called_is_refused_at_the_start(
    members: dict[str, Any], message: str
) -> None:
    with pytest.raises(AdapterError, match=message):
        resolution.of_instance(adapter_of(**members))
    with pytest.raises(AdapterError, match=message):
        resolution.of_class(type(adapter_of(**members)))


@pytest.mark.parametrize("decorate", [tool, thread_safe_method])
@pytest.mark.parametrize("make", [generator, async_generator])
def test_tools_that_stream_are_handed_over_and_told_of(
    decorate: Any, make: Any
) -> None:
    adapter = adapter_of(f=decorate(make()), g=tool(lambda self: 1))
    for answers in (
        resolution.of_instance(adapter),
        resolution.of_class(type(adapter)),
    ):
        assert [metadata.streams for metadata in answers.tools] == [True, False]
        assert answers.tools[0].streams is True


@pytest.mark.parametrize("decorate", [tool, thread_safe_method])
def test_async_tools_become_plain_functions(decorate: Any) -> None:
    answers = resolution.of_instance(adapter_of(f=decorate(coroutine())))
    assert answers.functions["f"]() == "awaited"


def test_plain_tools_are_handed_over_as_they_are() -> None:
    adapter = adapter_of(f=tool(positional_with_default))
    answers = resolution.of_instance(adapter)
    assert answers.functions["f"] == adapter.f  # type: ignore[attr-defined]
    assert [entry.name for entry in answers.tools] == ["f"]


def test_a_class_tells_the_same_of_its_tools_as_an_instance() -> None:
    class Several(BaseAdapter):
        @tool("Adds")
        def add(self, a: int, b: int = 1) -> int:
            return a + b

        @tool
        @staticmethod
        def loose(x: int) -> int:
            return x

        @tool
        @classmethod
        def of_class(cls, x: int) -> int:
            return x

    assert resolution.of_class(Several).tools == resolution.of_instance(Several()).tools


def test_the_names_of_idempotent_tools_are_known_at_the_start() -> None:
    class Marked(BaseAdapter):
        @tool(idempotent=True)
        def get(self) -> int:
            return 1

        @tool(name="all", idempotent=True)
        def get_all(self) -> int:
            return 2

        @tool
        def put(self) -> None: ...

    assert resolution.of_class(Marked).idempotent == ["all", "get"]
    assert resolution.of_instance(Marked()).idempotent == ["all", "get"]


def test_without_a_fallback_there_is_none() -> None:
    assert resolution.fallback_of(adapter_of(f=tool(lambda self: 1))) is None


def test_execute_tool_answers_first() -> None:
    def execute_tool(self: object, tool_name: str, arguments: Any, context: Any) -> Any:
        return tool_name, arguments, context.session_id

    adapter = adapter_of(execute_tool=execute_tool, handle_request=lambda self, r: 1)
    fallback = resolution.fallback_of(adapter)
    assert fallback is not None
    assert fallback("anything", {"a": 1}) == ("anything", {"a": 1}, "")


@pytest.mark.parametrize(
    "attribute", ["handle_request", "_handle_request_impl", "_dispatch"]
)
@pytest.mark.parametrize("base", [BaseAdapter, object])
def test_older_handlers_are_given_a_request(attribute: str, base: type) -> None:
    def handler(self: object, request: Any) -> Any:
        assert request["command"] == request.command
        return request.command, request.args, request.input, request.get("nothing")

    adapter = type("Older", (base,), {attribute: handler})()
    fallback = resolution.fallback_of(adapter)
    assert fallback is not None
    assert fallback("go", {"input": 5, "x": 1}) == (
        "go",
        {"input": 5, "x": 1},
        5,
        None,
    )
    with pytest.raises(AttributeError, match="no 'missing'"):
        _ = Request({"command": "x"}).missing


@pytest.mark.parametrize("attribute", ["handle_request", "_dispatch"])
def test_async_handlers_are_awaited(attribute: str) -> None:
    async def handler(self: object, request: Any) -> Any:
        return request.command

    fallback = resolution.fallback_of(adapter_of(**{attribute: handler}))
    assert fallback is not None
    assert fallback("go", {}) == "go"


def test_requests_for_async_tools_are_answered() -> None:
    adapter: Any = adapter_of(f=tool(coroutine()))
    awaitable = adapter.handle_request({"command": "f"})
    assert event_loop.run(awaitable) == "awaited"


def test_an_unknown_name_is_answered_with_a_near_one() -> None:
    adapter: Any = adapter_of(compute=tool(lambda self: 1))
    with pytest.raises(UnknownTool, match=r"no tool 'comptue'; did you mean 'compute'"):
        adapter.handle_request({"command": "comptue"})
    with pytest.raises(UnknownTool, match=r"no tool 'zzz'; its tools: compute"):
        adapter.handle_request({"command": "zzz"})


def test_a_method_without_the_mark_is_said_to_lack_it() -> None:
    def price(self: object) -> None:
        raise AssertionError("nobody may call it")

    adapter: Any = adapter_of(prize=tool(lambda self: 1), price=price)
    hint = resolution.of_instance(adapter).hint("price")
    assert "has a method of that name, but it lacks @tool" in hint
    assert type(adapter).__name__ in hint
    assert resolution.of_class(type(adapter)).hint("price") == hint
    with pytest.raises(UnknownTool, match=r"lacks @tool .*; did you mean 'prize'\?"):
        adapter.handle_request({"command": "price"})


def test_a_class_for_each_call_answers_by_a_new_instance() -> None:
    life: list[str] = []

    class Once(BaseAdapter):
        __per_request__ = True

        def __init__(self) -> None:
            life.append("construct")

        async def initialize(self) -> None:
            life.append("initialize")

        def cleanup(self) -> None:
            life.append("cleanup")

        @tool
        def who(self, x: int = 1) -> int:
            life.append("call")
            return x

        def execute_tool(self, name: str, arguments: Any, context: Any) -> Any:
            return name

    assert resolution.is_per_request(Once)
    assert not resolution.is_per_request(BaseAdapter)
    answers = resolution.of_class(Once)
    assert life == []
    assert answers.functions["who"](x=5) == 5
    assert life == ["construct", "initialize", "call", "cleanup"]
    assert answers.fallback is not None
    assert answers.fallback("other", {}) == "other"
    assert life.count("cleanup") == 2
