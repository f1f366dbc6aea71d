# SPDX-License-Identifier: MIT
"""examples/hosts/postgres in a PostgreSQL server of its own."""

from __future__ import annotations

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator

import pytest
from conftest import Door, Place, needs, or_killed, say, unprivileged
from support.missing import missing
from support.waiting import eventually

BACKENDS = 50
END = "that is all"


def places_of(pg_config: str) -> dict[str, pathlib.Path]:
    """Where its parts are."""
    return {
        name: pathlib.Path(say(pg_config, f"--{name}").strip())
        for name in ("bindir", "pkglibdir", "sharedir")
    }


class Server:
    """PostgreSQL as it is installed, with the extension installed beside it: not in the
    machine's own folders, but in a tree of links to them. The server finds its files by
    where its program is.
    """

    def __init__(self, place: Place) -> None:
        pg_config = needs("pg_config")
        theirs = places_of(pg_config)
        if not (theirs["bindir"] / "postgres").exists():
            missing("the server of PostgreSQL")
        if not pathlib.Path(say(pg_config, "--pgxs").strip()).exists():
            missing("postgresql-server-dev")
        self.root = place.folder / "root"
        place.make("postgres", "all", f"PG_CONFIG={pg_config}")
        place.make("postgres", "install", f"DESTDIR={self.root}", "with_llvm=no")
        ours = {name: self.root / str(path)[1:] for name, path in theirs.items()}
        for name in ("pkglibdir", "sharedir"):
            say("cp", "-rsn", f"{theirs[name]}/.", ours[name])
        ours["bindir"].mkdir(parents=True, exist_ok=True)
        for name in ("postgres", "initdb"):
            shutil.copy(theirs["bindir"] / name, ours["bindir"])
        self.bin = ours["bindir"]
        self.theirs = theirs["bindir"]
        self.folder = place.folder / "pg"
        self.folder.mkdir()
        self.env = {**place.env, "LC_ALL": "C.UTF-8", "PGOPTIONS": ""}
        self.own = unprivileged()
        if self.own:
            os.chown(self.folder, self.own["user"], self.own["group"])

    def start(self, door: Door) -> None:
        data = str(self.folder / "data")
        make = (self.bin / "initdb", "-D", data, "-U", "tester", "-A", "trust", "-N")
        say(*make, env=self.env, cwd=self.folder, **self.own)
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.folder),
            "max_connections": str(BACKENDS + 20),
            "fsync": "off",
            "shared_buffers": "16MB",
            "snakepit.address": door.address,
        }
        words = [word for pair in settings.items() for word in ("-c", "=".join(pair))]
        self.log = (self.folder / "log").open("wb")
        self.popen = subprocess.Popen(
            [self.bin / "postgres", "-D", data, *words],
            env=self.env,
            cwd=self.folder,
            stdout=self.log,
            stderr=self.log,
            **self.own,
        )
        with or_killed(self.popen):
            eventually(self.is_ready, "that PostgreSQL is ready")
            self.psql("create extension snakepit")

    def is_ready(self) -> bool:
        assert self.popen.poll() is None, (self.folder / "log").read_text()
        done = subprocess.run(
            [self.theirs / "pg_isready", "-q", "-h", self.folder], check=False
        )
        return done.returncode == 0

    def words(self, program: str, *words: str) -> list[str]:
        to = ["-h", str(self.folder), "-U", "tester"]
        return [str(self.theirs / program), *to, *words, "postgres"]

    def psql(self, statement: str) -> str:
        return say(
            *self.words("psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-c", statement)
        )

    def pgbench(self, script: str, *words: str) -> str:
        path = self.folder / "script.sql"
        path.write_text(script)
        return say(*self.words("pgbench", "-n", "-f", str(path), *words))

    def end(self) -> int:
        self.popen.send_signal(signal.SIGINT)  # ends its backends, and then itself
        status = self.popen.wait(60)
        self.log.close()
        return status


class Session:
    """A backend that stays, through psql."""

    def __init__(self, server: Server) -> None:
        words = server.words("psql", "-XqAt", "-v", "VERBOSITY=verbose")
        self.popen = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def send(self, statement: str) -> None:
        self.popen.stdin.write(f"{statement};\n\\echo {END}\n")
        self.popen.stdin.flush()

    def receive(self) -> str:
        lines = []
        while (line := self.popen.stdout.readline()) not in ("", f"{END}\n"):
            lines.append(line)
        return "".join(lines).strip()

    def ask(self, statement: str) -> str:
        self.send(statement)
        return self.receive()

    def close(self) -> int:
        self.popen.stdin.close()
        self.popen.stdout.close()
        return self.popen.wait(60)


@pytest.fixture(scope="module")
def server(place: Place, door: Door) -> Iterator[Server]:
    made = Server(place)
    made.start(door)
    yield made
    assert made.end() == 0


@pytest.fixture
def session(server: Server) -> Iterator[Session]:
    made = Session(server)
    yield made
    assert made.close() == 0


def call(tool: str, **arguments: object) -> str:
    """The statement."""
    return f"select snakepit('text', '{tool}', '{json.dumps(arguments)}')"


def test_a_statement_gets_what_a_tool_returned(session: Session) -> None:
    assert session.ask(call("add", a=2, b=40)) == "42"
    assert json.loads(session.ask(call("echo", a=[1, {"b": "größer"}]))) == {
        "a": [1, {"b": "größer"}]
    }
    assert session.ask("select snakepit('text', 'nothing')") == "null"
    many = "select sum(snakepit('text', 'add', jsonb_build_object('a', i))::int)"
    assert session.ask(f"{many} from generate_series(1, 500) i") == "125750"


def test_no_argument_can_be_null(session: Session) -> None:
    assert session.ask("select snakepit('text', null) is null") == "t"


@pytest.mark.parametrize(
    ("tool", "arguments", "sqlstate", "said"),
    [
        ("fail", {"message": "such a day"}, "38000", "ValueError: such a day"),
        ("ecko", {}, "42883", "echo"),
        ("die", {}, "38000", "Its worker: exited with status 3"),
        ("alike", {}, "42804", "no JSON"),
    ],
)
def test_a_fault_is_an_error_with_sqlstate_and_detail(
    session: Session, tool: str, arguments: dict, sqlstate: str, said: str
) -> None:
    error = session.ask(call(tool, **arguments))
    assert error.startswith(f"ERROR:  {sqlstate}: "), error
    assert said in error
    assert session.ask(call("add", a=1)) == "2"


def test_a_traceback_is_the_detail(session: Session) -> None:
    error = session.ask(call("fail"))
    assert "DETAIL:  Snakepit says TOOL_FAILED.\nTraceback" in error
    assert "in fail" in error


def test_an_unknown_pool_is_told(session: Session) -> None:
    error = session.ask("select snakepit('texts', 'add')")
    assert error.startswith("ERROR:  42883: ")


def test_the_statement_timeout_cancels_the_call(
    session: Session, note: pathlib.Path
) -> None:
    session.ask("set statement_timeout = '1s'")
    error = session.ask(call("wait", path=str(note)))
    assert error.startswith(
        "ERROR:  57014: canceling statement due to statement timeout"
    )
    eventually(lambda: note.read_text() == "ended", "its tool was stopped")
    assert session.ask(call("add", a=1)) == "2"


def test_pg_cancel_backend_cancels_the_call(
    server: Server, session: Session, note: pathlib.Path
) -> None:
    pid = session.ask("select pg_backend_pid()")
    session.send(call("wait", path=str(note)))
    eventually(note.exists, "its tool has begun")
    assert server.psql(f"select pg_cancel_backend({pid})").strip() == "t"
    error = session.receive()
    assert error.startswith("ERROR:  57014: canceling statement due to user request")
    eventually(lambda: note.read_text() == "ended", "its tool was stopped")
    assert session.ask(call("add", a=1)) == "2"


def test_a_backend_that_is_terminated_cancels_its_call(
    server: Server, note: pathlib.Path
) -> None:
    session = Session(server)
    pid = session.ask("select pg_backend_pid()")
    session.send(call("wait", path=str(note)))
    eventually(note.exists, "its tool has begun")
    assert server.psql(f"select pg_terminate_backend({pid})").strip() == "t"
    eventually(lambda: note.read_text() == "ended", "its tool was stopped")
    assert "57P01" in session.receive()
    assert session.close() == 2  # psql says so of a connection that was lost


def test_fifty_backends_call_at_once(server: Server) -> None:
    script = "select snakepit('text', 'add', jsonb_build_object('a', :client_id));"
    words = ("-c", str(BACKENDS), "-j", "2", "-t", "20")
    said = server.pgbench(script, *words)
    ended = BACKENDS * 20
    assert f"number of transactions actually processed: {ended}/{ended}" in said, said
    assert re.search(r"failed transactions: 0 ", said), said


def test_a_call_costs_little_on_top_of_an_empty_statement(server: Server) -> None:
    """Its figure is what this prints, with -s, on a machine that is idle."""
    rounds = int(os.environ.get("ROUNDS", "3"))
    words = ("-c", "1", "-M", "prepared", "-t", os.environ.get("CALLS", "1000"))
    scripts = ("select 1;", "select snakepit('text', 'nothing', '{}');")
    taken: dict[str, list[float]] = {script: [] for script in scripts}
    for _ in range(rounds):
        for script in scripts:
            said = server.pgbench(script, *words)
            (found,) = re.findall(r"latency average = ([\d.]+) ms", said)
            taken[script].append(float(found) * 1000)
    empty, call_ = (sorted(taken[script])[rounds // 2] for script in scripts)
    print(f"empty {empty:.1f} us, a call {call_:.1f} us: {call_ - empty:.1f} us more")
    assert call_ - empty < 5000  # one that waits for a timer would take longer


def test_only_who_was_granted_it_may_call(session: Session) -> None:
    assert session.ask(call("add", a=1)) == "2"
    session.ask("create role guest")
    session.ask("set role guest")
    assert session.ask(call("add", a=1)).startswith("ERROR:  42501: ")
    assert session.ask("set snakepit.address = 'unix:/x'").startswith("ERROR:  42501: ")
    session.ask("reset role")
    session.ask("drop role guest")


def test_where_no_daemon_is_the_error_says_what_to_do(
    session: Session, door: Door
) -> None:
    session.ask("set snakepit.address = 'unix:/nonexistent/x.sock'")
    error = session.ask(call("add", a=1))
    assert error.startswith('ERROR:  08006: the socket "/nonexistent/x.sock"'), error
    assert "start the daemon" in error
    session.ask(f"set snakepit.address = '{door.address}'")
    assert session.ask(call("add", a=1)) == "2"


def test_a_backend_goes_on_with_the_next_daemon(
    session: Session, door: Door, note: pathlib.Path
) -> None:
    session.send(call("wait", path=str(note)))
    eventually(note.exists, "its tool has begun")
    door.kill()
    try:
        error = session.receive()
        assert error.startswith("ERROR:  08006: "), error
        assert "DAEMON_LOST" in error
    finally:
        door.start()
    assert session.ask(call("add", a=1)) == "2"
