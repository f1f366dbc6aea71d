# SPDX-License-Identifier: MIT
"""A host in a process of its own, for tests that kill it, limit it or take its memory.

The host opens a pit and obeys lines of JSON: see host_main.py.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
from typing import Any, Callable

from .places import E2E
from .processes import Process
from .waiting import Deadline


class Host:
    """One such process. Commands are answered in order, at most one at a time."""

    def __init__(
        self,
        *pools: dict,
        prefix: tuple[str, ...] = (),
        before: Callable[[], None] | None = None,
        setup: dict[str, Any] | None = None,
        top: dict[str, Any] | None = None,
        stderr: int | None = None,
    ) -> None:
        """`prefix` goes before the command, `before` runs after the fork, and `setup`
        is done by the host before it opens the pit. `stderr`: a descriptor to write to.
        """
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115
        first = {"config": {**(top or {}), "pools": list(pools)}, "setup": setup or {}}
        self.popen = subprocess.Popen(
            [*prefix, sys.executable, "-m", "support.host_main"],
            cwd=E2E,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors if stderr is None else stderr,
            preexec_fn=before,
            # The kernel wakes stopped workers that have lost their host only where the
            # process that inherits them, which in a container is one of ours, is of
            # another session.
            start_new_session=True,
        )
        self.process = Process.of(self.popen.pid)
        self.send(first)

    def send(self, message: dict[str, Any]) -> None:
        assert self.popen.stdin
        self.popen.stdin.write(json.dumps(message).encode() + b"\n")
        self.popen.stdin.flush()

    def receive(self, within: float = 30.0) -> dict[str, Any]:
        """The next line that the host writes."""
        assert self.popen.stdout
        deadline = Deadline(within)
        data = b""
        with selectors.DefaultSelector() as selector:
            selector.register(self.popen.stdout, selectors.EVENT_READ)
            while not data.endswith(b"\n"):
                left = within - deadline.passed
                assert left > 0 and selector.select(left), (
                    f"the host said nothing in {within} s: {self.stderr()}"
                )
                piece = os.read(self.popen.stdout.fileno(), 1 << 16)
                assert piece, f"the host has ended: {self.stderr()}"
                data += piece
        return json.loads(data)

    def ask(self, op: str, within: float = 30.0, **arguments: Any) -> dict[str, Any]:
        """Runs one command in the host and returns what it answers."""
        self.send({"op": op, **arguments})
        return self.receive(within)

    def open(self, ready: bool = True, within: float = 60.0) -> dict[str, Any]:
        """Opens the pit; the answer has err and why."""
        answer = self.ask("open", within, ready=ready)
        if ready:
            assert answer["err"] == "OK", answer
        return answer

    def workers(self, pool: str | None = None) -> set[Process]:
        rows = self.ask("workers", pool=pool)["workers"]
        return {process for process in map(Process.of, rows) if process}

    def call(self, tool: str, /, **arguments: Any) -> dict[str, Any]:
        """Calls a tool; the answer has err, and value or message."""
        return self.ask("call", tool=tool, arguments=arguments)

    def begin(self, tool: str, /, **arguments: Any) -> None:
        """Submits a call and does not wait for it."""
        self.ask("begin", tool=tool, arguments=arguments)

    def kill(self, number: int = signal.SIGKILL) -> None:
        if self.popen.poll() is None:
            self.popen.send_signal(number)

    def end(self, within: float = 20.0) -> int:
        """Lets the host close the pit and exit; its exit status."""
        self.send({"op": "close"})
        return self.popen.wait(within)

    def reap(self) -> None:
        self.popen.wait(10)
        for pipe in (self.popen.stdin, self.popen.stdout):
            if pipe:
                pipe.close()
        self.errors.close()

    def stderr(self) -> str:
        self.errors.seek(0)
        return self.errors.read().decode("utf-8", "replace")
