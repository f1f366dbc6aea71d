# SPDX-License-Identifier: MIT
"""Bodies that are too many, or too slow: the daemon's memory stays its own."""

from __future__ import annotations

import contextlib
import json
import pathlib
import socket
from typing import Any

import pytest
from support.daemon import Daemon
from support.raw_http import Raw
from support.served import Client, end
from support.waiting import eventually

MIB = 1 << 20
GONE = (BrokenPipeError, ConnectionResetError)  # the daemon has closed its side


@pytest.fixture
def start(tmp_path: pathlib.Path):
    """A daemon without pools."""
    daemons: list[Daemon] = []

    def start_one(**serve: Any) -> Daemon:
        path = tmp_path / "daemon.yaml"
        keys = {"listen": ["127.0.0.1:0"], "loops": 2, **serve}
        path.write_text(json.dumps({"pooling_enabled": False, "serve": keys}))
        daemons.append(Daemon(path))
        daemons[-1].urls()
        return daemons[-1]

    yield start_one
    end(daemons)


def post(length: int, *fields: str) -> str:
    lines = [
        "POST /v1/pools/a/tools/b HTTP/1.1",
        "Host: localhost",
        "Content-Type: application/json",
        f"Content-Length: {length}",
        *fields,
    ]
    return "\r\n".join(lines) + "\r\n\r\n"


def resident(daemon: Daemon) -> int:
    text = pathlib.Path(f"/proc/{daemon.popen.pid}/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0]) * 1024


def test_bodies_of_all_have_so_much_memory_together(start):
    daemon = start(max_message="8MiB", max_memory="16MiB")
    client = Client(daemon)
    before = resident(daemon)
    holding = [Raw(daemon.connect()) for _ in range(2)]
    try:
        for raw in holding:
            raw.send(post(8 * MIB))
            raw.send(b" " * (8 * MIB - 2))

        def refused() -> bool:
            with Raw(daemon.connect()) as raw:
                raw.send(post(8 * MIB))
                raw.sock.settimeout(60)
                with contextlib.suppress(*GONE):
                    raw.send(b" " * (8 * MIB - 1))
                answer = raw.answer()
                assert answer.status == 503
                assert answer.fields["retry-after"] == "1"
                return "max_memory" in answer.body.decode()

        # Both have come by then, but for what the daemon itself has grown by.
        eventually(
            lambda: resident(daemon) > before + 15 * MIB, "that both bodies are there"
        )
        assert refused()
        # What is small goes on, and what is there is served.
        assert client.ask("GET", "/v1/pools")[0] == 200
        assert client.ask("POST", "/v1/pools/a/tools/b", {"a": 1})[0] == 404
        for raw in holding:
            assert raw.ask(b"{}").status == 404
        with Raw(daemon.connect()) as raw:
            raw.send(post(8 * MIB))
            assert raw.ask(b"{}" + b" " * (8 * MIB - 2)).status == 404
    finally:
        for raw in holding:
            raw.close()
    assert 'because="max_memory"' in daemon.logged("serve.full")


def test_what_a_client_only_announces_takes_no_memory(start):
    daemon = start(max_message="100MiB", max_memory="100MiB")
    waiting = [Raw(daemon.connect()) for _ in range(20)]
    try:
        for raw in waiting:
            raw.send(post(100 * MIB))
        assert Client(daemon).ask("GET", "/v1/pools")[0] == 200
        with Raw(daemon.connect()) as raw:
            raw.send(post(8 * MIB))
            assert raw.ask(b"{}" + b" " * (8 * MIB - 2)).status == 404
    finally:
        for raw in waiting:
            raw.close()


def test_a_body_that_drips_is_refused(start):
    daemon = start(body_timeout_ms=200, body_min_rate="1MiB")
    with Raw(daemon.connect()) as raw:
        raw.send(post(MIB))

        def dripped() -> bool:
            """One byte more; true once there is an answer."""
            with contextlib.suppress(*GONE):
                raw.send(b" ")
            raw.sock.setblocking(False)
            try:
                return raw.sock.recv(1, socket.MSG_PEEK) != b""
            except BlockingIOError:
                return False
            finally:
                raw.sock.settimeout(60)

        eventually(dripped, "that it is refused")
        answer = raw.answer()
        assert answer.status == 408
        assert "slower than body_min_rate" in answer.body.decode()
