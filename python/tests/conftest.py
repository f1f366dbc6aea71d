# SPDX-License-Identifier: MIT
"""The bridge's unit tests run against the sources, without a host and its extension."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from snakepit_bridge import configuration


@pytest.fixture(autouse=True)
def clean_configuration() -> Iterator[None]:
    yield
    configuration.use(configuration.Configuration())


@pytest.fixture
def write_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., str]]:
    """Writes a module that can be imported by its name until the test ends."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(name: str, text: str) -> str:
        path = tmp_path.joinpath(*name.split(".")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return name

    yield write
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def hammer(threads: int, times: int, work: Callable[[int], Any]) -> list[Any]:
    """Calls `work(index)` `times` times on each of several threads; raises what one
    did.
    """
    import threading

    results: list[Any] = []
    errors: list[BaseException] = []
    start = threading.Barrier(threads)

    def run(index: int) -> None:
        start.wait()
        try:
            for _ in range(times):
                results.append(work(index))
        except BaseException as error:
            errors.append(error)

    running = [
        threading.Thread(target=run, args=(i,), name=f"hammer-{i}")
        for i in range(threads)
    ]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    if errors:
        raise errors[0]
    return results
