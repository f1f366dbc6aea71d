# SPDX-License-Identifier: MIT
"""Answers that their clients do not read: what waits of all of them is bounded."""

from __future__ import annotations

import contextlib
import json
import pathlib
from collections.abc import Callable, Iterator

import pytest
from support.apart import apart
from support.daemon import Daemon
from support.grpcs import Peer, needs_grpc, stubs
from support.raw_http import Raw
from support.raw_http2 import HEADERS, Raw2
from support.served import CALL, Client, config, end, serve
from support.waiting import eventually

MIB = 1 << 20
BUDGET = 32 * MIB
ANSWER = 8 * MIB  # bytes of one
OK2 = 0x88  # ":status: 200" in a block of HTTP/2
PACKED = "application/msgpack"
MANY = 20  # clients


@pytest.fixture
def start(tmp_path: pathlib.Path) -> Iterator[Callable[[str], Daemon]]:
    """Starts daemons, by their `max_memory`."""
    daemons: list[Daemon] = []

    def start_one(memory: str) -> Daemon:
        # What the kernel keeps for a client of a Unix socket is little.
        listen = [f"unix:{tmp_path}/door.sock"]
        keys = {"max_message": "1MiB", "max_memory": memory, "listen": listen}
        daemons.append(serve(config(tmp_path, keys)))
        return daemons[-1]

    yield start_one
    end(daemons)


@pytest.fixture
def daemon(start: Callable[[str], Daemon]) -> Daemon:
    return start("32MiB")


def resident(daemon: Daemon, kind: str = "VmRSS") -> int:
    text = pathlib.Path(f"/proc/{daemon.popen.pid}/status").read_text()
    return int(text.split(f"{kind}:")[1].split()[0]) * 1024


def ask_http1(daemon: Daemon, keep: contextlib.ExitStack) -> bool:
    """Whether a client that reads one line gets its answer."""
    raw = keep.enter_context(Raw(daemon.connect()))
    body = json.dumps({"n": ANSWER // 4})
    raw.send(
        f"POST {CALL}zeros HTTP/1.1\r\nHost: localhost\r\nAccept: {PACKED}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    )
    status = raw.file.readline().split()[1]
    assert status in (b"200", b"507")
    return status == b"200"


def ask_http2(daemon: Daemon, keep: contextlib.ExitStack) -> bool:
    """The same, with a window of a thousand bytes."""
    raw = keep.enter_context(Raw2(daemon.connect(), window=1000))
    raw.ask(CALL + "zeros", {"n": ANSWER // 4}, accept=PACKED)
    while (frame := raw.read()) is not None and frame.kind != HEADERS:
        pass
    assert frame is not None
    return frame.body[0] == OK2


@contextlib.contextmanager
def hoarding(
    daemon: Daemon, ask: Callable[[Daemon, contextlib.ExitStack], bool]
) -> Iterator[int]:
    """Clients that do not read, until one is refused: how many there are."""
    with contextlib.ExitStack() as keep:
        count = 0
        while count < MANY and ask(daemon, keep):
            count += 1
        yield count


@pytest.mark.parametrize("ask", [ask_http1, ask_http2])
def test_answers_that_wait_have_so_much_memory_together(daemon, ask):
    client = Client(daemon)
    before = resident(daemon)
    with hoarding(daemon, ask) as count:
        assert 3 <= count <= BUDGET // ANSWER + 1
        assert resident(daemon) < before + BUDGET + 4 * ANSWER
        # What is small goes on, and whoever is refused is told why.
        assert client.call("add", {"a": 1, "b": 1}) == (200, 2)
        status, value = client.call("zeros", {"n": ANSWER // 4}, Accept=PACKED)
        assert status == 507
        assert "take `serve: max_memory` already" in value["detail"]
        assert client.ask("POST", CALL + "echo", {"x": "y" * (MIB // 16)})[0] == 200
    assert 'because="max_memory"' in daemon.logged("serve.full")

    def answered() -> bool:
        return client.call("zeros", {"n": ANSWER // 4}, Accept=PACKED)[0] == 200

    eventually(answered, "that what waited was given back")


def test_the_memory_of_answers_goes_back_to_the_system(start):
    """A daemon that was large once does not stay so."""
    daemon = start("1GiB")
    assert Client(daemon).call("add", {"a": 1, "b": 1}) == (200, 2)
    before = resident(daemon, "RssAnon")
    with hoarding(daemon, ask_http2) as count:
        assert count == MANY
        assert resident(daemon, "RssAnon") > before + MANY * ANSWER // 2
    eventually(
        lambda: resident(daemon, "RssAnon") < before + 2 * ANSWER,
        "that what waited was given back",
    )


@needs_grpc
def test_grpc_says_that_there_is_no_room(daemon, tmp_path):
    made = stubs(tmp_path)

    @apart
    def run(url: str, fits: bool) -> None:
        p = Peer(url, made)
        request = p.request("zeros", {"n": ANSWER // 4})
        request.result_form = p.pb.FORM_MSGPACK
        if fits:
            eventually(lambda: p.stub.Call(request, timeout=60), "an answer")
            return
        error = p.error(p.stub.Call, request, timeout=60)
        assert error.code() == p.grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "take `serve: max_memory` already" in error.details()
        assert p.call("add", {"a": 1, "b": 1}) == 2

    with hoarding(daemon, ask_http1):
        run(daemon.urls()[0], False)
    eventually(lambda: ask_once(daemon), "that what waited was given back")
    run(daemon.urls()[0], True)


def ask_once(daemon: Daemon) -> bool:
    with contextlib.ExitStack() as keep:
        return ask_http1(daemon, keep)
