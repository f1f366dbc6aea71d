# SPDX-License-Identifier: MIT
"""Ways to call an example: many times at once, and as if it were here."""

from __future__ import annotations

import inspect
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable

from support import Pit

CALLS = 100
THREADS = 20


def hammer(
    pit: Pit,
    pool: str,
    tool: str,
    arguments: Callable[[int], dict[str, Any]] = lambda _: {},
    calls: int = CALLS,
    threads: int = THREADS,
) -> list[Any]:
    """The results of `calls` calls from `threads` threads, in their order."""

    def one(number: int) -> Any:
        return pit.call(tool, arguments(number), pool=pool)

    with ThreadPoolExecutor(max_workers=threads) as executor:
        return list(executor.map(one, range(calls)))


class Remote:
    """Looks like an adapter and asks a pool: what the guides' tests are given."""

    def __init__(self, pit: Pit, pool: str, adapter: type) -> None:
        self._pit = pit
        self._pool = pool
        self._adapter = adapter

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """The tool of that name, with the method's positional arguments."""
        signature = inspect.signature(getattr(self._adapter, name))

        def call(*args: Any, **kwargs: Any) -> Any:
            arguments = signature.bind(self, *args, **kwargs).arguments
            arguments.pop("self")
            return self._pit.call(name, dict(arguments), pool=self._pool)

        return call
