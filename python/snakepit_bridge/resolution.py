# SPDX-License-Identifier: MIT
"""Which function of an adapter answers a call.

In this order: a registered tool of that name; `execute_tool`; one of the three older
request styles. Nothing else is callable.
"""

from __future__ import annotations

import functools
from types import FunctionType, MethodType

from . import calling, late, life, lookup, marks, runtime, signatures
from .base_adapter import BaseAdapter
from .declaration import BASE_MODULES, marks_made
from .errors import AdapterError
from .late import TYPE_CHECKING
from .request import Request
from .session import current_session
from .tools import (
    Tool,
    ToolMetadata,
    collect,
    collect_unbound,
    tool_of,
    unmarked_hint,
)

if TYPE_CHECKING:
    from dataclasses import dataclass
    from typing import Any, Callable

    from . import batches
    from .batches import Terms
    from .marks import Marked

    Fallback = Callable[[str, dict[str, Any]], Any]
else:
    from .records import dataclass

    batches = late.Module("snakepit_bridge.batches")

# By one of these an adapter answers calls of names that are not tools.
FALLBACKS = ("execute_tool", "handle_request", "_handle_request_impl", "_dispatch")


@dataclass(frozen=True)
class Answers:
    """What executors call: plain functions, whatever the adapter's own are."""

    functions: dict[str, Callable[..., Any]]  # by the tool's name
    fallback: Fallback | None
    hint: Callable[[str], str]  # on a name that is none of them
    signatures: dict[str, Callable[..., Any]]  # whose they are, by the tool's name
    describe: Callable[[], list[ToolMetadata]]
    idempotent: list[str]  # names of tools
    batched: dict[str, Terms]  # of tools that take many calls at once

    @property
    def tools(self) -> list[ToolMetadata]:
        """In alphabetical order; worked out when somebody asks."""
        return self.describe()


@dataclass(frozen=True)
class Foreseen:
    """What a class says of the answers of its instances."""

    kind: type
    version: int  # of the class when this was found
    marks: int  # that were made until then
    tools: list[tuple[str, Marked, Callable[[Any], Any]]]  # name, method, way to call
    attributes: frozenset[str]  # of the tools
    has_fallback: bool
    idempotent: list[str]  # names of tools
    batched: dict[str, Terms]  # of tools that take many calls at once


# Those of this process, by the id of the class, for a metaclass may refuse a hash. A
# template's workers have its.
_foreseen: dict[int, Foreseen] = {}


def is_per_request(adapter_class: type) -> bool:
    """Whether the class wants an instance for each call."""
    return bool(lookup.of_class(adapter_class, "__per_request__", False))


def of_instance(adapter: Any) -> Answers:
    """For one instance that all calls share.

    Raises AdapterError for a function that cannot be called by name, as the host
    does; for an `initialize` or `cleanup` that streams; and for an adapter that has
    nothing to call.
    """
    foreseen = foreseen_for(adapter)
    if foreseen is not None:
        return as_foreseen(foreseen, adapter)
    tools = collect(adapter)
    _check(type(adapter), tools)
    functions = {name: calling.plain(found.function) for name, found in tools.items()}
    return _answers(type(adapter), tools, functions, fallback_of(adapter))


def foresee(adapter_class: type) -> Foreseen | None:
    """Finds out once, in a template, what `of_instance` would find in each worker.

    Runs no code of the class, and says nothing: where there is more to the class than
    plain methods, or something to complain of, each worker looks for itself.
    """
    lookup.number(adapter_class)
    version = runtime.class_version(adapter_class)
    marked = [*marks.of_class(adapter_class)]
    if version == 0 or is_per_request(adapter_class) or not all(map(_is_plain, marked)):
        return None
    try:
        tools = collect_unbound(adapter_class)
        _check(adapter_class, tools)
    except AdapterError:
        return None
    of = {one.attribute: one for one in marked}
    found = Foreseen(
        adapter_class,
        version,
        marks_made(),
        [
            (name, of[one.attribute], calling.way_of(one.function))
            for name, one in tools.items()
        ],
        frozenset(one.attribute for one in tools.values()),
        _style_of(adapter_class) is not None,
        _idempotent(tools),
        _batched(tools),
    )
    _foreseen[id(adapter_class)] = found
    return found


def _is_plain(marked: Marked) -> bool:
    is_whole = not marked.is_opaque and not marked.is_partial
    is_public = not marked.attribute.startswith("_")
    return is_whole and is_public and type(marked.found) is FunctionType


def foreseen_for(adapter: Any) -> Foreseen | None:
    """What was found of its class, if that is as it was and nothing was added."""
    found = _foreseen.get(id(type(adapter)))
    return found if found is not None and is_foreseen(found, adapter) else None


def is_foreseen(found: Foreseen, adapter: Any) -> bool:
    """Whether it holds for an instance."""
    return (
        found.kind is type(adapter)
        and found.marks == marks_made()
        and runtime.native.class_version(found.kind) == found.version
        and found.attributes.isdisjoint(lookup.own(adapter))
        and not any(True for _ in marks.of_instance(adapter))
    )


def forget() -> None:
    """Lets go of all that was foreseen. For tests."""
    _foreseen.clear()


def as_foreseen(foreseen: Foreseen, adapter: Any) -> Answers:
    """For an instance that `foreseen_for` knows."""
    kind = type(adapter)
    methods: dict[str, Callable[..., Any]] = {
        name: MethodType(marked.found, adapter) for name, marked, _ in foreseen.tools
    }
    functions = {name: way(methods[name]) for name, _, way in foreseen.tools}
    hint = functools.partial(unmarked_hint, kind)
    fallback = fallback_of(adapter) if foreseen.has_fallback else None

    def describe() -> list[ToolMetadata]:
        return [
            tool_of(kind, one, adapter, methods[name]).metadata
            for name, one, _ in foreseen.tools
        ]

    return Answers(
        functions,
        fallback,
        hint,
        methods,
        describe,
        foreseen.idempotent,
        foreseen.batched,
    )


def of_class(adapter_class: type) -> Answers:
    """For a class whose every call gets an instance of its own. Raises as above."""
    tools = collect_unbound(adapter_class)
    _check(adapter_class, tools)
    functions = {
        name: _tool_once(adapter_class, found.of) for name, found in tools.items()
    }
    fallback = _fallback_once(adapter_class) if _style_of(adapter_class) else None
    return _answers(adapter_class, tools, functions, fallback)


def _answers(
    adapter_class: type,
    tools: dict[str, Tool],
    functions: dict[str, Callable[..., Any]],
    fallback: Fallback | None,
) -> Answers:
    return Answers(
        functions,
        fallback,
        functools.partial(unmarked_hint, adapter_class),
        {name: found.function for name, found in tools.items()},
        _describer(tools),
        _idempotent(tools),
        _batched(tools),
    )


def _describer(tools: dict[str, Tool]) -> Callable[[], list[ToolMetadata]]:
    return lambda: [found.metadata for found in tools.values()]


def _idempotent(tools: dict[str, Tool]) -> list[str]:
    return [name for name, found in tools.items() if found.idempotent]


def _batched(tools: dict[str, Tool]) -> dict[str, Terms]:
    return {
        name: found.batch for name, found in tools.items() if found.batch is not None
    }


def _tool_once(
    adapter_class: type, of: Callable[[Any], Callable[..., Any]]
) -> Callable[..., Any]:
    def tool_once(**arguments: Any) -> Any:
        return life.once(
            adapter_class, lambda adapter: calling.finished(of(adapter)(**arguments))
        )

    return tool_once


def _fallback_once(adapter_class: type) -> Fallback:
    def fallback_once(name: str, arguments: dict[str, Any]) -> Any:
        def use(adapter: Any) -> Any:
            fallback = fallback_of(adapter)
            assert fallback is not None, "the class had one"
            return fallback(name, arguments)

        return life.once(adapter_class, use)

    return fallback_once


# ---- What cannot be called -----------------------------------------------------------


def _of(name: str, adapter_class: type) -> str:
    return f"tool {name!r} of {adapter_class.__name__}"


def _check(adapter_class: type, tools: dict[str, Tool]) -> None:
    for name, found in tools.items():
        _check_parameters(_of(name, adapter_class), found.function)
        if found.batch is not None:
            batches.check(_of(name, adapter_class), found.function)
    for name in ("initialize", "cleanup", "health_check"):
        found = lookup.of_class(adapter_class, name)
        what = f"{name} of {adapter_class.__name__}"
        calling.check_gives_one_value(what, lookup.beneath(found))
    if not tools and _style_of(adapter_class) is None:
        raise AdapterError(
            f"{adapter_class.__name__} has nothing to call: no method has @tool, "
            f"and it defines none of {', '.join(FALLBACKS)}"
        )


def _check_parameters(what: str, function: Callable[..., Any]) -> None:
    for parameter in _parameters_in_a_call(function):
        if parameter.is_required and not parameter.by_name:
            raise AdapterError(
                f"{what} has the positional-only parameter {parameter.name!r}, "
                "but tools are called with arguments by name"
            )


def _parameters_in_a_call(function: Callable[..., Any]) -> list[signatures.Parameter]:
    """Those of what is called, whatever that says it wraps; none if they are not
    known, for then a call tells.
    """
    called: Any = function.__func__ if isinstance(function, MethodType) else function
    # The bridge's own wrappers pass on what they get.
    while isinstance(called, FunctionType):
        home = called.__globals__["__name__"]
        if not home.startswith("snakepit_bridge.") or not hasattr(
            called, "__wrapped__"
        ):
            break
        called = called.__wrapped__
    try:
        found = signatures.parameters(called, wrapped=False)
    except (TypeError, ValueError):
        return []
    return found[1:] if isinstance(function, MethodType) else found


# ---- Names that are not tools --------------------------------------------------------


def fallback_of(adapter: Any) -> Fallback | None:
    """What answers by `function(name, arguments)` for names that are not tools."""
    style = _style_of(type(adapter))
    if style is None:
        return None
    if style == "execute_tool":
        return lambda name, arguments: calling.finished(
            adapter.execute_tool(name, arguments, current_session())
        )
    # BaseAdapter.handle_request calls the other two.
    is_ours = BaseAdapter in lookup.mro(type(adapter))
    own = "handle_request" if is_ours else style
    return _request_handler(lookup.bound(adapter, own))


def _style_of(adapter_class: type) -> str | None:
    """The first of FALLBACKS that the class or a base, ours apart, defines."""
    for attribute in FALLBACKS:
        for base in lookup.mro(adapter_class):
            names = lookup.namespace(base)
            if names.get("__module__") not in BASE_MODULES and attribute in names:
                return attribute
    return None


def _request_handler(handler: Callable[[Request], Any]) -> Fallback:
    def handle(name: str, arguments: dict[str, Any]) -> Any:
        session_id = current_session().session_id
        fields = {"command": name, "args": arguments, "session_id": session_id}
        return calling.finished(handler(Request(fields)))

    return handle
