# SPDX-License-Identifier: MIT
"""The bridge's dataclasses, which are made without the module `dataclasses`."""

import dataclasses
import inspect
import pickle
import typing
from typing import Any

import pytest
from snakepit_bridge import SessionContext, StreamChunk, ToolMetadata, telemetry
from snakepit_bridge.configuration import Configuration
from snakepit_bridge.tools import ToolParameter

PUBLIC = (
    StreamChunk(1, is_final=True),
    ToolMetadata("a", parameters=[ToolParameter("x")]),
    ToolParameter("x", default=3, required=False),
    SessionContext("s"),
    telemetry.Event("e", {}, {}),
    Configuration(),
)


def twin_of(record: Any) -> Any:
    """The same made by `dataclasses`."""
    kind = type(record)
    fields = []
    for name, parameter in inspect.signature(kind).parameters.items():
        default = parameter.default
        if repr(default) == "<factory>":
            default = dataclasses.field(default_factory=default.make)
        fields.append(
            (name, Any, default) if default is not parameter.empty else (name, Any)
        )
    frozen = kind is not StreamChunk
    made = dataclasses.make_dataclass(kind.__name__, fields, frozen=frozen)
    made.__qualname__ = kind.__qualname__
    return made(**vars(record))


@pytest.mark.parametrize("record", PUBLIC, ids=lambda record: type(record).__name__)
def test_a_record_is_a_dataclass_to_whoever_looks(record: Any) -> None:
    twin = twin_of(record)
    assert dataclasses.is_dataclass(record)
    assert dataclasses.asdict(record) == dataclasses.asdict(twin)
    assert repr(record) == repr(twin)
    assert record == dataclasses.replace(record)
    assert pickle.loads(pickle.dumps(record)) == record
    assert type(record).__match_args__ == type(twin).__match_args__
    assert (type(record).__hash__ is None) is (type(twin).__hash__ is None)
    assert record != twin
    if type(record) is not Configuration:
        assert typing.get_type_hints(type(record))


def test_a_default_is_made_for_each() -> None:
    assert ToolMetadata("a").parameters is not ToolMetadata("a").parameters


@pytest.mark.parametrize("record", PUBLIC[1:], ids=lambda record: type(record).__name__)
def test_a_frozen_one_cannot_be_changed(record: Any) -> None:
    name = type(record).__match_args__[0]
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(record, name, "b")
    with pytest.raises(dataclasses.FrozenInstanceError):
        delattr(record, name)


def test_arguments_are_refused_as_by_any_function() -> None:
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        ToolMetadata()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="unexpected keyword argument 'b'"):
        StreamChunk(b=1)  # type: ignore[call-arg]


def test_a_dataclass_may_derive_from_one() -> None:
    @dataclasses.dataclass
    class Numbered(StreamChunk):
        number: int = 0

    assert dataclasses.asdict(Numbered(1, number=2)) == {
        "data": 1,
        "is_final": False,
        "metadata": None,
        "number": 2,
    }
    with pytest.raises(AttributeError):
        _ = Numbered.__snakepit_fields__


def test_one_that_holds_itself_has_a_repr() -> None:
    chunk = StreamChunk()
    chunk.data = chunk
    assert repr(chunk) == "StreamChunk(data=..., is_final=False, metadata=None)"
