# SPDX-License-Identifier: MIT
"""What the daemon counts: each figure is that of a client which counts for itself."""

from __future__ import annotations

import pathlib
import socket
import ssl
from collections.abc import Iterator

import pytest
from support.certificates import Identity, self_signed
from support.raw_http import Raw
from support.served import Client, config, end, serve
from support.waiting import eventually


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    return self_signed(tmp_path_factory.mktemp("own"))


@pytest.fixture
def client(tmp_path: pathlib.Path, own: Identity) -> Iterator[Client]:
    """A daemon with a door that is asked for its figures, and one over TLS."""
    tls = {"address": "127.0.0.1:0", "tls": own.keys()}
    daemon = serve(config(tmp_path, {"listen": ["127.0.0.1:0", tls], "loops": 2}))
    yield Client(daemon)
    end([daemon])


def figures(client: Client) -> dict[str, float]:
    """What /metrics has, by what is in front of the number."""
    lines = client.ask("GET", "/metrics")[1].decode().splitlines()
    named = (line.rsplit(" ", 1) for line in lines if line[0] != "#")
    return {name: float(value) for name, value in named}


class Door:
    """One of the daemon's doors: what has happened there since."""

    def __init__(self, client: Client, url: str) -> None:
        self.client = client
        self.address = url.split("//")[1]
        self.before = figures(client)

    def more(self, name: str, **labels: str) -> float:
        texts = {"door": self.address, **labels}.items()
        inside = ",".join(f'{key}="{value}"' for key, value in texts)
        sample = f"snakepit_door_{name}{{{inside}}}"
        return figures(self.client).get(sample, 0) - self.before.get(sample, 0)


def connect(door: Door) -> socket.socket:
    host, port = door.address.split(":")
    return socket.create_connection((host, int(port)), 30)


def secure(door: Door, own: Identity, *protocols: str) -> ssl.SSLSocket:
    context = own.trusted()
    context.set_alpn_protocols(protocols)
    return context.wrap_socket(connect(door), server_hostname="localhost")


GET = "GET {} HTTP/1.1\r\nHost: localhost\r\n\r\n"


def test_requests_are_counted_by_door_and_code(client, own):
    plain, door = (Door(client, url) for url in client.daemon.urls())
    with Raw(secure(door, own)) as raw:
        sizes = [len(raw.ask(GET.format("/livez")).body) for _ in range(5)]
        for _ in range(3):
            assert raw.ask(GET.format("/nothing")).status == 404
        assert door.more("open_connections") == 1
    assert sizes == [3] * 5
    assert door.more("answers_total", code="200") == 5
    assert door.more("answers_total", code="404") == 3
    assert door.more("connections_total") == 1
    assert door.more("handshakes_total", outcome="ok") == 1
    sent = 5 * len(GET.format("/livez")) + 3 * len(GET.format("/nothing"))
    assert door.more("received_bytes_total") == sent
    eventually(lambda: door.more("sent_bytes_total") > 5 * 3, "that they are counted")
    eventually(lambda: door.more("open_connections") == 0, "that it is closed")
    assert plain.more("answers_total", code="404") == 0


def test_what_is_not_a_request_has_its_code(client):
    door = Door(client, client.daemon.urls()[0])
    with Raw(connect(door)) as raw:
        assert raw.ask("nonsense\r\n\r\n").status == 400
    assert door.more("answers_total", code="400") == 1


def test_a_handshake_that_fails_is_counted(client, own):
    door = Door(client, client.daemon.urls()[1])
    with connect(door) as stranger:
        stranger.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert stranger.recv(4096).startswith(b"HTTP/1.1 400")
    with connect(door) as stranger:
        stranger.sendall(b"\x16\x03\x01\x00\x05hello")
        stranger.recv(4096)
    eventually(
        lambda: door.more("handshakes_total", outcome="failed") == 2, "that both are"
    )
    assert door.more("handshakes_total", outcome="ok") == 0


def test_each_tool_has_its_calls(client):
    for _ in range(4):
        assert client.call("add", {"a": 1, "b": 2})[0] == 200
    assert client.call("fail")[0] == 500
    for name in ("made_up", "made_up_too"):
        assert client.call(name)[0] == 404
    values = figures(client)
    calls = 'snakepit_tool_calls_total{pool="text",tool="%s",outcome="%s"}'
    assert values[calls % ("add", "ok")] == 4
    assert values[calls % ("fail", "TOOL_FAILED")] == 1
    assert values[calls % ("_other", "UNKNOWN_TOOL")] == 2
    ended = [value for name, value in values.items() if "tool_calls" in name]
    assert sum(ended) == values['snakepit_pool_calls_total{pool="text"}']
    assert not [name for name in values if "made_up" in name]
    ran = 'snakepit_tool_run_seconds_count{pool="text",tool="add"}'
    assert values[ran] == 4


def test_workers_are_counted_by_how_they_end(client):
    family = 'snakepit_pool_worker_%s{pool="text"%s}'
    deaths = family % ("deaths_total", ',cause="exit"')
    starts = family % ("start_seconds_count", "")
    hand = family % ("recycles_total", ',by="hand"')
    assert figures(client)[starts] == 1
    assert client.call("die")[0] == 503
    eventually(lambda: figures(client)[starts] == 2, "that another one is ready")
    values = figures(client)
    assert values[deaths] == values[family % ("ends_total", ',cause="died"')] == 1
    assert values[family % ("start_seconds_sum", "")] > 0
    assert client.ask("POST", "/v1/pools/text:recycle")[0] in (200, 202)
    eventually(lambda: figures(client)[hand] == 1, "that it is recycled")
    assert figures(client)[deaths] == 1
