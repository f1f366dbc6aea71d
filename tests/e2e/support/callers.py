# SPDX-License-Identifier: MIT
"""Callers that go on while something happens to a pool."""

from __future__ import annotations

import threading

from .pit import Pit

# Seconds between two calls of one: the cores are for what happens meanwhile.
PACE = 0.001


class Callers:
    """Threads that call one call after another; each answer has to be right."""

    def __init__(self, pit: Pit, count: int = 3, pool: str | None = None) -> None:
        self.pit = pit
        self.pool = pool
        self.over = threading.Event()
        self.wrong: list[object] = []
        self.calls = 0
        self.threads = [threading.Thread(target=self.run) for _ in range(count)]

    def run(self) -> None:
        while not self.over.wait(PACE):
            with self.pit.answer("echo", {"value": 7}, pool=self.pool) as answer:
                if answer.err != "OK" or answer.value() != 7:
                    self.wrong.append(answer.err)
            self.calls += 1

    def __enter__(self) -> Callers:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join()
