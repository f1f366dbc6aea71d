# SPDX-License-Identifier: MIT
"""The main of a host process: one line of JSON in, one line out."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import signal
import sys
from collections.abc import Iterator
from typing import Any

from .answers import CallFailed, Refused
from .census import descriptors_of, memfd_mappings
from .pit import Pit
from .processes import Process


def set_up(wanted: dict[str, Any]) -> None:
    """Limits and habits of this process, before it opens the pit."""
    if wanted.get("ignore_sigchld"):
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    if wanted.get("default_sigpipe"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it
    for name, value in wanted.get("limits", {}).items():
        resource.setrlimit(getattr(resource, name), (value, value))
    if "user" in wanted:
        os.setgroups([])
        os.setgid(wanted["user"])
        os.setuid(wanted["user"])


class HostMain:
    """Obeys. Owner: the main thread."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config
        self.pit: Pit | None = None
        self.begun: list[Any] = []

    def open(self, ready: bool) -> dict[str, Any]:
        pools = self.config.pop("pools")
        self.pit = Pit.open(*pools, **self.config)
        return self.await_ready(120_000) if ready else {"err": "OK"}

    def await_ready(self, timeout_ms: int) -> dict[str, Any]:
        assert self.pit
        try:
            self.pit.await_ready(timeout_ms=timeout_ms)
        except Refused as refused:
            return {"err": refused.err, "why": refused.why}
        return {"err": "OK"}

    def workers(self, pool: str | None) -> dict[str, Any]:
        assert self.pit
        return {"workers": [row.pid for row in self.pit.workers(pool)]}

    def call(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        assert self.pit
        try:
            return {"err": "OK", "value": self.pit.call(tool, arguments)}
        except CallFailed as failed:
            return {"err": failed.err, "message": failed.fault.message}

    def begin(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        assert self.pit
        self.begun.append(self.pit.submit(tool, arguments))
        return {"err": "OK"}

    def stats(self, pool: str | None = None) -> dict[str, Any]:
        assert self.pit
        stats = self.pit.stats(pool)
        found = {name: getattr(stats, name) for name, _ in stats._fields_}
        return {
            name: value.decode() if isinstance(value, bytes) else value
            for name, value in found.items()
        }

    def become(self, user: int) -> dict[str, Any]:
        """Gives its rights up, with the pit open."""
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
        return {"uid": os.getuid()}

    def retry(self) -> dict[str, Any]:
        assert self.pit
        self.pit.retry()
        return {"err": "OK"}

    def take_descriptors(self) -> dict[str, Any]:
        """Opens files until there can be no more."""
        self.held: list[int] = []
        with contextlib.suppress(OSError):
            while True:
                self.held.append(os.open("/dev/null", os.O_RDONLY))
        return {"count": len(self.held)}

    def give_descriptors(self) -> dict[str, Any]:
        while self.held:
            os.close(self.held.pop())
        return {"err": "OK"}

    def fork(self) -> dict[str, Any]:
        """Forks a child that keeps all descriptors and stays until it is killed."""
        child = os.fork()
        if child == 0:
            while True:
                signal.pause()
        return {"pid": child}

    def measure(self) -> dict[str, Any]:
        here = Process.of(os.getpid())
        assert here
        # What is free may lie below something small, and is then resident by chance.
        ctypes.CDLL(None).malloc_trim(0)
        return {
            "rss": here.rss,
            "descriptors": sum(descriptors_of("self").values()),
            "mappings": memfd_mappings("self"),
            "threads": len(os.listdir("/proc/self/task")),
        }

    def usage(self) -> dict[str, Any]:
        spent = os.times()
        return {"cpu": spent.user + spent.system}

    def cycle(self, times: int) -> dict[str, Any]:
        """Opens and closes the pit so often, with a call in between."""
        for _ in range(times):
            with Pit.open(*self.config["pools"]).await_ready() as pit:
                for name in pit.pool_names():
                    pit.call("ping", pool=name)
        return self.measure()

    def log(self) -> dict[str, Any]:
        assert self.pit
        return {"lines": [line.text for line in self.pit.lines]}


def commands() -> Iterator[dict[str, Any]]:
    for line in sys.stdin:
        yield json.loads(line)


def main() -> None:
    """Runs until it is told to close or its input ends."""
    received = commands()
    first = next(received)
    set_up(first["setup"])
    host = HostMain(first["config"])
    for message in received:
        op = message.pop("op")
        if op == "close":
            break
        print(json.dumps(getattr(host, op)(**message)), flush=True)
    with contextlib.suppress(AttributeError):
        host.pit.close()  # type: ignore[union-attr]


if __name__ == "__main__":
    main()
