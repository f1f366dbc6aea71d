# SPDX-License-Identifier: MIT
"""grpcurl, which knows of a daemon only what its reflection tells."""

from __future__ import annotations

import json

import pytest
from conftest import peer, say

SERVICE = "snakepit.v1.Snakepit"


@pytest.fixture
def grpcurl(url):
    address = url.removeprefix("http://")

    def ask(*words: str, data: object = None) -> str:
        sent = [] if data is None else ["-d", json.dumps(data)]
        return say(peer("grpcurl"), "-plaintext", *sent, address, *words).stdout

    return ask


def test_it_finds_the_services(grpcurl):
    services = grpcurl("list").split()
    assert {SERVICE, "grpc.health.v1.Health"} <= set(services)
    assert f"{SERVICE}.Call" in grpcurl("list", SERVICE)
    assert "rpc Call ( .snakepit.v1.CallRequest )" in grpcurl("describe", SERVICE)


def test_it_is_told_that_the_daemon_serves(grpcurl):
    said = json.loads(grpcurl("grpc.health.v1.Health/Check", data={}))
    assert said == {"status": "SERVING"}


def test_it_calls(grpcurl):
    request = {
        "pool": "judged",
        "tool": "add",
        "arguments": {"value": {"a": 2, "b": 3}},
    }
    said = json.loads(grpcurl(f"{SERVICE}/Call", data=request))
    assert 5 in _numbers(said)


def test_it_streams(grpcurl):
    request = {"pool": "judged", "tool": "count", "arguments": {"value": {"n": 3}}}
    said = grpcurl(f"{SERVICE}/Stream", data=request)
    assert [n for n in _numbers(_all(said)) if n in (0, 1, 2)] == [0, 1, 2]


def _all(text: str) -> list[object]:
    """The messages, one behind the other."""
    decoder, found = json.JSONDecoder(), []
    while text := text.strip():
        value, end = decoder.raw_decode(text)
        found.append(value)
        text = text[end:]
    return found


def _numbers(value: object) -> list[float]:
    """All that are in a message, whatever it is."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [number for item in value for number in _numbers(item)]
    return [value] if isinstance(value, int | float) else []
