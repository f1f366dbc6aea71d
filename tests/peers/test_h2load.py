# SPDX-License-Identifier: MIT
"""h2load gets an answer to each request."""

from __future__ import annotations

import pathlib
import re

import pytest
from conftest import peer, say


@pytest.mark.parametrize("version", ["--h1", "--alpn-list=h2c"])
@pytest.mark.parametrize("shape", [("-c16",), ("-c4", "-m32")])
def test_each_request_is_answered(url, tmp_path: pathlib.Path, version, shape):
    body = tmp_path / "body"
    body.write_text('{"a":2,"b":3}')
    if version != "--h1":
        version = "--max-concurrent-streams=32"  # without TLS it speaks HTTP/2
    said = say(
        peer("h2load"),
        version,
        *shape,
        "-n20000",
        f"-d{body}",
        "-H",
        "content-type: application/json",
        f"{url}/v1/pools/judged/tools/add",
    ).stdout
    assert re.search(r"20000 succeeded, 0 failed, 0 errored", said), said
    assert re.search(r"status codes: 20000 2xx", said), said
