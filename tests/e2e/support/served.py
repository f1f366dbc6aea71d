# SPDX-License-Identifier: MIT
"""Clients of a daemon that serves tests/e2e/adapters/served.py."""

from __future__ import annotations

import contextlib
import http.client
import json
import pathlib
from collections.abc import Iterator
from typing import Any

from .configs import default_python
from .daemon import Connection, Daemon
from .waiting import eventually

CALL = "/v1/pools/text/tools/"
SSE = {"Accept": "text/event-stream"}


def config(folder: pathlib.Path, serve: dict[str, Any] | None = None, **keys: Any):
    """The file of a daemon with one pool."""
    pool = {
        "name": "text",
        "python": default_python("process"),
        "pool_size": 1,
        "adapter": "served.Served",
        "shared_memory_size": "64MiB",
        **keys,
    }
    path = folder / "daemon.yaml"
    listen = {"listen": ["127.0.0.1:0"], "loops": 2, **(serve or {})}
    path.write_text(json.dumps({"pools": [pool], "serve": listen}))
    return path


class Client:
    """Asks one daemon."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon

    def open(
        self, method: str, path: str, body: Any = None, /, **headers: str
    ) -> http.client.HTTPResponse:
        """Sends a request on a connection of its own."""
        connection = Connection(self.daemon.connect())
        fields = {key.replace("_", "-"): value for key, value in headers.items()}
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            fields.setdefault("Content-Type", "application/json")
        connection.request(method, path, body, fields)
        answer = connection.getresponse()
        answer.connection = connection
        return answer

    def ask(self, method: str, path: str, body: Any = None, /, **headers: str):
        """The status and the value of an answer."""
        status, _, value = self.whole(method, path, body, **headers)
        return status, value

    def whole(self, method: str, path: str, body: Any = None, /, **headers: str):
        """The status, the fields and the value of an answer."""
        answer = self.open(method, path, body, **headers)
        with contextlib.closing(answer.connection):
            data = answer.read()
            if "json" in answer.headers.get("Content-Type", ""):
                return answer.status, answer.headers, json.loads(data)
            return answer.status, answer.headers, data

    def call(self, tool: str, arguments: Any = None, /, **headers: str):
        """The status and the value of a call."""
        return self.ask("POST", CALL + tool, arguments, **headers)

    def events(self, tool: str, arguments: Any = None, **headers: str) -> Events:
        """The stream of a call."""
        return Events(self.open("POST", CALL + tool, arguments, **SSE, **headers))

    def is_ready(self) -> bool:
        return self.ask("GET", "/readyz")[0] == 200


class Events:
    """Server-sent events, as they come."""

    def __init__(self, answer: http.client.HTTPResponse) -> None:
        self.answer = answer

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        name, data = "message", []
        for line in self.answer:
            text = line.decode().rstrip("\n")
            if text.startswith("event: "):
                name = text.removeprefix("event: ")
            elif text.startswith("data: "):
                data.append(text.removeprefix("data: "))
            elif text == "" and data:
                yield name, json.loads("\n".join(data))
                name, data = "message", []

    def close(self) -> None:
        self.answer.connection.close()
        self.answer.close()


def poured(path: pathlib.Path) -> int:
    """How many chunks the tool `pour` has yielded; -1: it does not run."""
    text = path.read_text() if path.exists() else ""
    return int(text) if text.isdigit() else -1


def serve(path: pathlib.Path, **options: Any) -> Daemon:
    """A daemon that is ready."""
    daemon = Daemon(path, **options)
    try:
        eventually(Client(daemon).is_ready, "that it is ready")
    except BaseException:
        daemon.end()
        raise
    return daemon


def serve_whole(path: pathlib.Path) -> Daemon:
    """The same, once each pool has all of its workers."""
    daemon = serve(path)
    client = Client(daemon)
    eventually(
        lambda: all(
            pool["workers_ready"] == pool["workers"]
            for pool in client.ask("GET", "/v1/pools")[1]["pools"]
        ),
        "all workers serve",
    )
    return daemon


def end(daemons: list[Daemon]) -> None:
    """Each stops by itself, and leaves no worker."""
    try:
        for daemon in daemons:
            assert daemon.popen.poll() == 0 or daemon.stop() == 0
    finally:
        for daemon in daemons:
            daemon.end()
