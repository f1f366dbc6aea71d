# SPDX-License-Identifier: MIT
from __future__ import annotations

import functools
import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any, Callable

import pytest
from snakepit_bridge import BaseAdapter, ThreadSafeAdapter, loader
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
        ("counter:tool", r"counter.tool is not a class, but a value of type function"),
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


def test_a_module_of_pythons_own_is_not_to_be_installed(
    write_module: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        sys, "stdlib_module_names", frozenset(["gone_from_python"]), raising=False
    )
    write_module("broken", "import gone_from_python")
    with pytest.raises(ModuleNotFoundError) as missing:
        loader.load("broken")
    assert "it is a part of Python that" in str(missing.value)
    assert "pip install" not in str(missing.value)


NEEDS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root changes users")
IN_A_CHILD = """
import os, shlex, sys  # shlex: the new user may not read what is imported late
from snakepit_bridge import loader
os.setresuid(65534, 65534, 65534)
try:
    loader.load(sys.argv[1])
except Exception as error:
    print(error, flush=True)
os._exit(0)  # what counts lines writes where this user may not
"""


@NEEDS_ROOT
@pytest.mark.parametrize("adapter", ["hidden", "hider"])
def test_a_folder_that_the_user_cannot_read_is_named(
    adapter: str,
) -> None:
    """One with the adapter in it, and one with what an adapter imports."""
    with tempfile.TemporaryDirectory(dir="/tmp") as made:
        os.chmod(made, 0o755)
        (Path(made) / "hider.py").write_text("import hidden")
        locked = Path(made) / "locked"
        locked.mkdir(mode=0o700)
        (locked / "lib").mkdir()
        (locked / "lib" / "hidden.py").write_text("")
        said = subprocess.run(
            [sys.executable, "-c", IN_A_CHILD, adapter],
            env={**os.environ, "PYTHONPATH": f"{made}:{locked}/lib"},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout
    assert (
        f"it may be in {locked}/lib, which the worker's user 65534 cannot read, for "
        f"{locked} keeps them out; let them read and pass it (chmod o+rx)"
    ) in said


def test_a_type_error_while_importing_is_raised(write_module: Write) -> None:
    write_module("typo", "len(3)")
    with pytest.raises(TypeError, match="len"):
        loader.load("typo")


class Needy:
    def __init__(self, path: str) -> None:
        self.path = path


@pytest.mark.parametrize("base", [BaseAdapter, ThreadSafeAdapter])
def test_a_constructor_with_arguments_is_refused(base: type) -> None:
    with pytest.raises(AdapterError, match=r"Needy is built without arguments.*'path'"):
        loader.check_constructor(type("Needy", (Needy, base), {}))


@pytest.mark.parametrize("base", [BaseAdapter, ThreadSafeAdapter, object])
def test_a_constructor_without_arguments_will_do(base: type) -> None:
    loader.check_constructor(type("Content", (base,), {}))


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


# ---- Constructors --------------------------------------------------------------------


def given_five(constructor: Any) -> Any:
    @functools.wraps(constructor)
    def construct(self: Any) -> None:
        constructor(self, 5)

    return construct


class Giving(type):
    def __call__(cls) -> Any:
        return super().__call__(5)


class Wrapped:
    @given_five
    def __init__(self, number: int) -> None:
        self.number = number


class Made(metaclass=Giving):
    def __init__(self, number: int) -> None:
        self.number = number


@pytest.mark.parametrize("adapter_class", [Wrapped, Made])
def test_whether_a_class_can_be_built_is_asked_of_what_is_called(
    adapter_class: Any,
) -> None:
    loader.check_constructor(adapter_class)
    assert adapter_class().number == 5


def test_a_constructor_that_wants_arguments_is_refused() -> None:
    class Wants:
        def __init__(self, number: int) -> None: ...

    with pytest.raises(AdapterError, match="missing a required argument: 'number'"):
        loader.check_constructor(Wants)
