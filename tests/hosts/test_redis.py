# SPDX-License-Identifier: MIT
"""examples/hosts/redis in a Redis server of its own."""

from __future__ import annotations

import json
import os
import pathlib
import signal
import socket
import subprocess
from collections.abc import Iterator

import pytest
from conftest import ROOT, Door, Place, needs, or_killed
from support.missing import missing
from support.waiting import eventually

# redismodule.h, which Debian has in no package but tools/peers fetches. $REDISMODULE
# names another folder.
HEADERS = [
    pathlib.Path(os.environ.get("REDISMODULE", "/usr/include")),
    ROOT / "build/peers/include",
    pathlib.Path("/usr/local/include"),
]


class Error(Exception):
    """A reply that is an error."""


class Client:
    """One connection, in Redis' own protocol."""

    def __init__(self, path: pathlib.Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60)
        try:
            self.socket.connect(str(path))
        except OSError:
            self.socket.close()
            raise
        self.file = self.socket.makefile("rb")

    def send(self, *words: str) -> None:
        parts = [f"${len(word.encode())}\r\n{word}\r\n" for word in words]
        self.socket.sendall(f"*{len(words)}\r\n{''.join(parts)}".encode())

    def receive(self):
        line = self.file.readline()[:-2].decode()
        kind, rest = line[:1], line[1:]
        if kind == "-":
            raise Error(rest)
        if kind == "$":
            return None if rest == "-1" else self.file.read(int(rest) + 2)[:-2].decode()
        if kind == "*":
            return [self.receive() for _ in range(int(rest))]
        return int(rest) if kind == ":" else rest

    def ask(self, *words: str):
        self.send(*words)
        return self.receive()

    def call(self, tool: str, **arguments: object):
        return json.loads(
            self.ask("SNAKEPIT.CALL", "text", tool, json.dumps(arguments))
        )

    def close(self) -> None:
        self.file.close()
        self.socket.close()


class Server:
    """A Redis that has loaded the module."""

    def __init__(self, place: Place, door: Door) -> None:
        program = needs("redis-server")
        found = [path for path in HEADERS if (path / "redismodule.h").exists()]
        if not found:
            missing("redismodule.h (see tools/peers)")
        module = place.make("redis", f"REDIS={found[0]}") / "snakepit.so"
        self.path = place.folder / "redis.sock"
        self.log = place.folder / "redis.log"
        words = [
            *("--port", "0", "--unixsocket", self.path, "--save", ""),
            *("--dir", place.folder, "--logfile", self.log),
            *("--enable-module-command", "yes", "--loadmodule", module, door.address),
        ]
        self.popen = subprocess.Popen(
            [program, *map(str, words)],
            env=place.env,
            stdout=subprocess.DEVNULL,
        )
        with or_killed(self.popen):
            eventually(self.is_ready, "that Redis serves")

    def is_ready(self) -> bool:
        assert self.popen.poll() is None, self.log.read_text()
        return self.path.exists() and "ready to accept" in self.log.read_text()

    def end(self) -> int:
        self.popen.send_signal(signal.SIGTERM)
        return self.popen.wait(60)


@pytest.fixture(scope="module")
def server(place: Place, door: Door) -> Iterator[Server]:
    made = Server(place, door)
    yield made
    assert made.end() == 0


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    made = Client(server.path)
    yield made
    made.close()


def test_a_command_replies_what_a_tool_returned(client: Client) -> None:
    assert client.call("add", a=2, b=40) == 42
    value = {"a": [1, {"b": "größer"}], "c": "x" * 100_000}
    assert client.call("echo", **value) == value
    assert client.ask("SNAKEPIT.CALL", "text", "nothing") == "null"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("text", "fail", '{"message": "a\\nday"}'), "TOOL_FAILED ValueError: a"),
        (("text", "ecko"), "UNKNOWN_TOOL "),
        (("texts", "add"), "UNKNOWN_POOL "),
        (("text", "add", '{"a": '), "MALFORMED "),
        (("text", "alike"), "UNSERIALISABLE "),
        (("text", "die"), "WORKER_DIED "),
        (("text",), "ERR wrong number of arguments"),
    ],
)
def test_a_fault_is_an_error_whose_first_word_is_its_name(
    client: Client, words: tuple[str, ...], said: str
) -> None:
    with pytest.raises(Error) as error:
        client.ask("SNAKEPIT.CALL", *words)
    assert str(error.value).startswith(said)
    assert client.call("add", a=1) == 2


def test_others_are_served_while_a_tool_runs(
    server: Server, client: Client, note: pathlib.Path
) -> None:
    client.send("SNAKEPIT.CALL", "text", "wait", json.dumps({"path": str(note)}))
    eventually(note.exists, "its tool has begun")
    other = Client(server.path)
    assert other.ask("PING") == "PONG"
    assert other.call("add", a=1) == 2
    other.close()
    note.with_name(note.name + ".enough").touch()
    assert client.receive() == '"enough"'


def test_many_clients_are_answered_each_with_its_own(server: Server) -> None:
    clients = [Client(server.path) for _ in range(50)]
    for turn in range(20):
        for i, client in enumerate(clients):
            arguments = json.dumps({"a": i, "b": turn * 100})
            client.send("SNAKEPIT.CALL", "text", "add", arguments)
        for i, client in enumerate(clients):
            assert client.receive() == str(i + turn * 100)
    for client in clients:
        client.close()


def test_a_client_that_goes_away_cancels_its_call(
    server: Server, client: Client, note: pathlib.Path
) -> None:
    leaves = Client(server.path)
    leaves.send("SNAKEPIT.CALL", "text", "wait", json.dumps({"path": str(note)}))
    eventually(note.exists, "its tool has begun")
    leaves.close()
    eventually(lambda: note.read_text() == "ended", "its tool was stopped")
    assert client.call("add", a=1) == 2


def test_transactions_and_scripts_are_told_that_it_waits(client: Client) -> None:
    assert client.ask("MULTI") == "OK"
    assert client.ask("SNAKEPIT.CALL", "text", "add", '{"a": 1}') == "QUEUED"
    with pytest.raises(Error, match=r"SNAKEPIT\.CALL waits"):
        client.ask("EXEC")
    with pytest.raises(Error, match=r"SNAKEPIT\.CALL waits"):
        client.ask("EVAL", "return redis.call('SNAKEPIT.CALL', 'text', 'nothing')", "0")


def test_it_goes_on_with_the_next_daemon(
    client: Client, door: Door, note: pathlib.Path
) -> None:
    client.send("SNAKEPIT.CALL", "text", "wait", json.dumps({"path": str(note)}))
    eventually(note.exists, "its tool has begun")
    door.kill()
    try:
        with pytest.raises(Error, match="DAEMON_LOST"):
            client.receive()
    finally:
        door.start()
    assert client.call("add", a=1) == 2


def test_the_module_can_be_unloaded(client: Client, place: Place, door: Door) -> None:
    assert client.ask("MODULE", "UNLOAD", "snakepit") == "OK"
    with pytest.raises(Error, match="unknown command"):
        client.ask("SNAKEPIT.CALL", "text", "add")
    module = str(place.folder / "redis/snakepit.so")
    assert client.ask("MODULE", "LOAD", module, door.address) == "OK"
    assert client.call("add", a=1) == 2
