# SPDX-License-Identifier: MIT
"""`snakepit token`: from a token that is made to one that a daemon takes no more."""

from __future__ import annotations

import json
import pathlib
import re
import subprocess
import zlib

import pytest
from support.command import SNAKEPIT, environment
from support.daemon import Daemon
from support.served import Client, end
from support.waiting import eventually


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(SNAKEPIT), "token", *words],
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def path(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "tokens.yaml"


def new(path: pathlib.Path, name: str, *words: str) -> str:
    done = run("new", name, "--file", str(path), *words)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def listed(path: pathlib.Path) -> list[dict]:
    done = run("list", "--file", str(path), "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_token_can_be_found_by_those_who_look_for_lost_ones(path):
    token = new(path, "ci")
    assert re.fullmatch(r"sp_[0-9a-f]{72}", token)
    assert token[-8:] == f"{zlib.crc32(token[:-8].encode()):08x}"
    assert token not in path.read_text()
    assert path.stat().st_mode & 0o7777 == 0o600


def test_what_it_may_is_listed(path):
    words = (
        "--scope",
        "observe,call",
        "--pool",
        "math,text",
        "--tool",
        "math.add,text.*",
    )
    assert new(path, "ci", *words)
    assert new(path, "ops", "--scope=admin", "--expires", "2999-01-31")
    path.write_text(path.read_text().replace("2999-01-31", "2020-01-31"))
    assert new(path, "short", "--expires", "12h")
    ci, ops, short = listed(path)
    assert (ci["name"], ci["scopes"], ci["pools"]) == (
        "ci",
        ["call", "observe"],
        ["math", "text"],
    )
    assert (ci["tools"], ops["tools"]) == (["math.add", "text.*"], "all")
    assert (ci["expires"], ci["expired"]) == ("", False)
    assert (ops["pools"], ops["expires"], ops["expired"]) == (
        "all",
        "2020-01-31T00:00:00Z",
        True,
    )
    assert short["scopes"] == ["call"] and short["expires"] > short["created"]
    table = run("list", "--file", str(path)).stdout
    assert "call,observe" in table and "never" in table and "has expired" in table
    assert "math.add,text.*" in table


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["new"], "token new takes a name"),
        (["new", "a b"], "token new takes a name"),
        (["new", "a", "--scope", "call,root"], "--scope takes some of"),
        (["new", "a", "--scope", ","], "--scope takes some of"),
        (["new", "a", "--pool", "a/b"], "--pool takes names of pools"),
        (["new", "a", "--pool", ","], "--pool takes names of pools"),
        (["new", "a", "--tool", "add"], "--tool takes tools with commas"),
        (["new", "a", "--tool", "m.a*b"], "--tool takes tools with commas"),
        (["new", "a", "--expires", "30"], "--expires takes a time"),
        (["new", "a", "--expires", "-1d"], "--expires takes a time"),
        (["new", "a", "--expires", "2020-01-01"], "--expires is over already"),
        (["revoke"], "token revoke takes the name"),
        (["list", "a"], "token list takes no further word"),
        (["make", "a"], "token takes new NAME, list or revoke NAME"),
    ],
)
def test_what_is_not_understood_changes_nothing(path, words, sentence):
    done = run(*words, "--file", str(path))
    assert done.returncode == 2
    assert sentence in done.stderr and done.stdout == ""
    assert not path.exists()


def test_what_cannot_be_done_is_said(path):
    assert run("new", "a").returncode == 2  # without --file
    assert new(path, "a")
    again = run("new", "a", "--file", str(path))
    assert again.returncode == 1 and "has a token a already" in again.stderr
    none = run("revoke", "b", "--file", str(path))
    assert none.returncode == 1 and "has no token b" in none.stderr
    missing = run("list", "--file", str(path.with_name("none")))
    assert missing.returncode == 3 and "cannot be read" in missing.stderr
    path.chmod(0o644)
    open_to_all = run("revoke", "a", "--file", str(path))
    assert open_to_all.returncode == 3 and "chmod 600 it" in open_to_all.stderr


def test_a_file_that_loses_its_comments_says_so(path):
    path.touch(0o600)
    path.write_text("tokens: [] # mine\n")
    done = run("new", "a", "--file", str(path))
    assert done.returncode == 0 and "its comments are gone" in done.stderr
    done = run("new", "b", "--file", str(path))
    assert "its comments are gone" not in done.stderr


def test_many_at_once_lose_none(path):
    command = [str(SNAKEPIT), "token", "new"]
    running = [
        subprocess.Popen(
            [*command, f"n{i}", "--file", str(path)],
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        for i in range(16)
    ]
    for popen in running:
        _, errors = popen.communicate(timeout=120)
        assert popen.returncode == 0, errors
    assert {token["name"] for token in listed(path)} == {f"n{i}" for i in range(16)}
    assert [left.name for left in path.parent.iterdir()] == ["tokens.yaml"]


def test_a_daemon_takes_what_was_made_until_it_is_revoked(path):
    token = new(path, "ops", "--scope", "call,observe,admin")
    config = path.with_name("daemon.yaml")
    listen = [{"address": "127.0.0.1:0", "tokens": "tokens.yaml"}]
    config.write_text(
        json.dumps({"pooling_enabled": False, "serve": {"listen": listen}})
    )
    daemon = Daemon(config)
    try:
        client = Client(daemon)

        def status(token: str) -> int:
            shown = {"Authorization": f"Bearer {token}"}
            return client.ask("GET", "/v1/pools", **shown)[0]

        assert status(token) == 200
        assert status(token[:-1]) == 401
        later = new(path, "later", "--scope", "observe")
        eventually(lambda: status(later) == 200, "that the new token is known")
        assert run("revoke", "ops", "--file", str(path)).returncode == 0
        eventually(lambda: status(token) == 401, "that the token ends")
        assert status(later) == 200
        assert token not in daemon.said()
    finally:
        end([daemon])
