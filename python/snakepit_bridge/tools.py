# SPDX-License-Identifier: MIT
"""Tools: how a method is marked as one, and which of an adapter's are callable."""

from __future__ import annotations

from types import FunctionType, MethodType

from . import calling, late, lookup
from .declaration import BASE_MODULES, SAFE_MARK, TOOL_MARK, note_mark
from .errors import AdapterError
from .late import TYPE_CHECKING

if TYPE_CHECKING:
    import functools
    import inspect
    import typing
    from collections.abc import Mapping
    from dataclasses import dataclass, field
    from typing import Any, Callable, TypeVar, overload

    from . import batches, marks, notices, signatures
    from .marks import Marked

    Method = TypeVar("Method", bound=Callable[..., Any])
    Result = TypeVar("Result")
else:
    from .records import dataclass, field

    batches = late.Module("snakepit_bridge.batches")
    functools = late.Module("functools")
    inspect = late.Module("inspect")
    marks = late.Module("snakepit_bridge.marks")
    notices = late.Module("snakepit_bridge.notices")
    signatures = late.Module("snakepit_bridge.signatures")
    typing = late.Module("typing")

__all__ = [
    "SAFE_MARK",
    "TOOL_MARK",
    "Tool",
    "ToolMetadata",
    "ToolParameter",
    "collect",
    "collect_unbound",
    "not_of_an_instance",
    "tool",
    "tool_of",
    "unmarked_hint",
]

# The name by which a host asks for the table of all tools. No adapter has one of it.
TABLE_TOOL = "_tools"
NAME_MAX = 255  # bytes of a tool's name in shared memory
TEXT_MAX = 1000  # characters of a description

# The worker calls these itself: @thread_safe_method alone does not make tools of them.
LIFE = frozenset(
    {
        "initialize",
        "cleanup",
        "health_check",
        "load_resource",
        "execute_tool",
        "handle_request",
    }
)


@dataclass(frozen=True)
class ToolMark:
    """What `tool` was given; the method's name and docstring stand in for nothing."""

    name: str = ""
    description: str = ""
    idempotent: bool = False
    read_only: bool = False
    destructive: bool = True
    batch: typing.Any = None  # batches.Terms; None: it takes one call


@dataclass(frozen=True)
class ToolParameter:
    """One parameter of a tool, as its signature has it."""

    name: str
    annotation: str = ""  # its source text; empty if it has none
    required: bool = True
    default: typing.Any = None  # None, bool, number or text; else the value's repr


@dataclass(frozen=True)
class ToolMetadata:
    """What a host is told about a tool."""

    name: str
    description: str = ""
    parameters: list[ToolParameter] = field(default_factory=list)
    thread_safe: bool = False  # marked with thread_safe_method
    streams: bool = False  # a generator, or around one: a call gives many values
    idempotent: bool = False  # its author says that calling it twice is calling it once
    read_only: bool = False  # likewise that it changes nothing
    destructive: bool = True  # it may change or delete what is there already
    max_batch: int = 1  # calls that it takes at once


@dataclass(frozen=True)
class Tool:
    """A callable tool of an adapter."""

    name: str
    function: Callable[..., Any]
    attribute: str  # its name in its class
    of: Callable[[Any], Callable[..., Any]]  # the same of another instance
    describe: Callable[[], ToolMetadata]
    idempotent: bool
    batch: batches.Terms | None

    @property
    def metadata(self) -> ToolMetadata:
        """Worked out when somebody asks: a start does without."""
        return self.describe()


if TYPE_CHECKING:

    @overload
    def tool(function: Method, /) -> Method: ...
    @overload
    def tool(
        description: str | None = None,
        /,
        *,
        name: str | None = None,
        idempotent: bool = False,
        read_only: bool = False,
        destructive: bool | None = None,
        batch: int | Mapping[str, int] | None = None,
    ) -> Callable[[Method], Method]: ...
    @overload
    def tool(
        *,
        description: str | None = None,
        name: str | None = None,
        idempotent: bool = False,
        read_only: bool = False,
        destructive: bool | None = None,
        batch: int | Mapping[str, int] | None = None,
    ) -> Callable[[Method], Method]: ...


def tool(
    function: Method | str | None = None,
    /,
    *,
    description: str | None = None,
    name: str | None = None,
    idempotent: bool = False,
    read_only: bool = False,
    destructive: bool | None = None,
    batch: int | Mapping[str, int] | None = None,
) -> Method | Callable[[Method], Method]:
    """Makes a method callable by the host, which passes arguments by name.

    Works as ``@tool``, ``@tool("what it does")`` and ``@tool(description=...,
    name=...)``, above or below ``@thread_safe_method``. Without a description the first
    paragraph of the docstring is used, without a name the method's own. `idempotent`
    tells hosts that a second call with the same arguments changes nothing more,
    `read_only` that a call changes nothing at all, and ``destructive=False`` that it
    only adds to what is there; language models are told so. ``batch=32``, or
    ``batch={"max_batch": 32, "batch_wait_us": 500}``, makes it take so many calls at
    once: each of its parameters is a list of their values or, where these are tensors,
    one array of them, and it returns a result for each.

    Raises TypeError for anything that is not a function, ValueError for an impossible
    name or batch, or for a tool that is both `read_only` and `destructive`.
    """
    if isinstance(function, str):
        function, description = None, function
    if name is not None:
        check_name(name)
    terms = None if batch is None else batches.terms_of(batch)
    mark = ToolMark(
        name or "",
        description or "",
        idempotent,
        read_only,
        _is_destructive(read_only, destructive),
        terms,
    )
    if function is None:
        return lambda method: _mark(method, mark)
    return _mark(function, mark)


def _is_destructive(read_only: bool, destructive: bool | None) -> bool:
    if read_only and destructive:
        raise ValueError("a tool that is read_only is not destructive; leave one out")
    return not read_only if destructive is None else destructive


def _mark(method: Method, mark: ToolMark) -> Method:
    target = lookup.beneath(method)
    try:
        if isinstance(target, type) or not _makes_calls(target):
            raise TypeError
        setattr(target, TOOL_MARK, mark)
        note_mark()
    except (AttributeError, TypeError):
        kind = type(method).__name__
        raise TypeError(f"@tool decorates methods, not {kind} objects") from None
    return method


def _makes_calls(target: object) -> bool:
    if callable(target):
        return True
    # They are not functions, and give one for each instance.
    makers = (functools.partialmethod, functools.singledispatchmethod)
    return isinstance(target, makers)


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

    Raises AdapterError for two methods that claim one name, for a mark on what cannot
    be called, and for static and class methods with `thread_safe_method`.
    """
    kind = type(adapter)
    marked = [*marks.of_class(kind), *marks.of_instance(adapter)]
    return _collect(kind, marked, adapter)


def collect_unbound(adapter_class: type) -> dict[str, Tool]:
    """The tools of a class without an instance: their functions are there to look at.

    Raises AdapterError as `collect` does.
    """
    return _collect(adapter_class, [*marks.of_class(adapter_class)], _NOBODY)


_NOBODY: Any = object()  # stands for the instance that there is not


def _collect(
    adapter_class: type, marked: list[Marked], adapter: object
) -> dict[str, Tool]:
    tools: dict[str, Tool] = {}
    for one in marked:
        if not _is_tool(adapter_class, one):
            continue
        found = tool_of(adapter_class, one, adapter)
        if found.name in tools:
            raise AdapterError(
                f"two methods of {adapter_class.__name__} are tool {found.name!r}: "
                f"{tools[found.name].attribute} and {found.attribute}"
            )
        tools[found.name] = found
    return dict(sorted(tools.items()))


def _is_tool(adapter_class: type, marked: Marked) -> bool:
    name = f"{adapter_class.__name__}.{marked.attribute}"
    if marked.is_safe and isinstance(marked.found, (staticmethod, classmethod)):
        raise AdapterError(not_of_an_instance(name, type(marked.found)))
    is_property = isinstance(marked.found, marks.PROPERTIES)
    if marked.mark is None or marked.is_partial:
        return _is_public(marked.attribute) and not is_property
    if is_property:
        kind = type(marked.found).__name__
        raise AdapterError(
            f"{name} has @tool and is a {kind}, which is read and not called; "
            "make it a method, or leave @tool out"
        )
    return _may_be_called(marked.attribute, marked.mark, adapter_class)


def unmarked_hint(adapter_class: type, name: str) -> str:
    """Why `name` is not a tool where the author has a public method of that name:
    "; ..." to follow a sentence, else nothing. Runs no code of the adapter.
    """
    found = lookup.of_class(adapter_class, name)
    if (
        not _is_public(name)
        or not isinstance(lookup.beneath(found), FunctionType)
        or marks.look(name, found) is not None  # a tool by another name
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
    notices.warn(
        f"{adapter_class.__name__}.{attribute} is private and so no tool; "
        "@tool(name=...) would give it a public name",
        stacklevel=2,
    )
    return False


def tool_of(
    adapter_class: type,
    marked: Marked,
    adapter: object,
    function: Callable[..., Any] | None = None,
) -> Tool:
    """The tool that a marked attribute is: `function`, if that is known. Raises
    AdapterError for what cannot be called.
    """
    mark = ToolMark() if marked.mark is None else marked.mark
    name = (not marked.is_partial and mark.name) or marked.attribute
    of = _function_of(adapter_class, marked)
    function = of(adapter) if function is None else function
    shown = function
    if marked.is_opaque:
        shown = lookup.bind(marked.function, adapter, adapter_class)

    def describe() -> ToolMetadata:
        documented = marked.function if marked.is_partial else shown
        return ToolMetadata(
            name=name,
            description=bounded(mark.description)
            or _or_else("", _first_paragraph, documented),
            parameters=_or_else([], parameters_of, shown),
            thread_safe=marked.is_safe,
            streams=_or_else(False, calling.seems_to_stream, shown),
            idempotent=mark.idempotent,
            read_only=mark.read_only,
            destructive=mark.destructive,
            max_batch=1 if mark.batch is None else mark.batch.max_batch,
        )

    return Tool(
        name, function, marked.attribute, of, describe, mark.idempotent, mark.batch
    )


def _or_else(
    nothing: Result, describe: Callable[[Any], Result], function: Any
) -> Result:
    """What can be said of a function; nothing, where its own code makes that fail."""
    try:
        return describe(function)
    except Exception:
        return nothing


def _function_of(
    adapter_class: type, marked: Marked
) -> Callable[[Any], Callable[..., Any]]:
    """Gives what is called for an instance. It raises AdapterError for what cannot be
    called.
    """

    def of(adapter: Any) -> Callable[..., Any]:
        function: Any = _bound(adapter_class, marked, adapter)
        if not callable(function):
            raise AdapterError(
                f"{adapter_class.__name__}.{marked.attribute} has @tool, but what its "
                f"decorators make of it cannot be called: {type(function).__name__}"
            )
        if isinstance(marked.found, functools.singledispatchmethod):
            first = lookup.bind(marked.found.func, adapter, adapter_class)
            return _by_name(function, first, marked.attribute)
        made: Callable[..., Any] = function
        return made

    return of


def _bound(adapter_class: type, marked: Marked, adapter: Any) -> Any:
    if adapter is not _NOBODY:
        return lookup.bound(adapter, marked.attribute)
    if type(marked.found).__module__ in ("builtins", "functools"):
        return lookup.bind(marked.found, adapter, adapter_class)
    # A descriptor of the author's own would be asked about an instance of no class.
    return lookup.bind(marked.function, adapter, adapter_class)


def _by_name(
    function: Callable[..., Any], plain: Callable[..., Any], name: str
) -> Callable[..., Any]:
    """What chooses by its first argument, and wants it by position, by name."""
    first = signatures.parameters(plain)[0]

    @functools.wraps(plain)
    def chosen(**arguments: Any) -> Any:
        value = arguments.pop(first.name, first.default)
        if value is lookup.ABSENT:
            raise TypeError(f"{name}() missing 1 required argument: {first.name!r}")
        return function(value, **arguments)

    return chosen


def _first_paragraph(function: Callable[..., Any]) -> str:
    words: list[str] = []
    for line in (_docstring(function) or "").split("\n"):
        if words and not line.strip():
            break
        words += line.split()
    return bounded(" ".join(words))


def _docstring(function: Callable[..., Any]) -> str | None:
    """The function's own, or that of the method that it overrides."""
    text = function.__doc__
    if isinstance(text, str) or _overrides_nothing(function):
        return text
    return inspect.getdoc(function)


def _overrides_nothing(function: Callable[..., Any]) -> bool:
    if not isinstance(function, MethodType):
        return False
    bases = lookup.mro(type(function.__self__))
    return sum(function.__name__ in lookup.namespace(base) for base in bases) < 2


def parameters_of(function: Callable[..., Any]) -> list[ToolParameter]:
    """The named parameters of a function, ``self`` left out where it is bound."""
    found = signatures.parameters(function)
    return [_parameter(parameter) for parameter in found if parameter.by_name]


def _parameter(parameter: signatures.Parameter) -> ToolParameter:
    required = parameter.is_required
    return ToolParameter(
        name=parameter.name,
        annotation=bounded(signatures.text_of(parameter.annotation)),
        required=required,
        default=None if required else holdable(parameter.default),
    )


def holdable(value: Any) -> Any:
    """`value` if every host can hold it, else its repr: a default is told, not used."""
    if value is None or type(value) in (bool, float):
        return value
    if type(value) is int and -(2**63) <= value < 2**63:
        return value
    return bounded(value if type(value) is str else repr(value))


def bounded(text: str) -> str:
    """A text that UTF-8 can hold, of a bounded length."""
    return text[:TEXT_MAX].encode("utf-8", "backslashreplace").decode("utf-8")
