# SPDX-License-Identifier: MIT
"""Tools: how a method is marked as one, and which of an adapter's are callable."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Callable, TypeVar, overload

from . import calling
from .declaration import BASE_MODULES
from .errors import AdapterError

Method = TypeVar("Method", bound=Callable[..., Any])

NAME_MAX = 255  # bytes of a tool's name in shared memory
TEXT_MAX = 1000  # characters of a description

# Attributes that the decorators leave on a function.
TOOL_MARK = "__snakepit_tool__"
SAFE_MARK = "__thread_safe__"

# The worker calls these itself: @thread_safe_method alone does not make tools of them.
LIFE = frozenset(
    {"initialize", "cleanup", "load_resource", "execute_tool", "handle_request"}
)


@dataclass(frozen=True)
class ToolMark:
    """What `tool` was given; the method's name and docstring stand in for nothing."""

    name: str = ""
    description: str = ""


@dataclass(frozen=True)
class ToolParameter:
    """One parameter of a tool, as its signature has it."""

    name: str
    annotation: str = ""  # its source text; empty if it has none
    required: bool = True
    default: Any = None  # None, a bool, a number or a text; else the value's repr

    def as_message(self) -> dict[str, Any]:
        """The parameter as a dict that MessagePack can hold."""
        message: dict[str, Any] = {"name": self.name, "required": self.required}
        if self.annotation:
            message["annotation"] = self.annotation
        if not self.required:
            message["default"] = self.default
        return message


@dataclass(frozen=True)
class ToolMetadata:
    """What a host is told about a tool."""

    name: str
    description: str = ""
    parameters: list[ToolParameter] = field(default_factory=list)
    thread_safe: bool = False  # marked with thread_safe_method
    streams: bool = False  # a generator, or around one: a call gives many values

    def as_message(self) -> dict[str, Any]:
        """The metadata as a dict that MessagePack can hold."""
        return {
            "name": self.name,
            "description": self.description,
            "parameters": [parameter.as_message() for parameter in self.parameters],
            "streams": self.streams,
        }


@dataclass(frozen=True)
class Tool:
    """A callable tool of an adapter."""

    metadata: ToolMetadata
    function: Callable[..., Any]
    attribute: str  # the method's name in its class


@overload
def tool(function: Method, /) -> Method: ...
@overload
def tool(
    description: str | None = None, /, *, name: str | None = None
) -> Callable[[Method], Method]: ...
@overload
def tool(
    *, description: str | None = None, name: str | None = None
) -> Callable[[Method], Method]: ...
def tool(
    function: Method | str | None = None,
    /,
    *,
    description: str | None = None,
    name: str | None = None,
) -> Method | Callable[[Method], Method]:
    """Makes a method callable by the host, which passes arguments by name.

    Works as ``@tool``, ``@tool("what it does")`` and ``@tool(description=...,
    name=...)``, above or below ``@thread_safe_method``. Without a description the first
    paragraph of the docstring is used, without a name the method's own.

    Raises TypeError for anything that is not a function, ValueError for an impossible
    name.
    """
    if isinstance(function, str):
        function, description = None, function
    if name is not None:
        check_name(name)
    mark = ToolMark(name or "", description or "")
    if function is None:
        return lambda method: _mark(method, mark)
    return _mark(function, mark)


def _mark(method: Method, mark: ToolMark) -> Method:
    target = (
        method.__func__ if isinstance(method, (staticmethod, classmethod)) else method
    )
    if not inspect.isfunction(target):
        raise TypeError(f"@tool decorates methods, not {type(method).__name__} objects")
    setattr(target, TOOL_MARK, mark)
    return method


def not_of_an_instance(name: str, kind: type) -> str:
    """Why a static or a class method cannot have @thread_safe_method."""
    what = "a static method" if kind is staticmethod else "a class method"
    return (
        f"@thread_safe_method counts calls of an adapter's instance, but {name} is "
        f"{what}; make it a method with self, or leave @thread_safe_method out: @tool "
        "alone makes it a tool"
    )


def check_name(name: str) -> None:
    """Raises ValueError unless the host can call something by this name."""
    if not name or name.startswith("_"):
        raise ValueError(
            f"a tool's name is not empty and has no leading underscore: {name!r}"
        )
    if len(name.encode("utf-8", "replace")) > NAME_MAX:
        raise ValueError(
            f"a tool's name has at most {NAME_MAX} bytes: {name[:40]!r}..."
        )


def collect(adapter: object) -> dict[str, Tool]:
    """The tools of an adapter instance by name, in alphabetical order.

    Raises AdapterError if two methods claim one name, and for static and class methods
    with `thread_safe_method`.
    """
    return _collect(type(adapter), lambda attribute, _: getattr(adapter, attribute))


def collect_unbound(adapter_class: type) -> dict[str, Tool]:
    """The tools of a class without an instance: their functions are there to look at.

    Raises AdapterError as `collect` does.
    """
    nobody = object()
    return _collect(
        adapter_class, lambda _, found: found.__get__(nobody, adapter_class)
    )


def _collect(
    adapter_class: type, bind: Callable[[str, Any], Callable[..., Any]]
) -> dict[str, Tool]:
    tools: dict[str, Tool] = {}
    for attribute, method in _marked_methods(adapter_class):
        found = _describe(attribute, bind(attribute, method))
        name = found.metadata.name
        if name in tools:
            raise AdapterError(
                f"two methods of {adapter_class.__name__} are tool {name!r}: "
                f"{tools[name].function.__name__} and {attribute}"
            )
        tools[name] = found
    return dict(sorted(tools.items()))


def _marked_methods(adapter_class: type) -> Iterator[tuple[str, Any]]:
    for attribute in dir(adapter_class):
        # getattr_static, so that looking for tools runs no property.
        found = inspect.getattr_static(adapter_class, attribute)
        target = (
            found.__func__ if isinstance(found, (staticmethod, classmethod)) else found
        )
        if not inspect.isfunction(target):
            continue
        if target is not found and getattr(target, SAFE_MARK, False):
            name = f"{adapter_class.__name__}.{attribute}"
            raise AdapterError(not_of_an_instance(name, type(found)))
        if hasattr(target, TOOL_MARK):
            if _may_be_called(attribute, getattr(target, TOOL_MARK), adapter_class):
                yield attribute, found
        elif getattr(target, SAFE_MARK, False) and _is_public(attribute):
            yield attribute, found


def unmarked_hint(adapter_class: type, name: str) -> str:
    """Why `name` is no tool where the author has a public method of that name: "; ..."
    to follow a sentence, else nothing. Runs no code of the adapter.
    """
    found = inspect.getattr_static(adapter_class, name, None)
    function = (
        found.__func__ if isinstance(found, (staticmethod, classmethod)) else found
    )
    if (
        not _is_public(name)
        or not inspect.isfunction(function)
        or hasattr(function, TOOL_MARK)  # a tool by another name
        or _is_ours(adapter_class, name)
    ):
        return ""
    return (
        f"; {adapter_class.__name__} has a method of that name, but it lacks @tool "
        "(or @thread_safe_method)"
    )


def _is_ours(adapter_class: type, name: str) -> bool:
    """Whether the base classes alone define it."""
    return not any(
        name in vars(base) and base.__module__ not in BASE_MODULES
        for base in adapter_class.__mro__[:-1]
    )


def _is_public(attribute: str) -> bool:
    return not attribute.startswith("_") and attribute not in LIFE


def _may_be_called(attribute: str, mark: ToolMark, adapter_class: type) -> bool:
    if mark.name or not attribute.startswith("_"):
        return True
    warnings.warn(
        f"{adapter_class.__name__}.{attribute} is private and so no tool; "
        "@tool(name=...) would give it a public name",
        RuntimeWarning,
        stacklevel=2,
    )
    return False


def _describe(attribute: str, function: Callable[..., Any]) -> Tool:
    mark: ToolMark = getattr(function, TOOL_MARK, ToolMark())
    metadata = ToolMetadata(
        name=mark.name or attribute,
        description=_bounded(mark.description or _first_paragraph(function)),
        parameters=parameters_of(function),
        thread_safe=bool(getattr(function, SAFE_MARK, False)),
        streams=calling.seems_to_stream(function),
    )
    return Tool(metadata, function, attribute)


def _first_paragraph(function: Callable[..., Any]) -> str:
    text = inspect.getdoc(function) or ""
    return " ".join(text.split("\n\n", 1)[0].split())


def parameters_of(function: Callable[..., Any]) -> list[ToolParameter]:
    """The named parameters of a function, ``self`` left out where it is bound."""
    unnamed = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [
        _parameter(parameter)
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind not in unnamed
    ]


def _parameter(parameter: inspect.Parameter) -> ToolParameter:
    required = parameter.default is inspect.Parameter.empty
    return ToolParameter(
        name=parameter.name,
        annotation=_annotation(parameter.annotation),
        required=required,
        default=None if required else _plain(parameter.default),
    )


def _annotation(annotation: Any) -> str:
    if annotation is inspect.Parameter.empty:
        return ""
    text = (
        annotation
        if isinstance(annotation, str)
        else inspect.formatannotation(annotation)
    )
    return _bounded(text)


def _plain(value: Any) -> Any:
    """`value` if every host can hold it, else its repr: a default is told, not used."""
    if value is None or type(value) in (bool, float):
        return value
    if type(value) is int and -(2**63) <= value < 2**63:
        return value
    return _bounded(value if type(value) is str else repr(value))


def _bounded(text: str) -> str:
    """A text that UTF-8 can hold, of a bounded length."""
    return text[:TEXT_MAX].encode("utf-8", "backslashreplace").decode("utf-8")
