# SPDX-License-Identifier: MIT
"""HTTP/2 against the real daemon: by curl, and frame by frame."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import time

import pytest
from support.daemon import Daemon
from support.raw_http2 import GOAWAY, HEADERS, RST_STREAM, Raw2
from support.served import CALL, Client, config, end, poured, serve
from support.waiting import eventually

LIMIT = 16 << 20  # bytes that may be on their way to a client that does not read


@pytest.fixture
def daemon(tmp_path: pathlib.Path):
    """One of a test's own."""
    one = serve(config(tmp_path))
    yield one
    end([one])


def curl(url: str, *words: str, data: bytes | None = None) -> bytes:
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    if b"HTTP2" not in subprocess.run(["curl", "-V"], capture_output=True).stdout:
        pytest.skip("needs a curl that speaks HTTP/2")
    body = ["--data-binary", "@-"] if data is not None else []
    done = subprocess.run(
        ["curl", "-sS", "--http2-prior-knowledge", *body, *words, url],
        input=data,
        capture_output=True,
        timeout=60,
        check=True,
    )
    return done.stdout


# ---- curl ---------------------------------------------------------------------------

JSON = ("-H", "Content-Type: application/json")
PACKED = (
    *("-H", "Content-Type: application/msgpack"),
    *("-H", "Accept: application/msgpack"),
)


def test_a_call_is_answered(client):
    url = client.daemon.urls()[0]
    answer = curl(url + CALL + "add", *JSON, "-w", " %{http_version}", data=b'{"a":1}')
    assert answer == b"2 2"
    code = ("-o", "/dev/null", "-w", "%{http_code} %{http_version}")
    assert curl(url + CALL + "no_such", *code, *JSON, data=b"{}") == b"404 2"
    assert curl(url + "/livez", *code, "-I") == b"200 2"


def test_a_stream_is_events(client):
    url = client.daemon.urls()[0]
    events = ("-H", "Accept: text/event-stream")
    text = curl(url + CALL + "count", *JSON, *events, data=b'{"n":300}').decode()
    assert text.count("data: ") == 301
    assert text.endswith('event: end\ndata: {"result":300}\n\n')


def test_large_bodies_cross_both_ways(client):
    url = client.daemon.urls()[0]
    size = 8 << 20
    body = b"\x81\xa1x\xc6" + struct.pack(">I", size) + bytes(size)
    assert curl(url + CALL + "echo", *PACKED, data=body) == body


def test_what_is_too_large_is_refused_though_it_is_still_coming(client):
    url = client.daemon.urls()[0]
    code = ("-w", " %{http_code}")
    answer = curl(url + CALL + "echo", *PACKED, *code, data=bytes(101 << 20))
    assert answer.endswith(b" 413")


# ---- Frames -------------------------------------------------------------------------


def connect(daemon: Daemon, **options: int) -> Raw2:
    return Raw2(daemon.connect(), **options)


def test_a_thousand_streams_are_answered_at_once(client):
    with connect(client.daemon) as raw:
        requests = [raw.request(CALL + "add", {"a": i}) for i in range(1000)]
        raw.sock.sendall(b"".join(frames for _, frames in requests))
        bodies = {stream: b"" for stream, _ in requests}
        ended = 0
        while ended < 1000:
            frame = raw.read()
            assert frame is not None
            assert frame.kind not in (RST_STREAM, GOAWAY), frame
            if frame.kind == 0:
                bodies[frame.stream] += frame.body
            ended += frame.ends
    assert [json.loads(text) for text in bodies.values()] == list(range(1, 1001))


def begin_to_wait(raw: Raw2, path: pathlib.Path) -> int:
    """A call that has begun."""
    stream = raw.ask(CALL + "wait", {"path": str(path)})
    eventually(lambda: path.exists() and path.read_text() == "begun", "the tool")
    return stream


def has_ended(path: pathlib.Path) -> bool:
    return path.read_text() == "ended"


def test_a_reset_cancels_the_call(client, tmp_path):
    with connect(client.daemon) as raw:
        raw.reset(begin_to_wait(raw, tmp_path / "path"))
        eventually(lambda: has_ended(tmp_path / "path"), "the cancel")
        # The others are still served.
        assert raw.body(raw.ask("/livez")) == b"ok\n"


@pytest.mark.parametrize("how", ["closes", "shuts its side", "is killed"])
def test_a_client_that_goes_cancels_its_calls(client, tmp_path, how):
    raw = connect(client.daemon)
    begin_to_wait(raw, tmp_path / "path")
    if how == "is killed":
        linger = struct.pack("ii", 1, 0)  # a reset of TCP
        raw.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    if how == "shuts its side":
        raw.sock.shutdown(socket.SHUT_WR)
    else:
        raw.__exit__()
    eventually(lambda: has_ended(tmp_path / "path"), "the cancel")
    raw.__exit__()


def test_a_drain_finishes_what_has_begun(daemon, tmp_path):
    path = tmp_path / "path"
    with connect(daemon) as raw:
        stream = begin_to_wait(raw, path)
        daemon.signal(signal.SIGTERM)
        goaways = []
        while len(goaways) < 2:
            frame = raw.read()
            assert frame is not None
            if frame.kind == GOAWAY:
                goaways.append(int.from_bytes(frame.body[:4], "big"))
        assert goaways == [(1 << 31) - 1, stream]
        (tmp_path / "path.enough").touch()
        assert raw.body(stream) == b'"enough"'
        assert raw.read() is None
    assert daemon.wait() == 0


def test_a_reload_keeps_connections(daemon):
    with connect(daemon) as raw:
        assert raw.body(raw.ask(CALL + "add", {"a": 1})) == b"2"
        daemon.signal(signal.SIGHUP)
        daemon.logged("serve.reloaded")
        assert raw.body(raw.ask(CALL + "add", {"a": 2})) == b"3"


def test_a_client_without_a_window_holds_the_producer(client, tmp_path):
    path = tmp_path / "poured"
    events = {"accept": "text/event-stream"}
    with connect(client.daemon, window=65536) as raw:
        stream = raw.ask(CALL + "pour", {"path": str(path)}, **events)
        looks = [-1]

        def is_held() -> bool:
            looks.append(poured(path))
            time.sleep(0.2)
            return looks[-1] > 0 and looks[-1] == poured(path)

        eventually(is_held, "that the producer waits")
        assert looks[-1] * 65536 < LIMIT
        assert raw.body(raw.ask("/livez")) == b"ok\n"
        raw.reset(stream)
        eventually(lambda: path.read_text() == "closed", "the end of the stream")


def resident(pid: int) -> int:
    """Bytes of memory."""
    pages = int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_memory_is_flat_under_resets(daemon):
    with connect(daemon) as raw:
        grown = []
        for _ in range(40):
            text = b""
            for _ in range(250):
                stream, frames = raw.request(CALL + "add", {"a": 1})
                reset = struct.pack(">I", 8)
                text += frames + raw.frame(RST_STREAM, 0, stream, reset)
            raw.sock.sendall(text)
            ping = raw.ask("/livez")
            while (frame := raw.read()) is not None and frame.stream != ping:
                assert frame.kind != GOAWAY
            grown.append(resident(daemon.popen.pid))
    assert max(grown[-10:]) - max(grown[5:15]) < 4 << 20
    assert Client(daemon).call("add", {"a": 1}) == (200, 2)


def test_more_than_max_streams_are_refused(tmp_path):
    one = serve(config(tmp_path, serve={"max_streams": 4}))
    path = tmp_path / "path"
    try:
        with connect(one) as raw:
            begin_to_wait(raw, path)
            streams = [raw.ask(CALL + "add", {"a": 1}) for _ in range(4)]
            frame = raw.read()
            while frame is not None and frame.kind != RST_STREAM:
                assert frame.kind != HEADERS
                frame = raw.read()
            assert frame is not None
            assert frame.stream == streams[-1]
            assert int.from_bytes(frame.body, "big") == 7  # REFUSED_STREAM
            (tmp_path / "path.enough").touch()
            assert raw.body(streams[0]) == b"2"
    finally:
        end([one])
