# SPDX-License-Identifier: MIT
"""`snakepit mcp`, as a desktop program runs it: one message a line, both ways."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import queue
import signal
import subprocess
import tempfile
import threading
from typing import Any

from .command import SNAKEPIT, environment


class Stdio:
    """One such process. Its standard error goes to a file."""

    def __init__(self, *words: Any, **options: Any) -> None:
        env = environment(**options.pop("env", {}))
        self.errors = tempfile.NamedTemporaryFile()  # noqa: SIM115
        options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, **options}
        self.popen = subprocess.Popen(
            [str(SNAKEPIT), "mcp", *map(str, words)],
            env=env,
            stderr=self.errors,
            **options,
        )
        self.lines: queue.Queue[bytes | None] = queue.Queue()
        self.reader = threading.Thread(target=self._read)
        if self.popen.stdout is not None:
            self.reader.start()

    def _read(self) -> None:
        for line in self.popen.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def said(self) -> str:
        return pathlib.Path(self.errors.name).read_text()

    def write(self, text: bytes) -> None:
        self.popen.stdin.write(text)
        self.popen.stdin.flush()

    def send(self, *messages: Any) -> None:
        self.write(
            b"".join(json.dumps(message).encode() + b"\n" for message in messages)
        )

    def next(self) -> Any:
        """The next message; None: there are no more."""
        line = self.lines.get(timeout=120)
        if line is None:
            return None
        assert line.endswith(b"\n")
        return json.loads(line)

    def ask(self, method: str, params: Any = None, number: Any = 1) -> Any:
        """The answer to a request, which is what comes next."""
        told = {"jsonrpc": "2.0", "id": number, "method": method}
        self.send(told if params is None else {**told, "params": params})
        answer = self.next()
        assert answer["id"] == number, answer
        return answer

    def begin(self, version: str = "2025-11-25") -> Any:
        """The result of a handshake."""
        who = {"name": "test", "version": "1"}
        params = {"protocolVersion": version, "capabilities": {}, "clientInfo": who}
        answer = self.ask("initialize", params, "handshake")
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return answer["result"]

    def signal(self, number: int) -> None:
        os.kill(self.popen.pid, number)

    def rest(self) -> list[Any]:
        """What comes until its end, after the end of its input."""
        with contextlib.suppress(BrokenPipeError):
            self.popen.stdin.close()
        return list(iter(self.next, None))

    def wait(self) -> int:
        """Its exit status."""
        status = self.popen.wait(120)
        if self.popen.stdout is not None:
            self.reader.join()
            self.popen.stdout.close()
        if self.popen.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self.popen.stdin.close()
        return status

    def finish(self) -> int:
        """The same after the end of its input, when nothing is left to come."""
        assert self.rest() == []
        return self.wait()

    def end(self) -> None:
        """Whatever has happened."""
        if self.popen.poll() is None:
            self.signal(signal.SIGKILL)
        self.wait()
        self.errors.close()
