# SPDX-License-Identifier: MIT
"""Calls of mixed kinds through each door while workers, templates and clients are
killed at random: each has one answer, none is wrong, and nothing stays.

E2E_CHAOS_CALLS makes it longer, and E2E_CHAOS_SEED has the same calls again.
"""

from __future__ import annotations

import collections
import contextlib
import itertools
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

from support import chaos
from support.command import environment
from support.configs import default_python
from support.daemon import Daemon
from support.places import E2E
from support.processes import marked
from support.served import Client
from support.waiting import Deadline, eventually

CALLS = int(os.environ.get("E2E_CHAOS_CALLS", "3000"))
SEED = int(os.environ.get("E2E_CHAOS_SEED", time.time_ns() % 1_000_000))
CALLERS = 8
KILLED = 2  # clients that are
MOST_S = 600.0


class Storm:
    """The calls of one run, and who is killed meanwhile."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self.url = daemon.urls()[0]
        self.marks = iter(range(CALLS))
        self.lock = threading.Lock()
        self.ends: collections.Counter[str] = collections.Counter()
        self.wrong: list[str] = []
        self.kills: collections.Counter[str] = collections.Counter()
        self.over = threading.Event()
        self.clients: list[subprocess.Popen[bytes]] = []
        self.seeds = itertools.count(SEED % 1000)
        self.chance = random.Random(SEED)

    def _next(self) -> int | None:
        with self.lock:
            return None if self.wrong else next(self.marks, None)

    def _count(self, end: str) -> None:
        with self.lock:
            self.ends[end] += 1

    def call_on(self, door_of: Callable[[str], chaos.Door]) -> None:
        """Calls until there are enough."""
        deadline = Deadline(MOST_S)
        with contextlib.closing(door_of(self.url)) as door:
            while (mark := self._next()) is not None and not deadline.over:
                try:
                    self._count(chaos.call(door, SEED, mark))
                except Exception as error:  # is told by the test
                    self.wrong.append(f"call {mark}: {error}")

    # ---- Who is killed --------------------------------------------------------------

    def kill_on(self) -> None:
        """Until the calls are over."""
        while not self.over.wait(self.chance.uniform(0.02, 0.3)):
            if self.chance.random() < 0.3:
                self._kill_client()
            else:
                self._kill_worker()

    def _kill_worker(self) -> None:
        """Any process of the daemon's: a worker, a template, or who cleans up."""
        ours = {self.daemon.popen.pid, *(client.pid for client in self.clients)}
        others = sorted(
            (one for one in marked() if one.pid not in ours), key=lambda one: one.pid
        )
        if others:
            self.chance.choice(others).kill(signal.SIGKILL)
            self.kills["worker"] += 1

    def _kill_client(self) -> None:
        if len(self.clients) == KILLED:
            client = self.clients.pop(0)
            client.kill()
            assert client.wait() in (0, -signal.SIGKILL), "it was answered wrongly"
            self.kills["client"] += 1
        self._start_client()

    def _start_client(self) -> None:
        words = ["-m", "support.chaos", self.url, str(next(self.seeds))]
        self.clients.append(
            subprocess.Popen([sys.executable, *words], cwd=E2E, env=environment())
        )

    # ---- The whole of it ------------------------------------------------------------

    def rage(self) -> None:
        callers = [
            threading.Thread(target=self.call_on, args=[door])
            for door, _ in zip(itertools.cycle(chaos.DOORS), range(CALLERS))
        ]
        killer = threading.Thread(target=self._kill_on_and_tell)
        for thread in (*callers, killer):
            thread.start()
        for thread in callers:
            thread.join()
        self.over.set()
        killer.join()
        for client in self.clients:
            client.kill()
            client.wait()

    def _kill_on_and_tell(self) -> None:
        try:
            self.kill_on()
        except Exception as error:
            self.wrong.append(f"killer: {error!r}")


def open_files(daemon: Daemon) -> int:
    return len(os.listdir(f"/proc/{daemon.popen.pid}/fd"))


def write(folder: pathlib.Path) -> pathlib.Path:
    pool = {
        "name": chaos.POOL,
        "python": default_python("process"),
        "pool_size": 3,
        "adapter": "chaos.Chaos",
        "shared_memory_size": "64MiB",
        "cancel_grace_ms": 200,
    }
    path = folder / "chaos.yaml"
    serve = {"listen": ["127.0.0.1:0"], "loops": 2}
    path.write_text(json.dumps({"pools": [pool], "serve": serve}))
    return path


def test_each_call_has_one_answer_whatever_dies(tmp_path):
    daemon = Daemon(write(tmp_path))
    try:
        client = Client(daemon)
        eventually(client.is_ready, "that it is ready")
        before = open_files(daemon)
        storm = Storm(daemon)
        storm.rage()
        print(f"seed {SEED}: {dict(storm.ends)}; killed: {dict(storm.kills)}")
        assert not storm.wrong, (
            f"seed {SEED}: {storm.wrong[:5]}\n{daemon.said()[-3000:]}"
        )
        assert sum(storm.ends.values()) == CALLS
        assert storm.kills["worker"] > 0

        def is_quiet() -> bool:
            _, pool = client.ask("GET", f"/v1/pools/{chaos.POOL}")
            return pool["running"] + pool["waiting"] == 0 and client.is_ready()

        eventually(is_quiet, "that nothing runs")
        eventually(lambda: open_files(daemon) <= before, "its files are closed")
        assert daemon.stop() == 0
    finally:
        daemon.end()
