# SPDX-License-Identifier: MIT
"""Tools as JSON Schema: each kind of annotation, and those that say nothing."""

from __future__ import annotations

import dataclasses
import enum
import typing
from collections import abc  # noqa: F401 - in the texts below
from collections.abc import Iterator
from typing import Any, NewType, TypedDict

import numpy
import numpy.typing
import pytest
from snakepit_bridge import (
    BaseAdapter,
    Tensor,
    resolution,
    schemas,
    thread_safe_method,
    tool,
)


class Named(TypedDict, total=False):
    label: str


class Point(Named):
    x: float


@dataclasses.dataclass
class Box:
    size: int
    inner: list[Box]


class Colour(enum.Enum):
    RED = 1


BYTES = {
    "type": "object",
    "patternProperties": {
        r"^\$bytes$": {"type": "string", "contentEncoding": "base64"}
    },
    "required": ["$bytes"],
    "additionalProperties": False,
}
INTEGER = {"type": "integer"}
TEXT = {"type": "string"}

KINDS = [
    ("int", INTEGER),
    ("bool", {"type": "boolean"}),
    ("float", {"type": "number"}),
    ("str", TEXT),
    ("None", {"type": "null"}),
    ("bytes", BYTES),
    ("Any", {}),
    ("object", {}),
    ("list", {"type": "array"}),
    ("list[int]", {"type": "array", "items": INTEGER}),
    ("abc.Sequence[str]", {"type": "array", "items": TEXT}),
    ("abc.Iterator[int]", {"type": "array", "items": INTEGER}),
    ("abc.AsyncIterator[int]", {"type": "array", "items": INTEGER}),
    ("tuple[int, ...]", {"type": "array", "items": INTEGER}),
    (
        "tuple[int, str]",
        {
            "type": "array",
            "prefixItems": [INTEGER, TEXT],
            "items": False,
            "minItems": 2,
            "maxItems": 2,
        },
    ),
    ("dict[str, int]", {"type": "object", "additionalProperties": INTEGER}),
    (
        "abc.Mapping[str, int]",
        {"type": "object", "additionalProperties": INTEGER},
    ),
    ("dict[int, int]", {}),
    ("int | None", {"anyOf": [INTEGER, {"type": "null"}]}),
    ("typing.Optional[int]", {"anyOf": [INTEGER, {"type": "null"}]}),
    ("typing.Union[int, str]", {"anyOf": [INTEGER, TEXT]}),
    ("typing.Literal['a', 2, None]", {"enum": ["a", 2, None]}),
    ("typing.Literal[Colour.RED]", {}),
    ("typing.Literal[10**30, 1]", {}),
    (r"typing.Literal['\ud800']", {}),
    ("Colour", {}),
    (
        "typing.Annotated[int, 'count']",
        {"type": "integer", "description": "count"},
    ),
    ("typing.Annotated[int, 5]", INTEGER),
    (
        r"typing.Annotated[int, '\ud800']",
        {"type": "integer", "description": r"\ud800"},
    ),
    (
        "Point",
        {
            "type": "object",
            "properties": {"label": TEXT, "x": {"type": "number"}},
            "required": ["x"],
        },
    ),
    ("OfTypeCheckersAlone", {}),
    ("no python (", {}),
    ("1 / 0", {}),
]


def table(*functions: Any, **more: Any) -> dict[str, Any]:
    names = {function.__name__: tool(function) for function in functions}
    adapter_class = type("Made", (BaseAdapter,), {**names, **more})
    return schemas.describe(adapter_class, resolution.of_instance(adapter_class()))


def row(function: Any) -> dict[str, Any]:
    (only,) = table(function)["tools"]
    return typing.cast("dict[str, Any]", only)


@pytest.mark.parametrize(("annotation", "schema"), KINDS)
def test_an_annotation_as_schema(annotation: str, schema: dict[str, Any]) -> None:
    def f(self: Any, x): ...  # type: ignore[no-untyped-def]

    f.__annotations__ = {"x": annotation, "return": annotation}
    found = row(f)
    assert found["parameters"]["properties"] == {"x": schema}
    assert found["result"] == schema


@pytest.mark.parametrize(
    "annotation",
    [numpy.ndarray, Tensor, numpy.typing.NDArray[numpy.float32], "numpy.ndarray"],
)
def test_arrays_are_tensors(annotation: Any) -> None:
    def f(self: Any, x): ...  # type: ignore[no-untyped-def]

    f.__annotations__ = {"x": annotation}
    (member,) = row(f)["parameters"]["properties"]["x"]["patternProperties"]
    assert member == r"^\$tensor$"


def test_names_for_types_are_what_they_stand_for() -> None:
    class TypeAliasType:
        """As Python 3.12 has it, and as NumPy 2.5 makes `NDArray`."""

        __value__ = list[int]

    def f(self: Any, x, y): ...  # type: ignore[no-untyped-def]

    f.__annotations__ = {"x": TypeAliasType(), "y": NewType("UserId", int)}
    assert row(f)["parameters"]["properties"] == {
        "x": {"type": "array", "items": {"type": "integer"}},
        "y": {"type": "integer"},
    }


def test_a_type_that_holds_itself_ends() -> None:
    def f(self: Any, box: Box) -> None: ...

    assert row(f)["parameters"]["properties"]["box"] == {
        "type": "object",
        "properties": {"size": INTEGER, "inner": {"type": "array", "items": {}}},
        "required": ["size", "inner"],
    }


def test_types_that_branch_have_a_bounded_schema() -> None:
    kind: Any = int
    for depth in range(8):
        names = [f"of_{depth}_{i}" for i in range(8)]
        kind = dataclasses.make_dataclass(f"At{depth}", [(one, kind) for one in names])

    def f(self: Any, tree: Any) -> None: ...

    f.__annotations__["tree"] = kind
    assert 200 < str(table(f)).count("of_") < 5_000


def test_parameters_are_an_object() -> None:
    def f(self: Any, a: int, b: float = 1.5, c: Any = object, *, d: str = "x"): ...  # type: ignore[no-untyped-def]

    found = row(f)["parameters"]
    assert found["type"] == "object"
    assert found["required"] == ["a"]
    assert found["additionalProperties"] is False
    assert found["properties"] == {
        "a": INTEGER,
        "b": {"type": "number", "default": 1.5},
        "c": {},  # its default is no value of JSON
        "d": {"type": "string", "default": "x"},
    }


def test_what_takes_any_name_says_so() -> None:
    def f(self: Any, **rest: int) -> None: ...

    found = row(f)["parameters"]
    assert found == {"type": "object", "properties": {}, "additionalProperties": True}


def test_flags_and_texts() -> None:
    class Flags(BaseAdapter):
        @tool(idempotent=True)
        @thread_safe_method
        async def later(self) -> int:
            """Comes later.

            And this is not told.
            """
            return 1

        @tool("Counts up")
        def many(self) -> Iterator[int]:
            yield 1

        def _handle_request_impl(self, request: Any) -> None: ...

    found = schemas.describe(Flags, resolution.of_instance(Flags()))
    assert found["adapter"].endswith("Flags")
    assert found["answers_others"] is True
    later, many = found["tools"]
    names = ("name", "description", "streams", "async", "idempotent", "thread_safe")
    assert [later[name] for name in names] == [
        "later",
        "Comes later.",
        False,
        True,
        True,
        True,
    ]
    assert [many[name] for name in names] == [
        "many",
        "Counts up",
        True,
        False,
        False,
        False,
    ]
    assert later["result"] == INTEGER


def test_where_each_call_has_an_instance() -> None:
    class Once(BaseAdapter):
        __per_request__ = True

        @tool
        def f(self, a: int) -> int:
            return a

    found = schemas.describe(Once, resolution.of_class(Once))
    assert found["answers_others"] is False
    assert found["tools"][0]["parameters"]["required"] == ["a"]


def test_one_call_of_a_tool_that_takes_many() -> None:
    class Many(BaseAdapter):
        @tool(batch=4)
        def f(
            self, text: list[str], row: numpy.ndarray, other: Any, loose: list[Any]
        ) -> list[int]:
            return [len(one) for one in text]

        @tool(batch=4)
        def g(self) -> numpy.ndarray:
            return numpy.ones(1)

    f, g = schemas.describe(Many, resolution.of_instance(Many()))["tools"]
    assert (f["batch"], f["result"], g["result"]) == (True, INTEGER, {})
    properties = f["parameters"]["properties"]
    assert properties["text"] == {"type": "string"}
    assert list(properties["row"]["patternProperties"]) == [r"^\$tensor$"]
    assert (properties["other"], properties["loose"]) == ({}, {})
