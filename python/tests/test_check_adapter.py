# SPDX-License-Identifier: MIT
"""`snakepit_bridge.check_adapter` and the parts it is made of."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any, Callable, Literal, NewType, Optional, TypeVar

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


# ---- What adapters and command lines may do ------------------------------------------

MODERN = """
    from typing import NewType, TypeVar
    import numpy
    from numpy.typing import NDArray
    from snakepit_bridge import ThreadSafeAdapter, thread_safe_method, tool

    type Row = list[float]
    type Array[T: numpy.generic] = numpy.ndarray[tuple[int, ...], numpy.dtype[T]]
    type Pair[T] = tuple[T, T]
    type Tree = Tree | None
    type Loop = list[Loop]

    class Modern(ThreadSafeAdapter):
        __thread_safe__ = True
        @thread_safe_method
        def row(self, x: Row): return sum(x)
        @thread_safe_method
        def array(self, x: Array[numpy.float64], y: NDArray[numpy.float64]):
            return float((x + y).sum())
        @thread_safe_method
        def pair(self, x: Pair[int]): return len(x)
        @thread_safe_method
        def tree(self, x: Tree): return x
        @thread_safe_method
        def generic[T: int](self, x: T) -> T: return x + 1
        @thread_safe_method
        def loop(self, x: Loop): return x
"""


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the language has no `type`")
def test_type_statements_are_what_they_stand_for(
    write_module: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    write_module("modern", MODERN)
    tools = checked(capsys, "modern")
    assert {name for name, tool in tools.items() if not tool["skipped"]} == {
        *("row", "array", "pair", "tree", "generic")
    }
    assert [tool["errors"] for tool in tools.values()] == [0] * len(tools)


def checked(capsys: pytest.CaptureFixture[str], adapter: str) -> dict[str, Any]:
    words = [adapter, "--threads", "2", "--calls", "2", "--json"]
    assert check_adapter.main(words) in (0, 1)
    found = json.loads(capsys.readouterr().out)
    return {tool["name"]: tool for tool in found["tools"]}


class TypeAliasType:
    """As Python 3.12 has it, and as NumPy 2.5 makes `NDArray`."""

    __value__ = list[int]


class Nasty:
    __hash__ = None  # type: ignore[assignment]

    def __getattr__(self, name: str) -> Any:
        raise ZeroDivisionError(name)


UserId = NewType("UserId", int)
Bound = TypeVar("Bound", bound=str)
Chosen = TypeVar("Chosen", bytes, str)


def test_names_for_types_are_what_they_stand_for() -> None:
    assert examples.example_of(TypeAliasType()) == [3, 3, 3]
    assert examples.example_of(UserId) == 3
    assert examples.example_of(Bound) == "example"
    assert examples.example_of(Chosen) == b"example"


def test_an_annotation_that_means_nothing_is_told() -> None:
    def strange(a: Nasty()) -> None: ...  # type: ignore[valid-type]
    def listed(a: [int]) -> None: ...  # type: ignore[valid-type]
    def nowhere(a: nowhere.Type) -> None: ...  # type: ignore[name-defined]

    for function in (strange, listed, nowhere):
        with pytest.raises(NoExample, match="parameter 'a' needs a default"):
            examples.arguments_for(function)
    with pytest.raises(NoExample, match="Python knows no signature of it"):
        examples.arguments_for(max)


ENDS = {
    "exits": ("import sys\nsys.exit(3)", "exits: SystemExit: 3"),
    "cancels": (
        "import asyncio\nraise asyncio.CancelledError('no more')",
        "cancels: asyncio.exceptions.CancelledError: no more",
    ),
    "misspelt": ("def f(:\n    pass", "misspelt: SyntaxError"),
}


@pytest.mark.parametrize("name", ENDS)
def test_what_ends_the_import_is_told(
    write_module: Any, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    text, said = ENDS[name]
    write_module(name, text)
    assert check_adapter.main([name]) == 1
    told = capsys.readouterr().err
    assert told.startswith(f"snakepit: {said}")
    assert "check_adapter.py" not in told


def test_what_tools_raise_does_not_end_the_check(
    write_module: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    write_module(
        "rude",
        """
        import functools, sys
        from snakepit_bridge import BaseAdapter, tool

        class Mute(Exception):
            def __str__(self):
                raise ValueError("no text")

        class Rude(BaseAdapter):
            @tool
            def leaves(self):
                sys.exit(3)
            @tool
            def mutters(self):
                raise Mute
            @tool
            def surrogate(self):
                raise ValueError("\\udc80")
            @tool
            def fine(self, x: int = 1):
                return x
        """,
    )
    tools = checked(capsys, "rude")
    assert tools["leaves"]["first_error"] == "SystemExit: 3"
    assert "__str__ raised ValueError" in tools["mutters"]["first_error"]
    assert tools["fine"]["errors"] == 0
    assert check_adapter.main(["rude", "--threads", "1", "--calls", "1"]) in (0, 1)


@pytest.mark.parametrize("words", [["--threads", "0"], ["--calls", "-1"]])
def test_numbers_that_make_no_sense_are_refused(
    capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    with pytest.raises(SystemExit):
        check_adapter.main(["anything", *words])
    assert "a number from 1 to" in capsys.readouterr().err
