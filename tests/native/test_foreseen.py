# SPDX-License-Identifier: MIT
# What a template finds out of a class is what each of its workers would.
from __future__ import annotations

from collections.abc import Iterator
from functools import partialmethod
from typing import Any, Callable

import pytest
from snakepit_bridge import BaseAdapter, calling, resolution, runtime, tool
from snakepit_bridge.errors import AdapterError
from snakepit_bridge.resolution import Answers

pytestmark = pytest.mark.skipif(
    runtime.native is None, reason="only the extension tells that a class has changed"
)


@pytest.fixture(autouse=True)
def nothing_is_known_before() -> Iterator[None]:
    resolution.forget()
    yield
    resolution.forget()


class Plain(BaseAdapter):
    """Tools of each kind that is a plain method."""

    def __init__(self) -> None:
        self.factor = 3

    @tool(description="Multiplies", name="times")
    def multiply(self, x: int, by: float = 2.5) -> float:
        return x * by * self.factor

    @tool
    def stream(self) -> Iterator[int]:
        """Gives some.

        One after the other.
        """
        yield from range(self.factor)

    @tool
    async def later(self) -> str:
        return "awaited"

    def not_a_tool(self) -> None: ...


class Heir(Plain):
    """One of them overridden, and an answer to all other names."""

    @tool(name="times")
    def multiply(self, x: int, by: float = 2.5) -> float:
        return -super().multiply(x, by)

    def execute_tool(self, name: str, arguments: Any, context: Any) -> Any:
        return [name, arguments, self.factor]


def both(adapter_class: Callable[[], Any]) -> tuple[Answers, Answers]:
    """The answers of one instance without and with what a template has found."""
    adapter = adapter_class()
    resolution.forget()
    looked = resolution.of_instance(adapter)
    resolution.foresee(type(adapter))
    return looked, resolution.of_instance(adapter)


def is_foreseen(adapter: Any) -> bool:
    return resolution.foreseen_for(adapter) is not None


@pytest.mark.parametrize("adapter_class", [Plain, Heir])
def test_the_answers_are_the_same(adapter_class: type[Plain]) -> None:
    looked, foreseen = both(adapter_class)
    assert is_foreseen(adapter_class())
    assert foreseen.tools == looked.tools
    assert list(foreseen.functions) == list(looked.functions)
    assert foreseen.signatures == looked.signatures
    assert foreseen.hint("not_a_tool") == looked.hint("not_a_tool") != ""
    for answers in (looked, foreseen):
        sign = -1 if adapter_class is Heir else 1
        assert answers.functions["times"](x=2) == sign * 15
        assert list(answers.functions["stream"]()) == [0, 1, 2]
        assert calling.finished(answers.functions["later"]()) == "awaited"


def test_so_is_the_fallback() -> None:
    looked, foreseen = both(Heir)
    assert looked.fallback is not None and foreseen.fallback is not None
    assert foreseen.fallback("x", {}) == looked.fallback("x", {}) == ["x", {}, 3]
    looked, foreseen = both(Plain)
    assert looked.fallback is foreseen.fallback is None


@pytest.mark.parametrize("changed", [Heir, Plain, BaseAdapter])
def test_a_class_that_was_changed_is_looked_at_again(
    changed: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolution.foresee(Heir)
    assert is_foreseen(Heir())
    monkeypatch.setattr(changed, "more", tool(lambda self: "more"), raising=False)
    assert not is_foreseen(Heir())
    assert "more" in resolution.of_instance(Heir()).functions


def test_an_instance_with_tools_of_its_own_is_looked_at() -> None:
    class Own(Plain):
        def __init__(self) -> None:
            super().__init__()
            self.stream = lambda: "its own"  # type: ignore[method-assign,assignment]

    class More(Plain):
        def __init__(self) -> None:
            super().__init__()
            self.another = tool(lambda: "another")

    for adapter_class in (Own, More):
        resolution.foresee(adapter_class)
        assert not is_foreseen(adapter_class())
    assert resolution.of_instance(Own()).functions["stream"]() == "its own"
    assert resolution.of_instance(More()).functions["another"]() == "another"


def test_a_constructor_that_changes_its_class_is_seen() -> None:
    class Counting(Plain):
        built = 0

        def __init__(self) -> None:
            super().__init__()
            type(self).built += 1

    resolution.foresee(Counting)
    assert not is_foreseen(Counting())


def test_more_than_plain_methods_is_left_to_each_worker() -> None:
    class Wrapped(Plain):
        @staticmethod
        @tool
        def static() -> int:
            return 1

        half = partialmethod(Plain.multiply, by=0.5)

    class Refused(Plain):
        @tool
        def positional(self, x: int, /) -> int:
            return x

    class Each(Plain):
        __per_request__ = True

    class Private(Plain):
        @tool
        def _hidden(self) -> None: ...

    for adapter_class in (Wrapped, Refused, Each, Private):
        resolution.foresee(adapter_class)
        assert not is_foreseen(adapter_class())
    with pytest.raises(AdapterError, match="positional-only"):
        resolution.of_instance(Refused())


def test_a_class_has_a_number_until_it_is_changed() -> None:
    class One:
        pass

    class Two(One):
        pass

    def number() -> int:
        resolution.lookup.number(Two)
        return runtime.class_version(Two)

    before = number()
    assert before == number() != 0
    One.x = 1  # type: ignore[attr-defined]
    assert runtime.class_version(Two) != before
    assert number() not in (0, before)
    with pytest.raises(TypeError, match="not a class"):
        runtime.class_version(3)  # type: ignore[arg-type]


class Unhashable(type):
    """Its classes can be compared, and so not hashed."""

    def __eq__(cls, other: object) -> bool:
        return cls is other


def test_a_class_without_a_hash_is_like_any_other() -> None:
    class Odd(Plain, metaclass=Unhashable):
        pass

    looked, foreseen = both(Odd)
    assert list(foreseen.functions) == list(looked.functions)


def test_a_method_that_is_marked_later_is_found() -> None:
    class Late(Plain):
        def extra(self) -> str:
            return "extra"

    resolution.foresee(Late)
    assert is_foreseen(Late())
    tool(Late.extra)
    assert not is_foreseen(Late())
    assert "extra" in resolution.of_instance(Late()).functions


def test_the_table_is_that_of_the_start() -> None:
    looked, foreseen = both(Plain)
    adapter = Plain()
    resolution.foresee(Plain)
    answers = resolution.of_instance(adapter)
    vars(adapter)["stream"] = [1]  # what initialize() may do
    assert [one.name for one in answers.describe()] == [
        one.name for one in looked.describe()
    ]
    assert [one.name for one in foreseen.describe()]
