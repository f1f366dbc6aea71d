# SPDX-License-Identifier: MIT
"""The official clients of MCP, in Python and TypeScript and of both eras, call tools of
a daemon over HTTP, and of `snakepit mcp` on standard input and output.
"""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import BUILD, HERE, PEERS, config, end, group, package, peer, say, serve
from support.daemon import Daemon
from support.waiting import eventually

TOOLS = ["judged.add", "judged.count", "judged.greet", "judged.mean", "judged.wait"]
HANDSHAKE, STATELESS = "2025-11-25", "2026-07-28"
HEARD = [[1, "0"], [2, "1"], [3, "2"]]
MODES = [("legacy", HANDSHAKE), ("auto", STATELESS), (STATELESS, STATELESS)]


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One whose clients may give up."""
    folder = tmp_path_factory.mktemp("patient")
    daemon = serve(config(folder, name="judged", adapter="judged.Patient"))
    yield daemon
    end([daemon])


@pytest.fixture(params=["http", "stdio"])
def server(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> list[str]:
    """What a client is given: an address, or a command."""
    if request.param == "http":
        return [request.getfixturevalue("url") + "/mcp"]
    path = config(tmp_path, name="judged", adapter="judged.Patient")
    return [str(BUILD / "bin/snakepit"), "mcp", "--config", str(path)]


def judge(told: dict[str, Any], version: str, heard: list[Any] = HEARD) -> None:
    wrapped = version != STATELESS
    assert told["tools"] == TOOLS
    assert told["added"] == ({"result": 42} if wrapped else 42)
    assert told["greeted"] == "hello, snake"
    assert told["failed"] is True
    assert told["counted"] == ({"result": [0, 1, 2]} if wrapped else [0, 1, 2])
    assert told["heard"] == heard
    assert told["late"] == ({"result": 2} if wrapped else 2)
    assert told["cancelled"]
    assert "nothing" in told["unknown"]


@pytest.mark.parametrize(("mode", "version"), MODES)
def test_the_python_client_lists_and_calls(server: list[str], mode: str, version: str):
    python = pathlib.Path(peer("mcp")).with_name("python")
    done = say(str(python), str(HERE / "mcp_client.py"), mode, *server)
    told = json.loads(done.stdout)
    assert told["version"] == version
    judge(told, version)


def test_the_python_client_of_the_handshakes_era_does(server: list[str]):
    python = group("mcp1", "mcp 1")
    done = say(str(python), str(HERE / "mcp_client_v1.py"), *server)
    told = json.loads(done.stdout)
    assert told["version"] == HANDSHAKE
    judge(told, HANDSHAKE)


@pytest.mark.parametrize(("mode", "version"), [("v1", HANDSHAKE), *MODES])
def test_the_typescript_client_lists_and_calls(
    server: list[str], mode: str, version: str
):
    package(f"@modelcontextprotocol/{'sdk' if mode == 'v1' else 'client'}")
    modules = PEERS / "npm/node_modules"
    script = str(HERE / "mcp_client.mjs")
    done = say(peer("node"), script, str(modules), mode, *server)
    told = json.loads(done.stdout)
    by_http = server[0].startswith("http")
    if mode != "v1" or by_http:  # which tells it for HTTP alone
        assert told["version"] == version
    # What a pipe brings together with the result is not heard any more: the client
    # forgets who listens before it looks at what came first.
    heard = HEARD if by_http else [item for item in HEARD if item in told["heard"]]
    judge(told, version, heard)


def test_what_clients_gave_up_has_ended(daemon: Daemon, url: str):
    """After the others: nothing that they cancelled goes on."""

    def is_idle() -> bool:
        (pool,) = json.loads(daemon.request("/v1/pools")[1])["pools"]
        return pool["running"] == 0 and pool["waiting"] == 0

    eventually(is_idle, "that nothing runs")
