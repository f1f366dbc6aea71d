# SPDX-License-Identifier: MIT
"""`snakepit top` in a real terminal, with a real daemon whose pools are at work."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import re
import signal
import threading

import pytest
from support.command import SNAKEPIT, environment, run
from support.configs import default_python
from support.daemon import Daemon
from support.served import Client, end, serve, serve_whole
from support.terminal import PROMPT, Terminal
from support.waiting import eventually


def config(folder: pathlib.Path) -> pathlib.Path:
    """Two pools, behind a socket that another daemon can have after this one."""
    path = folder / "daemon.yaml"
    pools = [
        {
            "name": name,
            "python": default_python("process"),
            "pool_size": size,
            "adapter": "served.Served",
            "shared_memory_size": "64MiB",
        }
        for name, size in (("text", 2), ("numbers", 1))
    ]
    listen = {"listen": [f"unix:{folder}/s"], "loops": 2}
    path.write_text(json.dumps({"pools": pools, "serve": listen}))
    return path


@pytest.fixture
def daemon(tmp_path):
    started = serve_whole(config(tmp_path))
    yield started
    end([started])


@pytest.fixture
def terminal(daemon):
    """At the address of the daemon."""
    opened = Terminal(env=environment(SNAKEPIT_CONNECT=daemon.urls()[0]))
    yield opened
    opened.end()


class Load:
    """Calls one tool again and again, on a thread of its own."""

    def __init__(self, daemon: Daemon, pool: str) -> None:
        self.over = threading.Event()
        self.path = f"/v1/pools/{pool}/tools/add"
        self.client = Client(daemon)
        self.thread = threading.Thread(target=self.call)

    def call(self) -> None:
        while not self.over.is_set():
            with contextlib.suppress(OSError):
                self.client.ask("POST", self.path, {"a": 1})

    def __enter__(self) -> Load:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join()


class Asked:
    """A call; its answer, once it has one."""

    def __init__(self, daemon: Daemon, tool: str, **arguments: str) -> None:
        self.answers: list = []
        client = Client(daemon)
        self.thread = threading.Thread(
            target=lambda: self.answers.append(client.call(tool, arguments))
        )

    def __enter__(self) -> Asked:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.thread.join()


class Waiting(Asked):
    """A call that has begun and waits until it is left."""

    def __init__(self, daemon: Daemon, path: pathlib.Path) -> None:
        self.path = path
        super().__init__(daemon, "wait", path=str(path))

    def __enter__(self) -> Waiting:
        super().__enter__()
        eventually(self.path.exists, "that the call has begun")
        return self

    def __exit__(self, *error: object) -> None:
        pathlib.Path(f"{self.path}.enough").touch()
        super().__exit__(*error)


def start(terminal: Terminal, words: str = "") -> None:
    terminal.run(f"{SNAKEPIT} top {words}")
    terminal.sees("1 pools", "live", "q quit")


def row_of(terminal: Terminal, first: str) -> list[str]:
    """The words of the line that begins so; none: it is not there."""
    for line in terminal.lines():
        if line.split()[:1] == [first]:
            return line.split()
    return []


def shown_workers(terminal: Terminal, pool: str) -> list[int]:
    """Their ids, as the view of workers has them."""
    rows = [line.split() for line in terminal.lines()[4:-2]]
    return [int(row[1]) for row in rows if row[:1] == [pool]]


def workers(daemon: Daemon, pool: str) -> list[int]:
    """The ids of those that serve."""
    _, value = Client(daemon).ask("GET", f"/v1/pools/{pool}")
    return [row["id"] for row in value["workers_now"] if row["state"] == "READY"]


# ---- What is seen --------------------------------------------------------------------


def test_pools_and_workers_are_seen_at_work(daemon, terminal, tmp_path):
    with Load(daemon, "numbers"), Waiting(daemon, tmp_path / "w"):
        start(terminal)
        shown = terminal.sees("run99", "calls/s")
        assert shown.startswith("snakepit top  unix:")
        eventually(lambda: row_of(terminal, "text")[3:5] == ["1/2", "0"], "it runs")
        eventually(lambda: float(row_of(terminal, "numbers")[5]) > 0, "it has a rate")
        terminal.press("Enter")
        terminal.sees("of pool text", "rss", "READY", " wait ")
        assert shown_workers(terminal, "text") == workers(daemon, "text")
        assert not row_of(terminal, "numbers")
        terminal.press("Escape")
        terminal.sees("calls/s", "numbers")


def test_lines_are_sorted_and_filtered(daemon, terminal):
    start(terminal)

    def order() -> list[str]:
        return [line.split()[0] for line in terminal.lines()[4:6] if line]

    assert order() == ["text", "numbers"]
    terminal.press("s")
    eventually(lambda: order() == ["numbers", "text"], "they are in order")
    terminal.press("s")
    eventually(lambda: order() == ["text", "numbers"], "they are turned around")
    terminal.sees("poolv")
    terminal.press("/")
    terminal.type("numb")
    eventually(lambda: order() == ["numbers"], "one is left")
    terminal.press("Enter")
    terminal.sees("/numb", "q quit")
    terminal.press("Escape")
    eventually(lambda: len(order()) == 2, "both are back")
    terminal.press("2", "o")
    terminal.sees("sort by n pool, w worker")
    terminal.press("w")
    terminal.sees("workerv")


def test_a_pause_holds_what_is_shown(daemon, terminal):
    with Load(daemon, "numbers"):
        start(terminal)
        terminal.press("p")
        terminal.sees("paused")
        before = terminal.lines()
        client = Client(daemon)
        for _ in range(20):
            client.call("add", {"a": 1})
        assert terminal.lines() == before
        terminal.press("p")
        terminal.sees("live")
        eventually(lambda: terminal.lines() != before, "it goes on")


def test_help_is_a_key_away(terminal):
    start(terminal)
    terminal.press("?")
    terminal.sees("recycles the pool or the worker", "Esc closes it")
    terminal.press("Escape")
    terminal.sees("calls/s", "numbers")


# ---- What is done --------------------------------------------------------------------


def test_a_worker_is_recycled_and_its_successor_seen(daemon, terminal):
    (before,) = workers(daemon, "numbers")
    with Load(daemon, "numbers"):
        start(terminal)
        terminal.press("Down", "Enter")
        terminal.sees("of pool numbers", "READY")
        assert shown_workers(terminal, "numbers") == [before]
        terminal.press("r")
        terminal.sees(f"recycle worker {before} of pool numbers? y/n")
        terminal.press("n")
        terminal.sees("not done")
        terminal.press("r", "y")
        terminal.sees(f"worker {before} is to be replaced")

        def successor() -> list[int]:
            left = workers(daemon, "numbers")
            return left if len(left) == 1 and left != [before] else []

        (after,) = eventually(successor, "that it is replaced")
        eventually(
            lambda: shown_workers(terminal, "numbers") == [after], "it is seen alone"
        )


def test_a_call_is_cancelled(daemon, terminal, tmp_path):
    with Waiting(daemon, tmp_path / "w") as call:
        start(terminal)
        terminal.press("4")
        terminal.sees("running", "wait")
        terminal.press("c")
        terminal.sees("of tool wait? y/n")
        terminal.press("y")
        terminal.sees("is to end")
        eventually(lambda: call.answers, "the call ends")
        ((status, problem),) = call.answers
        assert (status, problem["error"]["name"]) == (499, "CANCELLED")
        terminal.sees("CANCELLED")


def test_a_call_in_line_is_seen_and_cancelled(daemon, terminal, tmp_path):
    with (
        Waiting(daemon, tmp_path / "a"),
        Waiting(daemon, tmp_path / "b"),
        Asked(daemon, "pid") as call,
    ):
        start(terminal)
        terminal.press("4")
        terminal.sees("in line", "pid")
        terminal.press("Down", "Down", "c")
        terminal.sees("of tool pid? y/n")
        terminal.press("y")
        eventually(lambda: call.answers, "the call ends")
        ((status, _),) = call.answers
        assert status == 499
        terminal.misses("in line")


def test_stacks_are_shown_beside_the_table(daemon, terminal, tmp_path):
    with Waiting(daemon, tmp_path / "w"):
        start(terminal)
        terminal.press("4")
        terminal.sees("running", "wait")
        terminal.press("S")
        terminal.sees("Served.wait", "served.py", "lines; Esc closes it")
        terminal.press("Escape")
        terminal.misses("Served.wait")


# ---- The terminal --------------------------------------------------------------------


def test_another_size_is_another_layout(terminal):
    start(terminal)
    terminal.resize(40, 10)
    eventually(lambda: terminal.lines()[9] == "? help  q quit", "it is smaller")
    assert len(terminal.lines()) == 10
    terminal.resize(150, 30)
    terminal.sees("profile", "deaths")
    assert "q quit" in terminal.lines()[29]


@pytest.mark.parametrize("way", ["q", "C-c", "INT", "TERM"])
def test_the_terminal_is_left_as_it_was(terminal, way):
    before = terminal.modes()
    terminal.run("echo before")
    terminal.sees("before")
    start(terminal)
    assert terminal.ask("#{alternate_on}") == "1"
    if way in ("INT", "TERM"):
        pid = int(terminal.do("list-panes", "-F", "#{pane_pid}"))
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
        os.kill(int(children.split()[0]), getattr(signal, f"SIG{way}"))
    else:
        terminal.press(way)
    terminal.sees("before", PROMPT.strip())
    terminal.run("echo ended with $?")
    number = {"INT": 130, "TERM": 143}.get(way, 0)
    terminal.sees(f"ended with {number}")
    assert terminal.modes() == before


def test_it_is_suspended_and_goes_on(terminal):
    before = terminal.modes()
    start(terminal)
    terminal.press("C-z")
    terminal.sees("Stopped", PROMPT.strip())
    assert terminal.modes() == before
    terminal.resize(60, 20)
    terminal.run("fg")
    terminal.sees("live", "q quit")
    assert len(terminal.lines()) == 20
    terminal.press("q")
    terminal.sees(PROMPT.strip())
    assert terminal.modes() == before


def test_a_lost_connection_is_made_again(daemon, terminal, tmp_path):
    start(terminal)
    assert daemon.stop() == 0
    terminal.sees("reconnecting", "trying again")
    terminal.sees("nothing answers at unix:")
    successor = serve(config(tmp_path))
    try:
        terminal.sees("live", "text", "numbers", "q quit")
        terminal.press("q")
        terminal.sees(PROMPT.strip())
    finally:
        end([successor])


def test_without_colours_there_are_none(daemon, terminal):
    colour = re.compile(r"\x1b\[([0-9]+;)*3[0-7]m")
    start(terminal)
    assert colour.search("\n".join(terminal.lines("-e")))
    terminal.press("q")
    terminal.sees(PROMPT.strip())
    terminal.run("clear; export NO_COLOR=1")
    start(terminal)
    shown = "\n".join(terminal.lines("-e"))
    assert not colour.search(shown), repr(shown)
    assert re.search(r"\x1b\[([0-9]+;)*7m", shown)  # the cursor


def test_a_terminal_that_cannot_is_told(terminal):
    for kind in ("dumb", "no-such-terminal", "''"):
        terminal.run(f"clear; TERM={kind} {SNAKEPIT} top; echo ended with $?")
        terminal.sees("cannot show this", "--once", "ended with 1")


# ---- Without a terminal --------------------------------------------------------------


def test_one_snapshot_is_plain_text(daemon):
    with Load(daemon, "numbers"):
        done = run("top", "--once", "--connect", daemon.urls()[0])
    assert (done.returncode, done.stderr) == (0, "")
    pools, others, calls = done.stdout.split("\n\n")
    assert pools.splitlines()[0].split()[:4] == ["pool", "state", "profile", "workers"]
    assert [line.split()[:4] for line in pools.splitlines()[1:]] == [
        ["text", "ready", "process", "2/2"],
        ["numbers", "ready", "process", "1/1"],
    ]
    assert len(others.splitlines()) == 4
    assert calls.splitlines()[0].split()[:3] == ["call", "pool", "tool"]


def test_one_snapshot_is_one_object(daemon):
    done = run("top", "--once", "--json", "--connect", daemon.urls()[0])
    assert (done.returncode, done.stderr) == (0, "")
    value = json.loads(done.stdout)
    assert [pool["name"] for pool in value["pools"]] == ["text", "numbers"]
    assert [row["state"] for row in value["workers"]] == ["READY"] * 3


def test_one_snapshot_has_calls_that_wait(daemon, tmp_path):
    asked = Asked(daemon, "pid")
    with Waiting(daemon, tmp_path / "a"), Waiting(daemon, tmp_path / "b"):
        asked.thread.start()
        client = Client(daemon)
        path = "/v1/calls?state=waiting"
        eventually(lambda: client.ask("GET", path)[1]["calls"], "the call is there")
        done = run("top", "--once", "--connect", daemon.urls()[0])
        assert (done.returncode, done.stderr) == (0, "")
        assert "in line" in done.stdout.split("\n\n")[2]
        done = run("top", "--once", "--json", "--connect", daemon.urls()[0])
        (call,) = json.loads(done.stdout)["waiting"]
        assert (call["tool"], call["state"]) == ("pid", "line")
    asked.thread.join()


def test_what_is_no_terminal_is_told(daemon):
    done = run("top", "--connect", daemon.urls()[0])
    assert (done.returncode, done.stdout) == (2, "")
    assert "top needs a terminal; --once prints one snapshot" in done.stderr
    done = run("top", "--json", "--connect", daemon.urls()[0])
    assert done.returncode == 2 and "--json goes with --once" in done.stderr
    done = run("top", "--once")
    assert done.returncode == 2 and "needs --connect ADDRESS" in done.stderr


def test_a_daemon_that_there_is_not_is_told(tmp_path):
    done = run("top", "--once", "--connect", f"unix:{tmp_path}/nobody")
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.startswith("snakepit: nothing answers at unix:")
    done = run("top", "--once", "--json", "--connect", f"unix:{tmp_path}/nobody")
    assert json.loads(done.stdout)["error"]["name"] == "UNREACHABLE"
