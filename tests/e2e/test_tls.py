# SPDX-License-Identifier: MIT
"""TLS of a daemon: clients of every kind, certificates of both sides, and who only
pretends to begin.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import signal
import socket
import ssl
import struct
import subprocess
from collections.abc import Callable, Iterator

import pytest
from support.certificates import Identity, openssl, self_signed, signed
from support.command import run
from support.daemon import NO_POOLS, Daemon
from support.raw_http import Raw
from support.served import CALL, Client, config, end, serve
from support.tokens import bearer, secret, token, write
from support.waiting import eventually

GET = "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
MEBI = 1 << 20

Start = Callable[..., Daemon]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    """The daemon's certificate."""
    return self_signed(tmp_path_factory.mktemp("own"))


@pytest.fixture
def start(tmp_path: pathlib.Path) -> Iterator[Start]:
    """Starts a daemon without pools, with the given keys of `tls` and of `serve`."""
    daemons: list[Daemon] = []

    def start_one(
        tls: dict, address: str = "127.0.0.1:0", tokens: str = "", **keys: object
    ) -> Daemon:
        path = tmp_path / "tls.yaml"
        listen = [{"address": address, "tls": tls}]
        if tokens:
            listen[0]["tokens"] = tokens
        text = json.dumps({"loops": 1, **keys, "listen": listen})
        path.write_text(f"{NO_POOLS}serve: {text}\n")
        daemons.append(Daemon(path, env={"SNAKEPIT_LOG": "debug"}))
        daemons[-1].urls()
        return daemons[-1]

    yield start_one
    end(daemons)


def connect(daemon: Daemon) -> socket.socket:
    """A connection on which nothing has been said yet."""
    return daemon.connect(daemon.urls()[0].replace("https://", "http://"))


def shake_hands(daemon: Daemon, context: ssl.SSLContext) -> ssl.SSLSocket:
    return context.wrap_socket(connect(daemon), server_hostname="localhost")


def is_served(daemon: Daemon, context: ssl.SSLContext) -> bool:
    """With TLS 1.3 a client hears only at its first answer that it is refused."""
    try:
        with Raw(shake_hands(daemon, context)) as client:
            return client.ask(GET).body == b"ok\n"
    except (ssl.SSLError, ConnectionError):
        return False


def curl(own: Identity, *words: str) -> str:
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    done = subprocess.run(
        ["curl", "-sS", "--cacert", str(own.certificate), *words],
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.stdout if done.returncode == 0 else done.stderr


# ---- Clients ------------------------------------------------------------------------


def test_curl_speaks_each_version_of_http(start, own):
    daemon = start(own.keys())
    (url,) = daemon.urls()
    assert url.startswith("https://127.0.0.1:")
    version = ("-w", "%{http_version}")
    assert curl(own, "--http1.1", *version, f"{url}/livez") == "ok\n1.1"
    if "HTTP2" in subprocess.run(["curl", "-V"], capture_output=True, text=True).stdout:
        assert curl(own, "--http2", *version, f"{url}/livez") == "ok\n2"
    assert curl(own, "--http1.0", f"{url}/livez") == "ok\n"
    assert curl(own, "--tls-max", "1.2", f"{url}/livez") == "ok\n"
    stranger = self_signed(own.certificate.parent, "stranger")
    assert "certificate" in curl(stranger, f"{url}/livez")


@pytest.fixture(scope="module")
def client(tmp_path_factory, own) -> Iterator[Client]:
    """A daemon with a pool."""
    folder = tmp_path_factory.mktemp("served")
    listen = [{"address": "127.0.0.1:0", "tls": own.keys()}]
    daemon = serve(config(folder, {"listen": listen}), trust=own.trusted())
    yield Client(daemon)
    end([daemon])


def test_a_large_body_crosses_both_ways(client):
    text = os.urandom(MEBI).hex()
    status, answer = client.call("echo", {"text": text})
    assert status == 200
    assert hashlib.sha256(answer["text"].encode()).digest() == (
        hashlib.sha256(text.encode()).digest()
    )


def test_http_2_carries_both_as_well(client, own, tmp_path):
    url = client.daemon.urls()[0] + CALL
    path = tmp_path / "body.json"
    path.write_text(json.dumps({"text": os.urandom(MEBI).hex()}))
    words = ("--http2", "-H", "Content-Type: application/json")
    assert curl(own, *words, "--data-binary", f"@{path}", f"{url}echo") == (
        json.dumps(json.loads(path.read_text()), separators=(",", ":"))
    )
    accept = ("-H", "Accept: text/event-stream")
    said = curl(own, *words, *accept, "--data-binary", '{"n": 2000}', f"{url}count")
    assert said.count("data: ") == 2001


def test_a_stream_comes_as_it_is_made(client):
    with contextlib.closing(client.events("count", {"n": 2000})) as events:
        found = list(events)
    assert [value for _, value in found[:-1]] == list(range(2000))
    assert found[-1][0] == "end"


def test_a_client_that_goes_cancels_its_call(client, tmp_path):
    path = tmp_path / "begun"
    body = json.dumps({"path": str(path)})
    with Raw(client.daemon.connect()) as raw:
        raw.send(
            f"POST {CALL}wait HTTP/1.1\r\nHost: localhost\r\n"
            "Content-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        )
        eventually(path.exists, "that the call has begun")
    eventually(lambda: path.read_text() == "ended", "that it was cancelled")


def test_pages_are_known_by_their_https_origin(client):
    assert client.ask("GET", "/livez", Origin="https://localhost")[0] == 200
    assert client.ask("GET", "/livez", Origin="http://localhost")[0] == 403
    assert client.ask("GET", "/livez", Host="example.com")[0] == 421


# ---- Who only pretends --------------------------------------------------------------


def test_a_request_without_tls_is_told_so(start, own):
    daemon = start(own.keys())
    with Raw(connect(daemon)) as client:
        answer = client.ask(GET)
        assert answer.status == 400
        assert b"https://" in answer.body
        assert client.is_closed()
    assert "without TLS" in daemon.logged("serve.handshake_failed")
    assert is_served(daemon, own.trusted())


def test_a_slow_handshake_is_ended_and_holds_up_nobody(start, own):
    daemon = start(own.keys(), header_timeout_ms=300)
    with Raw(connect(daemon)) as slow, Raw(connect(daemon)) as silent:
        slow.send(b"\x16\x03\x01")
        assert is_served(daemon, own.trusted())
        assert slow.was_cut() and silent.was_cut()
    assert "header_timeout_ms" in daemon.logged("serve.handshake_failed")


def hello() -> bytes:
    """The first message of a client."""
    said = ssl.MemoryBIO()
    context = ssl.create_default_context()
    client = context.wrap_bio(ssl.MemoryBIO(), said, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return said.read()


def test_two_hundred_halves_of_a_handshake_hold_up_nobody(start, own):
    daemon = start(own.keys())
    with contextlib.ExitStack() as halves:
        for i in range(200):
            client = halves.enter_context(connect(daemon))
            client.sendall(hello()[: 1 + i * 3])
        for _ in range(10):
            assert is_served(daemon, own.trusted())
    assert daemon.stop() == 0


def test_clients_that_vanish_in_the_middle_leave_nothing(start, own):
    daemon = start(own.keys())
    before = descriptors(daemon)
    for i in range(60):
        with connect(daemon) as client:
            client.sendall(hello()[: 1 + i * 9])
            if i % 2 == 0:
                now = struct.pack("ii", 1, 0)
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, now)
    assert is_served(daemon, own.trusted())
    eventually(lambda: descriptors(daemon) <= before, "that they are closed")


def descriptors(daemon: Daemon) -> int:
    return len(os.listdir(f"/proc/{daemon.popen.pid}/fd"))


def test_a_client_does_not_renegotiate(start, own):
    daemon = start(own.keys())
    host = daemon.urls()[0].removeprefix("https://")
    with subprocess.Popen(
        [
            "openssl",
            "s_client",
            "-connect",
            host,
            "-tls1_2",
            "-CAfile",
            own.certificate,
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as client:
        said = iter(client.stdout.readline, "")
        assert any("Secure Renegotiation IS supported" in line for line in said)
        assert any("Verify return code" in line for line in said)
        client.stdin.write("R\n")
        client.stdin.flush()
        assert any("no renegotiation" in line for line in said)
    assert is_served(daemon, own.trusted())


@pytest.mark.parametrize(
    "garbage", [b"\x00" * 64, b"\x16\x03\x01\x40\x00\x01\xff\xff\xff"]
)
def test_garbage_is_sent_away(start, own, garbage):
    daemon = start(own.keys())
    with Raw(connect(daemon)) as client:
        client.send(garbage)
        assert client.is_closed()
    assert "because=" in daemon.logged("serve.handshake_failed")


# ---- Certificates of clients --------------------------------------------------------


def test_clients_are_known_by_their_certificates(start, own, tmp_path):
    authority = self_signed(tmp_path, "authority")
    stranger = self_signed(tmp_path, "stranger")
    daemon = start(own.keys(client_ca=str(authority.certificate)))
    build = signed(tmp_path, "build", authority)
    assert is_served(daemon, own.trusted(build))
    assert 'certificate="CN=build"' in daemon.logged("serve.handshake")
    (url,) = daemon.urls()
    words = ("--cert", str(build.certificate), "--key", str(build.key))
    assert curl(own, *words, f"{url}/livez") == "ok\n"
    for other in (
        None,
        stranger,
        signed(tmp_path, "forged", stranger),
        signed(tmp_path, "expired", authority, expired=True),
    ):
        assert not is_served(daemon, own.trusted(other))
    assert "alert" in curl(own, f"{url}/livez")


def test_lesson_33_others_need_a_certificate(start, own, tmp_path):
    authority = self_signed(tmp_path, "authority")
    keys = own.keys(client_ca=str(authority.certificate))
    daemon = start(keys, address="0.0.0.0:0")
    assert daemon.urls()[0].startswith("https://0.0.0.0:")
    assert is_served(daemon, own.trusted(signed(tmp_path, "build", authority)))
    assert not is_served(daemon, own.trusted())


def test_lesson_33_or_a_token(start, own, tmp_path):
    path = tmp_path / "tokens.yaml"
    write(path, [token("build", "call", "observe")])
    daemon = start(own.keys(), address="0.0.0.0:0", tokens=str(path))
    field = f"Authorization: Bearer {secret('build')}\r\n\r\n"
    get = "GET /v1/pools HTTP/1.1\r\nHost: localhost\r\n"
    with Raw(shake_hands(daemon, own.trusted())) as known:
        assert known.ask(get + field).status == 200
        assert known.ask(f"{get}\r\n").status == 401


# ---- Certificates of the daemon -----------------------------------------------------


def write_over(old: Identity, new: Identity) -> None:
    shutil.copy(new.key, old.key)
    shutil.copy(new.certificate, old.certificate)


def reload_by_signal(daemon: Daemon, event: str) -> None:
    before = len(daemon.lines(event))
    daemon.signal(signal.SIGHUP)
    eventually(lambda: len(daemon.lines(event)) > before, event)
    eventually(lambda: daemon.lines("serve.reloaded"), "that it has reloaded")


def test_a_reload_reads_certificates_again(start, tmp_path):
    first = self_signed(tmp_path)
    (tmp_path / "new").mkdir()
    second = self_signed(tmp_path / "new")
    trusts_first, trusts_second = first.trusted(), second.trusted()
    daemon = start(first.keys())
    with Raw(shake_hands(daemon, trusts_first)) as old:
        assert old.ask(GET).status == 200
        write_over(first, second)
        reload_by_signal(daemon, "serve.certificate_reread")
        assert is_served(daemon, trusts_second)
        assert not is_served(daemon, trusts_first)
        assert old.ask(GET).status == 200
        first.key.write_text("")
        reload_by_signal(daemon, "serve.certificate_kept")
        daemon.logged("serve.reload_failed")
        assert "listen[0].tls.key" in daemon.logged("serve.certificate_kept")
        assert is_served(daemon, trusts_second)
        # The same over HTTP, whose client is told.
        post = "POST /v1/pools:reload HTTP/1.1\r\nHost: localhost\r\n"
        refused = old.ask(f"{post}Content-Length: 0\r\n\r\n")
        assert refused.status == 400
        assert b"holds no private key" in refused.body


@pytest.mark.parametrize("by", ["SIGHUP", "http"])
@pytest.mark.parametrize("bad", ["certificate", "tokens"])
def test_a_reload_that_fails_changes_nothing(tmp_path, by, bad):
    identity = self_signed(tmp_path)
    whole = identity.certificate.read_text()
    trust = identity.trusted()
    tokens = tmp_path / "tokens.yaml"
    write(tokens, [token("a", "admin", "observe", "call")])
    door = {"address": "127.0.0.1:0", "tls": identity.keys(), "tokens": str(tokens)}
    path = config(tmp_path, {"listen": [door]})
    daemon = serve(path, trust=trust)
    client = Client(daemon)

    def pool() -> dict:
        shown = bearer("a")
        return client.ask("GET", "/v1/pools/text", **shown)[1]

    def reload() -> tuple[int, object]:
        if by == "http":
            return client.ask("POST", "/v1/pools:reload", **bearer("a"))
        daemon.signal(signal.SIGHUP)
        return 0, None

    config(tmp_path, {"listen": [door]}, pool_size=2)
    if bad == "certificate":
        identity.certificate.write_text("garbage")
    else:
        write(tokens, "tokens: [{name: a}]")
    status, value = reload()
    if by == "http":
        assert status == 400
        wanted = str(identity.certificate if bad == "certificate" else tokens)
        assert wanted in value["detail"]
    else:
        assert "nothing has changed" in daemon.logged("serve.reload_failed")
    assert pool()["workers"] == 1
    for event in ("serve.reloaded", "serve.certificate_reread", "pool.reloaded"):
        assert not daemon.lines(event)
    if bad == "tokens":
        assert f"file={tokens} because=" in daemon.logged("serve.tokens_kept")
    # Once all are right they are taken together.
    identity.certificate.write_text(whole)
    write(tokens, [token("a", "admin", "observe", "call"), token("b", "call")])
    assert reload()[0] in (0, 204)
    daemon.logged("serve.reloaded")
    daemon.logged("serve.certificate_reread")
    eventually(lambda: pool()["workers"] == 2, "that the pool has grown")
    assert f"file={tokens} tokens=2" in daemon.logged("serve.tokens")
    end([daemon])


def test_what_is_wrong_with_files_is_said_before_anybody_comes(tmp_path, own):
    other = self_signed(tmp_path, "other")
    locked = tmp_path / "locked.pem"
    openssl("pkey", "-in", own.key, "-aes128", "-passout", "pass:x", "-out", locked)
    expired = signed(tmp_path, "expired", other, expired=True)
    expired.key.chmod(0o644)
    where = "serve.listen[0].tls"
    for tls, status, said in [
        (own.keys(), 0, "can serve https://127.0.0.1:"),
        (own.keys(key="/no/key"), 3, f"{where}.key: /no/key cannot be read: No such"),
        (
            own.keys(key=str(other.key)),
            3,
            f"{where}.key: {other.key} is not the key of",
        ),
        (own.keys(key=str(locked)), 3, f"{where}.key: {locked} has a passphrase"),
        (own.keys(certificate=str(own.key)), 3, "holds no certificate in PEM"),
        (own.keys(client_ca=str(own.key)), 3, f"{where}.client_ca: {own.key} holds no"),
        (expired.keys(), 0, f"warning: {where}.certificate: {expired.certificate} has"),
        (expired.keys(), 0, "can be read by every user"),
    ]:
        path = tmp_path / "check.yaml"
        listen = [{"address": "127.0.0.1:0", "tls": tls}]
        path.write_text(f"{NO_POOLS}serve: {json.dumps({'listen': listen})}\n")
        done = run("serve", "--check", path)
        assert done.returncode == status, done.stderr
        assert said in done.stdout + done.stderr


# ---- Memory -------------------------------------------------------------------------


def resident(daemon: Daemon) -> int:
    text = pathlib.Path(f"/proc/{daemon.popen.pid}/smaps_rollup").read_text()
    line = next(line for line in text.splitlines() if line.startswith("Pss_Anon:"))
    return int(line.split()[1])


@pytest.mark.quiet
def test_an_idle_connection_is_small(start, own):
    daemon = start(own.keys())
    context = own.trusted()
    count = 400
    with contextlib.ExitStack() as clients:

        def come() -> None:
            client = clients.enter_context(Raw(shake_hands(daemon, context)))
            assert client.ask(GET).status == 200

        for _ in range(50):
            come()
        before = resident(daemon)
        for _ in range(count):
            come()
        each = (resident(daemon) - before) / count
        print(f"{each:.1f} KiB for an idle connection with TLS")
        assert each < 30
