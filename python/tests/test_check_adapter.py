# SPDX-License-Identifier: MIT
"""`snakepit_bridge.check_adapter` and the parts it is made of."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Callable, Literal, Optional

import pytest
from snakepit_bridge import Tensor, check_adapter, libraries
from snakepit_bridge.checking import examples
from snakepit_bridge.checking.examples import NoExample
from snakepit_bridge.checking.hammering import NOBODYS

ADAPTERS = """
import sys
from snakepit_bridge import ThreadSafeAdapter, current_call, thread_safe_method, tool

class Racy(ThreadSafeAdapter):
    __thread_safe__ = True
    def __init__(self):
        super().__init__()
        self.counter = 0
    @thread_safe_method
    def add(self, value: int):
        self.counter += value

class Fine(ThreadSafeAdapter):
    __thread_safe__ = True
    async def initialize(self):
        self.ready = True
    def cleanup(self):
        assert self.ready
    @tool
    @thread_safe_method
    def echo(self, value: str, times: int = 1):
        print("to standard output")
        return value * times
    @tool
    @thread_safe_method
    def fail(self):
        raise KeyError("as always")
    @tool
    @thread_safe_method
    def unknown(self, thing):
        return thing
    @tool
    @thread_safe_method
    def stream(self):
        yield 1

class Untried(ThreadSafeAdapter):
    __thread_safe__ = True
    @tool
    @thread_safe_method
    def unknown(self, thing):
        return thing

class Looks(ThreadSafeAdapter):
    __thread_safe__ = True
    @tool
    @thread_safe_method
    def look(self):
        current_call().raise_if_cancelled()
        return current_call().tool

class Answers(ThreadSafeAdapter):
    __thread_safe__ = True
    def __init__(self):
        super().__init__()
        self.counter = 0
    @thread_safe_method
    def execute_tool(self, name, arguments, context):
        setattr(self, "counter", self.counter + 1)

class Refuses(ThreadSafeAdapter):
    __thread_safe__ = True
    def _handle_request_impl(self, request):
        raise LookupError(request.command)

class Broken(ThreadSafeAdapter):
    def __init__(self):
        raise OSError("no model")
"""


@pytest.fixture
def adapters(write_module: Callable[..., str]) -> str:
    return write_module("tried", ADAPTERS)


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, Any]:
    status = check_adapter.main([*words, "--json", "--threads", "4", "--calls", "10"])
    return status, json.loads(capsys.readouterr().out)


def test_a_racy_adapter_fails_with_pitfall_and_race(
    adapters: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, found = run(capsys, "tried:Racy")
    assert status == 1 and found["ok"] is False
    assert [pitfall["number"] for pitfall in found["pitfalls"]] == [1]
    assert "'counter'" in found["report"]["warnings"][0]
    assert found["tools"][0]["calls"] == 40


def test_a_correct_adapter_passes_and_its_errors_are_told(
    adapters: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, found = run(capsys, "tried:Fine")
    assert status == 0 and found["ok"] is True
    tools = {tool["name"]: tool for tool in found["tools"]}
    assert tools["echo"]["calls"] == 40 and tools["echo"]["errors"] == 0
    assert tools["stream"]["errors"] == 0
    assert tools["fail"]["first_error"] == "KeyError: 'as always'"
    assert "'thing'" in tools["unknown"]["skipped"]


def test_what_answers_for_names_that_are_no_tool_is_hammered(
    adapters: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, found = run(capsys, "tried:Answers")
    assert status == 1 and found["pitfalls"] == []
    assert "'counter'" in found["report"]["warnings"][0]
    (tried,) = found["tools"]
    assert (tried["name"], tried["calls"]) == (NOBODYS, 40)


def test_it_is_said_where_nothing_was_exercised(
    adapters: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check_adapter.main(["tried:Refuses", "--calls", "10"]) == 0
    text = capsys.readouterr().out
    assert f"any other name, here {NOBODYS!r}: 80 calls, 80 raised" in text
    assert "Nothing was exercised" in text


def test_tools_of_which_none_was_exercised_are_not_ok(
    adapters: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, found = run(capsys, "tried:Untried")
    assert (status, found["ok"], found["exercised"]) == (1, False, False)
    assert check_adapter.main(["tried:Untried"]) == 1
    text = capsys.readouterr().out
    assert "Nothing was exercised" in text and "No thread safety issues" not in text


def test_a_tool_finds_a_call_around_it(
    adapters: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, found = run(capsys, "tried:Looks")
    assert (status, found["tools"][0]["errors"]) == (0, 0)


def test_people_get_the_same_as_text(
    adapters: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check_adapter.main(["tried:Racy", "--calls", "10"]) == 1
    text = capsys.readouterr().out
    assert "tried:Racy on Python" in text
    assert "  add: 80 calls" in text
    assert "Pitfall 1" in text and "Thread Safety Analysis Report" in text


@pytest.mark.parametrize(
    "spec, status, said",
    [
        ("tried:Nothing", 2, "no class 'Nothing'"),
        ("no_such_module:Nothing", 2, "no module named 'no_such_module'"),
        ("tried:Broken", 1, "OSError: no model"),
    ],
)
def test_an_adapter_that_cannot_be_had_is_told(
    spec: str,
    status: int,
    said: str,
    adapters: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert check_adapter.main([spec]) == status
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    "hint, value",
    [
        (int, 3),
        (Optional[str], "example"),
        (list[int], [3, 3, 3]),
        (Sequence[str], ["example"] * 3),
        (dict[str, int], {"key": 1}),
        (Literal["fast", "slow"], "fast"),
        (Any, 1),
    ],
)
def test_an_annotation_gives_an_example(hint: Any, value: Any) -> None:
    assert examples.example_of(hint) == value


def test_an_array_has_an_example() -> None:
    numpy = pytest.importorskip("numpy")
    numpy_typing = pytest.importorskip("numpy.typing")

    def tool(a: Any, b: Any, c: Tensor) -> None: ...

    tool.__annotations__ = {
        "a": numpy.ndarray,
        "b": numpy_typing.NDArray[numpy.float64],
        "c": Tensor,
    }
    found = examples.arguments_for(tool)
    assert [list(found[name]) for name in "abc"] == [[1.0, 2.0, 3.0]] * 3


def test_each_call_has_arguments_of_its_own() -> None:
    def tool(rows: list) -> None: ...  # type: ignore[type-arg]

    first, second = examples.arguments_for(tool), examples.arguments_for(tool)
    assert first == second and first["rows"] is not second["rows"]


def test_a_class_of_ones_own_has_no_example() -> None:
    def tool(thing: pytest.Config) -> None: ...

    with pytest.raises(NoExample, match="'thing'"):
        examples.arguments_for(tool)


def test_the_table_of_libraries_is_whole() -> None:
    table = libraries.known()
    assert {"numpy", "torch", "polars", "requests", "httpx"} <= set(table)
    unsafe = {name for name, library in table.items() if not library.thread_safe}
    assert unsafe == {"pandas", "matplotlib", "sqlite3"}
    for library in table.values():
        assert library.reason and library.pattern
        assert library.docs.startswith("https://")
        assert library.thread_safe or library.use in ("any", "shared")
