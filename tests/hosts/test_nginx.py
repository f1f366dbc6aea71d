# SPDX-License-Identifier: MIT
"""examples/hosts/nginx in an nginx of its own."""

from __future__ import annotations

import concurrent.futures
import http.client
import json
import pathlib
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator

import pytest
from conftest import HOSTS, Door, Place, needs, or_killed, say
from support.missing import missing
from support.waiting import eventually

SOURCES = pathlib.Path("/usr/share/nginx/src")  # of Debian's nginx-dev
CONFIGURE = '. ./conf_flags; ./configure "${NGX_CONF_FLAGS[@]}" --add-dynamic-module='

CONFIG = """
load_module {module};
worker_processes 1;
daemon off;
{user}
pid {folder}/pid;
error_log {folder}/error.log info;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    snakepit_daemon {address};
    server {{
        listen unix:{folder}/http.sock;
        client_body_buffer_size 64k;
        location = /add {{ snakepit_call text add; }}
        location = /echo {{ snakepit_call text echo; }}
        location = /fail {{ snakepit_call text fail; }}
        location = /wait {{ snakepit_call text wait; }}
        location = /pid {{ snakepit_call text pid; }}
        location = /ecko {{ snakepit_call text ecko; }}
        location = /texts {{ snakepit_call texts add; }}
        location = /alike {{ snakepit_call text alike; }}
    }}
}}
"""


def build(place: Place) -> pathlib.Path:
    """The module, as Debian's packages of modules are built."""
    needs("nginx")
    if not (SOURCES / "conf_flags").exists():
        missing("nginx-dev")
    sources = place.folder / "nginx-src"
    say("cp", "-r", SOURCES, sources)
    module = place.folder / "nginx"
    shutil.copytree(HOSTS / "nginx", module)
    say("bash", "-c", CONFIGURE + str(module), cwd=sources, env=place.env)
    make = ("make", "-f", "objs/Makefile", "modules")  # Debian leaves the other one out
    say(*make, cwd=sources, env=place.env)
    return sources / "objs/ngx_http_snakepit_module.so"


class Server:
    """An nginx with one worker."""

    def __init__(self, place: Place, door: Door) -> None:
        module = build(place)
        self.folder = place.folder / "run"
        self.folder.mkdir()
        path = self.folder / "nginx.conf"
        path.write_text(
            CONFIG.format(
                module=module,
                folder=self.folder,
                address=door.address,
                user="user nobody nogroup;" if module.stat().st_uid == 0 else "",
            )
        )
        self.popen = subprocess.Popen(
            [
                needs("nginx"),
                "-c",
                path,
                "-p",
                self.folder,
                "-e",
                self.folder / "error.log",
            ],
            env=place.env,
        )
        with or_killed(self.popen):
            eventually(self.is_ready, "that nginx serves")

    def is_ready(self) -> bool:
        assert self.popen.poll() is None, self.log()
        return self.ask("/add", {"a": 1})[0] == 200

    def connect(self) -> socket.socket:
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(60)
        client.connect(str(self.folder / "http.sock"))
        return client

    def ask(self, path: str, body: object = None) -> tuple[int, object]:
        """The status, and the value of the answer; 0: it does not listen."""
        connection = http.client.HTTPConnection("localhost")
        try:
            connection.sock = self.connect()
        except OSError:
            return 0, None
        try:
            text = body if body is None or isinstance(body, bytes) else json.dumps(body)
            connection.request("POST", path, text)
            answer = connection.getresponse()
            data = answer.read()
            if answer.headers["Content-Type"] == "application/json":
                return answer.status, json.loads(data)
            return answer.status, data
        finally:
            connection.close()

    def log(self) -> str:
        return (self.folder / "error.log").read_text()

    def worker(self) -> int:
        """The process that serves."""
        path = pathlib.Path(f"/proc/{self.popen.pid}/task/{self.popen.pid}/children")
        pids = eventually(lambda: path.read_text().split(), "that there is a worker")
        return int(pids[-1])

    def end(self) -> int:
        self.popen.send_signal(signal.SIGQUIT)
        return self.popen.wait(60)


@pytest.fixture(scope="module")
def server(place: Place, door: Door) -> Iterator[Server]:
    made = Server(place, door)
    yield made
    assert made.end() == 0
    assert not re.findall(r".*\[(?:alert|crit|emerg)\].*", made.log())


def test_a_location_answers_what_a_tool_returned(server: Server) -> None:
    assert server.ask("/add", {"a": 2, "b": 40}) == (200, 42)
    value = {"a": [1, {"b": "größer"}], "c": "x" * 20_000}
    assert server.ask("/echo", value) == (200, value)
    assert server.ask("/echo") == (200, {})


@pytest.mark.parametrize(
    ("path", "body", "status", "name", "said"),
    [
        ("/fail", {"message": 'a "day"\n'}, 500, "TOOL_FAILED", 'a "day"'),
        ("/ecko", {}, 404, "UNKNOWN_TOOL", "echo"),
        ("/texts", {}, 404, "UNKNOWN_POOL", "texts"),
        ("/add", b'{"a": ', 400, "MALFORMED", "line 1"),
        ("/alike", {}, 500, "UNSERIALISABLE", "JSON"),
    ],
)
def test_a_fault_is_a_status_and_a_problem(
    server: Server, path: str, body: object, status: int, name: str, said: str
) -> None:
    got, value = server.ask(path, body)
    assert (got, value["error"]) == (status, name), value
    assert said in value["message"]
    assert f"snakepit: {name}" in server.log()


def test_a_body_that_is_too_large_is_refused(server: Server) -> None:
    assert server.ask("/echo", {"text": "x" * 100_000})[0] == 413
    assert "larger than client_body_buffer_size" in server.log()


def test_a_worker_serves_others_while_a_tool_runs(
    server: Server, note: pathlib.Path
) -> None:
    with concurrent.futures.ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(server.ask, "/wait", {"path": str(note)})
        eventually(note.exists, "its tool has begun")
        for i in range(100):
            assert server.ask("/add", {"a": i}) == (200, i + 1)
        note.with_name(note.name + ".enough").touch()
        assert waiting.result(60) == (200, "enough")


def test_many_clients_are_answered_each_with_its_own(server: Server) -> None:
    def ask(i: int) -> tuple[int, object]:
        return server.ask("/add", {"a": i, "b": 0})

    with concurrent.futures.ThreadPoolExecutor(32) as threads:
        answers = list(threads.map(ask, range(1500)))
    assert answers == [(200, i) for i in range(1500)]


def test_a_client_that_goes_away_cancels_its_call(
    server: Server, note: pathlib.Path
) -> None:
    body = json.dumps({"path": str(note)})
    with server.connect() as client:
        head = f"POST /wait HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        client.sendall((head + body).encode())
        eventually(note.exists, "its tool has begun")
    eventually(lambda: note.read_text() == "ended", "its tool was stopped")
    assert server.ask("/add", {"a": 1}) == (200, 2)


def test_a_worker_goes_on_with_the_next_daemon(
    server: Server, door: Door, note: pathlib.Path
) -> None:
    worker = server.worker()
    with concurrent.futures.ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(server.ask, "/wait", {"path": str(note)})
        eventually(note.exists, "its tool has begun")
        door.kill()
        try:
            status, value = waiting.result(60)
            assert (status, value["error"]) == (502, "DAEMON_LOST")
        finally:
            door.start()
    assert server.ask("/add", {"a": 1}) == (200, 2)
    assert server.worker() == worker


def test_workers_are_replaced_on_reload_without_a_call_that_notices(
    server: Server, note: pathlib.Path
) -> None:
    before = server.worker()
    with concurrent.futures.ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(server.ask, "/wait", {"path": str(note)})
        eventually(note.exists, "its tool has begun")
        server.popen.send_signal(signal.SIGHUP)
        eventually(lambda: server.worker() != before, "a new worker serves")
        note.with_name(note.name + ".enough").touch()
        assert waiting.result(60) == (200, "enough")
    assert server.ask("/add", {"a": 1}) == (200, 2)
    eventually(lambda: not pathlib.Path(f"/proc/{before}").exists(), "the old one left")
