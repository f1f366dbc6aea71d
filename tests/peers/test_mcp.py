# SPDX-License-Identifier: MIT
"""The official Python client of MCP, of both eras, calls tools of a daemon."""

from __future__ import annotations

import json
import pathlib

import pytest
from conftest import HERE, peer, say

TOOLS = ["judged.add", "judged.count", "judged.greet", "judged.mean"]


@pytest.mark.parametrize(
    ("mode", "version"),
    [
        ("legacy", "2025-11-25"),
        ("auto", "2026-07-28"),
        ("2026-07-28", "2026-07-28"),
    ],
)
def test_the_python_client_lists_and_calls(url: str, mode: str, version: str):
    python = pathlib.Path(peer("mcp")).with_name("python")
    told = json.loads(
        say(str(python), str(HERE / "mcp_client.py"), f"{url}/mcp", mode).stdout
    )
    wrapped = version < "2026"
    assert told["version"] == version
    assert told["tools"] == TOOLS
    assert told["added"] == ({"result": 42} if wrapped else 42)
    assert told["greeted"] == "hello, snake"
    assert told["failed"] is True
    assert told["counted"] == ({"result": [0, 1, 2]} if wrapped else [0, 1, 2])
    assert told["heard"] == [[1, "0"], [2, "1"], [3, "2"]]
    assert told["late"] == ({"result": 2} if wrapped else 2)
    assert "nothing" in told["unknown"]
