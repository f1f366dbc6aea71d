# SPDX-License-Identifier: MIT
"""snakepit serve: addresses, signals, systemd, and what a daemon may lack."""

from __future__ import annotations

import http.client
import json
import os
import pathlib
import resource
import signal
import socket
import stat
import struct
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.command import is_gone, run, write_config
from support.daemon import NO_POOLS, Connection, Daemon, told_by
from support.processes import marked
from support.served import config, end, serve
from support.waiting import eventually

Start = Callable[..., Daemon]


@pytest.fixture
def start(tmp_path: pathlib.Path) -> Iterator[Start]:
    """Starts a daemon without pools that serves at any free port."""
    daemons: list[Daemon] = []

    def start_one(
        *words: str, serve: str = '{listen: ["127.0.0.1:0"]}', **options: object
    ) -> Daemon:
        path = tmp_path / "serve.yaml"
        path.write_text(f"{NO_POOLS}serve: {serve}\n")
        daemons.append(Daemon(path, *words, **options))
        return daemons[-1]

    yield start_one
    for daemon in daemons:
        daemon.end()


def answers(daemon: Daemon, url: str | None = None) -> bool:
    return daemon.request("/livez", url=url)[0] == 200


# ---- Addresses ----------------------------------------------------------------------


def test_it_says_where_it_serves(start, tmp_path):
    daemon = start(serve='{listen: ["127.0.0.1:0", "unix:s.sock"], loops: 2}')
    tcp, unix = daemon.urls(2)
    assert tcp.startswith("http://127.0.0.1:") and not tcp.endswith(":0")
    assert unix == f"unix:{tmp_path}/s.sock"
    assert answers(daemon, tcp) and answers(daemon, unix)
    assert daemon.stop() == 0
    assert not (tmp_path / "s.sock").exists()


def test_a_unix_socket_has_the_permissions_that_are_asked_for(start, tmp_path):
    daemon = start(serve='{listen: [{address: "unix:s.sock", mode: "0660"}]}')
    daemon.urls()
    assert stat.S_IMODE((tmp_path / "s.sock").stat().st_mode) == 0o660
    daemon.popen.kill()
    daemon.wait()
    # What a killed one leaves does not keep the next one from serving.
    again = start(serve='{listen: ["unix:s.sock"]}')
    assert answers(again, again.urls()[0])
    assert stat.S_IMODE((tmp_path / "s.sock").stat().st_mode) == 0o600


def test_the_command_line_says_where_to_listen(start):
    daemon = start("--listen", "127.0.0.1:0,localhost:0")
    assert len(daemon.urls(2)) == 2


def test_an_address_in_use_is_told(start, tmp_path):
    daemon = start()
    address = daemon.urls()[0].removeprefix("http://")
    words = ("serve", tmp_path / "serve.yaml", "--listen", address)
    done = run(*words)
    assert done.returncode == 6
    assert f"{address} is in use: another program listens there" in done.stderr
    assert "serving" not in done.stderr


def test_a_file_can_be_checked_while_its_daemon_serves(start, tmp_path):
    daemon = start()
    address = daemon.urls()[0].removeprefix("http://")
    path = tmp_path / "serve.yaml"
    done = run(
        "serve", "--check", path, "--listen", f"{address},unix:{tmp_path}/s.sock"
    )
    assert done.returncode == 0
    assert done.stdout == f"{path}: valid, 0 pools; can serve unix:{tmp_path}/s.sock\n"
    assert done.stderr == (
        f"note: {address} is in use: another program listens there, or this daemon "
        "serves already\n"
    )
    # What the files hold is said first.
    listen = [{"address": address}, {"address": "unix:s.sock", "tokens": "none.yaml"}]
    other = tmp_path / "other.yaml"
    other.write_text(f"{NO_POOLS}serve: {json.dumps({'listen': listen})}\n")
    done = run("serve", "--check", other)
    assert done.returncode == 3
    assert "serve.listen[1].tokens: " in done.stderr and "in use" not in done.stderr
    (tmp_path / "plain").write_text("")
    done = run("serve", "--check", path, "--listen", f"unix:{tmp_path}/plain")
    assert done.returncode == 6 and "is not a socket" in done.stderr


def test_a_check_listens_nowhere(start, tmp_path):
    path = tmp_path / "serve.yaml"
    path.write_text(f'{NO_POOLS}serve: {{listen: ["127.0.0.1:0", "unix:s.sock"]}}\n')
    done = run("serve", "--check", path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(
        f"{path}: valid, 0 pools; can serve http://127.0.0.1:"
    )
    assert not (tmp_path / "s.sock").exists()
    wrong = run("serve", "--check", path, "--listen", "0.0.0.0:0")
    assert wrong.returncode == 3
    assert "other machines reach" in wrong.stderr and "(from --listen)" in wrong.stderr


# ---- Signals ------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it(start, number):
    daemon = start()
    idle = daemon.connect()
    assert answers(daemon)
    daemon.signal(number)
    assert daemon.wait() == 0
    assert f"because={signal.Signals(number).name}" in daemon.logged("serve.stopping")
    assert not daemon.lines("serve.cut_off")
    assert idle.recv(1) == b""
    idle.close()


def begin_request(daemon: Daemon) -> socket.socket:
    """A client of whose request the rest is still to come, as the daemon knows."""
    client = daemon.connect()
    client.sendall(
        b"POST /v1/pools/none/tools/none HTTP/1.1\r\nHost: localhost\r\n"
        b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    )
    assert client.recv(100).startswith(b"HTTP/1.1 100")
    return client


def test_what_has_begun_may_end(start):
    daemon = start()
    client = begin_request(daemon)
    daemon.signal(signal.SIGTERM)
    daemon.logged("serve.stopping")
    with pytest.raises(ConnectionRefusedError):
        eventually(lambda: daemon.connect().close())
    client.sendall(b"{}")
    assert client.recv(100).startswith(b"HTTP/1.1 ")
    client.close()
    assert daemon.wait() == 0
    assert not daemon.lines("serve.cut_off")


def test_a_second_signal_does_not_wait(start):
    daemon = start()
    client = begin_request(daemon)
    daemon.signal(signal.SIGTERM)
    daemon.logged("serve.stopping")
    daemon.signal(signal.SIGTERM)
    assert daemon.wait() == 0
    assert "connections=1" in daemon.logged("serve.cut_off")
    assert "a second signal" in daemon.logged("serve.cut_off")
    client.close()


def test_the_grace_ends(start):
    daemon = start(serve='{listen: ["127.0.0.1:0"], shutdown_grace_ms: 100}')
    client = begin_request(daemon)
    assert daemon.stop() == 0
    assert "shutdown_grace_ms is over" in daemon.logged("serve.cut_off")
    client.close()


def test_hangup_reads_the_file_again(start, tmp_path):
    daemon = start()
    daemon.urls()
    daemon.signal(signal.SIGHUP)
    daemon.logged("serve.reloaded")
    path = tmp_path / "serve.yaml"
    right = path.read_text()
    path.write_text(right + "pool_sise: 1\n")
    daemon.signal(signal.SIGHUP)
    assert "pool_sise" in daemon.logged("serve.reload_failed")
    path.write_text(right.replace("{listen", "{loops: 3, listen"))
    daemon.signal(signal.SIGHUP)
    eventually(lambda: len(daemon.lines("serve.reload_failed")) == 2)
    assert "serve.loops: it cannot change" in daemon.logged("serve.reload_failed")
    assert answers(daemon)
    assert daemon.stop() == 0


# ---- Calls --------------------------------------------------------------------------


@pytest.fixture
def guinea(tmp_path: pathlib.Path) -> Iterator[Daemon]:
    """A daemon with a pool whose adapter is that of the command's tests."""
    path = write_config(tmp_path)
    path.write_text(f'{path.read_text()}serve: {{listen: ["127.0.0.1:0"]}}\n')
    daemon = Daemon(path)
    yield daemon
    daemon.end()


def begin_call(daemon: Daemon, marker: pathlib.Path, seconds: float) -> socket.socket:
    """A client whose call runs."""
    client = daemon.connect()
    body = json.dumps({"path": str(marker), "seconds": seconds}).encode()
    client.sendall(
        b"POST /v1/pools/guinea/tools/sleep HTTP/1.1\r\nHost: localhost\r\n"
        b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
        % (len(body), body)
    )
    eventually(lambda: marker.exists() and marker.read_text())
    return client


def test_a_call_that_runs_is_answered_before_the_end(guinea, tmp_path):
    marker = tmp_path / "runs"
    client = begin_call(guinea, marker, 0.5)
    guinea.signal(signal.SIGTERM)
    assert client.recv(1000).startswith(b"HTTP/1.1 200")
    client.close()
    assert guinea.wait() == 0
    assert not guinea.lines("serve.cut_off")
    assert is_gone(int(marker.read_text()))


def test_a_call_that_runs_too_long_is_cut_off(guinea, tmp_path):
    marker = tmp_path / "runs"
    client = begin_call(guinea, marker, 600)
    guinea.signal(signal.SIGTERM)
    guinea.logged("serve.stopping")
    guinea.signal(signal.SIGINT)
    assert guinea.wait() == 0
    answer = client.recv(10000)
    assert answer.startswith(b"HTTP/1.1 503 ") and b"SHUTTING_DOWN" in answer
    client.close()
    assert is_gone(int(marker.read_text()))


def test_a_third_signal_ends_it_at_once(guinea, tmp_path):
    """Also where a tool does not let itself be cancelled."""
    marker = tmp_path / "runs"
    client = begin_call(guinea, marker, 600)
    worker = int(marker.read_text())
    os.kill(worker, signal.SIGSTOP)
    guinea.signal(signal.SIGTERM)
    guinea.logged("serve.stopping")
    guinea.signal(signal.SIGTERM)
    guinea.logged("serve.cut_off")

    def ended() -> bool:
        guinea.signal(signal.SIGTERM)
        return guinea.popen.poll() is not None

    eventually(ended)
    assert guinea.wait() in (0, -signal.SIGTERM)
    client.close()
    eventually(lambda: not marked(), "its worker and its template have gone")


def test_a_drain_loses_no_call(tmp_path):
    """Clients call all the time, and hear of each call that the adapter has run."""
    (tmp_path / "tally.py").write_text(TALLY)
    path = tmp_path / "tally.yaml"
    path.write_text(
        "pools:\n  - {name: tally, pool_size: 2, adapter: tally.Tally}\n"
        'serve: {listen: ["127.0.0.1:0"], loops: 2}\n'
    )
    ran = tmp_path / "ran"
    daemon = Daemon(path)
    try:
        url = daemon.urls()[0]
        with ThreadPoolExecutor() as threads:
            heard = [threads.submit(call_on, daemon, url, ran, i) for i in range(8)]
            eventually(lambda: ran.exists() and ran.stat().st_size > 200)
            assert daemon.stop() == 0
            assert sum(one.result() for one in heard) == ran.stat().st_size
        assert not daemon.lines("serve.cut_off")
    finally:
        daemon.end()


TALLY = """
import os
from snakepit_bridge import BaseAdapter, tool

class Tally(BaseAdapter):
    @tool
    def count(self, path):
        fd = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
        os.write(fd, b"x")
        os.close(fd)
"""


def call_on(daemon: Daemon, url: str, ran: pathlib.Path, number: int) -> int:
    """Calls until the daemon takes no more. Some keep their connection."""
    body = json.dumps({"path": str(ran)}).encode()
    answers = 0
    connection = None
    while True:
        try:
            if connection is None or number % 4 == 0:
                connection = Connection(daemon.connect(url))
            connection.request("POST", "/v1/pools/tally/tools/count", body, JSON)
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.RemoteDisconnected):
            return answers
        assert answer.status == 200
        answers += 1
        if answer.getheader("connection") == "close":
            return answers


JSON = {"Content-Type": "application/json"}


# ---- systemd ------------------------------------------------------------------------


def test_a_service_manager_is_told(start, tmp_path):
    with told_by(tmp_path) as (address, told):
        daemon = start(env={"NOTIFY_SOCKET": address})
        assert told() == "READY=1"
        assert told() == "STATUS=serving, 0 of 0 pools ready"
        daemon.signal(signal.SIGHUP)
        before = time.monotonic_ns()
        lines = dict(line.split("=", 1) for line in told().splitlines())
        assert lines["RELOADING"] == "1"
        assert abs(int(lines["MONOTONIC_USEC"]) * 1000 - before) < 60e9
        assert told() == "READY=1"
        daemon.signal(signal.SIGTERM)
        while not (last := told()).startswith("STOPPING=1\n"):
            assert last.startswith("STATUS=")
        assert daemon.wait() == 0


def test_a_watchdog_is_fed(start, tmp_path):
    with told_by(tmp_path) as (address, told):
        daemon = start(env={"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "100000"})
        daemon.urls()
        eventually(lambda: told() == "WATCHDOG=1")
        eventually(lambda: told() == "WATCHDOG=1")


# What systemd does between fork and exec.
HAND_OVER = """
import fcntl, os, sys
names, *numbers = sys.argv[1].split(",")
copies = [fcntl.fcntl(int(number), fcntl.F_DUPFD, 100) for number in numbers]
for i, copy in enumerate(copies):
    os.dup2(copy, 3 + i)
os.closerange(3 + len(copies), 256)
os.environ.update(
    LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(copies)), LISTEN_FDNAMES=names
)
os.execv(sys.argv[2], sys.argv[2:])
"""


def start_with(
    start: Start, sockets: dict[str, socket.socket], serve: str, **options: object
) -> Daemon:
    """A daemon that is handed these, by their names."""
    numbers = [one.fileno() for one in sockets.values()]
    what = ",".join([":".join(sockets), *map(str, numbers)])
    return start(
        serve=serve,
        prefix=(sys.executable, "-c", HAND_OVER, what),
        pass_fds=numbers,
        **options,
    )


@pytest.fixture
def listening() -> Iterator[Callable[[], socket.socket]]:
    """Makes sockets that listen."""
    made: list[socket.socket] = []

    def listen() -> socket.socket:
        made.append(socket.create_server(("127.0.0.1", 0)))
        return made[-1]

    yield listen
    for one in made:
        one.close()


def test_sockets_are_taken_over(start, listening):
    sockets = {"admin": listening(), "http": listening()}
    daemon = start_with(start, sockets, '{listen: ["systemd:http"]}')
    port = sockets["http"].getsockname()[1]
    assert daemon.urls() == [f"http://127.0.0.1:{port}"]
    assert answers(daemon)
    assert daemon.stop() == 0
    # Clients of a service that starts anew wait for it.
    client = socket.create_connection(("127.0.0.1", port))
    again = start_with(start, sockets, '{listen: ["systemd:"]}')
    assert len(again.urls(2)) == 2
    client.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert client.recv(100).startswith(b"HTTP/1.1 200")
    client.close()


def test_a_check_leaves_sockets_of_systemd_to_systemd(tmp_path):
    path = tmp_path / "serve.yaml"
    path.write_text(f'{NO_POOLS}serve: {{listen: ["systemd:http"]}}\n')
    done = run("serve", "--check", path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        f"{path}: valid, 0 pools\nsystemd:http: checked when systemd hands it over\n"
    )


def test_a_socket_that_nobody_handed_over_is_told(start):
    daemon = start(serve='{listen: ["systemd:http"]}')
    assert daemon.wait() == 3
    assert "a socket that nobody has handed over" in daemon.said()


def test_a_socket_that_does_not_listen_is_told(start):
    with socket.socket() as quiet:
        daemon = start_with(start, {"http": quiet}, '{listen: ["systemd:"]}')
        assert daemon.wait() == 3
    assert "is not a stream socket that listens" in daemon.said()


# ---- What there is little of --------------------------------------------------------


def few_files() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))


def test_with_few_descriptors_there_are_fewer_connections(start):
    daemon = start(preexec_fn=few_files)
    daemon.urls()
    assert "limit=100 max_connections=50 instead_of=10000" in daemon.said()
    clients = [begin_request(daemon) for _ in range(50)]
    waiting = daemon.connect()
    waiting.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert "max_connections" in daemon.logged("serve.full")
    clients.pop().close()
    assert waiting.recv(100).startswith(b"HTTP/1.1 200")
    waiting.close()
    for client in clients:
        client.close()
    assert daemon.stop() == 0


def test_clients_leave_workers_their_descriptors(tmp_path):
    daemon = serve(config(tmp_path, pool_size=4), preexec_fn=few_files)
    clients = [begin_request(daemon) for _ in range(50)]
    waiting = [daemon.connect() for _ in range(100)]
    daemon.logged("serve.full")

    def workers() -> set[int]:
        rows = json.loads(daemon.request("/v1/pools/text")[1])["workers_now"]
        return {row["pid"] for row in rows if row["state"] == "READY"}

    for one in (clients.pop(), *waiting):
        one.close()
    eventually(lambda: len(workers()) == 4, "all workers are there")
    before = workers()
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: len(workers() - before) == 4, "all workers are there again")
    for one in clients:
        one.close()
    end([daemon])


def test_an_idle_connection_takes_little(start):
    def usual() -> None:
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))  # it raises that

    daemon = start(preexec_fn=usual)

    def connect(count: int) -> list[socket.socket]:
        clients = [daemon.connect() for _ in range(count)]
        for client in clients:
            client.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert client.recv(1000).startswith(b"HTTP/1.1 200")
        return clients

    clients = connect(20)
    before = resident(daemon)
    clients += connect(300)
    assert resident(daemon) - before < 300 * (20 << 10)
    for client in clients:
        client.close()
    assert daemon.stop() == 0


def test_clients_come_and_go_and_leave_nothing(start):
    """Some ask, some say nothing, some shut down one side, some reset."""
    daemon = start(serve='{listen: ["127.0.0.1:0"], loops: 2}')
    descriptors = pathlib.Path(f"/proc/{daemon.popen.pid}/fd")

    def come_and_go(count: int) -> None:
        for i in range(count):
            with daemon.connect() as client:
                if i % 4 == 1:
                    client.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    assert client.recv(100).startswith(b"HTTP/1.1 200")
                elif i % 4 == 2:
                    client.shutdown(socket.SHUT_WR)
                    assert client.recv(1) == b""
                elif i % 4 == 3:
                    client.sendall(b"GET /livez")
                    linger = struct.pack("ii", 1, 0)
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    come_and_go(40)
    eventually(lambda: daemon.request("/livez")[0] == 200)
    before = len(list(descriptors.iterdir()))
    memory = resident(daemon)
    come_and_go(1000)
    eventually(lambda: len(list(descriptors.iterdir())) <= before)
    assert resident(daemon) < memory + (1 << 20)
    assert daemon.stop() == 0


def resident(daemon: Daemon) -> int:
    """Its memory, in bytes."""
    pages = pathlib.Path(f"/proc/{daemon.popen.pid}/statm").read_text().split()[1]
    return int(pages) * resource.getpagesize()
