# SPDX-License-Identifier: MIT
"""Calls of mixed kinds through each door while workers, templates and clients are
killed at random: each has one answer, none is wrong, and nothing stays.

E2E_CHAOS_CALLS makes it longer, and E2E_CHAOS_SEED has the same calls again.
"""

from __future__ import annotations

import collections
import contextlib
import importlib.util
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
from typing import Any

from support import chaos
from support.command import environment
from support.configs import default_python
from support.daemon import Daemon
from support.grpcs import stubs
from support.places import E2E
from support.processes import marked
from support.served import Client
from support.waiting import Deadline, eventually

CALLS = int(os.environ.get("E2E_CHAOS_CALLS", "3000"))
SEED = int(os.environ.get("E2E_CHAOS_SEED", time.time_ns() % 1_000_000))
CALLERS = 8
KILLED = 2  # clients that are
BY_GRPC = CALLS // 10  # calls of each client of gRPC
MOST_S = 600.0


class Storm:
    """The calls of one run, and who is killed meanwhile."""

    def __init__(self, daemon: Daemon, made: str | None) -> None:
        """`made` is the folder of gRPC's stubs; None: there is no grpcio."""
        self.daemon = daemon
        self.made = made
        self.by_grpc = 0  # calls that were given out
        self.beside: list[subprocess.Popen[bytes]] = []
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
            elif not Client(self.daemon).is_ready():
                continue  # a pool that is down answers nothing but that
            else:
                self._kill_worker()

    def _kill_worker(self) -> None:
        """Any process of the daemon's: a worker, a template, or who cleans up."""
        clients = (*self.clients, *self.beside)
        ours = {self.daemon.popen.pid, *(client.pid for client in clients)}
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
        self.clients.append(self._run(next(self.seeds)))

    def _run(self, *words: int, **options: Any) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "support.chaos", self.url, *map(str, words)]
        env = environment(**({"CHAOS_STUBS": self.made} if self.made else {}))
        return subprocess.Popen(command, cwd=E2E, env=env, **options)

    def call_by_grpc(self) -> None:
        """The calls of one client."""
        with self.lock:
            first = CALLS + self.by_grpc
            self.by_grpc += BY_GRPC
        client = self._run(SEED, first, first + BY_GRPC, stdout=subprocess.PIPE)
        self.beside.append(client)
        said = json.loads(client.communicate()[0] or '{"ends": {}, "wrong": ["died"]}')
        with self.lock:
            self.ends.update(said["ends"])
            self.wrong += said["wrong"]

    # ---- The whole of it ------------------------------------------------------------

    def rage(self) -> None:
        callers = [
            threading.Thread(target=self.call_on, args=[door])
            for door, _ in zip(itertools.cycle(chaos.DOORS), range(CALLERS))
        ]
        if self.made:
            callers += [threading.Thread(target=self.call_by_grpc) for _ in range(2)]
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


def grpc_stubs(folder: pathlib.Path) -> str | None:
    """What protoc makes of the contract, where there is grpcio."""
    if importlib.util.find_spec("grpc_tools") is None:
        return None
    return str(stubs(folder))


def test_each_call_has_one_answer_whatever_dies(tmp_path):
    daemon = Daemon(write(tmp_path))
    try:
        client = Client(daemon)
        eventually(client.is_ready, "that it is ready")
        before = open_files(daemon)
        storm = Storm(daemon, grpc_stubs(tmp_path))
        storm.rage()
        print(f"seed {SEED}: {dict(storm.ends)}; killed: {dict(storm.kills)}")
        assert not storm.wrong, (
            f"seed {SEED}: {storm.wrong[:5]}\n{daemon.said()[-3000:]}"
        )
        assert sum(storm.ends.values()) == CALLS + storm.by_grpc
        assert storm.kills["worker"] > 0

        def is_quiet() -> bool:
            _, pool = client.ask("GET", f"/v1/pools/{chaos.POOL}")
            return pool["running"] + pool["waiting"] == 0 and client.is_ready()

        eventually(is_quiet, "that nothing runs")
        eventually(lambda: open_files(daemon) <= before, "its files are closed")
        assert daemon.stop() == 0
    finally:
        daemon.end()
