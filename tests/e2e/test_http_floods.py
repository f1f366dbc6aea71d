# SPDX-License-Identifier: MIT
"""Many clients that are slow, large, half there or dead: others are served, memory
stays flat, and nothing of them is left.

E2E_FLOOD_CONNECTS makes the longest of them longer.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import selectors
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.daemon import Daemon
from support.places import E2E
from support.processes import Process
from support.raw_http import Raw
from support.served import CALL, Client, config, end, serve
from support.waiting import Deadline, eventually

CONNECTS = int(os.environ.get("E2E_FLOOD_CONNECTS", "100000"))
MEBI = 1 << 20
GET = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture
def start(tmp_path: pathlib.Path) -> Iterator[Callable[..., Daemon]]:
    """A daemon with one pool, at a port and at a Unix socket."""
    daemons: list[Daemon] = []

    def start_one(**keys: object) -> Daemon:
        listen = ["127.0.0.1:0", f"unix:{tmp_path}/s"]
        daemons.append(serve(config(tmp_path, {"listen": listen, **keys})))
        daemons[-1].urls(2)
        return daemons[-1]

    yield start_one
    end(daemons)


def memory(daemon: Daemon) -> int:
    process = Process.of(daemon.popen.pid)
    assert process is not None
    return process.rss


def files(daemon: Daemon) -> int:
    return len(os.listdir(f"/proc/{daemon.popen.pid}/fd"))


def is_served(daemon: Daemon) -> bool:
    """A client that does as it should, on a new connection."""
    with Raw(daemon.connect()) as raw:
        return raw.ask(GET).status == 200


def reset(client: socket.socket) -> None:
    """Closes it at once, so that its port is free again."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


# ---- Slow ---------------------------------------------------------------------------


class Slow:
    """Clients that send a byte now and then, and come again when they are sent away."""

    def __init__(self, daemon: Daemon, count: int, text: bytes) -> None:
        self.daemon = daemon
        self.text = text
        self.over = threading.Event()
        self.came = 0
        self.clients = [self._connect() for _ in range(count)]
        self.thread = threading.Thread(target=self._go_on)

    def _connect(self) -> tuple[socket.socket, int]:
        client = socket.socket()
        client.setblocking(False)
        host, _, port = self.daemon.urls()[0].removeprefix("http://").rpartition(":")
        client.connect_ex((host, int(port)))
        self.came += 1
        return client, 0

    def _step(self, client: socket.socket, sent: int) -> tuple[socket.socket, int]:
        with contextlib.suppress(BlockingIOError):
            try:
                client.send(self.text[sent % len(self.text) :][:1])
                if client.recv(1000, socket.MSG_DONTWAIT):
                    raise ConnectionError
            except BlockingIOError:
                return client, sent + 1
            except OSError:
                pass
            client.close()
            return self._connect()
        return client, sent

    def _go_on(self) -> None:
        while not self.over.wait(0.05):
            self.clients = [self._step(*one) for one in self.clients]

    def __enter__(self) -> Slow:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join()
        for client, _ in self.clients:
            client.close()


def test_slow_headers_do_not_keep_others_out(start):
    """More of them than there may be connections, which are sent away in turn."""
    daemon = start(max_connections=100, header_timeout_ms=300)
    head = b"GET /livez HTTP/1.1\r\nX-Slow: " + b"a" * 4000
    assert is_served(daemon)
    before = memory(daemon)
    with Slow(daemon, 300, head) as slow:
        eventually(lambda: slow.came > 400, "that some are sent away")
        for _ in range(10):
            assert is_served(daemon)
    assert memory(daemon) < before + 4 * MEBI
    eventually(lambda: is_served(daemon), "that it serves")


# ---- Large --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("piece", "status"),
    [
        (b"X-Large: " + b"a" * 1000 + b"\r\n", 431),
        (b"X: a\r\n", 431),
        (b"Cookie: " + b"a" * 100_000, 431),
    ],
    ids=["many bytes", "many fields", "one line"],
)
def test_large_headers_cost_nobody_memory(start, piece, status):
    daemon = start()
    assert is_served(daemon)
    bomb = GET[:-2] + piece * (200_000 // len(piece))
    before = memory(daemon)

    def throw(count: int) -> None:
        for _ in range(count):
            with Raw(daemon.connect()) as raw, contextlib.suppress(ConnectionError):
                raw.send(bomb)
                assert raw.answer().status == status

    with ThreadPoolExecutor(8) as threads:
        for thrown in [threads.submit(throw, 50) for _ in range(8)]:
            thrown.result()
    assert is_served(daemon)
    assert memory(daemon) < before + 8 * MEBI


# ---- Many ---------------------------------------------------------------------------


def test_connects_without_end_leave_nothing(start):
    daemon = start(loops=2)
    unix = daemon.urls(2)[1]

    def come_and_go(count: int) -> None:
        for i in range(count):
            client = daemon.connect(unix if i % 2 == 0 else None)
            if i % 3 == 0:
                client.sendall(GET[: i % len(GET)])
            reset(client)

    come_and_go(500)
    eventually(lambda: is_served(daemon), "that it serves")
    before, there = memory(daemon), files(daemon)
    with ThreadPoolExecutor(4) as threads:
        gone = [threads.submit(come_and_go, CONNECTS // 4) for _ in range(4)]
        served = sum(is_served(daemon) for _ in range(50))
        for one in gone:
            one.result()
    assert served == 50
    eventually(lambda: files(daemon) <= there, "their files are closed")
    assert memory(daemon) < before + 2 * MEBI


def test_those_who_shut_down_one_side_are_let_go(start):
    daemon = start()
    there = files(daemon)
    clients = []
    for i in range(500):
        client = daemon.connect()
        client.sendall(GET[: i % (len(GET) - 1)])
        client.shutdown(socket.SHUT_WR)
        clients.append(client)
    with selectors.DefaultSelector() as ends:
        for client in clients:
            ends.register(client, selectors.EVENT_READ)
        deadline = Deadline(60)
        while ends.get_map():
            assert not deadline.over, f"{len(ends.get_map())} are kept"
            for key, _ in ends.select(1):
                if not key.fileobj.recv(4096):
                    ends.unregister(key.fileobj)
    for client in clients:
        client.close()
    eventually(lambda: files(daemon) <= there, "their files are closed")


# ---- Dead ---------------------------------------------------------------------------

BODY = b'{"path": "/dev/null"}'
HEAD = (
    f"POST {CALL}pour HTTP/1.1\r\nHost: localhost\r\n"
    "Content-Type: application/json\r\nAccept: text/event-stream\r\n"
    f"Content-Length: {len(BODY)}\r\n\r\n"
).encode()
# What a client has sent when it is killed, and whether it waits for an answer first.
# What is sent many times is longer than a command line may be.
STATES = {
    "connected": (b"", False),
    "half a head": (HEAD[:40], False),
    "a head": (HEAD, False),
    "half a body": (HEAD + BODY[:5], False),
    "a stream is sent": (HEAD + BODY, True),
    "a stream, unread": (HEAD + BODY, False),
    "many at once": (GET, False),
    "between two": (GET, True),
}

CLIENT = """
import socket, sys
sent, hears, url = bytes.fromhex(sys.argv[1]), sys.argv[2] == "True", sys.argv[3]
sent *= int(sys.argv[4])
host, _, port = url.removeprefix("http://").rpartition(":")
client = socket.create_connection((host, int(port)))
client.settimeout(2)
try:
    client.sendall(sent)
except TimeoutError:
    pass
if hears:
    client.settimeout(60)
    client.recv(10)
print("there", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("state", STATES)
def test_a_client_that_is_killed_leaves_nothing(start, state):
    daemon = start()
    client = Client(daemon)
    sent, hears = STATES[state]
    words = [sys.executable, "-I", "-c", CLIENT, sent.hex(), str(hears)]
    there = files(daemon)
    victims = [
        subprocess.Popen(
            [*words, daemon.urls()[0], "5000" if state == "many at once" else "1"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=E2E,
        )
        for _ in range(4)
    ]
    for victim in victims:
        assert victim.stdout is not None and victim.stdout.readline() == b"there\n"
    for victim in victims:
        victim.send_signal(signal.SIGKILL)
        victim.communicate()

    def is_quiet() -> bool:
        _, pool = client.ask("GET", "/v1/pools/text")
        return pool["running"] + pool["waiting"] == 0

    eventually(is_quiet, "nothing runs for them")
    eventually(lambda: files(daemon) <= there, "their files are closed")
    assert client.call("add", {"a": 1}) == (200, 2)
