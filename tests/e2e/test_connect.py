# SPDX-License-Identifier: MIT
"""The commands with pools of their own and through a daemon: the same words, the same
output, the same exit codes. And what only a daemon can do.
"""

from __future__ import annotations

import json
import pathlib
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.command import SNAKEPIT, environment, run
from support.connecting import config, start, to
from support.daemon import Daemon
from support.processes import marked
from support.served import Client
from support.waiting import eventually


@pytest.fixture(scope="module")
def guinea(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return config(tmp_path_factory.mktemp("g"))


@pytest.fixture(scope="module")
def daemon(guinea: pathlib.Path) -> Iterator[Daemon]:
    daemon = start(guinea)
    try:
        yield daemon
        assert daemon.stop() == 0
    finally:
        daemon.end()


@pytest.fixture
def own_daemon(tmp_path: pathlib.Path) -> Iterator[Daemon]:
    """One that the test may spoil."""
    daemon = start(config(tmp_path))
    try:
        yield daemon
        assert daemon.popen.poll() is not None or daemon.stop() == 0
    finally:
        daemon.end()


@pytest.fixture(params=["own", "http", "unix", "variable"])
def ask(request: pytest.FixtureRequest, guinea: pathlib.Path, daemon: Daemon):
    """Runs a command in each way."""
    http, unix = daemon.urls(2)
    ways: dict[str, Callable[..., subprocess.CompletedProcess]] = {
        "own": lambda *words, **more: run(*words, "--config", guinea, **more),
        "http": lambda *words, **more: run(*words, "--connect", http, **more),
        "unix": lambda *words, **more: run(*words, f"--connect={unix}", **more),
        "variable": lambda *words, **more: run(
            *words, env=environment(SNAKEPIT_CONNECT=http), **more
        ),
    }
    return ways[request.param]


# ---- Both ways ----------------------------------------------------------------------


def test_a_call_prints_what_the_tool_returns(ask):
    body = '{"a":[1,2.5,null,true,"é","\\u001b"],"b":{"$bytes":"AP+A"}}'
    done = ask("call", "guinea", "echo", body)
    assert (done.returncode, done.stdout, done.stderr) == (0, body + "\n", "")


def test_numbers_cross_as_they_are(ask):
    body = '{"big":18446744073709551615,"small":5e-324,"third":0.3333333333333333}'
    done = ask("call", "guinea", "echo", body)
    assert (done.returncode, done.stdout, done.stderr) == (0, body + "\n", "")


def test_arguments_come_from_standard_input(ask):
    done = ask(
        "call", "guinea", "size", "-", input='{"text": "%s"}' % ("x" * 3_000_000)
    )
    assert (done.returncode, done.stdout) == (0, "3000000\n")


def test_the_session_and_the_priority_are_the_calls(ask):
    done = ask("call", "guinea", "session", "--session", "s é", "--priority", "7")
    assert (done.returncode, done.stdout) == (0, '"s é"\n'), done.stderr


FAULTS = [
    (("call", "guinea", "fail", '{"message": "no way"}'), 1, "TOOL_FAILED: ValueError"),
    (("call", "guinea", "ehco"), 1, "UNKNOWN_TOOL"),
    (("call", "guinae", "echo"), 1, 'did you mean "guinea"?'),
    (("call", "guinea", ""), 2, "name"),
    (("call", "guinea", "t" * 300), 2, "name"),
    (("call", "guinea", "echo", "[1]"), 2, "a JSON object"),
    (("call", "guinea", "echo", '{"a": 1,\n "b" 2}'), 2, "line 2"),
    (("call", "guinea", "alike_in_json"), 1, 'arrive as "1" at [0].days'),
    (("call", "guinea", "alike_in_json", "--stream"), 1, 'arrive as "1" at [0].days'),
    (("call", "guinea", "nothing", "--stream"), 1, "UNKNOWN_TOOL"),
    (("call", "guinea", "echo", "--priority", "8"), 2, "0 to 7"),
    (("call", "nope", "nap"), 1, "snakepit: UNKNOWN_POOL: "),
    (("call", "nope", "nap", "--stream"), 1, "snakepit: UNKNOWN_POOL: "),
    (("call", "guinea", "zzzz"), 1, "snakepit tools POOL lists the tools"),
    (("tools", "nowhere"), 1, "pool"),
    (("workers", "nowhere"), 1, "pool"),
]


@pytest.mark.parametrize(("words", "code", "says"), FAULTS)
def test_a_failure_has_the_same_words_and_code(ask, words, code, says):
    done = ask(*words)
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert says in done.stderr and done.stderr.startswith("snakepit: ")


def test_a_fault_is_the_same_in_all_its_members(guinea, daemon):
    words = ("call", "guinea", "fail", '{"message": "no"}', "--json")
    own, other = run(*words, "--config", guinea), to(daemon, *words)
    assert own.returncode == other.returncode == 1
    mine, theirs = json.loads(own.stdout)["error"], json.loads(other.stdout)["error"]
    assert mine | {"worker": 0} == theirs | {"worker": 0}
    without = [word for word in words if word != "--json"]
    assert run(*without, "--config", guinea).stderr == to(daemon, *without).stderr


def test_a_call_out_of_time_ends_with_five(own_daemon, tmp_path):
    words = ["call", "guinea", "sleep", json.dumps({"path": str(tmp_path / "pid")})]
    words += ["--timeout", "300", "--json"]
    for done in (
        run(*words, "--config", tmp_path / "guinea.yaml"),
        to(own_daemon, *words),
    ):
        assert done.returncode == 5
        assert json.loads(done.stdout)["error"]["name"] == "DEADLINE_EXCEEDED"


def test_a_stream_is_a_line_a_chunk(ask):
    done = ask("call", "guinea", "count", '{"n": 3}', "--stream")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == '{"i":0}\n{"i":1}\n{"i":2}\n'
    done = ask("call", "guinea", "count", '{"n": 3, "fail_at": 2}', "--stream")
    assert (done.returncode, done.stdout) == (1, '{"i":0}\n{"i":1}\n')
    assert done.stderr.startswith("snakepit: TOOL_FAILED: ValueError: no 2\n")


def test_tools_are_listed(ask):
    done = ask("tools", "guinea")
    assert done.returncode == 0, done.stderr
    assert "count(n: any, fail_at: any = -1) -> any, streams\n" in done.stdout
    table = json.loads(ask("tools", "guinea", "--json").stdout)
    assert "echo" in [tool["name"] for tool in table["tools"]]


def test_pools_are_listed(ask):
    done = ask("pools")
    assert done.returncode == 0, done.stderr
    head, row = done.stdout.splitlines()
    assert head.split()[:5] == ["pool", "profile", "state", "workers", "outdated"]
    assert row.split()[:7] == ["guinea", "process", "ready", "1", "of", "1", "0"]
    (pool,) = json.loads(ask("pools", "--json").stdout)["pools"]
    assert (pool["name"], pool["workers_ready"], pool["reason"]) == ("guinea", 1, "")


def test_workers_are_listed(ask):
    done = ask("workers")
    assert done.returncode == 0, done.stderr
    head, line = done.stdout.splitlines()
    row = line.split()
    assert head.split()[4:9] == ["load", "age", "calls", "rss_mib", "pss_mib"]
    assert (row[0], row[3:7]) == ("guinea", ["READY", "0", "of", "1"])
    assert row[-1] == "unknown"
    assert ask("workers", "guinea").stdout.count("\n") == 2
    (pool,) = json.loads(ask("workers", "guinea", "--json").stdout)["pools"]
    assert (pool["name"], len(pool["workers"])) == ("guinea", 1)
    assert pool["workers"][0]["health"]["status"] == "unknown"


def test_an_unknown_tool_is_told_without_pythons_class(ask):
    done = ask("call", "guinea", "ehco")
    assert done.stderr == (
        'snakepit: UNKNOWN_TOOL: the adapter has no tool "ehco"; did you mean "echo"?\n'
    )


# ---- Only a daemon ------------------------------------------------------------------


@pytest.mark.parametrize("command", ["tools", "workers"])
def test_an_unknown_pool_is_answered_with_those_that_there_are(daemon, command):
    done = to(daemon, command, "zzz")
    assert (done.returncode, done.stdout) == (1, "")
    assert 'there is no pool "zzz"; the pool is "guinea"' in done.stderr


@pytest.mark.parametrize(
    "words",
    [("drain",), ("reload",), ("recycle", "x"), ("sessions", "s"), ("stacks",)],
)
def test_what_needs_a_daemon_says_so(words):
    done = run(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{words[0]} is for a running daemon, and needs --connect" in done.stderr


def test_a_file_and_an_address_do_not_go_together(guinea, daemon):
    done = to(daemon, "pools", "--config", str(guinea))
    assert done.returncode == 2 and "one of --config FILE and --connect" in done.stderr
    done = run("pools")
    assert done.returncode == 2 and "--config FILE or --connect ADDRESS" in done.stderr
    # A file that is named wins over the variable.
    other = environment(SNAKEPIT_CONNECT="http://127.0.0.1:1")
    assert run("pools", "--config", guinea, env=other).returncode == 0


def test_sessions_are_shown_and_ended(daemon):
    client = Client(daemon)
    for key in ("a", "b c"):
        client.ask("PUT", f"/v1/sessions/s%2F1/values/{key.replace(' ', '%20')}", [key])
    done = to(daemon, "sessions", "s/1")
    assert (done.returncode, done.stdout) == (0, "a\nb c\n"), done.stderr
    told = json.loads(to(daemon, "sessions", "s/1", "--json").stdout)
    assert told == {"session": "s/1", "keys": ["a", "b c"]}
    assert to(daemon, "sessions", "s/1", "b c").stdout == '["b c"]\n'
    assert to(daemon, "sessions", "s/1", "a", "--end").returncode == 0
    assert to(daemon, "sessions", "s/1").stdout == "b c\n"
    assert to(daemon, "sessions", "s/1", "--end").returncode == 0
    done = to(daemon, "sessions", "s/1", "--end")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == 'snakepit: there is no session "s/1"\n'
    done = to(daemon, "sessions", "s/1", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["name"] == "NOT_FOUND"


def test_libcurl_is_loaded_by_who_asks_a_daemon_alone(daemon, tmp_path):
    maps = pathlib.Path(f"/proc/{daemon.popen.pid}/maps").read_text()
    assert "libcurl" not in maps
    (tmp_path / "libcurl.so.4").write_text("no library\n" * 100)
    env = environment(LD_LIBRARY_PATH=str(tmp_path))
    assert run("--version", env=env).returncode == 0
    done = run("pools", "--connect", daemon.urls()[0], env=env)
    assert done.returncode == 6  # what the system refuses
    assert "libcurl, which cannot be loaded: " in done.stderr
    assert "libcurl.so.4: " in done.stderr


def test_sessions_are_listed(daemon):
    for name in ("l1", "l2", "l3"):
        Client(daemon).ask("PUT", f"/v1/sessions/{name}/values/a", 1)
    done = to(daemon, "sessions")
    assert (done.returncode, done.stderr) == (0, "")
    assert [one for one in done.stdout.split() if one[0] == "l"][-3:] == [
        "l1",
        "l2",
        "l3",
    ]
    done = to(daemon, "sessions", "--after", "l1")
    assert (done.returncode, done.stdout, done.stderr) == (0, "l2\nl3\n", "")
    told = json.loads(to(daemon, "sessions", "--after", "l2", "--json").stdout)
    assert told == {
        "sessions": [{"session": "l3", "values": 1, "bytes": 130}],
        "next": None,
    }
    done = to(daemon, "sessions", "--after", "gone")
    assert done.returncode == 1
    assert done.stderr == 'snakepit: there is no session "gone"\n'
    for words in (("--end",), ("l1", "--after", "l2")):
        assert to(daemon, "sessions", *words).returncode == 2


def test_a_list_that_is_longer_says_so(daemon):
    client = Client(daemon)
    for i in range(1001):
        client.ask("PUT", f"/v1/sessions/long-{i}/values/a", 1)
    done = to(daemon, "sessions")
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 1000)
    last = done.stdout.splitlines()[-1]
    assert done.stderr == f"there are more, behind --after '{last}'\n"


def test_a_value_that_is_not_there_is_told_in_a_sentence(daemon):
    Client(daemon).ask("PUT", "/v1/sessions/lone/values/a", 1)
    done = to(daemon, "sessions", "lone", "b")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == 'snakepit: session "lone" has no value "b"\n'
    done = to(daemon, "sessions", "lone", "b", "--json")
    assert (done.returncode, done.stderr) == (1, "")
    assert json.loads(done.stdout)["error"]["name"] == "NOT_FOUND"


def worker(daemon: Daemon) -> int:
    told = json.loads(to(daemon, "workers", "--json").stdout)
    (row,) = [row for row in told["pools"][0]["workers"] if row["state"] == "READY"]
    return row["id"]


def test_workers_are_replaced(own_daemon):
    first = worker(own_daemon)
    done = to(own_daemon, "recycle", "guinea")
    assert done.returncode == 0
    assert done.stdout.startswith("to be replaced, while calls go on; ")
    assert " pool=guinea" in own_daemon.logged("serve.recycle")
    eventually(lambda: is_other(own_daemon, first), "that it is replaced")
    second = worker(own_daemon)
    assert to(own_daemon, "recycle", str(second), "--json").stdout == ""
    eventually(
        lambda: f" worker={second}" in own_daemon.lines("serve.recycle")[-1],
        "that it is logged",
    )
    eventually(lambda: is_other(own_daemon, second), "that it is replaced again")
    done = to(own_daemon, "recycle", "999999")
    assert (done.returncode, done.stdout) == (1, "")
    assert "there is no worker 999999" in done.stderr
    assert "listed by snakepit workers" in done.stderr
    done = to(own_daemon, "recycle", "999999", "--pool")
    assert done.returncode == 1 and 'pool "999999"' in done.stderr


def is_other(daemon: Daemon, before: int) -> bool:
    """Whether the one worker that is ready is another one."""
    told = json.loads(to(daemon, "workers", "--json").stdout)
    ids = [w["id"] for w in told["pools"][0]["workers"] if w["state"] == "READY"]
    return len(ids) == 1 and ids != [before]


def test_a_reload_reads_the_file_again(own_daemon, tmp_path):
    path = tmp_path / "guinea.yaml"
    before = path.read_text()
    path.write_text(
        before.replace("pools:\n", "pools:\n  - {name: two, pool_size: 0}\n")
    )
    path.write_text(before.replace("pool_size: 1", "pool_sise: 1"))
    done = to(own_daemon, "reload")
    assert (done.returncode, done.stdout) == (3, "")
    assert 'did you mean "pool_size"?' in done.stderr
    path.write_text(before.replace("pool_size: 1", "pool_size: 2"))
    assert to(own_daemon, "reload").stdout == "reloaded; 0 workers to be replaced\n"
    (pool,) = json.loads(to(own_daemon, "pools", "--json").stdout)["pools"]
    assert pool["workers"] == 2


def test_a_reload_that_check_would_refuse_changes_nothing(own_daemon, tmp_path):
    path = tmp_path / "guinea.yaml"
    path.write_text(re.sub("adapter: .*", "adapter: nowhere.Shop", path.read_text()))
    done = to(own_daemon, "reload")
    assert (done.returncode, done.stdout) == (3, "")
    assert 'pool guinea: adapter: "nowhere.Shop"' in done.stderr
    assert 'finds no module "nowhere"' in done.stderr
    (pool,) = json.loads(to(own_daemon, "pools", "--json").stdout)["pools"]
    assert (pool["workers_outdated"], pool["reason"]) == (0, "")


def test_a_successor_that_does_not_start_is_told_until_one_does(own_daemon, tmp_path):
    path = tmp_path / "guinea.yaml"
    before = path.read_text()
    (tmp_path / "broken.py").write_text("raise RuntimeError('no model')\n")
    path.write_text(re.sub("adapter: .*", "adapter: broken.Shop", before))
    done = to(own_daemon, "reload")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("reloaded; 1 worker to be replaced: ")

    def pool() -> dict[str, Any]:
        (row,) = json.loads(to(own_daemon, "pools", "--json").stdout)["pools"]
        return row

    eventually(lambda: "no model" in pool()["reason"], "that it is told")
    assert (pool()["state"], pool()["workers_outdated"]) == ("ready", 1)
    assert pool()["worker_start_failures"] > 0
    _, row, reason = to(own_daemon, "pools").stdout.splitlines()[:3]
    assert row.split()[:7] == ["guinea", "process", "ready", "1", "of", "1", "1"]
    assert reason.startswith("guinea: ") and "no model" in reason
    path.write_text(before)
    assert to(own_daemon, "reload").returncode == 0
    eventually(lambda: pool()["reason"] == "", "that it has got over it")


# ---- Ends in the middle -------------------------------------------------------------


class Calling:
    """A call that is under way in a process of its own."""

    def __init__(self, daemon: Daemon, tool: str, mark: pathlib.Path, *more: str):
        arguments = json.dumps({"path": str(mark)})
        self.popen = subprocess.Popen(
            [
                str(SNAKEPIT),
                *("call", "guinea", tool, arguments, *more),
                *("--connect", daemon.urls()[0]),
            ],
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def end(self) -> tuple[int, str, str]:
        out, err = self.popen.communicate(timeout=60)
        return self.popen.returncode, out, err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_cancels_the_call_at_the_daemon(own_daemon, tmp_path, number):
    mark = tmp_path / "pid"
    calling = Calling(own_daemon, "sleep", mark)
    eventually(lambda: mark.exists() and mark.read_text(), "that it runs")
    before = Client(own_daemon).ask("GET", "/v1/pools/guinea")[1]["cancelled"]
    calling.popen.send_signal(number)
    code, out, err = calling.end()
    assert (code, out) == (128 + number, "")
    assert (
        err
        == f"snakepit: stopped by {number.name}; the daemon has cancelled the call\n"
    )
    after = Client(own_daemon).ask("GET", "/v1/pools/guinea")[1]
    assert (after["cancelled"], after["running"]) in ((before + 1, 0), (before + 1, 1))
    eventually(
        lambda: Client(own_daemon).ask("GET", "/v1/pools/guinea")[1]["running"] == 0,
        "that the tool has ended",
    )


def test_a_signal_closes_the_generator_of_a_stream(own_daemon, tmp_path):
    mark = tmp_path / "closed"
    calling = Calling(own_daemon, "wait", mark, "--stream")
    assert int(calling.popen.stdout.readline()) > 0  # while the tool runs on
    assert not mark.exists()
    calling.popen.send_signal(signal.SIGINT)
    code, out, err = calling.end()
    assert (code, out) == (130, "") and "the daemon has cancelled the call" in err
    eventually(mark.exists, "that the generator is closed")


def test_a_reader_that_goes_closes_the_stream(daemon, tmp_path):
    mark = tmp_path / "closed"
    arguments = json.dumps({"path": str(mark)})
    url = daemon.urls()[0]
    words = f"call guinea count '{{\"n\": 100000000}}' --stream --connect {url}"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {SNAKEPIT} {words} | head -1"],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, '{"i":0}\n', ""), (
        arguments
    )


@pytest.mark.parametrize("more", [(), ("--stream",)])
def test_a_daemon_that_is_killed_is_told(tmp_path, more, request):
    before = marked()
    own_daemon = request.getfixturevalue("own_daemon")
    mark = tmp_path / "pid"
    calling = Calling(own_daemon, "sleep", mark, "--json", *more)
    eventually(lambda: mark.exists() and mark.read_text(), "that it runs")
    left = marked() - before
    own_daemon.signal(signal.SIGKILL)
    own_daemon.wait()
    code, out, err = calling.end()
    assert (code, err) == (4, "")
    error = json.loads(out)["error"]
    assert (error["name"], error["retryable"]) == ("DAEMON_LOST", False)
    assert "may have been done" in error["message"]
    # Workers end by themselves, and in their own time.
    eventually(lambda: not left & marked(), "that they are gone", within=240)


def test_a_drain_waits_for_calls_and_refuses_more(own_daemon, tmp_path):
    mark = tmp_path / "closed"
    calling = Calling(own_daemon, "wait", mark, "--stream")
    assert int(calling.popen.stdout.readline()) > 0
    url = own_daemon.urls()[0]
    done = to(own_daemon, "drain")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    own_daemon.logged("serve.stopping")
    refused = run("pools", "--connect", url, "--json")
    assert refused.returncode == 4
    assert json.loads(refused.stdout)["error"]["name"] == "UNREACHABLE"
    own_daemon.signal(signal.SIGTERM)  # the first, so calls are still waited for
    assert calling.popen.poll() is None
    calling.popen.send_signal(signal.SIGINT)
    assert calling.end()[0] == 130
    assert own_daemon.wait() == 0
