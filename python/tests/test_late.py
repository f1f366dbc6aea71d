# SPDX-License-Identifier: MIT
"""Modules that are imported when they are first used."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from snakepit_bridge import late, runtime

HEAVY = (
    *("asyncio", "dataclasses", "enum", "functools", "inspect", "json", "logging"),
    *("numbers", "platform", "re", "threading", "traceback", "typing", "uuid"),
)


@pytest.fixture
def module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., str]]:
    """Writes a module that was never imported, and gives its name."""
    monkeypatch.syspath_prepend(str(tmp_path))
    names: list[str] = []

    def write(text: str) -> str:
        name = f"late_module_{len(names)}"
        names.append(name)
        (tmp_path / f"{name}.py").write_text(text)
        return name

    yield write
    for name in names:
        sys.modules.pop(name, None)


def run(program: str) -> str:
    """What an interpreter prints that runs only this."""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return done.stdout


def test_the_package_imports_nothing_that_takes_long() -> None:
    program = (
        "import sys\nbefore = set(sys.modules)\nfrom snakepit_bridge import *\n"
        f"print([name for name in {HEAVY!r} if name in set(sys.modules) - before])"
    )
    assert run(program) == "[]\n"


def test_a_module_is_imported_by_its_first_use(module: Callable[..., str]) -> None:
    name = module("value = 7")
    stand_in = late.Module(name)
    assert name not in sys.modules
    assert stand_in.value == 7
    assert name in sys.modules


def test_what_the_import_raises_is_raised_at_each_use(
    module: Callable[..., str],
) -> None:
    stand_in = late.Module(module("1 / 0"))
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            _ = stand_in.value


@pytest.mark.parametrize("text", ["import threading\nthread = threading.get_ident()"])
@pytest.mark.parametrize("is_call", [True, False])
def test_a_call_does_not_import_on_its_own_thread(
    module: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    is_call: bool,
) -> None:
    monkeypatch.setattr(runtime, "runs_call", lambda: is_call)
    thread = late.Module(module(text)).thread
    assert (thread == threading.get_ident()) is not is_call


def test_what_fails_on_the_other_thread_is_raised_in_the_call(
    module: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "runs_call", lambda: True)
    with pytest.raises(ImportError, match="no_such_module"):
        _ = late.Module(module("import no_such_module")).value


def test_a_watch_sees_a_module_when_it_has_run(module: Callable[..., str]) -> None:
    name = module("value = 7")
    seen: list[Any] = []
    late.when_imported(name, lambda found: seen.append(found.value))
    assert seen == []
    made = __import__(name)
    assert seen == [7]
    assert type(made.__loader__).__module__ != late.__name__
    assert made.__spec__.loader is made.__loader__
    assert not any(isinstance(finder, late.Watch) for finder in sys.meta_path)


def test_a_watch_sees_a_module_that_is_there() -> None:
    seen: list[Any] = []
    late.when_imported("sys", seen.append)
    assert seen == [sys]


def test_a_module_that_fails_is_not_seen_and_fails_as_ever(
    module: Callable[..., str],
) -> None:
    name = module("1 / 0")
    seen: list[Any] = []
    late.when_imported(name, seen.append)
    with pytest.raises(ZeroDivisionError):
        __import__(name)
    assert seen == []


def test_a_block_is_what_contextlib_makes_of_it() -> None:
    @late.contextmanager
    def block(value: int) -> Iterator[int]:
        """Gives its value."""
        yield value

    with block(3) as given:
        assert given == 3
    assert block.__doc__ == "Gives its value."
