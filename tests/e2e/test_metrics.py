# SPDX-License-Identifier: MIT
"""What the daemon counts: each figure is that of a client which counts for itself."""

from __future__ import annotations

import concurrent.futures
import ctypes
import json
import pathlib
import socket
import ssl
import time
from collections.abc import Iterator

import numpy
import pytest
from support import pool
from support.certificates import Identity, self_signed
from support.library import lib
from support.pit import Pit
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


def read(text: bytes) -> dict[str, float]:
    """The numbers of a text, by what is in front of them."""
    lines = text.decode().splitlines()
    named = (line.rsplit(" ", 1) for line in lines if line[0] != "#")
    return {name: float(value) for name, value in named}


def figures(client: Client) -> dict[str, float]:
    """What /metrics has."""
    return read(client.ask("GET", "/metrics")[1])


def of_pool(client: Client, name: str, **labels: str) -> float:
    """A figure of the daemon's pool."""
    inside = "".join(f',{key}="{value}"' for key, value in labels.items())
    return figures(client)[f'snakepit_pool_{name}{{pool="text"{inside}}}']


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


# ---- What calls carry, and how long they are where ----------------------------------


def test_chunks_are_those_that_a_client_has_read(client):
    chunks = 0
    for n in (300, 1, 0):
        events = client.events("count", {"n": n})
        got = [value for name, value in events if name == "message"]
        events.close()
        assert got == list(range(n))
        chunks += len(got)
    assert client.call("add", {"a": 1})[0] == 200  # no stream
    assert of_pool(client, "chunks_total") == chunks
    # As MessagePack has them: to 127 in one byte, to 255 in two, then in three.
    assert (
        of_pool(client, "payload_bytes_total", of="chunks")
        == 128 + 2 * 128 + 3 * 44 + 1
    )
    assert of_pool(client, "first_chunk_seconds_count") == 2
    assert of_pool(client, "run_seconds_count") == 1


def test_the_first_chunk_is_told_while_the_stream_goes_on(client, tmp_path):
    began = time.monotonic()
    events = client.events("pour", {"path": str(tmp_path / "poured"), "size": 10})
    values = iter(events)
    for _ in range(3):
        assert next(values) == ("message", "x" * 10)
    took = time.monotonic() - began
    eventually(lambda: of_pool(client, "first_chunk_seconds_count") == 1)
    assert 0 < of_pool(client, "first_chunk_seconds_sum") < took
    assert of_pool(client, "chunks_total") >= 3
    events.close()


def test_bytes_are_those_of_messagepack_in_and_out(client):
    text = "x" * 1000
    for _ in range(3):
        assert client.call("echo", {"a": text}) == (200, {"a": text})
    assert client.call("fail", {"message": "y"})[0] == 500
    whole = 1 + 2 + 3 + len(text)  # a map of one, its key, and the head of a long text
    fault = 1 + 8 + 2
    told = "payload_bytes_total"
    assert of_pool(client, told, of="arguments") == 3 * whole + fault
    assert of_pool(client, told, of="results") == 3 * whole
    assert (
        of_pool(client, told, of="tensors") == of_pool(client, told, of="chunks") == 0
    )


def test_each_call_was_handed_over_before_it_ran(client):
    """Those of a line, too; one that is given up is not told."""
    calls = 20
    for _ in range(calls):
        assert client.call("add", {"a": 1})[0] == 200
    assert client.call("fail")[0] == 500
    assert client.call("made_up")[0] == 404
    events = client.events("count", {"n": 3})
    assert len(list(events)) == 4
    events.close()
    assert of_pool(client, "handover_seconds_count") == calls + 3
    assert of_pool(client, "line_seconds_count") == calls + 3
    assert 0 < of_pool(client, "handover_seconds_sum") < 60


def test_an_executor_is_busy_while_its_tool_runs(client, tmp_path):
    begun = tmp_path / "begun"
    before = of_pool(client, "backed_memory_bytes")
    assert of_pool(client, "busy_executors") == 0
    with concurrent.futures.ThreadPoolExecutor(2) as threads:
        calls = [
            threads.submit(client.call, "wait", {"path": str(begun)}) for _ in range(2)
        ]
        eventually(begun.exists, "that one has begun")
        eventually(lambda: of_pool(client, "waiting_calls") == 1, "that one waits")
        assert of_pool(client, "busy_executors") == 1
        (tmp_path / "begun.enough").touch()
        assert [call.result(60) for call in calls] == [(200, "enough")] * 2
    eventually(lambda: of_pool(client, "busy_executors") == 0, "that it has ended")
    assert of_pool(client, "waiting_max_calls") == 1
    assert client.call("echo", {"a": "x" * (8 << 20)})[0] == 200
    assert of_pool(client, "backed_memory_bytes") >= before + (1 << 20)


# ---- Workers and sessions -----------------------------------------------------------


def test_workers_have_states_and_ages(client):
    states = ("starting", "ready", "draining", "stopping")

    def counted() -> list[float]:
        return [of_pool(client, "worker_states", state=state) for state in states]

    [row] = client.ask("GET", "/v1/pools/text")[1]["workers_now"]
    assert counted() == [0, 1, 0, 0]
    oldest = of_pool(client, "worker_age_seconds", of="oldest")
    assert oldest >= row["age_ms"] / 1000
    assert of_pool(client, "worker_age_seconds", of="median") >= oldest
    assert client.call("die")[0] == 503
    eventually(lambda: of_pool(client, "worker_starts_total") == 2)
    eventually(lambda: counted() == [0, 1, 0, 0], "that another one is ready")
    eventually(lambda: of_pool(client, "worker_threads") >= 1)


def test_sessions_are_counted_with_their_values(client):
    def told(name: str) -> float:
        return figures(client)[f"snakepit_session{name}"]

    for session, key, value in (("a", "k", 1), ("a", "key", "xyz"), ("b", "k", None)):
        place = f"/v1/sessions/{session}/values/{key}"
        assert (
            client.ask(
                "PUT",
                place,
                json.dumps(value).encode(),
                Content_Type="application/json",
            )[0]
            == 204
        )
    assert client.call("kept", {"key": "k"}, Snakepit_Session="a") == (200, 1)
    assert of_pool(client, "questions_total") == 1  # for the value
    assert client.call("session", Snakepit_Session="c") == (200, "c")
    assert told("s") == 3
    assert told("_values") == 3
    assert told("_value_bytes") == 3 * 128 + (1 + 1) + (3 + 4) + (1 + 1)
    assert client.ask("DELETE", "/v1/sessions/a")[0] == 204
    assert told("s") == 2
    assert told("_values") == 1
    assert told('_ends_total{by="hand"}') == 1
    assert told('_ends_total{by="max_sessions"}') == 0


# ---- What is lent -------------------------------------------------------------------


def figures_of(pit: Pit) -> dict[str, float]:
    text, size = ctypes.c_void_p(), ctypes.c_size_t()
    assert lib.metrics(pit.handle, None, ctypes.byref(text), ctypes.byref(size)) == 0
    found = ctypes.string_at(text, size.value)
    lib.metrics_free(text)
    return read(found)


def test_what_is_lent_is_told_until_it_is_given_back(open_pit):
    pit = open_pit(pool("process", adapter="guinea_pig.GuineaPig"))
    [name] = [
        key
        for key in figures_of(pit)
        if key.startswith("snakepit_pool_leases") and 'by="python"' in key
    ]
    program = name.replace("python", "program")
    carried = name.replace("leases", "payload_bytes_total").replace("by=", "of=")
    for kept in range(1, 4):
        assert pit.call("keep", {"array": numpy.ones(100)}) == kept
        assert figures_of(pit)[name] == kept
    pit.call("drop")
    eventually(lambda: pit.call("kept_sum") == 0 and figures_of(pit)[name] == 0)
    assert figures_of(pit)[carried.replace("python", "tensors")] == 3 * 100 * 8
    with pit.answer("make", {"count": 1000}) as answer:
        assert answer.value().sum() == 1000
        assert figures_of(pit)[program] == 1
    assert figures_of(pit)[program] == 0
