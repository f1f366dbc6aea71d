# SPDX-License-Identifier: MIT
"""HTTP/1.1 as bytes: what a client that is slow, careless or hostile sends."""

from __future__ import annotations

import dataclasses
import socket


@dataclasses.dataclass
class Answer:
    """One answer, as it came."""

    status: int
    fields: dict[str, str]
    body: bytes


class Raw:
    """One connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        if sock.family == socket.AF_INET:
            # What is sent apart is to come apart.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = sock.makefile("rb")

    def __enter__(self) -> Raw:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.file.close()
        self.sock.close()

    def send(self, data: str | bytes) -> None:
        self.sock.sendall(data.encode() if isinstance(data, str) else data)

    def ask(self, data: str | bytes) -> Answer:
        self.send(data)
        return self.answer()

    def answer(self, *, body: bool = True) -> Answer:
        """The next one; without its body if the request was HEAD."""
        status = int(self.file.readline().split(b" ", 2)[1])
        fields = {}
        while (line := self.file.readline()) != b"\r\n":
            assert line.endswith(b"\r\n"), line
            name, value = line.decode().split(":", 1)
            fields[name.lower()] = value.strip()
        return Answer(status, fields, self._body(fields) if body else b"")

    def _body(self, fields: dict[str, str]) -> bytes:
        if fields.get("transfer-encoding") == "chunked":
            return b"".join(self.chunks())
        if "content-length" in fields:
            return self.file.read(int(fields["content-length"]))
        return b""

    def chunks(self) -> list[bytes]:
        """Those of a body, up to the last one."""
        found = []
        while size := int(self.file.readline(), 16):
            found.append(self.file.read(size))
            assert self.file.readline() == b"\r\n"
        assert self.file.readline() == b"\r\n"
        return found

    def is_closed(self) -> bool:
        """Waits for the end; false if there is anything before it."""
        return self.file.read(1) == b""

    def was_cut(self) -> bool:
        """The same, where the other side may have reset the connection."""
        try:
            return self.is_closed()
        except ConnectionError:
            return True
