# SPDX-License-Identifier: MIT
"""grpc_server.py and grpc_server_threaded.py, started as hosts start them."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import pathlib
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import snakepit_bridge
from support.apart import apart
from support.command import SNAKEPIT, environment
from support.grpcs import needs_grpc, stubs
from support.places import SYSTEM
from support.waiting import eventually

SCRIPTS = pathlib.Path(snakepit_bridge.__file__).parent
ENDS_IN_S = 6.0  # what a host waits after SIGTERM


class Server:
    """One such process."""

    def __init__(self, folder: pathlib.Path, script: str, *words: str) -> None:
        self.ready_file = folder / "ready"
        self.popen = subprocess.Popen(
            [SYSTEM, SCRIPTS / script, *words],
            env=environment(
                SNAKEPIT_COMMAND=str(SNAKEPIT),
                SNAKEPIT_READY_FILE=str(self.ready_file),
                SNAKEPIT_HEARTBEAT_CONFIG='{"enabled": true}',
                SNAKEPIT_PROCESS_GROUP="1",
            ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def port(self) -> int:
        assert self.popen.stdout is not None
        said, _, port = self.popen.stdout.readline().partition(":")
        assert said == "GRPC_READY"
        return int(port)

    def ask(self, method: str, path: str, body: Any, port: int) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        fields = {"Content-Type": "application/json"}
        connection.request(method, path, body and json.dumps(body), fields)
        answer = json.loads(connection.getresponse().read())
        connection.close()
        return answer

    def end(self) -> None:
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.communicate()


@pytest.fixture
def start(tmp_path: pathlib.Path) -> Iterator[Any]:
    servers: list[Server] = []

    def start_one(script: str, *words: str) -> Server:
        servers.append(Server(tmp_path, script, *words))
        return servers[-1]

    yield start_one
    for one in servers:
        one.end()


HOSTS_WORDS = (
    *("--adapter", "served.Served", "--port", "0"),
    *("--elixir-address", "127.0.0.1:1", "--snakepit-run-id", "run7"),
)


def below(pid: int) -> list[int]:
    """All processes below one, those that end meanwhile left out."""
    found: list[int] = []
    for path in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, path.read_text().split()):
                found += [child, *below(child)]
    return found


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_a_host_is_told_the_port_and_finds_the_process_by_its_name(start):
    server = start("grpc_server.py", *HOSTS_WORDS)
    port = server.port()
    assert eventually(server.ready_file.exists, "the file") and port > 0
    assert server.ready_file.read_text().strip() == str(port)
    assert [one.name for one in server.ready_file.parent.iterdir()] == ["ready"]
    line = pathlib.Path(f"/proc/{server.popen.pid}/cmdline").read_bytes()
    assert b"grpc_server.py" in line and b"run7" in line
    path = "/v1/pools/default/tools/add"
    assert server.ask("POST", path, {"a": 40, "b": 2}, port) == 42
    pool = server.ask("GET", "/v1/pools/default", None, port)
    assert (pool["workers"], pool["threads_per_worker"]) == (1, 1)
    begun = time.monotonic()
    server.popen.terminate()
    assert server.popen.wait(60) == 0
    assert time.monotonic() - begun < ENDS_IN_S


@needs_grpc
def test_a_host_calls_what_it_has_started(start, tmp_path_factory):
    made = stubs(tmp_path_factory.mktemp("stubs"), "snakepit_bridge.proto")
    port = start("grpc_server.py", *HOSTS_WORDS).port()

    @apart
    def call() -> None:
        from test_bridge import Host

        host = Host(f"http://127.0.0.1:{port}", made)
        answer = host.execute("add", a=1, b=1)
        assert answer.success and json.loads(answer.result.value) == 2

    call()


def test_the_threaded_one_runs_calls_at_once(start, tmp_path):
    server = start("grpc_server_threaded.py", *HOSTS_WORDS, "--max-workers", "2")
    port = server.port()
    pool = server.ask("GET", "/v1/pools/default", None, port)
    assert pool["threads_per_worker"] == 2 and "thread" in pool["profile"]
    path = "/v1/pools/default/tools/wait"
    begun = [tmp_path / "one", tmp_path / "two"]
    calls = [
        threading.Thread(target=server.ask, args=("POST", path, {"path": str(p)}, port))
        for p in begun
    ]
    for call in calls:
        call.start()
    eventually(lambda: all(p.exists() for p in begun), "that both run")
    for p in begun:
        pathlib.Path(f"{p}.enough").touch()
    for call in calls:
        call.join()


def test_it_ends_in_time_though_a_tool_runs(start, tmp_path):
    server = start("grpc_server.py", *HOSTS_WORDS)
    port = server.port()
    path = tmp_path / "begun"
    body = json.dumps({"path": str(path)})
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    fields = {"Content-Type": "application/json"}
    connection.request("POST", "/v1/pools/default/tools/wait", body, fields)
    eventually(path.exists, "that it runs")
    begun = time.monotonic()
    server.popen.terminate()
    server.popen.wait(60)
    assert time.monotonic() - begun < ENDS_IN_S
    connection.close()


def test_the_daemon_ends_when_its_launcher_is_killed(start):
    server = start("grpc_server.py", *HOSTS_WORDS)
    server.port()
    others = below(server.popen.pid)
    assert len(others) > 1
    server.popen.send_signal(signal.SIGKILL)
    server.popen.wait(60)
    eventually(lambda: all(map(is_gone, others)), "that the daemon and its workers end")


def test_a_flag_that_there_is_not_is_refused(start):
    server = start("grpc_server.py", "--adaptor", "served.Served")
    assert server.popen.wait(60) == 2


@pytest.mark.parametrize("script", ["grpc_server.py", "grpc_server_threaded.py"])
def test_one_that_cannot_serve_ends(start, script):
    """A host waits for the port, and would wait for nothing."""
    server = start(script, "--adapter", "nowhere.Nothing", "--port", "0")
    assert server.popen.wait(120) == 1
    assert not server.ready_file.exists()


def test_a_daemon_that_is_killed_is_told(start):
    server = start("grpc_server.py", *HOSTS_WORDS)
    server.port()
    daemon = int(
        pathlib.Path(f"/proc/{server.popen.pid}/task/{server.popen.pid}/children")
        .read_text()
        .split()[0]
    )
    os.kill(daemon, signal.SIGKILL)
    assert server.popen.wait(60) == 128 + signal.SIGKILL
