# SPDX-License-Identifier: MIT
"""HTTP/2 frame by frame, as a client sends and reads them."""

from __future__ import annotations

import json
import socket
import struct
from typing import Any, NamedTuple

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM, END_HEADERS, ACK = 1, 4, 1
CANCEL = 8


class Frame(NamedTuple):
    kind: int
    flags: int
    stream: int
    body: bytes

    @property
    def ends(self) -> bool:
        return self.kind in (DATA, HEADERS) and bool(self.flags & END_STREAM)


def field(name: str, value: str) -> bytes:
    """One that is in no table (RFC 7541, section 6.2.2)."""
    text = b"\x00"
    for part in (name.encode(), value.encode()):
        assert len(part) < 127
        text += bytes([len(part)]) + part
    return text


class Raw2:
    """A connection."""

    def __init__(self, sock: socket.socket, window: int = 1 << 30) -> None:
        """`window` is that of each stream; that of the connection is large."""
        self.sock = sock
        self.file = sock.makefile("rb")
        self.last = -1
        settings = struct.pack(">HI", 4, window)
        self.sock.sendall(
            PREFACE
            + self.frame(SETTINGS, 0, 0, settings)
            + self.frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", (1 << 30)))
        )

    def __enter__(self) -> Raw2:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()
        self.sock.close()

    @staticmethod
    def frame(kind: int, flags: int, stream: int, body: bytes = b"") -> bytes:
        head = struct.pack(">I", len(body))[1:] + bytes([kind, flags])
        return head + struct.pack(">I", stream) + body

    def send(self, kind: int, flags: int, stream: int, body: bytes = b"") -> None:
        self.sock.sendall(self.frame(kind, flags, stream, body))

    def request(self, path: str, body: Any = None, **fields: str) -> tuple[int, bytes]:
        """The next stream, and the frames of its request: POST if there is a body."""
        self.last += 2
        text = b"" if body is None else json.dumps(body).encode()
        block = b"\x83" if text else b"\x82"  # :method
        block += b"\x86" + field(":path", path) + field(":authority", "localhost")
        if text:
            block += field("content-type", "application/json")
        for name, value in fields.items():
            block += field(name.replace("_", "-"), value)
        flags = END_HEADERS if text else END_HEADERS | END_STREAM
        frames = self.frame(HEADERS, flags, self.last, block)
        if text:
            frames += self.frame(DATA, END_STREAM, self.last, text)
        return self.last, frames

    def begin(self, path: str, **fields: str) -> int:
        """The header of a gRPC call, whose messages are still to come; its stream."""
        self.last += 2
        block = b"\x83\x86" + field(":path", path) + field(":authority", "localhost")
        for name, value in {"content-type": "application/grpc", **fields}.items():
            block += field(name.replace("_", "-"), value)
        self.send(HEADERS, END_HEADERS, self.last, block)
        return self.last

    def ask(self, path: str, body: Any = None, **fields: str) -> int:
        """Sends one; its stream."""
        stream, frames = self.request(path, body, **fields)
        self.sock.sendall(frames)
        return stream

    def reset(self, stream: int) -> None:
        self.send(RST_STREAM, 0, stream, struct.pack(">I", CANCEL))

    def read(self) -> Frame | None:
        """The next one, None at the end; pings and settings are answered."""
        head = self.file.read(9)
        if len(head) < 9:
            return None
        size = int.from_bytes(head[:3], "big")
        stream = int.from_bytes(head[5:], "big")
        frame = Frame(head[3], head[4], stream, self.file.read(size))
        if frame.kind in (SETTINGS, PING) and not frame.flags & ACK:
            self.send(frame.kind, ACK, 0, frame.body if frame.kind == PING else b"")
        return frame

    def last_of(self, stream: int) -> Frame:
        """The frame that ends an answer, or breaks it off."""
        while True:
            frame = self.read()
            assert frame is not None
            if frame.stream == stream and (frame.ends or frame.kind == RST_STREAM):
                return frame

    def body(self, stream: int) -> bytes:
        """The body of an answer, until it ends."""
        text = b""
        while True:
            frame = self.read()
            assert frame is not None
            if frame.stream == stream:
                assert frame.kind != RST_STREAM, frame
                text += frame.body if frame.kind == DATA else b""
                if frame.ends:
                    return text
