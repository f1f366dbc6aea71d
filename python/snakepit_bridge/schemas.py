# SPDX-License-Identifier: MIT
"""What an adapter's tools take and give, as JSON Schema 2020-12, from annotations.

A schema says what the annotations say and no more: what has no annotation, or one that
means nothing in JSON, may be anything. Bytes and tensors are the objects that they are
in JSON (docs/values.md). Nothing is imported for this module before a host asks.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import inspect
import types
import typing
from collections.abc import Iterator
from typing import Any, Callable

from . import calling, hints, lookup, signatures
from .resolution import Answers
from .tools import ToolMetadata, bounded, holdable

__all__ = ["describe"]

Schema = dict[str, Any]

ANYTHING: Schema = {}
_DEPTH = 8  # of types in types; deeper ones may be anything
_MOST = 500  # schemas in one annotation's; further ones may be anything

_PLAIN: dict[Any, Schema] = {
    None: {"type": "null"},
    type(None): {"type": "null"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    str: {"type": "string"},
    list: {"type": "array"},
    tuple: {"type": "array"},
    set: {"type": "array"},
    frozenset: {"type": "array"},
    dict: {"type": "object"},
}
# Patterns, for an object whose one member is $bytes is bytes, also in a schema.
_BYTES: Schema = {
    "type": "object",
    "patternProperties": {
        r"^\$bytes$": {"type": "string", "contentEncoding": "base64"}
    },
    "required": ["$bytes"],
    "additionalProperties": False,
}
_DTYPE: Schema = {"type": "string"}
_EXTENT: Schema = {"type": "integer", "minimum": 0}
_SHAPE: Schema = {"type": "array", "items": _EXTENT}


def _tensor(dtype: Schema, shape: Schema) -> Schema:
    """An array whose dtype and shape are these."""
    return {
        "type": "object",
        "patternProperties": {
            r"^\$tensor$": {
                "type": "object",
                "properties": {
                    "dtype": dtype,
                    "shape": shape,
                    "data": {"type": "string", "contentEncoding": "base64"},
                },
                "required": ["dtype", "shape", "data"],
            }
        },
        "required": ["$tensor"],
        "additionalProperties": False,
    }


_TENSOR: Schema = _tensor(_DTYPE, _SHAPE)
# NumPy's names of what a tensor may hold; before NumPy 2 that of bool is "bool_".
_DTYPES = frozenset(
    (
        *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32"),
        *("uint64", "float16", "float32", "float64", "complex64", "complex128"),
        "bfloat16",
    )
)
_SEQUENCES = (
    list,
    set,
    frozenset,
    collections.abc.Sequence,
    collections.abc.MutableSequence,
    collections.abc.Collection,
    collections.abc.Set,
    collections.abc.Iterable,
)
_STREAMS = (
    collections.abc.Generator,
    collections.abc.AsyncGenerator,
    collections.abc.Iterator,
    collections.abc.AsyncIterator,
    collections.abc.AsyncIterable,
)
_MAPS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)
_FIELDS_OF_DICTS = [  # Python 3.11
    getattr(typing, name)
    for name in ("Required", "NotRequired")
    if hasattr(typing, name)
]
_UNIONS = (typing.Union, getattr(types, "UnionType", typing.Union))  # Python 3.10


def describe(adapter_class: type, answers: Answers) -> Schema:
    """The table of an adapter's tools, fit for MessagePack.

    `answers_others`: it also answers names that are not in the table.
    """
    return {
        "adapter": f"{adapter_class.__module__}.{adapter_class.__qualname__}",
        "answers_others": answers.fallback is not None,
        "tools": [
            _row(metadata, answers.signatures[metadata.name])
            for metadata in answers.tools
        ],
    }


def _row(metadata: ToolMetadata, function: Callable[..., Any]) -> Schema:
    return {
        "name": metadata.name,
        "description": metadata.description,
        "streams": metadata.streams,
        "async": calling.seems_to_await(function),
        "idempotent": metadata.idempotent,
        "read_only": metadata.read_only,
        "destructive": metadata.destructive,
        "batch": metadata.max_batch > 1,
        "thread_safe": metadata.thread_safe,
        "parameters": _parameters(function, metadata),
        "result": _of_each(_result(function), metadata, {}),
    }


def _parameters(function: Callable[..., Any], metadata: ToolMetadata) -> Schema:
    found = {parameter.name: parameter for parameter in _signature_of(function)}
    properties: dict[str, Schema] = {}
    for parameter in metadata.parameters:
        its = found.get(parameter.name)
        schema = _schema_of(function, lookup.ABSENT if its is None else its.annotation)
        schema = _of_each(schema, metadata, _TENSOR)
        # What is told as its repr is not the default's value.
        if its is not None and type(its.default) is type(parameter.default):
            schema = {**schema, "default": parameter.default}
        properties[parameter.name] = schema
    required = [one.name for one in metadata.parameters if one.required]
    return {
        "type": "object",
        "properties": properties,
        **({"required": required} if required else {}),
        "additionalProperties": _takes_others(function),
    }


def _of_each(schema: Schema, metadata: ToolMetadata, tensor: Schema) -> Schema:
    """What one call takes or gives where the tool's own is of many: an array of tensors
    is a tensor, and `tensor` that of one call.
    """
    if metadata.max_batch < 2:
        return schema
    if "$tensor" in schema.get("required", ()):
        return tensor
    items: Schema = schema.get("items", ANYTHING)
    return items


def _signature_of(function: Callable[..., Any]) -> list[signatures.Parameter]:
    try:
        return signatures.parameters(function)
    except (TypeError, ValueError):
        return []


def _takes_others(function: Callable[..., Any]) -> bool:
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return True
    return any(one.kind is inspect.Parameter.VAR_KEYWORD for one in found)


def _result(function: Callable[..., Any]) -> Schema:
    try:
        annotations = _below(function).__annotations__
    except (
        AttributeError,
        NameError,
    ):  # it has none, or (Python 3.14) one has no value
        return ANYTHING
    return _schema_of(function, annotations.get("return", lookup.ABSENT))


def _below(function: Callable[..., Any]) -> Any:
    try:
        return inspect.unwrap(function)
    except ValueError:  # it wraps itself
        return function


# ---- One annotation ------------------------------------------------------------------


def _schema_of(function: Callable[..., Any], annotation: Any) -> Schema:
    """Of an annotation of the function, written as a text or not."""
    try:
        if isinstance(annotation, str):
            below = _below(function)
            annotation = eval(annotation, getattr(below, "__globals__", {}))
        return _schema(annotation, _Way())
    except Exception:  # a name for type checkers alone, or code of somebody's metaclass
        return ANYTHING


class _Way:
    """How deep a schema lies, in which classes, and how many more there may be."""

    def __init__(self, above: _Way | None = None, around: Any = None) -> None:
        self._left: Iterator[int] = above._left if above else iter(range(_MOST))
        self._depth: int = above._depth + 1 if above else 0
        self._around: tuple[Any, ...] = (*above._around, around) if above else ()

    def goes_on(self) -> bool:
        """Whether there may be one more."""
        return self._depth <= _DEPTH and next(self._left, None) is not None

    def is_within(self, its: Any) -> bool:
        """Whether this is a part of that class, as a node of a tree is of a node."""
        return any(one is its for one in self._around)


def _schema(annotation: Any, way: _Way) -> Schema:
    if not way.goes_on():
        return ANYTHING
    annotation = hints.meaning_of(annotation)
    plain = _of_a_plain_type(annotation)
    if plain is not None:
        return plain
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _annotated(inner, way)
    if origin is typing.Literal:
        return _literal(inner)
    if origin in _FIELDS_OF_DICTS:
        return _schema(inner[0], way)
    if origin in _UNIONS:
        return {"anyOf": [_schema(one, _Way(way)) for one in inner]}
    if origin is tuple:
        return _tuple(inner, way)
    if origin in _SEQUENCES or origin in _STREAMS:
        return {"type": "array", "items": _schema(inner[0], _Way(way))}
    if origin in _MAPS and inner[0] is str:
        return {
            "type": "object",
            "additionalProperties": _schema(inner[1], _Way(way)),
        }
    return _of_fields(annotation, way)


def _of_a_plain_type(annotation: Any) -> Schema | None:
    if annotation is Any or annotation is lookup.ABSENT:
        return ANYTHING
    if annotation is None or isinstance(annotation, type):
        if annotation in (bytes, bytearray, memoryview):
            return _BYTES
        if _is_a_tensor(annotation):
            return _TENSOR
        return _PLAIN.get(annotation)
    # NDArray[numpy.float64], which is numpy.ndarray[...].
    found = typing.get_origin(annotation)
    return _array(typing.get_args(annotation)) if _is_a_tensor(found) else None


def _array(inner: tuple[Any, ...]) -> Schema:
    """Of what `numpy.ndarray[shape, dtype]` says in its brackets."""
    if len(inner) != 2:
        return _TENSOR
    dtype = typing.get_args(inner[1])
    name = getattr(dtype[0], "__name__", "") if dtype else ""
    name = "bool" if name == "bool_" else name
    return _tensor(
        {**_DTYPE, "const": name} if name in _DTYPES else _DTYPE,
        _shape(typing.get_args(inner[0])),
    )


def _shape(extents: tuple[Any, ...]) -> Schema:
    """Of `tuple[int, Literal[3]]`: two dimensions, the second of three elements."""
    if not extents or Ellipsis in extents:
        return _SHAPE
    each = [_extent(one) for one in extents]
    return {
        "type": "array",
        "prefixItems": each,
        "items": False,
        "minItems": len(each),
        "maxItems": len(each),
    }


def _extent(annotation: Any) -> Schema:
    values = typing.get_args(annotation)
    fixed = typing.get_origin(annotation) is typing.Literal and len(values) == 1
    return {"const": values[0]} if fixed and type(values[0]) is int else _EXTENT


def _is_a_tensor(found: Any) -> bool:
    home, name = getattr(found, "__module__", ""), getattr(found, "__name__", "")
    package = str(home).partition(".")[0]
    return (package, name) in (("numpy", "ndarray"), ("snakepit_bridge", "Tensor"))


def _annotated(inner: tuple[Any, ...], way: _Way) -> Schema:
    schema = _schema(inner[0], _Way(way))
    words = [one for one in inner[1:] if isinstance(one, str)]
    return {**schema, "description": bounded(words[0])} if words else schema


def _literal(values: tuple[Any, ...]) -> Schema:
    told = (bool, int, str, type(None))
    fit = all(type(one) in told and holdable(one) == one for one in values)
    return {"enum": [*values]} if fit else ANYTHING


def _tuple(inner: tuple[Any, ...], way: _Way) -> Schema:
    if len(inner) == 2 and inner[1] is Ellipsis:
        return {"type": "array", "items": _schema(inner[0], _Way(way))}
    items = [_schema(one, _Way(way)) for one in inner]
    length = {"minItems": len(items), "maxItems": len(items)}
    return {"type": "array", "prefixItems": items, "items": False, **length}


def _of_fields(annotation: Any, way: _Way) -> Schema:
    """Of a TypedDict or a dataclass; anything else may be anything."""
    if way.is_within(annotation):
        return ANYTHING
    if hasattr(annotation, "__required_keys__"):  # a TypedDict
        required = sorted(annotation.__required_keys__)
    elif isinstance(annotation, type) and dataclasses.is_dataclass(annotation):
        required = [field.name for field in dataclasses.fields(annotation)]
    else:
        return ANYTHING
    found = typing.get_type_hints(annotation, include_extras=True)
    return {
        "type": "object",
        "properties": {
            name: _schema(one, _Way(way, annotation)) for name, one in found.items()
        },
        "required": required,
    }
