# SPDX-License-Identifier: MIT
"""The units of packaging/systemd as `make install` leaves them, under systemd itself;
only their names are others. `tools/try-vm` has a machine for them.
"""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from support import default_python, eventually
from support.command import SNAKEPIT, is_gone
from support.places import ADAPTERS, BUILD, ROOT
from support.served import Client

NAME = "snakepit-e2e"
SERVICE = f"{NAME}.service"
SOCKET = f"{NAME}.socket"
UNITS = pathlib.Path("/run/systemd/system")
STATE = pathlib.Path("/var/lib/private") / NAME
GROUP = pathlib.Path("/sys/fs/cgroup/system.slice") / SERVICE
BUS = pathlib.Path("/run/dbus/system_bus_socket")
PATIENCE = 240.0  # seconds; the machine may be an emulated one
# What the unit hides from the service: the interpreter must be elsewhere.
HIDDEN = ("/home/", "/root/", "/run/user/", "/tmp/", "/var/tmp/")

pytestmark = [
    pytest.mark.skipif(
        os.geteuid() != 0 or not UNITS.is_dir(),
        reason="needs root on a machine that systemd has booted; tools/try-vm has one",
    ),
    pytest.mark.skipif(
        str(ROOT).startswith(HIDDEN), reason="services do not see this checkout"
    ),
]


def systemctl(*words: str) -> str:
    done = subprocess.run(
        ["systemctl", *words], capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stderr + journal("-n", "30")
    return done.stdout.strip()


def journal(*words: str) -> str:
    """What the service has logged."""
    command = ["journalctl", "--no-pager", "-o", "cat", "-b", "-u", SERVICE, *words]
    return subprocess.run(command, capture_output=True, text=True).stdout


def version() -> int:
    """Of systemd: "systemd 252 (252.39-1~deb12u1)"."""
    return int(subprocess.check_output(["systemctl", "--version"]).split()[1])


class Service:
    """The installed units, and what a client and an administrator do with them."""

    def __init__(self, prefix: pathlib.Path) -> None:
        self.config = prefix / "etc/snakepit.yaml"
        self.begun = time.time()
        with socket.create_server(("127.0.0.1", 0)) as found:
            self.port = found.getsockname()[1]
        for end in ("service", "socket"):
            text = (prefix / f"lib/systemd/system/snakepit.{end}").read_text()
            for ours, others in (
                ("/etc/snakepit/snakepit.yaml", str(self.config)),
                ("snakepit.socket", SOCKET),
                ("StateDirectory=snakepit", f"StateDirectory={NAME}"),
                ("/var/lib/snakepit", f"/var/lib/{NAME}"),
                ("127.0.0.1:8470", f"127.0.0.1:{self.port}"),
            ):
                text = text.replace(ours, others)
            (UNITS / f"{NAME}.{end}").write_text(text)
        self.set_pools({"name": "text"})

    def set_pools(self, *pools: dict[str, Any]) -> None:
        """Writes the configuration."""
        common = {
            "python": default_python("process"),
            "pool_size": 1,
            "adapter": "served.Served",
            "shared_memory_size": "64MiB",
            "call_timeout_ms": 200_000,
        }
        text = {
            "pools": [{**common, **pool} for pool in pools],
            "serve": {"listen": ["systemd:http"], "shutdown_grace_ms": 100_000},
        }
        self.config.write_text(json.dumps(text))

    def start(self, *lines: str) -> Client:
        """With lines of a drop-in for the service. Clients may come from now on."""
        drop_in = UNITS / f"{SERVICE}.d/e2e.conf"
        drop_in.parent.mkdir()
        drop_in.write_text("\n".join(["[Service]", *lines, ""]))
        systemctl("daemon-reload")
        systemctl("start", SOCKET)
        return Client(self)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)

    def show(self, name: str) -> str:
        return systemctl("show", "--value", "-p", name, SERVICE)

    def states(self) -> tuple[str, str]:
        return self.show("ActiveState"), self.show("SubState")

    def pid(self) -> int:
        return int(self.show("MainPID"))

    def journal(self) -> str:
        """What this one has logged, and systemd about it."""
        return journal(f"--since=@{self.begun:.6f}")

    def end(self) -> None:
        """Whatever has happened."""
        for unit in (SOCKET, SERVICE):
            subprocess.run(["systemctl", "stop", unit], capture_output=True)
            subprocess.run(["systemctl", "reset-failed", unit], capture_output=True)
            (UNITS / unit).unlink()
        shutil.rmtree(UNITS / f"{SERVICE}.d", ignore_errors=True)
        systemctl("daemon-reload")
        shutil.rmtree(STATE, ignore_errors=True)
        (STATE.parents[1] / NAME).unlink(missing_ok=True)


@pytest.fixture(scope="module")
def prefix() -> Iterator[pathlib.Path]:
    """What `make install` installs, where services see it, and adapters beside it."""
    cache = (BUILD / "CMakeCache.txt").read_text()
    if "SNAKEPIT_SANITIZE:STRING=\n" not in cache:
        pytest.skip("a sanitized library is not installed")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="snakepit-e2e-", dir="/opt"))
    try:
        folder.chmod(0o755)
        words = ["cmake", "--install", BUILD, "--prefix", folder]
        subprocess.run(words, check=True, capture_output=True, timeout=PATIENCE)
        (folder / "etc").mkdir()
        for name in ("served.py", "confined.py"):
            shutil.copy(ADAPTERS / name, folder / "etc")
        yield folder
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def service(prefix: pathlib.Path) -> Iterator[Service]:
    """Ends with a stop, after which nothing of the service is left."""
    service = Service(prefix)
    try:
        yield service
        systemctl("stop", SOCKET, SERVICE)
        assert service.show("ActiveState") == "inactive", service.journal()
        assert not GROUP.exists()
    finally:
        service.end()


def ask_pool(client: Client, pool: str, tool: str, arguments: Any = None) -> Any:
    status, value = client.ask("POST", f"/v1/pools/{pool}/tools/{tool}", arguments)
    assert status == 200, value
    return value


def test_its_first_client_starts_it_and_it_tells_how_it_is(service):
    client = service.start()
    assert service.states() == ("inactive", "dead")
    assert client.ask("GET", "/livez")[0] == 200
    assert service.states() == ("active", "running")
    assert client.call("add", {"a": 2, "b": 3}) == (200, 5)
    eventually(
        lambda: service.show("StatusText") == "serving, 1 of 1 pools ready",
        service.show("StatusText"),
        PATIENCE,
    )
    assert service.show("NRestarts") == "0"


def test_its_workers_live_in_its_sandbox(service, prefix):
    confined = {"adapter": "confined.Confined"}
    strict = {"name": "strict", "sandbox": "strict", **confined}
    service.set_pools({"name": "plain", **confined}, strict, {"name": "text"})
    client = service.start()
    for name in ("plain", "strict"):
        assert ask_pool(client, name, "user")[0] not in (0, 65534)
        assert ask_pool(client, name, "status", {"key": "NoNewPrivs"}) == "1"
        assert int(ask_pool(client, name, "status", {"key": "CapBnd"}), 16) == 0
        assert ask_pool(client, name, "mount") == "EPERM"
        assert ask_pool(client, name, "unshare") == "EPERM"
        assert ask_pool(client, name, "thread") == "OK"
    for path, outcome in (
        ("/etc/snakepit-e2e", "EROFS"),
        (str(prefix / "file"), "EROFS"),
        ("/root/file", "EACCES"),
        (f"/var/lib/{NAME}/file", "OK"),
        ("/tmp/snakepit-e2e", "OK"),
    ):
        arguments = {"path": path}
        assert (path, ask_pool(client, "plain", "write", arguments)) == (path, outcome)
    assert not pathlib.Path("/tmp/snakepit-e2e").exists()
    assert (STATE / "file").exists()
    # A library that brings threads and memory of its own.
    assert ask_pool(client, "text", "add", {"a": 1}) == 2


def test_a_reload_takes_the_file_that_is_there_now(service):
    client = service.start()
    assert client.call("add", {"a": 1}) == (200, 2)
    before = service.pid(), client.call("pid")
    service.set_pools({"name": "text"}, {"name": "more"})
    systemctl("reload", SERVICE)
    eventually(
        lambda: client.ask("GET", "/v1/pools/more")[0] == 200, "the pool", PATIENCE
    )
    assert ask_pool(client, "more", "add", {"a": 1}) == 2
    # What is not right changes nothing.
    service.config.write_text("pools: 7\n")
    systemctl("reload", SERVICE)
    eventually(lambda: "pools: " in service.journal(), "the reason", PATIENCE)
    assert (service.pid(), client.call("pid")) == before
    assert service.states() == ("active", "running")


def test_a_reload_can_be_awaited(service):
    if version() < 253:
        pytest.skip("this systemd has no Type=notify-reload")
    client = service.start("Type=notify-reload", "ExecReload=")
    assert client.call("add", {"a": 1}) == (200, 2)
    service.set_pools({"name": "text"}, {"name": "more"})
    systemctl("reload", SERVICE)
    assert ask_pool(client, "more", "add", {"a": 1}) == 2


def test_a_stop_lets_the_call_end_that_runs(service):
    client = service.start()
    client.call("nothing")
    main = service.pid()
    worker = client.call("pid")[1]
    with ThreadPoolExecutor() as threads:
        running = threads.submit(client.call, "wait", {"path": f"/var/lib/{NAME}/wait"})
        begun = STATE / "wait"
        eventually(
            lambda: begun.exists() and begun.read_text(), "that it runs", PATIENCE
        )
        systemctl("stop", "--no-block", SOCKET, SERVICE)
        eventually(
            lambda: service.states() == ("deactivating", "stop-sigterm"),
            "that it stops",
            PATIENCE,
        )
        eventually(lambda: service.show("StatusText") == "stopping", "so", PATIENCE)
        assert not running.done()
        (STATE / "wait.enough").touch()
        assert running.result(PATIENCE) == (200, "enough")
    eventually(lambda: service.states() == ("inactive", "dead"), "that", PATIENCE)
    assert service.show("Result") == "success"
    assert service.show("ExecMainStatus") == "0"
    assert is_gone(main) and is_gone(worker)


@pytest.mark.parametrize(
    ("number", "result"),
    [(signal.SIGSTOP, "watchdog"), (signal.SIGKILL, "signal")],
)
def test_a_daemon_that_stands_still_or_dies_is_started_anew(service, number, result):
    """A client that comes meanwhile waits, and the workers of the old one are gone."""
    client = service.start("WatchdogSec=15")
    assert client.call("add", {"a": 1}) == (200, 2)
    main = service.pid()
    worker = client.call("pid")[1]
    os.kill(main, number)
    assert client.call("add", {"a": 2}) == (200, 3)
    assert service.pid() != main
    assert service.show("NRestarts") == "1"
    assert f"result '{result}'" in service.journal()
    assert is_gone(main) and is_gone(worker)
    assert service.states() == ("active", "running")


# ---- Control groups -----------------------------------------------------------------

TOOLS = "/v1/pools/limited/tools"
LIMITED = {
    "name": "limited",
    "adapter": "confined.Confined",
    "sandbox": {"memory_max": "256MiB", "cpu_max": 150},
}


@pytest.mark.parametrize("subgroup", [False, True])
def test_a_service_with_a_delegated_group_may_limit_its_workers(service, subgroup):
    """As docs/serving.md says. Older ones have no DelegateSubgroup=, and need none."""
    if subgroup and version() < 254:
        pytest.skip("this systemd has no DelegateSubgroup=")
    lines = ["Delegate=memory cpu", "ProtectControlGroups=no"]
    service.set_pools(LIMITED)
    client = service.start(*lines, *["DelegateSubgroup=host"][:subgroup])
    for file, text in (("memory.max", str(256 << 20)), ("cpu.max", "150000 100000")):
        assert ask_pool(client, "limited", "own_group", {"file": file}) == text
    groups = sorted(path.name for path in GROUP.iterdir() if path.is_dir())
    assert groups[0] == "host"
    assert {name.rpartition("-")[0] for name in groups[1:]} == {
        f"snakepit-{service.pid()}"
    }
    status, value = client.ask("POST", f"{TOOLS}/fill", {"mib": 1024})
    assert (status, value["type"]) == (503, "/problems/WORKER_DIED")
    assert value["detail"] == "the worker died: killed by the kernel: out of memory"
    assert ask_pool(client, "limited", "fill", {"mib": 1}) == 1 << 20


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], "systemd: ProtectControlGroups=no"),
        (["ProtectControlGroups=no"], "no control group is delegated to the host"),
    ],
)
def test_limits_that_cannot_be_are_refused_with_what_is_missing(service, lines, said):
    service.set_pools(LIMITED)
    service.start("Restart=no", *lines)
    done = subprocess.run(
        ["systemctl", "start", SERVICE], capture_output=True, timeout=PATIENCE
    )
    assert done.returncode != 0
    assert service.show("Result") == "exit-code"
    journal = service.journal()
    assert 'pool "limited": sandbox.memory_max: ' in journal and said in journal
    systemctl("reset-failed", SERVICE)


def test_a_command_in_the_delegated_group_itself_says_what_is_in_the_way(service):
    """It is not alone in its process's place as the daemon is, and stays there."""
    if not BUS.exists():
        pytest.skip("systemd-run needs D-Bus to wait for what it starts")
    service.set_pools(LIMITED)
    words = ["systemd-run", "--quiet", "--wait", "--pipe", "-p", "Delegate=yes"]
    words += [str(SNAKEPIT), "call", "limited", "user", "--config", service.config]
    done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode != 0
    assert "the control group has processes itself" in done.stderr
    service.start()  # what the fixture ends
