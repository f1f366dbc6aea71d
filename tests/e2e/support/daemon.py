# SPDX-License-Identifier: MIT
"""`snakepit serve`, as the tests of it run it."""

from __future__ import annotations

import contextlib
import http.client
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

from .command import SNAKEPIT, environment
from .processes import Process, children_of, marked, stat_fields
from .waiting import eventually

NO_POOLS = "pooling_enabled: false\n"


class Daemon:
    """One such process. Its standard error goes to a file."""

    def __init__(
        self,
        config: pathlib.Path,
        *words: str,
        env: dict[str, str] | None = None,
        prefix: tuple[str, ...] = (),
        trust: ssl.SSLContext | None = None,
        **options: Any,
    ) -> None:
        """`prefix` goes before the command; `trust` is for connections with TLS."""
        self.trust = trust
        self.errors = tempfile.NamedTemporaryFile()  # noqa: SIM115
        self.popen = subprocess.Popen(
            [*prefix, str(SNAKEPIT), "serve", str(config), *words],
            env=environment(**(env or {})),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self.errors,
            **options,
        )

    def said(self) -> str:
        return pathlib.Path(self.errors.name).read_text()

    def lines(self, event: str) -> list[str]:
        """What it has logged of an event."""
        return [line for line in self.said().splitlines() if f" {event} " in line]

    def logged(self, event: str) -> str:
        """Waits for such a line."""
        return eventually(lambda: self.lines(event), event)[-1]

    def urls(self, count: int = 1) -> list[str]:
        """Where it serves, once it does."""

        def found() -> list[str]:
            assert self.popen.poll() is None, self.said()
            urls = [
                line.removeprefix("serving ")
                for line in self.said().splitlines()
                if line.startswith("serving ")
            ]
            return urls if len(urls) >= count else []

        return eventually(found, "that it serves")

    def connect(self, url: str | None = None) -> socket.socket:
        """A socket to one of its addresses."""
        url = url or self.urls()[0]
        if url.startswith("unix:"):
            client = socket.socket(socket.AF_UNIX)
            client.connect(url.removeprefix("unix:"))
            client.settimeout(60)
            return client
        secure = url.startswith("https://")
        host, _, port = url.split("://")[-1].rpartition(":")
        host = host.strip("[]")
        client = socket.create_connection((host, int(port)), timeout=60)
        if secure:
            assert self.trust is not None
            return self.trust.wrap_socket(client, server_hostname=host)
        return client

    def request(
        self,
        path: str,
        method: str = "GET",
        body: bytes | None = None,
        url: str | None = None,
        **headers: str,
    ) -> tuple[int, bytes]:
        """One request on a connection of its own: the status and the body."""
        with contextlib.closing(Connection(self.connect(url))) as connection:
            connection.request(
                method, path, body, {k.replace("_", "-"): v for k, v in headers.items()}
            )
            answer = connection.getresponse()
            return answer.status, answer.read()

    def signal(self, number: int) -> None:
        os.kill(self.popen.pid, number)

    def wait(self) -> int:
        return self.popen.wait(60)

    def stop(self) -> int:
        """Its exit status, after SIGTERM."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        """Kills it, and waits until its workers and templates have ended as well. Who
        cleans up after one of them has its command line and runs behind all others: on
        a busy machine it is there for more than a moment.
        """
        groups = {stat_fields(one.pid)[2] for one in children_of(self.popen.pid)}
        self.popen.kill()
        self.popen.wait()

        def left() -> list[Process]:
            found = [(one, stat_fields(one.pid)) for one in marked()]
            return [one for one, fields in found if fields and fields[2] in groups]

        eventually(lambda: not left(), "all that a killed daemon has started has ended")

    def end(self) -> None:
        """Whatever has happened."""
        if self.popen.poll() is None:
            self.popen.kill()
            self.popen.wait()
        self.errors.close()


class Connection(http.client.HTTPConnection):
    """HTTP over a socket that is there."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__("localhost")
        self.sock = sock


@contextlib.contextmanager
def told_by(folder: pathlib.Path) -> Iterator[tuple[str, Callable[[], str]]]:
    """A service manager: its address, and what it is told next."""
    path = folder / "notify.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        manager.settimeout(60)
        yield str(path), lambda: manager.recv(4096).decode()
