# SPDX-License-Identifier: MIT
from __future__ import annotations

import sys
from typing import Any, Callable

import pytest
from snakepit_bridge import ThreadSafeAdapter, faults, loader, thread_safe_method
from snakepit_bridge.adapters.showcase import ShowcaseAdapter
from snakepit_bridge.errors import AdapterError


def caught(function: Callable[..., Any], *args: Any, **kwargs: Any) -> BaseException:
    try:
        function(*args, **kwargs)
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


class Silent(Exception):
    def __str__(self) -> str:
        raise RuntimeError("I will not tell")

    __repr__ = __str__


class Safe(ThreadSafeAdapter):
    @thread_safe_method
    def divide(self, x: float) -> float:
        return 1 / x


def test_type_message_and_user_frames_are_told() -> None:
    kind, message, text = faults.describe(caught(Safe().divide, x=0))
    assert kind == "ZeroDivisionError"
    assert message == "division by zero"
    assert "in divide" in text
    assert "return 1 / x" in text
    assert text.rstrip().endswith("ZeroDivisionError: division by zero")


def test_the_bridges_own_frames_are_cut() -> None:
    text = faults.describe(caught(Safe().divide, x=0))[2]
    assert "tracked" not in text
    assert "base_adapter_threaded" not in text


def test_a_call_that_does_not_fit_shows_no_wrapper() -> None:
    kind, message, text = faults.describe(caught(Safe().divide, y=1))
    assert kind == "TypeError"
    assert "unexpected keyword argument 'y'" in message
    assert "tracked" not in text


def test_frames_of_the_example_adapters_stay() -> None:
    text = faults.describe(caught(ShowcaseAdapter().error_demo, message="as asked"))[2]
    assert "in error_demo" in text
    assert "ValueError: as asked" in text


def test_an_adapter_error_is_its_sentence() -> None:
    error = caught(loader.load, "no_such_module_anywhere")
    assert error.__traceback__ is not None
    error.__traceback__ = error.__traceback__.tb_next  # without this test's own frame
    kind, message, text = faults.describe(error)
    assert kind == "snakepit_bridge.errors.AdapterError"
    assert "no module named 'no_such_module_anywhere'" in message
    assert text == ""


def test_chained_exceptions_are_told() -> None:
    def chain() -> None:
        try:
            Safe().divide(x=0)
        except ZeroDivisionError as error:
            raise AdapterError("worse") from error

    text = faults.describe(caught(chain))[2]
    assert "ZeroDivisionError: division by zero" in text
    assert "direct cause" in text
    assert "tracked" not in text


def test_a_cycle_of_causes_ends() -> None:
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    assert "first" in faults.describe(first)[2]


def test_classes_are_named_with_their_module() -> None:
    assert faults.type_name(KeyError("x")) == "KeyError"
    assert faults.type_name(Silent()) == f"{__name__}.Silent"


def test_an_exception_that_cannot_be_printed_is_described() -> None:
    kind, message, text = faults.describe(
        caught(lambda: (_ for _ in ()).throw(Silent()))
    )
    assert kind.endswith("Silent")
    assert message == "(the exception's __str__ raised RuntimeError)"
    assert "Silent" in text


@pytest.mark.parametrize("character", ["x", "\u00e4", "\U0001f40d", "\udc80"])
def test_every_text_is_bounded(character: str) -> None:
    kind, message, text = faults.describe(ValueError(character * 1_000_000))
    assert kind == "ValueError"
    assert len(message.encode()) <= faults.MESSAGE_MAX
    assert len(text.encode()) <= faults.TRACEBACK_MAX
    assert "bytes left out" in message
    assert text.startswith("ValueError: ")


def test_endless_recursion_is_described() -> None:
    def forever(n: int) -> int:
        return forever(n + 1) + 1

    kind, _, text = faults.describe(caught(forever, 0))
    assert kind == "RecursionError"
    assert len(text.encode()) <= faults.TRACEBACK_MAX
    assert "in forever" in text


@pytest.mark.skipif(sys.version_info < (3, 11), reason="no exception groups yet")
def test_groups_are_told_whole() -> None:
    group = ExceptionGroup("both", [caught(Safe().divide, x=0), KeyError("k")])  # noqa: F821
    text = faults.describe(group)[2]
    assert "in divide" in text
    assert "KeyError: 'k'" in text
    assert "tracked" not in text


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_a_tool_that_would_end_its_worker_is_told_that_it_did_not(
    kind: type[BaseException],
) -> None:
    name, message, _ = faults.describe_call(kind("enough"))
    assert name == kind.__name__
    assert message == f"{name}: enough (raised by the tool; its worker goes on)"
    assert faults.describe_call(kind())[1].startswith(f"{name} (raised")
    assert faults.describe(kind("enough"))[1] == "enough"
    assert faults.describe_call(ValueError("x"))[1] == "x"


@pytest.mark.parametrize("raised", [SystemExit, KeyboardInterrupt, RuntimeError])
def test_looking_at_an_exception_cannot_raise(raised: type[BaseException]) -> None:
    class Meta(type):
        @property
        def __module__(cls) -> str:  # type: ignore[override]
            raise raised

    class Evil(Exception, metaclass=Meta):
        def __str__(self) -> str:
            raise raised

    name, message, text = faults.describe_call(Evil())
    assert name == "exception"
    assert message == f"(the exception's __str__ raised {raised.__name__})"
    assert "exception" in text


def test_a_long_chain_of_causes_is_bounded() -> None:
    error: Exception = ValueError("first")
    for i in range(2000):
        later = ValueError(f"later {i}")
        later.__cause__ = error
        error = later
    kind, message, text = faults.describe(error)
    assert (kind, message) == ("ValueError", "later 1999")
    assert len(text.encode()) <= faults.TRACEBACK_MAX
    assert text.rstrip().endswith("later 1999") or "no traceback" in text


@pytest.mark.skipif(sys.version_info < (3, 11), reason="no exception groups yet")
def test_a_huge_group_is_bounded() -> None:
    group = ExceptionGroup(  # noqa: F821
        "many", [ValueError("x" * 1000) for _ in range(10_000)]
    )
    text = faults.describe(group)[2]
    assert len(text.encode()) <= faults.TRACEBACK_MAX
    assert "many (10000 sub-exceptions)" in text


def test_syntax_errors_point_at_the_line() -> None:
    text = faults.describe(caught(compile, "a b", "user.py", "exec"))[2]
    assert 'File "user.py", line 1' in text


def add(a: int, b: int = 1) -> int:
    return a + b


def in_a_wrapper(**given: Any) -> int:
    return add(**given)


def explained(tool: Any, **arguments: Any) -> str:
    error = caught(tool, **arguments)
    assert isinstance(error, TypeError)
    faults.explain({"add": add}, error, "add", tuple(arguments))
    return faults.answer(error)[1]


@pytest.mark.parametrize("tool", [add, in_a_wrapper])
@pytest.mark.parametrize("arguments", [{}, {"a": 1, "c": 2}, {"b": 1}])
def test_a_call_that_does_not_fit_is_told_the_signature_once(
    tool: Any, arguments: dict[str, Any]
) -> None:
    message = explained(tool, **arguments)
    assert message.startswith("add() ")
    assert message.endswith("; its signature is add(a: int, b: int = 1) -> int")
    assert message.count("signature") == 1


def test_a_type_error_of_the_tools_own_has_none() -> None:
    assert "signature" not in explained(add, a=1, b="x")


class Nasty:
    def __repr__(self) -> str:
        raise ValueError("no repr")


def nasty(a: int, b: Any = Nasty()) -> None:  # noqa: B008
    ...


@pytest.mark.parametrize("tool", [max, nasty, None])
def test_without_a_signature_the_error_is_what_it_was(tool: Any) -> None:
    error = TypeError("no")
    faults.explain({"add": tool}, error, "add", ("x",))
    faults.explain({}, error, "add", None)
    assert faults.answer(error)[1] == "no"
