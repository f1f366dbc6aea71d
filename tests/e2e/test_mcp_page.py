# SPDX-License-Identifier: MIT
"""docs/mcp.md, as it is written: its adapter, its configuration and its request."""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess

import pytest
from support.command import SNAKEPIT
from support.daemon import Daemon
from support.places import ROOT, SYSTEM
from support.processes import MARK
from support.served import Client, end, serve

PAGE = (ROOT / "docs/mcp.md").read_text()


def blocks(kind: str) -> list[str]:
    """What stands behind each ```kind."""
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def block(kind: str) -> str:
    """The only one of them."""
    (found,) = blocks(kind)
    return found


def console(command: str) -> tuple[str, str]:
    """A command that is typed, by its first word, and what it says."""
    found = re.findall(rf"^\$ ({command} .*)\n(.*)$", PAGE, re.MULTILINE)
    assert len(found) == 1
    return found[0]


def pasted(key: str) -> dict:
    """The server of the lines to paste that have this key."""
    servers = [json.loads(text)["mcpServers"]["pets"] for text in blocks("json")]
    (found,) = [server for server in servers if key in server]
    return found


def write(folder) -> pathlib.Path:
    """The adapter and the configuration, with an interpreter of ours."""
    (folder / "pets.py").write_text(block("python"))
    text = block("yaml").replace("127.0.0.1:8470", "127.0.0.1:0")
    text = text.replace("pets.Pets}", f"pets.Pets, python: {SYSTEM}, pool_size: 1}}")
    path = folder / "pets.yaml"
    path.write_text(text)
    return path


@pytest.fixture
def daemon(tmp_path):
    daemon: Daemon = serve(write(tmp_path), cwd=tmp_path)
    yield daemon
    end([daemon])


def test_the_page_is_right(daemon):
    command, answer = console("curl")
    command = command.replace("http://127.0.0.1:8470", daemon.urls(1)[0])
    shown = subprocess.run(
        command, shell=True, capture_output=True, text=True, check=True
    )
    assert shown.stdout == answer
    listed = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    _, told = Client(daemon).ask("POST", "/mcp", listed)
    weight = {tool["name"]: tool for tool in told["result"]["tools"]}["pets.weight"]
    assert weight["annotations"]["readOnlyHint"] is True
    described = weight["inputSchema"]["properties"]["animal"]
    assert described["description"] == "cat or dog"


def test_the_lines_to_paste_for_http_name_the_address():
    server = pasted("url")
    assert server["url"] == "http://127.0.0.1:8470/mcp"
    assert server["url"].removesuffix("/mcp").removeprefix("http://") in block("yaml")


def test_the_lines_to_paste_for_a_desktop_program_start_a_server(tmp_path):
    """As such a program does: from another folder, with a bare environment."""
    server = pasted("command")
    assert server["command"] == "snakepit"
    paths = [word for word in server["args"] if word.startswith("/")]
    assert len(paths) == 1
    home = tmp_path / "home"
    home.mkdir()
    path = write(home)
    words = [str(path) if word == paths[0] else word for word in server["args"]]
    begin = {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "desktop", "version": "1"},
    }
    asked = [
        {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": begin},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 1, "method": "tools/list"},
    ]
    kept = ("PATH", "LD_LIBRARY_PATH", MARK)
    done = subprocess.run(
        [str(SNAKEPIT), *words],
        input="".join(json.dumps(message) + "\n" for message in asked),
        env={name: os.environ[name] for name in kept if name in os.environ},
        cwd="/",
        capture_output=True,
        text=True,
        check=True,
    )
    answers = {
        told["id"]: told["result"] for told in map(json.loads, done.stdout.splitlines())
    }
    assert answers[0]["protocolVersion"] == "2025-06-18"
    assert {tool["name"] for tool in answers[1]["tools"]} == {
        "pets.walk",
        "pets.weight",
    }


def test_what_is_typed_by_hand_is_answered(tmp_path):
    write(tmp_path)
    command, answer = console("echo")
    command = command.replace("| snakepit", f"| {SNAKEPIT}")
    done = subprocess.run(
        command, shell=True, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == answer + "\n"
