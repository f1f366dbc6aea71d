# SPDX-License-Identifier: MIT
"""The commands with --connect and a daemon that wants to know whom it talks to: by TLS,
by certificates, by tokens.
"""

from __future__ import annotations

import json
import os
import pathlib
from collections.abc import Callable, Iterator

import pytest
from support.certificates import Identity, self_signed, signed
from support.command import environment, run
from support.daemon import NO_POOLS, Daemon
from support.tokens import secret, token, write

Start = Callable[[dict], str]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    """The daemon's certificate."""
    return self_signed(tmp_path_factory.mktemp("own"))


@pytest.fixture
def start(tmp_path: pathlib.Path) -> Iterator[Start]:
    """Starts a daemon with one such listener; gives its address."""
    daemons: list[Daemon] = []

    def start_one(listener: dict) -> str:
        path = tmp_path / "daemon.yaml"
        serve = {"loops": 1, "listen": [{"address": "127.0.0.1:0", **listener}]}
        path.write_text(f"{NO_POOLS}serve: {json.dumps(serve)}\n")
        daemons.append(Daemon(path))
        return daemons[-1].urls()[0]

    yield start_one
    for daemon in daemons:
        assert daemon.stop() == 0
        daemon.end()


def asked(url: str, *words: object, **variables: str) -> tuple[int, str]:
    """How `snakepit pools` ends, and what it complains of."""
    done = run("pools", "--connect", url, *words, env=environment(**variables))
    return done.returncode, done.stderr


def ended(result: tuple[int, str], code: int, says: str) -> bool:
    assert result[0] == code and says in result[1], result
    return result[1].count("\n") == (1 if says else 0)


def test_a_daemon_is_known_by_its_certificate(start, own, tmp_path):
    url = start({"tls": own.keys()})
    assert url.startswith("https://")
    trusted = ("--cacert", own.certificate)
    assert ended(asked(url, *trusted), 0, "")
    assert ended(asked(url.replace("127.0.0.1", "localhost"), *trusted), 0, "")
    assert ended(asked(url), 4, "--cacert FILE names the authority")
    other = self_signed(tmp_path, "other")
    assert ended(asked(url, "--cacert", other.certificate), 4, "TLS with https://")
    assert ended(asked(url, "--cacert", tmp_path / "none"), 2, "--cacert")
    away = url.replace("127.0.0.1", "127.0.0.2")
    assert ended(asked(away, *trusted), 4, "Connection refused")


def test_http_where_tls_is_served_is_told(start, own):
    url = start({"tls": own.keys()}).replace("https:", "http:")
    code, said = asked(url)
    assert code == 4 and said.count("\n") == 1
    assert "https://" in said


def test_a_client_is_known_by_its_certificate(start, own, tmp_path):
    authority = self_signed(tmp_path, "authority")
    url = start({"tls": own.keys(client_ca=str(authority.certificate))})
    trusted = ("--cacert", own.certificate)
    build = signed(tmp_path, "build", authority)
    shown = ("--cert", build.certificate, "--key", build.key)
    assert ended(asked(url, *trusted, *shown), 0, "")
    both = tmp_path / "both.pem"
    both.write_text(build.certificate.read_text() + build.key.read_text())
    assert ended(asked(url, *trusted, "--cert", both), 0, "")
    assert ended(asked(url, *trusted), 7, "--cert FILE --key FILE")
    forged = signed(tmp_path, "forged", self_signed(tmp_path, "stranger"))
    shown = ("--cert", forged.certificate, "--key", forged.key)
    assert ended(asked(url, *trusted, *shown), 7, "does not take this client's")
    assert ended(asked(url, *trusted, "--cert", own.key), 2, "cannot be used")
    alone = ("--cert", build.certificate)
    assert ended(asked(url, *trusted, *alone), 2, "add --key FILE")
    assert ended(asked(url, *trusted, "--key", own.key), 2, "belongs to --cert")
    plain = url.replace("https:", "http:")
    assert ended(asked(plain, *trusted), 2, "are for TLS")


@pytest.fixture
def guarded(start, tmp_path) -> str:
    """A listener that knows three tokens."""
    file = tmp_path / "tokens.yaml"
    write(file, [token(scope, scope) for scope in ("call", "observe", "admin")])
    return start({"tokens": str(file)})


def test_a_client_is_known_by_its_token(guarded, tmp_path):
    assert ended(asked(guarded), 7, "show a token with --token-file FILE or $SNAKEPIT")
    assert ended(asked(guarded, SNAKEPIT_TOKEN=secret("observe")), 0, "")
    file = tmp_path / "token"
    file.touch(0o600)
    file.write_text(secret("observe") + "\n")
    assert ended(asked(guarded, "--token-file", file), 0, "")
    # The file wins.
    assert ended(asked(guarded, "--token-file", file, SNAKEPIT_TOKEN="no"), 0, "")
    wrong = asked(guarded, SNAKEPIT_TOKEN="wrong")
    assert ended(wrong, 7, "show another token") and "wrong" not in wrong[1]


def test_a_scope_that_is_missing_is_told(guarded):
    env = environment(SNAKEPIT_TOKEN=secret("observe"))
    done = run("drain", "--connect", guarded, "--json", env=env)
    assert done.returncode == 7
    error = json.loads(done.stdout)["error"]
    assert (error["name"], error["retryable"]) == ("DENIED", False)
    env = environment(SNAKEPIT_TOKEN=secret("admin"))
    assert run("recycle", "1", "--connect", guarded, env=env).returncode == 1


def test_a_token_is_not_among_the_arguments(guarded):
    """There is no option that would take one."""
    code, said = asked(guarded, "--token", secret("observe"))
    assert code == 2 and "did you mean --token-file?" in said
    assert os.environ.get("SNAKEPIT_TOKEN") is None
