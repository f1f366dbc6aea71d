# SPDX-License-Identifier: MIT
"""docs/mcp.md, as it is written: its adapter, its configuration and its request."""

from __future__ import annotations

import json
import re
import subprocess

import pytest
from support.daemon import Daemon
from support.places import ROOT, SYSTEM
from support.served import Client, end, serve

PAGE = (ROOT / "docs/mcp.md").read_text()


def block(kind: str) -> str:
    """What stands behind ```kind."""
    (found,) = re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return found


@pytest.fixture
def daemon(tmp_path):
    (tmp_path / "pets.py").write_text(block("python"))
    text = block("yaml").replace("127.0.0.1:8470", "127.0.0.1:0")
    text = text.replace("pets.Pets}", f"pets.Pets, python: {SYSTEM}, pool_size: 1}}")
    path = tmp_path / "pets.yaml"
    path.write_text(text)
    daemon: Daemon = serve(path, cwd=tmp_path)
    yield daemon
    end([daemon])


def test_the_page_is_right(daemon):
    command, answer = re.findall(
        r"^\$ (curl .*)\n(.*)$", block("console"), re.MULTILINE
    )[0]
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


def test_the_lines_to_paste_are_json_and_name_the_address():
    server = json.loads(block("json"))["mcpServers"]["pets"]
    assert server["url"] == "http://127.0.0.1:8470/mcp"
    assert server["url"].removesuffix("/mcp").removeprefix("http://") in block("yaml")
