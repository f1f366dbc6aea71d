# SPDX-License-Identifier: MIT
from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from snakepit_bridge import BaseAdapter, configuration, life, resources
from snakepit_bridge.configuration import Configuration
from snakepit_bridge.errors import AdapterError


@pytest.fixture(autouse=True)
def settings() -> None:
    configuration.use(Configuration(adapter_config='{"a": 1}'))


def test_a_metaclass_with_its_own_way_is_asked() -> None:
    class Meta(type):
        def __call__(cls) -> Any:
            return "made by the metaclass"

    assert life.construct(Meta("Made", (), {})) == "made by the metaclass"


def test_a_new_that_gives_something_else_is_respected() -> None:
    class Other:
        def __new__(cls) -> Any:
            return 5

    assert life.construct(Other) == 5


def test_an_instance_that_was_never_whole_is_not_cleaned_up() -> None:
    cleaned: list[object] = []

    class Failing(BaseAdapter):
        def __init__(self) -> None:
            raise OSError("no model")

        def cleanup(self) -> None:
            cleaned.append(self)

    with pytest.raises(OSError, match="no model"):
        life.once(Failing, id)
    assert cleaned == []


def test_a_cleanup_that_fails_does_not_change_the_answer(
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Untidy(BaseAdapter):
        def cleanup(self) -> None:
            raise ValueError("no broom")

    assert life.once(Untidy, lambda adapter: 7) == 7
    assert "snakepit: cleanup of Untidy" in capsys.readouterr().err


class Tidy(BaseAdapter):
    """Notes in what order things end."""

    ends: ClassVar[list[str]] = []

    def numbers(self, fail: bool = False) -> Iterator[int]:
        try:
            yield 1
            if fail:
                raise ValueError("no two")
            yield 2
        finally:
            self.ends.append("generator")

    def cleanup(self) -> None:
        self.ends.append("cleanup")


@pytest.fixture
def tidy() -> Any:
    Tidy.ends.clear()
    return lambda **how: life.once(Tidy, lambda adapter: adapter.numbers(**how))


def test_an_instance_lives_until_its_stream_is_closed(tidy: Any) -> None:
    stream = tidy()
    assert list(stream) == [1, 2]
    assert Tidy.ends == ["generator"]
    stream.close()
    stream.close()
    assert Tidy.ends == ["generator", "cleanup"]


def test_a_stream_that_is_broken_off_is_closed_before_its_instance(tidy: Any) -> None:
    stream = tidy()
    assert next(stream) == 1
    stream.close()
    assert Tidy.ends == ["generator", "cleanup"]


def test_a_stream_that_nobody_drove_is_cleaned_up(tidy: Any) -> None:
    stream = tidy()
    del stream
    assert Tidy.ends == ["cleanup"]


def test_a_stream_that_fails_is_cleaned_up_once(tidy: Any) -> None:
    stream = tidy(fail=True)
    assert next(stream) == 1
    with pytest.raises(ValueError, match="no two"):
        next(stream)
    stream.close()
    assert Tidy.ends == ["generator", "cleanup"]


# ---- Resources -----------------------------------------------------------------------


class Counting:
    loads = 0

    @classmethod
    def load_resource(cls, path: str, type: str) -> Any:
        cls.loads += 1
        return path, type


@pytest.fixture
def forgetful() -> Any:
    resources.forget()
    yield
    resources.forget()


SOME = Configuration(preload_resources=[("a", "x"), ("b", "y")], paths=["/folder"])


def test_resources_are_loaded_once_in_a_process(forgetful: None) -> None:
    resources.load(Counting, SOME)
    resources.load(Counting, SOME)
    assert Counting.loads == 2
    assert resources.current() == {"a": ("/folder/a", "x"), "b": ("/folder/b", "y")}
    with pytest.raises(TypeError):
        resources.current()["c"] = 1  # type: ignore[index]


def test_a_pool_without_resources_asks_nothing_of_its_adapter(forgetful: None) -> None:
    resources.load(object, Configuration())
    assert resources.current() == {}


def needs_instance(self: object, path: str, type: str) -> None: ...


async def awaits(path: str, type: str) -> None: ...


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({}, "Made cannot load them; it needs @classmethod def load_resource"),
        ({"load_resource": needs_instance}, "it needs @classmethod"),
        ({"load_resource": staticmethod(awaits)}, "must be a plain function"),
    ],
)
def test_a_class_that_cannot_load_is_refused(
    forgetful: None, members: dict[str, Any], message: str
) -> None:
    with pytest.raises(AdapterError, match=message):
        resources.load(type("Made", (), members), SOME)
