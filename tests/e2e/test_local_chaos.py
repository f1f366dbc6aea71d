# SPDX-License-Identifier: MIT
"""Calls of mixed kinds through the local door while workers, clients and the daemon
itself are killed and stopped at random: each has one answer in time, none is wrong, and
nothing stays of what has died.

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

from support import chaos, local_chaos
from support.command import environment
from support.configs import default_python
from support.daemon import Daemon
from support.places import E2E
from support.processes import Process, marked
from support.served import Client, serve
from support.waiting import Deadline, eventually, seconds

CALLS = int(os.environ.get("E2E_CHAOS_CALLS", "1500"))
SEED = int(os.environ.get("E2E_CHAOS_SEED", time.time_ns() % 1_000_000))
CALLERS = 6
KILLED = 2  # clients that are
MOST_S = 600.0
STANDS_S = 0.3  # that a process which is stopped stands, at most


class Storm:
    """The calls of one run, and who is killed meanwhile."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.config = write(folder)
        self.address = f"unix:{folder}/local.sock"
        self.deaths = folder / "deaths"
        self.deaths.touch()
        os.environ["CHAOS_DEATHS"] = str(self.deaths)
        self.daemon = serve(self.config)
        self.files = open_files(self.daemon)
        self.marks = iter(range(CALLS))
        self.lock = threading.Lock()
        self.ends: collections.Counter[str] = collections.Counter()
        self.wrong: list[str] = []
        self.done: collections.Counter[str] = collections.Counter()
        self.slowest_end = 0.0  # seconds until all of a killed daemon was gone
        self.over = threading.Event()
        self.clients: list[subprocess.Popen[bytes]] = []
        self.seeds = itertools.count(SEED % 1000)
        self.chance = random.Random(SEED)

    def _next(self) -> int | None:
        with self.lock:
            return None if self.wrong else next(self.marks, None)

    def call_on(self, door_of: type[local_chaos.LocalDoor]) -> None:
        """Calls until there are enough."""
        deadline = Deadline(MOST_S)
        with contextlib.closing(door_of(self.address)) as door:
            while (mark := self._next()) is not None and not deadline.over:
                try:
                    end = local_chaos.call(door, SEED, mark)
                    with self.lock:
                        self.ends[end] += 1
                except Exception as error:  # is told by the test
                    self.wrong.append(f"{door_of.__name__}: call {mark}: {error!r}")

    # ---- Who is killed --------------------------------------------------------------

    def _act_on(self) -> None:
        """Until the calls are over."""
        acts = [self._kill_worker] * 4 + [self._kill_client] * 4
        acts += [self._stop_worker, self._stop_daemon] * 2 + [self._kill_daemon]
        act = self._kill_daemon  # once at least
        try:
            while not self.over.wait(self.chance.uniform(0.02, 0.2)):
                if act == self._kill_client or Client(self.daemon).is_ready():
                    act()
                    self.done[act.__name__] += 1
                act = self.chance.choice(acts)
        except Exception as error:  # is told by the test
            self.wrong.append(f"{error!r}")

    def _of_daemon(self) -> set[Process]:
        """Its processes but itself: workers, templates, and who cleans up."""
        ours = {self.daemon.popen.pid, *(client.pid for client in self.clients)}
        return {one for one in marked() if one.pid not in ours}

    def _any_of_daemon(self) -> Process | None:
        found = sorted(self._of_daemon(), key=lambda one: one.pid)
        return self.chance.choice(found) if found else None

    def _kill_worker(self) -> None:
        if one := self._any_of_daemon():
            one.kill(signal.SIGKILL)

    def _stop_worker(self) -> None:
        if one := self._any_of_daemon():
            self._stop(one)

    def _stop_daemon(self) -> None:
        if one := Process.of(self.daemon.popen.pid):
            self._stop(one)

    def _stop(self, one: Process) -> None:
        """For a while."""
        one.kill(signal.SIGSTOP)
        self.over.wait(self.chance.uniform(0, STANDS_S))
        one.kill(signal.SIGCONT)

    def _kill_client(self) -> None:
        if len(self.clients) == KILLED:
            client = self.clients.pop(0)
            client.kill()
            assert client.wait() == -signal.SIGKILL, "it was answered wrongly"
        words = ["-m", "support.local_chaos", self.address, str(next(self.seeds))]
        command = [sys.executable, *words]
        self.clients.append(subprocess.Popen(command, cwd=E2E, env=environment()))

    def _kill_daemon(self) -> None:
        """Its processes end by themselves, and another daemon is started."""
        with self.deaths.open("a") as file:
            file.write("x")  # before it can be seen
        with seconds() as taken:
            self.daemon.kill()
        self.slowest_end = max(self.slowest_end, taken.seconds)
        self.daemon.end()
        self.daemon = serve(self.config)

    # ---- The whole of it ------------------------------------------------------------

    def rage(self) -> None:
        callers = [
            threading.Thread(target=self.call_on, args=[door])
            for door, _ in zip(itertools.cycle(local_chaos.DOORS), range(CALLERS))
        ]
        killer = threading.Thread(target=self._act_on)
        for thread in (killer, *callers):
            thread.start()
        for thread in callers:
            thread.join()
        self.over.set()
        killer.join()
        for client in self.clients:
            client.kill()
            client.wait()


def write(folder: pathlib.Path) -> pathlib.Path:
    pool = {
        "name": chaos.POOL,
        "python": default_python("process"),
        "pool_size": 3,
        "adapter": "chaos.Chaos",
        "shared_memory_size": "64MiB",
        "cancel_grace_ms": 200,
    }
    door = {"address": f"unix:{folder}/local.sock", "door": "local"}
    path = folder / "chaos.yaml"
    serve = {"listen": ["127.0.0.1:0", door], "loops": 2}
    path.write_text(json.dumps({"pools": [pool], "serve": serve}))
    return path


def open_files(daemon: Daemon) -> int:
    return len(os.listdir(f"/proc/{daemon.popen.pid}/fd"))


def test_each_call_has_one_answer_in_time_whatever_dies(tmp_path):
    storm = Storm(tmp_path)
    try:
        storm.rage()
        print(f"seed {SEED}: {dict(storm.ends)}; done: {dict(storm.done)}")
        print(f"all of a killed daemon was gone after {storm.slowest_end:.2f} s")
        said = storm.daemon.said()[-3000:]
        assert not storm.wrong, f"seed {SEED}: {storm.wrong[:5]}\n{said}"
        assert sum(storm.ends.values()) == CALLS
        client = Client(storm.daemon)

        def is_quiet() -> bool:
            _, pool = client.ask("GET", f"/v1/pools/{chaos.POOL}")
            return pool["running"] + pool["waiting"] == 0 and client.is_ready()

        eventually(is_quiet, "that nothing runs")
        eventually(
            lambda: open_files(storm.daemon) <= storm.files, "its files are closed"
        )
        assert storm.done["_kill_daemon"] > 0
        assert storm.daemon.stop() == 0
    finally:
        storm.daemon.end()
