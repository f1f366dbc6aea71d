# SPDX-License-Identifier: MIT
"""What an operator asks of a daemon: why a pool is not there, and that it drains."""

from __future__ import annotations

import pathlib
import threading
from typing import Any

import pytest
from support.daemon import Daemon
from support.served import Client, config, end, serve
from support.waiting import eventually


@pytest.fixture
def daemons():
    started: list[Daemon] = []
    yield started
    end(started)


def test_a_pool_that_has_failed_says_why(tmp_path: pathlib.Path, daemons):
    (tmp_path / "broken.py").write_text("raise RuntimeError('the model is missing')\n")
    path = config(tmp_path, adapter="broken", restart_limit=1)
    daemons.append(Daemon(path))
    client = Client(daemons[0])

    def state() -> dict[str, Any]:
        return client.ask("GET", "/v1/pools/text")[1]

    eventually(lambda: state()["state"] == "failed", "that it gives up")
    assert "the model is missing" in state()["reason"]
    assert (
        "the model is missing"
        in client.ask("GET", "/v1/pools")[1]["pools"][0]["reason"]
    )
    status, text = client.ask("GET", "/readyz?verbose")
    line = text.decode().splitlines()[0]
    assert status == 503
    assert line.startswith("[-] text: failed, 0 of 1 workers: ")
    assert "the model is missing" in line
    assert client.ask("GET", "/readyz")[1] == b"not ready\n"


def test_a_pool_that_serves_has_no_reason(client):
    assert client.ask("GET", "/v1/pools/text")[1]["reason"] == ""
    told = client.ask("GET", "/readyz?verbose")[1]
    assert told == b"[+] text: ready, 1 of 1 workers\nready\n"


def test_a_drain_lets_what_has_begun_end(tmp_path: pathlib.Path, daemons):
    daemons.append(serve(config(tmp_path)))
    client = Client(daemons[0])
    mark = tmp_path / "begun"
    answers: list[Any] = []
    thread = threading.Thread(
        target=lambda: answers.append(client.call("wait", {"path": str(mark)}))
    )
    thread.start()
    eventually(mark.exists, "that the call runs")
    assert client.ask("POST", "/v1:drain") == (202, b"")
    daemons[0].logged("serve.stopping")
    mark.with_name("begun.enough").touch()
    thread.join()
    assert answers == [(200, "enough")]
    assert daemons[0].wait() == 0
    assert 'because="a request"' in daemons[0].said()
    assert "serve.drain client=127.0.0.1" in daemons[0].said()
    assert "serve.stopped pid=" in daemons[0].said()


def test_a_pool_tells_its_configuration_and_where_it_came_from(
    tmp_path: pathlib.Path, daemons
):
    path = config(tmp_path, adapter_env={"KEY": "s3cret"})
    daemons.append(serve(path, env={"SNAKEPIT_MAX_QUEUE": "77"}))
    client = Client(daemons[0])
    status, value = client.ask("GET", "/v1/pools/text/config")
    assert status == 200
    rows = {row["key"]: row for row in value["options"]}
    assert rows["pool_size"] == {
        "key": "pool_size",
        "value": "1",
        "origin": "file",
        "line": 1,
    }
    assert (rows["max_queue"]["value"], rows["max_queue"]["origin"]) == (
        "77",
        "environment",
    )
    assert rows["affinity"]["origin"] == "default"
    assert rows["adapter_env"]["value"] == "{KEY: …}"
    assert client.ask("GET", "/v1/pools/default/config") == (200, value)
    status, problem = client.ask("GET", "/v1/pools/nowhere/config")
    assert (status, problem["error"]["name"]) == (404, "UNKNOWN_POOL")
