# SPDX-License-Identifier: MIT
"""The commands with --connect, where something else answers than a daemon that is well:
one sentence with a remedy, and an exit code.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator

import pytest
from support.command import SNAKEPIT, environment, run
from support.connecting import config, start, to
from support.daemon import Daemon
from support.waiting import eventually


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    daemon = start(config(tmp_path_factory.mktemp("g")))
    try:
        yield daemon
        assert daemon.stop() == 0
    finally:
        daemon.end()


# ---- Others -------------------------------------------------------------------------


@contextlib.contextmanager
def stranger(*answers: bytes, wait: bool = False) -> Iterator[str]:
    """Whatever answers in place of a daemon: one answer for each connection, the last
    for all that follow. Its address.
    """
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            for i in range(100):
                with contextlib.suppress(OSError):
                    client, _ = server.accept()
                    with client:
                        client.settimeout(20)
                        client.recv(65536)
                        client.sendall(answers[min(i, len(answers) - 1)])
                        while wait and client.recv(65536):
                            pass
                        client.shutdown(socket.SHUT_WR)
                    continue
                return

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def answer(status: str, kind: str, body: bytes, more: str = "") -> bytes:
    return (
        f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n{more}"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    ).encode() + body


def html(status: str, more: str = "") -> bytes:
    return answer(status, "text/html", b"<html>", more)


def value(text: bytes) -> bytes:
    return answer("200 OK", "application/json", text)


def problem(status: int, detail: str) -> bytes:
    """Of HTTP alone."""
    told = {"type": "about:blank", "title": "t", "status": status, "detail": detail}
    body = json.dumps(told).encode()
    return answer(f"{status} Reason", "application/problem+json", body)


def events(text: str) -> bytes:
    head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
    return f"{head}Connection: close\r\n\r\n{text}".encode()


OLD = answer("200 OK", "text/plain; charset=utf-8", b"Snakepit 0.5.0\n\nGET /\n")
AWAY = html("302 Found", "Location: http://127.0.0.1:1/\r\n")
CALL = ("call", "guinea", "echo")
STREAM = (*CALL, "--stream")
POOLS, TOOLS, DRAIN = ("pools",), ("tools", "p"), ("drain",)
STRANGE = "is not a Snakepit daemon"
LOST = "was lost before its answer was whole"

STRANGERS = [
    (CALL, [html("404 Not Found")], 4, f"{STRANGE}: it says 404 with text/html"),
    (CALL, [html("200 OK")], 4, STRANGE),
    (CALL, [AWAY], 4, f"{STRANGE}: it says 302"),
    (POOLS, [answer("204 No Content", "text/html", b"")], 4, STRANGE),
    (DRAIN, [value(b"{}")], 4, STRANGE),
    (STREAM, [value(b"1")], 4, STRANGE),
    (CALL, [b"220 smtp.example.org ESMTP\r\n"], 4, "does not speak HTTP"),
    (CALL, [b"\x15\x03\x03\x00\x02\x02\x46"], 4, "begins with https://"),
    (CALL, [b""], 4, LOST),
    (CALL, [b"HTTP/1.1 200 OK\r\nContent-Ty"], 4, STRANGE),
    (CALL, [value(b"[1,2]")[:-2]], 4, LOST),
    (DRAIN, [problem(404, "no such path"), OLD], 1, "Snakepit 0.5.0, does not know"),
    (POOLS, [problem(401, "no token")], 7, "no token; show a token with --token-file"),
    (POOLS, [problem(403, "not yours")], 7, "not yours"),
    (CALL, [problem(413, "too much")], 2, "refuses the request: too much"),
    (CALL, [problem(503, "too many")], 4, "refuses the request: too many"),
    (POOLS, [value(b'{"pools":')], 4, "cannot be shown"),
    (POOLS, [value(b"[]")], 4, "cannot be shown"),
    (TOOLS, [value(b"7")], 4, "cannot be shown"),
    (CALL, [answer("500 Oh", "application/problem+json", b"{}")], 4, "cannot be read"),
    (STREAM, [events("data: 1\n\ndata: 2")], 4, "its end has not come"),
    (STREAM, [events("event: error\ndata: {}\n\n")], 4, "cannot be read"),
    (STREAM, [events("event: to come\ndata: 2\n\n")], 4, "its end has not come"),
]


@pytest.mark.parametrize(("words", "answers", "code", "says"), STRANGERS)
def test_what_is_no_daemon_of_ours_is_told_in_a_sentence(words, answers, code, says):
    with stranger(*answers) as url:
        done = run(*words, "--connect", url)
    assert done.returncode == code, (done.stdout, done.stderr)
    assert says in done.stderr
    assert done.stderr.startswith("snakepit: ") and done.stderr.count("\n") == 1
    assert done.stdout in ("", "1\n")


def test_a_value_of_a_stranger_moves_no_terminal():
    body = b'{"pools":[{"name":"a\\u001b[2J","reason":"\\u009b"}]}'
    with stranger(value(body)) as url:
        done = run("pools", "--connect", url)
    assert done.returncode == 0 and "\x1b" not in done.stdout + done.stderr
    with stranger(value(b'"\x1b[2J"')) as url:
        done = run(*CALL, "--connect", url)
    assert done.stdout == '"\\u001b[2J"\n'


def test_who_never_answers_is_given_up_by_a_signal():
    with stranger(b"", wait=True) as url:
        popen = subprocess.Popen(
            [str(SNAKEPIT), "pools", "--connect", url],
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        eventually(lambda: connected(popen.pid), "that it has asked")
        popen.send_signal(signal.SIGINT)
        assert popen.communicate(timeout=60) == ("", "snakepit: stopped by SIGINT\n")
        assert popen.returncode == 130


def connected(pid: int) -> bool:
    """Whether it has a socket of TCP."""
    sockets = pathlib.Path(f"/proc/{pid}/net/tcp").read_text()
    with contextlib.suppress(OSError):
        for name in os.listdir(f"/proc/{pid}/fd"):
            link = os.readlink(f"/proc/{pid}/fd/{name}")
            found = re.fullmatch(r"socket:\[(\d+)\]", link)
            if found and f" {found[1]} " in sockets:
                return True
    return False


ADDRESSES = [
    ("127.0.0.1:8470", 2, "an address is http://HOST:PORT"),
    ("http://127.0.0.1:1", 4, "Connection refused; start a daemon there"),
    ("unix:/nowhere/s", 4, "No such file or directory"),
    ("https://127.0.0.1:1", 4, "Connection refused"),
    ("http://no-such-host.invalid", 4, "its host is not known"),
]


@pytest.mark.parametrize(("address", "code", "says"), ADDRESSES)
def test_a_daemon_that_is_not_there_is_told_with_a_remedy(address, code, says):
    done = run("pools", "--connect", address)
    assert (done.returncode, done.stdout) == (code, "")
    assert says in done.stderr and done.stderr.count("\n") == 1


def test_http_where_tls_is_meant_is_told(daemon):
    url = daemon.urls()[0].replace("http:", "https:")
    done = run("pools", "--connect", url)
    assert done.returncode == 4 and "does not speak TLS" in done.stderr


def test_a_proxy_of_the_environment_is_not_asked(daemon):
    nowhere = "http://127.0.0.1:1"
    names = ("http_proxy", "https_proxy", "all_proxy", "ALL_PROXY", "HTTP_PROXY")
    env = environment(**dict.fromkeys(names, nowhere))
    assert run("pools", "--connect", daemon.urls()[0], env=env).returncode == 0


# ---- Tokens -------------------------------------------------------------------------


def test_a_token_is_never_sent_where_others_can_read_it(tmp_path):
    file = tmp_path / "token"
    file.write_text("secret\n")
    file.chmod(0o600)
    for words in (("--token-file", str(file)), ()):
        env = environment(**({} if words else {"SNAKEPIT_TOKEN": "secret"}))
        done = run("pools", "--connect", "http://10.255.255.1:1", *words, env=env)
        assert (done.returncode, done.stdout) == (2, "")
        assert "without TLS others could read the token" in done.stderr
        assert "secret" not in done.stderr


TOKEN_FILES = [
    ("two words\n", "more than a token"),
    ("", "no token"),
    ("x" * 2000, "more than a token"),
    ("a\r\nHost: evil", "more than a token"),
]


@pytest.mark.parametrize(("text", "says"), TOKEN_FILES)
def test_a_file_that_holds_no_token_is_refused(tmp_path, text, says):
    file = tmp_path / "token"
    file.write_text(text)
    file.chmod(0o600)
    done = run("pools", "--connect", "http://127.0.0.1:1", "--token-file", file)
    assert done.returncode == 2 and says in done.stderr
    done = run("pools", "--connect", "http://127.0.0.1:1", "--token-file", file / "x")
    assert done.returncode == 6 and "cannot be read" in done.stderr


def test_a_token_file_that_others_may_read_is_told_of(daemon, tmp_path):
    file = tmp_path / "token"
    file.write_text("secret\n")
    file.chmod(0o644)
    done = to(daemon, "pools", "--token-file", str(file))
    assert done.returncode == 0
    assert "others may read the token" in done.stderr and "chmod 600" in done.stderr
