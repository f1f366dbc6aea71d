# SPDX-License-Identifier: MIT
"""Clients of the gRPC door that are slow, large or late: others are served."""

from __future__ import annotations

import json
import pathlib
import struct
from collections.abc import Iterator
from typing import Any

import pytest
from support.daemon import Daemon
from support.raw_http2 import (
    ACK,
    CANCEL,
    DATA,
    END_STREAM,
    HEADERS,
    PING,
    RST_STREAM,
    Frame,
    Raw2,
)
from support.served import Client, config, end, serve
from support.waiting import eventually

CHECK = "/grpc.health.v1.Health/Check"
CALL = "/snakepit.v1.Snakepit/Call"


@pytest.fixture
def start(tmp_path: pathlib.Path) -> Iterator[Any]:
    daemons: list[Daemon] = []

    def start_one(**keys: Any) -> Daemon:
        daemons.append(serve(config(tmp_path, keys)))
        return daemons[-1]

    yield start_one
    end(daemons)


def test_messages_that_anybody_may_send_take_nothing_of_what_others_have(start):
    daemon = start(max_message="1MiB", max_memory="2MiB")
    with Raw2(daemon.connect()) as one, Raw2(daemon.connect()) as other:
        for raw in (one, other):
            stream = raw.begin(CHECK)
            raw.send(DATA, 0, stream, struct.pack(">BI", 0, 900000) + bytes(16000))
            assert raw.last_of(stream).kind == HEADERS  # though all is still to come
        status, value = Client(daemon).call("echo", {"x": "y" * 900000})
        assert status == 200, value


def test_a_message_that_drips_is_refused(start):
    daemon = start(body_timeout_ms=500, body_min_rate="1MiB")
    with Raw2(daemon.connect()) as raw:
        stream = raw.begin(CALL)
        raw.send(DATA, 0, stream, struct.pack(">BI", 0, 10000))
        seen: list[Frame] = []

        def dripped() -> bool:
            """One byte more; true once the call has ended."""
            raw.send(DATA, 0, stream, b"x")
            raw.send(PING, 0, 0, bytes(8))
            while (frame := raw.read()) is not None and frame[:2] != (PING, ACK):
                seen.append(frame)
            return any(frame.stream == stream and frame.ends for frame in seen)

        eventually(dripped, "that it is refused")


def test_a_deadline_ends_a_call_whose_message_is_not_whole(start):
    daemon = start()
    with Raw2(daemon.connect()) as raw:
        stream = raw.begin(CALL, grpc_timeout="300m")
        raw.send(DATA, 0, stream, b"\0\0\0\0\x10ab")
        assert raw.last_of(stream).kind == HEADERS  # a status, rather than a reset


def asked(tool: str, arguments: dict[str, Any]) -> bytes:
    """A message, with its frame: CallRequest{pool: "text", tool, arguments: {json}}."""

    def part(number: int, text: bytes) -> bytes:
        assert len(text) < 128
        return bytes([number << 3 | 2, len(text)]) + text

    payload = part(2, json.dumps(arguments).encode())
    message = part(1, b"text") + part(2, tool.encode()) + part(3, payload)
    return struct.pack(">BI", 0, len(message)) + message


def test_a_deadline_ends_a_stream_that_its_client_does_not_read(start, tmp_path):
    daemon = start(write_timeout_ms=3600000)
    path = tmp_path / "n"
    with Raw2(daemon.connect(), window=1000) as raw:
        stream = raw.begin("/snakepit.v1.Snakepit/Stream", grpc_timeout="1S")
        raw.send(DATA, END_STREAM, stream, asked("pour", {"path": str(path)}))
        frame = raw.last_of(stream)
        assert frame.kind == RST_STREAM
        assert frame.body == struct.pack(">I", CANCEL)
        eventually(lambda: path.read_text() == "closed", "that the tool has ended")
