# SPDX-License-Identifier: MIT
"""curl, as the pages show it, over HTTP/1.1 and HTTP/2."""

from __future__ import annotations

import json

import pytest
from conftest import peer, say

PATH = "/v1/pools/judged/tools"


@pytest.fixture(params=["--http1.1", "--http2-prior-knowledge", "--http2"])
def curl(request, url):
    command = [peer("curl"), "-sS", request.param, "--max-time", "60"]
    return lambda *words: say(*command, *words).stdout


def test_a_call(curl, url):
    assert curl("--json", '{"a": 2, "b": 3}', f"{url}{PATH}/add") == "5"


def test_a_stream(curl, url):
    accept = ("-N", "-H", "Accept: text/event-stream")
    text = curl(*accept, "--json", '{"n": 3}', f"{url}{PATH}/count")
    data = [line for line in text.splitlines() if line.startswith("data: ")]
    assert data == ["data: 0", "data: 1", "data: 2", 'data: {"result":null}']


def test_a_fault(curl, url):
    words = ("-w", "%{http_code} %{content_type}", "-o", "/dev/null")
    said = curl(*words, "--json", '{"a": "x"}', f"{url}{PATH}/add")
    assert said == "500 application/problem+json"
    assert curl(*words, f"{url}/nothing") == "404 application/problem+json"


def test_a_large_body_after_100_continue(curl, url, tmp_path):
    """curl asks before it sends more than a megabyte."""
    body = tmp_path / "body"
    body.write_text(json.dumps({"values": [1.5] * 500_000}))
    assert curl("--json", f"@{body}", f"{url}{PATH}/mean") == "1.5"


def test_one_connection_is_enough_for_many_calls(url):
    """Not with prior knowledge of HTTP/2, where curl 7.88 fails with any server."""
    words = ("-sS", "--http1.1", "-w", "\n%{num_connects}\n", "--json", '{"a": 2}')
    lines = say(peer("curl"), *words, *[f"{url}{PATH}/add"] * 20).stdout.split()
    assert lines[0::2] == ["3"] * 20
    assert sum(map(int, lines[1::2])) == 1
