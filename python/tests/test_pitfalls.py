# SPDX-License-Identifier: MIT
"""`check_common_pitfalls` on the guides' wrong and correct examples."""

from __future__ import annotations

import importlib
import textwrap
from typing import Any, Callable

import pytest
from pitfalls_right import HEAD, RIGHT
from pitfalls_wrong import WRONG
from snakepit_bridge.adapters.threaded_showcase import ThreadedShowcaseAdapter
from snakepit_bridge.checking.pitfalls import is_locked_throughout
from snakepit_bridge.thread_safety_checker import check_common_pitfalls, find_pitfalls


@pytest.fixture
def adapter_of(write_module: Callable[..., str]) -> Callable[[str], Any]:
    made: list[str] = []

    def make(methods: str) -> Any:
        body = textwrap.indent(textwrap.dedent(methods), "    ")
        made.append(write_module(f"pitfall_{len(made)}", HEAD + body))
        return importlib.import_module(made[-1]).Adapter

    return make


@pytest.mark.parametrize("case", WRONG)
def test_each_wrong_example_is_found(
    case: str, adapter_of: Callable[[str], Any]
) -> None:
    number, methods = WRONG[case]
    found = find_pitfalls(adapter_of(methods))
    assert {pitfall.number for pitfall in found} == {number}


@pytest.mark.parametrize("case", RIGHT)
def test_no_correct_example_is_found(
    case: str, adapter_of: Callable[[str], Any]
) -> None:
    assert check_common_pitfalls(adapter_of(RIGHT[case])) == []


def test_a_missing_declaration_is_found(write_module: Callable[..., str]) -> None:
    write_module(
        "silent",
        """
        from snakepit_bridge import ThreadSafeAdapter
        class Silent(ThreadSafeAdapter):
            pass
        """,
    )
    adapter = importlib.import_module("silent").Silent
    (found,) = check_common_pitfalls(adapter)
    assert found.startswith("Pitfall 4, no __thread_safe__ declaration: Silent, line 3")


def test_a_finding_names_method_and_line(adapter_of: Callable[[str], Any]) -> None:
    (found,) = find_pitfalls(adapter_of(WRONG["1 a counter"][1]))
    assert found.place == "Adapter.increment"
    lines = (HEAD + textwrap.dedent(WRONG["1 a counter"][1])).splitlines()
    assert "self.counter += 1" in lines[found.line - 1]


def test_a_finding_says_how_to_call_it_meant(adapter_of: Callable[[str], Any]) -> None:
    (found,) = check_common_pitfalls(adapter_of(WRONG["1 a counter"][1]))
    assert "# snakepit: safe" in found


def test_an_unmarked_method_that_a_decorator_locks_may_overlap(
    adapter_of: Callable[[str], Any],
) -> None:
    made = adapter_of(RIGHT["a decorator that locks"])
    assert is_locked_throughout(made.increment)
    assert not is_locked_throughout(made.__init__)


def test_the_showcase_has_none() -> None:
    assert check_common_pitfalls(ThreadedShowcaseAdapter) == []


def test_without_source_text_it_says_so() -> None:
    made = type("Made", (), {})
    with pytest.raises(ValueError, match="source of Made"):
        check_common_pitfalls(made)
