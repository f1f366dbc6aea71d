# SPDX-License-Identifier: MIT
"""Fixtures of the guides' tests: one pit for each profile and file, then a census."""

from __future__ import annotations

import contextlib
import os
import pathlib
import sys
from collections.abc import Iterator
from typing import Any, Callable

import ml_dtypes  # noqa: F401 - NumPy starts threads, which are no test's
import pytest

sys.path[:0] = [
    str(pathlib.Path(__file__).resolve().parent),
    str(pathlib.Path(__file__).resolve().parents[1] / "e2e"),
]

from harness.compose import compose_all  # noqa: E402
from harness.places import GIVEN, STANDINS  # noqa: E402
from harness.server import Server  # noqa: E402
from harness.table import Results  # noqa: E402
from support import Pit, default_python  # noqa: E402
from support import census as counting  # noqa: E402
from support import pit as pits_module  # noqa: E402
from support.processes import MARK, MARK_VALUE  # noqa: E402

# Inherited by all that these tests start.
os.environ[MARK] = MARK_VALUE
os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
OURS = ("SNAKEPIT_BUILD_DIR", "SNAKEPIT_PYTHON_SYSTEM", "SNAKEPIT_PYTHON_FT")
for name in list(os.environ):
    if name.startswith("SNAKEPIT_") and name not in OURS:
        del os.environ[name]

# Workers of all pools start at once, on few cores.
START_MS = 120_000
EXECUTORS = 20  # the guides hammer from twenty threads


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "example(*names, result=...): what the guide's examples do here"
    )
    config.addinivalue_line("markers", "benchmark: a mark that the guides use")
    Pit.detail = "debug"  # some examples log at that level


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--write-coverage", metavar="FILE", help="write the page about the examples"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list) -> None:
    if config.option.write_coverage:
        text = Results.of(items).page()
        pathlib.Path(config.option.write_coverage).write_text(text, encoding="utf-8")


@pytest.fixture(scope="session", autouse=True)
def modules(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The folder of the composed modules, where workers and tests find them."""
    folder = tmp_path_factory.mktemp("modules")
    compose_all(folder)
    places = [str(folder), str(GIVEN), str(STANDINS)]
    os.environ["PYTHONPATH"] = os.pathsep.join(places)
    sys.path[:0] = places
    return folder


@pytest.fixture(scope="module", autouse=True)
def census(modules: pathlib.Path) -> Iterator[None]:
    """Fails the last test of a file if the file leaves anything behind."""
    pits_module.log_of_test.clear()
    before = counting.Census.take()
    yield
    left = counting.settled_leaks(before)
    left += [
        f"an error in the log: {line.text}"
        for line in pits_module.log_of_test
        if line.level == "error"
    ]
    assert not left, "left behind: " + "; ".join(left)


def guide_pool(profile: str, adapter: str, **options: Any) -> dict[str, Any]:
    """One pool of one example, under the name of its module."""
    made = {
        "name": adapter.partition(".")[0],
        "worker_profile": profile,
        "python": default_python(profile),
        "pool_size": 1,
        "adapter": adapter,
        "shared_memory_size": "64MiB",
        "start_timeout_ms": START_MS,
        "call_timeout_ms": 120_000,
        # An example that is not run in parallel would prove nothing.
        "on_unsupported": "refuse" if profile == "thread" else None,
        "threads_per_worker": EXECUTORS if profile == "thread" else None,
    }
    made.update(options)
    return {key: value for key, value in made.items() if value is not None}


@pytest.fixture(scope="module")
def pit_of() -> Iterator[Callable[..., Pit]]:
    """The pit of some adapters in a profile, opened when it is first asked for."""
    with contextlib.ExitStack() as stack:
        opened: dict[Any, Pit] = {}

        def open_once(profile: str, adapters: tuple[str, ...], **options: Any) -> Pit:
            key = (profile, adapters, repr(options))
            if key not in opened:
                pools = [guide_pool(profile, name, **options) for name in adapters]
                pit = stack.enter_context(Pit.open(*pools))
                for pool in pools:
                    pit.await_ready(pool["name"], START_MS)
                opened[key] = pit
            return opened[key]

        yield open_once


@pytest.fixture(params=("thread", "process"))
def profile(request: pytest.FixtureRequest) -> str:
    """Each profile, on the interpreter that it is meant for."""
    return request.param


@pytest.fixture
def server() -> Iterator[Server]:
    """A server on loopback."""
    with Server() as made:
        yield made
