# SPDX-License-Identifier: MIT
"""The OpenAPI document is one."""

from __future__ import annotations

import pathlib

from conftest import peer, say


def test_the_document_is_valid(daemon, tmp_path: pathlib.Path):
    status, body = daemon.request("/openapi.json")
    assert status == 200
    document = tmp_path / "openapi.json"
    document.write_bytes(body)
    said = say(peer("openapi-spec-validator"), "--schema", "3.1.0", str(document))
    assert "OK" in said.stdout
