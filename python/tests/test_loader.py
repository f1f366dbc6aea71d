# SPDX-License-Identifier: MIT
from __future__ import annotations

import warnings
from typing import Any, Callable

import pytest
from snakepit_bridge import (
    BaseAdapter,
    ThreadSafeAdapter,
    loader,
    thread_safe_method,
    tool,
)
from snakepit_bridge.adapters.showcase import ShowcaseAdapter
from snakepit_bridge.adapters.threaded_showcase import ThreadedShowcaseAdapter
from snakepit_bridge.configuration import Configuration
from snakepit_bridge.errors import AdapterError

Write = Callable[[str, str], str]

ONE = """
    from snakepit_bridge import BaseAdapter, ThreadSafeAdapter, tool

    class Counter(BaseAdapter):
        @tool
        def one(self): return 1
"""


@pytest.mark.parametrize(
    "spec",
    ["counter", "counter.Counter", "counter:Counter"],
)
def test_the_three_forms_find_the_class(spec: str, write_module: Write) -> None:
    write_module("counter", ONE)
    assert loader.load(spec).__name__ == "Counter"


@pytest.mark.parametrize("spec", ["pkg.sub.counter", "pkg.sub.counter.Counter"])
def test_packages_are_searched(spec: str, write_module: Write) -> None:
    write_module("pkg.sub.counter", ONE)
    assert loader.load(spec).__name__ == "Counter"


def test_the_showcases_are_found() -> None:
    path = "snakepit_bridge.adapters"
    assert loader.load(f"{path}.showcase") is ShowcaseAdapter
    assert loader.load(f"{path}.threaded_showcase") is ThreadedShowcaseAdapter
    assert (
        loader.load(f"{path}.threaded_showcase.ThreadedShowcaseAdapter")
        is ThreadedShowcaseAdapter
    )


def test_a_package_may_reexport_its_adapter(write_module: Write) -> None:
    write_module("exporting.impl", ONE)
    write_module(
        "exporting.__init__",
        "from .impl import Counter\nfrom snakepit_bridge import tool",
    )
    assert loader.load("exporting").__name__ == "Counter"


def test_imported_and_private_classes_do_not_count(write_module: Write) -> None:
    write_module("base_of_all", ONE)
    write_module(
        "mine",
        """
        from base_of_all import Counter
        class _Hidden(Counter): pass
        class Mine(Counter): pass
        class Helper: pass
        """,
    )
    assert loader.load("mine").__name__ == "Mine"


def test_a_plain_class_with_tools_is_an_adapter(write_module: Write) -> None:
    write_module(
        "plain",
        """
        from snakepit_bridge import tool
        class Helper: pass
        class Plain:
            @tool
            def f(self): return 1
        """,
    )
    assert loader.load("plain").__name__ == "Plain"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("no_such", r"no module named 'no_such'.*sys.path has .*PYTHONPATH"),
        ("no_such.Thing", r"no module named 'no_such' \(adapter 'no_such.Thing'\)"),
        ("no_such:Thing", r"no module named 'no_such'"),
        (
            "counter.Conter",
            r"'counter' has no class 'Conter'; did you mean 'Counter'\?",
        ),
        ("counter:Xyzzy", r"has no class 'Xyzzy'; its adapters: Counter"),
        ("counter:tool", r"counter.tool is no class but function"),
        ("nothing", r"'nothing' \(.*nothing.py\) has no adapter class"),
        ("two", r"several adapter classes \(A, B\); name one: two:A"),
        ("", "no adapter is named"),
        (".", "no adapter is named"),
        (".x", "no module named"),
        ("counter:", "has no class ''"),
        (":Counter", "no module named ''"),
        ("counter..Counter", "no module named|has no class"),
    ],
)
def test_what_cannot_be_found_is_explained(
    spec: str, message: str, write_module: Write
) -> None:
    write_module("counter", ONE)
    write_module("nothing", "x = 1")
    write_module(
        "two",
        """
        from snakepit_bridge import BaseAdapter
        class A(BaseAdapter): pass
        class B(BaseAdapter): pass
        """,
    )
    with pytest.raises(AdapterError, match=message):
        loader.load(spec)


@pytest.mark.parametrize("spec", ["broken", "broken.Broken", "broken:Broken"])
def test_an_import_that_fails_inside_is_the_modules_own_error(
    spec: str, write_module: Write
) -> None:
    write_module("broken", "import no_such_library_at_all\nclass Broken: pass")
    with pytest.raises(ModuleNotFoundError, match="no_such_library_at_all"):
        loader.load(spec)


def test_a_type_error_while_importing_is_raised(write_module: Write) -> None:
    write_module("typo", "len(3)")
    with pytest.raises(TypeError, match="len"):
        loader.load("typo")


class Needy:
    def __init__(self, path: str) -> None:
        self.path = path


class Failing(BaseAdapter):
    def __init__(self) -> None:
        raise OSError("no model")


class PerRequest(BaseAdapter):
    __per_request__ = True


@pytest.mark.parametrize("base", [BaseAdapter, ThreadSafeAdapter])
def test_a_constructor_with_arguments_is_refused(base: type) -> None:
    with pytest.raises(AdapterError, match=r"Needy is built without arguments.*'path'"):
        loader.build(type("Needy", (Needy, base), {}))


def test_what_a_constructor_raises_is_raised() -> None:
    with pytest.raises(OSError, match="no model"):
        loader.build(Failing)


def test_an_instance_per_request_is_refused() -> None:
    with pytest.raises(AdapterError, match="__per_request__"):
        loader.build(PerRequest)


class Undeclared(BaseAdapter):
    pass


class DeclaredFalse(BaseAdapter):
    __thread_safe__ = False


class DeclaredTrue(BaseAdapter):
    __thread_safe__ = True


THREAD = Configuration(profile="thread", executors=4)
REFUSING = Configuration(profile="thread", undeclared_adapter="refuse")


def test_the_process_profile_takes_any_declaration() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        process = Configuration()
        assert loader.check_thread_safety(Undeclared, process) is None
        assert loader.check_thread_safety(DeclaredFalse, process) is False
        assert loader.check_thread_safety(DeclaredTrue, THREAD) is True


def test_the_thread_profile_warns_of_an_undeclared_adapter() -> None:
    with pytest.warns(RuntimeWarning, match="does not declare thread safety") as caught:
        assert loader.check_thread_safety(Undeclared, THREAD) is None
    assert len(caught) == 1


def test_the_thread_profile_refuses_what_the_pool_or_the_adapter_excludes() -> None:
    with pytest.raises(AdapterError, match="Adapter Undeclared does not declare"):
        loader.check_thread_safety(Undeclared, REFUSING)
    assert loader.check_thread_safety(DeclaredFalse, THREAD) is False


def adapter_of(**members: Any) -> object:
    return type("Made", (BaseAdapter,), members)()


def coroutine() -> Callable[..., Any]:
    async def run(self: object) -> None: ...

    return run


async def async_generator(self: object) -> Any:
    yield 1


def generator(self: object) -> Any:
    yield 1


def positional(self: object, x: int, /) -> int:
    return x


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"f": tool(coroutine())}, "tool 'f' of Made is async"),
        ({"f": thread_safe_method(coroutine())}, "tool 'f' of Made is async"),
        ({"f": tool(async_generator)}, "is async"),
        ({"f": tool(generator)}, "is a generator; this version has no streaming"),
        ({"f": tool(positional)}, "positional-only parameter 'x'"),
        ({"f": tool(lambda self: 1), "initialize": coroutine()}, "initialize of Made"),
        (
            {"f": tool(lambda self: 1), "cleanup": coroutine()},
            "cleanup of Made is async",
        ),
        ({"execute_tool": coroutine()}, "execute_tool of Made is async"),
        ({"_dispatch": coroutine()}, "_dispatch of Made is async"),
        ({}, "has nothing to call"),
    ],
)
def test_what_cannot_be_called_is_refused_at_the_start(
    members: dict[str, Any], message: str
) -> None:
    with pytest.raises(AdapterError, match=message):
        loader.tools_of(adapter_of(**members))


def test_without_a_fallback_there_is_none() -> None:
    assert loader.fallback_of(adapter_of(f=tool(lambda self: 1))) is None


def test_execute_tool_answers_first() -> None:
    def execute_tool(self: object, tool_name: str, arguments: Any, context: Any) -> Any:
        return tool_name, arguments, context.session_id

    adapter = adapter_of(execute_tool=execute_tool, handle_request=lambda self, r: 1)
    fallback = loader.fallback_of(adapter)
    assert fallback is not None
    assert fallback("anything", {"a": 1}) == ("anything", {"a": 1}, "")


@pytest.mark.parametrize(
    "attribute", ["handle_request", "_handle_request_impl", "_dispatch"]
)
@pytest.mark.parametrize("base", [BaseAdapter, object])
def test_older_handlers_are_given_a_request(attribute: str, base: type) -> None:
    def handler(self: object, request: Any) -> Any:
        assert request["command"] == request.command
        return request.command, request.args, request.input, request.get("nothing")

    adapter = type("Older", (base,), {attribute: handler})()
    fallback = loader.fallback_of(adapter)
    assert fallback is not None
    assert fallback("go", {"input": 5, "x": 1}) == (
        "go",
        {"input": 5, "x": 1},
        5,
        None,
    )
    with pytest.raises(AttributeError, match="no 'missing'"):
        _ = loader.Request({"command": "x"}).missing
