# SPDX-License-Identifier: MIT
"""`snakepit mcp`: MCP on standard input and output, for desktop programs."""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import json
import os
import pathlib
import queue
import random
import signal
import socket
import subprocess
import sys
import termios
from typing import Any

import pytest
from support.command import is_gone, run, workers_of
from support.mcp_stdio import Stdio
from support.served import Client, config, end, serve
from support.tokens import secret, token, write
from support.waiting import eventually

STATELESS = "2026-07-28"
META = {
    "io.modelcontextprotocol/protocolVersion": STATELESS,
    "io.modelcontextprotocol/clientCapabilities": {},
}


@pytest.fixture
def speak(tmp_path: pathlib.Path):
    """Programs of a test's own, with pools of their own."""
    started: list[Stdio] = []

    def start_one(*words: Any, adapter: str = "models.Models", **options: Any) -> Stdio:
        serve_keys = options.pop("serve", None)
        words = words or ("--config", config(tmp_path, serve_keys, adapter=adapter))
        started.append(Stdio(*words, **options))
        return started[-1]

    yield start_one
    for one in started:
        one.end()


def request(method: str, number: Any, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


def call(tool: str, number: Any, **arguments: Any) -> dict[str, Any]:
    return request("tools/call", number, name=f"text.{tool}", arguments=arguments)


def cancel(number: Any) -> dict[str, Any]:
    params = {"requestId": number}
    return {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}


def reload_until_told(stdio: Stdio, folder: pathlib.Path, pid: int) -> Any:
    """What comes once the tools are others; who listens may still begin to."""
    for adapter in itertools.cycle(["models.Fewer", "models.Models"]):
        config(folder, adapter=adapter)
        os.kill(pid, signal.SIGHUP)
        with contextlib.suppress(queue.Empty):
            return json.loads(stdio.lines.get(timeout=5))


# ---- What it says --------------------------------------------------------------------


@pytest.mark.parametrize("version", ["2025-03-26", "2025-06-18", "2025-11-25"])
def test_a_program_shakes_hands_lists_and_calls(speak, version):
    stdio = speak()
    result = stdio.begin(version)
    assert result["protocolVersion"] == version
    assert result["serverInfo"]["name"] == "snakepit"
    tools = stdio.ask("tools/list", number=2)["result"]["tools"]
    assert "text.add" in {tool["name"] for tool in tools}
    stdio.send(call("add", "three", a=40, b=2))
    answer = stdio.next()
    assert answer["id"] == "three"
    assert answer["result"]["structuredContent"] == {"result": 42}
    pids = workers_of(stdio.popen.pid)
    assert pids
    assert stdio.finish() == 0
    eventually(lambda: all(map(is_gone, pids)), "that its workers are gone")


def test_a_program_without_a_handshake_says_its_revision_each_time(speak):
    stdio = speak()
    found = stdio.ask("server/discover", {"_meta": META})["result"]
    assert found["supportedVersions"][0] == STATELESS
    params = {"name": "text.add", "arguments": {"a": 1}, "_meta": META}
    answer = stdio.ask("tools/call", params)
    assert answer["result"]["structuredContent"] == 2
    params["name"] = "text.nosuch"
    assert stdio.ask("tools/call", params)["error"]["message"] == (
        'there is no tool "text.nosuch"; tools/list names those there are'
    )
    # A name that no header field holds.
    params["name"] = "text.ä\r\nX: 1"
    assert stdio.ask("tools/call", params)["error"]["code"] == -32602
    assert stdio.finish() == 0


def test_standard_output_is_the_protocols_alone(speak, tmp_path):
    (tmp_path / "talks.py").write_text(
        "import os, sys\n"
        "from snakepit_bridge import BaseAdapter, tool\n"
        "class Talks(BaseAdapter):\n"
        "    @tool\n"
        "    def talk(self) -> str:\n"
        "        print('printed'); os.write(1, b'written'); os.system('echo shell')\n"
        "        return sys.stdin.read() or 'nothing to read'\n"
    )
    stdio = speak(adapter="talks.Talks", env={"SNAKEPIT_LOG": "debug"})
    stdio.begin()
    stdio.send(call("talk", 1))
    answer = stdio.next()
    assert answer["result"]["structuredContent"] == {"result": "nothing to read"}
    assert stdio.finish() == 0
    for word in ("printed", "written", "shell"):
        assert word in stdio.said()


def test_items_of_a_stream_come_while_other_calls_do(speak, tmp_path):
    stdio = speak(serve={"loops": 1})
    stdio.begin()
    pour = call("pour", "p", path=str(tmp_path / "poured"))
    pour["params"]["_meta"] = {"progressToken": "t"}
    stdio.send(pour)
    for number in (1, 2, 3):
        told = stdio.next()
        assert told["method"] == "notifications/progress"
        assert told["params"]["progressToken"] == "t"
        assert told["params"]["progress"] == number
    stdio.send(request("ping", "q"))
    seen = stdio.next()
    while "id" not in seen:
        seen = stdio.next()
    assert (seen["id"], seen["result"]) == ("q", {})
    stdio.send(cancel("p"))
    poured = tmp_path / "poured"
    eventually(lambda: poured.read_text() == "closed", "that it is closed")
    stdio.send(request("ping", "last"))
    left = stdio.rest()
    assert [told["id"] for told in left if "id" in told] == ["last"]
    assert stdio.wait() == 0


def test_a_batch_is_a_line_and_so_is_its_answer(speak, tmp_path):
    stdio = speak()
    stdio.begin("2025-03-26")
    path = tmp_path / "waits"
    stdio.send([call("add", 1, a=1), call("wait", 2, path=str(path))])
    eventually(path.exists, "that the tool runs")
    stdio.send(cancel(2))
    one, two = sorted(stdio.next(), key=lambda answer: answer["id"])
    assert one["result"]["structuredContent"] == {"result": 2}
    assert two["result"]["isError"] is True
    assert stdio.finish() == 0
    stdio = speak()
    stdio.begin("2025-06-18")
    stdio.send([call("add", 1, a=1)])
    assert stdio.next()["error"]["code"] == -32600
    assert stdio.finish() == 0


def test_a_cancelled_call_ends_and_is_not_answered(speak, tmp_path):
    stdio = speak()
    stdio.begin()
    path = tmp_path / "waits"
    stdio.send(call("wait", 7, path=str(path)))
    eventually(path.exists, "that the tool runs")
    stdio.send(cancel(8), cancel("7"))
    stdio.send(cancel(7))
    eventually(lambda: path.read_text() == "ended", "that it has ended")
    assert stdio.finish() == 0


@pytest.mark.parametrize("era", ["handshake", "stateless"])
def test_a_reload_that_changes_tools_is_told(speak, tmp_path, era):
    stdio = speak()
    changed = "notifications/tools/list_changed"
    if era == "handshake":
        stdio.begin()
        stdio.ask("tools/list", {})
    else:
        wants = {"toolsListChanged": True}
        stdio.send(
            request("subscriptions/listen", "s", _meta=META, notifications=wants)
        )
        first = stdio.next()
        assert first["method"] == "notifications/subscriptions/acknowledged"
        stdio.ask("tools/list", {"_meta": META})
    assert reload_until_told(stdio, tmp_path, stdio.popen.pid)["method"] == changed
    assert stdio.finish() == 0


# ---- What it is sent -----------------------------------------------------------------


def test_garbage_is_answered_and_changes_nothing(speak):
    stdio = speak(serve={"max_message": 100_000})
    stdio.begin()
    lines = {
        b"garbage\n": -32700,
        b'{"jsonrpc": "2.0", "id"\n': -32700,
        b"\xff\xfe\x00\x80\n": -32700,
        b"{}\n": -32600,
        b"7\n": -32600,
        b"x" * 1_000_000 + b"\n": -32700,
        b"[" * 50_000 + b"\n": -32700,
    }
    for line, code in lines.items():
        stdio.write(line)
        answer = stdio.next()
        assert (answer["id"], answer["error"]["code"]) == (None, code), line[:40]
    stdio.write(b"\n\r\n")
    stdio.send({"jsonrpc": "2.0", "method": "notifications/nonsense"})
    stdio.send({"jsonrpc": "2.0", "id": 1, "result": {}})
    assert stdio.ask("ping")["result"] == {}
    chance = random.Random(7)
    stdio.write(b"".join(chance.randbytes(300) + b"\n" for _ in range(200)))
    stdio.send(request("ping", "end"))
    answers = stdio.rest()
    assert {told["id"] for told in answers} == {None, "end"}
    assert stdio.wait() == 0


def test_half_a_line_is_a_message_when_the_input_ends(speak):
    stdio = speak()
    stdio.write(json.dumps(call("add", 1, a=1)).encode())
    (answer,) = stdio.rest()
    assert answer["result"]["structuredContent"] == {"result": 2}
    assert stdio.wait() == 0
    stdio = speak()
    stdio.write(b'{"jsonrpc": "2.0", "id": 1, "met')
    (answer,) = stdio.rest()
    assert answer["error"]["code"] == -32700
    assert stdio.wait() == 0


def test_a_file_is_answered_to_a_file(tmp_path):
    asked, told = tmp_path / "asked", tmp_path / "told"
    lines = [json.dumps(call("add", number, a=number)) for number in range(20)]
    asked.write_text("\n".join(lines))
    with asked.open() as source, told.open("w") as target:
        done = run(
            "mcp",
            "--config",
            config(tmp_path, adapter="models.Models"),
            stdin=source,
            stdout=target,
        )
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in told.read_text().splitlines()]
    assert sorted(answer["id"] for answer in answers) == list(range(20))


def test_more_requests_than_it_takes_at_once_are_refused(speak, tmp_path):
    stdio = speak()
    stdio.begin()
    path = tmp_path / "waits"
    stdio.send(*[call("wait", number, path=str(path)) for number in range(300)])
    refused = [stdio.next() for _ in range(300 - 255)]
    assert {told["error"]["code"] for told in refused} == {-32603}
    assert "under way" in refused[0]["error"]["message"]
    stdio.signal(signal.SIGTERM)
    assert stdio.wait() == 0


# ---- Its end -------------------------------------------------------------------------


def test_what_was_asked_is_answered_before_it_ends(speak, tmp_path):
    stdio = speak()
    path = tmp_path / "waits"
    stdio.send(call("wait", 1, path=str(path)))
    eventually(path.exists, "that the tool runs")
    stdio.popen.stdin.close()
    (tmp_path / "waits.enough").touch()
    answer = stdio.next()
    assert answer["result"]["structuredContent"] == {"result": "enough"}
    assert stdio.next() is None
    assert stdio.wait() == 0


def test_no_call_outlives_its_grace(speak, tmp_path):
    stdio = speak(serve={"shutdown_grace_ms": 1})
    path = tmp_path / "waits"
    stdio.send(call("wait", 1, path=str(path)))
    eventually(path.exists, "that the tool runs")
    pids = workers_of(stdio.popen.pid)
    assert stdio.finish() == 0
    eventually(lambda: all(map(is_gone, pids)), "that its workers are gone")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_signal_ends_it_and_its_workers(speak, tmp_path, number):
    stdio = speak()
    stdio.begin()
    path = tmp_path / "waits"
    stdio.send(call("wait", 1, path=str(path)))
    eventually(path.exists, "that the tool runs")
    pids = workers_of(stdio.popen.pid)
    assert pids
    stdio.signal(number)
    assert stdio.wait() == (-number if number == signal.SIGKILL else 0)
    eventually(lambda: all(map(is_gone, pids)), "that its workers are gone")


def test_a_program_that_dies_in_the_middle_of_a_call_ends_it(speak, tmp_path):
    """Both its pipes close while the tool runs, which nobody waits for any more."""
    path = tmp_path / "waits"
    program = subprocess.Popen(
        ["sleep", "1000"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        stdio = speak(stdin=subprocess.PIPE, stdout=program.stdin)
        program.stdin.close()
        stdio.send(call("wait", 1, path=str(path)))
        eventually(path.exists, "that the tool runs")
        pids = workers_of(stdio.popen.pid)
    finally:
        program.kill()
        program.wait()
        program.stdout.close()
    assert stdio.wait() == 0
    eventually(lambda: all(map(is_gone, pids)), "that its workers are gone")


def test_a_program_that_reads_nothing_can_still_end_it(speak):
    ours, its = os.pipe()
    stdio = speak(stdout=its)
    os.close(its)
    try:
        stdio.send(call("say", 1, text="x" * 1_000_000), call("say", 2, text="y"))
        size = fcntl.fcntl(ours, fcntl.F_GETPIPE_SZ)

        def is_full() -> bool:
            room = bytearray(4)
            fcntl.ioctl(ours, termios.FIONREAD, room)
            return int.from_bytes(room, sys.byteorder) > size - 4096

        eventually(is_full, "that it cannot write")
        stdio.signal(signal.SIGTERM)
        assert stdio.wait() == 0
    finally:
        os.close(ours)


# ---- Of a daemon ---------------------------------------------------------------------


@pytest.fixture
def daemons():
    """Those of a test's own."""
    started: list[Any] = []

    def start_one(path: pathlib.Path) -> Any:
        started.append(serve(path))
        return started[-1]

    yield start_one
    end(started)


def test_it_speaks_for_a_daemon(speak, daemons, tmp_path):
    daemon = daemons(config(tmp_path, adapter="models.Models"))
    stdio = speak("--connect", daemon.urls()[0])
    stdio.begin()
    stdio.send(call("add", 1, a=1))
    assert stdio.next()["result"]["structuredContent"] == {"result": 2}
    told = reload_until_told(stdio, tmp_path, daemon.popen.pid)
    assert told["method"] == "notifications/tools/list_changed"
    assert stdio.finish() == 0
    assert Client(daemon).is_ready()


def test_a_daemon_that_goes_and_comes_is_told(speak, daemons, tmp_path):
    path = config(tmp_path, {"listen": [f"unix:{tmp_path}/s"]}, adapter="models.Models")
    daemon = daemons(path)
    stdio = speak("--connect", f"unix:{tmp_path}/s")
    stdio.begin()
    assert daemon.stop() == 0
    stdio.send(call("add", 1, a=1))
    answer = stdio.next()
    assert answer["error"]["code"] == -32603
    assert "snakepit serve" in answer["error"]["message"]
    daemons(path)
    assert stdio.next()["method"] == "notifications/tools/list_changed"
    stdio.send(call("add", 2, a=1))
    assert stdio.next()["result"]["structuredContent"] == {"result": 2}
    assert stdio.finish() == 0


def test_it_shows_a_daemon_its_token(speak, daemons, tmp_path):
    write(tmp_path / "tokens.yaml", [token("caller", "call")])
    listen = [{"address": "127.0.0.1:0", "tokens": "tokens.yaml"}]
    daemon = daemons(config(tmp_path, {"listen": listen}, adapter="models.Models"))
    url = daemon.urls()[0]
    stdio = speak("--connect", url)
    answer = stdio.ask("ping")
    assert answer["error"]["code"] == -32603
    assert "token" in answer["error"]["message"]
    assert stdio.finish() == 0
    stdio = speak("--connect", url, env={"SNAKEPIT_TOKEN": secret("caller")})
    assert stdio.ask("ping")["result"] == {}
    assert stdio.finish() == 0


# ---- The command ---------------------------------------------------------------------


def test_what_is_wrong_is_said_on_standard_error_alone(tmp_path):
    (tmp_path / "wrong.yaml").write_text("pools: [{nmae: pets}]")
    wrong = run("mcp", "--config", tmp_path / "wrong.yaml")
    assert (wrong.returncode, wrong.stdout) == (3, "")
    assert "wrong.yaml:1" in wrong.stderr
    missing = run("mcp", "--config", tmp_path / "missing.yaml")
    assert (missing.returncode, missing.stdout) == (6, "")
    assert "missing.yaml" in missing.stderr
    neither = run("mcp")
    assert (neither.returncode, neither.stdout) == (2, "")
    assert "--config FILE or --connect ADDRESS" in neither.stderr


def test_nobody_else_gets_in(speak):
    """Its socket has a name, and sends away who is another process."""
    stdio = speak()
    stdio.begin()
    inodes = {
        link.readlink().name.partition("[")[2].rstrip("]")
        for link in pathlib.Path(f"/proc/{stdio.popen.pid}/fd").iterdir()
        if str(link.readlink()).startswith("socket:")
    }
    rows = [
        line.split() for line in pathlib.Path("/proc/net/unix").read_text().splitlines()
    ]
    names = {
        row[7]
        for row in rows
        if len(row) == 8 and row[6] in inodes and row[7][0] == "@"
    }
    assert len(names) == 1
    with socket.socket(socket.AF_UNIX) as stranger:
        stranger.settimeout(60)
        stranger.connect("\0" + names.pop()[1:])
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            stranger.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert stranger.recv(100) == b""
    assert stdio.finish() == 0
