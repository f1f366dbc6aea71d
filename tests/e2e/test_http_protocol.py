# SPDX-License-Identifier: MIT
"""HTTP/1.1 on the wire: what clients of all kinds send to a daemon, and what it makes
of that. What the requests mean is test_http.py's matter.
"""

from __future__ import annotations

import contextlib
import json
import pathlib
import selectors
import socket
import struct
import threading
from collections.abc import Iterator

import pytest
from support.configs import pool
from support.daemon import NO_POOLS, Daemon
from support.raw_http import Raw
from support.waiting import eventually

MEBI = 1 << 20
GET = "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"


def post(tool: str, body: bytes, *fields: str) -> bytes:
    """A call of a tool of the only pool."""
    lines = [
        f"POST /v1/pools/default/tools/{tool} HTTP/1.1",
        "Host: localhost",
        "Content-Type: application/json",
        *fields,
    ]
    if not any(field.startswith("Transfer-Encoding") for field in fields):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def in_chunks(body: bytes, size: int) -> bytes:
    """The body as chunks of so many bytes."""
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"


def start(folder: pathlib.Path, pools: str, **serve: object) -> Daemon:
    """A daemon that serves at a port and at a Unix socket."""
    path = folder / "serve.yaml"
    settings = {"listen": ["127.0.0.1:0", "unix:s.sock"], **serve}
    path.write_text(f"{pools}serve: {json.dumps(settings)}\n")
    daemon = Daemon(path)
    daemon.urls(2)
    return daemon


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """For tests that leave it as it was: one pool of one worker."""
    daemon = start(
        tmp_path_factory.mktemp("shared"),
        f"pools: {json.dumps([pool()])}\n",
        max_message="2MiB",
        max_header_size="4KiB",
    )
    eventually(lambda: daemon.request("/readyz")[0] == 200, "that the pool is ready")
    try:
        yield daemon
        assert daemon.stop() == 0, daemon.said()
    finally:
        daemon.end()


@pytest.fixture(params=["tcp", "unix"])
def client(shared: Daemon, request: pytest.FixtureRequest) -> Iterator[Raw]:
    """A connection to it, of each kind."""
    with Raw(shared.connect(shared.urls(2)[request.param == "unix"])) as raw:
        yield raw


@pytest.fixture
def daemons(tmp_path: pathlib.Path) -> Iterator[list[Daemon]]:
    """Those of a test, to be ended with it."""
    made: list[Daemon] = []
    yield made
    for daemon in made:
        daemon.end()


# ---- Requests and connections -------------------------------------------------------


def test_requests_that_come_at_once_are_answered_in_order(client):
    nothing = "GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n"
    echo = post("echo", b'{"value": [1, 2.5, "x"]}').decode()
    client.send((GET + nothing + echo) * 50)
    for _ in range(50):
        assert client.answer().status == 200
        assert client.answer().status == 404
        answer = client.answer()
        assert answer.status == 200 and json.loads(answer.body) == [1, 2.5, "x"]
    assert client.ask(GET).status == 200


def test_a_connection_is_kept(client):
    for _ in range(200):
        answer = client.ask(GET)
        assert answer.status == 200 and "connection" not in answer.fields
        assert answer.fields["date"].endswith(" GMT")
    last = client.ask(GET.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"))
    assert last.status == 200 and last.fields["connection"] == "close"
    assert client.is_closed()


def test_older_clients_are_served(shared):
    with Raw(shared.connect()) as client:
        answer = client.ask("GET /livez HTTP/1.0\r\n\r\n")
        assert answer.status == 200 and answer.fields["connection"] == "close"
        assert client.is_closed()
    with Raw(shared.connect()) as client:
        for _ in range(3):
            kept = client.ask("GET /livez HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            assert kept.status == 200 and kept.fields["connection"] == "keep-alive"


def test_head_is_answered_without_a_body(client):
    whole = client.ask(GET)
    client.send(GET.replace("GET", "HEAD"))
    answer = client.answer(body=False)
    assert answer.fields["content-length"] == str(len(whole.body))
    assert client.ask(GET).body == whole.body


def test_a_request_may_come_byte_by_byte(client):
    body = in_chunks(b'{"value": "snake"}', 5)
    for byte in post("echo", body, "Transfer-Encoding: chunked"):
        client.send(bytes([byte]))
    answer = client.answer()
    assert answer.status == 200 and json.loads(answer.body) == "snake"
    for byte in post("echo", b'{"value": "pit"}'):
        client.send(bytes([byte]))
    answer = client.answer()
    assert answer.status == 200 and json.loads(answer.body) == "pit"


@pytest.mark.parametrize("size", [1, 1000, 65536, MEBI])
def test_a_large_body_comes_whole(client, size):
    text = "abcdefghij" * (MEBI // 10)
    body = json.dumps({"text": text}).encode()
    if size == 1:
        body = body[: 20000 - 2] + b'"}'
    expected = len(json.loads(body)["text"])
    asked = post("size", in_chunks(body, size), "Transfer-Encoding: chunked")
    answer = client.ask(asked)
    assert answer.status == 200 and json.loads(answer.body) == expected
    answer = client.ask(post("size", body))
    assert answer.status == 200 and json.loads(answer.body) == expected


def test_who_asks_before_it_sends_is_told_to_go_on(client):
    body = b'{"value": 1}'
    asked = post("echo", body, "Expect: 100-continue")
    client.send(asked[: -len(body)])
    assert client.file.readline() == b"HTTP/1.1 100 Continue\r\n"
    assert client.file.readline() == b"\r\n"
    answer = client.ask(body)
    assert answer.status == 200 and json.loads(answer.body) == 1
    # Who would send too much is told before it does.
    client.send(
        post("echo", body, "Expect: 100-continue")[: -len(body)].replace(
            b"Content-Length: 12", b"Content-Length: 99999999"
        )
    )
    assert client.answer().status == 413
    assert client.is_closed()


# ---- What is refused ----------------------------------------------------------------


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_too_large_is_refused(client, chunked):
    """The client sees the answer, though it has not read yet and sends on."""
    body = b"x" * (8 * MEBI)
    if chunked:
        request = post("echo", in_chunks(body, MEBI), "Transfer-Encoding: chunked")
    else:
        request = post("echo", body)
    with contextlib.suppress(ConnectionError):
        client.send(request)
    answer = client.answer()
    assert answer.status == 413
    assert answer.fields["content-type"] == "application/problem+json"
    assert "max_message" in json.loads(answer.body)["detail"]
    assert answer.fields["connection"] == "close"


def test_headers_are_bounded(client):
    client.send("GET /livez HTTP/1.1\r\nHost: localhost\r\n")
    with contextlib.suppress(ConnectionError):
        for _ in range(2000):
            client.send("X: " + "y" * 50 + "\r\n")
    assert client.answer().status == 431


def test_fields_are_counted(client):
    assert client.ask(GET[:-2] + "a: b\r\n" * 99 + "\r\n").status == 200
    assert client.ask(GET[:-2] + "a: b\r\n" * 100 + "\r\n").status == 431
    assert client.is_closed()


def test_a_line_without_an_end_is_refused(client):
    with contextlib.suppress(ConnectionError):
        client.send("GET /" + "a" * (4 * MEBI))
    assert client.answer().status == 414


POST = "POST / HTTP/1.1\r\nHost: localhost\r\n"
CHUNKS = "Transfer-Encoding: chunked\r\n"
LAST = "\r\n0\r\n\r\n"  # the end of the header, and of a body in chunks
SMUGGLED = "GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
# Each of these has made two programs disagree about where a request ends.
IN_DOUBT = {
    "length and chunks": (400, POST + "Content-Length: 6\r\n" + CHUNKS + LAST),
    "chunks and length": (400, POST + CHUNKS + "Content-Length: 6\r\n" + LAST),
    "two lengths": (400, POST + "Content-Length: 0\r\nContent-Length: 44\r\n\r\n"),
    "a list of lengths": (400, POST + "Content-Length: 0, 0\r\n\r\n"),
    "a signed length": (400, POST + "Content-Length: +0\r\n\r\n"),
    "a blank before the colon": (400, POST + "Transfer-Encoding : chunked\r\n" + LAST),
    "a folded line": (400, POST + "Transfer-Encoding:\r\n chunked\r\n" + LAST),
    "another coding": (400, POST + "Transfer-Encoding: xchunked\r\n" + LAST),
    "a coding before": (501, POST + "Transfer-Encoding: gzip, chunked\r\n" + LAST),
    "a coding behind": (400, POST + "Transfer-Encoding: chunked, gzip\r\n" + LAST),
    "chunks of an older client": (400, "POST / HTTP/1.0\r\n" + CHUNKS + LAST),
    "bare ends of lines": (400, "GET / HTTP/1.1\nHost: localhost\n\n"),
    "a bare CR": (400, POST + "A: b\rC: d\r\n\r\n"),
    "a zero": (400, POST + "A: \x00\r\n\r\n"),
    "two hosts": (400, POST + "Host: localhost\r\n\r\n"),
    "no host": (400, "GET / HTTP/1.1\r\n\r\n"),
    "a size with a blank": (400, POST + CHUNKS + "\r\n0 \r\n\r\n"),
    "a size that is too long": (400, POST + CHUNKS + "\r\n" + "0" * 17 + "\r\n\r\n"),
    "a chunk that ends elsewhere": (400, POST + CHUNKS + "\r\n1\r\nabc\r\n0\r\n\r\n"),
    "a bare LF in an extension": (400, POST + CHUNKS + "\r\n1;\nx\r\n0\r\n\r\n"),
    "a tunnel": (501, "CONNECT h:443 HTTP/1.1\r\nHost: localhost\r\n\r\n"),
}


@pytest.mark.parametrize("name", IN_DOUBT)
def test_what_could_be_read_in_two_ways_is_refused(shared, name):
    """With one answer, the last: what stands behind it is nobody's request."""
    status, request = IN_DOUBT[name]
    with Raw(shared.connect()) as client:
        answer = client.ask(request + SMUGGLED)
        assert answer.status == status
        assert json.loads(answer.body)["status"] == status
        assert answer.fields["connection"] == "close"
        assert client.is_closed()


def test_who_speaks_something_else_is_told_at_once(shared):
    with Raw(shared.connect()) as client:
        assert client.ask(b"\x16\x03\x01\x02\x00\x01\x00\x01").status == 400
        assert client.is_closed()


# ---- Clients that are slow, or gone -------------------------------------------------


def test_the_end_of_a_request_is_not_waited_for_forever(tmp_path, daemons):
    """Many clients send a byte now and then: each is told so in time, and others are
    served meanwhile.
    """
    daemon = start(tmp_path, NO_POOLS, header_timeout_ms=500, body_timeout_ms=500)
    daemons.append(daemon)
    head = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
    slow = [Raw(daemon.connect()) for _ in range(100)]
    with selectors.DefaultSelector() as waiting:
        for client in slow:
            client.send(head)
            waiting.register(client.sock, selectors.EVENT_READ, client)
        left = len(slow)
        while left > 0:
            for key, _ in waiting.select(0.02):
                assert key.data.answer().status == 408
                waiting.unregister(key.fileobj)
                left -= 1
            for key in list(waiting.get_map().values()):
                with contextlib.suppress(ConnectionError):
                    key.data.send(b"y")
            assert daemon.request("/livez")[0] == 200
    for client in slow:
        client.close()
    with Raw(daemon.connect()) as client:
        client.send(post("echo", b'{"value": 1}')[:-3])
        assert client.answer().status == 408
        assert client.is_closed()


def test_idle_connections_are_closed(tmp_path, daemons):
    daemon = start(tmp_path, NO_POOLS, idle_timeout_ms=200)
    daemons.append(daemon)
    with Raw(daemon.connect()) as silent, Raw(daemon.connect()) as served:
        assert served.ask(GET).status == 200
        assert silent.is_closed()
        assert served.is_closed()


def test_half_a_connection_is_enough_for_what_is_answered_at_once(client):
    client.send(GET * 3)
    client.sock.shutdown(socket.SHUT_WR)
    assert [client.answer().status for _ in range(3)] == [200] * 3
    assert client.is_closed()


def reset_when_closed(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.parametrize("more", ["nothing", "at once", "later"])
@pytest.mark.parametrize("way", ["close", "half", "reset"])
def test_a_client_that_goes_cancels_its_call(shared, tmp_path, way, more):
    """Also where there is more behind its request, which nobody has read yet."""
    began = tmp_path / "began"
    body = json.dumps({"path": str(began)}).encode()
    client = Raw(shared.connect())
    client.send(
        post("until_cancelled", body) + (GET.encode() if more == "at once" else b"")
    )
    eventually(began.exists, "that the tool runs")
    if more == "later":
        client.send(GET)
    if way == "half":
        client.sock.shutdown(socket.SHUT_WR)
        assert client.was_cut()
    elif way == "reset":
        reset_when_closed(client.sock)
    client.close()
    # The only worker is free again, which it would not be for ever.
    assert shared.request(
        "/v1/pools/default/tools/echo",
        "POST",
        b'{"value": 7}',
        content_type="application/json",
    ) == (200, b"7")


def test_clients_may_leave_anywhere(shared):
    """Behind each byte of a call, by an end or a reset: nothing of them stays."""
    descriptors = pathlib.Path(f"/proc/{shared.popen.pid}/fd")
    body = in_chunks(b'{"value": 1}', 7)
    request = post("echo", body, "Transfer-Encoding: chunked")
    before = len(list(descriptors.iterdir()))
    for at in range(2 * len(request) + 2):
        with Raw(shared.connect()) as client:
            client.send(request[: at // 2])
            if at % 2 == 1:
                reset_when_closed(client.sock)
    eventually(lambda: len(list(descriptors.iterdir())) <= before, "that all are gone")
    with Raw(shared.connect()) as client:
        assert client.ask(request).body == b"1"


def test_who_asks_and_does_not_read_is_held_back(shared):
    """Neither its requests nor its answers pile up in the daemon."""
    resident = pathlib.Path(f"/proc/{shared.popen.pid}/statm")
    request = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
    before = int(resident.read_text().split()[1])
    count = 1500
    with Raw(shared.connect()) as client:
        sender = threading.Thread(target=client.send, args=(request * count,))
        sender.start()
        # It sends until both sockets are full; others are served meanwhile.
        for _ in range(100):
            assert shared.request("/livez")[0] == 200
        grown = (int(resident.read_text().split()[1]) - before) * 4096
        assert grown < 8 * MEBI
        for _ in range(count):
            assert client.answer().status == 200
        sender.join()
