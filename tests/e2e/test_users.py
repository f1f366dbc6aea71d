# SPDX-License-Identifier: MIT
"""A Unix socket that is for some users of the machine, and what the log says then."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import pwd
from collections.abc import Iterator
from typing import Any

from support.apart import apart
from support.command import run
from support.daemon import NO_POOLS, Daemon
from support.grpcs import Peer, needs_grpc, stubs
from support.raw_http import Raw
from support.waiting import eventually

ME = os.getuid()
NOBODY = ME + 1  # whom no test is


@contextlib.contextmanager
def serving(folder: pathlib.Path, **keys: Any) -> Iterator[Daemon]:
    """A daemon without pools behind a Unix socket."""
    item = {"address": f"unix:{folder}/door.sock", **keys}
    path = folder / "daemon.yaml"
    path.write_text(NO_POOLS + f"serve: {json.dumps({'listen': [item]})}\n")
    daemon = Daemon(path)
    try:
        yield daemon
        assert daemon.stop() == 0
    finally:
        daemon.end()


def test_who_is_among_the_users_is_served(tmp_path):
    name = pwd.getpwuid(ME).pw_name
    with serving(tmp_path, users=[NOBODY, name]) as daemon:
        assert daemon.request("/livez", url=daemon.urls()[0]) == (200, b"ok\n")
        assert daemon.lines("serve.forbidden") == []


def test_others_are_refused_whatever_they_ask_for(tmp_path):
    with serving(tmp_path, users=[NOBODY]) as daemon:
        url = daemon.urls()[0]
        for path in ("/livez", "/v1/pools", "/nothing"):
            status, body = daemon.request(path, url=url)
            assert status == 403
            assert f"the user {ME} is none of the `users`" in json.loads(body)["detail"]
        line = daemon.logged("serve.forbidden")
        assert f'client="unix uid={ME} pid={os.getpid()}" listen={url} because=' in line


def test_a_body_of_others_is_not_read(tmp_path):
    with (
        serving(tmp_path, users=[NOBODY]) as daemon,
        Raw(daemon.connect(daemon.urls()[0])) as raw,
    ):
        raw.send(
            b"POST /v1/pools/a/tools/b HTTP/1.1\r\nHost: x\r\n"
            b"Content-Type: application/json\r\nContent-Length: 1000000\r\n\r\n{"
        )
        answer = raw.answer()
        assert (answer.status, answer.fields["connection"]) == (403, "close")


def test_refusals_do_not_fill_the_log(tmp_path):
    with serving(tmp_path, users=[NOBODY]) as daemon:
        url = daemon.urls()[0]

        def counted() -> bool:
            for _ in range(20):
                assert daemon.request("/livez", url=url)[0] == 403
            lines = daemon.lines("serve.forbidden")
            return any(not line.endswith("others=0") for line in lines)

        eventually(counted, "a line that counts the others")
        lines = daemon.lines("serve.forbidden")
        told = sum(int(line.rpartition("=")[2]) + 1 for line in lines)
        assert told > 4 * len(lines)


@needs_grpc
def test_grpc_goes_through_a_unix_socket_or_says_permission_denied(tmp_path):
    made = stubs(tmp_path)

    @apart
    def ask(url: str, served: bool) -> None:
        peer = Peer(url, made)
        try:
            answer = peer.stub.ListPools(peer.pb.ListPoolsRequest(), timeout=60)
            assert served
            assert len(answer.pools) == 0
        except peer.grpc.RpcError as error:
            assert not served, error
            assert error.code() == peer.grpc.StatusCode.PERMISSION_DENIED
            assert "none of the `users`" in error.details()

    for user in (ME, NOBODY):
        with serving(tmp_path, users=[user]) as daemon:
            ask(daemon.urls()[0], user == ME)


def test_a_user_that_is_not_there_stops_the_start(tmp_path):
    path = tmp_path / "daemon.yaml"
    item = {"address": f"unix:{tmp_path}/door.sock", "users": [ME, "no-such-user"]}
    path.write_text(NO_POOLS + f"serve: {json.dumps({'listen': [item]})}\n")
    said = 'serve.listen[0].users[1]: this machine has no user "no-such-user"'
    for words in (("serve",), ("serve", "--check")):
        done = run(*words, path)
        assert done.returncode != 0
        assert said in done.stderr
