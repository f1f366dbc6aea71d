# SPDX-License-Identifier: MIT
"""SIGTERM under load. What the daemon has begun to serve is answered: each call that a
tool has run has its answer, whole and in its turn. What it has not, sees the end of its
connection before any byte of an answer, so that it can be sent elsewhere.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import pathlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.daemon import Daemon
from support.raw_http import Raw
from support.served import Client
from support.waiting import eventually

ROUNDS = int(os.environ.get("E2E_DRAIN_ROUNDS", "5"))
CONNECTIONS = 8
AT_ONCE = 200  # requests that a client has sent and not heard of

TALLY = """
import os
from snakepit_bridge import BaseAdapter, tool

class Tally(BaseAdapter):
    def initialize(self):
        flags = os.O_CREAT | os.O_APPEND | os.O_WRONLY
        self.fd = os.open(os.environ["TALLY"], flags, 0o600)

    @tool
    def next(self, x):
        os.write(self.fd, b"x")
        return x + 1
"""


@pytest.fixture
def daemon(tmp_path: pathlib.Path):
    """One whose tool tallies the calls that it runs in the file `ran`."""
    (tmp_path / "tally.py").write_text(TALLY)
    (tmp_path / "ran").touch()
    path = tmp_path / "tally.yaml"
    pool = {
        "name": "tally",
        "pool_size": 2,
        "adapter": "tally.Tally",
        "adapter_env": {"TALLY": str(tmp_path / "ran")},
    }
    serve = {"listen": ["127.0.0.1:0"], "loops": 2}
    path.write_text(json.dumps({"pools": [pool], "serve": serve}))
    daemon = Daemon(path)
    try:
        eventually(Client(daemon).is_ready, "that it is ready")
        yield daemon
    finally:
        daemon.end()


def request(number: int) -> bytes:
    body = b'{"x": %d}' % number
    return (
        b"POST /v1/pools/tally/tools/next HTTP/1.1\r\nHost: localhost\r\n"
        b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
        % (len(body), body)
    )


class Caller:
    """Calls on one connection without a pause, until the daemon ends that."""

    def __init__(self, daemon: Daemon) -> None:
        self.raw = Raw(daemon.connect())
        self.answers = 0
        self.room = threading.Semaphore(AT_ONCE)
        self.over = False

    def call_on(self) -> int:
        """How many answers came; each is right, and nothing comes behind the last."""
        sender = threading.Thread(target=self._send)
        sender.start()
        try:
            while self.raw.file.peek(1):
                answer = self.raw.answer()
                assert (answer.status, int(answer.body)) == (200, self.answers + 1)
                self.answers += 1
                self.room.release()
                if answer.fields.get("connection") == "close":
                    break
            assert self.raw.is_closed()
        finally:
            self.over = True
            self.room.release(AT_ONCE)
            sender.join()
            self.raw.close()
        return self.answers

    def _send(self) -> None:
        # What has been answered before the end can be read all the same.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for number in itertools.count():
                self.room.acquire()
                if self.over:
                    return
                self.raw.send(request(number))


@pytest.mark.parametrize("round", range(ROUNDS))
def test_sigterm_under_load_fails_no_call_that_was_begun(daemon, tmp_path, round):
    ran = tmp_path / "ran"
    callers = [Caller(daemon) for _ in range(CONNECTIONS)]
    begun = time.monotonic()
    with ThreadPoolExecutor(CONNECTIONS) as threads:
        heard = [threads.submit(caller.call_on) for caller in callers]
        eventually(lambda: ran.stat().st_size > 5000 + 100 * round, "load")
        rate = ran.stat().st_size / (time.monotonic() - begun)
        assert daemon.stop() == 0
        answers = sum(one.result() for one in heard)
    assert answers == ran.stat().st_size
    assert not daemon.lines("serve.cut_off")
    print(f"{rate:.0f} calls/s, {answers} answers")
