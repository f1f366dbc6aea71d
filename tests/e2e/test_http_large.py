# SPDX-License-Identifier: MIT
"""Bodies and results so large that they are read and written beside the loop."""

from __future__ import annotations

import base64
import contextlib
import json
import statistics
import threading
import time
from collections.abc import Iterator

import numpy
import pytest
from support.daemon import Daemon
from support.raw_http import Raw
from support.served import CALL, Client, config, end, serve
from support.waiting import eventually

MEBI = 1 << 20
GET = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
PACKED = {"Content_Type": "application/msgpack", "Accept": "application/msgpack"}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Of a daemon with one loop, so that whoever is held up is seen."""
    folder = tmp_path_factory.mktemp("large")
    daemon = serve(config(folder, {"loops": 1, "max_values": 9_000_000}))
    yield Client(daemon)
    end([daemon])


def request(method: str, path: str, body: bytes, *fields: str) -> bytes:
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: localhost",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *fields,
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def numbers(count: int) -> dict[str, list[int]]:
    return {"values": list(range(count))}


# ---- What comes back ----------------------------------------------------------------


def test_large_arguments_and_their_result_are_whole(client):
    for value in (numbers(300_000), {"text": "äöü" * MEBI}):
        assert client.call("echo", value) == (200, value)


def test_a_large_body_of_messagepack_is_whole(client):
    data = bytes(range(256)) * (2 * MEBI // 256)
    head = b"\x81\xa4data\xc6" + len(data).to_bytes(4, "big")
    assert client.call("echo", head + data, **PACKED) == (200, head + data)


def test_a_large_tensor_is_whole(client):
    array = numpy.arange(MEBI, dtype=numpy.float32)
    tensor = {
        "dtype": "float32",
        "shape": [MEBI],
        "data": base64.b64encode(array.tobytes()).decode(),
    }
    status, value = client.call("double", {"array": {"$tensor": tensor}})
    twice = numpy.frombuffer(base64.b64decode(value["$tensor"]["data"]), "<f4")
    assert status == 200 and (twice == array * 2).all()


def test_a_stream_may_have_large_arguments(client):
    events = client.events("count", {"n": 3, "fail_at": -1} | {"x" * MEBI: 1})
    assert events.answer.status == 500  # the tool knows no such argument
    events.close()
    events = client.events("echo", numbers(300_000))
    assert next(iter(events)) == ("message", numbers(300_000))
    events.close()


def test_large_chunks_come_whole_and_in_their_order(client):
    sizes = [3, 400_000, 0, 300_000, 400_000, 2]
    events = client.events("lists", {"sizes": sizes, "last": 350_000})
    lists = [list(range(size)) for size in sizes]
    assert list(events) == [
        *(("message", numbers) for numbers in lists),
        ("end", {"result": list(range(350_000))}),
    ]
    events.close()


def test_a_large_chunk_that_has_no_json_ends_its_stream(client):
    events = client.events("lists", {"sizes": [2, -1_200_000, 2]})
    first, (name, problem) = list(events)
    assert first == ("message", [0, 1])
    assert (name, problem["error"]["name"]) == ("error", "UNSERIALISABLE")
    events.close()


def test_a_large_value_of_a_session_is_kept(client):
    path = "/v1/sessions/large/values/k"
    value = numbers(200_000)
    assert client.ask("PUT", path, value)[0] == 204
    assert client.ask("GET", path) == (200, value)
    assert client.call("kept", {"key": "k"}, Snakepit_Session="large") == (200, value)
    assert client.ask("DELETE", "/v1/sessions/large")[0] == 204


def test_requests_behind_a_large_one_are_answered_in_turn(client):
    body = json.dumps(numbers(300_000)).encode()
    large = request("POST", CALL + "echo", body)
    small = request("POST", CALL + "add", b'{"a": 1}')
    with Raw(client.daemon.connect()) as raw:
        sender = threading.Thread(target=raw.send, args=((large + small) * 3,))
        sender.start()
        for _ in range(3):
            answer = raw.answer()
            assert (answer.status, json.loads(answer.body)) == (200, json.loads(body))
            assert raw.answer().body == b"2"
        sender.join()


# ---- What is refused ----------------------------------------------------------------


def test_what_is_wrong_in_a_large_body_is_told_with_its_place(client):
    broken = json.dumps(numbers(300_000)).encode()[:-1]
    status, value = client.call("echo", broken, Content_Type="application/json")
    assert (status, value["error"]["name"]) == (400, "MALFORMED")
    assert "the call's arguments: line 1, column" in value["detail"]
    status, value = client.call("echo", list(range(300_000)))
    assert (status, value["error"]["name"]) == (400, "INVALID_ARGUMENT")
    assert "must be a JSON object" in value["detail"]


def test_a_large_body_for_what_is_not_there_is_told_so(client):
    assert client.call("no_such", numbers(300_000))[0] == 404
    path = "/v1/pools/none/tools/echo"
    assert client.ask("POST", path, numbers(300_000))[0] == 404


@pytest.mark.parametrize("count", [1000, 2_000_000])
def test_values_are_counted(tmp_path, count):
    """Of both kinds, and where they are read beside the loop as well."""
    daemon = serve(config(tmp_path, {"max_values": count}))
    client = Client(daemon)
    fits = {"a": [0] * (count - 1)}
    over = {"a": [0] * count}
    size = (count).to_bytes(4, "big")
    packed = b"\x81\xa1a\xdd" + size + b"\x00" * count
    assert client.call("nothing", fits)[0] == 500  # it takes no arguments
    for answer in (client.call("echo", over), client.call("echo", packed, **PACKED)):
        status, value = answer
        value = value if isinstance(value, dict) else json.loads(value)
        assert (status, value["error"]["name"]) == (400, "MALFORMED")
        assert f"{count} values that `serve: max_values` allows" in value["detail"]
    end([daemon])


# ---- Others -------------------------------------------------------------------------


def running(client: Client) -> int:
    _, pool = client.ask("GET", "/v1/pools/text")
    return pool["running"] + pool["waiting"]


def test_who_leaves_while_it_is_read_leaves_nothing(client, tmp_path):
    """Also when the call has begun: it is cancelled."""
    body = json.dumps(numbers(300_000) | {"path": str(tmp_path / "w")}).encode()
    for pause in (0, 0.002, 0.01, 0.05) * 5:
        with Raw(client.daemon.connect()) as raw:
            raw.send(request("POST", CALL + "echo", body))
            time.sleep(pause)
    eventually(lambda: running(client) == 0, "nothing of them runs")
    assert client.call("add", {"a": 1}) == (200, 2)


def test_who_leaves_while_a_chunk_is_written_leaves_nothing(client):
    for pause in (0, 0.002, 0.01, 0.05) * 3:
        events = client.events("lists", {"sizes": [400_000] * 50})
        time.sleep(pause)
        events.close()
    eventually(lambda: running(client) == 0, "nothing of them runs")
    assert client.call("add", {"a": 1}) == (200, 2)


def test_it_is_answered_before_the_daemon_ends(tmp_path):
    daemon = serve(config(tmp_path, {"loops": 1}))
    body = json.dumps(numbers(2_000_000)).encode()
    with Raw(daemon.connect()) as raw:
        raw.send(request("POST", CALL + "echo", body))
        daemon.signal(15)
        answer = raw.answer()
        assert (answer.status, json.loads(answer.body)) == (200, json.loads(body))
        assert raw.is_closed()
    assert daemon.wait() == 0
    end([daemon])


def test_a_daemon_that_does_not_wait_ends_all_the_same(tmp_path):
    daemon = serve(config(tmp_path, {"loops": 1, "shutdown_grace_ms": 0}))
    body = json.dumps(numbers(2_000_000)).encode()
    with Raw(daemon.connect()) as raw:
        raw.send(request("POST", CALL + "echo", body))
        end([daemon])
        # As far as the call had come, it is told.
        with contextlib.suppress(ConnectionError):
            told = raw.file.read()
            assert told == b"" or told.startswith(b"HTTP/1.1 503 ")


def latencies(daemon: Daemon, until: threading.Thread) -> list[float]:
    """Of requests that come one after the other while that thread works."""
    found = []
    with Raw(daemon.connect()) as raw:
        while until.is_alive():
            begun = time.perf_counter()
            assert raw.ask(GET).status == 200
            found.append(time.perf_counter() - begun)
            time.sleep(0.001)
    return found


@pytest.mark.quiet
def test_others_do_not_wait_for_two_million_keys(client):
    """24 MB of them, which take most of a second to be read."""
    keys = b",".join(b'"%x":1' % i for i in range(0x1000000, 0x1000000 + 2_000_000))
    body = b"{" + keys + b"}"
    assert len(body) > 21 * MEBI
    heard = []

    def send() -> None:
        with Raw(client.daemon.connect()) as raw:
            raw.send(request("PUT", "/v1/sessions/many/values/k", body))
            heard.append(raw.answer().status)

    sender = threading.Thread(target=send)
    sender.start()
    waits = latencies(client.daemon, sender)
    sender.join()
    assert heard == [413]  # more than a session's values may take
    assert statistics.quantiles(waits, n=100)[-1] < 0.020
    assert max(waits) < 0.5
    assert len(waits) > 100


@pytest.mark.quiet
def test_others_do_not_wait_for_large_chunks(client):
    """Sixteen of 15 MB, each of which takes a good while to be written as JSON."""
    ask = request(
        "POST",
        CALL + "lists",
        json.dumps({"sizes": [2_000_000] * 16}).encode(),
        "Accept: text/event-stream",
        "Connection: close",
    )
    heard = []

    def read() -> None:
        with Raw(client.daemon.connect()) as raw:
            raw.send(ask)
            while part := raw.file.read(1 << 20):
                heard.append(len(part))

    reader = threading.Thread(target=read)
    reader.start()
    waits = latencies(client.daemon, reader)
    reader.join()
    assert sum(heard) > 16 * 14_000_000
    assert statistics.quantiles(waits, n=100)[-1] < 0.020
    assert max(waits) < 0.5
